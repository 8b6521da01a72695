"""The resamplers that tomrt's is measured beside, all with one face, and how good any of them is."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

import numpy as np
from attrs import frozen

from bench.speexdsp import SpeexResampler, available
from tomrt._dsp.resample import Resampler

__all__ = ["Quality", "Stream", "peers", "quality", "tomrt_stream"]

_LOUD = 30000.0
_PILOT_HZ = 1017.0
_TELEPHONE_HZ = (300.0, 3400.0)


@frozen(kw_only=True)
class Stream:
    """A streaming resampler.

    Args:
        name: Library and setting.
        prepare: Turns a frame of PCM into what the library likes best, outside the clock.
        run: Takes a prepared frame.
        samples: Turns what *run* returned into 16-bit values.
    """

    name: str
    prepare: Callable[[bytes], Any]
    run: Callable[[Any], Any]
    samples: Callable[[Any], np.ndarray]


@frozen(kw_only=True)
class Quality:
    """How a resampler treats telephone speech.

    Args:
        ripple_db: Largest deviation from the mean gain, 300 to 3400 Hz.
        sinad_db: Least distance of a tone of 300 to 3400 Hz from everything else that came out.
        alias_db: How far the loudest remains of what the lower rate cannot carry are down, from 115 % of its band;
            infinite where the rate rises.
        delay_ms: From a sample's arrival to its coming out, at worst, in frames of 20 ms.
    """

    ripple_db: float
    sinad_db: float
    alias_db: float
    delay_ms: float


def _pcm(data: bytes) -> bytes:
    return data


def _decoded(data: bytes) -> np.ndarray:
    return np.frombuffer(data, "<i2").astype(float)


def tomrt_stream(rate_in: int, rate_out: int) -> Stream:
    """Return ours."""
    return Stream(name="tomrt", prepare=_pcm, run=Resampler(rate_in, rate_out).process, samples=_decoded)


def peers(rate_in: int, rate_out: int) -> dict[str, Callable[[], Stream]]:
    """Return makers of the installed libraries' streams by name; each call of a maker begins a new stream."""
    found: dict[str, Callable[[], Stream]] = {}
    if available():
        found["speexdsp q5"] = lambda: _speex(rate_in, rate_out)
    for module, name, maker in (
        ("soxr", "soxr HQ", _soxr),
        ("samplerate", "samplerate medium", _samplerate),
        ("av", "PyAV", _av),
    ):
        try:
            library = importlib.import_module(module)
        except ImportError:
            continue
        found[name] = lambda maker=maker, library=library: maker(library, rate_in, rate_out)
    return found


def _speex(rate_in: int, rate_out: int) -> Stream:
    stream = SpeexResampler(rate_in, rate_out, 5)
    return Stream(name="speexdsp q5", prepare=_pcm, run=stream.process, samples=_decoded)


def _soxr(library: Any, rate_in: int, rate_out: int) -> Stream:
    stream = library.ResampleStream(rate_in, rate_out, 1, dtype="int16", quality="HQ")
    return Stream(
        name="soxr HQ",
        prepare=lambda pcm: np.frombuffer(pcm, "<i2"),
        run=stream.resample_chunk,
        samples=lambda made: made.astype(float),
    )


def _samplerate(library: Any, rate_in: int, rate_out: int) -> Stream:
    stream = library.Resampler("sinc_medium", channels=1)
    ratio = rate_out / rate_in
    return Stream(
        name="samplerate medium",
        prepare=lambda pcm: (np.frombuffer(pcm, "<i2") / 32768).astype(np.float32),
        run=lambda frame: stream.process(frame, ratio),
        samples=lambda made: np.round(made.astype(float) * 32768),
    )


def _av(library: Any, rate_in: int, rate_out: int) -> Stream:
    stream = library.AudioResampler(format="s16", layout="mono", rate=rate_out)

    def run(frame: np.ndarray) -> Any:
        whole = library.AudioFrame.from_ndarray(frame, format="s16", layout="mono")
        whole.sample_rate = rate_in
        return stream.resample(whole)

    return Stream(
        name="PyAV",
        prepare=lambda pcm: np.frombuffer(pcm, "<i2").reshape(1, -1),
        run=run,
        samples=lambda made: np.concatenate([[], *(part.to_ndarray().ravel() for part in made)]),
    )


def _through(stream: Stream, signal: np.ndarray, rate_in: int) -> tuple[np.ndarray, list[int]]:
    """Return what came out of a signal in frames of 20 ms, and how much had come out after each frame."""
    frame, parts, counts = rate_in // 50, [], []
    pcm = np.round(signal).astype("<i2").tobytes()
    for at in range(0, len(pcm) - 2 * frame + 1, 2 * frame):
        parts.append(stream.samples(stream.run(stream.prepare(pcm[at : at + 2 * frame]))))
        counts.append(sum(map(len, parts[-1:])) + (counts[-1] if counts else 0))
    return np.concatenate(parts), counts


def _tone(hz: float, rate_hz: int, seconds: float = 0.6) -> np.ndarray:
    return _LOUD * np.sin(2 * np.pi * hz * np.arange(int(rate_hz * seconds)) / rate_hz)


def _fit(signal: np.ndarray, hz: float, rate_hz: int) -> tuple[float, float]:
    """Return the amplitude of the sine that fits the second half of *signal* best, and the RMS of the rest."""
    late = signal[len(signal) // 2 :]
    time = np.arange(len(late)) / rate_hz
    basis = np.column_stack([np.sin(2 * np.pi * hz * time), np.cos(2 * np.pi * hz * time)])
    weights, *_ = np.linalg.lstsq(basis, late, rcond=None)
    return float(np.hypot(*weights)), float(np.sqrt(np.mean((late - basis @ weights) ** 2)))


def quality(make: Callable[[], Stream], rate_in: int, rate_out: int) -> Quality:
    """Measure a resampler with tones and a burst of noise; *make* begins a new stream."""
    gains, sinads, aliases = [], [], [np.inf]
    for hz in np.linspace(*_TELEPHONE_HZ, 9):
        amplitude, rest = _fit(_through(make(), _tone(hz, rate_in), rate_in)[0], hz, rate_out)
        gains.append(20 * np.log10(amplitude / _LOUD))
        sinads.append(20 * np.log10(amplitude / np.sqrt(2) / max(rest, 1e-9)))
    if rate_out < rate_in:
        tones = np.linspace(0.575 * rate_out, 0.49 * rate_in, 7)
        aliases += [_alias_db(make(), hz, rate_in, rate_out) for hz in tones]
    return Quality(
        ripple_db=float(np.max(np.abs(gains - np.mean(gains)))),
        sinad_db=float(min(sinads)),
        alias_db=float(min(aliases)),
        delay_ms=_delay_ms(make, rate_in, rate_out),
    )


def _alias_db(stream: Stream, hz: float, rate_in: int, rate_out: int) -> float:
    """Return how far the alias of a tone is down; a pilot tone keeps rounding from having a say in it."""
    heard = _through(stream, _tone(hz, rate_in) + 0.08 * _tone(_PILOT_HZ, rate_in), rate_in)[0]
    late = heard[len(heard) // 2 :]
    time = np.arange(len(late)) / rate_out
    waves = [wave(2 * np.pi * tone * time) for tone in (_PILOT_HZ, hz) for wave in (np.sin, np.cos)]
    weights, *_ = np.linalg.lstsq(np.column_stack(waves), late, rcond=None)
    return float(20 * np.log10(_LOUD / max(np.hypot(*weights[2:]), 1e-9)))


def _delay_ms(make: Callable[[], Stream], rate_in: int, rate_out: int) -> float:
    """Return how late the stream is at worst: what it holds back after a frame, and how far it shifts the signal."""
    signal = np.random.default_rng(1).normal(0, 3000, rate_in)
    spectrum = np.fft.rfft(signal)
    spectrum[np.fft.rfftfreq(len(signal), 1 / rate_in) > _TELEPHONE_HZ[1]] = 0
    signal = np.fft.irfft(spectrum, len(signal))
    heard, counts = _through(make(), signal, rate_in)
    plain = _decoded(Resampler(rate_in, rate_out).process(np.round(signal).astype("<i2").tobytes()))
    length = min(len(heard), len(plain))
    padded = 2 * length
    match = np.fft.irfft(np.fft.rfft(heard[:length], padded) * np.conj(np.fft.rfft(plain[:length], padded)), padded)
    shift = int(np.argmax(match[: rate_out // 20]))
    held = max((index + 1) / 50 - count / rate_out for index, count in enumerate(counts))
    return round(1000 * (held + shift / rate_out), 6)
