"""A media door, an HTTP door and one door for both, over real sockets or in memory, for the tests of the gateway."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

import trio
import trio.abc
import trio.testing
from prometheus_client import CollectorRegistry
from trio_websocket import WebSocketConnection, open_websocket_url, wrap_client_stream

from tomrt.events import LineAudio, LineClosed
from tomrt.gateway.admission import Admission
from tomrt.gateway.call_door import CallDoor
from tomrt.gateway.front_door import FrontDoor
from tomrt.gateway.routes import build_app
from tomrt.ports import Transport
from tomrt.security.tokens import TokenVerifier
from tomrt.settings import Limits

PLAIN = "/call?dialect=plain"


async def echo(line: Transport) -> None:
    """A call that says what it hears."""
    while not isinstance(event := await line.receive(), LineClosed):
        if isinstance(event, LineAudio):
            await line.send_audio(event.pcm)


class World:
    """One service with its doors and its counts."""

    def __init__(
        self,
        *,
        limits: Limits | None = None,
        serve_call: Callable[[Transport], Awaitable[None]] = echo,
        verifier: TokenVerifier | None = None,
        max_calls: int = 32,
        app: Any = None,
    ) -> None:
        self.counts: Counter[str] = Counter()
        self.limits = limits or Limits(head_timeout_s=2.0)
        self.admission = Admission(max_calls=max_calls)
        self.unready: str | None = None
        self.calls = CallDoor(
            limits=self.limits,
            admission=self.admission,
            verifier=verifier,
            serve_call=serve_call,
            note=self.note,
        )
        self.app = app or build_app(ready=lambda: self.unready, registry=CollectorRegistry())
        self.doors = {
            "media": FrontDoor(limits=self.limits, note=self.note, admit=self.calls.admit),
            "http": FrontDoor(limits=self.limits, note=self.note, app=self.app),
            "both": FrontDoor(limits=self.limits, note=self.note, admit=self.calls.admit, app=self.app),
        }
        self.ports: dict[str, int] = {}

    def note(self, what: str, kind: str) -> None:
        self.counts[f"{what}/{kind}"] += 1

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[World]:
        """Serve all doors on ephemeral ports of the loopback interface."""
        async with trio.open_nursery() as nursery:
            listeners = []
            for name, door in self.doors.items():
                (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
                listeners.append(listener)
                self.ports[name] = listener.socket.getsockname()[1]
                await nursery.start(door.serve, [listener])
            try:
                yield self
            finally:
                nursery.cancel_scope.cancel()
                for listener in listeners:
                    listener.socket.close()

    async def stream(self, door: str) -> trio.SocketStream:
        return await trio.open_tcp_stream("127.0.0.1", self.ports[door])

    def websocket(self, door: str = "media", target: str = PLAIN, **options: Any) -> Any:
        return open_websocket_url(f"ws://127.0.0.1:{self.ports[door]}{target}", **options)

    @asynccontextmanager
    async def in_memory(
        self, target: str = PLAIN, *, lockstep: bool = False, subprotocols: list[str] | None = None
    ) -> AsyncIterator[WebSocketConnection]:
        """Place a call over a stream in memory; when left, the client is gone and the door has finished with it."""
        client, server = trio.testing.lockstep_stream_pair() if lockstep else trio.testing.memory_stream_pair()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self.doors["media"].handle, server)
            async with trio.open_nursery() as inner:
                yield await wrap_client_stream(inner, client, "localhost", target, subprotocols=subprotocols)
                inner.cancel_scope.cancel()
            await trio.aclose_forcefully(client)


async def read_all(stream: trio.abc.ReceiveStream) -> bytes:
    """Read until the peer closes; a reset counts as closing."""
    received = b""
    try:
        while data := await stream.receive_some():
            received += bytes(data)
    except trio.BrokenResourceError:
        pass
    return received


async def ask(world: World, door: str, raw: bytes) -> bytes:
    """Send *raw* and return all that is answered until the connection is closed."""
    async with await world.stream(door) as stream:
        with suppress(trio.BrokenResourceError):
            await stream.send_all(raw)
        return await read_all(stream)


def status(answer: bytes) -> int:
    """Return the status of an HTTP response, 0 for none."""
    return int(answer[9:12]) if answer.startswith(b"HTTP/1.1 ") else 0
