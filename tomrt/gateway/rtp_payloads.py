"""What RTP payload types mean here: G.711, L16 at 16 kHz, and keys."""

from __future__ import annotations

from array import array
from collections.abc import Callable

from attrs import frozen

from tomrt.audio import alaw_decode, alaw_encode, ulaw_decode, ulaw_encode
from tomrt.errors import ProtocolError
from tomrt.settings import Rtp

__all__ = ["PCMA", "PCMU", "LineCodec", "Payloads"]

PCMU, PCMA = 0, 8
SHORTEST_MS, LONGEST_MS, STEP_MS = 10, 60, 10


@frozen(kw_only=True)
class LineCodec:
    """How a payload becomes PCM, and PCM a payload.

    Args:
        name: For logs.
        rate_hz: Samples per second, and ticks per second of the timestamps.
        sample_bytes: Bytes of payload for each sample.
        decode: Payload to 16-bit little-endian PCM.
        encode: The reverse.
    """

    name: str
    rate_hz: int
    sample_bytes: int
    decode: Callable[[bytes], bytes]
    encode: Callable[[bytes], bytes]

    def read(self, payload: bytes) -> bytes:
        """Return a payload's PCM.

        Raises:
            ProtocolError: it is not 10 to 60 ms long in steps of 10 ms.
        """
        step = self.rate_hz * STEP_MS // 1000 * self.sample_bytes
        steps, rest = divmod(len(payload), step)
        if rest or not SHORTEST_MS <= steps * STEP_MS <= LONGEST_MS:
            raise ProtocolError(f"a payload of {self.name} has 10 to 60 ms in steps of 10 ms, not {len(payload)} bytes")
        return self.decode(payload)


def _swap(samples: bytes) -> bytes:
    """Return 16-bit samples with their bytes the other way round: L16 travels in network byte order."""
    words = array("h", samples)
    words.byteswap()
    return words.tobytes()


class Payloads:
    """The payload types that are taken.

    Args:
        settings: Name the dynamic ones.
    """

    def __init__(self, settings: Rtp) -> None:
        self.keys = settings.dtmf_payload
        self._codecs = {
            PCMU: LineCodec(name="PCMU", rate_hz=8000, sample_bytes=1, decode=ulaw_decode, encode=ulaw_encode),
            PCMA: LineCodec(name="PCMA", rate_hz=8000, sample_bytes=1, decode=alaw_decode, encode=alaw_encode),
            settings.l16_payload: LineCodec(name="L16", rate_hz=16_000, sample_bytes=2, decode=_swap, encode=_swap),
        }

    def codec(self, payload_type: int) -> LineCodec | None:
        """Return what decodes a payload type; ``None`` where it is no audio, or none that is known."""
        return self._codecs.get(payload_type)

    def knows(self, payload_type: int) -> bool:
        """Whether a payload type is audio or keys."""
        return payload_type in self._codecs or payload_type == self.keys
