"""Audio in packets: sends one every 20 ms on an absolute grid, hands each that comes to the ear."""

from __future__ import annotations

import socket as sockets
from collections.abc import Awaitable, Callable
from contextlib import ExitStack, suppress

import trio

from tomrt.caller.lanes import Lanes
from tomrt.caller.packet_ear import PacketEar

__all__ = ["PacketLine", "open_socket"]

MAX_PACKET_BYTES = 4096
FIRST_PACKET_S = 0.03
"""After a command to send audio, FreeSWITCH's first packet takes so long (seen)."""


async def open_socket(address: tuple[str, int], *, connected: bool = False) -> trio.socket.SocketType:
    """Return a UDP socket bound to *address*, or *connected* to it from a free port; of whichever family that is."""
    family, _, _, _, where = (await trio.socket.getaddrinfo(*address, type=sockets.SOCK_DGRAM))[0]
    with ExitStack() as stack:
        opened = stack.enter_context(trio.socket.socket(family, sockets.SOCK_DGRAM))
        await (opened.connect(where) if connected else opened.bind(where))
        stack.pop_all()
    return opened


class PacketLine:
    """The audio of one call.

    Args:
        lanes: Says what is sent, and hears.
        ear: Its ear.
        socket: Where packets come; whoever opened it closes it.
        send: Sends one.
    """

    def __init__(
        self, lanes: Lanes, ear: PacketEar, socket: trio.socket.SocketType, send: Callable[[bytes], Awaitable[object]]
    ) -> None:
        self.heard_at = trio.current_time()
        self._lanes = lanes
        self._ear = ear
        self._socket = socket
        self._send = send

    async def speak(self) -> None:
        """Send 20 ms every 20 ms, and let the script decide what is in them, until the caller hangs up."""
        frame = 0
        while True:
            frame += 1
            at = await self._lanes.frame_due(frame)
            self._ear.advance(at)
            # Nobody there yet, or not any more: a switch sends on, and what ends a call is known from elsewhere.
            with suppress(ConnectionRefusedError):
                await self._send(self._ear.form.pack(self._lanes.say()))
            if self._lanes.sent(at):
                return

    async def listen(self) -> None:
        """Hand each packet to the ear, at the sample at which it comes."""
        while True:
            with suppress(ConnectionRefusedError):
                packet = await self._socket.recv(MAX_PACKET_BYTES)
                self.heard_at = trio.current_time()
                self._ear.binary(packet, self._lanes.now)
