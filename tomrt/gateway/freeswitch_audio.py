"""A call's line over a WebSocket, in whichever dialect: the port that a call is written against.

All waiting is bounded: a peer that sends nothing is idle, one that does not read is lost, and what happened in the call
is told to it only as far as it keeps up.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from contextlib import suppress

import trio
from trio_websocket import ConnectionClosed, WebSocketConnection

from tomrt.events import CallInfo, Dialect, LineClosed, LineEvent
from tomrt.happenings import Happening
from tomrt.ports import Egress
from tomrt.wire.handshake import Offer
from tomrt.wire.line import LineCore, Outgoing, core_for

__all__ = ["FreeswitchAudio", "open_line"]

SETTLE_S = 0.25
"""So long is waited for metadata: FreeSWITCH sends a frame every 20 ms from the start, so this is for others."""
GRACE_S = 0.5
SEND_TIMEOUT_S = 5.0
CLOSE_TIMEOUT_S = 1.0
MAX_NOTICES = 64
"""Messages about the call that may wait for a slow peer; some ten turns' worth."""

MOST_TOLD = 256
"""Events that wait for the call; the end of the call is always told."""

_CLOSE_REASONS = {1000: "hangup", 1001: "hangup", 1005: "hangup"} | dict.fromkeys(
    (1002, 1003, 1007, 1008, 1009, 1010), "protocol"
)


class FreeswitchAudio:
    """One call's line; see :class:`tomrt.ports.Transport`. Made by :func:`open_line`.

    Args:
        connection: The WebSocket; whoever serves it closes it in the end.
        core: The dialect's protocol core.
        info: What is known of the call.
        idle_timeout_s: Without audio for this long the line is idle.
        note: Counts what happens on the line: ``line``/word.
    """

    def __init__(
        self,
        connection: WebSocketConnection,
        *,
        core: LineCore,
        info: CallInfo,
        idle_timeout_s: float,
        note: Callable[[str, str], None],
    ) -> None:
        self._connection = connection
        self._core = core
        self._info = info
        self._idle_timeout_s = idle_timeout_s
        self._note = note
        self._idle_at = trio.current_time() + idle_timeout_s
        self._received: deque[LineEvent] = deque()
        self._closed: LineClosed | None = None
        self._gone = False
        self._waiting: trio.CancelScope | None = None
        self._notices: deque[Outgoing] = deque()
        self._noticed = trio.Event()

    @property
    def info(self) -> CallInfo:
        """What is known of the call."""
        return self._info

    @property
    def egress(self) -> Egress:
        """How the line treats our audio."""
        return self._core.egress

    async def greet(self) -> None:
        """Send what the dialect says first."""
        await self._send_all(self._core.open())

    async def receive(self) -> LineEvent:
        """Wait for the next line event; after ``LineClosed`` return that again."""
        while not self._received:
            if self._closed is not None:
                await trio.lowlevel.checkpoint()
                return self._closed
            with trio.CancelScope() as self._waiting:
                await self._receive_message()
            self._waiting = None
        event = self._received.popleft()
        if isinstance(event, LineClosed):
            self._close(event)
            self._received.clear()
        return event

    async def send_audio(self, pcm: bytes, *, mark: str | None = None) -> None:
        """Send mono PCM at the line's rate, after what there is to tell."""
        await self._send_all(self._core.send_audio(pcm, mark))

    async def flush(self) -> None:
        """Have the line throw away what it has not played, where its dialect has a verb for it."""
        await self._send_all(self._core.flush())

    async def notify(self, happening: Happening) -> None:
        """Tell the peer what happened, as soon as it reads; never waits."""
        for message in self._core.notify(happening):
            if self._gone or len(self._notices) >= MAX_NOTICES:
                self._note("line", "notice_dropped")
            else:
                self._notices.append(message)
        self._noticed.set()

    async def hang_up(self, reason: str) -> None:
        """Close the line in an orderly way, within about two seconds; a second call does nothing."""
        if self._gone:
            return
        with trio.move_on_after(CLOSE_TIMEOUT_S):
            await self._send_all(self._core.hang_up(reason))
        self._close(LineClosed("hangup"))
        self._gone = True
        self._noticed.set()
        with trio.move_on_after(CLOSE_TIMEOUT_S):
            await self._connection.aclose(1000)

    async def write_notices(self) -> None:
        """Send what :meth:`notify` left, until the line is gone; runs beside the call."""
        while not self._gone:
            await self._noticed.wait()
            self._noticed = trio.Event()
            await self._send_all([])

    def tell(self, event: LineEvent) -> None:
        """Have :meth:`receive` return *event* next, as what the event socket knows of the call."""
        if len(self._received) >= MOST_TOLD and not isinstance(event, LineClosed):
            self._note("line", "told_dropped")
            return
        self._received.append(event)
        if self._waiting is not None:
            self._waiting.cancel()

    def take(self, message: Outgoing) -> None:
        """Take one message from the peer; its events are what :meth:`receive` returns next."""
        if isinstance(message, str):
            self._received.extend(self._core.receive_text(message))
            if trio.current_time() >= self._idle_at + GRACE_S:
                self._close(LineClosed("idle"))
            return
        self._idle_at = trio.current_time() + self._idle_timeout_s
        self._received.extend(self._core.receive_binary(message))

    async def _receive_message(self) -> None:
        if await self._receive_before(self._idle_at):
            return
        # Once more, for a service that was held up itself: it finds its deadline past and the audio waiting.
        if not await self._receive_before(trio.current_time() + GRACE_S):
            self._close(LineClosed("idle"))

    async def _receive_before(self, deadline: float) -> bool:
        """Take the next message, or the end of the connection; tell whether either came before *deadline*."""
        with trio.move_on_at(deadline) as scope:
            try:
                self.take(await self._connection.get_message())
            except ConnectionClosed as closed:
                code = closed.reason.code if closed.reason is not None else 1006
                self._close(LineClosed(_CLOSE_REASONS.get(code, "lost")))
                self._gone = True
                self._noticed.set()
        return not scope.cancelled_caught

    async def _send_all(self, messages: list[Outgoing]) -> None:
        """Send what waits, then *messages*; a peer that does not read in time is lost."""
        if self._gone:
            await trio.lowlevel.checkpoint()
            return
        with trio.move_on_after(SEND_TIMEOUT_S) as scope:
            try:
                while self._notices:
                    await self._connection.send_message(self._notices.popleft())
                for message in messages:
                    await self._connection.send_message(message)
            except ConnectionClosed:
                # Receiving tells why.
                self._gone = True
                self._noticed.set()
        if scope.cancelled_caught:
            await self._abort()

    async def _abort(self) -> None:
        """Give up a peer that does not read: whatever was sent by half cannot be taken back."""
        if self._gone:
            return
        self._close(LineClosed("lost"))
        self._note("line", "not_reading")
        self._gone = True
        self._noticed.set()
        with trio.CancelScope() as at_once:
            at_once.cancel()
            await self._connection.aclose()

    def _close(self, closed: LineClosed) -> None:
        if self._closed is None:
            self._closed = closed
            self._note("line", closed.reason)


async def open_line(
    connection: WebSocketConnection,
    offer: Offer,
    *,
    made_up_id: str,
    idle_timeout_s: float,
    note: Callable[[str, str], None],
) -> FreeswitchAudio:
    """Settle what is known of the call, and return its line.

    The first message may be metadata; when it is audio, or nothing comes within 250 ms, the call begins with what the
    upgrade said. A client that asked for the plain dialect said everything in its query, and may be waiting for us.

    Args:
        connection: An accepted WebSocket.
        offer: What the upgrade said.
        made_up_id: The call's name where the peer gives none.
        idle_timeout_s: Without audio for this long the line is idle.
        note: Counts what happens on the line.
    """
    first: str | bytes | None = None
    with trio.move_on_after(0 if offer.dialect is Dialect.PLAIN else SETTLE_S):
        # A line that is closed already finds out again as soon as the call listens.
        with suppress(ConnectionClosed):
            first = await connection.get_message()
    if isinstance(first, str):
        offer, bad = offer.with_metadata(first)
        if bad:
            note("line", "metadata_bad")
    info = offer.info(made_up_id)
    core = core_for(info, channels=offer.channels, count=lambda word: note("line", word))
    line = FreeswitchAudio(connection, core=core, info=info, idle_timeout_s=idle_timeout_s, note=note)
    await line.greet()
    if first is not None:
        line.take(first)
    return line
