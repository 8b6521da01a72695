"""Calls whose audio comes in packets, on real sockets: as FreeSWITCH hands them over, and as Asterisk sends them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial

import pytest
import trio
from fakes.speech import speech
from hypothesis import given
from hypothesis import strategies as st

from tomrt.audio import ulaw_encode
from tomrt.caller.dial import dial
from tomrt.caller.loudness import is_audible
from tomrt.caller.packet_form import RtpPackets, rtp_l16, rtp_pcmu
from tomrt.caller.plan import CallPlan, CallRecord, NotPlaced
from tomrt.caller.report import as_table, measure
from tomrt.caller.rtp_call import says_goodbye
from tomrt.caller.script import Utterance
from tomrt.errors import SettingsError
from tomrt.events import Dialect

HOST = "127.0.0.1"
DELAY = 5
"""Packets by which the echo comes later."""


def plan(url: str, *, rate_hz: int = 8000, **more: object) -> CallPlan:
    said = Utterance("hello", speech(0.4, rate_hz=rate_hz))
    return CallPlan(url=url, utterances=(said,), rate_hz=rate_hz, call_id="c1", answer_wait_s=2.0, **more)


async def udp() -> trio.socket.SocketType:
    """Return a UDP socket on a free port of loopback."""
    made = trio.socket.socket(trio.socket.AF_INET, trio.socket.SOCK_DGRAM)
    await made.bind((HOST, 0))
    return made


async def free_port() -> int:
    with await udp() as socket:
        return int(socket.getsockname()[1])


class Echo:
    """A service on the outbound event socket that takes the call by unicast and sends all audio back, 100 ms later."""

    def __init__(self, *, native: bool = True, ends: bytes = b"", first: bytes = b"connect\n\nmyevents\n\n") -> None:
        self.native = native
        self.ends = ends
        self.first = first
        self.told = b""
        self.packets: list[bytes] = []

    async def serve(self, stream: trio.SocketStream) -> None:
        with await udp() as socket:
            here, there = socket.getsockname()[1], await free_port()
            flags = "flags: native\n" if self.native else ""
            await stream.send_all(
                self.first
                + f"sendmsg\ncall-command: unicast\nlocal-ip: {HOST}\nlocal-port: {there}\nremote-ip: {HOST}\n"
                f"remote-port: {here}\n{flags}\n".encode()
            )
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._echo, socket, (HOST, there), stream)
                async for data in stream:
                    self.told += data
                nursery.cancel_scope.cancel()

    async def _echo(self, socket: trio.socket.SocketType, to: tuple[str, int], stream: trio.SocketStream) -> None:
        while True:
            self.packets.append((await socket.recvfrom(4096))[0])
            if len(self.packets) > DELAY:
                await socket.sendto(self.packets[-1 - DELAY], to)
            if len(self.packets) == 50 and self.ends:
                await stream.send_all(self.ends)


@asynccontextmanager
async def listening(serve: Callable[[trio.SocketStream], object]) -> AsyncIterator[str]:
    """Something on a free TCP port that does *serve* with whoever connects."""
    async with trio.open_nursery() as nursery:
        (listener,) = await nursery.start(partial(trio.serve_tcp, serve, 0, host=HOST))
        yield f"esl://{HOST}:{listener.socket.getsockname()[1]}"
        nursery.cancel_scope.cancel()


async def call(service: Echo, **more: object) -> CallRecord:
    async with listening(service.serve) as url:
        record = await dial(plan(url, **more))
    assert isinstance(record, CallRecord)
    return record


@pytest.mark.parametrize(("native", "rate_hz", "size"), [(True, 8000, 160), (False, 8000, 320), (False, 16000, 640)])
async def test_a_call_by_unicast(autojump_clock, native, rate_hz, size):
    """What is said goes out in packets of 20 ms and comes back to the ear; the hang-up is told on the event socket."""
    service = Echo(native=native)
    record = await call(service, rate_hz=rate_hz)
    assert {len(packet) for packet in service.packets} == {size}
    assert record.ended == "the caller hung up"
    assert record.faults == ()
    (spoken,) = record.spoken
    encode = ulaw_encode if native else bytes
    said = encode(spoken.utterance.pcm)
    assert b"".join(service.packets)[spoken.start * size * 50 // rate_hz :][: len(said)] == said
    assert is_audible(record.heard)
    (turn,) = measure(record).turns
    assert turn.understood is None
    assert turn.response_ms is None or turn.response_ms < 200
    assert b"Event-Name: CHANNEL_DATA" in service.told
    assert b"Event-Name: CHANNEL_HANGUP\n" in service.told
    assert b"text/disconnect-notice" in service.told


async def test_the_switch_says_who_calls(autojump_clock):
    """The codec and the call's name are told at connect; a wideband call is G.722, whose audio comes as samples."""
    service = Echo(native=False)
    await call(service, rate_hz=16000)
    assert b"Unique-ID: c1\n" in service.told
    assert b"Channel-Read-Codec-Name: G722\nChannel-Read-Codec-Rate: 16000\n" in service.told


@pytest.mark.parametrize(
    ("ends", "how"),
    [
        (b"sendmsg\ncall-command: hangup\n\n", "the service hung up"),
        (b"sendmsg\ncall-command: hangup\nhangup-cause: USER_BUSY\n\n", "the service hung up (USER_BUSY)"),
        (b"bgapi uuid_transfer c1 2000\n\n", "the service put the caller through"),
    ],
)
async def test_the_service_ends_the_call(autojump_clock, ends, how):
    """How the service ended the call is told in its cause."""
    assert (await call(Echo(ends=ends))).ended == how


async def test_what_the_service_does_wrong_is_told(autojump_clock):
    """A module on a call that has unicast is a fault in the report, and the call does not pass."""
    record = await call(Echo(first=b"connect\n\napi uuid_audio_fork c1 start ws://h mono 8k\n\n"))
    assert "by unicast only" in record.faults[0]
    assert not measure(record).ok
    assert not any("understood" in line for line in as_table(measure(record)))


@pytest.mark.parametrize(
    ("first", "told"),
    [
        (b"", "no command of an event-socket server for audio by unicast within 5 s"),
        (b"connect\n\nlinger\n\n", "no command of an event-socket server for audio by unicast within 5 s"),
        (b"SSH-2.0-x" * 10_000, "a command is longer than 65536 bytes"),
    ],
)
async def test_nobody_who_takes_calls(autojump_clock, first, told):
    """A peer that asks for no audio, or speaks something else, is told in one sentence."""

    async def serve(stream: trio.SocketStream) -> None:
        await stream.send_all(first or b"\n")
        async for _ in stream:
            pass

    async with listening(serve) as url:
        result = await dial(plan(url))
    assert isinstance(result, NotPlaced)
    assert told in result.sentence
    assert not result.reached


async def test_nothing_listens():
    """A refused connection is told with the system's words."""
    result = await dial(plan(f"esl://{HOST}:{await free_port()}"))
    assert isinstance(result, NotPlaced)
    assert "connection refused. Start one with: python -m tomrt" in result.sentence


# --- RTP -------------------------------------------------------------------------------------------------------------


async def answer_by_rtp(socket: trio.socket.SocketType, form: RtpPackets, packets: list[bytes], stop: int) -> None:
    """Echo the audio of every packet from a stream of its own, *stop* of them."""
    while True:
        packet, peer = await socket.recvfrom(4096)
        packets.append(packet)
        if len(packets) <= stop:
            await socket.sendto(form.pack(form.unpack(packet)), peer)


@pytest.mark.parametrize(("form", "rate_hz", "payload"), [(rtp_pcmu, 8000, 0), (rtp_l16, 16000, 118)])
async def test_a_call_by_rtp(autojump_clock, form, rate_hz, payload):
    """PCMU at 8 kHz and L16 at 16 kHz go out in packets 20 ms apart, and what comes back is heard."""
    packets: list[bytes] = []
    async with trio.open_nursery() as nursery:
        with await udp() as socket:
            nursery.start_soon(answer_by_rtp, socket, form(), packets, 10_000)
            record = await dial(plan(f"rtp://{HOST}:{socket.getsockname()[1]}", rate_hz=rate_hz))
            nursery.cancel_scope.cancel()
    assert isinstance(record, CallRecord)
    assert {packet[1] for packet in packets} == {payload}
    assert record.plan.dialect is Dialect.RTP
    assert record.ended == "the caller hung up"
    assert record.faults == ()
    assert is_audible(record.heard)


async def test_an_rtp_service_that_falls_silent(autojump_clock):
    """RTP has no hang-up: nothing for five seconds is the end of the call."""
    async with trio.open_nursery() as nursery:
        with await udp() as socket:
            nursery.start_soon(answer_by_rtp, socket, rtp_pcmu(), [], 10)
            slow = CallPlan(
                url=f"rtp://{HOST}:{socket.getsockname()[1]}",
                utterances=(Utterance("x", speech(8.0)),),
            )
            record = await dial(slow)
            nursery.cancel_scope.cancel()
    assert isinstance(record, CallRecord)
    assert record.ended == "the service sent nothing for 5 s"


async def test_an_rtp_service_that_says_goodbye(autojump_clock):
    """A goodbye on the port above ours ends the call at once."""

    async def answer(socket: trio.socket.SocketType) -> None:
        form, peer = rtp_pcmu(), ("", 0)
        for _ in range(20):
            packet, peer = await socket.recvfrom(4096)
            await socket.sendto(form.pack(form.unpack(packet)), peer)
        report = b"\x80\xc9\x00\x01" + bytes(4)
        await socket.sendto(report, (peer[0], peer[1] + 1))
        await socket.sendto(report + b"\x81\xcb\x00\x01" + bytes(4), (peer[0], peer[1] + 1))

    async with trio.open_nursery() as nursery:
        with await udp() as socket:
            nursery.start_soon(answer, socket)
            record = await dial(plan(f"rtp://{HOST}:{socket.getsockname()[1]}"))
            nursery.cancel_scope.cancel()
    assert isinstance(record, CallRecord)
    assert record.ended == "the service hung up"
    assert len(record.heard) < 8000 * 2


@given(st.binary(max_size=60))
def test_a_goodbye_in_anything(data):
    """Whatever comes on the reports' port, it holds a goodbye or not."""
    assert says_goodbye(data) in {True, False}
    assert not says_goodbye(b"\x00" + data)


async def test_no_rtp_service(autojump_clock):
    """Where nothing comes back, it is told how to have it."""
    result = await dial(plan(f"rtp://{HOST}:{await free_port()}"))
    assert isinstance(result, NotPlaced)
    assert "no RTP came back within 5 s. Start one with: python -m tomrt, with rtp.enabled set" in result.sentence


# --- the plan --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("url", "dialect", "port"),
    [
        ("ws://h/call", Dialect.PLAIN, 80),
        ("esl://h", Dialect.UNICAST, 8084),
        ("rtp://h", Dialect.RTP, 8086),
        ("esl://h:9", Dialect.UNICAST, 9),
    ],
)
def test_the_url_tells_the_dialect(url, dialect, port):
    """A scheme has its dialect and its port."""
    made = CallPlan(url=url, utterances=())
    assert (made.dialect, made.port) == (dialect, port)
    assert set(made.silence) == {0}


@pytest.mark.parametrize(
    ("url", "dialect"), [("esl://h", Dialect.FORK), ("rtp://h", Dialect.UNICAST), ("ws://h", Dialect.RTP)]
)
def test_url_and_dialect_contradict(url, dialect):
    """A dialect that the URL cannot have is refused in one sentence, before anything is dialled."""
    with pytest.raises(SettingsError, match=f"--dialect {dialect.value}: a call to {url} has"):
        CallPlan(url=url, utterances=(), dialect=dialect)
