"""What goes wrong in a simulated call: a random subset of kinds, each at its own rate, until the world heals."""

from __future__ import annotations

import trio
from attrs import define, field, frozen

from tomrt.simulation.dice import Dice
from tomrt.simulation.record import Record

__all__ = ["KINDS", "Fault", "Faults", "Kind", "draw_faults"]

FAULT_FREE = 0.1
"""Share of the seeds in which nothing goes wrong; those must be perfect."""


@frozen
class Kind:
    """A way in which things go wrong.

    Args:
        name: Component and fault.
        low: Least rate: the chance that it strikes at one opportunity.
        high: Greatest rate.
    """

    name: str
    low: float = 0.05
    high: float = 1.0


KINDS = (
    # The line; opportunities for stall, gap and loss come once a second.
    Kind("line.stall", 0.1, 0.6),
    Kind("line.stall_in_hold", 0.5, 1.0),
    Kind("line.gap", 0.03, 0.4),
    Kind("line.lost", 0.01, 0.15),
    Kind("line.protocol", 0.01, 0.1),
    Kind("line.pieces"),
    Kind("line.slow_send", 0.003, 0.1),
    Kind("line.slow_flush"),
    Kind("line.deaf", 0.02, 0.3),
    Kind("line.stuck_close", 0.3, 1.0),
    Kind("mark.lost", 0.3, 1.0),
    Kind("mark.twice"),
    Kind("mark.late", 0.3, 1.0),
    Kind("mark.cleared"),
    Kind("mark.unknown"),
    # The recogniser; once for each time it is asked.
    Kind("stt.slow"),
    Kind("stt.error"),
    Kind("stt.hang", 0.03, 0.5),
    Kind("stt.nothing", 0.2, 1.0),
    Kind("stt.garbage"),
    Kind("stt.lingers"),
    # The language model; once for each answer.
    Kind("llm.slow"),
    Kind("llm.error"),
    Kind("llm.breaks_off"),
    Kind("llm.hang", 0.15, 0.6),
    Kind("llm.hangs_midway", 0.15, 0.6),
    Kind("llm.empty"),
    Kind("llm.long"),
    Kind("llm.letters"),
    Kind("llm.actions"),
    Kind("llm.many_tools"),
    Kind("llm.lingers"),
    # The voice; once for each sentence.
    Kind("tts.slow"),
    Kind("tts.error"),
    Kind("tts.breaks_off"),
    Kind("tts.hang", 0.15, 0.5),
    Kind("tts.silent"),
    Kind("tts.scraps"),
    Kind("tts.one_piece"),
    Kind("tts.no_timings"),
    Kind("tts.lingers"),
    # Tools; once for each use.
    Kind("tool.slow", 0.2, 1.0),
    Kind("tool.error"),
    Kind("tool.hang", 0.2, 1.0),
)


@frozen
class Fault:
    """A kind that a scenario switches on, and how often it strikes when it may."""

    kind: str
    rate: float


def draw_faults(seed: int, *, marks: bool) -> tuple[Fault, ...]:
    """Return a seed's faults: none for some, else one to ten kinds, and up to two of *marks* where there are any."""
    dice = Dice(seed, "swarm")
    if dice.chance(FAULT_FREE):
        return ()
    of_marks = [kind for kind in KINDS if kind.name.startswith("mark.")]
    chosen = dice.some_of([kind for kind in KINDS if kind not in of_marks], dice.whole(1, 10))
    if marks:
        chosen += dice.some_of(of_marks, dice.whole(0, 2))
    return tuple(
        Fault(kind.name, Dice(seed, f"rate of {kind.name}").log_between(kind.low, kind.high)) for kind in chosen
    )


@define(eq=False)
class Faults:
    """Decides, at each opportunity, whether something goes wrong.

    Args:
        seed: The scenario's.
        chosen: What may go wrong.
        heal_at: Clock time from which nothing does any more.
        record: Learns of what did.
    """

    seed: int
    chosen: tuple[Fault, ...]
    heal_at: float
    record: Record
    _rates: dict[str, float] = field(init=False)
    _dice: dict[str, Dice] = field(factory=dict, init=False)

    def __attrs_post_init__(self) -> None:
        self._rates = {fault.kind: fault.rate for fault in self.chosen}

    def may(self, kind: str) -> bool:
        """Whether *kind* is among what may go wrong in this call."""
        return kind in self._rates

    def strikes(self, kind: str) -> bool:
        """Whether *kind* strikes at this opportunity."""
        rate = self._rates.get(kind)
        if rate is None or trio.current_time() >= self.heal_at or not self._of(kind).chance(rate):
            return False
        self.record.note("fault", of=kind)
        return True

    def amount(self, kind: str, low: float, high: float) -> float:
        """Return how much of it."""
        return self._of(kind).between(low, high)

    def _of(self, kind: str) -> Dice:
        found = self._dice.get(kind)
        if found is None:
            found = self._dice[kind] = Dice(self.seed, f"fault {kind}")
        return found
