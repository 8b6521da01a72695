"""Whole messages over a stream socket between two processes of ours: a length of four bytes, then so many bytes."""

from __future__ import annotations

import select
import socket
import struct

from tomrt.errors import MisuseError, ProtocolError

__all__ = ["MAX_FRAME_BYTES", "has_news", "has_room", "read_frame", "write_frame"]

MAX_FRAME_BYTES = 8 * 1024 * 1024
"""Four minutes of 16 kHz audio; utterances are cut long before that."""

_LENGTH = struct.Struct("<I")


def write_frame(connection: socket.socket, *payloads: bytes) -> None:
    """Send each of *payloads* as a frame, all in one go.

    Raises:
        MisuseError: one of them is longer than ``MAX_FRAME_BYTES``.
        OSError: the other end is gone, or the socket's time-out passed.
    """
    if any(len(payload) > MAX_FRAME_BYTES for payload in payloads):
        raise MisuseError(f"A message between processes has at most {MAX_FRAME_BYTES} bytes.")
    connection.sendall(b"".join(part for payload in payloads for part in (_LENGTH.pack(len(payload)), payload)))


def read_frame(connection: socket.socket) -> bytes | None:
    """Wait for the next frame; ``None`` when the other end has closed.

    Raises:
        ProtocolError: what came is no frame, or only part of one.
        OSError: the connection broke, or the socket's time-out passed.
    """
    header = _read(connection, _LENGTH.size)
    if not header:
        return None
    size = _LENGTH.unpack(header)[0] if len(header) == _LENGTH.size else MAX_FRAME_BYTES + 1
    if size > MAX_FRAME_BYTES:
        raise ProtocolError("what came from the other process is no message")
    payload = _read(connection, size)
    if len(payload) < size:
        raise ProtocolError("the other process ended in the middle of a message")
    return payload


def has_news(connection: socket.socket) -> bool:
    """Whether reading would not wait: something has come, or the other end is gone."""
    return bool(_polled(connection, select.POLLIN))


def has_room(connection: socket.socket) -> bool:
    """Whether writing a short message would not wait; ``False`` also when the other end is gone."""
    return _polled(connection, select.POLLOUT) == select.POLLOUT


def _polled(connection: socket.socket, wanted: int) -> int:
    if connection.fileno() < 0:
        return select.POLLNVAL
    poll = select.poll()  # unlike select.select, takes descriptors above 1023
    poll.register(connection, wanted)
    return next((event for _, event in poll.poll(0)), 0)


def _read(connection: socket.socket, size: int) -> bytes:
    """Return *size* bytes, or what there was before the end."""
    data = bytearray(size)
    view, filled = memoryview(data), 0
    while filled < size and (count := connection.recv_into(view[filled:])):
        filled += count
    return bytes(data[:filled])
