"""What learning costs beside a call: feedback rows, redaction, the saved state, and what its import takes.

Writing feedback is the business of a thread of its own; what is measured here is what that thread does for each call. A
bare insert is one row of the same bytes into the same kind of database (write-ahead log, no flush at the commit), with
nothing checked, joined or hidden: SQLite's own part. SQLite's checkpoints, which wait for the disk, are in the times
where they fall. Import and memory are those of fresh processes; of their times the shortest counts, because what else
the machine does can only add to them.
"""

from __future__ import annotations

import json
import os
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import numpy as np
from attrs import field, frozen
from numpy.typing import NDArray

from bench.report import Row, generator
from tomrt.rl.decision import Decision
from tomrt.rl.feedback import FeedbackEvent, Signals, read_event, to_json
from tomrt.rl.key_ring import KeyRing
from tomrt.rl.pii import redact
from tomrt.rl.state_file import StateFile
from tomrt.rl.store import FeedbackStore

__all__ = ["cost_rows"]

NOW = 1.79e9
ARMS = tuple(f"variant_{number}" for number in range(12))
ROWS_PER_CHANCES = 5
"""Probabilities change with each reward that is learned; so many calls begin between two of them."""
SENTENCE = "Der Anrufer bat um Rückruf unter 0151 12345678 und war mit der Auskunft zufrieden."
DECISION_PATH = ("tomrt.rl.dialogue_policy",)
FEEDBACK_PATH = ("tomrt.rl.dialogue_policy", "tomrt.rl.store", "tomrt.rl.state_file")
_MEASURE = """
import importlib, json, sys, time
begun = time.perf_counter()
for name in sys.argv[1:]:
    importlib.import_module(name)
took = time.perf_counter() - begun
kib = int(next(line for line in open("/proc/self/status") if line.startswith("VmRSS")).split()[1])
print(json.dumps([took, kib]))
"""


def cost_rows(quick: bool) -> Sequence[Row]:
    """Measure all of it: some 3 s when *quick*, else 15 s."""
    return [
        *_store_rows(1_500 if quick else 6_000),
        *_redaction_rows(quick),
        *_state_rows(quick),
        *_import_rows(quick),
    ]


# --- feedback --------------------------------------------------------------------------------------------------------


@frozen
class _Calls:
    """Decisions and what was told of them, made before the clock runs."""

    decisions: list[Decision] = field(repr=False)
    events: list[dict[str, object]] = field(repr=False)


def _calls(count: int) -> _Calls:
    """Return *count* calls as a service has them."""
    rng = generator()
    decisions, chances = [], ()
    for number in range(count):
        if number % ROWS_PER_CHANCES == 0:
            chances = tuple(rng.dirichlet(np.ones(len(ARMS))).tolist())
        arm = int(rng.integers(len(ARMS)))
        decisions.append(
            Decision(
                id=rng.bytes(16).hex(),
                at=NOW + number,
                arm=ARMS[arm],
                propensity=chances[arm],
                policy="slots",
                version=number,
                eligible=ARMS,
                probabilities=chances,
                context=(("daytime", "morning"), ("profile", "kfz"), ("week", "workday")),
                group="active",
            )
        )
    events = [
        to_json(
            FeedbackEvent(
                decision_id=decision.id,
                call_id=f"4f1c2d3e-0000-4000-8000-{number:012d}",
                ts=decision.at + 181.5,
                agent="main",
                profile="kfz",
                variant=decision.arm,
                signals=Signals(
                    resolution=1.0,
                    barge_in_count=number % 3,
                    handover=False,
                    duration_sec=100.5 + number % 90,
                    repeats=0,
                    escalation=False,
                ),
                subject=f"+49151{number:08d}",
            )
        )
        for number, decision in enumerate(decisions)
    ]
    return _Calls(decisions, events)


def _store_rows(count: int) -> list[Row]:
    """Measure recording, collecting and bare inserts, one of each in turn."""
    calls = _calls(count)
    took: dict[str, NDArray[np.float64]] = {
        name: np.empty(count) for name in ("bare", "record", "collect", "late", "repeated")
    }
    with tempfile.TemporaryDirectory() as folder:
        keys = KeyRing.open(Path(folder) / "keys.json", NOW)
        store = FeedbackStore.open(Path(folder) / "feedback.db", keys)
        bare = _bare_database(Path(folder) / "bare.db")
        for number, (decision, event) in enumerate(zip(calls.decisions, calls.events, strict=True)):
            who = {name: str(event[name]) for name in ("call_id", "agent", "profile", "subject")}
            late = event | {"signals": {"user_rating": 1 + number % 5}}
            steps: dict[str, Callable[[], object]] = {
                "bare": partial(_insert, bare, decision),
                "record": partial(store.record, decision, now=NOW, **who),
                "collect": partial(_collect, store, event),
                "late": partial(_collect, store, late),
                "repeated": partial(_collect, store, late),
            }
            for name, step in steps.items():
                begun = time.perf_counter()
                step()
                took[name][number] = time.perf_counter() - begun
        store.close()
        bare.close()
    return _latency_rows(took)


def _collect(store: FeedbackStore, event: dict[str, object]) -> None:
    """Read an event of parsed JSON, and store it."""
    store.collect(read_event(event), now=NOW + 300.0)


def _latency_rows(took: dict[str, NDArray[np.float64]]) -> list[Row]:
    """Return medians with the bound, and 99th percentiles, each beside the bare insert's."""
    names = {
        "record": "a decision recorded",
        "collect": "feedback read from JSON, joined, stored",
        "late": "a late rating merged in",
        "repeated": "feedback repeated: joined, counted",
    }
    rows = []
    for key, name in names.items():
        for label, share, bound in (("p50", 50, 60.0), ("p99", 99, None)):
            value, peer = (float(np.percentile(took[which], share)) * 1e6 for which in (key, "bare"))
            rows.append(
                Row(
                    f"{name}, {label}",
                    value,
                    "µs",
                    peer="bare insert",
                    peer_value=peer,
                    bound=bound if key != "repeated" else None,
                    compare="value",
                )
            )
    return rows


def _bare_database(path: Path) -> sqlite3.Connection:
    """Return a database with one plain table, set as the store's."""
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = NORMAL")
    connection.execute("CREATE TABLE decisions (seq INTEGER PRIMARY KEY, id TEXT, propensity REAL, rest TEXT)")
    return connection


def _insert(connection: sqlite3.Connection, decision: Decision) -> None:
    """Insert as many bytes as a decision has, as they come."""
    row = (decision.id, decision.propensity, _FILLER)
    connection.execute("INSERT INTO decisions (id, propensity, rest) VALUES (?, ?, ?)", row)


_FILLER = "x" * 550


# --- redaction -------------------------------------------------------------------------------------------------------


def _redaction_rows(quick: bool) -> list[Row]:
    """Measure one sentence, beside the library that knows the numbering plans, where it is installed."""
    repeats = 200 if quick else 2_000
    ours = _median_us(lambda: redact(SENTENCE), repeats)
    try:
        import phonenumbers  # noqa: PLC0415 - a peer that may be absent
    except ImportError:
        peer = None
    else:
        peer = _median_us(lambda: list(phonenumbers.PhoneNumberMatcher(SENTENCE, "DE")), repeats // 4)
    return [
        Row(
            "a sentence redacted (mail, accounts, cards, numbers, also spoken)",
            ours,
            "µs",
            peer="phonenumbers (telephone numbers alone)",
            peer_value=peer,
        )
    ]


def _median_us(call: Callable[[], object], repeats: int) -> float:
    """Return the median time of a call."""
    took = []
    for _ in range(repeats):
        begun = time.perf_counter()
        call()
        took.append(time.perf_counter() - begun)
    return statistics.median(took) * 1e6


# --- the saved state -------------------------------------------------------------------------------------------------


def _state_rows(quick: bool) -> list[Row]:
    """Measure a save and a load of a state of some 40 kB, as twelve variants with their covariates have."""
    state = {"seq": 1, "bandit": generator().normal(size=(40, 40)).tolist(), "guard": dict.fromkeys(ARMS, [0.5] * 40)}
    repeats = 15 if quick else 100
    with tempfile.TemporaryDirectory() as folder:
        file, plain = StateFile(Path(folder) / "policy.json"), Path(folder) / "plain.json"
        saved = _median_us(lambda: file.save(state), repeats)
        written = _median_us(lambda: plain.write_text(json.dumps(state)), repeats)
        loaded = _median_us(file.load, repeats)
    return [
        Row(
            "state saved: flushed, renamed, three kept", saved / 1e3, "ms", peer="plain write", peer_value=written / 1e3
        ),
        Row("state loaded and checked", loaded / 1e3, "ms"),
    ]


# --- import ----------------------------------------------------------------------------------------------------------


def _import_rows(quick: bool) -> list[Row]:
    """Measure fresh processes in turn: nothing, NumPy, the decision path, and with feedback."""
    asked = {"bare": (), "numpy": ("numpy", "numpy.random"), "decide": DECISION_PATH, "feedback": FEEDBACK_PATH}
    found: dict[str, list[tuple[float, int]]] = {name: [] for name in asked}
    for _ in range(3 if quick else 15):
        for name, modules in asked.items():
            found[name].append(_fresh(modules))
    took_ms = {name: min(took for took, _ in runs) * 1e3 for name, runs in found.items()}
    used = {name: statistics.median(kib for _, kib in runs) * 1024 / 1e6 for name, runs in found.items()}
    rows = []
    for name, title in (("decide", "decision path"), ("feedback", "decision path and feedback store")):
        bound = name == "decide"
        peer = "NumPy with its generators"
        rows += [
            Row(
                f"{title}: import",
                took_ms[name],
                "ms",
                peer=peer,
                peer_value=took_ms["numpy"],
                bound=250.0 if bound else None,
                compare="value",
            ),
            Row(
                f"{title}: memory it adds to Python",
                used[name] - used["bare"],
                "MB",
                peer=peer,
                peer_value=used["numpy"] - used["bare"],
                bound=35.0 if bound else None,
                compare="value",
            ),
            Row(
                f"{title}: memory of the whole process",
                used[name],
                "MB",
                peer=peer,
                peer_value=used["numpy"],
                aim=35.0 if bound else None,
                compare="value",
            ),
        ]
    return rows


def _fresh(modules: Sequence[str]) -> tuple[float, int]:
    """Return the time (s) and the resident memory (KiB) of a fresh process that imports *modules*."""
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[1])}
    command = [sys.executable, "-c", _MEASURE, *modules]
    took, kib = json.loads(subprocess.run(command, capture_output=True, env=environment, check=True).stdout)
    return took, kib


if __name__ == "__main__":
    from bench.report import main

    sys.exit(main("rl_costs", {"feedback, state and import": cost_rows}))
