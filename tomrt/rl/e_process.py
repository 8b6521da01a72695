r"""A test that may be looked at after every call: an exact e-process for randomised splits.

Each call is given to the variant (z = 1) with a probability *p* that is known, else to its control (z = 0). With an
outcome y from 0 to 1, and a centre m and a slope λ that were fixed before the call,

.. math:: F = 1 \mp \lambda\,(y - m)\,\frac{z - p}{1 - p}

has the expectation :math:`1 \mp \lambda p\,(\mu_1 - \mu_0)`, where the μ are the mean outcomes of variant and control:
minus looks for harm, plus for a variant that is better. So while the variant's mean is not below (not above) its
control's, the product of these factors is a non-negative supermartingale that begins at 1, *whatever* the
distributions of y, and by Ville's inequality it *ever* reaches 1/alpha with a probability of at most alpha. Means and
probabilities may change from call to call. (Betting on means: Waudby-Smith and Ramdas 2024.)

For outcomes of 0 and 1 this is the mixture likelihood ratio :math:`g_z(y) / \sum_{z'} p_{z'} g_{z'}(y)` of coins g,
written as a line in y. For outcomes in between, such a ratio is exact only where variant and control have the same
distribution: it takes another spread for another mean. A line does not, and finds a difference as soon.

The bets: that the variant is d standard deviations away, for each effect d, with λ = d/s and m the mean that all calls
together would have then, from mean and standard deviation s of the control so far; no bolder than that nine tenths of
a stake can be lost. The stakes on several d are added up.

A part of the stake is put in later, bit by bit with the outcomes of the variant, half of it within the first hundred.
So the process never sinks so deep after a long time without harm that harm which begins late would not be seen.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

from attrs import define, field

from tomrt.rl.state_fields import number, numbers, whole

__all__ = ["EFFECTS", "EProcess", "Reference"]

EFFECTS = (0.25, 0.5)
"""Differences that are bet on, in standard deviations."""
WEIGHTS = (0.5, 0.5)
"""How much of the stake is on each: tuned for the time to find a fall from .80 to .60 with a tenth of the calls,
without losing sight of small differences."""
_LATER = 0.15
"""Part of the stake that is put in as time goes on."""
_HALF = 100.0
"""Outcomes of the variant after which half of that is in."""
_MOST = 1e300
"""No value is larger: what is cut off could only have made the evidence stronger."""
_BOLDEST = 0.9
"""Part of a stake that one call can take at most."""

_GUESSED_OUTCOMES = 4.0
_GUESSED_MEAN = 0.6
_GUESSED_DEVIATION = 0.35
_LEAST_DEVIATION = 0.05
_EDGE = 0.02
"""So far inside of 0 and 1 a centre is kept."""


@define
class Reference:
    """What the outcomes of a control were so far: mean and standard deviation, by Welford's method.

    It begins with a guess that weighs as much as four outcomes. Only how quick the test is depends on it, never how
    often the test is wrong.
    """

    count: float = _GUESSED_OUTCOMES
    mean: float = _GUESSED_MEAN
    squares: float = _GUESSED_OUTCOMES * _GUESSED_DEVIATION**2

    @property
    def deviation(self) -> float:
        """The standard deviation, at least 0.05."""
        return max(_LEAST_DEVIATION, math.sqrt(self.squares / self.count))

    @property
    def outcomes(self) -> int:
        """How many outcomes were seen."""
        return round(self.count - _GUESSED_OUTCOMES)

    def see(self, y: float) -> None:
        """Take in an outcome from 0 to 1, after the tests that it belongs to were given it."""
        self.count += 1.0
        before = y - self.mean
        self.mean += before / self.count
        self.squares += before * (y - self.mean)

    def to_dict(self) -> dict[str, object]:
        """Return the state as JSON values."""
        return {"count": self.count, "mean": self.mean, "squares": self.squares}

    @classmethod
    def from_dict(cls, data: Mapping[str, object], where: str) -> Reference:
        """Return what :meth:`to_dict` wrote; *where* names it in faults. Raises InvalidState."""
        return cls(
            number(data, "count", where, low=_GUESSED_OUTCOMES),
            number(data, "mean", where, low=0.0, high=1.0),
            number(data, "squares", where, low=0.0),
        )


@define
class EProcess:
    """Evidence for one direction, as a stake that grows when the bets come true.

    Args:
        sign: -1 looks for harm, 1 for a variant that is better.
        wealth: What the bet on each effect is worth now.
        taken: Outcomes of the variant so far.
    """

    sign: float
    wealth: list[float] = field(factory=lambda: [(1.0 - _LATER) * weight for weight in WEIGHTS])
    taken: int = 0

    @property
    def value(self) -> float:
        """The e-value: at least 1/alpha at any time with probability alpha at most, if there is nothing to find."""
        return min(_MOST, sum(self.wealth))

    def see(self, y: float, *, took: bool, p: float, mean: float, deviation: float) -> None:
        """Multiply by the factors of one call.

        Args:
            y: Its outcome, from 0 to 1.
            took: Whether the variant had the call, rather than its control.
            p: The probability with which it was to have it, above 0 and below 1.
            mean: Of the control's outcomes before this call, from 0 to 1.
            deviation: Their standard deviation, above 0.
        """
        for bet, d in enumerate(EFFECTS):
            centre, slope = _bet(self.sign * d * deviation, p, mean, deviation)
            gain = self.sign * slope * (y - centre)
            factor = 1.0 + gain if took else 1.0 - gain * p / (1.0 - p)
            self.wealth[bet] = min(_MOST, self.wealth[bet] * factor)
        if took:
            self.taken += 1
            later = _LATER * _HALF / ((_HALF + self.taken - 1.0) * (_HALF + self.taken))
            for bet, weight in enumerate(WEIGHTS):
                self.wealth[bet] += weight * later

    def to_dict(self) -> dict[str, object]:
        """Return the state as JSON values."""
        return {"effects": list(EFFECTS), "wealth": list(self.wealth), "taken": self.taken}

    @classmethod
    def from_dict(cls, sign: float, data: Mapping[str, object], where: str) -> EProcess:
        """Return what :meth:`to_dict` wrote of one direction; *where* names it in faults. Raises InvalidState.

        The state of other effects is that of another test: its value is kept and shared out anew, which is a bet like
        any other, made on what is known by then.
        """
        wealth = numbers(data, "wealth", where, low=0.0)
        if numbers(data, "effects", where) != list(EFFECTS) or len(wealth) != len(EFFECTS):
            wealth = [sum(wealth) * weight for weight in WEIGHTS]
        return cls(sign, wealth, whole(data, "taken", where))


def _bet(effect: float, p: float, mean: float, deviation: float) -> tuple[float, float]:
    """Return centre and slope of the bet that the variant's mean is its control's plus *effect*.

    The slope is such that no factor is below a tenth, at whatever outcome from 0 to 1.
    """
    centre = max(_EDGE, min(1.0 - _EDGE, mean + p * effect))
    against, in_favour = (1.0 - centre, centre) if effect < 0.0 else (centre, 1.0 - centre)
    slope = abs(effect) / (deviation * deviation)
    return centre, min(slope, _BOLDEST / against, _BOLDEST * (1.0 - p) / (p * in_favour))
