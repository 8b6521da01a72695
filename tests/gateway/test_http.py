from __future__ import annotations

import json
import math
from typing import Any

import pytest
import trio
from gateway_world import World, ask, read_all, status
from hostile_requests import GET, HOST, request, upgrade
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route
from trio.testing import MockClock, lockstep_stream_pair, memory_stream_pair

CLOSE = b"Connection: close"


def body_of(answer: bytes) -> bytes:
    return answer.partition(b"\r\n\r\n")[2]


class Events:
    """Server-sent events, a second apart: three, or without end."""

    def __init__(self, end: float) -> None:
        self._number = 0
        self._end = end

    def __aiter__(self) -> Events:
        return self

    async def __anext__(self) -> str:
        if self._number:
            await trio.sleep(1)
        if self._number >= self._end:
            raise StopAsyncIteration
        self._number += 1
        return f"data: {self._number - 1}\n\n"


async def count_up(request: Request) -> Response:
    end = math.inf if request.query_params.get("endless") else 3
    return StreamingResponse(Events(end), media_type="text/event-stream")


async def repeat(request: Request) -> Response:
    return Response(await request.body())


async def show(request: Request) -> Response:
    return PlainTextResponse(f"{request.url.path}|{request.url.query}|{request.headers.get('x', '')}")


async def crash(request: Request) -> Response:
    raise ZeroDivisionError("secret words")


APP = Starlette(
    routes=[
        Route("/events", count_up),
        Route("/repeat", repeat, methods=["POST"]),
        Route("/show/{rest:path}", show),
        Route("/crash", crash),
    ]
)


async def in_memory(world: World, raw: bytes) -> bytes:
    """Send *raw* to the HTTP door over a stream in memory, and return all that is answered."""
    client, server = memory_stream_pair()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(world.doors["http"].handle, server)
        await client.send_all(raw)
        return await read_all(client)
    pytest.fail("not reached")


async def test_healthz_readyz_metrics() -> None:
    """The three pages answer on the HTTP port and on a port for both."""
    world = World()
    async with world.listening():
        for door in ("http", "both"):
            healthz = await ask(world, door, request(HOST, CLOSE, first=GET))
            assert (status(healthz), body_of(healthz)) == (200, b"ok\n")
            readyz = await ask(world, door, request(HOST, CLOSE, first=b"GET /readyz HTTP/1.1"))
            assert (status(readyz), json.loads(body_of(readyz))) == (200, {"ready": True})
            metrics = await ask(world, door, request(HOST, CLOSE, first=b"GET /metrics HTTP/1.1"))
            assert status(metrics) == 200
            assert b"content-type: text/plain; version=" in metrics.lower()


async def test_not_ready(autojump_clock: MockClock) -> None:
    """While the service takes no calls, /readyz says 503 and why."""
    world = World()
    world.unready = "draining"
    answer = await in_memory(world, request(HOST, CLOSE, first=b"GET /readyz HTTP/1.1"))
    assert status(answer) == 503
    assert json.loads(body_of(answer)) == {"ready": False, "reason": "draining"}


@pytest.mark.parametrize(("first", "expected"), [(b"GET /nope HTTP/1.1", 404), (b"POST /healthz HTTP/1.1", 405)])
async def test_errors_are_json(first: bytes, expected: int, autojump_clock: MockClock) -> None:
    """What is not there is said in JSON."""
    answer = await in_memory(World(), request(HOST, CLOSE, first=first))
    assert status(answer) == expected
    assert "error" in json.loads(body_of(answer))


async def test_head_has_no_body(autojump_clock: MockClock) -> None:
    """HEAD is answered like GET, without the body."""
    answer = await in_memory(World(), request(HOST, CLOSE, first=b"HEAD /healthz HTTP/1.1"))
    assert status(answer) == 200
    assert b"content-length: 3\r\n" in answer.lower()
    assert body_of(answer) == b""


async def test_keep_alive_and_pipelining(autojump_clock: MockClock) -> None:
    """Pipelined requests are answered in order on one connection, the last one as it asks."""
    raw = b"".join(
        request(HOST, b"X: %d" % number, first=b"GET /show/%d?q=%d HTTP/1.1" % (number, number)) for number in range(20)
    )
    raw += request(HOST, b"Content-Length: 5", first=b"POST /repeat HTTP/1.1") + b"GET /x"[:5]
    raw += request(HOST, CLOSE, first=b"GET /show/end HTTP/1.1")
    answer = await in_memory(World(app=APP), raw)
    assert answer.count(b"HTTP/1.1 200 OK\r\n") == 22
    places = [answer.index(b"/show/%d|q=%d|%d" % (number, number, number)) for number in range(20)]
    assert places == sorted(places)
    assert answer.endswith(b"/show/end||")


async def test_an_idle_connection_is_closed(autojump_clock: MockClock) -> None:
    """A keep-alive connection without a further request is closed when the time for a head is over."""
    world = World()
    answer = await in_memory(world, request(HOST, first=GET))
    assert status(answer) == 200
    assert trio.current_time() == pytest.approx(world.limits.head_timeout_s)
    assert not world.counts


async def test_bodies(autojump_clock: MockClock) -> None:
    """Bodies arrive whole, by length or in chunks, and 100-continue is answered."""
    world = World(app=APP)
    first = b"POST /repeat HTTP/1.1"
    raw = request(HOST, CLOSE, b"Content-Length: 65536", first=first) + b"x" * 65_536
    assert body_of(await in_memory(world, raw)) == b"x" * 65_536
    raw = request(HOST, CLOSE, b"Transfer-Encoding: chunked", first=first) + b"2\r\nab\r\n1\r\nc\r\n0\r\n\r\n"
    assert body_of(await in_memory(world, raw)) == b"abc"
    raw = request(HOST, CLOSE, b"Expect: 100-continue", b"Content-Length: 2", first=first) + b"ab"
    assert (await in_memory(world, raw)).endswith(b"ab")


@pytest.mark.parametrize(
    ("lines", "body", "expected"),
    [
        ([b"Content-Length: 65537"], b"x" * 65_537, 413),
        ([b"Transfer-Encoding: chunked"], b"11000\r\n" + b"x" * 69_632 + b"\r\n0\r\n\r\n", 413),
        ([b"Transfer-Encoding: chunked"], b"zz\r\n", 400),
        ([b"Transfer-Encoding: gzip"], b"", 501),
        ([b"Content-Length: 5"], b"ab", 408),
    ],
)
async def test_bad_bodies(lines: list[bytes], body: bytes, expected: int, autojump_clock: MockClock) -> None:
    """A body that is too long, malformed or too slow is refused."""
    world = World(app=APP)
    answer = await in_memory(world, request(HOST, *lines, first=b"POST /repeat HTTP/1.1") + body)
    assert status(answer) == expected
    assert b"\r\nConnection: close\r\n" in answer
    assert trio.current_time() <= 6


async def test_server_sent_events(autojump_clock: MockClock) -> None:
    """Events are streamed as they happen."""
    client, server = memory_stream_pair()
    world = World(app=APP)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(world.doors["http"].handle, server)
        await client.send_all(request(HOST, CLOSE, first=b"GET /events HTTP/1.1"))
        received = b""
        while b"data: 1\n\n" not in received:
            received += bytes(await client.receive_some())
        assert trio.current_time() == pytest.approx(1.0)
        assert b"data: 2" not in received
        assert b"data: 2\n\n" in await read_all(client)


async def test_a_listener_of_events_that_goes_away(autojump_clock: MockClock) -> None:
    """When the listener of an endless stream goes away the stream ends, and nothing counts as a crash."""
    client, server = memory_stream_pair()
    world = World(app=APP)
    with trio.fail_after(60):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(world.doors["http"].handle, server)
            await client.send_all(request(HOST, first=b"GET /events?endless=1 HTTP/1.1"))
            await client.receive_some()
            await client.aclose()
    assert not [name for name in world.counts if name.startswith("crashed")]


async def test_a_listener_of_events_that_never_reads(autojump_clock: MockClock) -> None:
    """A peer that does not read its response is given up."""
    client, server = lockstep_stream_pair()
    world = World(app=APP)
    with trio.fail_after(60):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(world.doors["http"].handle, server)
            await client.send_all(request(HOST, first=b"GET /events?endless=1 HTTP/1.1"))
    assert world.counts == {"connection/lost": 1}


async def test_an_application_that_crashes(autojump_clock: MockClock) -> None:
    """A request whose handler raises is a 500, counted by class, and tells nothing of the reason."""
    world = World(app=APP)
    answer = await in_memory(world, request(HOST, first=b"GET /crash HTTP/1.1"))
    assert status(answer) == 500
    assert b"secret" not in answer
    assert world.counts["crashed/ZeroDivisionError"] == 1


async def test_an_application_that_says_nothing(autojump_clock: MockClock) -> None:
    """An application that ends without a response is our mistake, and a 500."""

    async def silent(scope: Any, receive: Any, send: Any) -> None:
        await receive()

    world = World(app=silent)
    assert status(await in_memory(world, request(HOST, first=GET))) == 500
    assert world.counts["crashed/MisuseError"] == 1


async def test_websockets_where_none_are_served(autojump_clock: MockClock) -> None:
    """An upgrade to WebSocket is refused on the HTTP port; other upgrades are ignored, as HTTP allows."""
    world = World()
    assert status(await in_memory(world, upgrade())) == 404
    raw = request(HOST, CLOSE, b"Upgrade: h2c", first=GET)
    assert status(await in_memory(world, raw)) == 200


async def test_requests_on_the_media_port() -> None:
    """An ordinary request to a port that only takes calls is told so with 426."""
    world = World()
    async with world.listening():
        answer = await ask(world, "media", request(HOST, first=GET))
    assert status(answer) == 426
    assert b"\r\nUpgrade: websocket\r\n" in answer
