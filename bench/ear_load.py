"""The load of the ear clocks: the same callers as ever, connected by whichever path."""

from __future__ import annotations

import socket
import time

from attrs import field, frozen

from bench.call_load import CONNECT_S, Load, LoadError, open_websocket
from bench.ear_lines import ForkEarLine, PacketEarLine, PlainEarLine, UnicastEarLine
from bench.lane import Lane
from tomrt.caller.event_socket import SwitchSide
from tomrt.caller.packet_form import bare_pcmu, rtp_pcmu
from tomrt.errors import ProtocolError
from tomrt.gateway.stamped import stamp_arrivals

__all__ = ["PATHS", "UNICAST_PORTS", "EarLoad", "open_udp"]

PATHS = ("unicast", "fork", "rtp", "plain")
UNICAST_PORTS = (28_000, 29_999)
"""Not those of a service that runs here with its own settings."""
FORK_PROTOCOL = "audio.drachtio.org"


@frozen(kw_only=True)
class EarLoad(Load):
    """A load over one path.

    Args:
        carried: ``unicast``, ``fork``, ``rtp`` or ``plain``.
    """

    carried: str = field()

    def connect(self, number: int) -> Lane:
        """Return call *number* of the load, connected."""
        match self.carried:
            case "unicast":
                return _open_unicast(self, number)
            case "rtp":
                return PacketEarLine(number, self.script(number), self.keeps(number), _open_rtp(self), rtp_pcmu())
            case "fork":
                return open_websocket(self, number, ForkEarLine, protocol=FORK_PROTOCOL)
            case _:
                return open_websocket(self, number, PlainEarLine)


def open_udp() -> socket.socket:
    """Return a UDP socket whose packets bear the time of their arrival."""
    udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    udp.setblocking(False)
    stamp_arrivals(udp)
    return udp


def _open_rtp(load: EarLoad) -> socket.socket:
    udp = open_udp()
    udp.connect((load.host, load.port))
    return udp


def _open_unicast(load: EarLoad, number: int) -> UnicastEarLine:
    """Hand a call over on the service's event-socket port, and go along until its audio is on."""
    where = f"call {number + 1} to {load.host}:{load.port} failed"
    side = SwitchSide(uuid=f"bench-{number}", caller=f"{1000 + number}")
    udp = open_udp()
    try:
        control = socket.create_connection((load.host, load.port), timeout=CONNECT_S)
    except OSError as error:
        udp.close()
        raise LoadError(f"{where}: {error}") from None
    try:
        _hand_over(control, side)
        assert side.unicast is not None
        udp.bind(side.unicast.local)
        udp.connect(side.unicast.remote)
    except (OSError, ProtocolError, LoadError) as error:
        control.close()
        udp.close()
        raise LoadError(f"{where}: {error}") from None
    if not side.unicast.native:
        raise LoadError(f"{where}: the service did not ask for native PCMU")
    control.setblocking(False)
    return UnicastEarLine(number, load.script(number), load.keeps(number), udp, bare_pcmu(), control, side)


def _hand_over(control: socket.socket, side: SwitchSide) -> None:
    control.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    until = time.monotonic() + CONNECT_S
    while side.unicast is None:
        data = control.recv(65536)
        if not data or side.ended or time.monotonic() > until:
            raise LoadError(f"the service asked for no audio {side.ended}")
        control.sendall(side.feed(data))
