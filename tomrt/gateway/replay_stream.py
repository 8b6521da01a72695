"""The stream that stands between a peer and the WebSocket library.

It first replays a head that was read before, then nothing until the upgrade has been accepted, and then everything that
came with and after the head. (Handed over earlier, a frame that shares a segment with the upgrade is lost.) Frames are
counted on their way, and a peer that sends too many is told so (close code 1008) and cut off.
"""

from __future__ import annotations

from collections.abc import Callable

import trio
import trio.abc

from tomrt.gateway.frame_meter import FrameMeter

__all__ = ["ReplayStream", "linger"]

LINGER_S = 0.5
LINGER_BYTES = 4 * 1024 * 1024
CLOSE_1008 = b"\x88\x02\x03\xf0"
# A frame with reserved bits set ends the library's reading with code 1002, a breach of protocol by the peer.
_BREACH = b"\xf0\x80\x00\x00\x00\x00"


class ReplayStream(trio.abc.Stream):
    """A stream with a gate behind the head.

    Args:
        stream: The peer.
        head: What the library reads first.
        rest: What the peer sent after its head already.
        meter: Judges the frames.
        on_flood: Called once when the peer is cut off.
    """

    def __init__(
        self, stream: trio.abc.Stream, *, head: bytes, rest: bytes, meter: FrameMeter, on_flood: Callable[[], None]
    ) -> None:
        self._stream = stream
        self._head = head
        self._rest = rest
        self._meter = meter
        self._on_flood = on_flood
        self._accepted = trio.Event()
        self._sending = trio.StrictFIFOLock()
        self._flooded = False

    def accepted(self) -> None:
        """Open the gate: the library has answered the upgrade."""
        self._accepted.set()

    async def receive_some(self, max_bytes: int | None = None) -> bytes:
        """Return the head, then what is behind the gate; see :class:`trio.abc.ReceiveStream`."""
        if self._head:
            head, self._head = self._head, b""
            await trio.lowlevel.checkpoint()
            return head
        await self._accepted.wait()
        if self._flooded:
            return b""
        data = self._rest or bytes(await self._stream.receive_some(max_bytes))
        self._rest = b""
        excess_at = self._meter.feed(data, trio.current_time())
        if excess_at is None:
            return data
        await self._cut_off()
        return data[:excess_at] + _BREACH

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        """Send to the peer; see :class:`trio.abc.SendStream`. After a cut-off nothing more is said.

        The library still answers the pings before the breach; an error here would hide from it why reading ends.
        """
        # Only a cut-off ever contends for this lock, so the usual way is taken without giving up the turn.
        try:
            self._sending.acquire_nowait()
        except trio.WouldBlock:
            await self._sending.acquire()
        try:
            if not self._flooded:
                await self._stream.send_all(data)
        finally:
            self._sending.release()

    async def wait_send_all_might_not_block(self) -> None:
        """Wait until sending may go on; see :class:`trio.abc.SendStream`."""
        await self._stream.wait_send_all_might_not_block()

    async def aclose(self) -> None:
        """Close the peer's stream, so that a peer that was cut off can still read why."""
        if self._flooded:
            await linger(self._stream)
        await self._stream.aclose()

    async def _cut_off(self) -> None:
        self._on_flood()
        with trio.move_on_after(LINGER_S):
            async with self._sending:
                await self._stream.send_all(CLOSE_1008)
        self._flooded = True


async def linger(stream: trio.abc.Stream) -> None:
    """Read and discard for a moment what the peer still sends: closing over unread bytes would reset the connection
    and take our last words with it.
    """
    try:
        with trio.move_on_after(LINGER_S):
            if isinstance(stream, trio.abc.HalfCloseableStream):
                await stream.send_eof()
            discarded = 0
            while discarded < LINGER_BYTES and (data := await stream.receive_some(65_536)):
                discarded += len(data)
    except (trio.BrokenResourceError, trio.ClosedResourceError, trio.BusyResourceError):
        return
