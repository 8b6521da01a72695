from __future__ import annotations

import errno
import logging
import os
import threading

import pytest
import trio
import trio.abc
from gateway_world import World, ask, echo, read_all, status
from hostile_requests import GET, HOST, request, upgrade
from test_hostile_requests import talk, unharmed
from trio.testing import MockClock, memory_stream_pair

from tomrt.events import LineAudio
from tomrt.gateway.front_door import FrontDoor
from tomrt.ports import Transport
from tomrt.security.tokens import TokenVerifier, issue
from tomrt.settings import Limits

SECRET = "correct horse battery staple 12345"


def frame(payload: bytes = b"", *, opcode: int = 2, fin: bool = True) -> bytes:
    assert len(payload) < 126
    return bytes([(0x80 if fin else 0) | opcode, 0x80 | len(payload)]) + bytes(4) + payload


FLOODS = {
    "empty fragments": frame(fin=False) + frame(opcode=0, fin=False) * 5000,
    "pings": frame(opcode=9) * 5000,
    "pongs": frame(opcode=10) * 5000,
    "empty texts": frame(opcode=1) * 5000,
    "frames": frame(bytes(100)) * 5000,
}


@pytest.mark.parametrize("flood", FLOODS.values(), ids=FLOODS)
async def test_floods_are_cut_off(flood: bytes) -> None:
    """A peer that sends too many frames of any kind is told 1008 and cut off, and no other call notices."""
    world = World()
    async with world.listening(), unharmed(world, "media"), await world.stream("media") as stream:
        await stream.send_all(upgrade())
        async with trio.open_nursery() as nursery:

            async def pour() -> None:
                try:
                    for _ in range(20):
                        await stream.send_all(flood)
                except trio.BrokenResourceError:
                    return

            nursery.start_soon(pour)
            answer = await read_all(stream)
            nursery.cancel_scope.cancel()
        assert answer.startswith(b"HTTP/1.1 101 ")
        assert answer.endswith(b"\x88\x02\x03\xf0")
    assert world.counts["frames/flood"] == 1
    assert world.counts["line/protocol"] == 1


async def test_a_stalled_switch_is_no_flood() -> None:
    """Five hundred frames at once, as after a stall of the switch, are all heard."""
    world = World()
    async with world.listening(), world.websocket() as connection:
        await connection.get_message()
        await talk(connection, 0, 500)
    assert world.counts["frames/flood"] == 0


BREACHES = {
    "unmasked": b"\x82\x01a",
    "reserved bits": b"\xf2\x80\0\0\0\0",
    "unknown opcode": b"\x83\x80\0\0\0\0",
    "fragmented ping": frame(b"a", opcode=9, fin=False),
    "long ping": b"\x89\xfe\x00\x80\0\0\0\0" + bytes(128),
    "continuation of nothing": frame(b"a", opcode=0),
    "text that is not UTF-8": frame(b"\xff", opcode=1),
    "close with one byte": frame(b"\x03", opcode=8),
    "close with a bad code": frame(b"\x00\x05", opcode=8),
    "close with a bad reason": frame(b"\x03\xe8\xff", opcode=8),
    "declared 2^63": b"\x82\xff" + (2**63).to_bytes(8, "big") + bytes(4),
    "declared 2^62": b"\x82\xff" + (2**62).to_bytes(8, "big") + bytes(70_000),
    "data after close": frame(b"\x03\xe8", opcode=8) + frame(b"abcd"),
    "garbage": bytes(range(255, 0, -1)) * 20,
}


@pytest.mark.parametrize("breach", BREACHES.values(), ids=BREACHES)
async def test_breaches_of_the_protocol(breach: bytes) -> None:
    """What RFC 6455 does not allow ends that connection, and no other call notices."""
    world = World()
    async with world.listening(), unharmed(world, "media"), await world.stream("media") as stream:
        await stream.send_all(upgrade() + frame(b"abcd") + breach)
        with trio.fail_after(5):
            answer = await read_all(stream)
        assert answer.startswith(b"HTTP/1.1 101 ")
    assert not [name for name in world.counts if name.startswith("crashed")]


async def test_a_call_that_crashes_is_alone() -> None:
    """A call that raises closes its own connection with 1011, is counted by class and logged in one short record."""

    async def crash(line: Transport) -> None:
        if line.info.call_id == "bad":
            await line.receive()
            raise ZeroDivisionError("secret words")
        await echo(line)

    world = World(serve_call=crash)
    async with world.listening(), unharmed(world, "media"), await world.stream("media") as stream:
        await stream.send_all(upgrade(target=b"/call?dialect=plain&call_id=bad") + frame(b"abcd"))
        assert b"\x88\x02\x03\xf3" in await read_all(stream)
    assert world.counts["crashed/ZeroDivisionError"] == 1
    assert world.admission.active == 0


async def test_a_crash_while_the_service_stops(autojump_clock: MockClock) -> None:
    """A call that fails because it is being cancelled is counted, and the service still stops in an orderly way."""

    async def stubborn(line: Transport) -> None:
        try:
            await line.receive()
        finally:
            raise ZeroDivisionError

    world = World(serve_call=stubborn)
    client, server = memory_stream_pair()
    await client.send_all(upgrade())
    async with trio.open_nursery() as nursery:
        nursery.start_soon(world.doors["media"].handle, server)
        await trio.sleep(1)
        nursery.cancel_scope.cancel()
    assert world.counts["crashed/ZeroDivisionError"] == 1
    assert world.doors["media"].open_connections == 0


async def test_the_log_quotes_nobody(caplog: pytest.LogCaptureFixture) -> None:
    """The record of a crash names class and place, and nothing that the exception says."""

    async def crash(_: Transport) -> None:
        raise ZeroDivisionError("EVIL" * 1000)

    caplog.set_level(logging.INFO)
    world = World(serve_call=crash)
    async with world.listening(), await world.stream("media") as stream:
        await stream.send_all(upgrade())
        await read_all(stream)
    (record,) = [record for record in caplog.records if record.levelno >= logging.WARNING]
    assert "ZeroDivisionError" in record.getMessage()
    assert "EVIL" not in caplog.text
    assert len(record.getMessage()) < 500


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        (b"/call", 101),
        (b"/call/agent/7", 101),
        (b"/call?call_id=a", 101),
        (b"/", 404),
        (b"/calls", 404),
        (b"/call?rate=1", 400),
    ],
)
async def test_paths_and_parameters(target: bytes, expected: int) -> None:
    """Calls are taken at /call and under it, and wrong parameters are refused before the upgrade."""
    world = World()
    async with world.listening(), await world.stream("media") as stream:
        await stream.send_all(upgrade(target=target))
        assert status(bytes(await stream.receive_some())) == expected


async def test_tokens() -> None:
    """With a secret set, only a token for this very call lets it in; the refusals say nothing but that."""
    world = World(verifier=TokenVerifier(SECRET))
    good = issue(SECRET, "a", 60).encode()
    async with world.listening():
        for target, header, expected in [
            (b"/call?call_id=a", b"X: y", 401),
            (b"/call?call_id=a&token=x", b"X: y", 403),
            (b"/call?call_id=b&token=" + good, b"X: y", 403),
            (b"/call?call_id=b", b"Authorization: Bearer " + good, 403),
        ]:
            answer = await ask(world, "media", upgrade(header, target=target))
            assert status(answer) == expected
            assert answer.endswith(b"\r\n\r\naccess denied\n")
        bearer = [(b"Authorization", b"Bearer " + good)]
        named = f"/call?dialect=plain&call_id=a&token={good.decode()}"
        for target, headers in [(named, []), ("/call?dialect=plain", bearer)]:
            async with world.websocket(target=target, extra_headers=headers) as let_in:
                assert '"call_id":"a"' in await let_in.get_message()


async def test_full_and_draining() -> None:
    """Beyond the limit and while draining calls get 503 with Retry-After; running ones go on."""
    world = World(max_calls=1)
    async with world.listening():
        async with world.websocket() as running:
            await running.get_message()
            answer = await ask(world, "media", upgrade())
            assert status(answer) == 503
            assert b"\r\nRetry-After: 5\r\n" in answer
            world.admission.drain()
            await talk(running, 0)
        answer = await ask(world, "media", upgrade())
        assert status(answer) == 503
        assert b"shutting down" in answer
    assert (world.admission.offered, world.admission.admitted, world.admission.active) == (3, 1, 0)


class FailingListener(trio.abc.Listener[trio.abc.Stream]):
    """Out of descriptors three times, then one connection, then none."""

    def __init__(self, stream: trio.abc.Stream) -> None:
        self._answers: list[OSError | trio.abc.Stream] = [
            OSError(errno.EMFILE, "EMFILE"),
            OSError(errno.ENFILE, "ENFILE"),
            OSError(errno.ENOBUFS, "ENOBUFS"),
            stream,
        ]

    async def accept(self) -> trio.abc.Stream:
        await trio.lowlevel.checkpoint()
        if not self._answers:
            raise trio.ClosedResourceError
        answer = self._answers.pop(0)
        if isinstance(answer, OSError):
            raise answer
        return answer

    async def aclose(self) -> None:
        await trio.lowlevel.checkpoint()


async def test_out_of_descriptors(autojump_clock: MockClock) -> None:
    """Accepting survives EMFILE: it backs off and goes on."""
    world = World()
    client, server = memory_stream_pair()
    await client.send_all(request(HOST, b"Connection: close", first=GET))
    await world.doors["http"].serve([FailingListener(server)])
    assert status(await read_all(client)) == 200
    assert world.counts["accept/failed"] == 3


async def test_too_many_connections() -> None:
    """Connections beyond the limit are closed at once and counted; a place that becomes free is given away again."""
    world = World()
    world.doors["media"] = FrontDoor(limits=world.limits, note=world.note, admit=world.calls.admit, max_connections=2)
    async with world.listening():
        async with world.websocket(), world.websocket(), await world.stream("media") as third:
            assert await read_all(third) == b""
        async with world.websocket() as again:
            await again.get_message()
    assert world.counts["connection/too_many"] == 1


async def test_nothing_is_left_behind() -> None:
    """After calls of every kind are over, tasks, descriptors and threads are what they were."""
    world = World(limits=Limits(head_timeout_s=0.2))
    async with world.listening():
        before = census()
        for _ in range(3):
            await misbehave(world)
        with trio.move_on_after(5):
            while census() != before:
                await trio.sleep(0.01)
        assert census() == before
        assert world.admission.active == 0


def census() -> tuple[int, int, int]:
    return (
        trio.lowlevel.current_statistics().tasks_living,
        len(os.listdir("/proc/self/fd")),
        threading.active_count(),
    )


async def misbehave(world: World) -> None:
    """Calls that end well, vanish, are refused, break the rules, flood, or never begin, all at once."""

    async def good() -> None:
        async with world.websocket() as connection:
            await connection.get_message()
            await talk(connection, 0, 3)

    async def raw(door: str, data: bytes) -> None:
        async with await world.stream(door) as stream:
            await stream.send_all(data)
            await stream.receive_some()

    async with trio.open_nursery() as nursery:
        for _ in range(3):
            nursery.start_soon(good)
            nursery.start_soon(raw, "media", upgrade() + frame(b"ab"))
            nursery.start_soon(raw, "media", upgrade(target=b"/nope"))
            nursery.start_soon(raw, "media", upgrade() + frame(opcode=9) * 2000)
            nursery.start_soon(raw, "both", b"\0")
            nursery.start_soon(raw, "http", b"GET / HTTP/1.1\r\n")
            nursery.start_soon(raw, "http", request(HOST, first=GET))


async def test_a_byte_in_each_segment() -> None:
    """A patient peer that sends every byte in a segment of its own has its call."""
    heard = bytearray()

    async def hear(line: Transport) -> None:
        while isinstance(event := await line.receive(), LineAudio):
            heard.extend(event.pcm)

    world = World(serve_call=hear)
    async with world.listening(), await world.stream("media") as stream:
        for byte in upgrade() + frame(b"abcd") + frame(b"efgh") + frame(b"\x03\xe8", opcode=8):
            await stream.send_all(bytes([byte]))
        assert (await read_all(stream)).endswith(b"\x88\x02\x03\xe8")
    assert bytes(heard) == b"abcdefgh"
