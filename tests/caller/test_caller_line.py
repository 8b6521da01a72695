"""A call on an open WebSocket: both lanes lie on one grid, whatever the dialect."""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress

import pytest
import trio
import trio.testing
from fakes.speech import speech
from trio_websocket import ConnectionClosed, WebSocketConnection, wrap_server_stream

from tomrt.caller.line import talk
from tomrt.caller.loudness import audible_samples, is_audible
from tomrt.caller.plan import CallPlan, CallRecord
from tomrt.caller.report import measure
from tomrt.caller.script import Utterance
from tomrt.events import Dialect

RATE_HZ = 8000
FRAME_BYTES = 320
Service = Callable[[WebSocketConnection], Awaitable[None]]


def plan(dialect: Dialect = Dialect.PLAIN, *, says: int = 1, barge_in_at_s: float | None = None) -> CallPlan:
    return CallPlan(
        url="ws://127.0.0.1:8081/call",
        utterances=tuple(Utterance(f"text {number}", speech(1.0, seed=number)) for number in range(says)),
        dialect=dialect,
        call_id="c1",
        barge_in_at_s=barge_in_at_s,
    )


@asynccontextmanager
async def line(service: Service) -> AsyncIterator[trio.StapledStream]:
    """One end of a stream in memory with *service* at the other."""
    ours, theirs = trio.testing.memory_stream_pair()
    async with trio.open_nursery() as nursery:

        async def serve() -> None:
            request = await wrap_server_stream(nursery, theirs)
            socket = await request.accept()
            with suppress(ConnectionClosed):
                await service(socket)

        nursery.start_soon(serve)
        yield ours
        nursery.cancel_scope.cancel()


async def call(service: Service, the_plan: CallPlan) -> CallRecord:
    async with line(service) as stream:
        return await talk(stream, the_plan)


async def pace(socket: WebSocketConnection, pcm: bytes) -> None:
    began = trio.current_time()
    for number in range(len(pcm) // FRAME_BYTES):
        await trio.sleep_until(began + number * 0.02)
        await socket.send_message(pcm[number * FRAME_BYTES : (number + 1) * FRAME_BYTES])


class Listener:
    """Takes the caller's frames; tells when an utterance has ended 600 ms ago."""

    def __init__(self, socket: WebSocketConnection) -> None:
        self.socket = socket
        self.received = b""
        self.texts: list[str] = []

    async def turn(self) -> None:
        quiet_ms = 0
        heard = False
        while not heard or quiet_ms < 600:
            message = await self.socket.get_message()
            if isinstance(message, str):
                self.texts.append(message)
                continue
            self.received += message
            quiet_ms = 0 if is_audible(message) else quiet_ms + 20
            heard = heard or is_audible(message)


def event(**fields: object) -> str:
    return json.dumps(fields)


async def plain_service(socket: WebSocketConnection) -> None:
    listener = Listener(socket)
    await socket.send_message(event(type="ready", call_id="c1", rate=8000, version=1))
    await pace(socket, speech(0.5))
    number = 0
    while True:
        await listener.turn()
        number += 1
        await socket.send_message(event(type="understood", turn=number, text=f"heard {number}"))
        await socket.send_message(event(type="audible", reply=number, turn=number, response_ms=600))
        await pace(socket, speech(1.0))
        done = event(type="answered", turn=number, reply=number, text="Yes.", heard="Yes.", outcome="completed")
        await socket.send_message(done)


async def test_a_plain_call_from_end_to_end(autojump_clock):
    """Every turn is understood, answered and timed, to the frame."""
    record = await call(plain_service, plan(says=2))
    report = measure(record)
    assert report.ok
    assert [(turn.understood, turn.answered) for turn in report.turns] == [("heard 1", "Yes."), ("heard 2", "Yes.")]
    assert [turn.response_ms for turn in report.turns] == [pytest.approx(620, abs=25)] * 2
    assert record.ended == "the caller hung up"
    assert len(audible_samples(record.heard)) > RATE_HZ


async def test_what_is_sent_is_what_was_planned(autojump_clock):
    """The service receives silence and the utterance at its place, byte for byte, in frames of 20 ms every 20 ms."""
    times: list[float] = []
    received: list[bytes] = []

    async def service(socket: WebSocketConnection) -> None:
        while True:
            received.append(bytes(await socket.get_message()))
            times.append(trio.current_time())

    the_plan = plan(Dialect.FORK)
    record = await call(service, the_plan)
    audio = b"".join(received)
    (spoken,) = record.spoken
    pcm = the_plan.utterances[0].pcm
    assert audio[2 * spoken.start :][: len(pcm)] == pcm
    assert set(audio[: 2 * spoken.start] + audio[2 * spoken.start + len(pcm) :]) == {0xFF}
    assert {len(each) for each in received} == {FRAME_BYTES}
    assert times == pytest.approx([times[0] + 0.02 * number for number in range(len(times))])
    assert not measure(record).ok


async def test_a_plain_call_with_barge_in(autojump_clock):
    """The caller cuts in, the service falls silent, and both are measured."""

    async def service(socket: WebSocketConnection) -> None:
        listener = Listener(socket)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(pace, socket, speech(10.0))
            while not is_audible(listener.received[-FRAME_BYTES:]):
                listener.received += bytes(await socket.get_message())
            await trio.sleep(0.1)
            nursery.cancel_scope.cancel()
        await socket.send_message(event(type="flush"))
        await listener.turn()
        await pace(socket, speech(0.5))

    record = await call(service, plan(Dialect.PLAIN, barge_in_at_s=1.0))
    (turn,) = measure(record).turns
    assert record.spoken[0].start == pytest.approx(RATE_HZ, abs=200)
    assert turn.interrupted
    assert turn.onset_to_silence_ms == pytest.approx(120, abs=25)
    assert turn.response_ms == pytest.approx(620, abs=45)


async def test_a_fork_call_echoes_marks(autojump_clock):
    """Marks come back when their audio plays; the pre-buffer delays the answer by 160 ms."""
    texts: list[str] = []

    async def service(socket: WebSocketConnection) -> None:
        listener = Listener(socket)
        await listener.turn()
        await socket.send_message('{"type":"mark","data":{"name":"m1"}}')
        await pace(socket, speech(0.5) + bytes(FRAME_BYTES * 8))
        await listener.turn()
        texts.extend(listener.texts)

    record = await call(service, plan(Dialect.FORK, says=2))
    assert texts == ['{"type": "mark", "data": {"name":"m1", "event": "playout"}}']
    assert measure(record).turns[0].response_ms == pytest.approx(620 + 140, abs=30)
    assert record.faults == ()


@pytest.mark.parametrize("dialect", [Dialect.FORK_JSON, Dialect.STREAM])
async def test_a_call_whose_answers_are_files(autojump_clock, dialect):
    """Files sound 20 ms after they came, and go on when the service has hung up."""

    async def service(socket: WebSocketConnection) -> None:
        await Listener(socket).turn()
        content = b64encode(speech(1.0)).decode()
        keys = ("audioContentType", "audioContent") if dialect is Dialect.FORK_JSON else ("audioDataType", "audioData")
        verb = "playAudio" if dialect is Dialect.FORK_JSON else "streamAudio"
        data = {keys[0]: "raw", "sampleRate": 8000, keys[1]: content}
        await socket.send_message(event(type=verb, data=data))
        await socket.aclose(1000)

    record = await call(service, plan(dialect))
    assert record.ended == "the service hung up"
    (turn,) = measure(record).turns
    assert turn.response_ms == pytest.approx(640, abs=25)
    assert measure(record).ok
    assert len(record.heard) // 2 > audible_samples(record.heard)[0] + RATE_HZ - 100


async def test_a_service_that_closes_with_an_error(autojump_clock):
    """The close code is told."""
    record = await call(lambda socket: socket.aclose(1011), plan())
    assert record.ended == "the service closed the line with code 1011"
    assert not measure(record).ok


async def test_what_happens_is_told_while_it_happens(autojump_clock):
    """The watcher hears what is said, understood and answered, in order."""
    told: list[str] = []
    async with line(plain_service) as stream:
        await talk(stream, plan(), lambda _, text: told.append(text))
    assert told == ["says: text 0", "understood: heard 1", "answered: Yes."]
