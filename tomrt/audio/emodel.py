"""The E-model (ITU-T G.107): what people would say of a call, computed from its delay and its losses.

Of its many impairments only those differ from call to call that a packet network makes: one-way delay and lost frames.
All else has its default, which also means that there is no echo (Idte and Idle are 0). G.711 with concealment of losses
is assumed (Ie = 0, Bpl = 25.1; G.113, appendix I). Wideband L16 is rated in the same way: its losses hurt alike, while
its better sound, for which G.107.1 has another scale, counts for nothing here, so that figures can be compared.
"""

from __future__ import annotations

import math

from tomrt.errors import MisuseError

__all__ = ["burst_ratio", "delay_impairment", "loss_impairment", "mean_opinion_score", "rating"]

BEST = 93.2
"""R with all parameters at their defaults (G.107, table 3)."""
EQUIPMENT = 0.0
ROBUSTNESS = 25.1
NOTICED_MS = 100.0
"""mT: less delay disturbs nobody."""
SENSITIVITY = 1.0
"""sT: that of people with no particular task."""


def rating(*, delay_ms: float, loss: float, burst_ratio: float = 1.0) -> float:
    """Return the transmission rating R: 93.2 for the best line, below 50 for one that nobody accepts.

    Args:
        delay_ms: From mouth to ear, one way.
        loss: Share of the frames that were not played, 0 to 1.
        burst_ratio: How much longer losses last than random ones would, at least 1.

    Raises:
        MisuseError: an argument is outside these limits.
    """
    return BEST - delay_impairment(delay_ms) - loss_impairment(loss, burst_ratio)


def delay_impairment(delay_ms: float) -> float:
    """Return Idd, what a one-way delay takes from R (G.107, 7.4.3).

    Raises:
        MisuseError: the delay is negative or no finite number.
    """
    if not (math.isfinite(delay_ms) and delay_ms >= 0):
        raise MisuseError(f"A delay is 0 ms or more, not {delay_ms}.")
    if delay_ms <= NOTICED_MS:
        return 0.0
    power = 6 * SENSITIVITY
    octaves = math.log2(delay_ms / NOTICED_MS)
    return 25 * (_norm(octaves, power) - 3 * _norm(octaves / 3, power) + 2)


def _norm(octaves: float, power: float) -> float:
    return math.pow(1 + math.pow(octaves, power), 1 / power)


def loss_impairment(loss: float, burst_ratio: float = 1.0) -> float:
    """Return Ie-eff, what lost frames take from R (G.107, 7.5); the formula holds to a burst ratio of about 2.

    Raises:
        MisuseError: *loss* is not from 0 to 1, or *burst_ratio* is less than 1 or no finite number.
    """
    if not 0 <= loss <= 1:
        raise MisuseError(f"A loss is from 0 to 1, not {loss}.")
    if not (math.isfinite(burst_ratio) and burst_ratio >= 1):
        raise MisuseError(f"A burst ratio is 1 or more, not {burst_ratio}.")
    percent = 100 * loss
    return EQUIPMENT + (95 - EQUIPMENT) * percent / (percent / burst_ratio + ROBUSTNESS)


def burst_ratio(mean_gap: float, loss: float) -> float:
    """Return how much longer losses last than random ones would, never less than 1.

    Args:
        mean_gap: Frames lost in a row, on average; 0 where it is not known.
        loss: Share of the frames lost, 0 to 1; random losses last ``1 / (1 - loss)`` frames.
    """
    return max(1.0, mean_gap * (1 - loss))


def mean_opinion_score(rating: float) -> float:
    """Return the mean opinion score that goes with R, 1 to 4.5 (G.107, annex B)."""
    if rating <= 0:
        return 1.0
    if rating >= 100:
        return 4.5
    # Below R = 6.5 the cubic would dip under the worst score there is.
    return max(1.0, 1 + 0.035 * rating + rating * (rating - 60) * (100 - rating) * 7e-6)
