from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import trio
from gateway_world import World, ask, read_all, status
from hostile_requests import BAD, BAD_UPGRADES, GET, HOST, KEY, ODD, UPGRADE, request, upgrade
from trio_websocket import WebSocketConnection

from tomrt.settings import Limits

REQUESTS: dict[str, bytes] = {
    **{name: raw for name, (_, raw) in BAD.items()},
    **{name: raw for name, (_, raw) in BAD_UPGRADES.items()},
    **ODD,
}
DOORS = ["media", "http", "both"]
FRAMES = 12


async def talk(connection: WebSocketConnection, start: int, frames: int = FRAMES) -> None:
    """Send numbered 20 ms frames and have every one of them come back, in order."""
    sent = [number.to_bytes(2, "little") * 160 for number in range(start, start + frames)]
    for frame in sent:
        await connection.send_message(frame)
    heard = [await connection.get_message() for _ in sent]
    assert heard == sent


@asynccontextmanager
async def unharmed(world: World, door: str) -> AsyncIterator[None]:
    """A neighbour's call is running; afterwards it has lost no frame, and new calls and requests are answered."""
    calls = "media" if door == "http" else door
    with trio.fail_after(10):
        async with world.websocket(calls) as neighbour:
            assert "ready" in await neighbour.get_message()
            await talk(neighbour, 0)
            async with trio.open_nursery() as nursery:
                nursery.start_soon(talk, neighbour, FRAMES)
                yield
            await talk(neighbour, 2 * FRAMES)
            async with world.websocket(calls) as newcomer:
                assert "ready" in await newcomer.get_message()
                await talk(newcomer, 0, 2)
        if door != "media":
            raw = request(HOST, b"Connection: close", first=GET)
            assert status(await ask(world, door, raw)) == 200


def check_log(caplog: pytest.LogCaptureFixture) -> None:
    for record in caplog.records:
        text = record.getMessage()
        assert len(text) < 500
        assert text.isascii()
        assert text.isprintable()
        assert "Traceback" not in text


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize("raw", REQUESTS.values(), ids=REQUESTS)
async def test_hostile_requests(door: str, raw: bytes, caplog: pytest.LogCaptureFixture) -> None:
    """Whatever is sent, the answer is one sentence, the connection is closed, and no other call notices."""
    caplog.set_level(logging.DEBUG)
    world = World()
    async with world.listening(), unharmed(world, door):
        answer = await ask(world, door, raw)
        assert status(answer) in {400, 404, 413, 426, 431, 200, 501}
        if status(answer) != 200:
            header, _, body = answer.partition(b"\r\n\r\n")
            assert b"connection: close" in header.lower() or b"application/json" in header
            assert body.count(b"\n") <= 1
            assert len(body) < 200
    check_log(caplog)
    assert not any(name.startswith("crashed") for name in world.counts)
    assert all(open_door.open_connections == 0 for open_door in world.doors.values())


BROKEN_OFF: dict[str, bytes] = {
    "nothing": b"",
    "one byte": b"G",
    "half a head": b"GET /healthz HTTP/1.1\r\nHost: a\r\n",
    "head without its last byte": upgrade()[:-1],
    "half a body": request(HOST, b"Content-Length: 10", first=b"POST /x HTTP/1.1") + b"half",
}


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize("how", ["waits", "vanishes"])
@pytest.mark.parametrize("raw", BROKEN_OFF.values(), ids=BROKEN_OFF)
async def test_requests_that_break_off(door: str, how: str, raw: bytes) -> None:
    """A peer that stops in the middle is closed in time, one that vanishes is forgotten."""
    world = World(limits=Limits(head_timeout_s=0.2))
    async with world.listening(), unharmed(world, door), await world.stream(door) as stream:
        if raw:
            await stream.send_all(raw)
        if how == "waits" and "POST" not in str(raw):
            assert status(await read_all(stream)) in {0, 408, 426}
    assert all(open_door.open_connections == 0 for open_door in world.doors.values())


async def test_a_byte_at_a_time() -> None:
    """A head that drips is answered with 408 when its time is over, however steadily it drips."""
    world = World(limits=Limits(head_timeout_s=0.2))
    async with world.listening(), await world.stream("media") as stream, trio.open_nursery() as nursery:

        async def drip() -> None:
            for byte in upgrade():
                await stream.send_all(bytes([byte]))
                await trio.sleep(0.05)

        nursery.start_soon(drip)
        assert status(await read_all(stream)) == 408
        nursery.cancel_scope.cancel()


async def test_frames_after_the_upgrade_in_the_same_segment() -> None:
    """Frames that come in the same segment as the upgrade are heard, none is lost."""
    world = World()
    frame = b"\x82\x82\0\0\0\0"
    async with world.listening(), await world.stream("media") as stream:
        with trio.fail_after(5):
            await stream.send_all(upgrade() + frame + b"\1\0" + frame + b"\2\0")
            received = b""
            while b"\x82\x02\2\0" not in received:
                received += bytes(await stream.receive_some())
    assert b"\x82\x02\1\0" in received
    assert b"Sec-WebSocket-Protocol" not in received


async def test_one_byte_after_the_upgrade() -> None:
    """A byte that begins no frame ends nothing but its own connection."""
    world = World()
    async with world.listening(), unharmed(world, "media"), await world.stream("media") as stream:
        await stream.send_all(upgrade() + b"\xff")
        received = b""
        while b"\r\n\r\n" not in received:
            received += bytes(await stream.receive_some())
        assert received.startswith(b"HTTP/1.1 101 ")


@pytest.mark.parametrize(
    ("offered", "answered"),
    [
        ([], None),
        (["audio.drachtio.org"], "audio.drachtio.org"),
        (["x", "y"], "x"),
        (["x", "audio.drachtio.org"], "audio.drachtio.org"),
    ],
)
async def test_subprotocols(offered: list[str], answered: str | None) -> None:
    """Either subprotocol situation is accepted, and no compression is negotiated."""
    world = World()
    async with world.listening():
        options = {"subprotocols": offered, "extra_headers": [(b"Sec-WebSocket-Extensions", b"permessage-deflate")]}
        async with world.websocket(**options) as connection:
            assert connection.subprotocol == answered
            assert not [name for name, _ in connection.handshake_headers if name == b"sec-websocket-extensions"]


async def test_an_upgrade_may_follow_a_request_on_the_same_connection() -> None:
    """A keep-alive connection may become a WebSocket where the door serves both."""
    world = World()
    async with world.listening(), await world.stream("both") as stream:
        with trio.fail_after(5):
            await stream.send_all(request(HOST, first=GET) + upgrade() + b"\x88\x80\0\0\0\0")
            answer = await read_all(stream)
    assert answer.startswith(b"HTTP/1.1 200 ")
    assert b"HTTP/1.1 101 " in answer


async def test_upgrades_written_like_mod_audio_stream() -> None:
    """Header lines without blanks and in lower case are accepted."""
    world = World()
    raw = request(*[line.replace(b": ", b":") for line in [*UPGRADE, KEY]], first=b"GET /call HTTP/1.1")
    async with world.listening(), await world.stream("media") as stream:
        with trio.fail_after(5):
            await stream.send_all(raw.replace(b"Connection:Upgrade", b"connection:upgrade"))
            assert bytes(await stream.receive_some()).startswith(b"HTTP/1.1 101 ")
