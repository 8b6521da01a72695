"""The ports a service listens on, opened together: either all of them are had, or none, and it is said which is not."""

from __future__ import annotations

import errno
from contextlib import ExitStack

import trio
from attrs import frozen

from tomrt.errors import TomrtError
from tomrt.gateway.rtp_sockets import RtpSockets, open_rtp_sockets
from tomrt.settings import Settings

__all__ = ["Listeners", "open_listeners"]

BACKLOG = 128
OUTBOUND_KEY = "freeswitch.outbound_port"


@frozen(kw_only=True)
class Listeners:
    """What is listened on.

    Args:
        http: Of the HTTP port.
        media: Of the media port; the same object where the ports are one.
        outbound: Of the outbound event socket, ``None`` where that is off.
        rtp: For RTP and RTCP, ``None`` where that is off.
    """

    http: list[trio.SocketListener]
    media: list[trio.SocketListener]
    outbound: list[trio.SocketListener] | None
    rtp: RtpSockets | None

    @property
    def http_address(self) -> tuple[str, int]:
        """Address and port of the HTTP port."""
        return _address(self.http)

    @property
    def media_address(self) -> tuple[str, int]:
        """Address and port of the media port."""
        return _address(self.media)

    @property
    def outbound_address(self) -> tuple[str, int] | None:
        """Address and port of the outbound event socket."""
        return None if self.outbound is None else _address(self.outbound)

    def close(self) -> None:
        """Listen no more."""
        for listener in (*self.http, *self.media, *(self.outbound or ())):
            listener.socket.close()
        if self.rtp is not None:
            self.rtp.close()


async def open_listeners(settings: Settings) -> Listeners:
    """Open all ports of the settings.

    Raises:
        TomrtError: one cannot be had, in one sentence.
    """
    gateway, freeswitch, rtp = settings.gateway, settings.freeswitch, settings.rtp
    with ExitStack() as opened:

        async def listen(port: int, key: str) -> list[trio.SocketListener]:
            listeners = await _listen(gateway.host, port, key)
            for listener in listeners:
                opened.callback(listener.socket.close)
            return listeners

        http = await listen(gateway.http_port, "gateway.http_port")
        one = gateway.http_port == gateway.media_port != 0
        listeners = Listeners(
            http=http,
            media=http if one else await listen(gateway.media_port, "gateway.media_port"),
            outbound=await listen(freeswitch.outbound_port, OUTBOUND_KEY) if freeswitch.outbound else None,
            rtp=open_rtp_sockets(gateway.host, rtp.port) if rtp.enabled else None,
        )
        opened.pop_all()
        return listeners


async def _listen(host: str, port: int, key: str) -> list[trio.SocketListener]:
    try:
        return await trio.open_tcp_listeners(port, host=host, backlog=BACKLOG)
    except OSError as error:
        where = f"{host} port {port}"
        if error.errno == errno.EADDRINUSE:
            raise TomrtError(f"{where} is taken by another program: stop it, or set {key}") from error
        if error.errno == errno.EACCES:
            raise TomrtError(f"{where} may not be listened on by this user: set {key} above 1023") from error
        raise TomrtError(f"cannot listen on {where}: {error.strerror or error}") from error


def _address(listeners: list[trio.SocketListener]) -> tuple[str, int]:
    address: tuple[str, int] = listeners[0].socket.getsockname()[:2]
    return address
