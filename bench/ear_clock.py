"""What the caller hears, by path: how soon silence, how much delay, how even packets, and what a call costs."""

from __future__ import annotations

import argparse
import socket
import sys
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from functools import partial
from pathlib import Path

from attrs import field, frozen

from bench.barge_in_plan import Material, dealt, dialogue, floor, material, trials
from bench.caller_sounds import mu_law
from bench.control_reconnects import reconnect_rows
from bench.ear_load import PATHS, UNICAST_PORTS, EarLoad
from bench.ear_rows import EarRun, agreement_rows, clock_rows, cost_rows, grid_rows, read
from bench.packet_delay import delay_rows
from bench.report import Row, Section, generator, main
from bench.service_process import ROOT, service

__all__ = ["BOUNDS_MS"]

BOUNDS_MS = {"unicast": 140.0, "fork": 180.0}
"""What the p99 of the ear clock must keep."""


@frozen(kw_only=True)
class Run:
    """Loads over one path after the other, with the same trials.

    Args:
        calls: Calls at once.
        paths: Which paths.
        count: Trials of each situation.
        longest_s: Each ends then.
        patience: Scales how long the assistant is let talk before a trial.
    """

    calls: int
    paths: tuple[str, ...]
    count: int
    longest_s: float
    patience: float = 1.0


@frozen
class Bench:
    """The benchmark with its arguments; sounds are made once."""

    chosen: argparse.Namespace
    _made: list[Material] = field(factory=list, init=False)

    def sections(self) -> Mapping[str, Section]:
        """Return the sections that the arguments ask for."""
        few, many = self.chosen.calls or 8, self.chosen.calls or 50
        paths = (self.chosen.path,) if self.chosen.path else ("unicast", "fork")
        count = self.chosen.trials
        clocks = partial(
            self._clocks,
            full=Run(calls=few, paths=tuple(dict.fromkeys((*paths, "plain"))), count=count or 48, longest_s=600.0),
            quick=Run(calls=min(few, 6), paths=paths, count=count or 6, longest_s=8.0, patience=0.1),
        )
        crowd = partial(
            self._clocks,
            full=Run(calls=many, paths=("unicast", "plain"), count=count or 100, longest_s=300.0, patience=3.0),
            quick=Run(calls=min(many, 10), paths=("unicast",), count=count or 6, longest_s=6.0, patience=0.1),
        )
        return {
            "Ear clock": clocks,
            **({} if self.chosen.path else {"Many calls by unicast": crowd}),
            "Delay of what comes in": delay_rows,
            "Control reconnects": reconnect_rows,
        }

    def _clocks(self, quick_run: bool, *, full: Run, quick: Run) -> list[Row]:
        run = quick if quick_run else full
        found = self._measure(run)
        plain = found.get("plain")
        rows = []
        for path, one in found.items():
            peer = None if path == "plain" else plain
            rows += clock_rows(one, peer, BOUNDS_MS.get(path))
            rows += grid_rows(one) if path in {"unicast", "rtp"} else []
            rows += cost_rows(one, peer)
        return rows + (agreement_rows([plain]) if plain else [])

    def _measure(self, run: Run) -> dict[str, EarRun]:
        random = generator()
        if not self._made:
            self._made.append(material(24 if self.chosen.quick else 160, random))
        scripts = dealt(trials("clear", self._made[0], run.count, generator(), patience=run.patience), run.calls)
        silence = mu_law(floor(random))
        ports = {"unicast": _free_port(), "rtp": _free_port(pair=True)}
        found = {}
        with tempfile.TemporaryDirectory() as folder:
            said = Path(folder) / "bench.toml"
            said.write_text(dialogue(), encoding="utf-8")
            settings = _settings(run.calls, said, ports)
            with service(settings, config=self.chosen.config, tree=self.chosen.tree) as running:
                for path in run.paths:
                    load = EarLoad(
                        host="127.0.0.1",
                        port=ports.get(path, running.port),
                        path=f"/call?dialect={path}&rate=8000&talk=binary&call_id=bench-{{n}}",
                        scripts=scripts,
                        floor=silence,
                        longest_s=run.longest_s,
                        carried=path,
                    )
                    found[path] = read(path, *running.under(load))
        for one in found.values():
            if one.late_ms > 10.0:
                print(f"INVALID: {one.path}: the load generator was {one.late_ms:.1f} ms late (p99).", flush=True)
        return found


def _free_port(*, pair: bool = False) -> int:
    """Return a TCP port that is free now; of a *pair* of UDP ports, the even one."""
    kind = socket.SOCK_DGRAM if pair else socket.SOCK_STREAM
    while True:
        with socket.socket(socket.AF_INET, kind) as one, socket.socket(socket.AF_INET, kind) as other:
            one.bind(("127.0.0.1", 0))
            port = int(one.getsockname()[1])
            with suppress(OSError):
                if not pair:
                    return port
                other.bind(("127.0.0.1", port ^ 1))
                return port & ~1


def _settings(calls: int, said: Path, ports: Mapping[str, int]) -> dict[str, object]:
    return {
        "gateway.http_port": 0,
        "gateway.media_port": 0,
        "gateway.max_calls": calls + 4,
        "gateway.drain_s": 0.5,
        "freeswitch.outbound_port": ports["unicast"],
        "freeswitch.unicast_first_port": UNICAST_PORTS[0],
        "freeswitch.unicast_last_port": UNICAST_PORTS[1],
        "rtp.enabled": True,
        "rtp.port": ports["rtp"],
        "turns.reprompt_after_s": 1,
        "turns.reprompts": 10,
        "engines.stt": "sphinx",
        "engines.tts": "espeak",
        "dialogue.file": said,
    }


def _options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--calls", type=int, metavar="N", default=0, help="calls at once (default: 8, and 50)")
    parser.add_argument("--path", choices=PATHS, help="only this path (default: unicast and fork beside plain)")
    parser.add_argument("--trials", type=int, metavar="T", default=0, help="of each of three situations")
    parser.add_argument("--config", type=Path, metavar="FILE", help="settings file of the service")
    parser.add_argument("--tree", type=Path, metavar="DIR", default=ROOT, help="source tree whose service is measured")


if __name__ == "__main__":
    sys.exit(main("ear_clock", lambda chosen: Bench(chosen).sections(), packages=("trio",), options=_options))
