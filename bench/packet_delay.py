"""What the transports add to a packet's way in: from its sending to its delivery, on the real lines, fed from outside.

Each packet is 20 ms of one value, which is its number: so it is known again when the line delivers it.
"""

from __future__ import annotations

import multiprocessing
import socket
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import ExitStack
from functools import partial
from multiprocessing.connection import Connection

import numpy as np
import trio
from attrs import define, field, frozen
from numpy.typing import NDArray

from bench.barge_in_clocks import FRAME_S, percentile
from bench.report import BenchmarkError, Row
from tomrt.caller.packet_form import PacketForm, bare_l16, rtp_l16
from tomrt.events import CallInfo, Dialect, LineAudio, LineClosed
from tomrt.gateway.admission import Admission
from tomrt.gateway.freeswitch_unicast import UnicastRoute, open_unicast
from tomrt.gateway.rtp import RtpDoor, open_rtp_sockets
from tomrt.happenings import Happening
from tomrt.ports import Transport
from tomrt.settings import Rtp

__all__ = ["Feed", "delay_rows", "delays_ms", "number_of", "numbered"]

HOST = "127.0.0.1"
BOUND_MS = 20.0
SETTLE_S = 3.0
"""In which a line finds the grid of what arrives."""
LATE_MS = 2.0
MOST_NUMBERS = 32_000
START_S = 0.3
PATIENCE_S = 15.0


@frozen(kw_only=True)
class Feed:
    """What the other process sends: to each target a packet every 20 ms, the targets spread over the 20 ms.

    Args:
        targets: Where to.
        sources: From which port of this machine, 0 for any.
        seconds: How long.
        rtp: L16 at 16 kHz over RTP; else bare L16 at 8 kHz.
    """

    targets: tuple[tuple[str, int], ...]
    sources: tuple[int, ...]
    seconds: float
    rtp: bool

    @property
    def rate_hz(self) -> int:
        """Of the samples."""
        return 16_000 if self.rtp else 8_000

    @property
    def packets(self) -> int:
        """Of all targets together."""
        return min(MOST_NUMBERS, round(self.seconds / FRAME_S) * len(self.targets))


def numbered(number: int, rate_hz: int) -> bytes:
    """Return 20 ms of PCM that are packet *number*."""
    return np.full(rate_hz // 50, number + 1, "<i2").tobytes()


def number_of(pcm: bytes) -> int | None:
    """Return which packet *pcm* is; ``None`` where it is none, or parts of several."""
    samples = np.frombuffer(pcm, "<i2")
    return int(samples[0]) - 1 if samples.size and samples[0] > 0 and np.all(samples == samples[0]) else None


def feed(what: Feed, answer: Connection) -> None:
    """Send, and answer when each packet was sent, in seconds of CLOCK_MONOTONIC, and when the first was due."""
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) for _ in what.targets]
        for udp, source, target in zip(sockets, what.sources, what.targets, strict=True):
            udp.bind((HOST, source))
            udp.connect(target)
        answer.send(_send(what, sockets))
    answer.close()


def _send(what: Feed, sockets: Sequence[socket.socket]) -> tuple[NDArray[np.float64], float]:
    forms: list[PacketForm] = [rtp_l16() if what.rtp else bare_l16(what.rate_hz) for _ in sockets]
    sent = np.zeros(what.packets)
    begun, step = time.monotonic() + START_S, FRAME_S / len(sockets)
    for number in range(what.packets):
        call = number % len(sockets)
        packet = forms[call].pack(numbered(number, what.rate_hz))
        time.sleep(max(0.0, begun + number * step - time.monotonic()))
        sent[number] = time.monotonic()
        try:
            sockets[call].send(packet)
        except ConnectionRefusedError:
            continue  # the other side has ended
    return sent, begun


@define
class _Deliveries:
    """When each packet was delivered."""

    at: dict[int, float] = field(factory=dict)
    frames: int = 0

    async def take(self, line: Transport) -> None:
        """Receive until the line is closed."""
        while not isinstance(event := await line.receive(), LineClosed):
            if isinstance(event, LineAudio):
                now = time.monotonic()
                self.frames += 1
                number = number_of(event.pcm)
                if number is not None:
                    self.at.setdefault(number, now)


class _NoTap:
    def put(self, happening: Happening) -> None:
        """Take no note."""


def delays_ms(sent: NDArray[np.float64], delivered: dict[int, float], begun: float) -> NDArray[np.float64]:
    """Return the delay of each packet that was delivered as it was, after the lines have settled."""
    known = [number for number in sorted(delivered) if number < len(sent) and sent[number] >= begun + SETTLE_S]
    return np.array([1000 * (delivered[number] - sent[number]) for number in known])


async def _by_unicast(calls: int, seconds: float, answer: Connection, begin: Callable[[Feed], None]) -> _Deliveries:
    found = _Deliveries()
    with ExitStack() as stack:
        switches = [stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) for _ in range(2 * calls)]
        for udp in switches:
            udp.bind((HOST, 0))
        ports = [int(udp.getsockname()[1]) for udp in switches]
        for udp in switches:
            udp.close()
        lines = [
            stack.enter_context(
                open_unicast(
                    UnicastRoute(switch=(HOST, ports[number]), ours=(HOST, ports[calls + number])),
                    info=CallInfo(call_id=f"delay-{number}", dialect=Dialect.UNICAST),
                    codec="pcm16",
                    silent_timeout_s=PATIENCE_S,
                    note=lambda _, __: None,
                )
            )
            for number in range(calls)
        ]
        targets = tuple((HOST, port) for port in ports[calls:])
        begin(Feed(targets=targets, sources=tuple(ports[:calls]), seconds=seconds, rtp=False))
        await _until_sent(answer, seconds, *(partial(found.take, line) for line in lines))
    return found


async def _by_rtp(calls: int, seconds: float, answer: Connection, begin: Callable[[Feed], None]) -> _Deliveries:
    found = _Deliveries()
    sockets = open_rtp_sockets(HOST, 0)
    door = RtpDoor(
        settings=Rtp(enabled=True),
        admission=Admission(max_calls=calls),
        serve_call=found.take,
        tap=_NoTap(),
        note=lambda _, __: None,
    )
    try:
        begin(Feed(targets=(sockets.address,) * calls, sources=(0,) * calls, seconds=seconds, rtp=True))
        await _until_sent(answer, seconds, partial(door.serve, sockets))
    finally:
        sockets.close()
    return found


async def _until_sent(answer: Connection, seconds: float, *tasks: Callable[[], Awaitable[None]]) -> None:
    with trio.move_on_after(seconds + PATIENCE_S):
        async with trio.open_nursery() as nursery:
            for task in tasks:
                nursery.start_soon(task)
            await trio.lowlevel.wait_readable(answer.fileno())
            nursery.cancel_scope.cancel()


def _measure(path: str, calls: int, seconds: float) -> list[Row]:
    context = multiprocessing.get_context("spawn")
    mine, its = context.Pipe(duplex=False)
    started = []

    def begin(what: Feed) -> None:
        started.append(context.Process(target=feed, args=(what, its), daemon=True))
        started[0].start()
        its.close()

    try:
        found = trio.run({"unicast": _by_unicast, "RTP": _by_rtp}[path], calls, seconds, mine, begin)
        if not mine.poll():
            raise BenchmarkError("The process that sends packets hung.")
        sent, begun = mine.recv()
    finally:
        for process in started:
            process.kill()
            process.join()
        mine.close()
    return _rows(path, calls, sent, begun, found)


def _rows(path: str, calls: int, sent: NDArray[np.float64], begun: float, found: _Deliveries) -> list[Row]:
    delays = delays_ms(sent, found.at, begun)
    where = f"{path}, {calls} call" + ("s" if calls > 1 else "")
    late = percentile(1000 * (sent - begun - np.arange(len(sent)) * FRAME_S / calls), 99)
    settled = sent >= begun + SETTLE_S
    changed = 100 * (1 - len(delays) / max(1, int(settled.sum())))
    return [
        Row(f"packet sent to delivered p50, of {len(delays)}, {where}", percentile(delays, 50), "ms"),
        Row(f"packet sent to delivered p99, {where}", percentile(delays, 99), "ms", bound=BOUND_MS),
        Row(f"packet sent to delivered max, {where}", percentile(delays, 100), "ms"),
        Row(f"packets not delivered as they were, {where}", changed, "%"),
        Row(f"packets sent late p99, {where}", late, "ms", aim=LATE_MS),
    ]


def delay_rows(quick: bool) -> list[Row]:
    """Measure one call and fifty, by unicast and RTP; with *quick* fewer, and for a shorter time."""
    seconds = 4.5 if quick else 12.0
    return [
        row
        for path in ("unicast", "RTP")
        for calls in ((10,) if quick else (1, 50))
        for row in _measure(path, calls, seconds)
    ]
