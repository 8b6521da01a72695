"""How good a recording is: levels, clipping, direct current, and how far speech stands out of the noise."""

from __future__ import annotations

import math

import numpy as np
from attrs import frozen

from tomrt._dsp.meter import measure
from tomrt._dsp.vad import Vad
from tomrt.audio.resampling import resample
from tomrt.errors import MisuseError

__all__ = ["Quality", "analyse"]

_HOP_S = 0.010
_UNDECIDED_HOPS = 10
_SILENCE_DBFS = -127.0


@frozen(kw_only=True)
class Quality:
    """What can be told of a signal from its samples alone.

    Args:
        seconds: Length.
        rms_dbfs: RMS level of all of it, without direct current; 0 is a full-scale square wave, -127 is silence.
        peak_dbfs: Level of the largest sample, -127 to 0.
        clipped: Samples at or beyond ±32124, mu-law's outermost value.
        dc: The mean sample, -32768 to 32767.
        active_s: Seconds with speech, by the detector of the call path.
        speech_dbfs: RMS level where there is speech; -127 where there is none.
        noise_dbfs: RMS level where there is none, nor soon will be; -127 where that is nowhere.
        snr_db: ``speech_dbfs - noise_dbfs``, ``None`` where one of the two cannot be told.
    """

    seconds: float
    rms_dbfs: float
    peak_dbfs: float
    clipped: int
    dc: float
    active_s: float
    speech_dbfs: float
    noise_dbfs: float
    snr_db: float | None


def analyse(pcm: bytes, rate_hz: int) -> Quality:
    """Measure a whole signal.

    Args:
        pcm: 16-bit mono PCM, of any length.
        rate_hz: Samples per second, 8000 to 48000.

    Raises:
        MisuseError: *pcm* has an odd number of bytes, or the rate is outside the limits.
    """
    if len(pcm) % 2:
        raise MisuseError(f"16-bit PCM has an even number of bytes, and this signal has {len(pcm)}.")
    level = measure(pcm)
    heard = pcm if rate_hz in {8000, 16000} else resample(pcm, rate_hz, 16000)
    vad = Vad(rate_hz if rate_hz in {8000, 16000} else 16000)
    active = np.array([speech for _, speech in vad.push(heard)], dtype=bool)
    powers = _hop_powers(heard, vad.rate_hz, len(active))
    speech_dbfs, noise_dbfs = _mean_dbfs(powers[active]), _mean_dbfs(powers[~_widened(active)])
    known = speech_dbfs > _SILENCE_DBFS and noise_dbfs > _SILENCE_DBFS
    return Quality(
        seconds=len(pcm) / 2 / rate_hz,
        rms_dbfs=level.rms_dbfs,
        peak_dbfs=20 * math.log10(level.peak / 32768) if level.peak else _SILENCE_DBFS,
        clipped=level.clipped,
        dc=level.dc,
        active_s=int(active.sum()) * _HOP_S,
        speech_dbfs=speech_dbfs,
        noise_dbfs=noise_dbfs,
        snr_db=speech_dbfs - noise_dbfs if known else None,
    )


def _hop_powers(pcm: bytes, rate_hz: int, hops: int) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """Return the power of each hop of 10 ms relative to full scale, without direct current."""
    samples = np.frombuffer(pcm, "<i2")[: hops * rate_hz // 100].reshape(hops, rate_hz // 100).astype(np.float64)
    return np.asarray(samples.var(axis=1) / 32768.0**2)


def _widened(active: np.ndarray[tuple[int], np.dtype[np.bool_]]) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    """Return *active* with the hops before each onset, in which the detector was still making up its mind."""
    wide = active.copy()
    for hops in range(1, _UNDECIDED_HOPS + 1):
        wide[:-hops] |= active[hops:]
    return wide


def _mean_dbfs(powers: np.ndarray[tuple[int], np.dtype[np.float64]]) -> float:
    """Return the mean of *powers* in dB, -127 for none or silence."""
    mean = float(powers.mean()) if len(powers) else 0.0
    return max(10 * math.log10(mean), _SILENCE_DBFS) if mean > 0 else _SILENCE_DBFS
