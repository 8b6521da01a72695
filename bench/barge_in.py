"""Barge-in: the real service, real sockets, real time, and callers that interrupt, agree, cough and make noise."""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Mapping
from functools import partial
from pathlib import Path

from attrs import field, frozen

from bench.barge_in_plan import NOISE_S, Material, dealt, dialogue, floor, listed, material, trials
from bench.barge_in_rows import Measured, engine_rows, load_rows, measured, panel_rows, quality_rows, traced, void
from bench.call_load import Load
from bench.caller_sounds import mu_law
from bench.report import Row, Section, generator, main
from bench.service_process import ROOT, service

PEERS = """
Published figures of peers, measured by others on another day (70 to 86 trials, 4 calls at once, 8 kHz mu-law band,
engines that answer at once): for orientation, not beside us in this run.
  Pipecat 1.14.0 default        engine p50/p95/p99 265/461/947 ms   backchannels that stop it 29 of 32
  Pipecat, start_secs 0.1                          165/298/432                                29 of 32
  LiveKit Agents 1.8.9 default                     540/637/723                                44 of 48
  LiveKit, tuned for speed                         142/234/326                                23 of 24
  tau-voice panel: gpt-realtime-1.5 L_Y 0.42 s, R_Y 1.00, S_BC 0.02, S_VT 0.05, S_ND 0.10
                   LiveKit cascade  L_Y 0.87 s, R_Y 0.99, S_BC 0.67, S_VT 0.49, S_ND 0.58"""

CLEAR = ("clean", "white 20 dB", "car 15 dB")
STEADY_10 = ("white 10 dB", "car 10 dB")
MAX_KEPT = 12
"""Lines whose sound is kept for looking at resumes: a megabyte a minute each."""


@frozen(kw_only=True)
class Run:
    """One load.

    Args:
        calls: Calls at once, besides one that only listens where *listener* is set.
        which: Which trials, see :func:`bench.barge_in_plan.trials`.
        count: Trials of each situation.
        longest_s: It ends then.
        noise_s: How long each noise without speech lasts.
        patience: Scales how long the assistant is let talk before a trial; many calls are not interrupted all the time.
        listener: A call more that is never interrupted; from it is known how a reply sounds as a whole.
    """

    calls: int
    which: str
    count: int
    longest_s: float
    noise_s: float = NOISE_S
    patience: float = 1.0
    listener: bool = True


@frozen
class Bench:
    """The benchmark with its arguments; sounds are made once."""

    chosen: argparse.Namespace
    _made: list[Material] = field(factory=list, init=False)

    def sections(self) -> Mapping[str, Section]:
        """Return the sections that the arguments ask for."""
        if self.chosen.calls:
            calls = self.chosen.calls
            return {
                f"Everything, {calls} at once": partial(self._section, full=self._all(calls), quick=self._few(calls))
            }
        count = self.chosen.trials or 48
        return {
            "Real interruptions, one call": partial(
                self._section,
                full=Run(calls=1, which="clear", count=count, longest_s=1200.0, listener=False),
                quick=Run(calls=1, which="clear", count=2, longest_s=14.0, patience=0.2, listener=False),
            ),
            **(
                {}
                if self.chosen.quick
                else {"Everything, eight calls at once": partial(self._section, full=self._all(8), quick=self._few(8))}
            ),
            "Interruptions and backchannels, many calls at once": partial(
                self._section,
                full=Run(calls=50, which="mixed", count=2 * count, longest_s=300.0, patience=3.0),
                quick=self._few(10),
            ),
        }

    def _all(self, calls: int) -> Run:
        return Run(calls=calls, which="all", count=self.chosen.trials or 48, longest_s=1200.0)

    def _few(self, calls: int) -> Run:
        return Run(calls=calls, which="all", count=self.chosen.trials or 3, longest_s=22.0, noise_s=6.0, patience=0.3)

    def _section(self, quick_run: bool, *, full: Run, quick: Run) -> list[Row]:
        run = quick if quick_run else full
        found = self._measure(run)
        self._trace(found)
        limits = {"p50": (None, 50.0)} if run.calls == 1 else {}
        return [
            *engine_rows(found, "15 dB and better", CLEAR, limits | {"p99": (120.0, 100.0 if run.calls > 1 else None)}),
            *engine_rows(found, "white and car 10 dB", STEADY_10, {"p95": (120.0, None), "p99": (None, 120.0)}),
            *engine_rows(found, "echo -25 dB", ("echo -25",), {}),
            *(row for name in ("babble 10", "babble 5", "music 10", "music 5")
              for row in engine_rows(found, f"{name} dB", (f"{name} dB",), {})),
            *quality_rows(found),
            *panel_rows(found),
            *load_rows(found),
        ]  # fmt: skip

    def _sounds(self) -> Material:
        if not self._made:
            self._made.append(material(24 if self.chosen.quick else 160, generator()))
            _tell(self._made[0])
        return self._made[0]

    def _measure(self, run: Run) -> Measured:
        random = generator()
        made = trials(run.which, self._sounds(), run.count, random, noise_s=run.noise_s, patience=run.patience)
        scripts = dealt(made, run.calls) + (((),) if run.listener else ())
        load = Load(
            host="127.0.0.1",
            port=0,
            path="/call?dialect=plain&rate=8000&call_id=bench-{n}",
            scripts=scripts,
            floor=mu_law(floor(random)),
            longest_s=run.longest_s,
            keep_audio=MAX_KEPT,
        )
        with tempfile.TemporaryDirectory() as folder:
            said = Path(folder) / "bench.toml"
            said.write_text(dialogue(), encoding="utf-8")
            with service(_settings(len(scripts), said), config=self.chosen.config, tree=self.chosen.tree) as running:
                record, cost = running.under(load.at(running.port))
        return measured(run.calls, record, cost)

    def _trace(self, found: Measured) -> None:
        if found.late_ms > 10.0:
            print(f"INVALID: the load generator was {found.late_ms:.1f} ms late (p99); its clocks say nothing.")
        print(f"\n{void(found)}", flush=True)
        if self.chosen.trace:
            with self.chosen.trace.open("a", encoding="utf-8") as file:
                file.writelines(json.dumps(record, ensure_ascii=False) + "\n" for record in traced(found))


def _settings(calls: int, said: Path) -> dict[str, object]:
    return {
        "gateway.http_port": 0,
        "gateway.media_port": 0,
        "freeswitch.outbound_port": 0,
        "gateway.max_calls": calls + 4,
        "turns.reprompt_after_s": 1,
        "turns.reprompts": 10,
        "engines.stt": "sphinx",
        "engines.tts": "espeak",
        "dialogue.file": said,
    }


def _tell(sounds: Material) -> None:
    by: dict[str, int] = {}
    for one in sounds.speech:
        name = one.by if one.by.startswith("recording") else one.by.split("+")[0]
        by[name] = by.get(name, 0) + 1
    print(f"\nInterruptions by: {', '.join(f'{name} {count}' for name, count in sorted(by.items()))}.")
    if not any(name.startswith("recording") for name in by):
        print("No recordings of people: apt-get install asterisk-core-sounds-en-wav (and -es-, -fr-, -it-, -ru-).")
    print(f"Backchannels, ms: {listed(sounds.short)}.")
    print(f"Coughs and knocks, ms: {listed(sounds.knocks)}.", flush=True)


def _options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--calls", type=int, metavar="N", default=0, help="everything, with N calls at once (default: 1, 8 and 50)"
    )
    parser.add_argument("--trials", type=int, metavar="T", default=0, help="of each situation (default 48)")
    parser.add_argument("--config", type=Path, metavar="FILE", help="settings file of the service")
    parser.add_argument("--tree", type=Path, metavar="DIR", default=ROOT, help="source tree whose service is measured")
    parser.add_argument("--trace", type=Path, metavar="FILE", help="append one JSON line for each trial to FILE")


def run(arguments: list[str] | None = None) -> int:
    """Run the benchmark and return its exit code."""
    code = main(
        "barge_in", lambda chosen: Bench(chosen).sections(), packages=("trio", "pocketsphinx"),
        options=_options, arguments=arguments,
    )  # fmt: skip
    if code != 2:
        print(PEERS)
    return code


if __name__ == "__main__":
    sys.exit(run())
