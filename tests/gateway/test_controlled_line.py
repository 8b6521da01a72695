"""A line with controls: files played and broken off, keys and hang-ups told, the call ended or handed over."""

import json
from collections import Counter
from contextlib import asynccontextmanager
from types import SimpleNamespace

import pytest
import trio
from attrs import evolve
from esl_peer import CALLER, EslPeer, linked, reply
from fakes.line import MemoryLine

from tomrt.events import Action, CallInfo, Dialect, LineClosed, LineDigit, LineMark
from tomrt.gateway.call_control import CallControl
from tomrt.gateway.controlled_line import ControlledLine
from tomrt.gateway.transfer_targets import read_targets
from tomrt.happenings import ActionRequested
from tomrt.settings import Freeswitch
from tomrt.wire.esl_event import EslEvent

FILES = {Dialect.FORK_JSON: "mod_audio_fork::play_audio", Dialect.STREAM: "mod_audio_stream::play"}


class ToldLine(MemoryLine):
    """A line in memory that may also be told."""

    tell = MemoryLine.feed


@asynccontextmanager
async def controlled(dialect=Dialect.FORK_JSON, *, peer=None, targets="desk=2000 sales=2001@internal"):
    counts = Counter()
    async with linked(peer) as world:
        line = ToldLine(info=CallInfo(call_id=CALLER, dialect=dialect))
        control = CallControl(world.link, CALLER, Freeswitch())
        made = ControlledLine(
            line, control, targets=read_targets(targets), caller="1000",
            note=lambda what, kind: counts.update([f"{what}/{kind}"]),
        )  # fmt: skip
        world.nursery.start_soon(made.play_files)
        yield SimpleNamespace(line=made, media=line, control=control, counts=counts, peer=world.peer)


def happened(name, **headers):
    subclass, body = headers.pop("subclass", ""), headers.pop("body", "")
    headers = {key.replace("_", "-"): text for key, text in headers.items()}
    return EslEvent(name=name, subclass=subclass, uuid=CALLER, headers=headers, body=body)


def written(dialect, path):
    return happened("CUSTOM", subclass=FILES[dialect], body=json.dumps({"file": path}))


def played(world):
    return [raw.split("execute-app-arg: ")[1].split("\n")[0] for raw in world.peer.commands if "playback" in raw]


@pytest.mark.parametrize("dialect", FILES)
async def test_files_are_played_in_order_and_marked_when_they_begin(dialect, autojump_clock):
    """What the module writes is played, and where each begins the ledger is told."""
    async with controlled(dialect) as world:
        for number in (1, 2):
            await world.line.send_audio(bytes(320), mark=f"1:{number}")
        for path in ("/tmp/a_0.r8", "/tmp/a_1.r8"):
            world.line.take(written(dialect, path))
        await trio.sleep(0.1)
        assert played(world) == ["/tmp/a_0.r8", "/tmp/a_1.r8"]
        assert all("event-lock: true" in raw for raw in world.peer.asked("sendmsg"))
        for path in ("/tmp/a_0.r8", "/tmp/a_1.r8"):
            world.line.take(happened("PLAYBACK_START", Playback_File_Path=path))
        assert [await world.line.receive() for _ in range(2)] == [LineMark("1:1"), LineMark("1:2")]
        assert world.line.egress.flush_on_yield
        assert world.line.egress.marks


async def test_a_file_that_begins_without_its_name_is_the_oldest(autojump_clock):
    """Where the event names no file, files begin in the order in which they were played."""
    async with controlled() as world:
        await world.line.send_audio(bytes(320), mark="1:0")
        world.line.take(written(Dialect.FORK_JSON, "/tmp/a"))
        await trio.sleep(0.1)
        world.line.take(happened("PLAYBACK_START"))
        assert await world.line.receive() == LineMark("1:0")


async def test_a_flush_stops_the_file_and_all_that_was_sent_before(autojump_clock):
    """Messages on their way when the caller cuts in are not played when their files come; what follows them is."""
    async with controlled() as world:
        for mark in ("1:0", "1:1", "1:2"):
            await world.line.send_audio(bytes(320), mark=mark)
        world.line.take(written(Dialect.FORK_JSON, "/tmp/a_0"))
        await trio.sleep(0.1)
        await world.line.flush()
        assert world.media.verbs[-1][1] == "flush"
        assert world.peer.asked("api uuid_break") == [f"api uuid_break {CALLER} all"]
        await world.line.send_audio(bytes(320), mark="2:0")
        for number in (1, 2, 3):
            world.line.take(written(Dialect.FORK_JSON, f"/tmp/a_{number}"))
        await trio.sleep(0.1)
        assert played(world) == ["/tmp/a_0", "/tmp/a_3"]
        world.line.take(happened("PLAYBACK_START", Playback_File_Path="/tmp/a_0"))  # it was on its way
        world.line.take(happened("PLAYBACK_START", Playback_File_Path="/tmp/a_3"))
        assert await world.line.receive() == LineMark("2:0")


async def test_a_dead_link_does_not_hold_up_the_flush(autojump_clock):
    """The caller cuts in while the event socket does not answer: within a second it is given up and counted."""
    async with controlled(peer=EslPeer(silent=True)) as world:
        await world.line.send_audio(bytes(320), mark="1:0")
        with trio.fail_after(1.5):
            await world.line.flush()


@pytest.mark.parametrize(
    ("body", "count"), [("no json", "bad"), ("{}", "bad"), ('{"file":7}', "bad"), ('{"file":""}', "bad")]
)
async def test_an_event_without_a_file_is_counted(body, count, autojump_clock):
    """A module that wrote nothing is no reason to play anything, and what comes next is played."""
    async with controlled() as world:
        await world.line.send_audio(bytes(320))
        await world.line.send_audio(bytes(320))
        world.line.take(happened("CUSTOM", subclass=FILES[Dialect.FORK_JSON], body=body))
        world.line.take(written(Dialect.FORK_JSON, "/tmp/b"))
        world.line.take(written(Dialect.FORK_JSON, "/tmp/unasked"))
        await trio.sleep(0.1)
        assert played(world) == ["/tmp/b"]
        assert world.counts == {f"files/{count}": 1, "files/unasked": 1}


async def test_a_refused_file_is_counted(autojump_clock):
    """FreeSWITCH will not play it: the next one is tried all the same."""
    async with controlled(peer=EslPeer(answers={"sendmsg": reply("-ERR no")})) as world:
        for path in ("/tmp/a", "/tmp/b"):
            await world.line.send_audio(bytes(320))
            world.line.take(written(Dialect.FORK_JSON, path))
        await trio.sleep(0.1)
        assert played(world) == ["/tmp/a", "/tmp/b"]
        assert world.counts["files/unplayed"] == 2


async def test_keys_and_the_hang_up_come_from_the_event_socket(autojump_clock):
    """Digits are told once each, nonsense is counted, and the cause of the end reaches call and metrics once."""
    async with controlled(Dialect.UNICAST) as world:
        for digit in ("5", "#", "a", "X", "55", ""):
            world.control.take(happened("DTMF", DTMF_Digit=digit))
        assert [await world.line.receive() for _ in range(3)] == [LineDigit("5"), LineDigit("#"), LineDigit("A")]
        assert world.counts == {"control/bad_digit": 3}
        for name in ("CHANNEL_HANGUP", "CHANNEL_HANGUP_COMPLETE"):
            world.control.take(happened(name, Hangup_Cause="USER_BUSY"))
        assert await world.line.receive() == LineClosed("hangup", "USER_BUSY")
        assert world.counts["hangup/USER_BUSY"] == 1
        await world.line.hang_up("hangup")
        assert world.peer.commands == []


@pytest.mark.parametrize(
    ("reason", "cause"),
    [
        ("goodbye", "NORMAL_CLEARING"), ("silence", "NORMAL_CLEARING"), ("failed", "NORMAL_TEMPORARY_FAILURE"),
        ("draining", "NORMAL_TEMPORARY_FAILURE"), ("lost", "NORMAL_TEMPORARY_FAILURE"),
    ],
)  # fmt: skip
async def test_the_call_is_ended_by_the_event_socket(reason, cause, autojump_clock):
    """Each way to end a call has its cause; ending it again does nothing."""
    async with controlled(Dialect.FORK) as world:
        await world.line.hang_up(reason)
        await world.line.hang_up(reason)
        assert world.peer.commands == [f"api uuid_kill {CALLER} {cause}"]
        assert world.media.hung_up == reason


@pytest.mark.parametrize(
    ("to", "words"),
    [("", "2000 XML"), ("sales", "2001 XML internal"), ("SALES", "2001 XML internal"), ("0190", "2000 XML")],
)
async def test_a_transfer_goes_to_the_list_and_nowhere_else(to, words, autojump_clock):
    """Whatever the model names, the caller is put through to somebody of the settings."""
    async with controlled(Dialect.FORK) as world:
        action = Action("transfer", (("to", to),) if to else ())
        await world.line.notify(ActionRequested(call_id=CALLER, at=0.0, reply=1, action=action))
        await world.line.hang_up("transferred")
        assert world.peer.commands == [f"api uuid_transfer {CALLER} {words}"]
        assert world.media.told == []


async def test_a_transfer_that_fails_ends_the_call(autojump_clock):
    """A caller is never left in silence."""
    peer = EslPeer(answers={"api uuid_transfer": b"Content-Type: api/response\nContent-Length: 8\n\n-ERR no!"})
    async with controlled(Dialect.UNICAST, peer=peer) as world:
        action = Action("transfer")
        await world.line.notify(ActionRequested(call_id=CALLER, at=0.0, reply=1, action=action))
        await world.line.hang_up("transferred")
        assert [raw.split()[1] for raw in world.peer.commands] == ["uuid_transfer", "uuid_kill"]
        assert world.counts == {"transfer/failed": 1}


async def test_without_a_list_the_operators_script_is_told(autojump_clock):
    """Where nobody is listed the line passes the wish on as before."""
    async with controlled(Dialect.FORK, targets="") as world:
        wish = ActionRequested(call_id=CALLER, at=0.0, reply=1, action=Action("transfer"))
        await world.line.notify(wish)
        assert world.media.told == [wish]


async def test_a_bridged_call_is_no_longer_ours(autojump_clock):
    """When the caller is connected with somebody, our part ends and the call is left alone."""
    async with controlled(Dialect.UNICAST) as world:
        world.control.take(happened("CHANNEL_BRIDGE"))
        assert await world.line.receive() == LineClosed("transferred")
        await world.line.hang_up("transferred")
        assert world.peer.commands == []


@pytest.mark.parametrize(("handed_on", "reason"), [(True, "transferred"), (False, "lost")])
async def test_a_connection_that_ends_without_a_word(handed_on, reason, autojump_clock):
    """FreeSWITCH's goodbye without a hang-up means that the call went elsewhere; none at all, that it is lost."""
    async with controlled(Dialect.UNICAST) as world:
        world.control.lose(handed_on=handed_on)
        assert await world.line.receive() == LineClosed(reason)
        await world.line.hang_up(reason)
        assert world.peer.commands == []


async def test_the_end_before_the_line(autojump_clock):
    """A call that ended before its audio came is over at once."""
    async with linked() as world:
        control = CallControl(world.link, CALLER, Freeswitch())
        control.take(happened("CHANNEL_HANGUP", Hangup_Cause="ORIGINATOR_CANCEL"))
        line = ToldLine(info=CallInfo(call_id=CALLER, dialect=Dialect.UNICAST))
        made = ControlledLine(line, control, targets={}, caller="", note=lambda *_: None)
        assert await made.receive() == LineClosed("hangup", "ORIGINATOR_CANCEL")


async def test_the_callers_number_is_the_switches():
    """The number of the event socket stands above what a module's metadata claims."""
    line = ToldLine(info=evolve(CallInfo(call_id=CALLER, dialect=Dialect.FORK), caller="666"))
    made = ControlledLine(
        line, CallControl(None, CALLER, Freeswitch()), targets={}, caller="1000", note=lambda *_: None
    )
    assert made.info.caller == "1000"


async def test_a_sentence_too_long_for_one_file_comes_in_several(autojump_clock):
    """Each of its files is played, its one mark is that of the first, and what follows keeps its own."""
    async with controlled() as world:
        await world.line.send_audio(bytes(480_000 + 320), mark="1:0")
        await world.line.send_audio(bytes(320), mark="1:1")
        for number in range(3):
            world.line.take(written(Dialect.FORK_JSON, f"/tmp/a_{number}"))
        await trio.sleep(0.1)
        assert played(world) == ["/tmp/a_0", "/tmp/a_1", "/tmp/a_2"]
        for number in range(3):
            world.line.take(happened("PLAYBACK_START", Playback_File_Path=f"/tmp/a_{number}"))
        assert [await world.line.receive() for _ in range(2)] == [LineMark("1:0"), LineMark("1:1")]
