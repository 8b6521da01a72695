from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tomrt.gateway.frame_meter import FrameMeter


def frame(size: int, *, opcode: int = 2, fin: bool = True) -> bytes:
    first = (0x80 if fin else 0) | opcode
    if size < 126:
        return bytes([first, 0x80 | size]) + bytes(4 + size)
    if size < 65_536:
        return bytes([first, 0xFE]) + size.to_bytes(2, "big") + bytes(4 + size)
    return bytes([first, 0xFF]) + size.to_bytes(8, "big") + bytes(4 + size)


def meter(burst: int, rate: float = 0.0) -> FrameMeter:
    return FrameMeter(frames_per_s=rate, burst=burst, now=0.0)


@given(st.lists(st.sampled_from([0, 1, 125, 126, 320, 65_535, 65_536]), min_size=1, max_size=6), st.data())
def test_counts_frames_in_any_splitting(sizes: list[int], data: st.DataObject) -> None:
    """However the stream is split, exactly the burst passes and the next frame's first byte is the excess."""
    stream = b"".join(map(frame, sizes))
    for burst in (len(sizes), len(sizes) - 1):
        counter = meter(burst)
        cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=5)))
        excess = None
        edges = [0, *cuts, len(stream)]
        for start, end in itertools.pairwise(edges):
            found = counter.feed(stream[start:end], 0.0)
            if found is not None:
                excess = start + found
                break
        assert excess == (None if burst == len(sizes) else len(stream) - len(frame(sizes[-1])))


@pytest.mark.parametrize(
    "piece",
    [
        frame(0, fin=False),
        frame(0, opcode=0, fin=False),
        frame(0, opcode=9),
        frame(0, opcode=10),
        frame(0),
        frame(0, opcode=1),
    ],
    ids=["empty fragment", "continuation", "ping", "pong", "empty binary", "empty text"],
)
def test_frames_of_every_kind_count(piece: bytes) -> None:
    """Empty fragments, pings, pongs and empty messages are frames like all others."""
    assert meter(600).feed(piece * 601, 0.0) == 600 * len(piece)


def test_the_bucket_fills_with_time() -> None:
    """What real time allows may go on for ever, also after a stall that let several hundred frames pile up."""
    counter = meter(600, rate=200.0)
    assert counter.feed(frame(320) * 500, 0.0) is None
    for tick in range(1, 1000):
        assert counter.feed(frame(320), tick * 0.02) is None
    assert counter.feed(frame(320) * 601, 100.0) == 600 * len(frame(320))


@given(st.lists(st.binary(max_size=50), max_size=20))
def test_any_bytes_can_be_counted(chunks: list[bytes]) -> None:
    """Garbage neither raises nor hangs."""
    counter = meter(10)
    for chunk in chunks:
        if counter.feed(chunk, 0.0) is not None:
            break


def test_a_declared_monster_is_skipped_without_being_held() -> None:
    """A frame that declares 2^62 bytes costs nothing but its header."""
    counter = meter(1)
    assert counter.feed(b"\x82\xff" + (2**62).to_bytes(8, "big") + bytes(4), 0.0) is None
    assert counter.feed(bytes(100_000), 0.0) is None
