"""RTCP packets: bytes as RFC 3550 lays them out, and any other bytes."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tomrt.errors import MisuseError, ProtocolError
from tomrt.wire.rtcp import (
    Goodbye,
    ReceiverReport,
    ReportBlock,
    SenderReport,
    SourceDescription,
    parse_rtcp,
    write_rtcp,
)

BLOCK = ReportBlock(
    ssrc=0x0B0B0B0B,
    fraction_lost=0x40,
    cumulative_lost=-2,
    highest_sequence=0x00011234,
    jitter=17,
    last_report=0xAABBCCDD,
    delay=0x00018000,
)
BLOCK_HEX = "0b0b0b0b 40 fffffe 00011234 00000011 aabbccdd 00018000"
SR_HEX = f"81 c8 000c 0a0a0a0a 1122334455667788 000000a0 00000064 00003e80 {BLOCK_HEX}"
SR = SenderReport(ssrc=0x0A0A0A0A, time=0x1122334455667788, timestamp=160, packets=100, octets=16000, blocks=(BLOCK,))
RR_HEX, RR = "80 c9 0001 0a0a0a0a", ReceiverReport(ssrc=0x0A0A0A0A)
GOLDEN = {
    "sender": (SR_HEX, [SR]),
    "receiver": (f"81 c9 0007 0a0a0a0a {BLOCK_HEX}", [ReceiverReport(ssrc=0x0A0A0A0A, blocks=(BLOCK,))]),
    "nobody heard": (RR_HEX, [RR]),
    "with a name": (
        f"{RR_HEX} 81 ca 0003 0a0a0a0a 01 04 61406263 0000",
        [RR, SourceDescription(names=((0x0A0A0A0A, "a@bc"),))],
    ),
    "a name that needs a word of nulls": (
        f"{RR_HEX} 81 ca 0003 0a0a0a0a 01 02 6162 00000000",
        [RR, SourceDescription(names=((0x0A0A0A0A, "ab"),))],
    ),
    "two names": (
        f"{RR_HEX} 82 ca 0005 0a0a0a0a 01 01 61 00 0b0b0b0b 01 03 626364 000000",
        [RR, SourceDescription(names=((0x0A0A0A0A, "a"), (0x0B0B0B0B, "bcd")))],
    ),
    "goodbye": (f"{SR_HEX} 81 cb 0001 0a0a0a0a", [SR, Goodbye(sources=(0x0A0A0A0A,))]),
    "goodbye with a reason": (
        f"{RR_HEX} 82 cb 0004 0a0a0a0a 0b0b0b0b 04 64 6f 6e 65 000000",
        [RR, Goodbye(sources=(0x0A0A0A0A, 0x0B0B0B0B), reason="done")],
    ),
    "nobody leaves": (f"{RR_HEX} 80 cb 0000", [RR, Goodbye()]),
}


@pytest.mark.parametrize("name", GOLDEN)
def test_bytes_are_read_and_written_as_the_rfc_draws_them(name):
    """A compound packet laid out by hand is read field by field and written back to the same bytes."""
    data, packets = bytes.fromhex(GOLDEN[name][0]), GOLDEN[name][1]
    assert parse_rtcp(data) == packets
    assert write_rtcp(*packets) == data


def test_what_is_not_known_is_left_out():
    """Packets of other types, extensions of reports and other items are skipped, whatever is in them."""
    other = "84 cc 0002 0a0a0a0a 6e616d65"
    assert parse_rtcp(bytes.fromhex(f"{RR_HEX} {other} 80 c0 0000 81 cb 0001 0a0a0a0a")) == [
        RR,
        Goodbye(sources=(0x0A0A0A0A,)),
    ]
    assert parse_rtcp(bytes.fromhex("80 c9 0003 0a0a0a0a 0102030405060708")) == [RR]
    items = f"{RR_HEX} 81 ca 0004 0a0a0a0a 06 03 6f7073 01 01 61 00000000"
    assert parse_rtcp(bytes.fromhex(items)) == [RR, SourceDescription(names=((0x0A0A0A0A, "a"),))]


def test_the_last_packet_may_be_padded():
    """Padding of whole words at the very end belongs to nobody."""
    assert parse_rtcp(bytes.fromhex(f"{RR_HEX} a1 cb 0002 0a0a0a0a 00000004")) == [RR, Goodbye(sources=(0x0A0A0A0A,))]


BROKEN = {
    "nothing": "",
    "one byte": "80",
    "version 1": "40 c9 0001 0a0a0a0a",
    "version 3 in the second": f"{RR_HEX} c1 cb 0001 0a0a0a0a",
    "first a goodbye": "81 cb 0001 0a0a0a0a",
    "first a name": "81 ca 0003 0a0a0a0a 01 04 61406263 0000",
    "first an unknown one": "80 cc 0001 0a0a0a0a",
    "padding in the first": "a0 c9 0002 0a0a0a0a 00000004",
    "padding in the middle": f"{RR_HEX} a1 cb 0002 0a0a0a0a 00000004 81 cb 0001 0a0a0a0a",
    "padding of 3": f"{RR_HEX} a1 cb 0002 0a0a0a0a 00000003",
    "padding of 0": f"{RR_HEX} a1 cb 0002 0a0a0a0a 00000000",
    "padding of 200": f"{RR_HEX} a1 cb 0002 0a0a0a0a 000000c8",
    "padding without a body": f"{RR_HEX} a0 cb 0000",
    "length beyond the end": "80 c9 0002 0a0a0a0a",
    "length of 256 KiB": "80 c9 ffff 0a0a0a0a",
    "cut header behind": f"{RR_HEX} 81 cb",
    "no SSRC": "80 c9 0000",
    "sender cut": "80 c8 0002 0a0a0a0a 11223344",
    "block missing": "81 c9 0001 0a0a0a0a",
    "31 blocks missing": f"9f c9 0007 0a0a0a0a {BLOCK_HEX}",
    "sources missing": f"{RR_HEX} 82 cb 0001 0a0a0a0a",
    "reason cut": f"{RR_HEX} 81 cb 0002 0a0a0a0a 09646f6e",
    "chunk missing": f"{RR_HEX} 81 ca 0000",
    "item cut": f"{RR_HEX} 81 ca 0002 0a0a0a0a 01096162",
    "item without length": f"{RR_HEX} 81 ca 0002 0a0a0a0a 01016101",
    "no null item": f"{RR_HEX} 81 ca 0002 0a0a0a0a 01026162",
}


@pytest.mark.parametrize("name", BROKEN)
def test_what_fails_the_checks_is_refused(name):
    """Every check of RFC 3550, appendix A.2, and every length beyond an end: a protocol error in one sentence."""
    with pytest.raises(ProtocolError) as refused:
        parse_rtcp(bytes.fromhex(BROKEN[name]))
    assert "\n" not in str(refused.value)


U32 = st.integers(0, 0xFFFFFFFF)
BLOCKS = st.lists(
    st.builds(
        ReportBlock,
        ssrc=U32,
        fraction_lost=st.integers(0, 255),
        cumulative_lost=st.integers(-(1 << 23), (1 << 23) - 1),
        highest_sequence=U32,
        jitter=U32,
        last_report=U32,
        delay=U32,
    ),
    max_size=3,
).map(tuple)
NAMES = st.text(st.characters(codec="utf-8", exclude_categories=["Cs"]), max_size=20)
REPORTS = st.builds(ReceiverReport, ssrc=U32, blocks=BLOCKS) | st.builds(
    SenderReport, ssrc=U32, time=st.integers(0, 2**64 - 1), timestamp=U32, packets=U32, octets=U32, blocks=BLOCKS
)
REST = st.builds(SourceDescription, names=st.lists(st.tuples(U32, NAMES), max_size=4).map(tuple)) | st.builds(
    Goodbye, sources=st.lists(U32, max_size=4).map(tuple), reason=NAMES
)
COMPOUNDS = st.tuples(REPORTS, st.lists(REPORTS | REST, max_size=3)).map(lambda both: [both[0], *both[1]])


@given(COMPOUNDS)
def test_every_compound_packet_survives_the_wire(packets):
    """What is written is read back as it was, in whole words."""
    data = write_rtcp(*packets)
    assert len(data) % 4 == 0
    assert parse_rtcp(data) == packets


@given(st.binary(max_size=120))
def test_any_bytes_are_packets_or_a_protocol_error(data):
    """Nothing but the one error comes out of a datagram."""
    with suppress(ProtocolError):
        assert parse_rtcp(data) is not None


@given(COMPOUNDS.map(lambda packets: write_rtcp(*packets)), st.data())
def test_a_damaged_compound_is_packets_or_a_protocol_error(data, draw):
    """A flipped byte or a cut end never raises anything else."""
    damaged = bytearray(data[: draw.draw(st.integers(0, len(data)))])
    if damaged:
        damaged[draw.draw(st.integers(0, len(damaged) - 1))] = draw.draw(st.integers(0, 255))
    with suppress(ProtocolError):
        parse_rtcp(bytes(damaged))


@pytest.mark.parametrize(
    "packets",
    [
        (),
        (Goodbye(),),
        (ReceiverReport(ssrc=1 << 32),),
        (ReceiverReport(ssrc=0, blocks=(ReportBlock(ssrc=0, fraction_lost=256),)),),
        (ReceiverReport(ssrc=0, blocks=(ReportBlock(ssrc=0, cumulative_lost=1 << 23),)),),
        (ReceiverReport(ssrc=0, blocks=(BLOCK,) * 32),),
        (RR, Goodbye(sources=(0,) * 32)),
        (RR, Goodbye(reason="x" * 256)),
        (RR, SourceDescription(names=((0, "x" * 256),))),
    ],
    ids=["none", "first", "ssrc", "fraction", "lost", "blocks", "sources", "reason", "name"],
)
def test_what_does_not_fit_is_our_mistake(packets):
    """A value beyond its field, or a compound that does not begin with a report, is refused."""
    with pytest.raises(MisuseError):
        write_rtcp(*packets)
