"""RTCP of one call: what we tell the peer, and what we learn from it."""

from __future__ import annotations

import secrets

from attrs import define, field

from tomrt.gateway.rtp_sender import RtpSender
from tomrt.wire.rtcp import (
    Goodbye,
    ReceiverReport,
    ReportBlock,
    RtcpPacket,
    SenderReport,
    SourceDescription,
    parse_rtcp,
    write_rtcp,
)
from tomrt.wire.rtp_statistics import Reception, RoundTrip, to_ntp

__all__ = ["RtpReports", "next_report_in"]

EVERY_S = 5.0
_dice = secrets.SystemRandom()


def next_report_in() -> float:
    """Return how long to wait before the next report: 2.5 to 7.5 s, so that those of many calls do not meet."""
    return EVERY_S * _dice.uniform(0.5, 1.5)


@define
class RtpReports:
    """Makes and reads reports.

    Args:
        sender: Our stream.
        reception: The peer's stream, as we receive it.
    """

    sender: RtpSender
    reception: Reception
    round_trip: RoundTrip = field(factory=RoundTrip, init=False)
    far_loss: float = field(default=0.0, init=False)
    """Share of our packets that the peer missed lately, as it says."""
    _name: str = field(factory=lambda: secrets.token_hex(12), init=False)
    _packets_before: int = field(default=0, init=False)

    def make(self, now: float) -> bytes:
        """Return our report: a sender's when something was sent since the last one, else a receiver's."""
        return write_rtcp(*self._report(now))

    def goodbye(self, now: float) -> bytes:
        """Return our last report."""
        return write_rtcp(*self._report(now), Goodbye(sources=(self.sender.ssrc,)))

    def take(self, data: bytes, now: float) -> bool:
        """Learn from what the peer sent; return whether it said goodbye.

        Raises:
            ProtocolError: it is no RTCP.
        """
        leaves = False
        for packet in parse_rtcp(data):
            match packet:
                case Goodbye(sources=sources):
                    leaves = leaves or self.reception.ssrc in sources
                case SenderReport(ssrc=self.reception.ssrc):
                    self.reception.sender_reported(packet.time, now)
                    self._take_blocks(packet.blocks, now)
                case ReceiverReport(ssrc=self.reception.ssrc):
                    self._take_blocks(packet.blocks, now)
        return leaves

    def _take_blocks(self, blocks: tuple[ReportBlock, ...], now: float) -> None:
        for block in blocks:
            if block.ssrc == self.sender.ssrc:
                self.round_trip.reported(block, now)
                self.far_loss = block.fraction_lost / 256

    def _report(self, now: float) -> tuple[RtcpPacket, ...]:
        sender, ntp = self.sender, to_ntp(now)
        blocks = (self.reception.report(now),) if self.reception.received else ()
        name = SourceDescription(names=((sender.ssrc, self._name),))
        if sender.packets == self._packets_before:
            return ReceiverReport(ssrc=sender.ssrc, blocks=blocks), name
        self._packets_before = sender.packets
        self.round_trip.sent(ntp)
        report = SenderReport(
            ssrc=sender.ssrc,
            time=ntp,
            timestamp=sender.timestamp_at(now),
            packets=sender.packets & 0xFFFFFFFF,
            octets=sender.octets & 0xFFFFFFFF,
            blocks=blocks,
        )
        return report, name
