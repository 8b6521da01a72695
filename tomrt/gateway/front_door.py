"""The one way in, on every listener: nothing from the network ends more than its own connection.

Each connection has its own task and its own boundary. Its head is read here, before any library sees a byte; then it
goes on as a WebSocket (trio-websocket behind a :class:`~tomrt.gateway.replay_stream.ReplayStream`) or as HTTP (h11 and
an ASGI application). The media port and the HTTP port are the same door with different routes behind it.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Awaitable, Callable
from contextlib import AbstractContextManager, ExitStack

import trio
import trio.abc
from trio_websocket import WebSocketConnection, wrap_server_stream

from tomrt.errors import AccessDenied, ProtocolError
from tomrt.gateway.doorway import Doorway, Note
from tomrt.gateway.frame_meter import FrameMeter
from tomrt.gateway.head import Head, HeadBuffer
from tomrt.gateway.http import AsgiApp, Exchange
from tomrt.gateway.refusal import Busy, Refusal, refusal_for, response_bytes
from tomrt.gateway.replay_stream import ReplayStream, linger
from tomrt.gateway.upgrade import Upgrade, asks_for_websocket, read_upgrade
from tomrt.settings import Limits
from tomrt.wire.handshake import choose_subprotocol

__all__ = ["Admit", "FrontDoor", "WebSocketSession"]

logger = logging.getLogger("tomrt.gateway")

WebSocketSession = Callable[[WebSocketConnection], Awaitable[None]]
Admit = Callable[[Upgrade], AbstractContextManager[WebSocketSession]]
"""Decides on an upgrade before it is accepted: entering it raises ``ProtocolError``, ``AccessDenied`` or ``Busy`` to
refuse, or gives what serves the connection; it is left when the connection has ended."""

RECEIVE_BYTES = 4096
CLOSE_TIMEOUT_S = 1.0
MESSAGE_QUEUE = 2
"""Messages read ahead of the call: with the longest messages 128 KiB, with 20 ms frames 40 ms."""


class FrontDoor(Doorway):
    """Accepts connections and serves each within its own boundary.

    Args:
        limits: What one connection may ask of the service.
        note: Counts what happens: ``refused``/status, ``crashed``/class, ``connection``/``lost`` or ``too_many``,
            ``frames``/``flood``, ``accept``/``failed``.
        admit: Decides on WebSockets; ``None`` where none are served.
        app: Answers HTTP requests; ``None`` where none are.
        max_connections: Open connections of all kinds; what comes beyond is closed at once.
    """

    def __init__(
        self,
        *,
        limits: Limits,
        note: Note,
        admit: Admit | None = None,
        app: AsgiApp | None = None,
        max_connections: int = 512,
    ) -> None:
        super().__init__(note=note, max_connections=max_connections)
        self._limits = limits
        self._admit = admit
        self._app = app
        # The library logs what peers send, at debug level.
        logging.getLogger("trio-websocket").setLevel(logging.WARNING)

    async def converse(self, stream: trio.abc.Stream) -> None:
        """Serve one connection to its end: requests, or a WebSocket."""
        try:
            await self._serve_requests(stream, HeadBuffer())
        except Refusal as refusal:
            self._note("refused", str(refusal.status))
            logger.info("refused with %d: %s", refusal.status, refusal.sentence)
            await _say(stream, refusal)
        except trio.BrokenResourceError:
            # While the door itself reads, that is the peer's doing; what breaks inside a session comes in a group.
            self._note("connection", "lost")

    async def _serve_requests(self, stream: trio.abc.Stream, buffer: HeadBuffer) -> None:
        while (head := await self._next_head(stream, buffer)) is not None:
            if asks_for_websocket(head):
                await self._serve_websocket(stream, head, buffer.take())
                return
            if self._app is None:
                raise Refusal(426, "this port speaks WebSocket only", ("Upgrade", "websocket"))
            if not await self._serve_http(self._app, Exchange(stream, buffer, head)):
                await linger(stream)
                return

    async def _next_head(self, stream: trio.abc.Stream, buffer: HeadBuffer) -> Head | None:
        """Return the next head, or ``None`` when the peer has nothing more to ask."""
        with trio.move_on_after(self._limits.head_timeout_s):
            head = buffer.feed(b"")
            while head is None:
                data = await stream.receive_some(RECEIVE_BYTES)
                if not data:
                    return None
                head = buffer.feed(bytes(data))
            return head
        if len(buffer):
            raise Refusal(408, "the request head took too long")
        return None

    async def _serve_http(self, app: AsgiApp, exchange: Exchange) -> bool:
        try:
            return await exchange.run(app)
        except Refusal:
            raise
        except Exception as error:
            if exchange.gone:
                self._note("connection", "lost")
                return False
            self._failed(error)
            if not exchange.started:
                raise Refusal(500, "the service failed to answer this request") from None
            return False

    async def _serve_websocket(self, stream: trio.abc.Stream, head: Head, rest: bytes) -> None:
        if self._admit is None:
            raise Refusal(404, "no WebSocket is served here")
        upgrade = read_upgrade(head)
        with ExitStack() as admitted:
            try:
                session = admitted.enter_context(self._admit(upgrade))
            except (ProtocolError, AccessDenied, Busy) as error:
                raise refusal_for(error) from None
            await self._run_session(stream, upgrade, rest, session)
        await linger(stream)

    async def _run_session(
        self, stream: trio.abc.Stream, upgrade: Upgrade, rest: bytes, session: WebSocketSession
    ) -> None:
        subprotocol = choose_subprotocol(upgrade.subprotocols)
        replay = ReplayStream(
            stream,
            head=upgrade.head_for_library(subprotocol),
            rest=rest,
            meter=FrameMeter(
                frames_per_s=self._limits.frames_per_s, burst=self._limits.frame_burst, now=trio.current_time()
            ),
            on_flood=lambda: self._note("frames", "flood"),
        )
        async with trio.open_nursery() as nursery:
            connection, library = await nursery.start(self._run_library, replay, subprotocol)
            code = 1011
            try:
                await session(connection)
                code = 1000
            finally:
                if trio.current_effective_deadline() == -math.inf:
                    code = 1001
                with trio.CancelScope(deadline=trio.current_time() + CLOSE_TIMEOUT_S, shield=True):
                    await connection.aclose(code)
                library.cancel()

    async def _run_library(
        self,
        replay: ReplayStream,
        subprotocol: str | None,
        *,
        task_status: trio.TaskStatus[tuple[WebSocketConnection, trio.CancelScope]],
    ) -> None:
        """Run the library's reading task apart from the session, which must not be cancelled when that task fails.

        Once started it is shielded, so that a session that is cancelled can still close in an orderly way.
        """
        started = False
        try:
            async with trio.open_nursery() as nursery:
                request = await wrap_server_stream(
                    nursery, replay, message_queue_size=MESSAGE_QUEUE, max_message_size=self._limits.max_message_bytes
                )
                connection = await request.accept(subprotocol=subprotocol)
                replay.accepted()
                nursery.cancel_scope.shield = True
                started = True
                task_status.started((connection, nursery.cancel_scope))
        except Exception as error:
            if not started:
                raise
            self._failed(error)


async def _say(stream: trio.abc.Stream, refusal: Refusal) -> None:
    with trio.move_on_after(CLOSE_TIMEOUT_S):
        try:
            await stream.send_all(response_bytes(refusal))
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            return
        if refusal.status != 408:
            await linger(stream)
