from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from contextlib import suppress

import pytest
import trio
from gateway_world import PLAIN, World, echo
from trio.testing import MockClock
from trio_websocket import ConnectionClosed, WebSocketConnection

from tomrt.events import Dialect, LineAudio, LineClosed, LineDigit, LineEvent, LineMark
from tomrt.happenings import CallEnded, ReplyYielded, TurnOpened
from tomrt.ports import Transport
from tomrt.settings import Limits

FRAME = b"\1\0" * 160


class Listener:
    """A call that only notes what it receives, and where it stands on the clock when it begins."""

    def __init__(self) -> None:
        self.events: list[LineEvent] = []
        self.line: Transport | None = None
        self.began_at = -1.0

    async def __call__(self, line: Transport) -> None:
        self.line = line
        self.began_at = trio.current_time()
        while not self.events or not isinstance(self.events[-1], LineClosed):
            self.events.append(await line.receive())


async def closed_code(connection: WebSocketConnection) -> int:
    """Read until the connection is closed, and return the code."""
    with suppress(ConnectionClosed):
        while True:
            await connection.get_message()
    assert connection.closed is not None
    return int(connection.closed.code)


async def test_metadata_settles_the_call(autojump_clock: MockClock) -> None:
    """Metadata that comes first names the call and its rate, and the call begins at once."""
    call = Listener()
    world = World(serve_call=call)
    async with world.in_memory("/call", subprotocols=["audio.drachtio.org"]) as client:
        await client.send_message('{"ext":"7001","callid":"fc7d46d5","from":"1000","rate":16000}')
        await client.send_message(FRAME)
        await client.aclose()
    assert call.line is not None
    info = call.line.info
    assert (info.call_id, info.dialect, info.rate_hz, info.caller) == ("fc7d46d5", Dialect.FORK, 16000, "1000")
    assert call.events == [LineAudio(FRAME), LineClosed("hangup")]
    assert call.began_at == 0.0


async def test_audio_first_settles_the_call_too(autojump_clock: MockClock) -> None:
    """When audio comes first the call begins with the defaults, and no sample of it is lost."""
    call = Listener()
    world = World(serve_call=call)
    async with world.in_memory("/call") as client:
        await client.send_message(FRAME)
        await client.send_message('{"callid":"too-late","rate":16000}')
        await client.send_message(FRAME[:-1])
        await client.send_message(FRAME[-1:])
        await client.aclose()
    assert call.line is not None
    assert call.line.info.dialect is Dialect.STREAM
    assert call.line.info.rate_hz == 8000
    assert len(call.line.info.call_id) == 36
    assert b"".join(event.pcm for event in call.events if isinstance(event, LineAudio)) == FRAME + FRAME
    assert world.counts["line/metadata"] == 1


async def test_silence_settles_the_call_after_a_quarter_second(autojump_clock: MockClock) -> None:
    """Metadata is not waited for longer than 250 ms."""
    call = Listener()
    async with World(serve_call=call).in_memory("/call?call_id=x"):
        await trio.sleep(1)
    assert call.began_at == pytest.approx(0.25)


async def test_plain_clients_are_greeted_at_once(autojump_clock: MockClock) -> None:
    """The plain dialect does not wait for metadata: its client may be waiting for us."""
    call = Listener()
    async with World(serve_call=call).in_memory(f"{PLAIN}&call_id=p&rate=16000") as client:
        assert json.loads(await client.get_message()) == {"type": "ready", "call_id": "p", "rate": 16000, "version": 1}
    assert call.began_at == 0.0


@pytest.mark.parametrize("text", ['c"}', "hello", '{"rate":5}', "[" * 5000])
async def test_broken_metadata_is_counted(text: str, autojump_clock: MockClock) -> None:
    """Metadata that cannot be used is counted, and the call goes on as if it had not come."""
    call = Listener()
    world = World(serve_call=call)
    async with world.in_memory("/call?call_id=x") as client:
        await client.send_message(text)
        await client.send_message(FRAME)
        await client.aclose()
    assert call.events == [LineAudio(FRAME), LineClosed("hangup")]
    assert world.counts["line/metadata_bad"] == 1


@pytest.mark.parametrize(("code", "reason"), [(1000, "hangup"), (1001, "hangup"), (1011, "lost"), (1008, "protocol")])
async def test_how_the_peer_closes(code: int, reason: str, autojump_clock: MockClock) -> None:
    """The close code tells why the line is gone, and receiving says so again and again."""
    call = Listener()
    world = World(serve_call=call)
    async with world.in_memory("/call") as client:
        await client.send_message(FRAME)
        await client.aclose(code)
    assert call.events == [LineAudio(FRAME), LineClosed(reason)]
    assert call.line is not None
    assert await call.line.receive() == LineClosed(reason)
    await call.line.send_audio(FRAME)
    await call.line.flush()
    await call.line.hang_up("again")
    assert world.counts[f"line/{reason}"] == 1


async def test_a_peer_that_vanishes(autojump_clock: MockClock) -> None:
    """A connection that drops is a lost line."""
    call = Listener()
    async with World(serve_call=call).in_memory("/call") as client:
        await client.send_message(FRAME)
    assert call.events == [LineAudio(FRAME), LineClosed("lost")]


async def test_a_peer_that_sends_nothing_is_idle(autojump_clock: MockClock) -> None:
    """A line without audio is closed after the idle time, also when texts keep coming."""
    call = Listener()
    world = World(serve_call=call, limits=Limits(idle_timeout_s=15.0))
    async with world.in_memory("/call") as client:
        await client.send_message(FRAME)
        with suppress(ConnectionClosed):
            while True:
                await trio.sleep(0.3)
                await client.send_message('{"type":"dtmf","digit":"1"}')
        assert await closed_code(client) == 1000
        assert 15.0 <= trio.current_time() <= 17.0
    assert call.events[0] == LineAudio(FRAME)
    assert set(call.events[1:-1]) == {LineDigit("1")}
    assert call.events[-1] == LineClosed("idle")
    assert world.counts["line/idle"] == 1


async def test_a_peer_that_stops_sending_is_idle(autojump_clock: MockClock) -> None:
    """A line on which nothing comes any more is closed soon after the idle time."""
    call = Listener()
    async with World(serve_call=call, limits=Limits(idle_timeout_s=15.0)).in_memory("/call") as client:
        await client.send_message(FRAME)
        assert await closed_code(client) == 1000
        assert trio.current_time() == pytest.approx(15.5)
    assert call.events == [LineAudio(FRAME), LineClosed("idle")]


async def test_a_service_that_was_held_up_finds_the_audio(autojump_clock: MockClock) -> None:
    """Audio that waited while we did not listen is heard, however long that was: the peer was not idle."""
    events: list[LineEvent] = []

    async def late(line: Transport) -> None:
        events.append(await line.receive())
        await trio.sleep(60)
        events.append(await line.receive())
        await line.hang_up("done")

    async with World(serve_call=late).in_memory("/call") as client:
        await client.send_message(FRAME)
        await client.send_message(FRAME)
        assert await closed_code(client) == 1000
    assert events == [LineAudio(FRAME), LineAudio(FRAME)]


async def test_finishing(autojump_clock: MockClock) -> None:
    """An empty frame finishes the call; what is still said goes out, then we close."""

    async def last_words(line: Transport) -> None:
        while not isinstance(await line.receive(), LineClosed):
            pass
        await line.send_audio(FRAME)
        await line.hang_up("finished")

    async with World(serve_call=last_words).in_memory("/call?talk=binary") as client:
        await client.send_message(b"")
        await client.send_message(b"")
        assert await client.get_message() == FRAME
        assert await closed_code(client) == 1000


async def test_marks_flush_and_stereo(autojump_clock: MockClock) -> None:
    """In the bidirectional dialect marks come back, flush is killAudio, and of stereo the caller is heard."""
    events: list[LineEvent] = []

    async def marked(line: Transport) -> None:
        await line.send_audio(FRAME, mark="m1")
        events.append(await line.receive())
        events.append(await line.receive())
        await line.flush()
        await line.hang_up("done")

    async with World(serve_call=marked).in_memory("/call?talk=binary&channels=2&call_id=x") as client:
        await client.send_message(b"\1\0\2\0" * 80)
        assert await client.get_message() == '{"type":"mark","data":{"name":"m1"}}'
        assert await client.get_message() == FRAME
        await client.send_message('{"type": "mark", "data": {"name":"m1", "event": "playout"}}')
        assert await client.get_message() == '{"type":"killAudio"}'
        assert await closed_code(client) == 1000
    assert events == [LineAudio(b"\1\0" * 80), LineMark("m1")]


async def test_happenings_are_told_without_waiting(autojump_clock: MockClock) -> None:
    """Happenings reach a plain client while nothing is being said, in order, and the end is told once."""

    async def tell(line: Transport) -> None:
        await line.notify(TurnOpened(call_id="c", at=0.0, turn=1, start_ms=0.0))
        await trio.sleep(1)
        await line.notify(ReplyYielded(call_id="c", at=1.0, reply=1))
        await line.send_audio(FRAME)
        await line.notify(CallEnded(call_id="c", at=1.0, reason="goodbye", seconds=1.0, samples_in=0, samples_out=0))
        await line.hang_up("goodbye")

    async with World(serve_call=tell).in_memory() as client:
        assert "ready" in await client.get_message()
        assert await client.get_message() == '{"type":"speech","turn":1}'
        assert trio.current_time() == 0.0
        assert await client.get_message() == '{"type":"hold","reply":1}'
        assert await client.get_message() == FRAME
        assert await client.get_message() == '{"type":"end","reason":"goodbye"}'
        assert await closed_code(client) == 1000


async def test_a_client_that_never_reads(autojump_clock: MockClock) -> None:
    """Sending to a peer that does not read ends after five seconds with a lost line; telling it things never waits."""
    seen: list[object] = []

    async def talkative(line: Transport) -> None:
        began_at = trio.current_time()
        for number in range(200):
            await line.notify(TurnOpened(call_id="c", at=0.0, turn=number, start_ms=0.0))
        seen.append(trio.current_time() - began_at)
        await line.send_audio(FRAME)
        seen.append(trio.current_time() - began_at)
        seen.append(await line.receive())
        await line.send_audio(FRAME)
        await line.hang_up("never mind")
        seen.append(trio.current_time() - began_at)

    world = World(serve_call=talkative)
    client, server = trio.testing.lockstep_stream_pair()
    with trio.fail_after(60):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(world.doors["media"].handle, server)
            await client.send_all(UPGRADE_TO_FORK)
            answer = b""
            while not answer.endswith(b'"version":1}'):
                answer += bytes(await client.receive_some(1))
            while world.doors["media"].open_connections:
                await trio.sleep(1)
    assert seen[0] == 0.0
    assert seen[1] == pytest.approx(5.0)
    assert seen[2] == LineClosed("lost")
    assert seen[3] == pytest.approx(5.0)
    assert world.counts["line/not_reading"] == 1
    assert world.counts["line/notice_dropped"] > 100


UPGRADE_TO_FORK = (
    b"GET /call?dialect=plain HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)


async def test_too_long_a_message(autojump_clock: MockClock) -> None:
    """A message beyond the limit is answered with 1009 and the line is closed for a breach of protocol."""
    call = Listener()
    async with World(serve_call=call).in_memory("/call") as client:
        await client.send_message(FRAME)
        await client.send_message(bytes(65_537))
        assert await closed_code(client) == 1009
    assert call.events == [LineAudio(FRAME), LineClosed("protocol")]


async def test_a_peer_that_never_answers_our_close(autojump_clock: MockClock) -> None:
    """Hanging up on a peer that does not answer takes a bounded time."""

    async def curt(line: Transport) -> None:
        await line.hang_up("goodbye")

    world = World(serve_call=curt)
    client, server = trio.testing.memory_stream_pair()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(world.doors["media"].handle, server)
        await client.send_all(UPGRADE_TO_FORK)
        while await client.receive_some():
            pass
    assert trio.current_time() < 3


async def test_pings_are_answered_and_do_not_disturb(autojump_clock: MockClock) -> None:
    """A ping is answered, and one that crosses our close does no harm."""

    async def one_frame(line: Transport) -> None:
        await line.receive()
        await line.hang_up("goodbye")

    world = World(serve_call=one_frame)
    async with world.in_memory("/call?call_id=x") as client:
        await client.ping(b"ping")
        await client.send_message(FRAME)
        assert await closed_code(client) == 1000
    assert not [name for name in world.counts if name.startswith("crashed")]


@pytest.mark.parametrize("serve_call", [echo, Listener()], ids=["echo", "listener"])
async def test_cancelling_the_service_closes_with_going_away(
    serve_call: Callable[[Transport], Awaitable[None]], autojump_clock: MockClock
) -> None:
    """When the service stops, running connections are told so."""
    world = World(serve_call=serve_call)
    client_end, server_end = trio.testing.memory_stream_pair()
    async with trio.open_nursery() as nursery:
        await client_end.send_all(UPGRADE_TO_FORK)
        nursery.start_soon(world.doors["media"].handle, server_end)
        await trio.sleep(1)
        nursery.cancel_scope.cancel()
    received = b""
    while data := await client_end.receive_some():
        received += bytes(data)
    assert received.endswith(b"\x88\x02\x03\xe9")
