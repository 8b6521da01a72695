"""How like a hum a sound is: "mm" and "mhm" are voiced, dark, and hardly move."""

from __future__ import annotations

import math

from attrs import define

from tomrt.audio.ingress import Timbre

__all__ = ["Humming"]

FEWEST_FRAMES = 3
FULL_FRAMES = 25
"""500 ms; of less sound less can be said."""

LEAST_PERIODIC = 0.6
"""What is less periodic on average is no hum, however still it is: a breath, a rustle."""

BIAS, CAUTION = 6.8, 0.04
MOVED, MOVED_RMS, PERIODIC, LEAST_PERIODICITY, TURNED = -5.40, 2.38, -3.07, -0.21, -4.14
BOTTOM, DARK, LOW, LEAST_DARK = 0.309, -0.306, -0.016, 0.203
"""Log-odds per unit of what is measured: a logistic regression over hums and the first half seconds of sentences."""


@define
class Humming:
    """Sums over the frames of one burst of sound."""

    frames: int = 0
    _last: Timbre | None = None
    _moved: float = 0.0
    _moved_squares: float = 0.0
    _periodic: float = 0.0
    _least_periodic: float = 1.0
    _turned: float = 0.0
    _bottom: float = 0.0
    _dark: float = 0.0
    _least_dark: float = 60.0
    _low: float = 0.0

    def add(self, timbre: Timbre) -> None:
        """Take the next frame that sounds."""
        bands = timbre.bands_db
        if self._last is not None:
            moved = sum(abs(a - b) for a, b in zip(bands, self._last.bands_db, strict=True)) / len(bands)
            self._moved += moved
            self._moved_squares += moved * moved
        self._last = timbre
        self.frames += 1
        self._periodic += timbre.periodicity
        self._least_periodic = min(self._least_periodic, timbre.periodicity)
        self._turned += timbre.pitch_change
        self._bottom += bands[0] - bands[1]
        dark = max(bands[0], bands[1]) - max(bands[3], bands[4], bands[5])
        self._dark += dark
        self._least_dark = min(self._least_dark, dark)
        self._low += bands[0] - bands[2]

    @property
    def likeness(self) -> float:
        """How like a hum it was so far, 0 to 1; 0.6 is what one sentence in eighty reaches in its first 500 ms."""
        count = self.frames
        if count < FEWEST_FRAMES or self._periodic < LEAST_PERIODIC * count:
            return 0.0
        steps = count - 1
        odds = (
            BIAS
            - CAUTION * max(FULL_FRAMES - count, 0)
            + MOVED * self._moved / steps
            + MOVED_RMS * math.sqrt(self._moved_squares / steps)
            + PERIODIC * self._periodic / count
            + LEAST_PERIODICITY * self._least_periodic
            + TURNED * self._turned / count
            + BOTTOM * self._bottom / count
            + DARK * self._dark / count
            + LOW * self._low / count
            + LEAST_DARK * self._least_dark
        )
        return 1.0 / (1.0 + math.exp(-max(min(odds, 30.0), -30.0)))
