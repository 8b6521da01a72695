"""Settings are read once, and everything wrong with them is told at once."""

from __future__ import annotations

from pathlib import Path

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tomrt.errors import SettingsError
from tomrt.settings import Auth, Gateway, Secret, Settings, Turns, explain, is_loopback, sections
from tomrt.settings_faults import known_keys, line_of, nearest
from tomrt.settings_file import MAX_FILE_BYTES, load

SECRET = "s3cret-" * 6

FAULTY = """\
stray = 3
max_calls = 5
[gatway]
host = "x"
[gateway]
htp_port = 7
http_port = "8080"
media_port = 70000
drain_s = "soon"
host = ""
[auth]
secret = {file = "no-such-file"}
[log]
level = "verbose"
format = 3
[turns]
barge_in = 1
commit_speech_ms = 400
decide_ms = 300
max_utterance_s = nan
endpoint_silence_ms = 600.0
"""

FAULTS = """\
FILE:1: stray: unknown section; the valid ones are SECTIONS
FILE:2: max_calls: stands outside its section; nearest valid key: gateway.max_calls
FILE:3: gatway: unknown section; nearest valid section: [gateway]
FILE:6: gateway.htp_port: unknown key; nearest valid key: gateway.http_port
FILE:7: gateway.http_port: must be a whole number, not '8080'
FILE:8: gateway.media_port: must be from 0 to 65535, not 70000
FILE:9: gateway.drain_s: must be a number, not 'soon'
FILE:10: gateway.host: must not be empty
FILE:12: auth.secret: the file with the secret, FOLDER/no-such-file: cannot be read: No such file or directory
FILE:14: log.level: must be one of debug, info, warning, error, not 'verbose'
FILE:15: log.format: must be a text in quotes, not 3
FILE:17: turns.barge_in: must be true or false, not 1
FILE:18: turns.commit_speech_ms: must not be more than turns.decide_ms (300)
FILE:20: turns.max_utterance_s: must be from 1 to 120, not nan
FILE:21: turns.endpoint_silence_ms: must be a whole number, not 600.0
TOMRT_GATEWAY__MAX_CALLS: gateway.max_calls: must be a whole number, not 'many'
TOMRT_GATEWAY__MAX_CALS: gateway.max_cals: unknown key; nearest valid one: TOMRT_GATEWAY__MAX_CALLS"""


def faults_of(path: Path | None, **environ: str) -> str:
    with pytest.raises(SettingsError) as caught:
        load(path, environ)
    return str(caught.value)


@pytest.fixture
def write(tmp_path):
    def write(content: str | bytes) -> Path:
        path = tmp_path / "tomrt.toml"
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return write


def test_nothing_given_is_the_defaults():
    """Without a file and without variables the built-in defaults hold."""
    assert load() == Settings()


def test_every_fault_is_told_at_once(write):
    """Each fault stands in one list with its file, line, key, reason and the nearest valid key."""
    path = write(FAULTY)
    told = faults_of(path, TOMRT_GATEWAY__MAX_CALS="3", TOMRT_GATEWAY__MAX_CALLS="many")
    words = {"FILE": str(path), "FOLDER": str(path.parent), "SECTIONS": ", ".join(name for name, _ in sections())}
    expected = FAULTS
    for word, meaning in words.items():
        expected = expected.replace(word, meaning)
    assert told == expected


def test_file_then_environment(write):
    """The file stands above the defaults and the environment above the file."""
    path = write('[gateway]\nhttp_port = 9000\nmedia_port = 9000\ndrain_s = 5\n[log]\nlevel = "debug"\n')
    settings = load(
        path, {"TOMRT_GATEWAY__HTTP_PORT": "0", "TOMRT_TURNS__BARGE_IN": "no", "TOMRT_GATEWAY__DRAIN_S": "2.5"}
    )
    assert settings == attrs.evolve(
        Settings(),
        gateway=Gateway(http_port=0, media_port=9000, drain_s=2.5),
        turns=Turns(barge_in=False),
        log=attrs.evolve(Settings().log, level="debug"),
    )


@pytest.mark.parametrize("variable", ["TOMRT_SECRET", "TOMRT_", "PATH", "TOMRT", "tomrt_gateway__max_calls"])
def test_foreign_variables_are_left_alone(variable):
    """A variable that is no TOMRT_SECTION__KEY is not ours to judge."""
    assert load(None, {variable: "x"}) == Settings()


@pytest.mark.parametrize(
    ("toml", "told"),
    [
        ("[gateway\nhost = 1", ":1: is not TOML: Expected ']' at the end of a table declaration"),
        ("a = 1\na = 2", ":2: is not TOML: Cannot overwrite a value"),
        ("[log]\nlevel = ", ":2: is not TOML: Invalid value"),
        ("gateway = 5", ":1: gateway: must be a section, written [gateway]"),
        ("[[gateway]]\nhost = 'x'", ":1: gateway: must be a section, written [gateway]"),
        (b"\n\n[log]\nlevel = '\xff'", ":4: is not UTF-8 text"),
        ("a = " + "1" * 5000, "cannot be read as TOML"),
        ("a = " + "[" * 100_000, "cannot be read as TOML"),
        ("#" * (MAX_FILE_BYTES + 1), "is larger than 1 MiB"),
        ('"a.b" = 1\n', ":1: a.b: unknown key"),
        ('[gateway]\n"a.b" = 1\n', ":2: gateway.a.b: unknown key"),
        ('"" = 1', ":1: : unknown section"),
        ('"a\\u0007" = 1', "'a\\x07': unknown section"),
    ],
)
def test_a_file_that_is_no_settings_file(write, toml, told):
    """Whatever is in the file, the answer is a sentence with its place."""
    assert told in faults_of(write(toml))


def test_a_file_that_is_not_there(tmp_path):
    """A missing file and a folder are said in one sentence each."""
    assert faults_of(tmp_path / "none.toml") == f"{tmp_path}/none.toml: cannot be read: No such file or directory"
    assert faults_of(tmp_path) == f"{tmp_path}: cannot be read: Is a directory"
    assert "cannot be read" in faults_of(Path("a\0b"))


def test_binding_elsewhere_needs_a_secret(write):
    """Listening off loopback without auth.secret is refused in one sentence; with it, it is not."""
    path = write('[gateway]\nhost = "0.0.0.0"\n')
    assert faults_of(path) == (
        f"{path}:2: gateway.host: listening on 0.0.0.0 lets strangers place calls; set auth.secret, or use 127.0.0.1"
    )
    assert load(path, {"TOMRT_AUTH__SECRET": SECRET}).gateway.host == "0.0.0.0"
    assert faults_of(None, TOMRT_GATEWAY__HOST="::").startswith("TOMRT_GATEWAY__HOST: gateway.host: listening on ::")


@pytest.mark.parametrize(
    ("host", "loopback"),
    [
        ("127.0.0.1", True),
        ("127.9.9.9", True),
        ("::1", True),
        ("localhost", True),
        ("0.0.0.0", False),
        ("::", False),
        ("pbx", False),
    ],
)
def test_loopback(host, loopback):
    """Loopback is 127/8, ::1 and localhost, and nothing else."""
    assert is_loopback(host) is loopback


def test_secret_from_each_place(write, tmp_path):
    """A secret may stand in the file, in another file beside it, or in the environment."""
    (tmp_path / "key").write_text(f"{SECRET}\n")
    wanted = Auth(secret=Secret(SECRET))
    assert load(write(f'auth.secret = "{SECRET}"')).auth == wanted
    assert load(write('auth = {secret = {file = "key"}}')).auth == wanted
    assert load(write('[auth]\nsecret = {env = "KEY"}'), {"KEY": SECRET}).auth == wanted
    assert load(None, {"TOMRT_AUTH__SECRET": '{env = "KEY"}', "KEY": SECRET}).auth == wanted


@pytest.mark.parametrize(
    ("toml", "told"),
    [
        ('auth.secret = "s3cret"', "must be at least 32 bytes long"),
        ("auth.secret = 3", "must be a text in quotes, {file"),
        ('auth.secret = {file = "a", env = "b"}', "must be a text in quotes, {file"),
        ('auth.secret = {env = "KEY"}', "the environment variable KEY is not set"),
        ('auth.secret = {file = "empty"}', "is empty"),
        ('auth.secret = ["s3cret"]', "must be a text in quotes, {file"),
    ],
)
def test_faults_of_secrets_do_not_tell_them(write, tmp_path, toml, told):
    """What is wrong with a secret is said without showing it."""
    (tmp_path / "empty").write_text("\n")
    text = faults_of(write(toml))
    assert f":1: auth.secret: {told}" in text or told in text
    assert "s3cret" not in text


def test_a_secret_never_shows():
    """No way of printing the settings shows the secret."""
    secret = Secret(SECRET)
    settings = Settings(auth=Auth(secret=secret))
    for text in (repr(settings), str(settings), f"{secret}", repr(secret), str([secret]), explain(settings)):
        assert SECRET not in text
    assert secret.reveal() == SECRET
    assert secret == Secret(SECRET) != Secret()
    assert not Secret()
    assert len({secret, Secret(SECRET)}) == 1


def test_values_are_checked_in_code_too():
    """A section made in code keeps to the same ranges."""
    with pytest.raises(SettingsError, match=r"gateway\.http_port: must be from 0 to 65535, not -1"):
        Gateway(http_port=-1)


def test_nearest_key():
    """A misspelt key finds its neighbour, also in the wrong section."""
    assert nearest("gateway.medai_port", known_keys()) == "gateway.media_port"
    assert nearest("log.max_calls", known_keys()) == "gateway.max_calls"
    assert nearest("x.y", known_keys()) == ""


@pytest.mark.parametrize(
    ("key", "line"),
    [
        ("gateway.host", 2),
        ("gateway", 1),
        ("auth.secret", 4),
        ("log.level", 6),
        ("turns.x", 7),
        ("turns", 7),
        ("none", 1),
    ],
)
def test_line_of(key, line):
    """The line of a key is found under a header, dotted, inline and quoted; else its section's, else the first."""
    text = '[gateway]\nhost = "x"\n[auth]\nsecret = "y"\n[ "log" ]\n"level" = 1\n[turns]\n'
    assert line_of(key, text) == line


VALUES = st.recursive(
    st.sampled_from(["1", "-1", "1.5", "nan", "inf", "true", '"x"', '"auto"', "''", "1979-05-27", "1e400", "0xfff"]),
    lambda inner: (
        st.lists(inner, max_size=3).map(lambda items: f"[{', '.join(items)}]")
        | inner.map(lambda item: f"{{file = {item}}}")
    ),
    max_leaves=4,
)
NAMES = st.sampled_from([*known_keys(), "gateway", "auth", "x", "gateway.x", '"a.b"', "auth.secret.file"])
FILES = st.lists(st.tuples(NAMES, VALUES).map(" = ".join), max_size=4).map("\n".join).map(str.encode)


def faults_if_any(path: Path | None, environ: dict[str, str]) -> tuple[str, ...]:
    try:
        load(path, environ)
    except SettingsError as error:
        return error.faults or ("no fault told",)
    return ()


@given(content=FILES | st.binary(max_size=80) | st.text(max_size=80).map(str.encode))
def test_no_file_crashes(tmp_path_factory, content):
    """Any file at all gives settings or SettingsError, and each fault is one printable line with its place."""
    path = tmp_path_factory.getbasetemp() / "any.toml"
    path.write_bytes(content)
    for fault in faults_if_any(path, {}):
        assert fault.isprintable()
        assert fault.startswith(f"{path}:")


@given(name=st.sampled_from(known_keys()), value=st.text(max_size=20))
def test_no_variable_crashes(name, value):
    """Any text in any variable gives settings or SettingsError."""
    for fault in faults_if_any(None, {f"TOMRT_{name.replace('.', '__').upper()}": value}):
        assert fault.startswith("TOMRT_")
        assert fault.isprintable()


@pytest.mark.parametrize(
    ("variable", "value", "told"),
    [
        ("FREESWITCH__INBOUND_HOST", "10.0.0.1", "freeswitch.inbound_password: is needed"),
        ("GATEWAY__MAX_CALLS", "9999", "freeswitch.unicast_last_port: 2000 ports are not two for each"),
        ("TURNS__DECIDE_MS", "300", "turns.commit_speech_ms: must not be more than turns.decide_ms"),
        ("RTP__L16_PAYLOAD", "101", "rtp.l16_payload: is 101, too"),
        ("RTP__PEERS", "10.0.0.1 10.0.0.0/99", "rtp.peers: entry 2 is neither an address nor a network"),
        ("FREESWITCH__UNICAST_HOST", "localhost", "freeswitch.unicast_host: must be an address"),
        ("FREESWITCH__UNICAST_SWITCH_HOST", "", "freeswitch.unicast_switch_host: must not be empty"),
        ("FREESWITCH__MEDIA_URL", "http://10.0.0.5/call", "freeswitch.media_url: is not a WebSocket URL"),
        ("FREESWITCH__MEDIA_URL", "ws://10.0.0.5/a b", "freeswitch.media_url: is not a WebSocket URL"),
        ("FREESWITCH__TRANSFERS", "desk=1 sales:2", "freeswitch.transfers: entry 2 is not NAME=EXTENSION"),
    ],
)
def test_what_does_not_go_together_names_the_variable(variable, value, told):
    """A fault between two settings is told with the one that the environment sets."""
    (fault,) = faults_of(None, **{f"TOMRT_{variable}": value}).splitlines()
    assert fault.startswith(f"TOMRT_{variable}: {told}")
