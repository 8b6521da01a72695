"""RTP packets: bytes as RFC 3550 lays them out, and any other bytes."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tomrt.errors import MisuseError, ProtocolError
from tomrt.wire.rtp import RtpExtension, RtpPacket, looks_like_rtcp, parse_rtp, ssrc_of, write_rtp

U16, U32 = st.integers(0, 0xFFFF), st.integers(0, 0xFFFFFFFF)
PLAIN = RtpPacket(payload_type=0, sequence=0x1234, timestamp=0x10, ssrc=0xDEADBEEF, payload=b"\xff\x7f")
GOLDEN = {
    "plain": ("80 00 1234 00000010 deadbeef ff7f", PLAIN),
    "marker": (
        "80 e5 ffff ffffffff 00000001 0a0a0320",
        RtpPacket(
            payload_type=101,
            sequence=0xFFFF,
            timestamp=0xFFFFFFFF,
            ssrc=1,
            payload=bytes.fromhex("0a0a0320"),
            marker=True,
        ),
    ),
    "empty": ("80 08 0000 00000000 00000000", RtpPacket(payload_type=8, sequence=0, timestamp=0, ssrc=0)),
    "mixed": (
        "82 76 0001 000000a0 00000002 0000000a 0000000b 0001",
        RtpPacket(payload_type=118, sequence=1, timestamp=160, ssrc=2, payload=b"\0\1", sources=(10, 11)),
    ),
    "extended": (
        "91 00 0001 000000a0 00000002 0000000a bede0001 10ff0000 d5",
        RtpPacket(
            payload_type=0,
            sequence=1,
            timestamp=160,
            ssrc=2,
            payload=b"\xd5",
            sources=(10,),
            extension=RtpExtension(0xBEDE, bytes.fromhex("10ff0000")),
        ),
    ),
}


@pytest.mark.parametrize("name", GOLDEN)
def test_bytes_are_read_and_written_as_the_rfc_draws_them(name):
    """A packet laid out by hand is read field by field and written back to the same bytes."""
    data, packet = bytes.fromhex(GOLDEN[name][0]), GOLDEN[name][1]
    assert parse_rtp(data) == packet
    assert write_rtp(packet) == data
    assert ssrc_of(data) == packet.ssrc


@pytest.mark.parametrize("tail", ["01", "0002", "00000003", "0000000000000008"])
def test_padding_is_taken_off(tail):
    """The last byte says how many bytes at the end are no payload, itself included."""
    data = bytes.fromhex("a0 00 1234 00000010 deadbeef ff7f") + bytes.fromhex(tail)
    padding = int(tail[-2:], 16)
    assert parse_rtp(data).payload == (b"\xff\x7f" + bytes.fromhex(tail))[:-padding]


def test_padding_is_put_on():
    """A payload is filled up to whole words, by a whole word where it already is one."""
    assert write_rtp(PLAIN, padded_to=4).hex() == "a00012340000001" + "0deadbeef" + "ff7f0002"
    four = RtpPacket(payload_type=0, sequence=0, timestamp=0, ssrc=0, payload=b"abcd")
    assert write_rtp(four, padded_to=4).endswith(b"abcd\0\0\0\4")
    assert parse_rtp(write_rtp(four, padded_to=4)) == four


BROKEN = {
    "nothing": "",
    "cut": "80 00 1234 00000010 deadbe",
    "version 0": "00 00 1234 00000010 deadbeef",
    "version 1": "40 00 1234 00000010 deadbeef",
    "version 3": "c0 00 1234 00000010 deadbeef",
    "sources missing": "82 00 1234 00000010 deadbeef 00000001",
    "15 sources missing": "8f 00 1234 00000010 deadbeef",
    "extension missing": "90 00 1234 00000010 deadbeef bede",
    "extension cut": "90 00 1234 00000010 deadbeef bede0002 00000000",
    "extension of 256 KiB": "90 00 1234 00000010 deadbeef bedeffff 00000000",
    "padding of 0": "a0 00 1234 00000010 deadbeef 00",
    "padding without room": "a0 00 1234 00000010 deadbeef",
    "padding longer than the payload": "a0 00 1234 00000010 deadbeef ff03",
    "padding into the sources": "a1 00 1234 00000010 deadbeef 00000005",
    "a SIP request": b"OPTIONS sip:a@b SIP/2.0\r\n\r\n".hex(),
    "a TLS hello": "16030100",
}


@pytest.mark.parametrize("name", BROKEN)
def test_what_is_no_packet_is_refused(name):
    """Every wrong version and every length beyond the end is a protocol error in one sentence."""
    with pytest.raises(ProtocolError) as refused:
        parse_rtp(bytes.fromhex(BROKEN[name]))
    assert "\n" not in str(refused.value)


PACKETS = st.builds(
    RtpPacket,
    payload_type=st.integers(0, 127),
    sequence=U16,
    timestamp=U32,
    ssrc=U32,
    payload=st.binary(max_size=60),
    marker=st.booleans(),
    sources=st.lists(U32, max_size=15).map(tuple),
    extension=st.none() | st.builds(RtpExtension, U16, st.binary(max_size=5).map(lambda data: data * 4)),
)


@given(PACKETS, st.sampled_from([0, 2, 4, 16, 255]))
def test_every_packet_survives_the_wire(packet, padded_to):
    """What is written is read back as it was, with and without padding."""
    assert parse_rtp(write_rtp(packet, padded_to=padded_to)) == packet


@given(st.binary(max_size=120))
def test_any_bytes_are_a_packet_or_a_protocol_error(data):
    """Nothing but the one error comes out of a datagram, and no packet is longer than what came."""
    try:
        packet = parse_rtp(data)
    except ProtocolError:
        return
    assert len(packet.payload) <= len(data) - 12
    assert ssrc_of(data) == packet.ssrc


@given(PACKETS.map(write_rtp), st.data())
def test_a_damaged_packet_is_a_packet_or_a_protocol_error(data, draw):
    """A flipped byte or a cut end never raises anything else."""
    damaged = bytearray(data[: draw.draw(st.integers(0, len(data)))])
    if damaged:
        damaged[draw.draw(st.integers(0, len(damaged) - 1))] = draw.draw(st.integers(0, 255))
    with suppress(ProtocolError):
        parse_rtp(bytes(damaged))


@pytest.mark.parametrize(
    "wrong",
    [
        {"payload_type": 128},
        {"payload_type": -1},
        {"sequence": 0x10000},
        {"timestamp": -1},
        {"ssrc": 1 << 32},
        {"sources": (0,) * 16},
        {"sources": (1 << 32,)},
        {"extension": RtpExtension(0, b"abc")},
        {"extension": RtpExtension(1 << 16, b"")},
    ],
    ids=lambda wrong: next(iter(wrong)),
)
def test_what_does_not_fit_is_our_mistake(wrong):
    """A value beyond its field is refused, not cut."""
    with pytest.raises(MisuseError):
        write_rtp(RtpPacket(**({"payload_type": 0, "sequence": 0, "timestamp": 0, "ssrc": 0} | wrong)))


def test_reports_are_told_from_media():
    """On a shared port the second byte tells RTCP from RTP (RFC 5761)."""
    assert looks_like_rtcp(bytes.fromhex("80c80006"))
    assert looks_like_rtcp(bytes.fromhex("81cb0001"))
    assert not looks_like_rtcp(bytes.fromhex("8000"))
    assert not looks_like_rtcp(bytes.fromhex("80e5"))
    assert not looks_like_rtcp(b"\x80")
