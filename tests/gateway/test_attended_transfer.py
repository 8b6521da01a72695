from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import trio
import trio.testing
from attrs import define, field
from esl_peer import CALLER, EslPeer, LinkWorld, api_response, channel, event, linked

from tomrt.errors import SwitchError
from tomrt.gateway.attended_transfer import SUMMARY_LIMIT_S
from tomrt.gateway.call_control import CallControl
from tomrt.gateway.transfer_targets import Target
from tomrt.settings import Freeswitch

SETTINGS = Freeswitch(transfer_timeout_s=20.0)
TARGET = Target("sales", "2001", "internal")
STOP = f"api uuid_break {CALLER} all"


@define(eq=False)
class Office:
    """A call that is being put through, and whoever answers."""

    call: CallControl
    world: LinkWorld
    failed: list[SwitchError] = field(factory=list)

    @property
    def agent(self) -> str:
        (command,) = self.world.peer.asked("bgapi originate")
        found = re.search(r"origination_uuid=([0-9a-f-]{36})", command)
        assert found is not None
        return found[1]

    async def say(self, name: str, uuid: str, **headers: str) -> None:
        named = {key.replace("_", "-"): text for key, text in headers.items()}
        await self.world.peer.send(event(name, {"Unique-ID": uuid, **named}))
        await trio.testing.wait_all_tasks_blocked()

    async def put_through(self, summary: str | None = None, *, whispered: bool = True) -> None:
        try:
            await self.call.attended_transfer(TARGET, summary=summary, whispered=whispered)
        except SwitchError as error:
            self.failed.append(error)

    def kills(self) -> list[str]:
        return self.world.peer.asked("api uuid_kill")

    def music_is_on(self) -> bool:
        heard = [each for each in self.world.peer.commands if each == STOP or "local_stream://moh" in each]
        return bool(heard) and heard[-1] != STOP


@asynccontextmanager
async def office(
    result: str = "+OK agent\n", *, rings_s: float = 3.0, outbound: bool = True, **answers: bytes
) -> AsyncIterator[Office]:
    peer = EslPeer({"connect": channel(), **answers}, jobs={"originate": result} if result else {}, job_s=rings_s)
    peer.answers |= {
        f"api uuid_getvar {CALLER} caller_id_number": api_response("+4930123"),
        f"api uuid_getvar {CALLER} context": api_response("public"),
    }
    async with linked(peer) as world:
        if outbound:
            await world.link.greet_outbound()
        call = CallControl(world.link, CALLER, SETTINGS)

        world.takers.append(call.take)
        yield Office(call, world)


@pytest.mark.parametrize("outbound", [True, False])
async def test_an_agent_answers(outbound: bool, autojump_clock: trio.testing.MockClock) -> None:
    """The caller hears music while the agent's phone rings, and is then connected."""
    async with office(outbound=outbound) as it:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(it.put_through)
            await trio.sleep(2.0)
            assert it.music_is_on()
            assert it.call.held
        assert it.failed == []
        (originate,) = it.world.peer.asked("bgapi originate")
        assert originate.startswith("bgapi originate {origination_uuid=")
        assert "}loopback/2001/internal &park()\n" in originate
        assert "origination_caller_id_number=+4930123" in originate
        assert "originate_timeout=20" in originate
        assert it.world.peer.asked("api uuid_bridge") == [f"api uuid_bridge {CALLER} {it.agent}"]
        assert (it.kills(), it.music_is_on(), it.call.held) == ([], False, False)


@pytest.mark.parametrize(
    ("cause", "words"),
    [
        ("NO_ANSWER", "nobody answered"),
        ("USER_BUSY", "the line is busy"),
        ("CALL_REJECTED", "the call was declined"),
        ("USER_NOT_REGISTERED", "nobody can be reached there"),
        ("CHAN_NOT_IMPLEMENTED", "the call could not be put through"),
        ("anything else", "the call could not be put through"),
    ],
)
async def test_nobody_answers(cause: str, words: str, autojump_clock: trio.testing.MockClock) -> None:
    """Why nobody was reached is told in plain words, and the caller is off hold again."""
    async with office(f"-ERR {cause}\n") as it:
        await it.put_through()
        (error,) = it.failed
        assert str(error) == f"sales was not reached: {words}"
        assert not error.gone
        assert not it.music_is_on()
        assert (it.kills(), it.world.peer.asked("api uuid_bridge")) == ([], [])


async def test_a_phone_that_rings_for_ever(autojump_clock: trio.testing.MockClock) -> None:
    """When FreeSWITCH says nothing of the call to the agent, it is ended, and the caller is off hold again."""
    async with office("") as it:
        begun = trio.current_time()
        await it.put_through()
        assert trio.current_time() - begun == pytest.approx(25.0, abs=0.5)
        assert it.kills() == [f"api uuid_kill {it.agent} ORIGINATOR_CANCEL"]
        assert not it.music_is_on()


@pytest.mark.parametrize("whispered", [True, False])
async def test_the_agent_is_told_first(whispered: bool, autojump_clock: trio.testing.MockClock) -> None:
    """The summary is heard to its end before the two are connected, by the agent alone or by both."""
    async with office() as it, trio.open_nursery() as nursery:

        async def put_through() -> None:
            await it.put_through("/tmp/summary.wav", whispered=whispered)

        nursery.start_soon(put_through)
        await trio.sleep(6.0)
        told = [each.split("\n")[0] for each in it.world.peer.commands if "/tmp/summary.wav" in each]
        assert told == [f"sendmsg {it.agent}", *([] if whispered else [f"sendmsg {CALLER}"])]
        assert it.music_is_on() == whispered
        assert it.world.peer.asked("api uuid_bridge") == []
        await it.say("PLAYBACK_STOP", it.agent, Playback_Status="done")
        assert len(it.world.peer.asked("api uuid_bridge")) == 1


async def test_a_summary_that_is_not_there(autojump_clock: trio.testing.MockClock) -> None:
    """A summary whose file cannot be played holds nobody up."""
    async with office() as it, trio.open_nursery() as nursery:
        nursery.start_soon(it.put_through, "/tmp/none.wav")
        await trio.sleep(6.0)
        await it.say(
            "CHANNEL_EXECUTE_COMPLETE", it.agent, Application_UUID=it.agent, Application_Response="FILE NOT FOUND"
        )
        assert len(it.world.peer.asked("api uuid_bridge")) == 1


async def test_a_summary_without_end(autojump_clock: trio.testing.MockClock) -> None:
    """A summary that goes on and on is cut short, and the two are connected."""
    async with office() as it:
        await it.put_through("/tmp/long.wav")
        assert it.failed == []
        assert trio.current_time() == pytest.approx(3.0 + SUMMARY_LIMIT_S, abs=0.5)
        assert it.world.peer.asked(f"api uuid_break {it.agent}") == [f"api uuid_break {it.agent} all"]


@pytest.mark.parametrize("at", [0.0, 1.0, 5.0])
async def test_the_caller_hangs_up(at: float, autojump_clock: trio.testing.MockClock) -> None:
    """Whenever the caller hangs up, the agent's phone rings no longer, and an agent who has answered is let go."""
    async with office() as it, trio.open_nursery() as nursery:
        nursery.start_soon(it.put_through, "/tmp/summary.wav")
        await trio.sleep(at)
        await it.say("CHANNEL_HANGUP", CALLER, Hangup_Cause="NORMAL_CLEARING")
        await trio.sleep(1.0)
        (error,) = it.failed
        assert (str(error), error.gone) == ("the caller hung up", True)
        if it.world.peer.asked("bgapi"):
            assert it.kills() == [f"api uuid_kill {it.agent} ORIGINATOR_CANCEL"]
        assert it.world.peer.asked("api uuid_bridge") == []


async def test_a_caller_who_has_hung_up_already(autojump_clock: trio.testing.MockClock) -> None:
    """For a caller who is gone nobody is called."""
    async with office() as it:
        await it.say("CHANNEL_HANGUP", CALLER, Hangup_Cause="NORMAL_CLEARING")
        await trio.sleep(0.1)
        await it.put_through()
        assert [error.gone for error in it.failed] == [True]
        assert it.world.peer.asked("bgapi") == []


async def test_the_agent_hangs_up(autojump_clock: trio.testing.MockClock) -> None:
    """An agent who hangs up during the summary leaves the caller with us, off hold."""
    async with office() as it, trio.open_nursery() as nursery:
        nursery.start_soon(it.put_through, "/tmp/summary.wav")
        await trio.sleep(5.0)
        await it.say("CHANNEL_HANGUP", it.agent, Hangup_Cause="NORMAL_CLEARING")
        await trio.sleep(1.0)
        (error,) = it.failed
        assert (str(error), error.gone) == ("sales hung up before the caller was put through", False)
        assert (it.kills(), it.music_is_on()) == ([], False)


async def test_a_hang_up_before_the_result(autojump_clock: trio.testing.MockClock) -> None:
    """The agent's leg may end before the job's result comes, which alone tells why."""
    async with office("-ERR USER_BUSY\n") as it, trio.open_nursery() as nursery:
        nursery.start_soon(it.put_through)
        await trio.sleep(1.0)
        await it.say("CHANNEL_HANGUP", it.agent, Hangup_Cause="USER_BUSY")
        await trio.sleep(5.0)
        assert str(it.failed[0]).endswith("the line is busy")


@pytest.mark.parametrize("at", [0.5, 2.9, 3.1, 5.0])
async def test_cancelled_at_any_time(at: float, autojump_clock: trio.testing.MockClock) -> None:
    """When we are cancelled, whenever, no phone keeps ringing and the caller is off hold."""
    async with office() as it:
        with trio.move_on_after(at) as scope:
            await it.put_through("/tmp/summary.wav")
        assert scope.cancelled_caught
        assert it.kills() == [f"api uuid_kill {it.agent} ORIGINATOR_CANCEL"]
        assert not it.music_is_on()
        assert not it.call.held


async def test_cancelled_at_every_command(autojump_clock: trio.testing.MockClock) -> None:
    """Cancelled after each single command of a transfer, what was dialled is ended and the music is off."""
    async with office() as it:
        await it.put_through()
        steps = len(it.world.peer.commands)
    for step in range(5, steps + 1):
        async with office() as it:
            with trio.CancelScope() as scope:
                it.world.peer.on_command = lambda count, scope=scope, step=step: (
                    scope.cancel() if count == step else None
                )
                await it.put_through()
            if not it.world.peer.asked("api uuid_bridge"):
                assert it.kills() or not it.world.peer.asked("bgapi"), step
                assert not it.music_is_on(), step


async def test_a_phone_that_does_not_ring_yet(autojump_clock: trio.testing.MockClock) -> None:
    """A call that was only just asked for may not exist yet; it is ended as soon as it does."""
    missing = api_response("-ERR No such channel!\n")
    async with office(**{"api uuid_kill": missing}) as it, trio.open_nursery() as nursery:

        async def appear() -> None:
            await trio.sleep(0.75)
            del it.world.peer.answers["api uuid_kill"]

        nursery.start_soon(appear)
        with trio.move_on_after(0.5):
            await it.put_through()
        assert 3 <= len(it.kills()) <= 5


async def test_a_phone_that_never_was(autojump_clock: trio.testing.MockClock) -> None:
    """Looking for a call that does not exist ends after a second."""
    async with office(**{"api uuid_kill": api_response("-ERR No such channel!\n")}) as it:
        with trio.move_on_after(0.5):
            await it.put_through()
        assert trio.current_time() < 2.0


async def test_a_bridge_that_fails(autojump_clock: trio.testing.MockClock) -> None:
    """When the two cannot be connected, the agent is let go and the caller stays with us."""
    async with office(**{"api uuid_bridge": api_response("-ERR Channels not ready\n")}) as it:
        await it.put_through()
        assert len(it.failed) == 1
        assert it.kills() == [f"api uuid_kill {it.agent} ORIGINATOR_CANCEL"]
        assert not it.music_is_on()


async def test_the_connection_breaks(autojump_clock: trio.testing.MockClock) -> None:
    """A connection that breaks during a transfer is an error at once, not after a time-out."""
    async with office() as it, trio.open_nursery() as nursery:
        nursery.start_soon(it.put_through)
        await trio.sleep(1.0)
        await it.world.peer.close()
        await trio.sleep(0.1)
        assert [error.gone for error in it.failed] == [True]


async def test_one_at_a_time(autojump_clock: trio.testing.MockClock) -> None:
    """A caller who is being put through is not put through a second time at once."""
    async with office() as it, trio.open_nursery() as nursery:
        nursery.start_soon(it.put_through)
        await trio.sleep(1.0)
        await it.put_through()
        assert [str(error) for error in it.failed] == ["the call is already being put through"]
        assert it.call.held


@pytest.mark.parametrize("number", ["", "1,origination_uuid=x", "}&system(ls)", "a b", "1" * 40, "${system(ls)}"])
async def test_a_callers_number_is_no_command(number: str, autojump_clock: trio.testing.MockClock) -> None:
    """A caller's number that is none is not shown to the agent, and gets nowhere near a command."""
    async with office() as it:
        it.world.peer.answers[f"api uuid_getvar {CALLER} caller_id_number"] = api_response(number or "_undef_")
        await it.put_through()
        (originate,) = it.world.peer.asked("bgapi originate")
        assert "caller_id" not in originate
        assert it.failed == []


async def test_the_callers_own_context(autojump_clock: trio.testing.MockClock) -> None:
    """A target without a context is called in the caller's own."""
    async with office() as it:
        await it.call.attended_transfer(Target("a", "1000"))
        assert "}loopback/1000/public &park()\n" in it.world.peer.asked("bgapi originate")[0]
