"""What a caller can tell of a barge-in by ear alone: when it fell silent, whether it went on, whether it gave up.

Only the plain dialect says so itself. On every other path it is read from the sound: pure code over frames and times,
giving the same messages, ``hold``, ``resume`` and ``flush``, that the benchmark of the plain dialect reads.
"""

from __future__ import annotations

import numpy as np
from attrs import define, field

from bench.barge_in_clocks import AUDIBLE, FADE, FRAME, FRAME_S, RATE_HZ, Event

__all__ = ["EAR_AT", "ENGINE_AT", "FADED", "GIVEN_UP_S", "HOLD_S", "PauseReader", "last_audible"]

HOLD_S = 0.16
"""So long nothing is heard before it is a pause: longer than the silence within a word, shorter than the shortest hold,
which is ``turns.resume_silence_ms``."""
GIVEN_UP_S = 0.62
"""What is silent for longer was not held but given up: a decision takes ``turns.decide_ms`` at most, 500 ms, and the
slots and packets around it. An answer comes later than that after all but the shortest interruptions."""
EAR_AT = "ear_at"
"""Of a hold, when the last audible sample was heard."""
ENGINE_AT = "engine_at"
"""Of a hold, when the last audible frame arrived, or the verb to throw away what waits."""
FADED = "faded"
"""Of a hold, 1 where it ended in a fade or by that verb, 0 where the assistant had paused by itself."""

_FADE_BYTES = 2 * (FADE + 2)
_NOTHING = bytes(2 * FRAME - _FADE_BYTES)


def last_audible(pcm: bytes) -> int:
    """Return the position of the last audible sample of a frame, -1 where there is none."""
    samples = np.frombuffer(pcm, "<i2")
    found = np.flatnonzero((samples > AUDIBLE) | (samples < -AUDIBLE))
    return int(found[-1]) if found.size else -1


@define
class PauseReader:
    """Reads one line, frame by frame as the ear plays them.

    A hold ends in a fade, within 8 ms and then exact zeros, or the line is told to be silent (:meth:`killed`); a
    silence without either is a pause of the assistant's own, and no message, unless it lasts so long that the reply
    must be over.

    Args:
        given_up_s: After so long the floor was given up.
    """

    given_up_s: float = GIVEN_UP_S
    _loud_at: float = field(default=float("-inf"), init=False)
    _arrived: float = field(default=float("-inf"), init=False)
    _silent_at: float = field(default=float("-inf"), init=False)
    _ear_at: float = field(default=float("-inf"), init=False)
    _faded: bool = field(default=False, init=False)
    _killed_at: float = field(default=float("-inf"), init=False)
    _state: str = field(default="silent", init=False)
    _frames: int = field(default=0, init=False)

    def frame(self, pcm: bytes, arrived: float, heard: float) -> list[Event]:
        """Take a frame of 20 ms that arrived at one time and is heard from another on; return what is now known."""
        self._frames += 1
        last = last_audible(pcm)
        if last < 0:
            return self.quiet(heard)
        told = [*self.quiet(heard), *self._went_on(heard)]
        self._state, self._loud_at, self._arrived = "talking", heard, arrived
        self._ear_at = heard + (last + 1) / RATE_HZ
        self._silent_at = arrived + FRAME_S
        self._faded = pcm[_FADE_BYTES:] == _NOTHING
        if heard <= self._killed_at + FRAME_S:  # it was on its way already
            self._faded, self._arrived, self._silent_at = True, self._killed_at, self._killed_at
        return told

    def killed(self, at: float) -> None:
        """Take note that the line was told, at *at*, to throw away what it holds."""
        self._killed_at = at
        if self._state == "talking":
            self._faded, self._arrived, self._silent_at = True, at, at

    def quiet(self, now: float) -> list[Event]:
        """Take note that nothing is heard at *now*, as yet; return what follows from that."""
        silent_s = now - self._loud_at
        told = []
        if self._state == "talking" and self._faded and silent_s >= HOLD_S:
            told.append(self._hold())
        if self._state in {"talking", "held"} and silent_s >= self.given_up_s:
            if self._state == "talking":
                told.append(self._hold())
            self._state = "silent"
            told.append(Event(self._loud_at + self.given_up_s, self._frames, "flush"))
        return told

    def _hold(self) -> Event:
        self._state = "held"
        said = ((EAR_AT, self._ear_at), (ENGINE_AT, self._arrived), (FADED, float(self._faded)))
        return Event(self._silent_at, self._frames, "hold", said=said)

    def _went_on(self, at: float) -> list[Event]:
        return [Event(at, self._frames, "resume")] if self._state == "held" else []
