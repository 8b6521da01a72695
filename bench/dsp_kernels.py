"""Companding, resampling, level and the fused front end, per frame of 20 ms from Python, beside the best libraries."""

from __future__ import annotations

import hashlib
import importlib
import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from bench.report import Row, generator, interleaved
from bench.resamplers import Quality, peers, quality, tomrt_stream
from bench.speexdsp import SpeexResampler, available
from tomrt._dsp.fade import fade_in
from tomrt._dsp.front_end import FrontEnd
from tomrt._dsp.g711 import alaw_decode, alaw_encode, ulaw_decode, ulaw_encode
from tomrt._dsp.meter import Meter
from tomrt._dsp.vad import Vad
from tomrt.audio import Ingress

__all__ = ["rows"]

_FRAMES = 100
_G191_SHA256 = "90c29de505fb68e766118303bd552a16005dcf810873698bee1d8f3b247ce28c"


def rows(quick: bool) -> list[Row]:
    """Measure every kernel; nothing is said of the speed of what does not do its work well."""
    repeats = 9 if quick else 31
    return [
        *_companding(repeats),
        *_resampling(8000, 16000, repeats, bound=0.2, aim=0.1, delay_ms=3.0),
        *_resampling(24000, 8000, repeats, bound=0.4, aim=0.2, delay_ms=4.0),
        *_resampling(22050, 8000, repeats, bound=None, aim=None, delay_ms=4.0),
        *_level(repeats),
        *_fused(repeats),
    ]


def _frames(rate_hz: int) -> list[bytes]:
    """Return frames as different as those of speech: noise with an envelope that comes and goes."""
    random, samples = generator(), rate_hz // 50
    envelope = np.repeat(10 ** random.uniform(0, 4, _FRAMES), samples)
    signal = np.clip(np.round(random.laplace(0, 1, len(envelope)) * envelope), -32768, 32767).astype("<i2")
    return [signal[at : at + samples].tobytes() for at in range(0, len(signal), samples)]


def _over(call: Callable[[Any], object], frames: Sequence[Any]) -> Callable[[], None]:
    """Return something that calls *call* with every frame."""

    def run() -> None:
        for frame in frames:
            call(frame)

    return run


def _in_samples(call: Callable[[Any, int], object], frames: Sequence[Any]) -> Callable[[], None]:
    """Return the same for a function of ``audioop``, which has to be told the width of a sample."""

    def run() -> None:
        for frame in frames:
            call(frame, 2)

    return run


def _per_frame(candidates: Mapping[str, Callable[[], None]], repeats: int, unit: float) -> dict[str, float]:
    """Return the time of each candidate per frame, in multiples of *unit* seconds."""
    # One pass per turn: on a busy machine long turns are interrupted more often than short ones.
    times = interleaved(candidates, repeats=5 * repeats, inner=1)
    return {name: seconds / _FRAMES / unit for name, seconds in times.items()}


def _audioop() -> Any:
    """Return the module that CPython had until 3.12 (audioop-lts since), or ``None``."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        try:
            return importlib.import_module("audioop")
        except ImportError:
            return None


def _companding(repeats: int) -> list[Row]:
    every = np.arange(-32768, 32768).astype("<i2").tobytes()
    assert hashlib.sha256(ulaw_encode(every)).hexdigest() == _G191_SHA256
    assert ulaw_encode(ulaw_decode(bytes(range(256)))) == bytes(range(256)).replace(b"\x7f", b"\xff")
    old, pcm = _audioop(), _frames(8000)
    ulaw, alaw = [ulaw_encode(frame) for frame in pcm], [alaw_encode(frame) for frame in pcm]
    candidates = {
        "mu-law decode": _over(ulaw_decode, ulaw),
        "mu-law encode": _over(ulaw_encode, pcm),
        "A-law decode": _over(alaw_decode, alaw),
        "A-law encode": _over(alaw_encode, pcm),
    }
    if old:
        candidates |= {
            "audioop mu-law decode": _in_samples(old.ulaw2lin, ulaw),
            "audioop mu-law encode": _in_samples(old.lin2ulaw, pcm),
            "audioop A-law decode": _in_samples(old.alaw2lin, alaw),
            "audioop A-law encode": _in_samples(old.lin2alaw, pcm),
        }
    times = _per_frame(candidates, repeats, 1e-9)
    limits = {"mu-law decode": (0.8, 0.45), "mu-law encode": (0.1, 0.05)}
    found = []
    for name in ("mu-law decode", "mu-law encode", "A-law decode", "A-law encode"):
        bound, aim = limits.get(name, (None, None))
        peer_value = times.get(f"audioop {name}")
        found.append(Row(name, times[name], "ns/frame", peer="audioop", peer_value=peer_value, bound=bound, aim=aim))
    return found


def _resampling(
    rate_in: int, rate_out: int, repeats: int, *, bound: float | None, aim: float | None, delay_ms: float
) -> list[Row]:
    title = f"{rate_in / 1000:g} to {rate_out / 1000:g} kHz"
    others, frames = peers(rate_in, rate_out), _frames(rate_in)
    candidates = {"tomrt": _over(tomrt_stream(rate_in, rate_out).run, frames)}
    if available():
        candidates["speexdsp q5"] = _over(SpeexResampler(rate_in, rate_out, 5).run, frames)
    for name, make in others.items():
        if name != "speexdsp q5":
            stream = make()
            candidates[name] = _over(stream.run, [stream.prepare(frame) for frame in frames])
    times = _per_frame(candidates, repeats, 1e-6)
    # Only now: numpy's solver leaves threads that spin for a while.
    mine = quality(lambda: tomrt_stream(rate_in, rate_out), rate_in, rate_out)
    assert mine.ripple_db <= 0.05, mine
    assert min(mine.sinad_db, mine.alias_db) >= 90, mine
    assert mine.delay_ms <= delay_ms, mine
    found = [
        Row(
            title,
            times["tomrt"],
            "µs/frame",
            peer="speexdsp q5",
            peer_value=times.get("speexdsp q5"),
            bound=bound,
            aim=aim,
        )
    ]
    found += [
        Row(f"{title} beside {name}", times["tomrt"], "µs/frame", peer=name, peer_value=times[name])
        for name in candidates
        if name not in {"tomrt", "speexdsp q5"}
    ]
    return found + _quality_rows(
        title, mine, {name: quality(make, rate_in, rate_out) for name, make in others.items()}, delay_ms
    )


def _quality_rows(title: str, mine: Quality, others: Mapping[str, Quality], delay_ms: float) -> list[Row]:
    """Return how good ours is, and how late everyone is."""
    found = [
        Row(f"{title}: ripple, 300 to 3400 Hz", mine.ripple_db, "dB", bound=0.05),
        Row(f"{title}: worst SINAD, images included", mine.sinad_db, "dB", bound=90.0, better="higher"),
    ]
    if np.isfinite(mine.alias_db):
        found.append(Row(f"{title}: worst alias, down", mine.alias_db, "dB", bound=90.0, better="higher"))
    found.append(Row(f"{title}: delay", mine.delay_ms, "ms", bound=delay_ms))
    for name, their in others.items():
        found.append(
            Row(f"{title}: delay beside {name}", mine.delay_ms, "ms", peer=name, peer_value=max(their.delay_ms, 0.0))
        )
        found.append(
            Row(
                f"{title}: clean to, beside {name}",
                min(mine.sinad_db, mine.alias_db),
                "dB",
                peer=name,
                peer_value=min(their.sinad_db, their.alias_db),
                better="higher",
            )
        )
    return found


def _level(repeats: int) -> list[Row]:
    old, pcm, meter = _audioop(), _frames(8000), Meter()
    signal = np.frombuffer(b"".join(pcm), "<i2").astype(float)
    for frame in pcm:
        meter.push(frame)
    level = meter.read()
    assert abs(level.rms_dbfs - 10 * np.log10(signal.var() / 32768.0**2)) < 1e-6
    assert (level.peak, level.clipped) == (np.abs(signal).max(), (np.abs(signal) >= 32124).sum())
    candidates = {"tomrt": _over(meter.push, pcm), "tomrt, read": _over(lambda frame: _figures(meter.push(frame)), pcm)}
    if old:
        candidates["audioop"] = _audioop_levels(old, pcm)
    times = _per_frame(candidates, repeats, 1e-9)
    name = "level: RMS, peak, DC, clipping, noise floor, SNR"
    return [
        Row(name, times["tomrt"], "ns/frame", peer="audioop", peer_value=times.get("audioop"), bound=0.3, aim=0.15),
        Row(f"{name}, with five of them read as Python numbers", times["tomrt, read"], "ns/frame"),
    ]


def _figures(level: Any) -> tuple[float, ...]:
    return level.rms_dbfs, level.peak, level.dc, level.clipped, level.snr_db


def _audioop_levels(old: Any, frames: Sequence[bytes]) -> Callable[[], None]:
    rms, peak, mean = old.rms, old.max, old.avg

    def run() -> None:
        for frame in frames:
            rms(frame, 2)
            peak(frame, 2)
            mean(frame, 2)

    return run


def _fused(repeats: int) -> list[Row]:
    pcm = _frames(8000)
    codes = [ulaw_encode(frame) for frame in pcm]
    checked = FrontEnd(8000, 5.0, "ulaw")
    reports = [report for frame in codes for report in checked.push(frame)]
    plain = tomrt_stream(8000, 16000)
    assert len(reports) == len(codes)
    assert checked.read(0, checked.position)[1] == plain.run(ulaw_decode(b"".join(codes)))
    chain = _chain(codes)
    candidates = {
        "fused": _over(FrontEnd(8000, 5.0, "ulaw").push, codes),
        "detector": _over(Vad(8000).push, pcm),
        "face": _over(Ingress(8000, 5.0, "ulaw").push, codes),
        "fade": _over(lambda frame: fade_in(frame, 80), pcm),
    }
    if chain:
        candidates["chain"] = chain
    times = _per_frame(candidates, repeats, 1e-6)
    peer = "audioop + speexdsp q5 + webrtcvad"
    return [
        Row(
            "fused front end: mu-law, level, onset detector, 16 kHz ring",
            times["fused"],
            "µs/frame",
            peer=peer,
            peer_value=times.get("chain"),
            bound=0.5,
            aim=0.15,
        ),
        Row("fused front end, less its detector", times["fused"] - times["detector"], "µs/frame", bound=2.0, aim=1.0),
        Row("ingress, with reports as Python objects", times["face"], "µs/frame"),
        Row("fade of 80 samples", times["fade"], "µs/frame"),
    ]


def _chain(codes: Sequence[bytes]) -> Callable[[], None] | None:
    """Return the same work by the best libraries, or ``None`` where one of them is not installed."""
    old = _audioop()
    try:
        webrtcvad = importlib.import_module("webrtcvad")
    except ImportError:
        return None
    if old is None or not available():
        return None
    detector, resampler = webrtcvad.Vad(3), SpeexResampler(8000, 16000, 5)

    def run() -> None:
        for frame in codes:
            pcm = old.ulaw2lin(frame, 2)
            old.rms(pcm, 2)
            old.max(pcm, 2)
            old.avg(pcm, 2)
            detector.is_speech(pcm, 8000)
            resampler.run(pcm)

    return run
