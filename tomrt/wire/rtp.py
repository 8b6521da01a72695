"""RTP packets (RFC 3550, 5.1): bytes to values and back."""

from __future__ import annotations

import struct

from attrs import field, frozen

from tomrt.errors import MisuseError, ProtocolError

__all__ = ["RtpExtension", "RtpPacket", "looks_like_rtcp", "parse_rtp", "ssrc_of", "write_rtp"]

VERSION = 2
HEADER = struct.Struct("!BBHII")
WORD = 4
_EXTENSION = struct.Struct("!HH")
_PADDING, _EXTENDED, _MARKER = 0x20, 0x10, 0x80
MOST_SOURCES = 15


@frozen
class RtpExtension:
    """A header extension (RFC 3550, 5.3.1): 16 bits that its profile defines, and whole 32-bit words."""

    profile: int
    data: bytes = b""


@frozen(kw_only=True)
class RtpPacket:
    """One packet.

    Args:
        payload_type: 7 bits.
        sequence: 16 bits; one more for each packet, and wraps around.
        timestamp: 32 bits, in ticks of the payload's clock; wraps around.
        ssrc: Who sent it, 32 bits chosen at random.
        payload: Without padding.
        marker: For audio: the first packet after a pause.
        sources: Whose voices a mixer mixed, at most 15.
        extension: What a profile added to the header.
    """

    payload_type: int
    sequence: int
    timestamp: int
    ssrc: int
    payload: bytes = field(default=b"", repr=lambda payload: f"<{len(payload)} bytes>")
    marker: bool = False
    sources: tuple[int, ...] = ()
    extension: RtpExtension | None = None


def looks_like_rtcp(data: bytes) -> bool:
    """Whether a datagram that came where RTP does is RTCP: packet types 192 to 223 (RFC 5761, 4)."""
    return len(data) > 1 and 192 <= data[1] <= 223


def ssrc_of(data: bytes) -> int | None:
    """Return who sent a packet, without a look at the rest of it; ``None`` where it is too short to be one."""
    return int.from_bytes(data[8:12], "big") if len(data) >= HEADER.size else None


def parse_rtp(data: bytes) -> RtpPacket:
    """Read one packet.

    Args:
        data: The whole datagram.

    Raises:
        ProtocolError: it is no RTP packet of version 2, or a length in it is more than there is.
    """
    if len(data) < HEADER.size:
        raise ProtocolError(f"an RTP packet has at least {HEADER.size} bytes, not {len(data)}")
    first, second, sequence, timestamp, ssrc = HEADER.unpack_from(data)
    if first >> 6 != VERSION:
        raise ProtocolError(f"RTP has version {VERSION}, not {first >> 6}")
    start = HEADER.size
    sources: tuple[int, ...] = ()
    if count := first & 0x0F:
        _need(data, start + WORD * count, "sources")
        sources = struct.unpack_from(f"!{count}I", data, start)
        start += WORD * count
    extension = None
    if first & _EXTENDED:
        extension = _read_extension(data, start)
        start += WORD + len(extension.data)
    end = len(data) - (_padding(data, start) if first & _PADDING else 0)
    return RtpPacket(
        payload_type=second & 0x7F,
        sequence=sequence,
        timestamp=timestamp,
        ssrc=ssrc,
        payload=bytes(data[start:end]),
        marker=bool(second & _MARKER),
        sources=sources,
        extension=extension,
    )


def write_rtp(packet: RtpPacket, *, padded_to: int = 0) -> bytes:
    """Return a packet's bytes.

    Args:
        packet: What to write.
        padded_to: The payload is padded to a multiple of so many bytes, 2 to 255; 0 for no padding.

    Raises:
        MisuseError: a value does not fit into its field.
    """
    sources, extension = packet.sources, packet.extension
    if len(sources) > MOST_SOURCES:
        raise MisuseError(f"a packet has room for {MOST_SOURCES} sources, not {len(sources)}")
    first = VERSION << 6 | len(sources) | (_EXTENDED if extension else 0) | (_PADDING if padded_to else 0)
    if not 0 <= packet.payload_type <= 0x7F:
        raise MisuseError(f"a payload type has 7 bits, {packet.payload_type} does not fit")
    second = packet.payload_type | (_MARKER if packet.marker else 0)
    try:
        head = HEADER.pack(first, second, packet.sequence, packet.timestamp, packet.ssrc)
        head += struct.pack(f"!{len(sources)}I", *sources)
        if extension is not None:
            words, rest = divmod(len(extension.data), WORD)
            if rest:
                raise MisuseError("a header extension is whole words of 4 bytes")
            head += _EXTENSION.pack(extension.profile, words) + extension.data
        tail = _pad(len(packet.payload), padded_to) if padded_to else b""
    except (struct.error, ValueError) as error:
        raise MisuseError(f"not an RTP packet: {error}") from error
    return head + packet.payload + tail


def _need(data: bytes, length: int, what: str) -> None:
    if len(data) < length:
        raise ProtocolError(f"an RTP packet of {len(data)} bytes ends within its {what}")


def _read_extension(data: bytes, start: int) -> RtpExtension:
    _need(data, start + WORD, "extension")
    profile, words = _EXTENSION.unpack_from(data, start)
    end = start + WORD + WORD * words
    _need(data, end, "extension")
    return RtpExtension(profile, bytes(data[start + WORD : end]))


def _padding(data: bytes, start: int) -> int:
    """Return how many bytes of padding a packet ends with; the last of them tells."""
    padding = data[-1] if len(data) > start else 0
    if not 1 <= padding <= len(data) - start:
        raise ProtocolError(f"an RTP packet tells of {padding} bytes of padding in {len(data) - start} bytes")
    return padding


def _pad(length: int, multiple: int) -> bytes:
    count = -length % multiple or multiple
    return bytes(count - 1) + bytes([count])
