"""The WebSocket client within a media module: the upgrade spelt as each module spells it, then plain frames."""

from __future__ import annotations

import base64
import hashlib
import os
from collections.abc import Callable
from urllib.parse import urlsplit

import trio
from attrs import frozen
from wsproto.connection import Connection, ConnectionType
from wsproto.events import BytesMessage, CloseConnection, Event, Ping, TextMessage
from wsproto.frame_protocol import CloseReason
from wsproto.utilities import LocalProtocolError, RemoteProtocolError

__all__ = ["Address", "ConnectError", "ModuleSocket"]

MAGIC = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
READ_BYTES = 65536
MAX_HEAD = 16384


class ConnectError(Exception):
    """The upgrade did not come about; says why in the module's words."""


@frozen
class Address:
    """Where to, as the operator wrote it."""

    host: str
    port: int
    resource: str

    @classmethod
    def of(cls, url: str) -> Address:
        """Read a ``ws://`` URL."""
        parts = urlsplit(url)
        resource = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        return cls(parts.hostname or "", parts.port or 80, resource)


class ModuleSocket:
    """One connection.

    Args:
        address: Where to.
        head: Returns the lines of the upgrade request for a key.
        subprotocol: What was offered; another one in the answer is refused.
        nodelay: Whether small writes go out at once.
    """

    def __init__(
        self, address: Address, head: Callable[[str], list[str]], *, subprotocol: str = "", nodelay: bool = True
    ) -> None:
        self.sent_head = ""
        self.answer_head = ""
        self.closed: tuple[int, str] | None = None
        """Code and reason with which the server closed."""
        self._address = address
        self._head = head
        self._subprotocol = subprotocol
        self._nodelay = nodelay
        self._stream: trio.SocketStream | None = None
        self._frames = Connection(ConnectionType.CLIENT)
        self._outgoing = bytearray()
        self._wake = trio.Event()
        self._scope = trio.CancelScope()
        self._last = False

    async def connect(self) -> None:
        """Dial and upgrade.

        Raises:
            ConnectError: nobody listens, or the answer is not the one asked for.
        """
        try:
            self._stream = await trio.open_tcp_stream(self._address.host, self._address.port)
            self._stream.setsockopt(trio.socket.IPPROTO_TCP, trio.socket.TCP_NODELAY, self._nodelay)
        except OSError:
            raise ConnectError("Unable to connect") from None
        key = base64.b64encode(os.urandom(16)).decode()
        self.sent_head = "\r\n".join([*self._head(key), "", ""])
        try:
            await self._stream.send_all(self.sent_head.encode())
            await self._upgrade(key)
        except trio.BrokenResourceError:
            raise ConnectError("HS: connection lost") from None

    async def run(self, take: Callable[[str | bytes], None]) -> str:
        """Exchange messages until the end: ``"server"`` closed it, ``"lost"``, or ``"module"`` did."""
        assert self._stream is not None
        how = "module"
        try:
            with self._scope:
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(self._write, self._stream)
                    how = await self._read(self._stream, take)
                    nursery.cancel_scope.cancel()
        finally:
            await self.aclose()
        return how

    async def aclose(self) -> None:
        """Give the connection up."""
        if self._stream is not None:
            await trio.aclose_forcefully(self._stream)

    def send(self, message: str | bytes) -> None:
        """Send a whole message in one frame, when the server reads."""
        event = TextMessage(data=message) if isinstance(message, str) else BytesMessage(data=message)
        self._send(event)

    def close(self, reason: str = "") -> None:
        """Say goodbye: CLOSE 1000."""
        self._send(CloseConnection(code=1000, reason=reason or None))

    def abort(self) -> None:
        """Break the connection."""
        self._scope.cancel()

    def _send(self, event: Event) -> None:
        try:
            self._outgoing += self._frames.send(event)
        except LocalProtocolError:
            return  # closed meanwhile
        self._wake.set()

    async def _upgrade(self, key: str) -> None:
        assert self._stream is not None
        answer = b""
        while b"\r\n\r\n" not in answer:
            data = await self._stream.receive_some(READ_BYTES)
            if not data or len(answer) > MAX_HEAD:
                raise ConnectError("HS: connection lost")
            answer += data
        head, _, rest = answer.partition(b"\r\n\r\n")
        self.answer_head = head.decode("latin-1")
        status, *lines = self.answer_head.split("\r\n")
        if status.split(" ")[1:2] != ["101"]:
            raise ConnectError("HS: ws upgrade response not 101")
        headers = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        accept = base64.b64encode(hashlib.sha1(key.encode() + MAGIC).digest()).decode()
        if headers.get("sec-websocket-accept") != accept:
            raise ConnectError("HS: ACCEPT missing or wrong")
        if headers.get("sec-websocket-protocol", self._subprotocol) != self._subprotocol:
            raise ConnectError("HS: PROTOCOL malformed")
        self._frames.receive_data(rest)

    async def _read(self, stream: trio.SocketStream, take: Callable[[str | bytes], None]) -> str:
        whole: list[str] | list[bytes] = []
        while True:
            for event in self._frames.events():
                if isinstance(event, Ping):
                    self._send(event.response())
                elif isinstance(event, CloseConnection):
                    return await self._closed(event)
                elif isinstance(event, TextMessage | BytesMessage):
                    whole.append(event.data)  # type: ignore[arg-type]
                    if event.message_finished:
                        take(whole[0][:0].join(whole))  # type: ignore[arg-type]
                        whole = []
            try:
                data = await stream.receive_some(READ_BYTES)
                if not data:
                    return "module" if self._last else "lost"
                self._frames.receive_data(data)
            except (trio.BrokenResourceError, trio.ClosedResourceError, RemoteProtocolError):
                return "module" if self._last else "lost"

    async def _closed(self, event: CloseConnection) -> str:
        """Echo the server's CLOSE, or take its echo of ours."""
        if self._frames.state.name == "CLOSED":
            return "module"
        self.closed = (event.code, event.reason or "")
        self._send(CloseConnection(code=event.code or CloseReason.NORMAL_CLOSURE, reason=event.reason))
        with trio.move_on_after(1):
            while self._outgoing:
                await trio.sleep(0.005)
        return "server"

    async def _write(self, stream: trio.SocketStream) -> None:
        while True:
            await self._wake.wait()
            self._wake = trio.Event()
            data, self._outgoing = bytes(self._outgoing), bytearray()
            try:
                await stream.send_all(data)
            except (trio.BrokenResourceError, trio.ClosedResourceError):
                return  # the reader finds out
