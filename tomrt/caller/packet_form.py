"""What the packets of a line look like: bare samples as FreeSWITCH's unicast has them, or RTP as Asterisk has it."""

from __future__ import annotations

import random
from collections.abc import Callable
from struct import Struct
from typing import Protocol

import numpy as np
from attrs import define, field, frozen

from tomrt.audio import ulaw_decode, ulaw_encode
from tomrt.errors import ProtocolError

__all__ = ["L16_PAYLOAD", "BarePackets", "PacketForm", "RtpPackets", "bare_l16", "bare_pcmu", "rtp_l16", "rtp_pcmu"]

FRAMES_PER_S = 50
RTP_VERSION = 2
RTP_HEADER = Struct("!BBHII")
PCMU_PAYLOAD = 0
L16_PAYLOAD = 118
"""Asterisk's number for slin16."""
SEQUENCES = 1 << 16
TIMESTAMPS = 1 << 32

Coder = Callable[[bytes], bytes]


class PacketForm(Protocol):
    """From 20 ms of mono PCM to a packet and back."""

    def pack(self, pcm: bytes) -> bytes:
        """Return the next packet, of 20 ms."""
        ...

    def unpack(self, packet: bytes) -> bytes:
        """Return the samples of a packet that came; nothing of one that carries no audio.

        Raises:
            ProtocolError: a phone would not hear it.
        """
        ...


@frozen(kw_only=True)
class BarePackets:
    """Samples without a header, exactly 20 ms of them: other sizes are not heard (seen: FREESWITCH.md, E).

    Args:
        size: Bytes of a packet.
        encode: From PCM to what travels.
        decode: Back.
    """

    size: int
    encode: Coder = bytes
    decode: Coder = bytes

    def pack(self, pcm: bytes) -> bytes:
        """Return *pcm* as a packet."""
        return self.encode(pcm)

    def unpack(self, packet: bytes) -> bytes:
        """Return the samples of *packet*."""
        if len(packet) != self.size:
            raise ProtocolError(f"a packet of {len(packet)} bytes is not heard; 20 ms are {self.size}")
        return self.decode(packet)


@define(kw_only=True)
class RtpPackets:
    """RTP (RFC 3550, 5.1) with one payload type of audio.

    Args:
        payload: Its number.
        samples: Of one packet.
        encode: From PCM to the payload.
        decode: Back.
    """

    payload: int
    samples: int
    encode: Coder
    decode: Coder
    ssrc: int = field(factory=lambda: random.getrandbits(32))
    other: int = 0
    """Packets of other payload types, which carry no audio."""
    _sequence: int = field(factory=lambda: random.getrandbits(16))
    _timestamp: int = field(factory=lambda: random.getrandbits(32))

    def pack(self, pcm: bytes) -> bytes:
        """Return the next packet of the stream."""
        head = RTP_HEADER.pack(RTP_VERSION << 6, self.payload, self._sequence, self._timestamp, self.ssrc)
        self._sequence = (self._sequence + 1) % SEQUENCES
        self._timestamp = (self._timestamp + self.samples) % TIMESTAMPS
        return head + self.encode(pcm)

    def unpack(self, packet: bytes) -> bytes:
        """Return the samples of *packet*, whose order is the order in which it came."""
        if len(packet) < RTP_HEADER.size or packet[0] >> 6 != RTP_VERSION:
            raise ProtocolError(f"{len(packet)} bytes that are no RTP")
        begin = RTP_HEADER.size + 4 * (packet[0] & 0x0F)
        if packet[0] & 0x30 or len(packet) < begin:
            raise ProtocolError("an RTP packet with padding or an extension, which nothing asked for")
        if packet[1] & 0x7F != self.payload:
            self.other += 1
            return b""
        pcm = self.decode(packet[begin:])
        if len(pcm) != 2 * self.samples:
            raise ProtocolError(f"an RTP packet of {len(pcm) // 2} samples; 20 ms are {self.samples}")
        return pcm


def bare_pcmu() -> BarePackets:
    """Return the form of unicast with ``flags: native`` on a PCMU call: 160 bytes."""
    return BarePackets(size=8000 // FRAMES_PER_S, encode=ulaw_encode, decode=ulaw_decode)


def bare_l16(rate_hz: int) -> BarePackets:
    """Return the form of unicast without flags: little-endian samples at the call's rate, 320 or 640 bytes."""
    return BarePackets(size=2 * rate_hz // FRAMES_PER_S)


def rtp_pcmu() -> RtpPackets:
    """Return the form of PCMU over RTP, payload type 0 (RFC 3551)."""
    return RtpPackets(payload=PCMU_PAYLOAD, samples=8000 // FRAMES_PER_S, encode=ulaw_encode, decode=ulaw_decode)


def rtp_l16(rate_hz: int = 16_000) -> RtpPackets:
    """Return the form of L16 over RTP, in network byte order (RFC 3551, 4.5.11), as Asterisk sends slin16."""
    return RtpPackets(payload=L16_PAYLOAD, samples=rate_hz // FRAMES_PER_S, encode=_swapped, decode=_swapped)


def _swapped(pcm: bytes) -> bytes:
    return bytes(np.frombuffer(pcm[: len(pcm) & ~1], "<i2").byteswap().tobytes())
