"""Fades and lengths of time: how a voice begins and ends without a click."""

from __future__ import annotations

from tomrt._dsp.fade import fade_in, fade_out, gain
from tomrt.errors import MisuseError

__all__ = ["fade_in", "fade_out", "fade_samples", "gain"]


def fade_samples(rate_hz: int, fade_ms: float) -> int:
    """Return how many samples a fade of *fade_ms* milliseconds has, rounded.

    Raises:
        MisuseError: the rate is not positive, or the fade is negative.
    """
    if rate_hz <= 0 or fade_ms < 0:
        raise MisuseError(f"No fade lasts {fade_ms} ms at {rate_hz} Hz.")
    return round(rate_hz * fade_ms / 1000)
