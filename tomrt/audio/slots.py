"""When the frames of a line without a clock of its own are taken and sent: a 20 ms grid in step with what arrives."""

from __future__ import annotations

from math import floor

__all__ = ["PERIOD_S", "SlotClock"]

PERIOD_S = 0.020
GUARD_S = 0.002
"""A pull comes so long after nine of ten packets have arrived, so that none of them waits for another turn."""
SEND_S = 0.001
"""A frame is sent so long after a pull: what was just heard has been judged by then, and decides what is sent."""
WINDOW = 50
"""Packets between two looks at the phase; a second's."""
STEP_S = 0.005
"""The grid moves by no more than this at a time."""
DEADBAND_S = 0.001
"""Less is not worth a packet off the grid."""
SPREAD_S = 0.008
"""Packets that are scattered more have no phase; the jitter buffer deals with them."""


class SlotClock:
    """A grid of pull slots, and of send slots 1 ms behind them, that keeps in step with arriving packets.

    Being in step is worth 10 ms on average: a packet is heard 2 ms after it came, and what it leads to is sent 1 ms
    later, where two grids out of step would wait up to a period each. A sender whose clock runs faster or slower than
    ours is followed. Plain code over times that the caller passes in.

    Args:
        now: Where the grid stands until the first packet comes, seconds on any clock.
    """

    def __init__(self, now: float) -> None:
        self._base = now
        self._waits: list[float] | None = None
        self._looked_at = now

    def arrived(self, now: float) -> None:
        """Take note that a packet of 20 ms arrived."""
        if self._waits is None:
            self._base, self._waits, self._looked_at = now + GUARD_S, [], now
            return
        self._waits.append((self._base - now) % PERIOD_S)
        if len(self._waits) == WINDOW:
            if now - self._looked_at > WINDOW * PERIOD_S / 2:  # else it was a burst
                self._keep_step(sorted(self._waits))
            self._waits, self._looked_at = [], now

    def pull_at(self, after: float) -> float:
        """Return the first pull slot that is more than half a period later than *after*, which may be the last one."""
        return self._slot(after + PERIOD_S / 2)

    def send_at(self, after: float) -> float:
        """Return the first send slot at or after a time."""
        return self._slot(after - SEND_S - 1e-9) + SEND_S

    def _slot(self, after: float) -> float:
        """Return the first slot later than *after*."""
        return self._base + (floor((after - self._base) / PERIOD_S + 1e-9) + 1) * PERIOD_S

    def _keep_step(self, waits: list[float]) -> None:
        """Move the grid so that the late ones of the packets wait for the guard time and no longer."""
        # Waits lie on a circle: it is cut open where the widest gap is.
        gaps = [later - earlier for earlier, later in zip(waits, [*waits[1:], waits[0] + PERIOD_S], strict=True)]
        first = (gaps.index(max(gaps)) + 1) % len(waits)
        opened = waits[first:] + [wait + PERIOD_S for wait in waits[:first]]
        shortest, longest = opened[len(opened) // 10], opened[-1 - len(opened) // 10]
        if longest - shortest > SPREAD_S:
            return
        surplus = (shortest - GUARD_S + PERIOD_S / 2) % PERIOD_S - PERIOD_S / 2
        if abs(surplus) > DEADBAND_S:
            self._base -= min(max(surplus, -STEP_S), STEP_S)
