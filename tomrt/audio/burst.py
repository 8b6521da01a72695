"""One burst of the caller's sound: whether it is a human voice, and whether it is a hum."""

from __future__ import annotations

from attrs import define, field

from tomrt.audio.confirm import Confirm
from tomrt.audio.framing import FRAME_MS
from tomrt.audio.humming import Humming
from tomrt.audio.ingress import Ingress

__all__ = ["UNKNOWN_VOICE", "Burst"]

UNKNOWN_VOICE = 0.5
"""What is said of a sound that nobody looked at."""

BEFORE_MS = 320.0
"""So much of what went before puts the model in the picture: ten of its hops, so that the last one ends now."""

COUNTS_FROM_MS = 64.0
"""What the model says of sound so shortly before the onset is said of the burst."""

LONGEST_LOOK_MS = 1500.0
"""After that the caller has the floor, or never will."""

CERTAIN_VOICE = 0.9
"""Nobody asks for more, and a look is the dearest thing in a frame."""

RING_LAG_MS = 3.0
"""An 8 kHz line's ring is so far behind."""


@define
class Burst:
    """A sound that may be the caller's, from its beginning.

    Args:
        ingress: Where its audio is.
        began_ms: Line time of the end of its first frame.
        peak_dbfs: The loudest frame so far.
        believed: It counted as speech.
        remarkable: It began because it stands out, and not because it is like speech.
    """

    ingress: Ingress
    began_ms: float
    peak_dbfs: float = -127.0
    believed: bool = False
    remarkable: bool = False
    _humming: Humming = field(factory=Humming, init=False)
    _model: Confirm | None = field(default=None, init=False)
    _heard_ms: float = field(default=0.0, init=False)
    _voice: float = field(default=UNKNOWN_VOICE, init=False)

    @property
    def voice(self) -> float:
        """How sure it was at any time that this is a human voice, 0 to 1; 0.5 when nobody looked."""
        return self._voice

    @property
    def hum(self) -> float:
        """How like a hummed backchannel it has been, 0 to 1."""
        return self._humming.likeness

    def sounded(self) -> None:
        """Take the frame that was pushed last for a part of it."""
        if self._humming.frames < 100:
            self._humming.add(self.ingress.timbre)

    def look(self, model: Confirm) -> None:
        """Have *model* judge it from now on, beginning with what went before."""
        if self._model is None:
            model.reset()
            self._model, self._voice = model, 0.0
            self._heard_ms = max(self.began_ms - RING_LAG_MS - BEFORE_MS, 0.0)

    def follow(self, end_ms: float) -> None:
        """Let the model hear what the line said up to *end_ms*."""
        if self._model is None or self._voice >= CERTAIN_VOICE or end_ms - self.began_ms > LONGEST_LOOK_MS:
            return
        counts_from_ms = self.began_ms - FRAME_MS - COUNTS_FROM_MS
        for stop_ms in (counts_from_ms, end_ms - RING_LAG_MS):
            if stop_ms > self._heard_ms:
                said = self._model.push(self.ingress.utterance(self._heard_ms, stop_ms))
                self._heard_ms = stop_ms
                if stop_ms > counts_from_ms:
                    self._voice = max([self._voice, *said])
