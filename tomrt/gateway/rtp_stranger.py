"""An address that sends RTP and is no call, not yet or not any more."""

from __future__ import annotations

from attrs import define, field

from tomrt.errors import ProtocolError
from tomrt.gateway.rtp_payloads import Payloads
from tomrt.wire.rtp import RtpPacket, parse_rtp, ssrc_of

__all__ = ["Heard", "PacketMeter", "Stranger"]

PACKETS_PER_S = 200.0
"""From one address; four times as many as a call has."""
BURST = 200.0
"""At once: after a stall of ours a second of packets is waiting, after one of the network."""
DEAF_S = 2.0
REFUSED_S = 1.0

Heard = tuple[RtpPacket, float]
"""A packet, and when it came."""


@define
class PacketMeter:
    """Limits how many packets of one address are looked at.

    Args:
        at: Now.
    """

    at: float
    _left: float = field(default=BURST, init=False)

    def allow(self, now: float) -> bool:
        """Count a packet; return whether it is one too many no longer."""
        self._left = min(self._left + (now - self.at) * PACKETS_PER_S, BURST)
        self.at = now
        if self._left < 1:
            return False
        self._left -= 1
        return True


@define
class Stranger:
    """Waits for two packets in a row that make a call.

    Args:
        meter: Of its packets.
        deaf_to: The source of a call that has ended: what it still sends is not another call, until it was silent for
            2 s.
    """

    meter: PacketMeter
    deaf_to: int | None = None
    _refused_until: float = field(default=0.0, init=False)
    _deaf_at: float = field(init=False)
    _last: Heard | None = field(default=None, init=False)

    def __attrs_post_init__(self) -> None:
        self._deaf_at = self.meter.at
        self._refused_until = self.meter.at

    def refuse(self, now: float) -> None:
        """There is no free line: do not ask again for 1 s."""
        self._refused_until = now + REFUSED_S
        self._last = None

    def hear(self, data: bytes, now: float, payloads: Payloads) -> tuple[Heard, Heard] | str:
        """Take a datagram; return the two packets that make a call, or a word for what became of this one.

        Two packets of one source with successive numbers and known payload types make a call, where the second one is
        audio: it says at what rate.
        """
        if not self.meter.allow(now):
            return "flood"
        if now < self._refused_until:
            return "refused_again"
        if self.deaf_to is not None and ssrc_of(data) == self.deaf_to:
            silent = now - self._deaf_at
            self._deaf_at = now
            if silent < DEAF_S:
                return "after_end"
            self.deaf_to = None
        try:
            packet = parse_rtp(data)
        except ProtocolError:
            return "malformed"
        if not payloads.knows(packet.payload_type):
            return "unknown_payload"
        last, self._last = self._last, (packet, now)
        if last is None or not _follows(last[0], packet) or payloads.codec(packet.payload_type) is None:
            return "first"
        return last, (packet, now)


def _follows(first: RtpPacket, second: RtpPacket) -> bool:
    return first.ssrc == second.ssrc and (first.sequence + 1) & 0xFFFF == second.sequence
