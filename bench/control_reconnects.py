"""The control connection is lost again and again while calls run by unicast: which of them notice?"""

from __future__ import annotations

import select
import socket
import tempfile
import time
from array import array
from pathlib import Path

import numpy as np
from attrs import define, field, frozen

from bench.barge_in_clocks import FRAME_S
from bench.barge_in_plan import dialogue, floor
from bench.call_load import Load, LoadError, LoadRecord
from bench.caller_sounds import mu_law
from bench.ear_lines import PacketEarLine
from bench.ear_load import UNICAST_PORTS, open_udp
from bench.grid import grid_of
from bench.parked_calls import PASSWORD, ParkedCalls
from bench.report import Row, generator
from bench.service_process import service
from tomrt.caller.event_socket import SwitchSide
from tomrt.caller.packet_form import bare_pcmu

__all__ = ["ReconnectLoad", "ReconnectRecord", "reconnect_rows"]

START_S = 20.0
"""The service dials again ever more seldom while nobody answers, at most every ten seconds."""
STAYS_S = 0.05
"""A connection is left alone for so long, once events were asked for."""
AFTER_S = 2.0
ALIVE_S = 0.5
"""A call that still has packets in the last so long is not lost."""


@frozen(kw_only=True)
class ReconnectRecord(LoadRecord):
    """What the switch saw.

    Args:
        drops: How often it dropped the connection.
        connections: How often the service connected.
        lost: Calls that ended or fell silent.
    """

    drops: int
    connections: int
    lost: int


@frozen(kw_only=True)
class ReconnectLoad(Load):
    """Calls that are parked at a switch, whose event socket the service dials; ``port`` is the switch's own.

    Args:
        drops: How often the connection is dropped.
    """

    drops: int

    def run(self) -> LoadRecord:
        """Drop the connection until it was dropped often enough."""
        with socket.create_server((self.host, self.port)) as listener:
            listener.setblocking(False)
            switch = _Switch(self, listener)
            try:
                return switch.run()
            finally:
                switch.close()


@define(eq=False)
class _Switch:
    load: ReconnectLoad
    listener: socket.socket
    lines: dict[str, PacketEarLine] = field(factory=dict, init=False)
    calls: ParkedCalls = field(init=False)
    drops: int = field(default=0, init=False)
    late: array[float] = field(factory=lambda: array("d"), init=False)
    _listening_at: float = field(default=float("inf"), init=False)

    def __attrs_post_init__(self) -> None:
        names = [f"bench-{number}" for number in range(len(self.load.scripts))]
        self.calls = ParkedCalls({name: SwitchSide(uuid=name) for name in names})

    def run(self) -> ReconnectRecord:
        """Hold the calls on a grid of 20 ms; everything else happens between two of its ticks."""
        begun = due = time.monotonic()
        cpu, step, turn, ends = time.process_time(), FRAME_S / len(self.calls.sides), 0, float("inf")
        names = list(self.calls.sides)
        while (now := time.monotonic()) < min(ends, begun + self.load.longest_s):
            while now >= due:
                self.late.append(now - due)
                if line := self.lines.get(names[turn % len(names)]):
                    line.send(now)
                turn += 1
                due = begun + turn * step
                now = time.monotonic()
            self._take(max(0.0, due - now))
            if len(self.lines) < len(names):
                if now - begun > START_S:
                    raise LoadError(f"{len(self.lines)} of {len(names)} parked calls were taken in {START_S:g} s")
            elif self.drops < self.load.drops:
                self._drop(now)
                ends = now + AFTER_S
        return self._record(now, now - begun, time.process_time() - cpu)

    def close(self) -> None:
        """Give all sockets back."""
        self.calls.drop()
        for line in self.lines.values():
            line.close()

    def _take(self, timeout_s: float) -> None:
        by_number = {line.udp.fileno(): line for line in self.lines.values()}
        peer = self.calls.peer.fileno() if self.calls.peer else -1
        door = self.listener.fileno()
        for ready in select.select([door, *([peer] if peer >= 0 else []), *by_number], [], [], timeout_s)[0]:
            if ready == door:
                self.calls.welcome(self.listener.accept()[0])
                self._listening_at = float("inf")
            elif ready == peer:
                self._obey()
            else:
                by_number[ready].receive(time.monotonic())

    def _obey(self) -> None:
        self.calls.obey()
        if self.calls.listening:
            self._listening_at = min(self._listening_at, time.monotonic())
        for name, side in self.calls.sides.items():
            if side.unicast is not None and name not in self.lines:
                udp = open_udp()
                udp.bind(side.unicast.local)
                udp.connect(side.unicast.remote)
                number = len(self.lines)
                self.lines[name] = PacketEarLine(number, self.load.script(number), False, udp, bare_pcmu())

    def _drop(self, now: float) -> None:
        if self.calls.peer is not None and now - self._listening_at >= STAYS_S:
            self.calls.drop()
            self.drops += 1
            self._listening_at = float("inf")

    def _record(self, now: float, seconds: float, cpu_s: float) -> ReconnectRecord:
        alive = [
            not line.closed
            and bool(line.times)
            and now - line.times[-1] <= ALIVE_S
            and not self.calls.sides[name].ended
            for name, line in self.lines.items()
        ]
        return ReconnectRecord(
            lines=tuple(line.record(now) for line in self.lines.values()),
            seconds=seconds,
            cpu_s=cpu_s,
            late_s=np.array(self.late),
            drops=self.drops,
            connections=self.calls.connections,
            lost=alive.count(False),
        )


def reconnect_rows(quick: bool) -> list[Row]:
    """Run the service with calls whose control connection is dropped 100 times, 10 times with *quick*."""
    drops, calls = (10, 4) if quick else (100, 10)
    load = ReconnectLoad(
        host="127.0.0.1",
        port=_free_port(),
        path="",
        scripts=((),) * calls,
        floor=mu_law(floor(generator())),
        longest_s=120.0 if not quick else 20.0,
        drops=drops,
    )
    with tempfile.TemporaryDirectory() as folder:
        said = Path(folder) / "bench.toml"
        said.write_text(dialogue(), encoding="utf-8")
        settings = {
            "gateway.http_port": 0,
            "gateway.media_port": 0,
            "gateway.max_calls": calls + 4,
            "gateway.drain_s": 0.5,
            "freeswitch.outbound": False,
            "freeswitch.inbound_host": load.host,
            "freeswitch.inbound_port": load.port,
            "freeswitch.inbound_password": PASSWORD,
            "freeswitch.unicast_first_port": UNICAST_PORTS[0],
            "freeswitch.unicast_last_port": UNICAST_PORTS[1],
            "engines.stt": "sphinx",
            "engines.tts": "espeak",
            "dialogue.file": said,
        }
        with service(settings) as running:
            record, _ = running.under(load)
    assert isinstance(record, ReconnectRecord)
    return _rows(record, calls)


def _rows(record: ReconnectRecord, calls: int) -> list[Row]:
    grids = [grid_of(line.heard.times) for line in record.lines]
    where = f"{record.drops} control connections dropped"
    return [
        Row(f"calls lost, of {calls}, {where}", record.lost, "calls", bound=0.0),
        Row(f"packets missing, {where}", sum(grid.missing for grid in grids), "packets", bound=0.0),
        Row(f"packets beyond one for each 20 ms, {where}", sum(grid.excess for grid in grids), "packets", bound=0.0),
        Row(f"connections made again, {where}", record.connections - 1, "", better="higher", bound=float(record.drops)),
        Row(f"time for all of them, {where}", record.seconds, "s"),
    ]


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])
