from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trio
import trio.testing
from esl_peer import CALLER, EslPeer, LinkWorld, api_response, linked

from tomrt.errors import EngineError
from tomrt.events import Action
from tomrt.gateway.call_control import CallControl
from tomrt.gateway.call_tools import MOST_USES, TOOLS, CallTools
from tomrt.gateway.transfer_targets import read_targets
from tomrt.ports import Tools
from tomrt.settings import Freeswitch

TARGETS = read_targets("reception=1000 sales=2001@internal")
SPOKEN: list[str] = []


async def speak(text: str) -> Path:
    SPOKEN.append(text)
    return Path("/tmp/summary.wav")


@asynccontextmanager
async def toolbox(
    peer: EslPeer | None = None, *, targets: str = "reception=1000 sales=2001@internal", recordings: str = "/srv/r"
) -> AsyncIterator[tuple[CallTools, LinkWorld]]:
    SPOKEN.clear()
    async with linked(peer or EslPeer(jobs={"originate": "+OK\n"})) as world:
        control = CallControl(world.link, CALLER, Freeswitch(recordings_dir=recordings))
        yield CallTools(control, read_targets(targets), speak), world


def action(name: str, **arguments: str) -> Action:
    return Action(name, tuple(arguments.items()))


USES = {
    "hang_up": (action("hang_up"), "The call has ended.", f"api uuid_kill {CALLER} NORMAL_CLEARING"),
    "hold": (action("hold"), "The caller hears music.", "local_stream://moh"),
    "send_digits": (action("send_digits", digits="12#"), "The keys were pressed.", f"uuid_send_dtmf {CALLER} 12#"),
    "record": (
        action("start_recording", consent="yes"),
        "The call is being recorded.",
        f"uuid_record {CALLER} start /srv/r/{CALLER}-1.wav",
    ),
    "blind": (
        action("transfer", to="sales", how="blind"),
        "The caller was handed over to sales.",
        f"api uuid_transfer {CALLER} 2001 XML internal",
    ),
    "attended": (
        action("transfer", to="Sales"),
        "The caller has been put through to sales.",
        "}loopback/2001/internal &park()",
    ),
    "a person": (action("transfer"), "The caller has been put through to reception.", "}loopback/1000/default &park()"),
}


@pytest.mark.parametrize("name", USES)
async def test_uses(name: str, autojump_clock: trio.testing.MockClock) -> None:
    """Each tool does what it says, and says what came of it."""
    use, sentence, command = USES[name]
    peer = EslPeer({"api uuid_getvar": api_response("_undef_")}, jobs={"originate": "+OK\n"})
    async with toolbox(peer) as (tools, world):
        assert await tools.use(use) == sentence
        assert any(command in each for each in world.peer.commands)


async def test_back_from_hold_and_recording(autojump_clock: trio.testing.MockClock) -> None:
    """What was begun is ended: the music and the recording, and a second recording has another name."""
    async with toolbox() as (tools, world):
        await tools.use(action("hold"))
        assert await tools.use(action("resume_call")) == "The caller can hear you again."
        await tools.use(action("start_recording", consent="yes"))
        assert await tools.use(action("stop_recording")) == "The call is not recorded."
        await tools.use(action("start_recording", consent="yes"))
        assert [each.rpartition("-")[2] for each in world.peer.asked("api uuid_record")] == ["1.wav", "1.wav", "2.wav"]


async def test_a_summary_is_spoken_for_the_agent(autojump_clock: trio.testing.MockClock) -> None:
    """The summary is voiced and whispered to the agent; without a voice, or without words, none is."""
    async with toolbox() as (tools, world):
        await tools.use(action("transfer", to="sales", summary="Wants two chairs."))
        assert SPOKEN == ["Wants two chairs."]
        assert [each for each in world.peer.commands if "/tmp/summary.wav" in each]
    async with toolbox() as (tools, world):
        await tools.use(action("transfer", to="sales", summary="  "))
        tools.voice = None
        await tools.use(action("transfer", to="sales", summary="Wants two chairs."))
        assert SPOKEN == []


WRONG = {
    "unknown tool": action("launch"),
    "empty tool": action(""),
    "private tool": action("_transfer"),
    "stranger": action("transfer", to="0190123456"),
    "international": action("transfer", to="0044201234"),
    "not on the list": action("transfer", to="boss"),
    "extension of somebody on the list": action("transfer", to="2001"),
    "somebody and more": action("transfer", to="sales &system(ls)"),
    "dial string": action("transfer", to="loopback/2001/internal"),
    "line end": action("transfer", to="sales\n"),
    "other ways": action("transfer", to="sales", how="conference"),
    "unknown argument": action("transfer", to="sales", context="public"),
    "argument twice": Action("transfer", (("to", "sales"), ("to", "reception"))),
    "summary too long": action("transfer", to="sales", summary="x" * 501),
    "summary with a line end": action("transfer", to="sales", summary="a\n\nexit"),
    "cause": action("hang_up", cause="NORMAL_CLEARING"),
    "no digits": action("send_digits"),
    "empty digits": action("send_digits", digits=""),
    "words for digits": action("send_digits", digits="one two"),
    "too many digits": action("send_digits", digits="1" * 33),
    "digits and a command": action("send_digits", digits="1\n\nexit"),
    "other digits": action("send_digits", digits="١٢"),
    "no word on consent": action("start_recording"),
    "other word on consent": action("start_recording", consent="maybe"),
    "path of a recording": action("start_recording", consent="yes", file="/etc/passwd"),
    "consent refused": action("start_recording", consent="no"),
    "hold with music": action("hold", file="/etc/passwd"),
}


@pytest.mark.parametrize("name", WRONG)
async def test_what_a_model_may_be_talked_into(name: str, autojump_clock: trio.testing.MockClock) -> None:
    """Whatever the model asks for beyond what is declared, FreeSWITCH is told nothing of it."""
    async with toolbox() as (tools, world):
        with pytest.raises(EngineError):
            await tools.use(WRONG[name])
        assert world.peer.commands == []


async def test_nobody_to_transfer_to(autojump_clock: trio.testing.MockClock) -> None:
    """Without targets in the settings nobody is called, whatever the name."""
    async with toolbox(targets="") as (tools, world):
        for arguments in ({}, {"to": "sales"}):
            with pytest.raises(EngineError, match="nobody"):
                await tools.use(action("transfer", **arguments))
        assert world.peer.commands == []


async def test_no_folder_for_recordings(autojump_clock: trio.testing.MockClock) -> None:
    """Where the operator allows no recordings, the caller's consent changes nothing."""
    async with toolbox(recordings="") as (tools, world):
        with pytest.raises(EngineError, match="not recorded"):
            await tools.use(action("start_recording", consent="yes"))
        assert world.peer.commands == []


@pytest.mark.parametrize(
    ("answer", "sentence"),
    [
        ("-ERR No such channel 1000!\n", "the call is over"),
        ("-ERR 1000 is not allowed to\n", "the switch refused to do that"),
    ],
)
async def test_refusals_hold_no_numbers(answer: str, sentence: str, autojump_clock: trio.testing.MockClock) -> None:
    """What FreeSWITCH says when it refuses is not passed on to a model."""
    async with toolbox(EslPeer({"api": api_response(answer)})) as (tools, _):
        with pytest.raises(EngineError) as error:
            await tools.use(action("hold"))
        assert str(error.value) == sentence


async def test_why_nobody_was_reached(autojump_clock: trio.testing.MockClock) -> None:
    """Why nobody was reached is told, so that the model can tell the caller."""
    async with toolbox(EslPeer(jobs={"originate": "-ERR USER_BUSY\n"})) as (tools, _):
        with pytest.raises(EngineError, match="sales was not reached: the line is busy"):
            await tools.use(action("transfer", to="sales"))


async def test_uses_are_counted(autojump_clock: trio.testing.MockClock) -> None:
    """A caller who has the tools used over and over is stopped."""
    async with toolbox() as (tools, world):
        for _ in range(MOST_USES):
            await tools.use(action("send_digits", digits="1"))
        with pytest.raises(EngineError, match="at most"):
            await tools.use(action("send_digits", digits="1"))
        assert len(world.peer.commands) == MOST_USES


async def test_the_port() -> None:
    """The tools are a Tools, and all that change anything say so, so that they wait for a complete turn."""
    async with toolbox() as (tools, _):
        port: Tools = tools
        assert all(port.has_effects(spec.name) for spec in TOOLS)
        assert not port.has_effects("unknown")
        assert port.time_limit_s("transfer") > Freeswitch().transfer_timeout_s
        assert port.time_limit_s("hold") is None


def test_declared_as_data() -> None:
    """Every tool and argument has a name, a sentence, and a pattern that its choices match."""
    assert len({spec.name for spec in TOOLS}) == len(TOOLS)
    for spec in TOOLS:
        assert spec.text.endswith(".")
        for argument in spec.arguments:
            assert argument.text.endswith(".")
            assert all(re.fullmatch(argument.pattern, choice) for choice in argument.choices)
