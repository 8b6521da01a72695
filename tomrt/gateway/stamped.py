"""UDP packets with the time at which the kernel took them, however late they are read."""

from __future__ import annotations

import socket
import struct
import time

__all__ = ["MAX_PACKET_BYTES", "receive_stamped", "stamp_arrivals"]

MAX_PACKET_BYTES = 2048
_SO_TIMESTAMPNS = 35
"""Linux, on all machines but a few old ones; Python has no name for it."""
_TIMESPEC = struct.Struct("@ll")
_ANCILLARY_BYTES = socket.CMSG_SPACE(_TIMESPEC.size)
_OLDEST_S = 10.0
"""An older packet is a clock that was set; its age is not known."""


def stamp_arrivals(udp: socket.socket) -> None:
    """Have the kernel note the arrival of each packet of *udp*; nothing where it cannot."""
    try:
        udp.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)
    except OSError:
        return


def receive_stamped(udp: socket.socket) -> tuple[bytes, float | None, tuple[str, int]]:
    """Return the next packet, how many seconds ago it came (``None`` where nobody knows), and from where.

    Raises:
        BlockingIOError: there is none.
        OSError: an earlier packet of ours was refused.
    """
    packet, ancillary, _, address = udp.recvmsg(MAX_PACKET_BYTES, _ANCILLARY_BYTES)
    for level, kind, data in ancillary:
        if level == socket.SOL_SOCKET and kind == _SO_TIMESTAMPNS and len(data) >= _TIMESPEC.size:
            seconds, nanoseconds = _TIMESPEC.unpack_from(data)
            # Both are the wall clock's, which may be set: only the difference is used, and only where it makes sense.
            age = time.time() - (seconds + nanoseconds * 1e-9)
            return packet, age if 0.0 <= age <= _OLDEST_S else None, address
    return packet, None, address
