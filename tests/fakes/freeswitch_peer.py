"""The server's end of an event socket, as small as can be: for tests of the fake switch itself."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import trio
from attrs import define, field
from fakes.freeswitch import FakeCall, FakeSwitch

from tomrt.errors import ProtocolError
from tomrt.wire import esl_commands
from tomrt.wire.esl import EslMessage, EslReader
from tomrt.wire.esl_event import EslEvent, read_event

__all__ = ["Peer", "dialled_in", "dialled_out"]

WAIT_S = 5.0


@define(eq=False)
class Peer:
    """Sends raw commands and keeps everything that comes."""

    stream: trio.SocketStream
    events: list[EslEvent] = field(factory=list)
    messages: list[EslMessage] = field(factory=list)
    """All that are no events."""
    segments: list[bytes] = field(factory=list)
    ended: trio.Event = field(factory=trio.Event)
    _news: trio.Event = field(factory=trio.Event)

    async def read(self) -> None:
        """Read until the end."""
        reader = EslReader()
        try:
            while data := await self.stream.receive_some():
                self.segments.append(data)
                for message in reader.feed(data):
                    if message.content_type == "text/event-plain":
                        self.events.append(read_event(message))
                    else:
                        self.messages.append(message)
                self._tell()
        except (trio.BrokenResourceError, trio.ClosedResourceError, ProtocolError):
            pass
        self.ended.set()
        self._tell()

    async def ask(self, command: str | bytes) -> EslMessage:
        """Send one command and return its reply."""
        known = len(self.messages)
        await self.stream.send_all(command if isinstance(command, bytes) else f"{command}\n\n".encode())
        await self.until(lambda: len(self.messages) > known)
        return self.messages[known]

    async def api(self, command: str) -> str:
        """Run an API command."""
        return (await self.ask(esl_commands.api(command))).body.decode()

    async def event(self, name: str, count: int = 1) -> EslEvent:
        """Wait for the *count*-th event called *name*, or of that subclass, and return it."""
        await self.until(lambda: len(self.named(name)) >= count)
        return self.named(name)[count - 1]

    def named(self, name: str) -> list[EslEvent]:
        """Return the events called *name*, or of that subclass."""
        return [event for event in self.events if name in {event.name, event.subclass}]

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait until *condition* holds."""
        with trio.fail_after(WAIT_S):
            while not condition():
                await self._news.wait()

    def _tell(self) -> None:
        self._news.set()
        self._news = trio.Event()


@asynccontextmanager
async def dialled_out(switch: FakeSwitch, **call: Any) -> AsyncIterator[tuple[FakeCall, Peer]]:
    """Take a call by the socket application, with nothing said yet."""
    (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
    async with listener, trio.open_nursery() as nursery:
        taken = switch.hand_over(listener.socket.getsockname()[1], **call)
        with trio.fail_after(WAIT_S):
            stream = await listener.accept()
        async with stream:
            peer = Peer(stream)
            nursery.start_soon(peer.read)
            yield taken, peer
            nursery.cancel_scope.cancel()


@asynccontextmanager
async def dialled_in(switch: FakeSwitch, password: str | None = "ClueCon") -> AsyncIterator[Peer]:
    """Dial port 8021, and log in unless *password* is ``None``."""
    async with trio.open_nursery() as nursery, await trio.open_tcp_stream("127.0.0.1", switch.inbound_port) as stream:
        peer = Peer(stream)
        nursery.start_soon(peer.read)
        await peer.until(lambda: bool(peer.messages) or peer.ended.is_set())
        if password is not None:
            await peer.ask(f"auth {password}")
        yield peer
        nursery.cancel_scope.cancel()
