"""Who chose what, with which probabilities, and what came of it: the columns that estimates are made from, checked."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from attrs import field, frozen
from numpy.typing import NDArray

from tomrt.rl.decision import Decision
from tomrt.rl.errors import LearningError

__all__ = ["Log"]

Floats = NDArray[np.float64]

SUM_TOLERANCE = 1e-6


@frozen(kw_only=True, eq=False)
class Log:
    """Who chose what, with which probabilities, and what came of it; checked once, when it is made.

    Args:
        arms: All arms that occur, K of them.
        chosen: Place of the chosen arm, (n,) intp.
        probabilities: (n, K) float64: how likely each arm was at that moment, 0 where it could not be chosen.
        rewards: (n,) float64.
        callers: (n,) Whose call it was, numbered from 0: calls of one caller are not independent. By default all of
            different callers.

    Raises:
        LearningError: the shapes differ, or probabilities are missing, outside 0 to 1, or do not sum to 1.
    """

    arms: tuple[str, ...]
    chosen: NDArray[np.intp]
    probabilities: Floats
    rewards: Floats
    callers: NDArray[np.intp] = field()

    @callers.default
    def _all_different(self) -> NDArray[np.intp]:
        return np.arange(len(self.chosen))

    def __attrs_post_init__(self) -> None:
        n, kinds = len(self.chosen), len(self.arms)
        if self.probabilities.shape != (n, kinds) or not self.rewards.shape == self.callers.shape == (n,):
            raise LearningError(
                f"a log of {n} choices among {kinds} arms needs probabilities ({n}, {kinds}), rewards and callers "
                f"({n},), not {self.probabilities.shape}, {self.rewards.shape} and {self.callers.shape}"
            )
        if faults := [*self._faults()]:
            raise LearningError(*faults)

    def _faults(self) -> list[str]:
        p = self.probabilities
        bad = ~np.isfinite(p) | (p < 0) | (p > 1)
        wrong = {
            "have no usable probabilities": bad.any(axis=1),
            "have probabilities that do not sum to 1": ~(np.abs(p.sum(axis=1) - 1.0) <= SUM_TOLERANCE),
            "chose an arm whose recorded probability is 0": ~(self.propensities > 0),
            "have a reward that is not a number": ~np.isfinite(self.rewards),
        }
        return [
            f"{int(rows.sum())} of {len(rows)} decisions {what}, the first at place {int(rows.argmax())}; "
            "without them nothing can be estimated"
            for what, rows in wrong.items()
            if rows.any()
        ]

    @property
    def propensities(self) -> Floats:
        """Probability (n,) of what was chosen."""
        return np.asarray(self.probabilities[np.arange(len(self.chosen)), self.chosen], dtype=np.float64)

    def __len__(self) -> int:
        return len(self.chosen)

    def where(self, rows: NDArray[np.bool_]) -> Log:
        """Return the part of the log for which *rows* (n,) is true."""
        return Log(
            arms=self.arms,
            chosen=self.chosen[rows],
            probabilities=self.probabilities[rows],
            rewards=self.rewards[rows],
            callers=self.callers[rows],
        )

    def could_choose(self, arm: str) -> NDArray[np.bool_]:
        """Return (n,) whether *arm* could have been chosen.

        Raises:
            LearningError: the log has no such arm.
        """
        return np.asarray(self.probabilities[:, self.place(arm)] > 0)

    def plays(self, arm: str) -> int:
        """Return how often *arm* was chosen."""
        return int((self.chosen == self.place(arm)).sum())

    def place(self, arm: str) -> int:
        """Return the place of *arm* among the arms.

        Raises:
            LearningError: the log has no such arm.
        """
        if arm not in self.arms:
            raise LearningError(f"arm {arm!r} is not in the log; it has {', '.join(self.arms) or 'none'}")
        return self.arms.index(arm)

    @classmethod
    def of(
        cls, decisions: Sequence[Decision], rewards: Sequence[float] | Floats, callers: Sequence[str] | None = None
    ) -> Log:
        """Return the log of *decisions*, with the reward of each.

        Args:
            decisions: What was chosen.
            rewards: What each earned.
            callers: A pseudonym for each; ``""`` where the caller is unknown, and then counts as another one each time.

        Raises:
            LearningError: probabilities are missing, or are not those of the recorded propensity.
        """
        arms = tuple(sorted({arm for each in decisions for arm in (each.arm, *each.eligible)}))
        place = {arm: index for index, arm in enumerate(arms)}
        probabilities = np.zeros((len(decisions), len(arms)))
        for row, each in enumerate(decisions):
            _check(each, row)
            probabilities[row, [place[arm] for arm in each.eligible]] = each.probabilities
        return cls(
            arms=arms,
            chosen=np.array([place[each.arm] for each in decisions], dtype=np.intp),
            probabilities=probabilities,
            rewards=np.asarray(rewards, dtype=np.float64),
            callers=_numbered(callers or [""] * len(decisions)),
        )


def _numbered(callers: Sequence[str]) -> NDArray[np.intp]:
    """Return a number for each caller, the unknown ones all different."""
    places: dict[str, int] = {}
    return np.array(
        [places.setdefault(each or f"#{row}", len(places)) for row, each in enumerate(callers)], dtype=np.intp
    )


def _check(decision: Decision, row: int) -> None:
    """Refuse a decision whose propensity cannot be told from its probabilities."""
    name = f"decision {decision.id[:12] or row}"
    if not decision.probabilities or len(decision.probabilities) != len(decision.eligible):
        raise LearningError(f"{name} has no probability for each arm that was eligible; it cannot be learned from")
    if decision.arm not in decision.eligible:
        raise LearningError(f"{name} chose {decision.arm!r}, which was not eligible")
    recorded = decision.probabilities[decision.eligible.index(decision.arm)]
    if not abs(recorded - decision.propensity) <= SUM_TOLERANCE:
        raise LearningError(f"{name} has propensity {decision.propensity:g}, but its probabilities say {recorded:g}")
