"""Thompson sampling with a Gaussian reward of unknown noise: every arm by itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Self

import numpy as np
from numpy.typing import NDArray

from tomrt.rl.errors import InvalidState
from tomrt.rl.rules import BanditRules
from tomrt.rl.state_fields import number, numbers
from tomrt.rl.thompson import Floats, Thompson

__all__ = ["NOISE_SCALE", "NOISE_SHAPE", "GaussianThompson"]

NOISE_SHAPE = 2.0
"""Shape of the inverse gamma prior of the noise variance: as much as four rewards tell of it."""
NOISE_SCALE = 0.16
"""Its scale: the noise is about .4 (variance .16) before anything is known of it."""
_PRIOR_WEIGHT = 1.0


class GaussianThompson(Thompson):
    """Normal-inverse-gamma Thompson sampling: the noise is unknown, and one for all arms.

    The noise is what callers and tasks bring along, and they are dealt to the arms at random; so it is estimated from
    the rewards of all arms together, and an arm with three rewards is not believed to be steady for having had three
    alike. Before it is tried, an arm is believed to be about as good as the rewards so far, as much as one reward
    tells: around a fixed number, a first arm that pays more than that would never be left. With counts n, sums s,
    squares yy and prior weight k of mean c (Murphy 2007, "Conjugate Bayesian analysis of the Gaussian distribution",
    section 3)::

        m = (k c + s) / (k + n)
        noise ~ InverseGamma(a + sum(n) / 2, b + (yy + sum(k c^2) - sum((k + n) m^2)) / 2)
        mean of an arm ~ Normal(m, noise / (k + n))
    """

    kind = "gaussian"

    def __init__(self, rules: BanditRules, arms: Sequence[str], rng: np.random.Generator) -> None:
        super().__init__(rules, arms, rng)
        self._told_n = np.zeros(len(arms))
        self._told_b = np.zeros(len(arms))
        self._n = np.zeros(len(arms))
        self._b = np.zeros(len(arms))
        self._yy = 0.0

    def _prior(self) -> tuple[Floats, Floats]:
        """Return weights and means of the prior: of what was told in advance, and of the level of all rewards."""
        told = self._b.sum() + self._told_b.sum()
        level = told / (1.0 + self._n.sum() + self._told_n.sum())
        weights = _PRIOR_WEIGHT + self._told_n
        return weights, (_PRIOR_WEIGHT * level + self._told_b) / weights

    def means(self) -> Floats:
        """Return the expected reward of each arm, shape (K,)."""
        weights, centres = self._prior()
        return np.asarray((weights * centres + self._b) / (weights + self._n))

    def noise_sd(self) -> float:
        """Return the estimated standard deviation of a reward around its arm's mean."""
        shape, scale = self._noise()
        return float(np.sqrt(scale / (shape - 1.0)))

    def _noise(self) -> tuple[float, float]:
        """Return shape and scale of the noise variance's posterior."""
        weights, centres = self._prior()
        left = self._yy + weights @ centres**2 - (weights + self._n) @ self.means() ** 2
        return NOISE_SHAPE + self._n.sum() / 2.0, NOISE_SCALE + max(float(left), 0.0) / 2.0

    def _draw(self, rng: np.random.Generator, count: int) -> Floats:
        shape, scale = self._noise()
        noise = scale / rng.standard_gamma(shape, (count, 1))
        spread = np.sqrt(noise / (_PRIOR_WEIGHT + self._told_n + self._n))
        return np.asarray(self.means() + spread * rng.standard_normal(spread.shape))

    def _forget(self, discount: float) -> None:
        self._n *= discount
        self._b *= discount
        self._yy *= discount

    def _take(
        self,
        arm: int,
        reward: float,
        replacing: float | None,
        weight: float,
        context: Sequence[tuple[str, str]],  # noqa: ARG002 - every reward is taken as it comes
    ) -> None:
        old = 0.0 if replacing is None else replacing
        self._n[arm] += weight if replacing is None else 0.0
        self._b[arm] += weight * (reward - old)
        self._yy += weight * (reward * reward - old * old)

    def _believe(self, arms: NDArray[np.intp], means: Floats, weight: float) -> None:
        self._told_n[arms] += weight
        self._told_b[arms] += weight * means

    def _grow(self, arm: str, slots: Mapping[str, str]) -> None:  # noqa: ARG002 - arms are alike here
        self._told_n, self._told_b, self._n, self._b = (
            np.append(values, 0.0) for values in (self._told_n, self._told_b, self._n, self._b)
        )

    def _statistics(self) -> dict[str, object]:
        return {
            "prior_n": self._told_n.tolist(),
            "prior_b": self._told_b.tolist(),
            "n": self._n.tolist(),
            "b": self._b.tolist(),
            "yy": self._yy,
        }

    def _restore(self, data: Mapping[str, object]) -> None:
        self._told_n = np.array(numbers(data, "prior_n", "bandit", low=0.0))
        self._told_b = np.array(numbers(data, "prior_b", "bandit"))
        self._n = np.array(numbers(data, "n", "bandit", low=0.0))
        self._b = np.array(numbers(data, "b", "bandit"))
        self._yy = number(data, "yy", "bandit", low=-1e-6)
        if {len(row) for row in (self._told_n, self._told_b, self._n, self._b)} != {len(self.arms)}:
            raise InvalidState(f"bandit: n and b are not of {len(self.arms)} arms")
        if np.any(np.abs(self._b) > self._n + 1e-6) or np.any(np.abs(self._told_b) > self._told_n + 1e-6):
            raise InvalidState("bandit: b or prior_b is more than rewards from -1 to 1 can add up to")

    @classmethod
    def _empty(cls, rules: BanditRules, arms: Sequence[str], data: Mapping[str, object]) -> Self:  # noqa: ARG003
        return cls(rules, arms, np.random.default_rng(0))
