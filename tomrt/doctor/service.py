"""Whether the tomrt service itself is there, where FreeSWITCH would look for it."""

from __future__ import annotations

import trio

from tomrt.doctor.finding import Finding, failed, passed, skipped
from tomrt.settings import Settings, is_loopback

__all__ = ["check_addresses", "check_media_port", "check_outbound_port"]

LIMIT_S = 2.0
RECEIVE_BYTES = 4_096

OUTBOUND = ("service.outbound", "tomrt takes calls")
MEDIA = ("service.media", "tomrt takes audio")
ADDRESSES = ("addresses", "addresses")

_START = "start it: python -m tomrt (with the same --config)"
_ANY = frozenset({"0.0.0.0", "::"})  # noqa: S104 - compared with, not listened on


async def check_outbound_port(settings: Settings) -> Finding:
    """Dial the port that the socket application dials: tomrt speaks first there."""
    if not settings.freeswitch.outbound:
        return skipped(OUTBOUND, "freeswitch.outbound is false")
    host, port = _reachable(settings), settings.freeswitch.outbound_port
    if not port:
        return skipped(OUTBOUND, "freeswitch.outbound_port is 0: another free port at each start")
    said = await _said_at(host, port, b"")
    if said is not None and said.startswith(b"connect"):
        return passed(OUTBOUND, f"at {host}:{port}")
    return failed(
        OUTBOUND,
        f"nobody listens at {host}:{port}" if said is None else f"what listens at {host}:{port} is not tomrt",
        why="the socket application of the dialplan would find nobody, and the call goes on without tomrt",
        do=_START if said is None else "stop the other program, or set freeswitch.outbound_port and the dialplan alike",
    )


async def check_media_port(settings: Settings) -> Finding:
    """Ask the port that the modules' WebSockets come to whether it speaks HTTP."""
    host, port = _reachable(settings), settings.gateway.media_port
    if not port:
        return skipped(MEDIA, "gateway.media_port is 0: another free port at each start")
    said = await _said_at(host, port, f"GET / HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
    if said is not None and said.startswith(b"HTTP/1.1 "):
        return passed(MEDIA, f"at {host}:{port}")
    if settings.freeswitch.media == "unicast" and said is None:
        return skipped(MEDIA, f"nobody listens at {host}:{port}, and freeswitch.media is unicast")
    return failed(
        MEDIA,
        f"nobody listens at {host}:{port}" if said is None else f"what listens at {host}:{port} is not tomrt",
        why="the module's WebSocket would find nobody: calls without audio",
        do=_START if said is None else "stop the other program, or set gateway.media_port",
    )


def check_addresses(settings: Settings, switch_host: str) -> Finding:
    """Say whether the addresses in the settings can be right for a switch at *switch_host*."""
    freeswitch, gateway = settings.freeswitch, settings.gateway
    if is_loopback(switch_host):
        return passed(ADDRESSES, "FreeSWITCH and tomrt are on one machine")
    alone = [
        name
        for name, host in (
            ("freeswitch.unicast_host", freeswitch.unicast_host),
            ("freeswitch.unicast_switch_host", freeswitch.unicast_switch_host),
            ("gateway.host", gateway.host),
        )
        if is_loopback(host)
    ]
    if not alone:
        return passed(ADDRESSES, f"unicast between {freeswitch.unicast_switch_host} and {freeswitch.unicast_host}")
    return failed(
        ADDRESSES,
        f"FreeSWITCH is at {switch_host}, but {' and '.join(alone)} {'is' if len(alone) == 1 else 'are'} loopback",
        why="loopback is each machine's own: FreeSWITCH would dial and send audio to itself",
        do=f'freeswitch.unicast_switch_host = "{switch_host}"; freeswitch.unicast_host and gateway.host = the address '
        "of this machine that FreeSWITCH reaches",
    )


def _reachable(settings: Settings) -> str:
    return "127.0.0.1" if settings.gateway.host in _ANY else settings.gateway.host


async def _said_at(host: str, port: int, ask: bytes) -> bytes | None:
    """Return the first thing that is said at an address, ``b""`` for nothing, ``None`` where nobody listens."""
    said = b""
    try:
        with trio.fail_after(LIMIT_S):
            stream = await trio.open_tcp_stream(host, port)
    except (OSError, trio.TooSlowError):
        return None
    async with stream:
        with trio.move_on_after(LIMIT_S):
            try:
                if ask:
                    await stream.send_all(ask)
                said = bytes(await stream.receive_some(RECEIVE_BYTES))
            except (trio.BrokenResourceError, trio.ClosedResourceError):
                return b""
    return said
