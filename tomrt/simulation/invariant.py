"""What must hold in every call: a list of named, numbered functions, each fed with the entries it asked for.

A function sees the call as it was *before* the entry, and the entry; it returns what is wrong, in a sentence. The
numbers are those of the product's list of invariants; from 33 on they are the simulation's own.
"""

from __future__ import annotations

from collections.abc import Callable

from attrs import define, field, frozen

from tomrt.simulation.learn import learn
from tomrt.simulation.record import Entry
from tomrt.simulation.seen import Seen

__all__ = ["END", "INVARIANTS", "Guard", "Invariant", "Violation", "invariant"]

END = "end"
"""The kind of the entry that closes each record."""

Check = Callable[[Seen, Entry], str | None]


@frozen
class Invariant:
    """One of them."""

    number: int
    name: str
    kinds: tuple[str, ...]
    check: Check


@frozen
class Violation:
    """One that did not hold."""

    number: int
    name: str
    at: float
    what: str

    def __str__(self) -> str:
        return f"invariant {self.number} ({self.name}) at {self.at:.3f} s: {self.what}"


INVARIANTS: list[Invariant] = []


def invariant(number: int, name: str, *kinds: str) -> Callable[[Check], Check]:
    """Add the function below to the list; it is called with each entry of *kinds*."""

    def add(check: Check) -> Check:
        INVARIANTS.append(Invariant(number, name, kinds, check))
        return check

    return add


@define(eq=False)
class Guard:
    """Watches one call.

    Args:
        seen: What is known of it.
    """

    seen: Seen
    violations: list[Violation] = field(factory=list)
    _by_kind: dict[str, list[Invariant]] = field(factory=dict, init=False)

    def __attrs_post_init__(self) -> None:
        for each in INVARIANTS:
            for kind in each.kinds:
                self._by_kind.setdefault(kind, []).append(each)

    def look(self, entry: Entry) -> None:
        """Check what *entry* may break, then take note of it."""
        for each in self._by_kind.get(entry.kind, ()):
            wrong = each.check(self.seen, entry)
            if wrong is not None:
                self.violations.append(Violation(each.number, each.name, entry.at, wrong))
        learn(self.seen, entry)
