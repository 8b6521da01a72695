from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Callable
from typing import Any

import jwt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tomrt.errors import AccessDenied, MisuseError
from tomrt.security.tokens import ANY_CALL, DENIED, Claims, TokenVerifier, issue, issue_for_any

SECRET = "correct horse battery staple 12345"
OTHER = "another secret of sufficient length"
NOW = 1_800_000_000.0
GOOD: dict[str, Any] = {"call_id": "call-1", "exp": NOW + 60, "iat": NOW - 1}
VERIFIER = TokenVerifier(SECRET)


def b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def forge(header: object, payload: object, *, key: str = SECRET, digest: Callable[..., Any] = hashlib.sha256) -> str:
    """Sign anything at all, as JSON or as the bytes given."""
    parts = [part if isinstance(part, bytes) else json.dumps(part).encode() for part in (header, payload)]
    signed = ".".join(map(b64, parts))
    return f"{signed}.{b64(hmac.new(key.encode(), signed.encode(), digest).digest())}"


HS256 = {"alg": "HS256", "typ": "JWT"}


def claims(**changed: object) -> dict[str, object]:
    merged = GOOD | changed
    return {name: value for name, value in merged.items() if value is not ...}


TOKEN = forge(HS256, GOOD)
HEAD, BODY, SIGNATURE = TOKEN.split(".")
FORGED: dict[str, str] = {
    **{
        f"alg {alg!r}": f"{b64(json.dumps({'alg': alg}).encode())}.{BODY}."
        for alg in ("none", "None", "NONE", "nOnE", "")
    },
    **{
        f"alg {alg!r} signed": forge({"alg": alg}, GOOD)
        for alg in ("none", "NONE", "", "hs256", "HS256 ", "RS256", "ES256")
    },
    **{
        f"alg {alg!r}": forge({"alg": alg}, GOOD)
        for alg in ("EdDSA", "PS256", "HS1", None, 256, ["HS256"], {"a": 1}, True)
    },
    "HS384": forge({"alg": "HS384"}, GOOD, digest=hashlib.sha384),
    "HS512": forge({"alg": "HS512"}, GOOD, digest=hashlib.sha512),
    "HS512 announced as HS256": forge(HS256, GOOD, digest=hashlib.sha512),
    "no alg": forge({"typ": "JWT"}, GOOD),
    "other key": forge(HS256, GOOD, key=OTHER),
    "empty key": forge(HS256, GOOD, key=""),
    "crit": forge(HS256 | {"crit": ["exp"], "exp": 1}, GOOD),
    "crit unknown": forge(HS256 | {"crit": ["x"], "x": 1}, GOOD),
    "crit empty": forge(HS256 | {"crit": []}, GOOD),
    "b64 false": forge(HS256 | {"b64": False, "crit": ["b64"]}, GOOD),
    "jku": forge(HS256 | {"jku": "https://evil.example/keys"}, GOOD),
    "jwk": forge(HS256 | {"jwk": {"kty": "oct", "k": b64(SECRET.encode())}}, GOOD),
    "x5u": forge(HS256 | {"x5u": "https://evil.example"}, GOOD),
    "x5c": forge(HS256 | {"x5c": ["AAAA"]}, GOOD),
    "kid path": forge(HS256 | {"kid": "../../dev/null"}, GOOD),
    "kid sql": forge(HS256 | {"kid": "' OR 1=1 --"}, GOOD),
    "zip": forge(HS256 | {"zip": "DEF"}, GOOD),
    "header a list": forge(["HS256"], GOOD),
    "header no JSON": forge(b"{", GOOD),
    "header not UTF-8": forge(b"\xff\xfe", GOOD),
    "payload a list": forge(HS256, [GOOD]),
    "payload text": forge(HS256, "call-1"),
    "payload null": forge(HS256, None),
    "payload no JSON": forge(HS256, b"{"),
    "payload deep": forge(HS256, b"[" * 2000),
    "payload empty": forge(HS256, {}),
    "signature changed": f"{HEAD}.{BODY}.{'A' if SIGNATURE[0] != 'A' else 'B'}{SIGNATURE[1:]}",
    "signature cut": f"{HEAD}.{BODY}.{SIGNATURE[:-2]}",
    "signature missing": f"{HEAD}.{BODY}.",
    "signature with padding": f"{TOKEN}=",
    "two parts": f"{HEAD}.{BODY}",
    "five parts": f"{TOKEN}.a.b",
    "payload of another": f"{HEAD}.{b64(json.dumps(claims(call_id='x')).encode())}.{SIGNATURE}",
    "JSON serialisation": json.dumps({"payload": BODY, "signatures": [{"protected": HEAD, "signature": SIGNATURE}]}),
    "nested": forge(HS256 | {"cty": "JWT"}, TOKEN.encode()),
    "blank in front": f" {TOKEN}",
    "line end behind": f"{TOKEN}\n",
    "not ASCII": TOKEN + "\N{CYRILLIC SMALL LETTER A}",
    "NUL": "\0",
    "empty": "",
    "dots": "..",
    "garbage": "not a token",
    "huge": forge(HS256, claims(pad="x" * 5000)),
    "very huge": "a." * 1_000_000,
}
WRONG_CLAIMS: dict[str, dict[str, object]] = {
    **{f"no {name}": claims(**{name: ...}) for name in ("exp", "call_id")},
    **{
        f"{name} {value!r}": claims(**{name: value})
        for name in ("exp", "nbf", "iat")
        for value in (
            "soon",
            str(NOW + 60),
            [NOW + 60],
            {"a": 1},
            None,
            True,
            -1,
            float("nan"),
            float("inf"),
            10**400,
            1e300,
        )
    },
    **{
        f"call_id {value!r}": claims(call_id=value)
        for value in (
            "call-2",
            "call-",
            "call-11",
            "CALL-1",
            "",
            " call-1",
            "**",
            "* ",
            "call-*",
            ["*"],
            1,
            None,
            True,
            ["call-1"],
            {"call-1": 1},
        )
    },
    "expired": claims(exp=NOW - 1),
    "expires now": claims(exp=NOW),
    "expired for long": claims(exp=0),
    "begins later": claims(nbf=NOW + 1),
    "issued later": claims(iat=NOW + 1),
}


@pytest.mark.parametrize("token", FORGED.values(), ids=FORGED)
@pytest.mark.parametrize("call_id", ["call-1", None], ids=["named", "unnamed"])
def test_forged_tokens_are_refused(token: str, call_id: str | None) -> None:
    """No forged, unsigned, foreign or malformed token lets anybody in, and the answer is always the same."""
    with pytest.raises(AccessDenied) as caught:
        VERIFIER.verify(token, call_id, NOW)
    assert str(caught.value) == DENIED
    assert caught.value.__cause__ is None


@pytest.mark.parametrize("wrong", WRONG_CLAIMS.values(), ids=WRONG_CLAIMS)
def test_wrong_claims_are_refused(wrong: dict[str, object]) -> None:
    """A well-signed token whose claims are absent, of another type, or not for this call at this time is refused."""
    with pytest.raises(AccessDenied) as caught:
        VERIFIER.verify(forge(HS256, wrong), "call-1", NOW)
    assert str(caught.value) == DENIED


@pytest.mark.parametrize(
    "good",
    [GOOD, claims(iat=...), claims(nbf=NOW), claims(exp=NOW + 0.5), claims(aud="anyone", sub="x", jti="1", iss="y")],
    ids=["usual", "no iat", "nbf now", "fraction", "further claims"],
)
def test_good_tokens_are_taken(good: dict[str, Any]) -> None:
    """A token that is for this call and in its time lets it in."""
    assert VERIFIER.verify(forge(HS256, good), "call-1", NOW) == Claims(call_id="call-1", expires_at=good["exp"])


def test_a_call_without_a_name_takes_the_tokens() -> None:
    """A call that has not named itself is the one that its token names."""
    assert VERIFIER.verify(TOKEN, None, NOW).call_id == "call-1"


def test_issued_tokens_are_verified_by_us_and_by_the_library() -> None:
    """What issue makes is taken until its lifetime is over, and is an ordinary JWT."""
    now = time.time()
    token = issue(SECRET, "c", 30)
    assert VERIFIER.verify(token, "c", now).call_id == "c"
    assert jwt.decode(token, SECRET, algorithms=["HS256"])["call_id"] == "c"
    with pytest.raises(AccessDenied):
        VERIFIER.verify(token, "c", now + 31)


@pytest.mark.parametrize("call_id", ["call-1", "another", None])
def test_a_token_for_any_call_fits_any_call(call_id: str | None) -> None:
    """A token minted for any call lets any call in, and gives it no name."""
    now = time.time()
    token = issue_for_any(SECRET, 30)
    claims = VERIFIER.verify(token, call_id, now)
    assert claims.call_id is None
    assert now + 28 <= claims.expires_at <= now + 31


def test_a_token_for_any_call_is_no_looser_otherwise() -> None:
    """It expires, and must be signed, like every other."""
    token = issue_for_any(SECRET, 30)
    with pytest.raises(AccessDenied):
        VERIFIER.verify(token, "call-1", time.time() + 31)
    with pytest.raises(AccessDenied):
        TokenVerifier(OTHER).verify(token, "call-1", time.time())


def test_a_token_for_any_call_is_never_made_by_accident() -> None:
    """A call that calls itself what such tokens say gets no token."""
    with pytest.raises(MisuseError):
        issue(SECRET, ANY_CALL, 30)


@pytest.mark.parametrize("secret", ["", "x" * 31])
def test_short_secrets_are_our_mistake(secret: str) -> None:
    """A secret shorter than the hash is refused at start."""
    with pytest.raises(MisuseError):
        TokenVerifier(secret)
    with pytest.raises(MisuseError):
        issue(secret, "c", 1)
    with pytest.raises(MisuseError):
        issue_for_any(secret, 1)


@given(
    st.text(max_size=300)
    | st.binary(max_size=100).map(b64)
    | st.integers(0, len(TOKEN)).map(lambda cut: TOKEN[:cut][:-1])
)
def test_nothing_but_access_denied(token: str) -> None:
    """Any text at all is refused in the same way."""
    with pytest.raises(AccessDenied):
        VERIFIER.verify(token, "call-1", NOW)
