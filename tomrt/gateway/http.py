"""HTTP/1.1 for an ASGI application: h11 for the framing, this file for the rest.

One :class:`Exchange` is one request and its response. The head was read by the front door; h11 gets it again, together
with the body, so that lengths, chunks and keep-alive are judged by one well-kept library.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from email.utils import formatdate
from http import HTTPStatus
from typing import Any
from urllib.parse import unquote

import h11
import trio
import trio.abc

from tomrt.errors import MisuseError
from tomrt.gateway.head import MAX_HEAD_BYTES, Head, HeadBuffer
from tomrt.gateway.refusal import Refusal

__all__ = ["MAX_BODY_BYTES", "AsgiApp", "Exchange"]

MAX_BODY_BYTES = 65_536
BODY_TIMEOUT_S = 5.0
WRITE_TIMEOUT_S = 10.0
RECEIVE_BYTES = 4096

Message = dict[str, Any]
AsgiApp = Callable[..., Awaitable[None]]


class Exchange:
    """One request, handed to an application, and its response.

    Args:
        stream: The peer.
        buffer: What the peer sent after the head; what it sends beyond this request is left in it.
        head: The request's head.

    Raises:
        Refusal: h11 does not take the head.
    """

    def __init__(self, stream: trio.abc.Stream, buffer: HeadBuffer, head: Head) -> None:
        self._stream = stream
        self._buffer = buffer
        self._head = head
        self._http = h11.Connection(h11.SERVER, max_incomplete_event_size=2 * MAX_HEAD_BYTES)
        self._body: bytes | None = b""
        self.started = False
        """Whether any of the response has been sent."""
        self.gone = False
        """Whether the peer went away, or stopped reading, before the end."""
        self._http.receive_data(head.raw)
        self._next_event()

    async def run(self, app: AsgiApp) -> bool:
        """Serve the request.

        Returns:
            Whether the connection may carry another request.

        Raises:
            Refusal: the body is malformed, too long or too slow.
            MisuseError: the application did not complete its response.
        """
        self._body = await self._read_body()
        await app(self._scope(), self._receive, self._send)
        if self.gone:
            return False
        if self._http.our_state is h11.SEND_BODY or not self.started:
            raise MisuseError("the application ended without completing its response")
        return self._http.our_state is h11.DONE and self._http.their_state is h11.DONE

    def _next_event(self) -> Any:
        try:
            return self._http.next_event()
        except h11.RemoteProtocolError as error:
            status = error.error_status_hint
            raise Refusal(status, "the request is not well-formed HTTP/1.1") from None

    async def _read_body(self) -> bytes:
        body = bytearray()
        with trio.move_on_after(BODY_TIMEOUT_S):
            if self._http.they_are_waiting_for_100_continue:
                await self._write(h11.InformationalResponse(status_code=100, headers=[]))
            while True:
                event = self._next_event()
                if isinstance(event, h11.EndOfMessage):
                    self._buffer.put(self._http.trailing_data[0])
                    return bytes(body)
                if isinstance(event, h11.Data):
                    body += event.data
                    if len(body) > MAX_BODY_BYTES:
                        raise Refusal(413, f"the request body is longer than {MAX_BODY_BYTES} bytes")
                else:
                    data = self._buffer.take() or await self._stream.receive_some(RECEIVE_BYTES)
                    self._http.receive_data(bytes(data))
        raise Refusal(408, "the request body took too long")

    def _scope(self) -> Message:
        return {
            "type": "http",
            # 2.3: streaming responses of Starlette then listen for the peer going away.
            "asgi": {"version": "3.0", "spec_version": "2.3"},
            "http_version": "1.1",
            "method": self._head.method,
            "scheme": "http",
            "path": unquote(self._head.path, errors="replace"),
            "raw_path": self._head.path.encode("ascii"),
            "query_string": self._head.query.encode("ascii"),
            "root_path": "",
            "headers": [(name.encode("ascii"), value.encode("ascii")) for name, value in self._head.headers],
            "client": None,
            "server": None,
        }

    async def _receive(self) -> Message:
        if self._body is not None:
            body, self._body = self._body, None
            await trio.lowlevel.checkpoint()
            return {"type": "http.request", "body": body, "more_body": False}
        await self._wait_until_gone()
        return {"type": "http.disconnect"}

    async def _wait_until_gone(self) -> None:
        """Wait for the peer to go away; what it sends meanwhile is a pipelined request and is kept."""
        while not self.gone and self._http.our_state is not h11.DONE:
            if len(self._buffer) > MAX_HEAD_BYTES:
                await trio.sleep_forever()
            try:
                data = await self._stream.receive_some(RECEIVE_BYTES)
            except (trio.BrokenResourceError, trio.ClosedResourceError):
                data = b""
            self._buffer.put(bytes(data))
            self.gone = not data

    async def _send(self, message: Message) -> None:
        match message["type"]:
            case "http.response.start":
                headers = list(message.get("headers", ()))
                if not any(name.lower() == b"date" for name, _ in headers):
                    headers.append((b"date", formatdate(usegmt=True).encode("ascii")))
                status = HTTPStatus(message["status"])
                self.started = True
                await self._write(
                    h11.Response(status_code=status, headers=headers, reason=status.phrase.encode("ascii"))
                )
            case "http.response.body":
                body = bytes(message.get("body", b""))
                if body and self._head.method != "HEAD":
                    await self._write(h11.Data(data=body))
                if not message.get("more_body", False):
                    await self._write(h11.EndOfMessage())
            case other:
                raise MisuseError(f"the application sent a message of unknown type {other}")

    async def _write(self, event: Any) -> None:
        """Send *event*; ASGI wants an ``OSError`` where the peer is gone."""
        data = self._http.send(event)
        if self.gone:
            raise OSError("the peer is gone")
        with trio.move_on_after(WRITE_TIMEOUT_S) as scope:
            try:
                await self._stream.send_all(data or b"")
            except (trio.BrokenResourceError, trio.ClosedResourceError) as error:
                self.gone = True
                raise OSError("the peer is gone") from error
        if scope.cancelled_caught:
            self.gone = True
            raise OSError("the peer does not read")
