"""Concealment and jitter buffer: how good, how late, how fast, beside what others do."""

from __future__ import annotations

import ctypes.util
import importlib
from collections.abc import Callable, Sequence

import numpy as np

from bench.jitter_traces import Outcome, run_ours, run_speex, traces
from bench.loss_corpus import FRAME, Signal, clips, losses
from bench.loss_peers import Spandsp, ways
from bench.report import Row, generator, interleaved
from tomrt._dsp.stretch import shorten
from tomrt.audio.concealment import Concealer
from tomrt.audio.jitter import JitterBuffer

__all__ = ["rows"]

CONDITIONS = (("5 %", 0.05, 1.0), ("10 %", 0.10, 1.0), ("5 % bursty (2.5)", 0.05, 2.5))
REPEAT, APPENDIX = "repeat with fade .7", "G.711 App. I"


def _log_spectral_distance(clean: Signal, played: Signal) -> float:
    """Return the distance in dB of the log spectra (250 to 3500 Hz), negated so that more is better."""
    spectra = [
        np.abs(np.fft.rfft(signal[80:-80].reshape(-1, FRAME) * np.hanning(FRAME), axis=1))[:, 5:70] ** 2 + 1e4
        for signal in (clean, played)
    ]
    return -float(np.mean(np.sqrt(np.mean((10 * np.log10(spectra[0] / spectra[1])) ** 2, axis=1))))


class _Judge:
    """PESQ, ITU-T P.862 narrow-band, where the package is installed; else a log-spectral distance."""

    def __init__(self) -> None:
        try:
            self._pesq = importlib.import_module("pesq").pesq
        except ImportError:
            self._pesq = None
        self.name = "PESQ" if self._pesq else "minus log-spectral distance"
        self.unit = "MOS" if self._pesq else "dB"

    def __call__(self, clean: Signal, played: Signal) -> float:
        if self._pesq is None:
            return _log_spectral_distance(clean, played)
        degraded = np.clip(np.round(played), -32768, 32767).astype(np.int16)
        return float(self._pesq(8000, clean.astype(np.int16), degraded, "nb"))


def _concealment(speech: Sequence[Signal], seeds: int) -> list[Row]:
    judge, found, candidates, rng = _Judge(), [], ways(), generator()
    for title, share, burst in CONDITIONS:
        scores: dict[str, list[float]] = {name: [] for name in candidates}
        for clean in speech:
            for _ in range(seeds):
                lost = losses(len(clean) // FRAME, share, burst, rng)
                for name, way in candidates.items():
                    scores[name].append(judge(clean, way(clean, lost)))
        mean = {name: float(np.mean(values)) for name, values in scores.items()}
        ours, what = mean["tomrt"], f"{judge.name} at {title} loss"
        real = judge.unit == "MOS"
        for name, value in mean.items():
            bound = 1.0 if real and name == REPEAT else None
            title_of = what if name == REPEAT else f"{what}, beside {name}"
            if name != "tomrt":
                found.append(Row(title_of, ours, judge.unit, peer=name, peer_value=value, better="higher", bound=bound))
        aim = 0.1 if real and burst == 1.0 else None
        gain = ours - mean[APPENDIX]
        found.append(Row(f"{what}, gain over {APPENDIX}", gain, judge.unit, better="higher", aim=aim))
    return found


def _jitter(frames: list[bytes], count: int, seeds: int) -> list[Row]:
    rng, found = generator(), []
    ours: dict[str, list[Outcome]] = {}
    theirs: dict[str, list[Outcome]] = {}
    for _ in range(seeds):
        for name, delays in traces(count, rng):
            for phase in rng.uniform(0, 0.02, 3).tolist():
                ours.setdefault(name, []).append(run_ours(delays, frames, phase))
                speex = run_speex(delays, phase)
                theirs.setdefault(name, []).extend([speex] if speex else [])
    for name, outcomes in ours.items():
        for what, unit, attribute in (
            ("mean delay beyond the clairvoyant's", "ms", "added_ms"),
            ("mean delay", "ms", "mean_ms"),
            ("late", "%", "late_percent"),
        ):
            judged = attribute == "added_ms"
            row = Row(
                f"jitter buffer, {name}: {what}",
                _mean(outcomes, attribute),
                unit,
                peer="speexdsp",
                peer_value=_mean(theirs[name], attribute) if theirs[name] else None,
                bound=25.0 if judged else None,
                aim=15.0 if judged else None,
                compare="value",
            )
            found.append(row)
    return found


def _mean(outcomes: Sequence[Outcome], attribute: str) -> float:
    return float(np.mean([getattr(outcome, attribute) for outcome in outcomes]))


def _speed(frames: list[bytes], repeats: int) -> list[Row]:
    """Time what happens to every frame and to a lost one; spandsp's figures have a ctypes call (0.5 µs) in them."""
    concealer, buffer, steps = Concealer(8000), JitterBuffer(8000), iter(range(10**9))
    feed = frames * 2

    def good() -> None:
        concealer.good(feed[7])

    def lost_and_good() -> None:
        concealer.lost()
        concealer.good(feed[8])

    def two_lost_and_good() -> None:
        concealer.lost()
        concealer.lost()
        concealer.good(feed[9])

    def through_the_buffer() -> None:
        number = next(steps)
        buffer.insert(number & 0xFFFF, number * 160 & 0xFFFFFFFF, feed[number % len(frames)], number * 0.02)
        buffer.pull(number * 0.02 + 0.001)

    pieces = feed[20] + feed[21]
    candidates: dict[str, Callable[[], object]] = {
        "good": good,
        "lost": lost_and_good,
        "two": two_lost_and_good,
        "buffer": through_the_buffer,
        "shorten": lambda: shorten(pieces, 8000, -1.0),
    }
    if ctypes.util.find_library("spandsp"):
        plc, room = Spandsp(), np.frombuffer(frames[7], "<i2").copy()
        at = room.ctypes.data

        def spandsp_lost_and_good() -> None:
            plc.lost(plc.state, at, FRAME)
            plc.good(plc.state, at, FRAME)

        candidates["spandsp good"] = lambda: plc.good(plc.state, at, FRAME)
        candidates["spandsp lost"] = spandsp_lost_and_good
    times = {name: 1e6 * s for name, s in interleaved(candidates, repeats=repeats, inner=400).items()}
    peers = {name: times.get(f"spandsp {name}") for name in ("good", "lost")}
    return [
        Row("conceal: good frame", times["good"], "µs", peer="spandsp", peer_value=peers["good"]),
        Row("conceal: lost frame and merge", times["lost"], "µs", peer="spandsp", peer_value=peers["lost"]),
        Row("conceal: second lost frame", times["two"] - times["lost"], "µs"),
        Row("jitter buffer: insert and pull", times["buffer"], "µs/frame", bound=10.0),
        Row("stretch: 40 ms shortened by a period", times["shorten"], "µs"),
    ]


def rows(quick: bool) -> list[Row]:
    """Measure concealment, jitter buffer and their cost."""
    speech = clips(6 if quick else 16)
    sound = b"".join(clip.astype("<i2").tobytes() for clip in speech)
    frames = [sound[at : at + 2 * FRAME] for at in range(0, len(sound) - 2 * FRAME, 2 * FRAME)]
    return [
        *_concealment(speech, 1 if quick else 3),
        *_jitter(frames, 8000, 2 if quick else 8),
        *_speed(frames, 9 if quick else 31),
    ]
