"""Thompson sampling with a Beta posterior for each arm: right for yes and no, slow for rewards in between."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Self

import numpy as np
from numpy.typing import NDArray

from tomrt.rl.errors import InvalidState
from tomrt.rl.rules import BanditRules
from tomrt.rl.state_fields import numbers
from tomrt.rl.thompson import Floats, Thompson

__all__ = ["BetaThompson"]


class BetaThompson(Thompson):
    """Beta-Bernoulli Thompson sampling on y = (reward + 1) / 2.

    A reward between the ends counts as y of a success and 1 - y of a failure. For rewards of -1 and 1 this is the exact
    posterior (Chapelle and Li 2011). For others it is a quasi-posterior: its mean is right, but it takes the variance
    of a coin, y (1 - y), where the rewards have less, and so explores for longer than it need. It is kept as what
    others do, to be compared with.
    """

    kind = "beta"

    def __init__(self, rules: BanditRules, arms: Sequence[str], rng: np.random.Generator) -> None:
        super().__init__(rules, arms, rng)
        self._prior = np.ones((2, len(arms)))
        self._counts = np.zeros((2, len(arms)))

    def means(self) -> Floats:
        """Return the expected reward of each arm, shape (K,)."""
        successes, failures = self._prior + self._counts
        return np.asarray(2.0 * successes / (successes + failures) - 1.0)

    def noise_sd(self) -> None:
        """Return nothing: the spread of a coin follows from its mean."""

    def _draw(self, rng: np.random.Generator, count: int) -> Floats:
        # Rounding after replaced rewards may leave a count a hair below zero.
        successes, failures = self._prior + np.maximum(self._counts, 0.0)
        return 2.0 * rng.beta(successes, failures, (count, successes.size)) - 1.0

    def _forget(self, discount: float) -> None:
        self._counts *= discount

    def _take(
        self,
        arm: int,
        reward: float,
        replacing: float | None,
        weight: float,
        context: Sequence[tuple[str, str]],  # noqa: ARG002 - a coin does not adjust for it
    ) -> None:
        if replacing is None:
            self._counts[:, arm] += (weight * (1.0 + reward) / 2.0, weight * (1.0 - reward) / 2.0)
        else:
            moved = weight * (reward - replacing) / 2.0
            self._counts[:, arm] += (moved, -moved)

    def _believe(self, arms: NDArray[np.intp], means: Floats, weight: float) -> None:
        self._prior[0, arms] += weight * (1.0 + means) / 2.0
        self._prior[1, arms] += weight * (1.0 - means) / 2.0

    def _grow(self, arm: str, slots: Mapping[str, str]) -> None:  # noqa: ARG002 - arms are alike here
        self._prior = np.hstack((self._prior, np.ones((2, 1))))
        self._counts = np.hstack((self._counts, np.zeros((2, 1))))

    def _statistics(self) -> dict[str, object]:
        return {
            "prior_successes": self._prior[0].tolist(),
            "prior_failures": self._prior[1].tolist(),
            "successes": self._counts[0].tolist(),
            "failures": self._counts[1].tolist(),
        }

    def _restore(self, data: Mapping[str, object]) -> None:
        prior = [numbers(data, name, "bandit", low=1.0) for name in ("prior_successes", "prior_failures")]
        counts = [numbers(data, name, "bandit", low=-1e-6) for name in ("successes", "failures")]
        if {len(row) for row in (*prior, *counts)} != {len(self.arms)}:
            raise InvalidState(f"bandit: successes and failures are not of {len(self.arms)} arms")
        self._prior, self._counts = np.array(prior), np.array(counts)

    @classmethod
    def _empty(cls, rules: BanditRules, arms: Sequence[str], data: Mapping[str, object]) -> Self:  # noqa: ARG003
        return cls(rules, arms, np.random.default_rng(0))
