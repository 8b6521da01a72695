"""One simulated call and everything around it, and the run of one or several of them on a clock that jumps."""

from __future__ import annotations

import gc
import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import trio
import trio.testing
from attrs import define, field

from tomrt.call.session import CallSession
from tomrt.engines.cascade import Cascade
from tomrt.events import CallInfo, Dialect
from tomrt.simulation import invariants_caller, invariants_learning, invariants_ledger, invariants_life, invariants_turn
from tomrt.simulation.caller import Caller
from tomrt.simulation.dice import Dice
from tomrt.simulation.far_end import FarEnd
from tomrt.simulation.faults import Faults
from tomrt.simulation.invariant import END, Guard, Violation
from tomrt.simulation.line import SimulatedLine
from tomrt.simulation.model import SimulatedModel
from tomrt.simulation.recogniser import SimulatedRecogniser
from tomrt.simulation.record import Entry, Record
from tomrt.simulation.scenario import Scenario
from tomrt.simulation.schedule import CALL, by_seed
from tomrt.simulation.seen import Seen
from tomrt.simulation.situation import Witness
from tomrt.simulation.tape import Tape
from tomrt.simulation.teaching import CALLER, Teaching
from tomrt.simulation.toolbox import SimulatedTools
from tomrt.simulation.voice import SimulatedVoice
from tomrt.simulation.watched import WatchedSession

__all__ = ["LONGEST_S", "World", "run", "run_together"]

LONGEST_S = 90.0
"""A simulated call that has not ended by then never will."""
RULES = (invariants_turn, invariants_ledger, invariants_life, invariants_caller, invariants_learning)


@define(eq=False)
class World:
    """A call.

    Args:
        scenario: What happens in it.
        crashes: Whether its language model raises something that no engine may raise.
    """

    scenario: Scenario
    crashes: bool = False
    seen: Seen = field(init=False)
    guard: Guard = field(init=False)
    witness: Witness = field(init=False)
    record: Record = field(init=False)
    scope: trio.CancelScope = field(factory=trio.CancelScope, init=False)
    _teaching: Teaching = field(init=False)
    _parts: tuple[WatchedSession, SimulatedRecogniser, SimulatedModel, SimulatedVoice, SimulatedTools] = field(
        init=False
    )

    def __attrs_post_init__(self) -> None:
        self.seen = Seen(self.scenario)
        self.guard = Guard(self.seen)
        self.witness = Witness(self.seen)
        self.record = Record(self._look)

    @property
    def violations(self) -> list[Violation]:
        """What did not hold, in the order of time."""
        return self.guard.violations

    def _look(self, entry: Entry) -> None:
        self.witness.look(entry)
        self.guard.look(entry)

    async def run(self) -> None:
        """Hold the call."""
        CALL.set(self.scenario.seed)
        _RECORDS[self.scenario.seed] = self.record
        session, line = self._build()
        self.scope.deadline = trio.current_time() + LONGEST_S
        with self.scope:
            await session.run()
        self.record.note("call.returned")
        self.record.note(
            END,
            delivered=line.delivered,
            overrun=self.scope.cancelled_caught and self.seen.now >= LONGEST_S,
            left=self._left(),
            kept=tuple(self._teaching.router.waiting),
        )
        del _RECORDS[self.scenario.seed]

    def _build(self) -> tuple[CallSession, SimulatedLine]:
        scenario, record = self.scenario, self.record
        faults = Faults(scenario.seed, scenario.faults, scenario.heal_at, record)
        tape = Tape()
        far_end = FarEnd(scenario.rate_hz, scenario.egress.start_delay_s)
        info = CallInfo(call_id="sim", dialect=Dialect.PLAIN, rate_hz=scenario.rate_hz, caller=CALLER)
        self._teaching = Teaching.of(record, scenario.seed)
        self._teaching.router.choose(info)
        line = SimulatedLine(
            info=info,
            egress=scenario.egress,
            record=record,
            faults=faults,
            tape=tape if scenario.traceable else None,
            far_end=far_end,
            is_held=self.seen.newly_held,
        )
        stt = SimulatedRecogniser(record, faults, self._dice("stt"), scenario.sure_of_words)
        llm = SimulatedModel(
            record, faults, self._dice("llm"), self._dice("signals"), scenario.heal_at, crashes=self.crashes
        )
        tts = SimulatedVoice(record, faults, self._dice("tts"), tape, scenario.voice_hz, scenario.word_s)
        tools = SimulatedTools(record, faults, self._dice("tools"))
        watched = WatchedSession(Cascade(stt, llm, tts), record)
        self._parts = (watched, stt, llm, tts, tools)
        session = CallSession(
            transport=line,
            session=watched,
            tools=tools,
            prompts=scenario.prompts,
            settings=scenario.settings,
            tap=self._teaching,
        )
        caller = Caller(scenario, far_end, record, self.seen.is_moment)
        line.connect(caller.events())
        return session, line

    def _dice(self, name: str) -> Dice:
        return Dice(self.scenario.seed, name)

    def _left(self) -> dict[str, int]:
        return {type(part).__name__: part.active for part in self._parts}


def run(scenario: Scenario, *, schedule: int = 0) -> World:
    """Run one call; two runs of the same scenario and schedule are identical."""
    world = World(scenario)
    run_together([world], schedule=schedule)
    return world


def run_together(
    worlds: Sequence[World], *, schedule: int = 0, instruments: Sequence[trio.abc.Instrument] = ()
) -> None:
    """Run several calls side by side; their seeds must differ."""
    with by_seed(schedule), _own_log():
        trio.run(_all, worlds, clock=trio.testing.MockClock(autojump_threshold=0), instruments=instruments)


async def _all(worlds: Sequence[World]) -> None:
    if len(worlds) == 1:
        await worlds[0].run()
        return
    async with trio.open_nursery() as nursery:
        for world in worlds:
            nursery.start_soon(world.run)


# --- what the product writes to its log ------------------------------------------------------------------------------

_RECORDS: dict[int, Record] = {}


class _IntoRecord(logging.Handler):
    """Puts crashes into the record of the call they happened in."""

    def emit(self, record: logging.LogRecord) -> None:
        """Take one log record."""
        mine = _RECORDS.get(CALL.get())
        if mine is not None and record.exc_info is not None:
            mine.note("call.crashed", error=repr(record.exc_info[1])[:300])


@contextmanager
def _own_log() -> Iterator[None]:
    logger = logging.getLogger("tomrt")
    handler, propagated, disabled = _IntoRecord(), logger.propagate, logger.disabled
    logger.addHandler(handler)
    logger.propagate, logger.disabled = False, False
    collects = gc.isenabled()
    gc.disable()  # a call makes little garbage in cycles, and looking for it costs as much as the call
    try:
        yield
    finally:
        if collects:
            gc.enable()
        logger.propagate, logger.disabled = propagated, disabled
        logger.removeHandler(handler)
