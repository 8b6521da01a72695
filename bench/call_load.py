"""The load: many callers in one process of their own, on one absolute grid, at some 20 µs of Python a frame.

One thread, one epoll, no framework. Callers are spread over the 20 ms, as they are in life.
"""

from __future__ import annotations

import gc
import json
import os
import select
import socket
import time
from array import array
from multiprocessing.connection import Connection

import numpy as np
from attrs import define, evolve, field, frozen
from numpy.typing import NDArray

from bench.bare_websocket import BINARY, CLOSE, PING, PONG, TEXT, Frames, Masker, accepted, request
from bench.barge_in_clocks import FRAME, FRAME_S, Event
from bench.call_script import CallerScript, Trial
from bench.lane import Lane, LineRecord, Source

__all__ = [
    "CONNECT_S", "Line", "LineRecord", "Load", "LoadError", "LoadRecord", "open_websocket", "run", "run_in_process",
]  # fmt: skip

CONNECT_S = 5.0
STUCK_BYTES = 64_000
"""The service reads so little that four seconds of audio wait in this process alone."""
DUMB_S = 12.0
"""A service that says nothing on any call for so long hangs: sooner than that the assistant asks who is there."""
AWAY_S = 0.5
"""A generator that was held up longer than this skips what it missed: a phone does not send in bursts."""


class LoadError(Exception):
    """The service refused, died or hung; one sentence."""


@frozen(kw_only=True)
class Load:
    """What a generator process does.

    Args:
        host: Where the service is.
        port: Its media port.
        path: Path and query of a call; ``{n}`` stands for the line's number.
        scripts: One line for each: its trials.
        floor: The line when nothing happens.
        longest_s: The run ends then, whatever is left to do.
        keep_audio: How many lines keep the assistant's voice.
        in_turn: Trials begin when the assistant has finished, instead of over its voice.
    """

    host: str
    port: int
    path: str
    scripts: tuple[tuple[Trial, ...], ...]
    floor: bytes = field(repr=False)
    longest_s: float
    keep_audio: int = 0
    in_turn: bool = False

    def at(self, port: int) -> Load:
        """Return the same load on another port."""
        return evolve(self, port=port)

    def connect(self, number: int) -> Lane:
        """Return call *number* of the load, connected.

        Raises:
            LoadError: the service refused it.
        """
        return open_websocket(self, number, Line)

    def run(self) -> LoadRecord:
        """Hold all calls until their trials are done or time is up.

        Raises:
            LoadError: the service refused, ended or left a call.
        """
        return run(self)

    def script(self, number: int) -> CallerScript:
        """Return what call *number* does."""
        return CallerScript(self.scripts[number], self.floor, self.in_turn)

    def keeps(self, number: int) -> bool:
        """Whether call *number* keeps the assistant's voice."""
        return number >= len(self.scripts) - self.keep_audio


@frozen(kw_only=True)
class LoadRecord:
    """What a generator process saw.

    Args:
        lines: Of each call.
        seconds: How long it ran.
        cpu_s: Its own processor time in that.
        late_s: How late each frame was sent.
    """

    lines: tuple[LineRecord, ...]
    seconds: float
    cpu_s: float
    late_s: NDArray[np.float64] = field(repr=False)


@define(eq=False)
class Line(Lane):
    """One call on one WebSocket."""

    sock: socket.socket
    masker: Masker
    frames: Frames = field(factory=Frames, init=False)
    unsent: bytes = field(default=b"", init=False)

    def sources(self) -> list[Source]:
        """Return its one socket."""
        return [(self.sock.fileno(), self.receive)]

    def close(self) -> None:
        """Close it."""
        self.sock.close()

    def send(self, now: float) -> None:
        """Send the frame that is due."""
        self.put(self.masker.audio(self.script.frame(now)))

    def put(self, data: bytes) -> None:
        """Send *data* as far as the service reads; the rest waits."""
        data = self.unsent + data if self.unsent else data
        try:
            sent = self.sock.send(data)
        except BlockingIOError:
            sent = 0
        except OSError as error:
            self.closed = self.closed or f"the line broke: {error.strerror}"
            return
        self.unsent = data[sent:] if sent < len(data) else b""
        if len(self.unsent) > STUCK_BYTES:
            self.closed = self.closed or "the service stopped reading"

    def receive(self, now: float) -> None:
        """Take what there is to read."""
        try:
            data = self.sock.recv(65536)
        except BlockingIOError:
            return
        except OSError as error:
            self.closed = self.closed or f"the line broke: {error.strerror}"
            return
        if not data:
            self.closed = self.closed or "the service hung up without a word"
            return
        self.take(data, now)

    def take(self, data: bytes, now: float) -> None:
        """Take bytes of the service."""
        self.heard_at = now
        for opcode, payload in self.frames.feed(data):
            if opcode == BINARY:
                self.hear(payload, now)
            elif opcode == TEXT:
                self.told(json.loads(payload), now)
            elif opcode == PING:
                self.put(self.masker.frame(PONG, payload))
            elif opcode == CLOSE:
                code = int.from_bytes(payload[:2], "big")
                self.closed = self.closed or f"the service closed the line with code {code}"

    def hear(self, pcm: bytes, now: float) -> None:
        """Take a frame of the assistant."""
        self.times.append(now)
        self.loud.append(self.script.hear(pcm, now))
        if self.keep:
            self.voice += pcm

    def told(self, message: dict[str, object], now: float) -> None:
        """Take a message of the service."""
        kind = str(message.get("type", ""))
        if kind == "end":
            self.closed = f"the service ended the call: {message.get('reason', '')}"
        figures = ((key, value) for key, value in message.items() if isinstance(value, int | float))
        self.events.append(
            Event(
                at=now,
                frame=len(self.times),
                type=kind,
                reply=reply if isinstance(reply := message.get("reply"), int) else 0,
                outcome=str(message.get("outcome") or message.get("reason") or ""),
                said=tuple((key, float(value)) for key, value in figures),
            )
        )
        self.script.told(kind)


def open_websocket(load: Load, number: int, of: type[Line], *, protocol: str = "") -> Line:
    """Return call *number* on a WebSocket of its own.

    Raises:
        LoadError: the service refused it.
    """
    try:
        sock = socket.create_connection((load.host, load.port), timeout=CONNECT_S)
    except OSError as error:
        raise LoadError(f"call {number + 1} to {load.host}:{load.port} failed: {error}") from None
    try:
        rest = _upgrade(sock, load, number, protocol)
    except (OSError, LoadError) as error:
        sock.close()
        raise LoadError(f"call {number + 1} to {load.host}:{load.port} failed: {error}") from None
    sock.setblocking(False)
    line = of(number, load.script(number), load.keeps(number), sock, Masker(os.urandom(4), 2 * FRAME))
    line.take(rest, time.monotonic())
    return line


def _upgrade(sock: socket.socket, load: Load, number: int, protocol: str) -> bytes:
    """Do the opening handshake; return what came behind it."""
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    sock.sendall(request(load.host, load.port, load.path.replace("{n}", str(number)), protocol=protocol))
    head = b""
    while b"\r\n\r\n" not in head:
        data = sock.recv(4096)
        if not data:
            raise LoadError("the service closed it before it was accepted")
        head += data
    head, _, rest = head.partition(b"\r\n\r\n")
    refused = accepted(head)
    if refused:
        raise LoadError(f"{refused}: {rest[:120].decode('latin-1')!r}")
    return rest


def run(load: Load) -> LoadRecord:
    """Hold all calls until their trials are done or time is up.

    Raises:
        LoadError: the service refused, ended or left a call.
    """
    lines: list[Lane] = []
    try:
        for number in range(len(load.scripts)):
            lines.append(load.connect(number))  # noqa: PERF401 - those that were opened are closed when one fails
        return _hold(load, lines)
    finally:
        for line in lines:
            line.close()


def _hold(load: Load, lines: list[Lane]) -> LoadRecord:
    poll = select.epoll()
    takes = dict(source for line in lines for source in line.sources())
    for number in takes:
        poll.register(number, select.EPOLLIN)
    late: array[float] = array("d")
    clock, step, turn = time.monotonic, FRAME_S / len(lines), 0
    gc.collect()
    gc.freeze()
    gc.disable()
    begun, cpu = clock(), time.process_time()
    due = begun
    with poll:
        while True:
            now = clock()
            while now >= due:
                late.append(now - due)
                if now - due > AWAY_S:
                    begun += now - due
                lines[turn % len(lines)].send(now)
                turn += 1
                due = begun + turn * step
                now = clock()
            for number, _ in poll.poll(max(0.0, due - now)):
                takes[number](clock())
            if turn % len(lines) == 0 and _over(load, lines, clock() - begun, clock()):
                break
    now = clock()
    return LoadRecord(
        lines=tuple(line.record(now) for line in lines),
        seconds=now - begun,
        cpu_s=time.process_time() - cpu,
        late_s=np.array(late),
    )


def _over(load: Load, lines: list[Lane], seconds: float, now: float) -> bool:
    for line in lines:
        fault = line.closed or line.script.failed
        if fault:
            raise LoadError(f"call {line.number + 1}: {fault} (after {seconds:.1f} s)")
    if seconds > DUMB_S and all(now - line.heard_at > DUMB_S for line in lines):
        raise LoadError(f"the service said nothing on any of {len(lines)} calls for {DUMB_S:g} s")
    working = [line for line in lines if line.script.trials]
    return seconds >= load.longest_s or (bool(working) and all(line.script.finished for line in working))


def run_in_process(load: Load, answer: Connection) -> None:
    """Run *load* and send what came of it, a :class:`LoadRecord` or a sentence, through *answer*."""
    try:
        answer.send(load.run())
    except LoadError as failure:
        answer.send(str(failure))
    finally:
        answer.close()
