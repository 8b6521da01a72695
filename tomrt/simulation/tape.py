"""The voice of a simulated call: noise of which every piece tells where it stands.

All that the assistant ever says in a call is cut, in order, from one tape. Whoever finds a frame on it knows which
sentence it is from and which samples of it, whatever the code under test believes.
"""

from __future__ import annotations

from bisect import bisect_right
from functools import cache

import numpy as np
from attrs import define, field

from tomrt.errors import EngineError

__all__ = ["Spots", "Tape"]

LENGTH = 1 << 21
"""Samples: 131 s at 16 kHz. A call of some 20 s, whose replies are made at most 8 s ahead, needs less."""
KEY = 8
"""So many samples in a row are unique on the tape."""

Spots = tuple[tuple[int, int], ...]


@cache
def _noise() -> bytes:
    # No byte is zero: what is padded or silent can be told from what is not.
    samples = np.random.default_rng(20).integers(1, 32, (LENGTH, 2), dtype=np.uint8)
    samples[:, 0] |= 1
    signs = np.random.default_rng(21).integers(0, 2, LENGTH, dtype=bool)
    samples[signs, 1] += 224
    return samples.tobytes()


@define(eq=False)
class Tape:
    """One call's."""

    used: int = field(default=0, init=False)
    _ends: list[int] = field(factory=list, init=False)
    _next: int = field(default=0, init=False)

    def cut(self, samples: int) -> tuple[int, bytes]:
        """Return where the *samples* of the next sentence stand, and the samples.

        Raises:
            EngineError: the tape is at its end.
        """
        start = self.used
        if start + samples > LENGTH:
            raise EngineError("the simulated voice is exhausted")
        self.used += samples
        self._ends.append(self.used)
        return start, _noise()[2 * start : 2 * self.used]

    def find(self, pcm: bytes) -> Spots:
        """Return the pieces of the tape that make up *pcm*, first and last sample of each.

        Nothing for what was not cut from the tape as it is: silence, a fade-out. A faded beginning is found by what
        follows it.
        """
        core = pcm.rstrip(b"\0")
        pieces: list[tuple[int, int]] = []
        at, length = 0, len(core) // 2
        while at < length:
            start = self._next if self._stands(core, at, self._next) else self._search(core, at)
            if start is None and not pieces and at == 0:
                start = self._search(core, length // 2)  # a fade-in is shorter than half a frame
                start = None if start is None else max(0, start - length // 2)
            if start is None:
                break
            stop = min(start + length - at, self._ends[bisect_right(self._ends, start)])
            pieces.append((start, stop))
            at += stop - start
            self._next = stop
        return tuple(pieces)

    def _stands(self, core: bytes, at: int, start: int) -> bool:
        """Whether the samples of *core* from *at* on stand at *start* of the tape."""
        key = core[2 * at : 2 * (at + KEY)]
        return start < self.used and _noise()[2 * start : 2 * start + len(key)] == key

    def _search(self, core: bytes, at: int) -> int | None:
        if len(core) // 2 - at < KEY:  # too short to be found anywhere but at the beginning of a sentence
            return next((start for start in reversed(self._ends) if self._stands(core, at, start)), None)
        found = _noise().find(core[2 * at : 2 * (at + KEY)], 0, 2 * self.used)
        return found // 2 if found >= 0 and found % 2 == 0 else None
