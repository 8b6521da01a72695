"""A call is placed over a real socket as the module does it, and a call that cannot be placed is said in one line."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from urllib.parse import parse_qs, urlsplit

import pytest
import trio
from fakes.speech import speech
from trio_websocket import ConnectionClosed, WebSocketRequest, serve_websocket

from tomrt.caller.dial import dial
from tomrt.caller.plan import CallPlan, CallRecord, NotPlaced
from tomrt.caller.report import measure
from tomrt.caller.script import Utterance
from tomrt.errors import SettingsError
from tomrt.events import Dialect

UTTERANCE = Utterance("hello", speech(0.2))


def plan(port: int, **more: object) -> CallPlan:
    return CallPlan(url=f"ws://127.0.0.1:{port}/call", utterances=(UTTERANCE,), call_id="c1", **more)


@asynccontextmanager
async def service(handle: Callable[[WebSocketRequest], Awaitable[None]]) -> AsyncIterator[int]:
    """A WebSocket server on a free port of loopback."""
    async with trio.open_nursery() as nursery:
        server = await nursery.start(partial(serve_websocket, handle, "127.0.0.1", 0, ssl_context=None))
        yield server.port
        nursery.cancel_scope.cancel()


@asynccontextmanager
async def peer(answer: bytes) -> AsyncIterator[int]:
    """Something on a free port that answers whatever it is asked with *answer*."""

    async def reply(stream: trio.SocketStream) -> None:
        await stream.receive_some()
        await stream.send_all(answer)
        await stream.receive_some()

    async with trio.open_nursery() as nursery:
        (listener,) = await nursery.start(partial(trio.serve_tcp, reply, 0, host="127.0.0.1"))
        yield listener.socket.getsockname()[1]
        nursery.cancel_scope.cancel()


async def free_port() -> int:
    (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
    async with listener:
        port: int = listener.socket.getsockname()[1]
        return port


@pytest.mark.parametrize(
    ("dialect", "talk", "subprotocols"),
    [
        (Dialect.PLAIN, "binary", ()),
        (Dialect.FORK, "binary", ("audio.drachtio.org",)),
        (Dialect.FORK_JSON, "json", ("audio.drachtio.org",)),
        (Dialect.STREAM, "json", ()),
    ],
)
async def test_the_handshake_is_the_modules(dialect, talk, subprotocols):
    """The query names dialect, rate, call, way of talking and token; the subprotocol is the module's."""
    seen: list[WebSocketRequest] = []

    async def handle(request: WebSocketRequest) -> None:
        seen.append(request)
        socket = await request.accept()
        await socket.aclose(1000)

    async with service(handle) as port:
        record = await dial(plan(port, dialect=dialect, rate_hz=16_000, token="t.t.t"))
    assert isinstance(record, CallRecord)
    assert record.ended == "the service hung up"
    (request,) = seen
    parts = urlsplit(request.path)
    assert parts.path == "/call"
    assert parse_qs(parts.query) == {
        "dialect": [dialect.value],
        "rate": ["16000"],
        "call_id": ["c1"],
        "talk": [talk],
        "token": ["t.t.t"],
    }
    assert request.proposed_subprotocols == subprotocols


async def test_a_real_call_over_loopback():
    """Over a real socket in real time, a greeting is heard, an utterance arrives, and its answer is measured."""
    received = bytearray()
    closed: list[int] = []

    async def handle(request: WebSocketRequest) -> None:
        socket = await request.accept()
        await socket.send_message(speech(0.1))
        try:
            while True:
                received.extend(await socket.get_message())
                if len(received) >= 320 * 40 and len(received) % (320 * 40) == 0:
                    await socket.send_message(speech(0.1))
        except ConnectionClosed as error:
            closed.append(error.reason.code)

    async with service(handle) as port:
        record = await dial(plan(port, settle_s=0.1))
    assert isinstance(record, CallRecord)
    assert record.ended == "the caller hung up"
    assert UTTERANCE.pcm in bytes(received)
    assert measure(record).turns[0].response_ms is not None
    assert closed == [1000]


async def test_nobody_listens():
    """With nothing at the port, one line says what was tried, what came back, and what to do."""
    port = await free_port()
    assert await dial(plan(port)) == NotPlaced(
        sentence=f"No service takes calls at ws://127.0.0.1:{port}/call: 127.0.0.1:{port}: connection refused. "
        "Start one with: python -m tomrt",
        reached=False,
    )


@pytest.mark.parametrize(
    ("code", "body", "said", "reached"),
    [
        (401, b"no token", '401 Unauthorized, "no token". Give the call a token with --token JWT.', True),
        (403, b"", "403 Forbidden. The token given with --token does not let this call in.", True),
        (404, b"", "404 Not Found. Is the path right? The service takes calls at /call.", False),
        (503, b"draining", '503 Service Unavailable, "draining". It takes no more calls now', False),
        (599, b"a\x1b[2J\n\xff", '599 ?, "a[2J \ufffd"', False),
    ],
)
async def test_refusals(code, body, said, reached):
    """A refusal is told with its code, what the peer said, and what to do."""

    async def handle(request: WebSocketRequest) -> None:
        await request.reject(code, body=body)

    async with service(handle) as port:
        result = await dial(plan(port))
    assert isinstance(result, NotPlaced)
    assert result.sentence.startswith(f"ws://127.0.0.1:{port}/call refused the call: {said}")
    assert result.sentence.isprintable()
    assert result.reached is reached


@pytest.mark.parametrize(
    "answer",
    [
        b"SSH-2.0-OpenSSH_9.2\r\n\r\n",
        b"HTTP/1.1 101 X\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: x\r\n\r\n",
        b"HTTP/1.1 101 X\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Protocol: \xff\r\n\r\n",
        bytes(range(256)) * 8,
    ],
)
async def test_a_peer_that_speaks_something_else(answer):
    """Whatever answers at the port, the caller gets one line and no crash."""
    async with peer(answer) as port:
        result = await dial(plan(port))
    assert isinstance(result, NotPlaced)
    assert "what answers there does not speak WebSocket" in result.sentence


@pytest.mark.parametrize(
    "url", ["", "http://x/call", "ws://", "ws://x:99999/", "ws://x:y/", "ws://\u00e4/call", "ws://x/\x1b"]
)
def test_urls_that_are_none(url):
    """A URL that is no WebSocket URL is refused before anything is dialled."""
    with pytest.raises(SettingsError, match="--url"):
        CallPlan(url=url, utterances=())


def test_a_url_keeps_its_own_query():
    """What stands in the URL goes before what the caller would say, and the path is /call where there is none."""
    the_plan = CallPlan(url="ws://pbx:1?rate=16000&from=me", utterances=(), call_id="c1")
    assert the_plan.resource == "/call?dialect=plain&rate=16000&call_id=c1&talk=binary&from=me"
    assert "t0ken" not in repr(CallPlan(url="ws://x/", utterances=(), token="t0ken"))
