from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tomrt.errors import MisuseError, ProtocolError
from tomrt.wire import esl_commands as esl

UUID = "fc7d46d5-2518-49ad-91ec-cd57a5bf140c"

EXPECTED = {
    "connect": (esl.connect(), "connect"),
    "auth": (esl.auth("ClueCon"), "auth ClueCon"),
    "events": (esl.events("DTMF", "PLAYBACK_STOP"), "event plain DTMF PLAYBACK_STOP"),
    "events of modules": (
        esl.events("DTMF", custom=("mod_audio_fork::play_audio",)),
        "event plain DTMF CUSTOM mod_audio_fork::play_audio",
    ),
    "filter": (esl.filter_on("Unique-ID", "u"), "filter Unique-ID u"),
    "filter delete": (esl.filter_off("Unique-ID", "u"), "filter delete Unique-ID u"),
    "linger": (esl.linger(10), "linger 10"),
    "api": (esl.api("uuid_break u all"), "api uuid_break u all"),
    "bgapi": (esl.bgapi("originate loopback/1 &park()", "j"), "bgapi originate loopback/1 &park()\nJob-UUID: j"),
    "hangup": (
        esl.hang_up("USER_BUSY", uuid="u"),
        "sendmsg u\ncall-command: hangup\nhangup-cause: USER_BUSY",
    ),
    "playback": (
        esl.execute("playback", "/file.wav", event_uuid="my-id"),
        (
            "sendmsg\ncall-command: execute\nexecute-app-name: playback\nexecute-app-arg: /file.wav\n"
            "Event-UUID: my-id\nevent-lock: true"
        ),
    ),
    "answer": (
        esl.execute("answer", uuid="u", lock=False),
        "sendmsg u\ncall-command: execute\nexecute-app-name: answer",
    ),
    "unicast": (
        esl.unicast(("127.0.0.1", 8025), ("127.0.0.1", 8026), native=True),
        (
            "sendmsg\ncall-command: unicast\nlocal-ip: 127.0.0.1\nlocal-port: 8025\nremote-ip: 127.0.0.1\n"
            "remote-port: 8026\ntransport: udp\nflags: native"
        ),
    ),
}


@pytest.mark.parametrize("name", EXPECTED)
def test_commands_as_freeswitch_reads_them(name: str) -> None:
    """Each command is written as it was seen to work, and ends with one empty line."""
    data, expected = EXPECTED[name]
    assert data.decode() == expected + "\n\n"


def test_unicast_without_native() -> None:
    """Without the flag the samples are 16-bit ones, so no flag is written."""
    assert b"flags" not in esl.unicast(("127.0.0.1", 1), ("::1", 2), native=False, uuid="u")


def test_exit_does_not_exist() -> None:
    """There is no way to say ``exit``, which would hang up a call."""
    assert not hasattr(esl, "exit")
    assert not [name for name in esl.__all__ if "exit" in name]


TAKES_TEXT: dict[str, Callable[[str], bytes]] = {
    "auth": esl.auth,
    "events": esl.events,
    "custom events": lambda text: esl.events(custom=(text,)),
    "filter header": lambda text: esl.filter_on(text, "u"),
    "filter value": lambda text: esl.filter_on("Unique-ID", text),
    "filter delete": lambda text: esl.filter_off("Unique-ID", text),
    "api": esl.api,
    "bgapi": lambda text: esl.bgapi(text, "j"),
    "job": lambda text: esl.bgapi("status", text),
    "execute app": esl.execute,
    "execute arg": lambda text: esl.execute("playback", text),
    "execute uuid": lambda text: esl.execute("playback", "f", uuid=text),
    "execute event": lambda text: esl.execute("playback", "f", event_uuid=text),
    "hang_up uuid": lambda text: esl.hang_up("USER_BUSY", uuid=text),
    "hang_up cause": esl.hang_up,
    "unicast host": lambda text: esl.unicast((text, 1), ("127.0.0.1", 2), native=True),
    "unicast uuid": lambda text: esl.unicast(("127.0.0.1", 1), ("127.0.0.1", 2), native=True, uuid=text),
}
LINES = {
    name: make("x").count(b"\n") for name, make in TAKES_TEXT.items() if name not in {"hang_up cause", "unicast host"}
}
LINES |= {"hang_up cause": 4, "unicast host": 9}


@pytest.mark.parametrize("name", TAKES_TEXT)
@pytest.mark.parametrize(
    "text",
    ["a\nb", "a\r\nb: c", "a\rb", "\n\n", "a\0b", "a\x1bb", "a\tb", "a\x85b", "a\ud800b", "x" * 4_097, "é" * 2_049],
)
def test_no_value_ends_its_line(name: str, text: str) -> None:
    """A value with a line end, any control character, or without end is refused everywhere."""
    with pytest.raises((ProtocolError, MisuseError)):
        TAKES_TEXT[name](text)


@pytest.mark.parametrize("name", TAKES_TEXT)
@given(text=st.text(max_size=60))
@settings(max_examples=60, deadline=None)
def test_no_value_injects_anything(name: str, text: str) -> None:
    """Whatever a value is, the command has as many lines as it should have, and one end; or it is refused."""
    try:
        data = TAKES_TEXT[name](text)
    except (ProtocolError, MisuseError):
        return
    assert data.endswith(b"\n\n")
    assert data.count(b"\n\n") == 1
    assert data.count(b"\n") in {LINES[name], LINES[name] - 1}  # an empty argument has no line
    assert b"\r" not in data


RUNS_PROGRAMS = [
    "system ls",
    "SYSTEM ls",
    "bg_system ls",
    "bgsystem ls",
    "spawn ls",
    "bg_spawn ls",
    "spawn_stream ls",
    " system ls",
    "expand system ls",
    "eval ${system(ls)}",
    "cond 1 ? system : b",
    "sched_api +1 none system ls",
    "lua /tmp/a.lua",
    "python3 a",
    "uuid_setvar u name ${system(ls)}",
    "uuid_broadcast u system::ls",
    "uuid_broadcast u 'system::ls both'",
    "uuid_transfer u system:ls inline",
    "uuid_transfer u 'set:a=b,system:ls' inline",
    "originate loopback/1 &system(ls)",
    "originate loopback/1 &bgsystem(ls)",
    "originate {api_on_answer='system ls'}loopback/1 &park()",
    "",
]


@pytest.mark.parametrize("command", RUNS_PROGRAMS)
def test_no_program_is_ever_run(command: str) -> None:
    """Nothing that would run a program on the switch's machine is built, by whatever detour."""
    with pytest.raises(MisuseError):
        esl.api(command)
    with pytest.raises(MisuseError):
        esl.bgapi(command, "j")


@pytest.mark.parametrize("app", ["system", "bgsystem", "bg_system", "System", "lua", "eval"])
def test_no_program_is_run_as_an_application(app: str) -> None:
    """Nor as an application of a call."""
    with pytest.raises(MisuseError):
        esl.execute(app, "ls")


def test_no_program_is_run_by_an_argument() -> None:
    """FreeSWITCH expands expressions in the arguments of applications, so they are refused."""
    with pytest.raises(MisuseError):
        esl.execute("playback", "${system(ls)}")


@pytest.mark.parametrize("command", ["uuid_record u start /srv/system/a.wav", "show system_health", "uuid_kill u"])
def test_harmless_words_pass(command: str) -> None:
    """A folder or a name that holds such a word is no program."""
    assert esl.api(command) == f"api {command}\n\n".encode()


@pytest.mark.parametrize("name", ["filter value", "filter delete", "job", "execute event", "hang_up uuid"])
@pytest.mark.parametrize("text", ["a b", " a", "a ", "a\N{NO-BREAK SPACE}b"])
def test_words_have_no_blanks(name: str, text: str) -> None:
    """Where FreeSWITCH parts words at blanks, a word has none."""
    with pytest.raises(ProtocolError):
        TAKES_TEXT[name](text)


@pytest.mark.parametrize("cause", ["", "OTHER", "normal_clearing", "NORMAL_CLEARING ", "16"])
def test_only_known_causes(cause: str) -> None:
    """A call is hung up for a cause with a name, and an unknown one is counted as ``OTHER``."""
    with pytest.raises(MisuseError):
        esl.hang_up(cause)
    assert esl.cause_word(cause) == "OTHER"


def test_causes_are_few_words() -> None:
    """There are fewer than a hundred causes, so that they may be labels of a metric, and the usual ones are there."""
    assert len(esl.CAUSES) < 100
    assert {"NORMAL_CLEARING", "USER_BUSY", "NO_ANSWER", "CALL_REJECTED", "ATTENDED_TRANSFER"} <= esl.CAUSES
    assert all(esl.cause_word(cause) == cause for cause in esl.CAUSES)


@pytest.mark.parametrize("host", ["localhost", "", "127.0.0.1 ", "127.0.0.1\n", "256.1.1.1"])
def test_unicast_takes_addresses_only(host: str) -> None:
    """Names would be looked up by FreeSWITCH, within the call."""
    with pytest.raises(ProtocolError):
        esl.unicast((host, 1), ("127.0.0.1", 2), native=True)


@pytest.mark.parametrize("port", [0, -1, 65_536])
def test_unicast_takes_ports_only(port: int) -> None:
    """A port is 1 to 65535."""
    with pytest.raises(ProtocolError):
        esl.unicast(("127.0.0.1", 1), ("127.0.0.1", port), native=True)


def test_events_need_a_name() -> None:
    """Asking for no events is a mistake."""
    with pytest.raises(MisuseError):
        esl.events()
