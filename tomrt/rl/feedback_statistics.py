"""What the feedback store holds, in figures."""

from __future__ import annotations

from typing import Any

import attrs
from attrs import field, frozen

from tomrt.rl.feedback import SIGNALS
from tomrt.rl.table import as_html, as_text

__all__ = ["Statistics", "VariantStatistics"]


@frozen(kw_only=True)
class VariantStatistics:
    """One variant in one profile.

    Args:
        variant: Its name.
        profile: What kind of assistant took the calls.
        decisions: Calls that it was chosen for.
        feedback: Those of them of which something is known.
        missing: Of those with feedback, how many lack each signal.
        means: The mean of each signal where it is known; ``None`` where it is nowhere.
    """

    variant: str
    profile: str
    decisions: int
    feedback: int
    missing: dict[str, int]
    means: dict[str, float | None]


@frozen(kw_only=True)
class Statistics:
    """What is stored, and what was not.

    Args:
        variants: Sorted by name and profile.
        duplicates: Events that said nothing new.
        contradictions: Those that contradicted what was known; the first value stood.
        unknown: Events for decisions that are not there.
    """

    variants: tuple[VariantStatistics, ...] = field()
    duplicates: int = 0
    contradictions: int = 0
    unknown: int = 0

    @property
    def decisions(self) -> int:
        """All calls."""
        return sum(row.decisions for row in self.variants)

    @property
    def feedback(self) -> int:
        """All calls of which something is known."""
        return sum(row.feedback for row in self.variants)

    def to_dict(self) -> dict[str, Any]:
        """Return the figures as JSON."""
        return {"decisions": self.decisions, "feedback": self.feedback, **attrs.asdict(self)}

    def __str__(self) -> str:
        last = (
            f"{self.decisions} decisions, {self.feedback} with feedback; {self.duplicates} duplicates "
            f"({self.contradictions} of them contradicted), {self.unknown} for unknown decisions"
        )
        return f"{as_text(_HEAD, self._rows())}\n{last}"

    def _repr_html_(self) -> str:
        return as_html(_HEAD, self._rows())

    def _rows(self) -> list[tuple[str, ...]]:
        return [
            (row.variant, row.profile, str(row.decisions), str(row.feedback), *(_shown(row, name) for name in SIGNALS))
            for row in self.variants
        ]


_HEAD = ("variant", "profile", "decisions", "feedback", *SIGNALS)


def _shown(row: VariantStatistics, name: str) -> str:
    """Return a signal's mean, and behind a stroke how many calls with feedback lack it."""
    mean, missing = row.means[name], row.missing[name]
    return ("-" if mean is None else f"{mean:.3g}") + (f" /{missing}" if missing else "")
