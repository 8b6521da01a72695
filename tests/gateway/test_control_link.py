from __future__ import annotations

from pathlib import Path

import pytest
import trio
import trio.testing
from esl_peer import CALLER, EslPeer, api_response, channel, event, linked, notice, reply

from tomrt.errors import ProtocolError, SwitchError
from tomrt.gateway.control_link import MOST_WAITING, ControlLink, Refused
from tomrt.wire import esl_commands
from tomrt.wire.esl_event import EslEvent

GOLDEN = Path(__file__).parents[1] / "golden" / "esl"
AUTH = b"Content-Type: auth/request\n\n"


async def test_a_command_gets_its_reply(autojump_clock: trio.testing.MockClock) -> None:
    """A command returns what FreeSWITCH replied, and an API command its result."""
    peer = EslPeer({"api status": api_response("UP 0 years\n"), "filter": reply("+OK filter added.")})
    async with linked(peer) as world:
        assert (await world.link.command(esl_commands.filter_on("A", "b"))).reply_text == "+OK filter added."
        assert await world.link.api("status") == "UP 0 years"
        assert peer.commands == ["filter A b", "api status"]


async def test_many_tasks_ask_at_once(autojump_clock: trio.testing.MockClock) -> None:
    """Of two hundred tasks that ask at once each gets its own answer, and no more than 64 are on their way."""
    peer = EslPeer({f"api echo {number}.": api_response(str(number)) for number in range(200)})
    got: dict[int, str] = {}

    async def ask(number: int) -> None:
        got[number] = await world.link.api(f"echo {number}.")

    async with linked(peer) as world, trio.open_nursery() as nursery:
        for number in range(200):
            nursery.start_soon(ask, number)
    assert got == {number: str(number) for number in range(200)}


async def test_events_come_in_between(autojump_clock: trio.testing.MockClock) -> None:
    """Events that come before a reply are told at once, and the reply is still found."""
    pressed = event("DTMF", {"Unique-ID": CALLER, "DTMF-Digit": "5"})
    async with linked(EslPeer({"api x": pressed + b"\n" + api_response("done") + pressed})) as world:
        assert await world.link.api("x") == "done"
        await trio.testing.wait_all_tasks_blocked()
        assert [each.get("DTMF-Digit") for each in world.events] == ["5", "5"]


@pytest.mark.parametrize(
    ("answer", "words", "gone"),
    [
        (api_response("-ERR No such channel!\n"), "No such channel!", True),
        (reply("-ERR invalid session id [u]"), "invalid session id [u]", True),
        (api_response("-ERR Operation Failed\n"), "Operation Failed", False),
        (api_response("-USAGE: <uuid> [start | stop]\n"), "-USAGE: <uuid> [start | stop]", False),
        (api_response("-ERR no reply\n"), "no reply", False),
        (reply("-ERR command not found"), "command not found", False),
        (api_response("-ERR " + "x" * 1_000), "x" * 200, False),
        (api_response("-ERR a\x1b[31mb\r\nc\n"), "a[31mbc", False),
    ],
)
async def test_refusals(answer: bytes, words: str, gone: bool, autojump_clock: trio.testing.MockClock) -> None:
    """A refusal says what FreeSWITCH said, in printable words of bounded length, and whether the call is gone."""
    async with linked(EslPeer({"api": answer})) as world:
        with pytest.raises(Refused) as refused:
            await world.link.api("x")
    assert (refused.value.words, refused.value.gone) == (words, gone)


async def test_a_late_reply_is_nobodys(autojump_clock: trio.testing.MockClock) -> None:
    """A reply that comes after its caller's patience ended is dropped, and the next command gets its own."""
    peer = EslPeer(silent=True)
    async with linked(peer) as world:
        with pytest.raises(SwitchError, match="did not answer within 5 s") as silent:
            await world.link.api("slow")
        assert not silent.value.gone
        peer.silent = False
        await peer.send(api_response("late"))
        peer.answers = {"api quick": api_response("quick")}
        assert await world.link.api("quick") == "quick"
        assert world.ended == []


async def test_a_late_reply_comes_while_the_next_waits(autojump_clock: trio.testing.MockClock) -> None:
    """Order is kept also when the next command is on its way before the late reply comes."""
    peer = EslPeer(silent=True)
    async with linked(peer) as world, trio.open_nursery() as nursery:
        with pytest.raises(SwitchError):
            await world.link.api("slow")
        got: list[str] = []

        async def ask() -> None:
            got.append(await world.link.api("quick"))

        nursery.start_soon(ask)
        await trio.testing.wait_all_tasks_blocked()
        await peer.send(api_response("late") + api_response("quick"))
        await trio.testing.wait_all_tasks_blocked()
        assert got == ["quick"]


async def test_a_cancelled_command_keeps_the_order(autojump_clock: trio.testing.MockClock) -> None:
    """A command whose caller was cancelled still takes its own reply."""
    peer = EslPeer(silent=True)
    async with linked(peer) as world:
        with trio.move_on_after(0.5):
            await world.link.api("cancelled")
        peer.answers, peer.silent = {"api next": api_response("cancelled's") + api_response("next's")}, False
        assert await world.link.api("next") == "next's"


async def test_a_peer_that_never_answers(autojump_clock: trio.testing.MockClock) -> None:
    """However many ask a peer that never answers, all give up in time, and at most 64 commands are sent."""
    peer = EslPeer(silent=True)
    failed: list[float] = []

    async def ask() -> None:
        with pytest.raises(SwitchError):
            await world.link.api("x", timeout_s=2.0)
        failed.append(trio.current_time())

    async with linked(peer) as world:
        begun = trio.current_time()
        async with trio.open_nursery() as nursery:
            for _ in range(300):
                nursery.start_soon(ask)
        assert len(failed) == 300
        assert max(failed) - begun == pytest.approx(2.0)
        assert len(peer.commands) == MOST_WAITING


async def test_a_peer_that_stops_reading(autojump_clock: trio.testing.MockClock) -> None:
    """A connection that takes no bytes for 5 s ends, since half a command would spoil all that follow."""
    ours, _theirs = trio.testing.lockstep_stream_pair()
    link = ControlLink(ours, on_event=lambda event: None, note=lambda what, kind: None)
    ended: list[str] = []

    async def run() -> None:
        ended.append(await link.run())

    async with trio.open_nursery() as nursery:
        nursery.start_soon(run)
        with pytest.raises(SwitchError) as gone:
            await link.command(esl_commands.connect(), timeout_s=60.0)
    assert gone.value.gone
    assert ended == ["stalled"]
    assert trio.current_time() == pytest.approx(5.0)


async def test_cancelling_the_writer_writes_all(autojump_clock: trio.testing.MockClock) -> None:
    """A caller who is cancelled in the middle of writing leaves a whole command behind."""
    ours, theirs = trio.testing.lockstep_stream_pair()
    link = ControlLink(ours, on_event=lambda event: None, note=lambda what, kind: None)
    received = b""
    async with trio.open_nursery() as nursery:
        nursery.start_soon(link.run)
        with trio.CancelScope() as scope:
            nursery.start_soon(_cancel_soon, scope)
            nursery.start_soon(link.gone.wait)

            async def read_slowly() -> None:
                nonlocal received
                for _ in range(4):
                    await trio.sleep(1.0)
                    received += await theirs.receive_some(4)

            nursery.start_soon(read_slowly)
            await link.command(esl_commands.api("status"))
        assert scope.cancelled_caught
        assert received == b"api status\n\n"
        nursery.cancel_scope.cancel()


async def _cancel_soon(scope: trio.CancelScope) -> None:
    await trio.sleep(0.1)
    scope.cancel()


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "closed"),
        (notice(), "disconnected"),
        (notice("linger"), "disconnected"),
        (reply(), "protocol: FreeSWITCH answered what nobody asked"),
        (api_response("x"), "protocol: FreeSWITCH answered what nobody asked"),
        (b"hello\n\n", "protocol: an event socket message has a line that is no header"),
        (event("DTMF") + b"hello\n\n", "protocol: an event socket message has a line that is no header"),
        (b"Content-Length: -1\n\n", "protocol: Content-Length is not a number of 0 to 1048576 bytes"),
        (event("DTMF")[:-5] + notice(), "closed"),
    ],
)
async def test_how_a_connection_ends(data: bytes, reason: str, autojump_clock: trio.testing.MockClock) -> None:
    """``run`` tells why the connection ended, and what waits or comes later fails with ``gone``."""
    async with linked(EslPeer(silent=True)) as world:
        async with trio.open_nursery() as nursery:
            if not reason.startswith("protocol: FreeSWITCH"):
                nursery.start_soon(_expect_gone, world.link)
                await trio.testing.wait_all_tasks_blocked()
            await world.peer.send(data)
            if reason == "closed":
                await world.peer.close()
            await world.link.gone.wait()
        await trio.testing.wait_all_tasks_blocked()
        assert world.ended == [reason]
        await _expect_gone(world.link)


async def _expect_gone(link: ControlLink) -> None:
    with pytest.raises(SwitchError) as gone:
        await link.api("x", timeout_s=60.0)
    assert gone.value.gone


async def test_a_job_fails_with_the_connection(autojump_clock: trio.testing.MockClock) -> None:
    """Whoever waits for a background job learns at once that the connection is gone."""
    async with linked() as world, trio.open_nursery() as nursery:

        async def work() -> None:
            with pytest.raises(SwitchError) as gone:
                await world.link.job("originate x &park()")
            assert gone.value.gone

        nursery.start_soon(work)
        await trio.sleep(1.0)
        await world.peer.close()
        with trio.fail_after(0.1):
            await world.link.gone.wait()


async def test_jobs_are_told_apart(autojump_clock: trio.testing.MockClock) -> None:
    """Jobs that run at once each get their own result, a failed one its error, and others' jobs are ignored."""
    peer = EslPeer(jobs={"one": "+OK 1\n", "two": "-ERR NO_ANSWER\n"})
    got: list[str] = []
    async with linked(peer) as world:

        async def one() -> None:
            got.append(await world.link.job("one"))

        async def two() -> None:
            with pytest.raises(Refused) as refused:
                await world.link.job("two")
            got.append(refused.value.words)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(one)
            nursery.start_soon(two)
            await peer.send(event("BACKGROUND_JOB", {"Job-UUID": "somebody-elses"}, "+OK"))
        assert sorted(got) == ["+OK 1", "NO_ANSWER"]
        assert world.events == []


async def test_a_job_that_does_not_end(autojump_clock: trio.testing.MockClock) -> None:
    """Of a job that takes too long nobody hears any more, also when it ends after all."""
    peer = EslPeer(jobs={"slow": "+OK"}, job_s=40.0)
    async with linked(peer) as world:
        with pytest.raises(SwitchError, match="35 s"):
            await world.link.job("slow")
        await trio.sleep(10.0)
        assert (world.events, world.ended) == ([], [])


async def test_a_refused_job(autojump_clock: trio.testing.MockClock) -> None:
    """A job that FreeSWITCH does not begin fails at once."""
    async with linked(EslPeer({"bgapi": reply("-ERR permission denied")})) as world:
        with pytest.raises(Refused, match="permission denied"):
            await world.link.job("x")


async def test_greeting_a_switch_that_we_dialled(autojump_clock: trio.testing.MockClock) -> None:
    """The password is given when it is asked for."""
    async with linked() as world, trio.open_nursery() as nursery:
        nursery.start_soon(world.link.greet_inbound, "ClueCon")
        await trio.sleep(1.0)
        assert world.peer.commands == []
        await world.peer.send(AUTH)
    assert world.peer.commands == ["auth ClueCon"]


@pytest.mark.parametrize(
    ("first", "answer", "sentence"),
    [
        ((GOLDEN / "rude_rejection.txt").read_bytes(), b"", "takes no connections from this address"),
        (AUTH, (GOLDEN / "refused_password.txt").read_bytes().removeprefix(AUTH), "refused the password"),
        (b"", b"", "nobody asked for a password within 5 s"),
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", b"", "the connection to FreeSWITCH is gone"),
        (notice(), b"", "the connection to FreeSWITCH is gone"),
    ],
)
async def test_greetings_that_fail(
    first: bytes, answer: bytes, sentence: str, autojump_clock: trio.testing.MockClock
) -> None:
    """Why FreeSWITCH does not let us in is told in plain words, and never with the password."""
    async with linked(EslPeer({"auth": answer})) as world:
        await world.peer.send(first)
        with pytest.raises(SwitchError, match=sentence) as failed:
            await world.link.greet_inbound("s3cret")
    assert "s3cret" not in str(failed.value)


async def test_asking_for_the_password_twice(autojump_clock: trio.testing.MockClock) -> None:
    """A second request for the password changes nothing."""
    async with linked() as world:
        await world.peer.send(AUTH + AUTH)
        await world.link.greet_inbound("ClueCon")
        await world.peer.send(AUTH)
        assert await world.link.api("x") == "+OK"


async def test_greeting_a_call(autojump_clock: trio.testing.MockClock) -> None:
    """A call that FreeSWITCH hands over tells who it is, lingers, and sends its own events and nobody else's."""
    async with linked(EslPeer({"connect": channel()})) as world:
        assert (await world.link.greet_outbound()).get("Caller-Caller-ID-Number") == "1000"
        assert world.peer.commands[:3] == ["connect", "linger 10", f"filter Unique-ID {CALLER}"]
        (events,) = world.peer.asked("event plain ")
        for name in ("DTMF", "PLAYBACK_STOP", "CHANNEL_HANGUP_COMPLETE", "BACKGROUND_JOB", "mod_audio_stream::play"):
            assert name in events.split()


@pytest.mark.parametrize(("mode", "control"), [("static", "full"), ("async", "single-channel")])
async def test_a_dialplan_without_async_full(mode: str, control: str, autojump_clock: trio.testing.MockClock) -> None:
    """Without ``async full`` there is no control, and the operator is told what to write."""
    async with linked(EslPeer({"connect": channel(mode=mode, control=control)})) as world:
        with pytest.raises(SwitchError, match="async full"):
            await world.link.greet_outbound()


async def test_what_is_no_channel(autojump_clock: trio.testing.MockClock) -> None:
    """Whoever answers ``connect`` otherwise is no FreeSWITCH with a call."""
    async with linked() as world:
        with pytest.raises(ProtocolError):
            await world.link.greet_outbound()


async def test_the_filter_lets_our_jobs_through(autojump_clock: trio.testing.MockClock) -> None:
    """On a call's own connection a job's result would be filtered out; it is let through while it is awaited."""
    async with linked(EslPeer({"connect": channel()}, jobs={"x": "+OK"})) as world:
        await world.link.greet_outbound()
        del world.peer.commands[:]
        await world.link.job("x")
        opened, job, closed = world.peer.commands
    job_uuid = job.rpartition(" ")[2]
    assert (opened, closed) == (f"filter Job-UUID {job_uuid}", f"filter delete Job-UUID {job_uuid}")


async def test_following_another_channel(autojump_clock: trio.testing.MockClock) -> None:
    """Events of a channel that is followed go to the follower, until it stops."""
    followed: list[EslEvent] = []
    async with linked(EslPeer({"connect": channel()})) as world:
        await world.link.greet_outbound()
        async with world.link.following("agent", followed.append):
            await world.peer.send(event("DTMF", {"Unique-ID": "agent"}) + event("DTMF", {"Unique-ID": CALLER}))
            await trio.testing.wait_all_tasks_blocked()
        await world.peer.send(event("DTMF", {"Unique-ID": "agent"}))
        await trio.testing.wait_all_tasks_blocked()
        assert ([each.uuid for each in followed], [each.uuid for each in world.events]) == (
            ["agent"],
            [CALLER, "agent"],
        )
        assert world.peer.commands[-2:] == ["filter Unique-ID agent", "filter delete Unique-ID agent"]


HANGUP_COMPLETE = event("CHANNEL_HANGUP_COMPLETE", {"Unique-ID": CALLER, "Hangup-Cause": "NORMAL_CLEARING"})


@pytest.mark.parametrize("data", [notice("linger") + HANGUP_COMPLETE, HANGUP_COMPLETE + notice("linger")])
async def test_the_last_events_of_a_call(data: bytes, autojump_clock: trio.testing.MockClock) -> None:
    """The connection of a call ends with the call's last event, whichever of the two comes first."""
    async with linked(EslPeer({"connect": channel()})) as world:
        await world.link.greet_outbound()
        begun = trio.current_time()
        await world.peer.send(data)
        await world.link.gone.wait()
        assert trio.current_time() == begun
        assert [each.name for each in world.events] == ["CHANNEL_HANGUP_COMPLETE"]
        await trio.testing.wait_all_tasks_blocked()
        assert world.ended == ["disconnected"]


async def test_last_events_that_never_come(autojump_clock: trio.testing.MockClock) -> None:
    """A call's last event is waited for 2 s, not for ever."""
    async with linked(EslPeer({"connect": channel()})) as world:
        await world.link.greet_outbound()
        begun = trio.current_time()
        await world.peer.send(notice("linger"))
        await world.link.gone.wait()
        assert trio.current_time() - begun == pytest.approx(2.0)


async def test_whoever_cleans_up_is_let_finish(autojump_clock: trio.testing.MockClock) -> None:
    """A connection whose call is over stays while an agent's leg of that call is still being cleared away."""
    async with linked(EslPeer({"connect": channel()})) as world:
        await world.link.greet_outbound()
        async with world.link.following("agent", lambda event: None):
            await world.peer.send(HANGUP_COMPLETE + notice("linger"))
            await trio.sleep(0.5)
            assert await world.link.api("uuid_kill agent") == "+OK"
        await world.link.gone.wait()
        assert trio.current_time() < 1.0


async def test_what_is_of_no_use(autojump_clock: trio.testing.MockClock) -> None:
    """Messages of other kinds and broken events are counted, and the connection goes on."""
    log = b"Content-Type: log/data\nContent-Length: 2\n\nhi"
    broken = b"Content-Type: text/event-plain\nContent-Length: 5\n\nhello"
    async with linked() as world:
        await world.peer.send(log + broken + broken)
        assert await world.link.api("x") == "+OK"
        assert world.counts == {"control/ignored": 1, "control/bad_event": 2}


async def test_stopping_the_link(autojump_clock: trio.testing.MockClock) -> None:
    """When the task that runs the link is cancelled, whoever waits for an answer learns of it."""
    async with linked(EslPeer(silent=True)) as world, trio.open_nursery() as nursery:
        nursery.start_soon(_expect_gone, world.link)
        await trio.testing.wait_all_tasks_blocked()
        world.nursery.cancel_scope.cancel()
        await trio.sleep(0)


async def test_a_captured_session(autojump_clock: trio.testing.MockClock) -> None:
    """A captured session in one segment is taken apart as it should be."""
    async with linked(EslPeer(silent=True)) as world, trio.open_nursery() as nursery:
        capture = (GOLDEN / "outbound_session.txt").read_bytes()
        for number in range(7):
            nursery.start_soon(world.link.command, esl_commands.filter_on("A", str(number)))
        await trio.testing.wait_all_tasks_blocked()
        await world.peer.send(capture)
        await trio.testing.wait_all_tasks_blocked()
        assert [each.name for each in world.events][-1] == "CHANNEL_HANGUP_COMPLETE"
