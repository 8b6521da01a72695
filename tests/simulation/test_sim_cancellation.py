"""A call may be cancelled anywhere."""

import pytest
import trio
from attrs import evolve

from tomrt.settings import Settings, Turns
from tomrt.simulation.faults import Fault
from tomrt.simulation.scenario import Act, Scenario, draw
from tomrt.simulation.schedule import CALL
from tomrt.simulation.world import World, run_together

STRIDE = 23
SLICES = 4
ASK = Act(what="say", when="quiet", after_s=0.1, seconds=0.9)
LEAVE = Act(what="leave", when="bot", after_s=0.3, detail="hangup")
CALM = evolve(draw(0), faults=(), line="plain", rate_hz=8000, voice_hz=8000, word_s=0.16, block_ms=100, heal_at=12.0)


def script(*acts: Act, line: str = "plain", faults: tuple[Fault, ...] = ()) -> Scenario:
    """Return a short call."""
    settings = Settings(turns=Turns(filler_after_ms=300, tool_announce_after_ms=200, tool_timeout_s=1.0))
    prompts = evolve(CALM.prompts, notice="", filler="One moment.", looking_up="Let me look.")
    return evolve(CALM, line=line, acts=acts, faults=faults, settings=settings, prompts=prompts)


SCRIPTS = {
    "a question": script(ASK, LEAVE),
    "an interruption after a murmur": script(
        Act(what="murmur", when="bot", after_s=0.1, seconds=0.25),
        ASK,
        Act(what="interrupt", when="bot", after_s=0.3, seconds=0.9),
        LEAVE,
        line="fork",
    ),
    "keys, tools and a failing voice": script(
        Act(what="key", when="bot", after_s=0.1, detail="5#"),
        ASK,
        LEAVE,
        line="files",
        faults=(Fault("tts.breaks_off", 0.3), Fault("tool.error", 0.5), Fault("llm.lingers", 0.5)),
    ),
}


class CancelAtStep(trio.abc.Instrument):
    """Cancels a call when its tasks are about to take their n-th step; 0 only counts."""

    def __init__(self, world: World, at: int = 0) -> None:
        self.world, self.at, self.steps = world, at, 0

    def before_task_step(self, task: trio.lowlevel.Task) -> None:
        """Count a step of the call's own tasks."""
        if task.context.get(CALL) == self.world.scenario.seed:
            self.steps += 1
            if self.steps == self.at:
                self.world.scope.cancel()


def cancelled_at(scenario: Scenario, step: int) -> tuple[World, int]:
    """Run a call that is cancelled at *step*; return it and how many steps it took."""
    world = World(scenario)
    instrument = CancelAtStep(world, step)
    run_together([world], instruments=[instrument])
    return world, instrument.steps


def broken(scenario: Scenario, steps: range) -> list[str]:
    """Return what was broken by a cancellation at one of *steps*."""
    found = []
    for step in steps:
        world, _ = cancelled_at(scenario, step)
        found += [f"step {step}: {violation}" for violation in world.violations]
        if world.seen.ended is None or world.seen.hung_up != 1:
            found.append(f"step {step}: the call was not ended in order")
    return found


@pytest.mark.parametrize("name", SCRIPTS)
def test_scripts_hold_undisturbed(name):
    """The scripts themselves break nothing and do what they are for."""
    world, steps = cancelled_at(SCRIPTS[name], 0)
    assert world.violations == []
    assert steps > 200


@pytest.mark.parametrize("name", SCRIPTS)
def test_cancelled_here_and_there(name):
    """Cancelled at every 23rd step of its tasks, a call ends in order and leaves nothing behind."""
    _, steps = cancelled_at(SCRIPTS[name], 0)
    assert broken(SCRIPTS[name], range(2, steps + 1, STRIDE)) == []


@pytest.mark.slow
@pytest.mark.parametrize("part", range(SLICES))
@pytest.mark.parametrize("name", SCRIPTS)
def test_cancelled_at_every_step(name, part):
    """Cancelled at any step of its tasks, a call ends in order and leaves nothing behind."""
    _, steps = cancelled_at(SCRIPTS[name], 0)
    assert broken(SCRIPTS[name], range(2 + part, steps + 1, SLICES)) == []
