"""Tells the tap, and through a bounded queue the peer, what happens in one call."""

from __future__ import annotations

from typing import Any

import trio
from attrs import define, field

from tomrt.happenings import Happened, Happening
from tomrt.ports import Tap, Transport

__all__ = ["Reporter"]

QUEUE = 64
"""Happenings that wait for the peer; a turn makes fewer than ten."""


@define
class Reporter:
    """Stamps happenings with the call and the time.

    Args:
        call_id: The call.
        tap: Takes each happening at once.
    """

    call_id: str
    tap: Tap
    dropped: int = field(default=0, init=False)
    _send: trio.MemorySendChannel[Happening] = field(init=False, repr=False)
    _receive: trio.MemoryReceiveChannel[Happening] = field(init=False, repr=False)

    def __attrs_post_init__(self) -> None:
        self._send, self._receive = trio.open_memory_channel[Any](QUEUE)

    def say(self, kind: type[Happened], /, **fields: Any) -> None:
        """Report that something of class *kind* happened now."""
        happening: Any = kind(call_id=self.call_id, at=trio.current_time(), **fields)
        self.tap.put(happening)
        try:
            self._send.send_nowait(happening)
        except trio.WouldBlock:
            self.dropped += 1  # the peer is slow; the tap has it all the same

    async def tell_peer(self, transport: Transport) -> None:
        """Pass happenings on to *transport*, in order, until cancelled."""
        async for happening in self._receive:
            await transport.notify(happening)

    async def tell_peer_the_rest(self, transport: Transport) -> None:
        """Pass on what still waits."""
        self._send.close()
        await self.tell_peer(transport)
        self._receive.close()
