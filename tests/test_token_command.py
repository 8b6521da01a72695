"""``python -m tomrt token`` prints a token that the service takes, and nothing else."""

from __future__ import annotations

import time

import pytest

from tomrt.__main__ import main
from tomrt.errors import AccessDenied
from tomrt.security.tokens import TokenVerifier

SECRET = "correct horse battery staple 12345"
DAY_S = 86_400


@pytest.fixture(autouse=True)
def secret(monkeypatch: pytest.MonkeyPatch) -> None:
    """Run with a secret in the environment."""
    monkeypatch.setenv("TOMRT_AUTH__SECRET", SECRET)


@pytest.mark.parametrize(
    ("arguments", "call_id", "lifetime_s"),
    [
        (["--any-call"], None, 90 * DAY_S),
        (["--any-call", "--days", "7"], None, 7 * DAY_S),
        (["--call-id", "call-1"], "call-1", 3_600),
        (["--call-id", "call-1", "--minutes", "5"], "call-1", 300),
    ],
)
def test_a_token_that_is_taken(capsys, arguments, call_id, lifetime_s):
    """Standard output is the token alone; it is for the call or for any, and lasts as long as asked."""
    before = time.time()
    assert main(["token", *arguments]) == 0
    told = capsys.readouterr()
    (token,) = told.out.splitlines()
    claims = TokenVerifier(SECRET).verify(token, "call-1", before + 1)
    assert claims.call_id == call_id
    assert abs(claims.expires_at - before - lifetime_s) < 5
    assert told.err.startswith("good until 20")
    with pytest.raises(AccessDenied):
        TokenVerifier(SECRET).verify(token, "call-1", before + lifetime_s + 5)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ([], "one of the arguments --call-id --any-call is required"),
        (["--any-call", "--call-id", "x"], "not allowed with argument"),
        (["--any-call", "--days", "0"], "invalid number of days from 1 to 3650 value: '0'"),
        (["--any-call", "--days", "9999"], "invalid number of days"),
        (["--any-call", "--minutes", "soon"], "invalid number of minutes from 1 to 525600 value: 'soon'"),
        (["--any-call", "--days", "1", "--minutes", "1"], "not allowed with argument"),
    ],
)
def test_mistakes(capsys, arguments, told):
    """A mistake in the arguments is told with exit code 2, and no token is printed."""
    with pytest.raises(SystemExit) as left:
        main(["token", *arguments])
    shown = capsys.readouterr()
    assert (left.value.code, shown.out) == (2, "")
    assert told in shown.err


@pytest.mark.parametrize("call_id", ["*", "a b", "", "x" * 129, "é"])
def test_a_name_that_no_call_can_have(capsys, call_id):
    """No token is made for a name that no call can have, least of all for the one that would fit any."""
    assert main(["token", "--call-id", call_id]) == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    assert len(shown.err.splitlines()) == 1
    assert "call_id must be" in shown.err


def test_no_secret(capsys, monkeypatch):
    """Without a secret one sentence says that no token is needed."""
    monkeypatch.delenv("TOMRT_AUTH__SECRET")
    assert main(["token", "--any-call"]) == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err == (
        "tomrt: auth.secret is not set, so calls need no token; to ask for one, set it in the settings\n"
    )


def test_the_secret_of_the_settings_file(capsys, monkeypatch, tmp_path):
    """--config names the settings that the service runs with."""
    monkeypatch.delenv("TOMRT_AUTH__SECRET")
    (tmp_path / "secret").write_text(SECRET)
    path = tmp_path / "tomrt.toml"
    path.write_text(f'[auth]\nsecret = {{file = "{tmp_path}/secret"}}\n')
    assert main(["token", "--any-call", "--config", str(path)]) == 0
    assert TokenVerifier(SECRET).verify(capsys.readouterr().out.strip(), None, time.time() + 1).call_id is None
