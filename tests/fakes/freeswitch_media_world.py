"""A fake switch with somebody to tell it what to do, and the server that its media modules dial."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

import trio
from fakes.freeswitch import FakeCall, FakeSwitch, fake_switch
from fakes.freeswitch_peer import Peer, dialled_in
from fakes.speech import speech
from trio_websocket import ConnectionClosed, WebSocketConnection, WebSocketRequest, serve_websocket

__all__ = ["SILENCE", "SPEECH", "Line", "fork", "lines", "stream", "world"]

SPEECH = speech(0.4)
FORK_EVENTS = "connect connect_failed disconnect play_audio kill_audio json transfer buffer_overrun"
STREAM_EVENTS = "connect disconnect error play json"
SILENCE = {"send_silence_when_idle": "-1"}


class Line:
    """The server's end of a module's WebSocket."""

    def __init__(self) -> None:
        self.received: list[str | bytes] = []
        self.connection: WebSocketConnection | None = None
        self.closed: tuple[int, str | None] | None = None
        self.port = 0
        self.answer: str | None = "audio.drachtio.org"
        self.slow_s = 0.0

    async def serve(self, request: WebSocketRequest) -> None:
        await trio.sleep(self.slow_s)
        offered = request.proposed_subprotocols
        self.connection = await request.accept(subprotocol=self.answer if offered else None)
        try:
            while True:
                self.received.append(await self.connection.get_message())
        except ConnectionClosed as closed:
            self.closed = (closed.reason.code, closed.reason.reason) if closed.reason else (1006, None)

    @property
    def texts(self) -> list[str]:
        return [each for each in self.received if isinstance(each, str)]

    @property
    def audio(self) -> list[bytes]:
        return [each for each in self.received if isinstance(each, bytes)]

    async def tell(self, kind: str, **data: object) -> None:
        assert self.connection is not None
        await self.connection.send_message(json.dumps({"type": kind, "data": data}))


@asynccontextmanager
async def lines(line: Line) -> AsyncIterator[Line]:
    async with trio.open_nursery() as nursery:
        serve = partial(serve_websocket, line.serve, "127.0.0.1", 0, ssl_context=None)
        line.port = (await nursery.start(serve)).port
        yield line
        nursery.cancel_scope.cancel()


@asynccontextmanager
async def world(**oddities: object) -> AsyncIterator[tuple[FakeSwitch, Peer, Line]]:
    async with lines(Line()) as line, fake_switch(**oddities) as switch, dialled_in(switch) as peer:
        custom = [f"mod_audio_fork::{name}" for name in FORK_EVENTS.split()]
        custom += [f"mod_audio_stream::{name}" for name in STREAM_EVENTS.split()]
        await peer.ask("event plain CHANNEL_HANGUP PLAYBACK_STOP CUSTOM " + " ".join(custom))
        yield switch, peer, line


async def fork(
    peer: Peer, line: Line, call: FakeCall, metadata: str = "{}", more: str = "", mix: str = "mono 8000"
) -> str:
    url = f"ws://127.0.0.1:{line.port}/agent?x=1&y=2"
    return await peer.api(f"uuid_audio_fork {call.uuid} start {url} {mix} tomrt {metadata} {more}".strip())


async def stream(peer: Peer, line: Line, call: FakeCall, metadata: str = '{"ext":"7001"}') -> str:
    url = f"ws://127.0.0.1:{line.port}/path/x?y=1"
    return await peer.api(f"uuid_audio_stream {call.uuid} start {url} mono 8k {metadata}")
