"""How even packets come: against the line's own grid of one for each 20 ms."""

from __future__ import annotations

import numpy as np
from attrs import field, frozen
from numpy.typing import NDArray

from bench.barge_in_clocks import FRAME_S

__all__ = ["Grid", "grid_of"]

SETTLE_S = 3.0
"""At the begin of a call the grid is still being found."""


@frozen(kw_only=True)
class Grid:
    """One line's packets.

    Args:
        late_s: How far each was from its tick, either way.
        excess: Packets beyond one for each tick.
        missing: Ticks without one, between the first and the last.
    """

    late_s: NDArray[np.float64] = field(repr=False)
    excess: int
    missing: int


def grid_of(times: NDArray[np.float64]) -> Grid:
    """Return how even packets came that arrived at *times*, in seconds.

    The grid is one for the whole call, with the median phase: a sender that drifts is late by it. A packet belongs to
    the nearest tick, so it is never more than 10 ms off; one that is later takes the place of the next, which is then
    one too many, while its own is missing.
    """
    times = times[np.searchsorted(times, times[0] + SETTLE_S) :] if len(times) else times
    if not len(times):
        return Grid(late_s=np.zeros(0), excess=0, missing=0)
    turns = np.exp(2j * np.pi * (times - times[0]) / FRAME_S)
    near = times[0] + float(np.angle(np.mean(turns))) / (2 * np.pi) * FRAME_S
    off = times - near - FRAME_S * np.round((times - near) / FRAME_S)
    phase = near + float(np.median(off))
    ticks = np.round((times - phase) / FRAME_S)
    taken = len(np.unique(ticks))
    return Grid(
        late_s=np.abs(times - phase - FRAME_S * ticks),
        excess=len(times) - taken,
        missing=int(ticks[-1] - ticks[0]) + 1 - taken,
    )
