"""Runs one whole call in memory."""

from collections.abc import Awaitable, Callable, Sequence

import trio
import trio.testing
from attrs import define, evolve, field
from fakes.engines import EventLog, SmallSession
from fakes.line import MemoryLine

from tomrt.call.session import CallSession
from tomrt.call.tooling import NoTools
from tomrt.dialogue.prompts import Prompts
from tomrt.ports import Tools
from tomrt.settings import Settings, Turns

__all__ = ["PROMPTS", "CallBench", "run_call", "run_calls"]

PROMPTS = Prompts(
    greeting="Good day.",
    still_there=("Are you there?", "Hello?"),
    goodbye="Good bye.",
    failure="I am sorry.",
)


@define
class CallBench:
    """A call and everything around it that a test looks at; its callers' synthetic vowels are no human voice."""

    line: MemoryLine
    session: SmallSession
    settings: Settings = Settings(turns=Turns(confirm_voice=False))
    prompts: Prompts = PROMPTS
    tools: Tools = field(factory=NoTools)
    log: EventLog = field(factory=EventLog)

    def turns(self, **changes: object) -> "CallBench":
        """Change turn settings."""
        self.settings = evolve(self.settings, turns=evolve(self.settings.turns, **changes))
        return self

    async def run(self, caller: Callable[["CallBench"], Awaitable[None]]) -> None:
        """Run the call with *caller* at the other end; return when the call has ended."""
        call = CallSession(
            transport=self.line,
            session=self.session,
            prompts=self.prompts,
            settings=self.settings,
            tap=self.log,
            tools=self.tools,
        )
        async with trio.open_nursery() as nursery:
            nursery.start_soon(caller, self)
            await call.run()
            nursery.cancel_scope.cancel()


Caller = Callable[[CallBench], Awaitable[None]]


def run_call(caller: Caller, bench: CallBench) -> CallBench:
    """Run a call under a virtual clock that jumps; two runs of the same call are identical."""
    run_calls((caller, bench))
    return bench


def run_calls(*calls: tuple[Caller, CallBench]) -> None:
    """Run several calls side by side under one virtual clock.

    Trio orders its tasks at random on purpose; its private switch for deterministic runs (what Hypothesis sets, too)
    makes two runs comparable. ``test_determinism.py`` fails when that switch is gone.
    """
    core = trio._core._run
    before = core._ALLOW_DETERMINISTIC_SCHEDULING
    core._ALLOW_DETERMINISTIC_SCHEDULING = True
    core._r.seed(1)
    try:
        trio.run(_all, calls, clock=trio.testing.MockClock(autojump_threshold=0))
    finally:
        core._ALLOW_DETERMINISTIC_SCHEDULING = before


async def _all(calls: Sequence[tuple[Caller, CallBench]]) -> None:
    async with trio.open_nursery() as nursery:
        for caller, bench in calls:
            nursery.start_soon(bench.run, caller)
