"""ITU-T G.711 Appendix I (09/1999), packet-loss concealment by pitch repetition, as a yardstick.

Written from the published description: 8 kHz, 10 ms at a time, 48.75 ms of history, pitch of 5 to 15 ms from the
normalised correlation of the last 20 ms, one, two and then three periods repeated, a quarter of a period overlapped, a
fade of 20 % per 10 ms from the second 10 ms on, and 3.75 ms of delay so that the overlap can begin before the loss.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["DELAY", "AppendixOne"]

Signal = NDArray[np.float64]

DELAY = 30
STEP = 80
HISTORY = 390
SHORTEST, LONGEST = 40, 120
WINDOW = 160
LEAST_POWER = 250.0
MERGE_GROWTH = 32
FADE_PER_STEP = 0.2


def _overlap(old: Signal, new: Signal) -> Signal:
    """Fade linearly from *old* to *new*, which are equally long."""
    rise = np.arange(1, len(old) + 1) / len(old)
    return old * (1 - rise) + new * rise


class AppendixOne:
    """Takes 10 ms at a time and gives 10 ms back, :data:`DELAY` samples late."""

    def __init__(self) -> None:
        self._history = np.zeros(HISTORY)
        self._erased = 0
        self._pitch = SHORTEST
        self._quarter = SHORTEST // 4
        self._offset = 0
        self._buffer = np.zeros(HISTORY)
        self._periods = 1
        self._last_quarter = np.zeros(SHORTEST // 4)

    def good(self, samples: Signal) -> Signal:
        """Take 10 ms that arrived."""
        samples = samples.copy()
        if self._erased:
            length = min(self._quarter + (self._erased - 1) * MERGE_GROWTH, STEP)
            made = self._voice(length) * max(0.0, 1 - (self._erased - 1) * FADE_PER_STEP)
            samples[:length] = _overlap(made, samples[:length])
            self._erased = 0
        return self._put(samples)

    def lost(self) -> Signal:
        """Make up 10 ms that did not arrive."""
        if self._erased == 0:
            self._begin()
            made = self._voice(STEP)
        elif self._erased in {1, 2}:
            made = self._another_period()
        else:
            made = self._voice(STEP)
        if self._erased >= 1:
            start = 1 - (self._erased - 1) * FADE_PER_STEP
            ramp = start - FADE_PER_STEP * np.arange(STEP) / STEP
            made = made * np.maximum(ramp, 0.0)
        self._erased += 1
        return self._put(made)

    def _put(self, samples: Signal) -> Signal:
        self._history = np.concatenate([self._history[len(samples) :], samples])
        return self._history[-len(samples) - DELAY : -DELAY]

    def _begin(self) -> None:
        self._buffer = self._history.copy()
        self._pitch = self._find_pitch()
        self._quarter = self._pitch // 4
        self._last_quarter = self._buffer[-self._quarter :].copy()
        self._offset = 0
        self._use_periods(1)
        # The overlap reaches back into samples that the delay has kept from being played.
        self._history[-self._quarter :] = self._buffer[-self._quarter :]

    def _use_periods(self, count: int) -> None:
        """Repeat the last *count* periods: their end is made to run into their beginning."""
        self._periods = count
        before = len(self._buffer) - count * self._pitch
        self._buffer[-self._quarter :] = _overlap(self._last_quarter, self._buffer[before - self._quarter : before])

    def _another_period(self) -> Signal:
        """Lengthen the repeated stretch by a period, keeping the phase, with an overlap."""
        old_offset = self._offset
        tail = self._voice(self._quarter)
        self._offset = old_offset % self._pitch
        self._use_periods(self._periods + 1)
        made = self._voice(STEP)
        made[: self._quarter] = _overlap(tail, made[: self._quarter])
        return made

    def _voice(self, count: int) -> Signal:
        """Read the next *count* samples of the endless repetition."""
        span = self._periods * self._pitch
        where = (self._offset + np.arange(count)) % span
        self._offset = (self._offset + count) % span
        return self._buffer[len(self._buffer) - span + where]

    def _find_pitch(self) -> int:
        """Return the lag of the best normalised correlation: every second lag on every second sample, then finely."""
        coarse = max(range(SHORTEST, LONGEST + 1, 2), key=lambda lag: self._likeness(lag, 2))
        near = range(max(coarse - 1, SHORTEST), min(coarse + 1, LONGEST) + 1)
        return max(near, key=lambda lag: self._likeness(lag, 1))

    def _likeness(self, lag: int, stride: int) -> float:
        now = self._buffer[-WINDOW::stride]
        then = self._buffer[-WINDOW - lag : -lag : stride]
        return float(now @ then) / float(np.sqrt(max(float(then @ then), LEAST_POWER)))
