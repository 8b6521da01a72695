"""What every benchmark shares: rows, interleaved timing, the machine, and one command-line face.

A benchmark is a few sections, each a function ``rows(quick)`` that measures and returns rows; see :func:`main`.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import platform
import statistics
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from importlib import metadata
from pathlib import Path
from typing import Literal

import numpy as np
from attrs import field, frozen
from attrs.validators import in_

__all__ = [
    "BenchmarkError",
    "Row",
    "Section",
    "generator",
    "interleaved",
    "machine",
    "main",
    "show",
    "to_json",
    "versions",
]

_SEED = 2026
_PACKAGES = ("tomrt", "numpy", "cython")

Section = Callable[[bool], "Sequence[Row]"]
Sections = Mapping[str, Section]


class BenchmarkError(Exception):
    """Nothing could be measured; one sentence says why."""


@frozen
class Row:
    """One line of a benchmark: what was measured, beside whom, and what was promised.

    Args:
        name: What was measured, unique within a benchmark.
        value: The figure.
        unit: Its unit, for instance ``"µs/frame"``, ``"ms"`` or ``"dB"``.
        peer: Who else did the same work in the same run; empty where there is no peer.
        peer_value: The peer's figure in the same unit; ``None`` for a peer that is not installed here.
        bound: The limit that must hold.
        aim: The limit that is striven for.
        better: Whether low or high figures are the good ones, for the value and so for the ratio.
        compare: What bound and aim limit: the ratio to the peer or the value itself. By default the ratio where *peer*
            is named, else the value. With ``"ratio"`` and an absent peer nothing can be said.
    """

    name: str
    value: float
    unit: str
    peer: str = field(default="", kw_only=True)
    peer_value: float | None = field(default=None, kw_only=True)
    bound: float | None = field(default=None, kw_only=True)
    aim: float | None = field(default=None, kw_only=True)
    better: Literal["lower", "higher"] = field(default="lower", kw_only=True, validator=in_(("lower", "higher")))
    compare: Literal["ratio", "value", ""] = field(default="", kw_only=True, validator=in_(("ratio", "value", "")))

    @property
    def ratio(self) -> float | None:
        """The value over the peer's, ``None`` without a peer."""
        return self.value / self.peer_value if self.peer_value else None

    @property
    def compared(self) -> float | None:
        """What bound and aim limit; ``None`` where it could not be measured."""
        return self.ratio if (self.compare or ("ratio" if self.peer else "value")) == "ratio" else self.value

    @property
    def met(self) -> bool | None:
        """Whether the bound holds; ``None`` without a bound, or where its peer is absent."""
        return self._within(self.bound)

    @property
    def aimed(self) -> bool | None:
        """Whether the aim is reached; ``None`` as for :attr:`met`."""
        return self._within(self.aim)

    def _within(self, limit: float | None) -> bool | None:
        if limit is None or self.compared is None:
            return None
        return self.compared <= limit if self.better == "lower" else self.compared >= limit


def machine() -> dict[str, str | int]:
    """Return what a reader needs to know of this machine: system, processor, cores and their vector unit, Python."""
    processor, flags = platform.processor(), ""
    cpuinfo = Path("/proc/cpuinfo")
    for line in cpuinfo.read_text(encoding="utf-8", errors="replace").splitlines() if cpuinfo.exists() else ():
        key, _, said = line.partition(":")
        if key.strip() == "model name":
            processor = said.strip()
        elif key.strip() in {"flags", "Features"}:
            flags = said
    vectors = [name for name in ("avx512bw", "avx2", "sse4_2", "asimd") if name in flags.split()]
    return {
        "system": platform.platform(),
        "processor": processor or platform.machine(),
        "vectors": vectors[0] if vectors else "unknown",
        "cores": os.cpu_count() or 0,
        "load": f"{os.getloadavg()[0]:.1f}",
        "python": platform.python_version(),
    }


def versions(*packages: str) -> dict[str, str]:
    """Return the versions of *packages*; those that are not installed are left out."""
    found = {}
    for package in packages:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return found


def generator() -> np.random.Generator:
    """Return a new random generator with this run's seed: the same numbers in every section that asks."""
    return np.random.default_rng(_Run.seed)


class _Run:
    """The run that is under way; sections take only ``quick``, and the seed is the same for all of them."""

    seed = _SEED


def interleaved(candidates: Mapping[str, Callable[[], object]], *, repeats: int, inner: int) -> dict[str, float]:
    """Time callables in turn, so that whatever else the machine does touches all of them alike.

    Args:
        candidates: Callables by name. Each is called once before the clock runs.
        repeats: Rounds; in each, every candidate has its turn.
        inner: Calls per turn.

    Returns:
        Seconds per call by name: the median of the rounds, with the loop's own time (about 20 ns) in it.
    """
    for call in candidates.values():
        call()
    rounds: dict[str, list[float]] = {name: [] for name in candidates}
    collecting = gc.isenabled()
    gc.disable()
    try:
        for _ in range(repeats):
            for name, call in candidates.items():
                rounds[name].append(_time(call, inner))
    finally:
        if collecting:
            gc.enable()
    return {name: statistics.median(times) for name, times in rounds.items()}


def _time(call: Callable[[], object], inner: int) -> float:
    """Return the seconds per call of *inner* calls in a row."""
    calls = [None] * inner
    begun = time.perf_counter()
    for _ in calls:
        call()
    return (time.perf_counter() - begun) / inner


def to_json(rows: Sequence[Row], *, seed: int, packages: Mapping[str, str]) -> str:
    """Return a run as JSON text: machine, versions, seed and rows; ``null`` where there is no such figure."""
    document = {
        "machine": machine(),
        "versions": dict(packages),
        "seed": seed,
        "rows": [
            {
                "name": row.name,
                "value": row.value,
                "unit": row.unit,
                "peer": row.peer if row.peer_value is not None else None,
                "peer_value": row.peer_value,
                "ratio": row.ratio,
                "bound": row.bound,
                "aim": row.aim,
                "met": row.met,
            }
            for row in rows
        ],
    }
    return json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def show(rows: Sequence[Row]) -> str:
    """Return rows as a table for people."""
    head = ("what", "value", "unit", "peer", "peer's", "ratio", "bound", "aim", "met")
    cells = [head, *(_cells(row) for row in rows)]
    widths = [max(len(line[column]) for line in cells) for column in range(len(head))]
    right = {1, 4, 5, 6, 7}
    return "\n".join(
        "  ".join(
            cell.rjust(width) if column in right else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in cells
    )


def _cells(row: Row) -> tuple[str, ...]:
    """Return a row's cells; a bound on a ratio carries an ``x``."""
    sign = ("≤" if row.better == "lower" else "≥") + " "
    times = "x" if (row.compare or ("ratio" if row.peer else "value")) == "ratio" else ""
    limits = ["" if limit is None else f"{sign}{limit:g}{times}" for limit in (row.bound, row.aim)]
    verdict = {None: "", True: "yes, the aim" if row.aimed else "yes", False: "NO"}[row.met]
    absent = row.peer and row.peer_value is None
    return (
        row.name,
        _figure(row.value),
        row.unit,
        f"{row.peer} (not installed)" if absent else row.peer,
        _figure(row.peer_value),
        _figure(row.ratio),
        *limits,
        verdict,
    )


def _figure(value: float | None) -> str:
    """Return a number with three or four digits that mean something."""
    if value is None:
        return ""
    return f"{value:.0f}" if abs(value) >= 1000 else f"{value:.3g}"


def main(
    name: str,
    sections: Sections | Callable[[argparse.Namespace], Sections],
    *,
    packages: Sequence[str] = (),
    options: Callable[[argparse.ArgumentParser], None] | None = None,
    arguments: Sequence[str] | None = None,
) -> int:
    """Run a benchmark from the command line.

    Args:
        name: Its module's name without ``bench.``.
        sections: Functions ``rows(quick)`` by title; a title names the input too. A function makes them of the
            arguments.
        packages: Peers whose versions belong in the report.
        options: Adds arguments of this benchmark's own.
        arguments: Instead of ``sys.argv[1:]``.

    Returns:
        The exit code: 1 where a bound is missed, 2 where nothing could be measured, else 0.
    """
    parser = argparse.ArgumentParser(prog=f"python -m bench.{name}")
    parser.add_argument("--quick", action="store_true", help="end within 45 seconds; figures are coarser")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the run to FILE")
    parser.add_argument("--seed", type=int, default=_SEED, help=f"of all random input (default {_SEED})")
    parser.add_argument("--only", metavar="WORD", default="", help="run only the sections whose title contains WORD")
    if options is not None:
        options(parser)
    chosen = parser.parse_args(arguments)
    _Run.seed = chosen.seed
    found = versions(*_PACKAGES, *packages)
    _say("; ".join(f"{key} {said}" for key, said in machine().items()))
    _say("; ".join(f"{key} {said}" for key, said in found.items()) + f"; seed {chosen.seed}")
    rows: list[Row] = []
    for title, section in (sections(chosen) if callable(sections) else sections).items():
        if chosen.only.lower() in title.lower():
            begun = time.perf_counter()
            try:
                measured = section(chosen.quick)
            except BenchmarkError as failure:
                sys.stderr.write(f"bench.{name}: {title}: {failure}\n")
                return 2
            _say(f"\n{title} ({time.perf_counter() - begun:.1f} s)\n{show(measured)}")
            rows += measured
    if chosen.json:
        chosen.json.write_text(to_json(rows, seed=chosen.seed, packages=found), encoding="utf-8")
    missed = [row.name for row in rows if row.met is False]
    _say("\n" + (f"Bounds missed: {', '.join(missed)}." if missed else "No bound is missed."))
    return 1 if missed else 0


def _say(text: str) -> None:
    """Print at once, also into a pipe."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()
