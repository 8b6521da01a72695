"""The two UDP sockets of RTP: opened together, read in bounded portions, and written to without waiting."""

from __future__ import annotations

import errno
import socket
from collections.abc import Callable
from typing import Any

import trio
from attrs import define, field, frozen

from tomrt.errors import TomrtError
from tomrt.gateway.doorway import Note

__all__ = ["Address", "ReturnPath", "RtpSockets", "Take", "open_rtp_sockets", "read_datagrams"]

Address = tuple[Any, ...]
"""As a socket tells it: host, port, and for IPv6 flow and scope."""

MOST_BYTES = 2048
"""Longer datagrams are refused; 60 ms of L16 at 16 kHz have 1932 bytes."""
MOST_AT_ONCE = 256
"""Datagrams read before other tasks have their turn: some 5 ms of a flood."""
BUFFER_BYTES = 1 << 20
TRIES = 64

Take = Callable[[bytes, Address, float], None]


@frozen(eq=False)
class RtpSockets:
    """Two bound sockets that do not block: RTP, and RTCP one port above it."""

    rtp: socket.socket
    rtcp: socket.socket

    @property
    def address(self) -> tuple[str, int]:
        """Host and port where RTP is taken."""
        host, port = self.rtp.getsockname()[:2]
        return host, port

    def close(self) -> None:
        """Close both; whoever reads them is cancelled before."""
        self.rtp.close()
        self.rtcp.close()


def open_rtp_sockets(host: str, port: int) -> RtpSockets:
    """Bind *port* of *host* and the next one; 0 takes a free pair whose first port is even.

    Raises:
        TomrtError: they cannot be had, in one sentence.
    """
    try:
        family, *_, found = socket.getaddrinfo(host, port, type=socket.SOCK_DGRAM)[0]
    except OSError as error:
        raise TomrtError(f"cannot listen on {host} for RTP: {error.strerror or error}") from error
    for _ in range(1 if port else TRIES):
        rtp = _bind(family, str(found[0]), port, last=bool(port))
        if rtp is None:
            continue
        number = rtp.getsockname()[1]
        if port == 0 and number % 2:
            rtp.close()
            continue
        try:
            rtcp = _bind(family, str(found[0]), number + 1, last=bool(port))
        except TomrtError:
            rtp.close()
            raise
        if rtcp is not None:
            return RtpSockets(rtp, rtcp)
        rtp.close()
    raise TomrtError(f"{host} has no two free UDP ports in a row for RTP: set rtp.port")


def _bind(family: int, host: str, port: int, *, last: bool) -> socket.socket | None:
    """Return a bound socket; where it is the *last* chance raise, else return ``None``, when it cannot be had."""
    opened = socket.socket(family, socket.SOCK_DGRAM)
    try:
        opened.setblocking(False)
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, BUFFER_BYTES)
        opened.bind((host, port))
    except (OSError, OverflowError) as error:
        opened.close()
        if not last:
            return None
        if getattr(error, "errno", None) == errno.EADDRINUSE:
            raise TomrtError(f"{host} UDP port {port} is taken by another program: stop it, or set rtp.port") from error
        raise TomrtError(f"cannot listen on {host} UDP port {port}: {error}") from error
    return opened


async def read_datagrams(opened: socket.socket, take: Take, note: Note) -> None:
    """Hand each datagram to *take*, with its sender and the time, until cancelled.

    Other tasks have their turn after so many datagrams at most, so that a flood cannot starve them.
    """
    while True:
        await trio.lowlevel.wait_readable(opened)
        now = trio.current_time()
        for _ in range(MOST_AT_ONCE):
            try:
                data, address = opened.recvfrom(MOST_BYTES + 1)
            except BlockingIOError:
                break
            except OSError:
                # The kernel's word about a datagram that did not arrive, or no memory: the socket is as good as before.
                note("rtp", "receive_failed")
                break
            if len(data) > MOST_BYTES:
                note("rtp", "too_long")
            else:
                take(data, address, now)


@define
class ReturnPath:
    """Where a call's packets go: to the address it is heard from, and nowhere else (symmetric RTP, RFC 4961).

    Reports go to where the peer's come from. Before any came, they go to the port above an even one, which RFC 3550
    (11) sets aside for them; beside an odd port, or where another call is heard from, they do not go at all.

    Args:
        sockets: What to send from.
        address: Of the peer's RTP.
        taken: Whether an address is that of a call.
        note: Counts what cannot be sent.
    """

    sockets: RtpSockets
    address: Address
    taken: Callable[[Address], bool]
    note: Note
    _reports: bool = field(default=False, init=False)
    _together: bool = field(default=False, init=False)

    @property
    def report_address(self) -> Address:
        """Where the peer's reports may come from besides the address of its RTP."""
        return (self.address[0], self.address[1] + 1, *self.address[2:])

    def reports_came(self, *, together: bool) -> None:
        """Take note that a report came, *together* with RTP on its port (RFC 5761) or on the port of its own."""
        self._reports, self._together = True, together

    def send(self, data: bytes) -> None:
        """Send RTP."""
        self._send(self.sockets.rtp, data, self.address)

    def report(self, data: bytes) -> None:
        """Send RTCP."""
        if self._together:
            self._send(self.sockets.rtp, data, self.address)
        elif self._reports or (self.address[1] % 2 == 0 and not self.taken(self.report_address)):
            self._send(self.sockets.rtcp, data, self.report_address)

    def _send(self, opened: socket.socket, data: bytes, address: Address) -> None:
        try:
            opened.sendto(data, address)
        except BlockingIOError:
            self.note("rtp", "send_dropped")
        except OSError:
            self.note("rtp", "send_failed")
