"""Ingress of a line that comes in packets: jitter buffer and concealment in front of everything else."""

from __future__ import annotations

from tomrt._dsp.g711 import alaw_decode, ulaw_decode
from tomrt.audio.ingress import Codec, FrameReport, Ingress
from tomrt.audio.jitter import JitterBuffer
from tomrt.errors import MisuseError

__all__ = ["PacketIngress"]

_DECODERS = {"pcm16": bytes, "ulaw": ulaw_decode, "alaw": alaw_decode}


class PacketIngress:
    """Takes packets as they come and gives a report for each 20 ms that are pulled.

    Args:
        rate_hz: Samples per second of the line, 8000 or 16000.
        ring_s: How much of what was heard is kept, in seconds.
        codec: What payloads are in: ``"pcm16"`` (little-endian), ``"ulaw"`` or ``"alaw"``.
        most_ms: At most this much sound waits, see :class:`~tomrt.audio.jitter.JitterBuffer`.

    Attributes:
        jitter: The buffer, with its counts.
        ingress: What was heard, as of any other line.

    Raises:
        MisuseError: an argument is outside these limits.
    """

    def __init__(self, rate_hz: int, *, ring_s: float = 40.0, codec: Codec = "pcm16", most_ms: float = 500.0) -> None:
        if codec not in _DECODERS:
            raise MisuseError(f"A payload is in pcm16, ulaw or alaw, not {codec!r}.")
        self._decode = _DECODERS[codec]
        self.jitter = JitterBuffer(rate_hz, most_ms=most_ms)
        self.ingress = Ingress(rate_hz, ring_s=ring_s)

    def insert(self, sequence: int, timestamp: int, payload: bytes, now: float) -> None:
        """Take a packet: its RTP numbers, its payload, 10 to 120 ms in steps of 10 ms, and when it came (seconds).

        Raises:
            MisuseError: a number or the payload's length is outside its limits; nothing was taken.
        """
        self.jitter.insert(sequence, timestamp, self._decode(payload), now)

    def pull(self, now: float) -> list[FrameReport]:
        """Hear the next 20 ms, made up where they are missing; to be called every 20 ms.

        Raises:
            MisuseError: *now* lies before an earlier one.
        """
        return self.ingress.push(self.jitter.pull(now))
