"""What learning adds to calls: the choice at the start, the look at the end, and the loop that all calls share."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import trio
from attrs import define, field, frozen

from bench.report import Row
from tomrt.events import Action, CallInfo, Dialect, Signal
from tomrt.happenings import (
    ActionRequested,
    CallEnded,
    Happening,
    ReplyAudible,
    ReplyEnded,
    ReplyOutcome,
    Signalled,
    TurnEnded,
)
from tomrt.learning.opening import open_learning
from tomrt.learning.router import Router
from tomrt.settings import Learning as Settings

__all__ = ["call_rows"]

CALLS_PER_S = 50.0
"""Fifty calls begin and end in each second: hundreds of lines with calls of a few seconds."""
TICK_S = 0.02
SEED = 2026


@frozen
class _Nothing:
    """A tap."""

    def put(self, happening: Happening) -> None:
        """Take it."""


@define
class _Measured:
    """What was measured, in seconds."""

    choosing: list[float] = field(factory=list)
    ending: list[float] = field(factory=list)
    late: list[float] = field(factory=list)


def call_rows(quick: bool) -> Sequence[Row]:
    """Measure with and without learning, for some seconds each."""
    seconds = 5.0 if quick else 40.0
    with tempfile.TemporaryDirectory() as folder:
        learned = trio.run(_measure, Path(folder), seconds)
        bare = trio.run(_measure, None, seconds)
    calls = f"{CALLS_PER_S:g} calls begin and end each second"
    both = [choosing + ending for choosing, ending in zip(learned.choosing, learned.ending, strict=False)]
    return [
        Row("added to a call, p50", 1e3 * _at(both, 50), "ms"),
        Row("added to a call, p99", 1e3 * _at(both, 99), "ms", bound=5.0),
        Row("choosing the variant, p50", 1e6 * _at(learned.choosing, 50), "µs"),
        Row("choosing the variant, p99", 1e6 * _at(learned.choosing, 99), "µs"),
        Row(
            f"late tick of the loop, p99, {calls}",
            1e3 * _at(learned.late, 99),
            "ms",
            peer="without learning",
            peer_value=1e3 * _at(bare.late, 99),
            bound=5.0,
            compare="value",
        ),
    ]


def _at(values: Sequence[float], percent: float) -> float:
    return float(np.percentile(values, percent)) if values else 0.0


async def _measure(folder: Path | None, seconds: float) -> _Measured:
    measured = _Measured()
    learning = None
    if folder is not None:
        rng = np.random.default_rng(SEED)
        learning = open_learning(Settings(folder=str(folder)), "en", _Nothing(), rng=rng)
    async with trio.open_nursery() as nursery:
        if learning is not None:
            nursery.start_soon(learning.run)
        ends = trio.current_time() + seconds
        nursery.start_soon(_tick, ends, measured)
        if learning is not None:
            await _call(learning.router, ends, measured)
            learning.finish()
    return measured


async def _tick(ends: float, measured: _Measured) -> None:
    """Keep the time that a frame clock keeps."""
    due = trio.current_time()
    while due < ends:
        due += TICK_S
        await trio.sleep_until(due)
        measured.late.append(trio.current_time() - due)


async def _call(router: Router, ends: float, measured: _Measured) -> None:
    rng = np.random.default_rng(SEED)
    number, due = 0, trio.current_time()
    while due < ends:
        number += 1
        due += 1.0 / CALLS_PER_S
        await trio.sleep_until(due)
        call_id = f"call-{number}"
        began = time.perf_counter()
        router.choose(CallInfo(call_id=call_id, dialect=Dialect.PLAIN, caller=f"+4930{number:07d}"))
        chosen = time.perf_counter()
        for happening in _happenings(call_id, rng):
            router.put(happening)
        router.forget(call_id)
        measured.choosing.append(chosen - began)
        measured.ending.append(time.perf_counter() - chosen)


def _happenings(call_id: str, rng: np.random.Generator) -> list[Happening]:
    """Return what a short call lets a tap see."""
    at = trio.current_time()
    rating = str(rng.integers(1, 6))
    return [
        ReplyAudible(call_id=call_id, at=at, reply=1, turn=0, response_ms=None),
        TurnEnded(call_id=call_id, at=at, turn=1, start_ms=0.0, end_ms=900.0, reason="silence"),
        Signalled(call_id=call_id, at=at, reply=2, signal=Signal.ANSWERED),
        Signalled(call_id=call_id, at=at, reply=2, signal=Signal.RESOLVED),
        ReplyEnded(call_id=call_id, at=at, reply=2, turn=1, outcome=ReplyOutcome.COMPLETED, text="yes", heard="yes"),
        ActionRequested(call_id=call_id, at=at, reply=3, action=Action("record_rating", (("rating", rating),))),
        CallEnded(
            call_id=call_id, at=at, reason="goodbye", seconds=float(rng.uniform(20, 400)), samples_in=0, samples_out=0
        ),
    ]
