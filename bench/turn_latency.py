"""From the end of the caller's speech to the first sound of the answer, with and without speculation, by stage."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping
from functools import partial
from pathlib import Path

import numpy as np
from attrs import frozen

from bench.barge_in_clocks import FRAME, Heard, first_audible, percentile
from bench.barge_in_plan import floor
from bench.call_load import Load, LoadRecord
from bench.call_script import Kind, Played, Trial
from bench.caller_sounds import RATE_HZ, Said, Sound, at_level, espeak, mu_law
from bench.report import Row, Section, generator, main
from bench.service_process import ROOT, service, setting

__all__ = ["Stages", "stages"]

COMPLETE = (
    "what are your opening hours", "what is your address", "are you open on saturday", "how do i get there",
    "where are you located", "please tell me the address", "how long are you open today", "how does this work",
)  # fmt: skip
INCOMPLETE = ("i would like an appointment for", "are you open on", "i would like to book an")
VOICES = ("en-us", "en-us+f2", "en-us+m3", "en-us+f4", "en-us+m2")
SPEAKS_WPM = 150
ASSISTANT_WPM = 400
"""So that answers do not take long; their first sound comes at the same time."""
CALLER_DBFS = -22.0
TAIL_S = 1.5
ANSWER_S = 6.0
LATE_MS = 10.0


@frozen(kw_only=True)
class Stages:
    """One turn, in milliseconds from the frame with the last sample of the caller's speech.

    Args:
        what: What was said.
        decided: The service said that the turn had ended; ``None`` where it does not say.
        hangover: The silence that it says it waited for; ``None`` where it does not say.
        understood: It said what it had understood.
        audible: The first audible frame.
    """

    what: str
    decided: float | None
    hangover: float | None
    understood: float | None
    audible: float


def stages(heard: Heard, trial: Trial, played: Played, until: float) -> Stages | None:
    """Return the stages of a turn; ``None`` when it was not answered within six seconds."""
    end, limit = played.end_at, min(until, played.end_at + ANSWER_S)
    audible = first_audible(heard, end, limit)
    if audible is None:
        return None

    def first(kind: str, begin: float) -> float | None:
        found = heard.between(begin, limit, kind)
        return (found[0].at - end) * 1000 if found else None

    turns = heard.between(played.onset_at, limit, "turn")
    hangovers = [dict(turn.said).get("hangover_ms") for turn in turns]
    return Stages(
        what=trial.what,
        decided=first("turn", played.onset_at),
        hangover=hangovers[-1] if hangovers else None,
        # While it speculates it understands before the turn has ended, and says so again when it has.
        understood=first("understood", played.onset_at),
        audible=(audible - end) * 1000,
    )


def _trial(said: Said, silence: Sound, random: np.random.Generator, situation: str) -> Trial:
    lead = int(random.integers(FRAME))
    count = -(-(lead + len(said.sound) + int(TAIL_S * RATE_HZ)) // FRAME) * FRAME
    line = np.resize(np.roll(silence, random.integers(len(silence))), count)
    line[lead : lead + len(said.sound)] += at_level(said.sound, CALLER_DBFS)
    return Trial(
        situation=situation,
        kind=Kind.INTERRUPTION,
        what=said.what,
        by=said.by,
        pcm=mu_law(line),
        onset=lead,
        end=lead + len(said.sound),
        wait_s=float(random.uniform(0.0, 0.3)),
        after_s=0.5,
    )


def _load(calls: int, count: int, longest_s: float) -> Load:
    random = generator()
    silence = floor(random)
    texts = [COMPLETE[at % len(COMPLETE)] for at in range(count)]
    texts += [INCOMPLETE[at % len(INCOMPLETE)] for at in range(count // 4)]
    jobs = [(VOICES[random.integers(len(VOICES))], SPEAKS_WPM, text) for text in texts]
    made = [
        _trial(said, silence, random, "complete" if said.what in COMPLETE else "incomplete") for said in espeak(jobs)
    ]
    made = [made[at] for at in random.permutation(len(made))]
    return Load(
        host="127.0.0.1",
        port=0,
        path="/call?dialect=plain&rate=8000&call_id=bench-{n}",
        scripts=tuple(tuple(made[number::calls]) for number in range(calls)),
        floor=mu_law(silence),
        longest_s=longest_s,
        in_turn=True,
    )


def _read(record: LoadRecord, situation: str) -> tuple[list[Stages], int]:
    """Return the turns of *situation* that were answered, and how many there were."""
    found, tried = [], 0
    for line in record.lines:
        for at, played in enumerate(line.played):
            trial = line.trials[played.trial]
            if trial.situation != situation or np.isnan(played.done_at) or played.done_at > line.ended_at:
                continue
            tried += 1
            until = line.played[at + 1].begun_at if at + 1 < len(line.played) else line.ended_at
            turn = stages(line.heard, trial, played, until)
            found += [turn] if turn is not None else []
    return found, tried


def _measure(quick: bool, *, chosen: argparse.Namespace, name: str, settings: Mapping[str, object]) -> list[Row]:
    calls = chosen.calls or (4 if quick else 1)
    load = _load(calls, chosen.trials or (16 if quick else 64), 16.0 if quick else 600.0)
    ours = {
        "gateway.http_port": 0,
        "gateway.media_port": 0,
        "freeswitch.outbound_port": 0,
        "gateway.max_calls": calls + 4,
        "engines.espeak_wpm": ASSISTANT_WPM,
        **settings,
    }
    with service(ours, config=chosen.config, tree=chosen.tree) as running:
        record, _ = running.under(load.at(running.port))
    default = setting("turns.endpoint_silence_ms", tree=chosen.tree)
    rows = []
    for situation in ("complete", "incomplete"):
        turns, tried = _read(record, situation)
        if turns:
            rows += _rows(name, situation, turns, tried, float(default) if default else None)
    late_ms = 1000 * percentile(record.late_s, 99)
    if late_ms > LATE_MS:
        print(f"INVALID: the load generator was {late_ms:.1f} ms late (p99); its clocks say nothing.")
    return [*rows, Row(f"load generator late p99, {name}", late_ms, "ms", bound=LATE_MS)]


def _rows(name: str, situation: str, turns: list[Stages], tried: int, default_ms: float | None) -> list[Row]:
    waited = [(turn, default_ms if turn.hangover is None else turn.hangover) for turn in turns]
    known = [(turn, hangover) for turn, hangover in waited if hangover is not None]
    promised = situation == "complete" and name != "not speculating"  # without a text no sentence is complete
    speculating = promised and name == "speculating"
    where = f"{situation} sentences, {name}"
    total = [turn.audible for turn in turns]
    rows = [
        Row(f"answered, of {tried}, {where}", 100 * len(turns) / tried, "%", better="higher"),
        Row(f"end of speech to first audio p50, {where}", percentile(total, 50), "ms"),
        Row(f"end of speech to first audio p95, {where}", percentile(total, 95), "ms"),
    ]
    if known:
        hangovers = [hangover for _, hangover in known]
        beyond = [turn.audible - hangover for turn, hangover in known]
        aim = 30.0 if speculating else None
        rows += [
            Row(f"hang-over p50, {where}", percentile(hangovers, 50), "ms"),
            Row(
                f"hang-over p95, {where}", percentile(hangovers, 95), "ms",
                bound=350.0 if promised else None, aim=250.0 if promised else None,
            ),
            Row(f"beyond the hang-over p50, {where}", percentile(beyond, 50), "ms", aim=aim),
            Row(
                f"beyond the hang-over p95, {where}", percentile(beyond, 95), "ms",
                bound=60.0 if speculating else None, aim=aim,
            ),
        ]  # fmt: skip
    return rows + _stage_rows(turns, where)


def _stage_rows(turns: list[Stages], where: str) -> list[Row]:
    by_stage = {
        "end of speech to turn ended": [turn.decided for turn in turns if turn.decided is not None],
        "end of speech to understood": [turn.understood for turn in turns if turn.understood is not None],
        "turn ended to first audio": [turn.audible - turn.decided for turn in turns if turn.decided is not None],
    }
    return [
        Row(f"stage: {stage} p{share}, {where}", percentile(values, share), "ms")
        for stage, values in by_stage.items()
        if values
        for share in (50, 95)
    ]


def _sections(chosen: argparse.Namespace) -> Mapping[str, Section]:
    if setting("turns.speculate", tree=chosen.tree) is None:
        kinds: dict[str, Mapping[str, object]] = {"as it is": {}}
    else:
        kinds = {"speculating": {"turns.speculate": True}, "not speculating": {"turns.speculate": False}}
    return {
        f"Turns, {name}": partial(_measure, chosen=chosen, name=name, settings=settings)
        for name, settings in kinds.items()
    }


def _options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--calls", type=int, metavar="N", default=0, help="calls at once (default 1, quick 4)")
    parser.add_argument("--trials", type=int, metavar="T", default=0, help="complete sentences (default 64, quick 16)")
    parser.add_argument("--config", type=Path, metavar="FILE", help="settings file of the service")
    parser.add_argument("--tree", type=Path, metavar="DIR", default=ROOT, help="source tree whose service is measured")


if __name__ == "__main__":
    sys.exit(main("turn_latency", _sections, packages=("trio", "pocketsphinx"), options=_options))
