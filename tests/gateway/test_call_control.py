from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
import trio
import trio.testing
from esl_peer import CALLER, EslPeer, LinkWorld, api_response, linked, reply

from tomrt.errors import AccessDenied, MisuseError, ProtocolError, SettingsError, SwitchError
from tomrt.gateway.call_control import CallControl
from tomrt.gateway.transfer_targets import Target, read_targets
from tomrt.settings import Freeswitch
from tomrt.wire.esl_event import EslEvent

SETTINGS = Freeswitch(hold_music="local_stream://moh", recordings_dir="/srv/recordings/")
FAR_END = "ws://127.0.0.1:8081/call?call_id=a"


@asynccontextmanager
async def controlled(
    peer: EslPeer | None = None, settings: Freeswitch = SETTINGS
) -> AsyncIterator[tuple[CallControl, LinkWorld]]:
    async with linked(peer) as world:
        yield CallControl(world.link, CALLER, settings), world


def message(app: str, arg: str = "", *, lock: bool = True) -> str:
    lines = [f"sendmsg {CALLER}", "call-command: execute", f"execute-app-name: {app}"]
    lines += [f"execute-app-arg: {arg}"] if arg else []
    return "\n".join([*lines, *(["event-lock: true"] if lock else [])])


COMMANDS: dict[str, tuple[Callable[[CallControl], Awaitable[object]], list[str]]] = {
    "answer": (lambda call: call.answer(), [message("answer", lock=False)]),
    "hang_up": (lambda call: call.hang_up(), [f"api uuid_kill {CALLER} NORMAL_CLEARING"]),
    "hang_up busy": (lambda call: call.hang_up("USER_BUSY"), [f"api uuid_kill {CALLER} USER_BUSY"]),
    "transfer": (lambda call: call.transfer(Target("a", "1000")), [f"api uuid_transfer {CALLER} 1000 XML"]),
    "transfer elsewhere": (
        lambda call: call.transfer(Target("a", "1000", "internal")),
        [f"api uuid_transfer {CALLER} 1000 XML internal"],
    ),
    "bridge": (lambda call: call.bridge("b"), [f"api uuid_bridge {CALLER} b"]),
    "stop": (lambda call: call.stop(), [f"api uuid_break {CALLER} all"]),
    "send_dtmf": (lambda call: call.send_dtmf("12*#D"), [f"api uuid_send_dtmf {CALLER} 12*#D"]),
    "set_variable": (lambda call: call.set_variable("a", "b c"), [f"api uuid_setvar {CALLER} a b c"]),
    "unset_variable": (lambda call: call.set_variable("a", ""), [f"api uuid_setvar {CALLER} a"]),
    "record": (
        lambda call: call.record("a-1.wav", consent=True),
        [f"api uuid_record {CALLER} start /srv/recordings/a-1.wav"],
    ),
    "unicast": (
        lambda call: call.unicast(("127.0.0.1", 26_000), ("127.0.0.1", 26_001), True),
        [
            (
                f"sendmsg {CALLER}\ncall-command: unicast\nlocal-ip: 127.0.0.1\nlocal-port: 26000\n"
                "remote-ip: 127.0.0.1\nremote-port: 26001\ntransport: udp\nflags: native"
            )
        ],
    ),
    "fork": (
        lambda call: call.start_fork(FAR_END),
        [
            f"api uuid_setvar {CALLER} send_silence_when_idle -1",
            f"api uuid_audio_fork {CALLER} start {FAR_END} mono 8k tomrt {{}} true true 8000",
        ],
    ),
    "fork at 16 kHz": (
        lambda call: call.start_fork(FAR_END, rate_hz=16_000, metadata='{"a":1}'),
        [
            f"api uuid_setvar {CALLER} send_silence_when_idle -1",
            f'api uuid_audio_fork {CALLER} start {FAR_END} mono 16k tomrt {{"a":1}} true true 16000',
        ],
    ),
    "fork one way": (
        lambda call: call.start_fork(FAR_END, two_way=False),
        [f"api uuid_audio_fork {CALLER} start {FAR_END} mono 8k tomrt {{}}"],
    ),
    "stream": (
        lambda call: call.start_stream(FAR_END, rate_hz=16_000),
        [f"api uuid_audio_stream {CALLER} start {FAR_END} mono 16k {{}}"],
    ),
    "nothing recorded": (lambda call: call.stop_recording(), []),
    "nothing started": (lambda call: call.stop_media(), []),
    "not held": (lambda call: call.unhold(), []),
}


@pytest.mark.parametrize("name", COMMANDS)
async def test_commands(name: str, autojump_clock: trio.testing.MockClock) -> None:
    """Each control is the command that was seen to work."""
    act, expected = COMMANDS[name]
    async with controlled() as (call, world):
        await act(call)
        assert world.peer.commands == expected


async def test_playing_a_file(autojump_clock: trio.testing.MockClock) -> None:
    """A file is queued behind those that are playing, under a name of ours."""
    async with controlled() as (call, world):
        await call.play("/tmp/a.r8", event_uuid="my-id")
        assert world.peer.commands == [
            (
                f"sendmsg {CALLER}\ncall-command: execute\nexecute-app-name: playback\nexecute-app-arg: /tmp/a.r8\n"
                "Event-UUID: my-id\nevent-lock: true"
            )
        ]


async def test_hold_and_back(autojump_clock: trio.testing.MockClock) -> None:
    """Hold music takes the place of what is playing, once, and stops."""
    async with controlled() as (call, world):
        await call.hold()
        await call.hold()
        assert call.held
        await call.unhold()
        await call.unhold()
        assert not call.held
        stop, music, again = world.peer.commands
        assert stop == again == f"api uuid_break {CALLER} all"
        assert "execute-app-arg: local_stream://moh" in music


async def test_variables(autojump_clock: trio.testing.MockClock) -> None:
    """A variable that is not set is empty."""
    peer = EslPeer({f"api uuid_getvar {CALLER} a": api_response("b c\n")})
    peer.answers[f"api uuid_getvar {CALLER} none"] = api_response("_undef_")
    async with controlled(peer) as (call, _):
        assert (await call.get_variable("a"), await call.get_variable("none")) == ("b c", "")


async def test_what_was_started_is_stopped(autojump_clock: trio.testing.MockClock) -> None:
    """Media and recording are stopped by the verb and name they were started with, once, whatever the answer."""
    peer = EslPeer({f"api uuid_audio_stream {CALLER} stop": api_response("-ERR no reply\n")})
    async with controlled(peer) as (call, world):
        await call.start_fork(FAR_END)
        await call.stop_media()
        await call.start_stream(FAR_END)
        await call.stop_media()
        await call.stop_media()
        await call.record("a.wav", consent=True)
        await call.stop_recording()
        await call.stop_recording()
        assert [command for command in world.peer.commands if " stop" in command] == [
            f"api uuid_audio_fork {CALLER} stop tomrt",
            f"api uuid_audio_stream {CALLER} stop",
            f"api uuid_record {CALLER} stop /srv/recordings/a.wav",
        ]


async def test_a_module_that_is_not_there(autojump_clock: trio.testing.MockClock) -> None:
    """A module that is not loaded is an error that says so, and nothing is left to be stopped."""
    answer = api_response("-ERR uuid_audio_fork command not found!\n")
    async with controlled(EslPeer({"api uuid_audio_fork": answer})) as (call, world):
        with pytest.raises(SwitchError, match="command not found"):
            await call.start_fork(FAR_END)
        await call.stop_media()
        assert len(world.peer.commands) == 2


WRONG: dict[str, tuple[Callable[[CallControl], Awaitable[object]], type[Exception]]] = {
    "no cause": (lambda call: call.hang_up("BORED"), MisuseError),
    "no digits": (lambda call: call.send_dtmf(""), MisuseError),
    "letters": (lambda call: call.send_dtmf("1a"), MisuseError),
    "pauses": (lambda call: call.send_dtmf("1w2"), MisuseError),
    "digits and a line": (lambda call: call.send_dtmf("1\n"), MisuseError),
    "too many digits": (lambda call: call.send_dtmf("1" * 65), MisuseError),
    "variable name": (lambda call: call.set_variable("a b", "c"), MisuseError),
    "variable name to get": (lambda call: call.get_variable("a\nb"), MisuseError),
    "variable value": (lambda call: call.set_variable("a", "b\n\nexit"), ProtocolError),
    "variable that runs": (lambda call: call.set_variable("a", "${system(ls)}"), MisuseError),
    "file with a line": (lambda call: call.play("/a\n\nexit", event_uuid="u"), ProtocolError),
    "file that runs": (lambda call: call.play("${system(ls)}", event_uuid="u"), MisuseError),
    "no consent": (lambda call: call.record("a.wav", consent=False), AccessDenied),
    "recording elsewhere": (lambda call: call.record("../a.wav", consent=True), MisuseError),
    "recording in a folder": (lambda call: call.record("a/b.wav", consent=True), MisuseError),
    "recording anywhere": (lambda call: call.record("/a.wav", consent=True), MisuseError),
    "hidden recording": (lambda call: call.record(".a", consent=True), MisuseError),
    "two dots": (lambda call: call.record("a..wav", consent=True), MisuseError),
    "recording with a blank": (lambda call: call.record("a b.wav", consent=True), MisuseError),
    "recording without a name": (lambda call: call.record("", consent=True), MisuseError),
    "recording with a line": (lambda call: call.record("a.wav\n", consent=True), MisuseError),
    "URL with a blank": (lambda call: call.start_fork("ws://a/b c"), MisuseError),
    "URL with a line": (lambda call: call.start_fork("ws://a/b\n"), MisuseError),
    "URL with a quote": (lambda call: call.start_stream("ws://a/'b"), MisuseError),
    "URL of something else": (lambda call: call.start_stream("http://a/b"), MisuseError),
    "no URL": (lambda call: call.start_stream(""), MisuseError),
    "metadata with a blank": (lambda call: call.start_fork(FAR_END, metadata='{"a": 1}'), MisuseError),
    "metadata with a quote": (lambda call: call.start_fork(FAR_END, metadata="{'a':1}"), MisuseError),
    "metadata with a backslash": (lambda call: call.start_fork(FAR_END, metadata='{"a":"\\n"}'), MisuseError),
    "rate": (lambda call: call.start_fork(FAR_END, rate_hz=44_100), MisuseError),
    "bridge to a blank": (lambda call: call.bridge("a b"), ProtocolError),
    "unicast host": (lambda call: call.unicast(("localhost", 1), ("127.0.0.1", 2), True), ProtocolError),
}


@pytest.mark.parametrize("name", WRONG)
async def test_what_is_refused(name: str, autojump_clock: trio.testing.MockClock) -> None:
    """What cannot be meant is refused here, and FreeSWITCH is told nothing."""
    act, error = WRONG[name]
    async with controlled() as (call, world):
        with pytest.raises(error):
            await act(call)
        assert world.peer.commands == []


async def test_no_folder_no_recording(autojump_clock: trio.testing.MockClock) -> None:
    """Without a folder for recordings nothing is recorded, whoever agreed."""
    async with controlled(settings=Freeswitch()) as (call, _):
        with pytest.raises(AccessDenied, match="recordings_dir"):
            await call.record("a.wav", consent=True)


async def test_recording_twice(autojump_clock: trio.testing.MockClock) -> None:
    """A second recording does not hide the first one, which would then never be stopped."""
    async with controlled() as (call, world):
        await call.record("a.wav", consent=True)
        with pytest.raises(SwitchError):
            await call.record("b.wav", consent=True)
        assert len(world.peer.commands) == 1


async def test_a_call_that_is_gone(autojump_clock: trio.testing.MockClock) -> None:
    """Of a call that is gone the controls say so; hanging it up is done already."""
    answers = {"api": api_response("-ERR No such channel!\n"), "sendmsg": reply("-ERR invalid session id [x]")}
    async with controlled(EslPeer(answers)) as (call, _):
        for act in (call.stop, call.answer, call.hold):
            with pytest.raises(SwitchError) as error:
                await act()
            assert error.value.gone
        await call.hang_up()


async def test_a_hang_up_that_fails(autojump_clock: trio.testing.MockClock) -> None:
    """A hang-up that FreeSWITCH refuses for another reason is told."""
    async with controlled(EslPeer({"api": api_response("-ERR permission denied")})) as (call, _):
        with pytest.raises(SwitchError):
            await call.hang_up()


def event(name: str, **headers: str) -> EslEvent:
    return EslEvent(name=name, uuid=CALLER, headers={key.replace("_", "-"): text for key, text in headers.items()})


async def test_what_events_tell() -> None:
    """The end of the call and its cause, and whether it is bridged, are noted before the event is passed on."""
    seen: list[tuple[str, bool, str]] = []
    async with linked() as world:
        call = CallControl(world.link, CALLER, SETTINGS, lambda e: seen.append((e.name, call.bridged, call.cause)))
        call.take(event("CHANNEL_BRIDGE"))
        call.take(event("CHANNEL_UNBRIDGE"))
        call.take(event("DTMF", DTMF_Digit="5"))
        assert not call.over.is_set()
        call.take(event("CHANNEL_HANGUP", Hangup_Cause="USER_BUSY"))
        call.take(event("CHANNEL_HANGUP_COMPLETE", Hangup_Cause="NORMAL_CLEARING"))
        assert call.over.is_set()
    assert seen == [
        ("CHANNEL_BRIDGE", True, ""),
        ("CHANNEL_UNBRIDGE", False, ""),
        ("DTMF", False, ""),
        ("CHANNEL_HANGUP", False, "USER_BUSY"),
        ("CHANNEL_HANGUP_COMPLETE", False, "USER_BUSY"),
    ]


async def test_a_cause_of_its_own() -> None:
    """A cause that nobody knows is OTHER, since it becomes a metric's label."""
    async with linked() as world:
        call = CallControl(world.link, CALLER, SETTINGS)
        call.take(event("CHANNEL_HANGUP", Hangup_Cause="MADE_UP"))
        assert call.cause == "OTHER"


async def test_the_link_can_be_replaced(autojump_clock: trio.testing.MockClock) -> None:
    """After a reconnect the controls work over the new connection."""
    async with controlled() as (call, old), linked() as new:
        await call.stop()
        call.link = new.link
        await call.stop()
        assert old.peer.commands == new.peer.commands


def test_targets() -> None:
    """Targets are read by name, in order, the first one first."""
    targets = read_targets(" Reception=1000  sales=2001@internal help=*98 ")
    assert list(targets.values()) == [
        Target("reception", "1000"),
        Target("sales", "2001", "internal"),
        Target("help", "*98"),
    ]
    assert read_targets("") == {}


@pytest.mark.parametrize(
    "text",
    [
        "reception",
        "=1000",
        "a=",
        "a=1 a=2",
        "A=1 a=2",
        "a=1@",
        "a=1@b@c",
        "a=1/b",
        "a=1,b=2",
        "a={x=y}1",
        "ä=1",
        "a=1=2",
    ],
)
def test_bad_targets(text: str) -> None:
    """What is no target is the operator's fault, and named."""
    with pytest.raises(SettingsError, match=r"freeswitch\.transfers"):
        read_targets(text)


def test_all_bad_targets_at_once() -> None:
    """All faults are told at once, without quoting what may be a number."""
    with pytest.raises(SettingsError) as error:
        read_targets("a 0190123456 c=1 c=2")
    assert len(error.value.faults) == 3
    assert "0190" not in str(error.value)


async def test_a_transfer_out_of_a_dialplan_that_resumes(autojump_clock: trio.testing.MockClock) -> None:
    """Where the dialplan would go on after us, it is told not to before the call is handed over."""
    async with controlled() as (call, world):
        call.resumes = True
        await call.transfer(Target("a", "1000"))
        assert world.peer.commands == [
            f"api uuid_setvar {CALLER} socket_resume false",
            f"api uuid_transfer {CALLER} 1000 XML",
        ]


async def test_who_is_told_that_the_call_is_no_longer_ours(autojump_clock: trio.testing.MockClock) -> None:
    """A transfer, a bridge by somebody else and a goodbye without a hang-up are told as such, a loss as a loss."""
    told: list[str] = []
    async with controlled() as (call, _):
        call.on_connected, call.on_lost = (lambda: told.append("connected")), (lambda: told.append("lost"))
        await call.transfer(Target("a", "1000"))
        call.take(EslEvent(name="CHANNEL_BRIDGE", uuid=CALLER, headers={}))
        assert told == ["connected", "connected"]
        call.lose(handed_on=True)
        call.lose(handed_on=False)  # it is over by then
        assert told == ["connected"] * 3
        call.vanish()
        assert told[-1] == "lost"
        assert call.over.is_set()
