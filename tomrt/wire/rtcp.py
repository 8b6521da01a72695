"""RTCP packets (RFC 3550, 6): the reports that travel beside RTP; bytes to values and back."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator

from attrs import frozen

from tomrt.errors import MisuseError, ProtocolError

__all__ = [
    "Goodbye",
    "ReceiverReport",
    "ReportBlock",
    "RtcpPacket",
    "SenderReport",
    "SourceDescription",
    "parse_rtcp",
    "write_rtcp",
]

VERSION = 2
SENDER_REPORT, RECEIVER_REPORT, SOURCE_DESCRIPTION, GOODBYE = 200, 201, 202, 203
CNAME = 1
MOST_IN_ONE = 31
"""Report blocks, chunks or sources in one packet: its count has 5 bits."""
LONGEST_TEXT = 255
WORD = 4

_HEAD = struct.Struct("!BBH")
_SSRC = struct.Struct("!I")
_SENDER = struct.Struct("!IQIII")
_BLOCK = struct.Struct("!IB3sIIII")


@frozen(kw_only=True)
class ReportBlock:
    """What a receiver tells of one sender (RFC 3550, 6.4.1).

    Args:
        ssrc: The sender.
        fraction_lost: Of its packets since the last report, in 1/256.
        cumulative_lost: Packets since the beginning, 24 bits with sign: duplicates make it negative.
        highest_sequence: The highest sequence number that came, above 16 bits how often it wrapped around.
        jitter: Interarrival jitter in ticks of the payload's clock.
        last_report: The middle 32 bits of the time in its last sender report; 0 when none came.
        delay: Since that report, in 1/65536 s.
    """

    ssrc: int
    fraction_lost: int = 0
    cumulative_lost: int = 0
    highest_sequence: int = 0
    jitter: int = 0
    last_report: int = 0
    delay: int = 0


@frozen(kw_only=True)
class SenderReport:
    """From one that sends (and may receive).

    Args:
        ssrc: The sender.
        time: Now, in 2^-32 s; since 1900, or since any moment where the sender has no wall clock.
        timestamp: The same moment in ticks of its RTP timestamps.
        packets: Sent so far.
        octets: Of payload sent so far.
        blocks: What it receives.
    """

    ssrc: int
    time: int
    timestamp: int
    packets: int
    octets: int
    blocks: tuple[ReportBlock, ...] = ()


@frozen(kw_only=True)
class ReceiverReport:
    """From one that only receives."""

    ssrc: int
    blocks: tuple[ReportBlock, ...] = ()


@frozen(kw_only=True)
class SourceDescription:
    """The lasting names of sources, as ``(ssrc, name)``; a source without CNAME has ``""``."""

    names: tuple[tuple[int, str], ...] = ()


@frozen(kw_only=True)
class Goodbye:
    """Sources that are leaving."""

    sources: tuple[int, ...] = ()
    reason: str = ""


RtcpPacket = SenderReport | ReceiverReport | SourceDescription | Goodbye


def parse_rtcp(data: bytes) -> list[RtcpPacket]:
    """Read a compound packet; packets of types that are not known here are left out.

    Args:
        data: The whole datagram.

    Raises:
        ProtocolError: it fails the checks of RFC 3550, appendix A.2 (version, first a report, padding at the very end
            only, lengths that add up), or something ends within a packet.
    """
    return [_READERS[kind](count, body) for kind, count, body in _split(data) if kind in _READERS]


def write_rtcp(*packets: RtcpPacket) -> bytes:
    """Return the bytes of a compound packet, which begins with a report.

    Raises:
        MisuseError: it does not, or a value does not fit into its field.
    """
    if not packets or not isinstance(packets[0], SenderReport | ReceiverReport):
        raise MisuseError("a compound packet begins with a report")
    try:
        return b"".join(_write(packet) for packet in packets)
    except (struct.error, OverflowError) as error:
        raise MisuseError(f"not an RTCP packet: {error}") from error


# --- reading ---------------------------------------------------------------------------------------------------------


def _split(data: bytes) -> Iterator[tuple[int, int, bytes]]:
    """Yield each packet's type, count and body without padding; nothing before all of them have been checked."""
    parts: list[tuple[int, int, bytes]] = []
    start = 0
    while start < len(data) or not parts:
        if len(data) - start < _HEAD.size:
            raise ProtocolError(f"an RTCP packet ends within a header, after {len(data)} bytes")
        first, kind, words = _HEAD.unpack_from(data, start)
        end = start + WORD * (words + 1)
        if first >> 6 != VERSION:
            raise ProtocolError(f"RTCP has version {VERSION}, not {first >> 6}")
        if not parts and kind not in {SENDER_REPORT, RECEIVER_REPORT}:
            raise ProtocolError(f"a compound packet begins with a report, not with type {kind}")
        if end > len(data):
            raise ProtocolError(f"an RTCP packet of {len(data)} bytes tells of {end}")
        body = data[start + _HEAD.size : end]
        if first & 0x20:
            body = _without_padding(body, allowed=bool(parts) and end == len(data))
        parts.append((kind, first & 0x1F, body))
        start = end
    yield from parts


def _without_padding(body: bytes, *, allowed: bool) -> bytes:
    padding = body[-1] if body else 0
    if not allowed or padding % WORD or not WORD <= padding <= len(body):
        raise ProtocolError("only the last of several RTCP packets may be padded, with whole words")
    return body[:-padding]


def _ssrc(body: bytes) -> int:
    if len(body) < WORD:
        raise ProtocolError("an RTCP packet ends before its SSRC")
    ssrc: int = _SSRC.unpack_from(body)[0]
    return ssrc


def _read_sender_report(count: int, body: bytes) -> SenderReport:
    if len(body) < _SENDER.size:
        raise ProtocolError("a sender report ends within what its sender tells")
    ssrc, time, timestamp, packets, octets = _SENDER.unpack_from(body)
    return SenderReport(
        ssrc=ssrc,
        time=time,
        timestamp=timestamp,
        packets=packets,
        octets=octets,
        blocks=_read_blocks(count, body[_SENDER.size :]),
    )


def _read_receiver_report(count: int, body: bytes) -> ReceiverReport:
    return ReceiverReport(ssrc=_ssrc(body), blocks=_read_blocks(count, body[WORD:]))


def _read_blocks(count: int, data: bytes) -> tuple[ReportBlock, ...]:
    """Read *count* blocks; what follows them belongs to a profile."""
    if len(data) < count * _BLOCK.size:
        raise ProtocolError(f"a report ends before its {count} blocks")
    blocks = []
    for ssrc, fraction, lost, highest, jitter, last, delay in _BLOCK.iter_unpack(data[: count * _BLOCK.size]):
        blocks.append(
            ReportBlock(
                ssrc=ssrc,
                fraction_lost=fraction,
                cumulative_lost=int.from_bytes(lost, "big", signed=True),
                highest_sequence=highest,
                jitter=jitter,
                last_report=last,
                delay=delay,
            )
        )
    return tuple(blocks)


def _read_description(count: int, body: bytes) -> SourceDescription:
    names = []
    start = 0
    for _ in range(count):
        ssrc = _ssrc(body[start:])
        name, start = _read_items(body, start + WORD)
        names.append((ssrc, name))
    return SourceDescription(names=tuple(names))


def _read_items(body: bytes, start: int) -> tuple[str, int]:
    """Return the CNAME of the items from *start* on, and where the next chunk begins."""
    name = ""
    while start < len(body) and body[start]:
        if start + 2 > len(body) or start + 2 + body[start + 1] > len(body):
            raise ProtocolError("a source description ends within an item")
        end = start + 2 + body[start + 1]
        if body[start] == CNAME:
            name = body[start + 2 : end].decode("utf-8", "replace")
        start = end
    if start >= len(body):
        raise ProtocolError("a source description ends without its null item")
    return name, start // WORD * WORD + WORD


def _read_goodbye(count: int, body: bytes) -> Goodbye:
    end = WORD * count
    if len(body) < end:
        raise ProtocolError(f"a goodbye ends before its {count} sources")
    reason = b""
    if len(body) > end:
        reason = body[end + 1 : end + 1 + body[end]]
        if len(reason) < body[end]:
            raise ProtocolError("a goodbye ends within its reason")
    return Goodbye(sources=struct.unpack_from(f"!{count}I", body), reason=reason.decode("utf-8", "replace"))


_READERS: dict[int, Callable[[int, bytes], RtcpPacket]] = {
    SENDER_REPORT: _read_sender_report,
    RECEIVER_REPORT: _read_receiver_report,
    SOURCE_DESCRIPTION: _read_description,
    GOODBYE: _read_goodbye,
}


# --- writing ---------------------------------------------------------------------------------------------------------


def _write(packet: RtcpPacket) -> bytes:
    match packet:
        case SenderReport(ssrc=ssrc):
            head = _SENDER.pack(ssrc, packet.time, packet.timestamp, packet.packets, packet.octets)
            return _whole(SENDER_REPORT, len(packet.blocks), head + _write_blocks(packet.blocks))
        case ReceiverReport(ssrc=ssrc):
            return _whole(RECEIVER_REPORT, len(packet.blocks), _SSRC.pack(ssrc) + _write_blocks(packet.blocks))
        case SourceDescription(names=names):
            return _whole(SOURCE_DESCRIPTION, len(names), b"".join(_write_chunk(*each) for each in names))
    body = struct.pack(f"!{len(packet.sources)}I", *packet.sources)
    if packet.reason:
        body += _text(packet.reason)
        body += bytes(-len(body) % WORD)
    return _whole(GOODBYE, len(packet.sources), body)


def _whole(kind: int, count: int, body: bytes) -> bytes:
    if count > MOST_IN_ONE:
        raise MisuseError(f"an RTCP packet has room for {MOST_IN_ONE} parts, not {count}")
    return _HEAD.pack(VERSION << 6 | count, kind, len(body) // WORD) + body


def _write_blocks(blocks: tuple[ReportBlock, ...]) -> bytes:
    return b"".join(
        _BLOCK.pack(
            block.ssrc,
            block.fraction_lost,
            block.cumulative_lost.to_bytes(3, "big", signed=True),
            block.highest_sequence,
            block.jitter,
            block.last_report,
            block.delay,
        )
        for block in blocks
    )


def _write_chunk(ssrc: int, name: str) -> bytes:
    chunk = _SSRC.pack(ssrc) + (bytes([CNAME]) + _text(name) if name else b"")
    return chunk + bytes(WORD - len(chunk) % WORD)  # at least one null item ends the list


def _text(text: str) -> bytes:
    encoded = text.encode()
    if len(encoded) > LONGEST_TEXT:
        raise MisuseError(f"a text in RTCP has at most {LONGEST_TEXT} bytes, not {len(encoded)}")
    return bytes([len(encoded)]) + encoded
