"""What comes from the far end is read alike in all dialects: a byte stream of audio, and text of any kind.

Frames have any size (FreeSWITCH joins blocks after a delay and cuts them after an overrun), so samples are cut from the
stream and not from the frame. Text may be metadata, a forwarded key press, a mark report, or anything an operator's
script sends; what has no meaning here is counted and never ends a call.
"""

from __future__ import annotations

from collections.abc import Callable

from tomrt.errors import ProtocolError
from tomrt.events import LineAudio, LineClosed, LineDigit, LineEvent
from tomrt.wire.json import loads_object

__all__ = ["Ingress", "caller_channel"]

DIGITS = frozenset("0123456789*#ABCD")
SAMPLE_BYTES = 2


class Ingress:
    """Cuts samples from frames and sorts texts.

    Args:
        channels: 1, or 2 for interleaved stereo whose left channel is the caller.
        count: Called with a word for each thing that was ignored or dropped: ``audio_after_end``, ``text_not_json``,
            ``text_unknown``, ``metadata``, ``digit_bad``.
    """

    def __init__(self, *, channels: int, count: Callable[[str], None]) -> None:
        self._channels = channels
        self._count = count
        self._rest = b""
        self._ended = False

    def receive_binary(self, data: bytes) -> list[LineEvent]:
        """Return the caller's next samples, or the end for an empty frame; an incomplete sample waits for its rest."""
        if self._ended:
            self._count("audio_after_end")
            return []
        if not data:
            self._ended = True
            return [LineClosed("finished")]
        stream = self._rest + data if self._rest else data
        whole = len(stream) - len(stream) % (SAMPLE_BYTES * self._channels)
        self._rest = stream[whole:]
        pcm = stream[:whole]
        if self._channels == 2:
            pcm = caller_channel(pcm)
        return [LineAudio(pcm)] if pcm else []

    def read_text(self, text: str) -> dict[str, object] | None:
        """Return the JSON object that *text* is, or ``None``, counted, when it is none."""
        try:
            return loads_object(text)
        except ProtocolError:
            self._count("text_not_json")
            return None

    def receive_object(self, message: dict[str, object]) -> list[LineEvent]:
        """Return the events of a message that means the same in all dialects: a key press or a hang-up."""
        match message.get("type", message.get("event")):
            case "dtmf":
                return self._digit(message.get("digit"))
            case "hangup":
                self._ended = True
                return [LineClosed("hangup")]
            case "metadata" | None:
                self._count("metadata")
            case _:
                self._count("text_unknown")
        return []

    def _digit(self, digit: object) -> list[LineEvent]:
        if isinstance(digit, int) and not isinstance(digit, bool):
            digit = str(digit) if 0 <= digit <= 9 else ""
        if isinstance(digit, str) and digit.upper() in DIGITS:
            return [LineDigit(digit.upper())]
        self._count("digit_bad")
        return []


def caller_channel(stereo: bytes) -> bytes:
    """Return the left channel of interleaved 16-bit *stereo* (whole sample pairs)."""
    return memoryview(stereo).cast("h")[::2].tobytes()
