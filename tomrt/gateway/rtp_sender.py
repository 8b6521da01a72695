"""Our side of an RTP stream: PCM to packets, with numbers that go on and timestamps that go with time."""

from __future__ import annotations

import secrets
from collections.abc import Iterator

from tomrt.gateway.rtp_payloads import LineCodec
from tomrt.wire.rtp import RtpPacket, write_rtp

__all__ = ["RtpSender"]

FRAME_S = 0.020
FOLLOW = 1 / 64
"""How fast the time at which a frame is due follows the frames: a peer's clock may be some 100 ppm off ours."""


class RtpSender:
    """Makes packets of 20 ms; SSRC, sequence and timestamp begin at random (RFC 3550, 5.1).

    Args:
        codec: What the peer hears.
        payload_type: Its number.
        peer_ssrc: The other side's; ours is another.

    Attributes:
        codec: May be changed for another of the same rate.
        payload_type: May be changed, too.
        ssrc: Ours.
        packets: Sent so far.
        octets: Of payload sent so far.
    """

    def __init__(self, codec: LineCodec, payload_type: int, *, peer_ssrc: int) -> None:
        self.codec = codec
        self.payload_type = payload_type
        self.ssrc = secrets.randbits(32)
        while self.ssrc == peer_ssrc:
            self.ssrc = secrets.randbits(32)
        self.packets = 0
        self.octets = 0
        self._sequence = secrets.randbits(16)
        self._timestamp = secrets.randbits(32)
        self._due: float | None = None

    def packets_of(self, pcm: bytes, now: float) -> Iterator[bytes]:
        """Yield packets of 20 ms, the last one may be shorter; each has to be sent."""
        frame = round(self.codec.rate_hz * FRAME_S) * 2
        for start in range(0, len(pcm), frame):
            yield self._packet(pcm[start : start + frame], now)

    def timestamp_at(self, now: float) -> int:
        """Return the timestamp of a sample that would be sent *now*."""
        since = 0 if self._due is None else int((now - self._due) * self.codec.rate_hz)
        return (self._timestamp + since) & 0xFFFFFFFF

    def _packet(self, pcm: bytes, now: float) -> bytes:
        spurt = self._catch_up(now)
        payload = self.codec.encode(pcm)
        packet = RtpPacket(
            payload_type=self.payload_type,
            sequence=self._sequence,
            timestamp=self._timestamp,
            ssrc=self.ssrc,
            payload=payload,
            marker=spurt,
        )
        self.packets += 1
        self.octets += len(payload)
        self._sequence = (self._sequence + 1) & 0xFFFF
        self._timestamp = (self._timestamp + len(pcm) // 2) & 0xFFFFFFFF
        return write_rtp(packet)

    def _catch_up(self, now: float) -> bool:
        """Move the timestamp over a pause of whole frames; return whether something begins here."""
        begins, late = self._due is None, 0.0
        if self._due is not None:
            late = now - self._due
            frames = int(late / FRAME_S)
            if frames > 0:
                self._timestamp = (self._timestamp + frames * round(self.codec.rate_hz * FRAME_S)) & 0xFFFFFFFF
                begins, late = True, 0.0
        self._due = now - late * (1 - FOLLOW) + FRAME_S
        return begins
