from __future__ import annotations

import socket
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tomrt.engines.frames import MAX_FRAME_BYTES, has_news, has_room, read_frame, write_frame
from tomrt.errors import MisuseError, ProtocolError


@pytest.fixture
def ends():
    left, right = socket.socketpair()
    with left, right:
        yield left, right


@given(st.lists(st.binary(max_size=2000), max_size=8))
def test_frames_come_out_as_they_went_in(payloads):
    """Frames of any content and length, empty ones included, arrive whole and in order, then the end."""
    left, right = socket.socketpair()
    with left, right:
        write_frame(left, *payloads)
        left.close()
        assert [read_frame(right) for _ in payloads] == payloads
        assert read_frame(right) is None


@pytest.mark.parametrize("sent", [b"\1", b"\5\0\0\0", b"\5\0\0\0four", struct.pack("<I", MAX_FRAME_BYTES + 1)])
def test_no_frame_is_told(ends, sent):
    """A length that is too much, and an end in the middle, are errors and not a shorter frame."""
    left, right = ends
    left.sendall(sent)
    left.close()
    with pytest.raises(ProtocolError):
        read_frame(right)


def test_too_long_a_frame_is_not_sent(ends):
    """A frame beyond the bound is refused before anything of it is sent."""
    left, right = ends
    with pytest.raises(MisuseError, match="at most"):
        write_frame(left, b"first", bytes(MAX_FRAME_BYTES + 1))
    assert not has_news(right)


def test_news_and_room_are_told_without_waiting(ends):
    """There is news once something came or the other end is gone, and room until too much was not read."""
    left, right = ends
    assert not has_news(right)
    assert has_room(left)
    left.setblocking(False)
    with pytest.raises(BlockingIOError):
        while True:
            left.send(bytes(4096))
    assert has_news(right)
    assert not has_room(left)
    left.close()
    assert not has_room(left)
    assert has_news(left)
