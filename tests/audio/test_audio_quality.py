"""How good a recording is."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from tomrt.audio import analyse, read_wav
from tomrt.errors import MisuseError

SPEECH = Path(__file__).parents[2].parent / "shared" / "speech" / "jfk_16k.wav"


def noise(dbfs, count, seed=1):
    """Return white noise."""
    return np.random.default_rng(seed).normal(0, 32768 * 10 ** (dbfs / 20), count)


def voice(rate_hz, seconds, dbfs):
    """Return a 130 Hz pulse train, lightly shaped."""
    time = np.arange(int(rate_hz * seconds)) / rate_hz
    wave = sum(np.sin(2 * np.pi * 130 * k * time) / (1 + abs(k - 6)) for k in range(1, 25))
    return wave * 32768 * 10 ** (dbfs / 20) / wave.std()


@pytest.mark.parametrize("rate_hz", [8000, 16000, 22050, 48000])
def test_signal_to_noise(rate_hz):
    """Speech at -20 dBFS in noise at -50 dBFS is found, and stands 30 dB out of it."""
    signal = noise(-50, 3 * rate_hz)
    signal[rate_hz : 2 * rate_hz] += voice(rate_hz, 1.0, -20)
    quality = analyse(signal.astype("<i2").tobytes(), rate_hz)
    assert quality.active_s == pytest.approx(1.0, abs=0.15)
    assert quality.speech_dbfs == pytest.approx(-20, abs=1.5)
    assert quality.noise_dbfs == pytest.approx(-50, abs=6)
    assert quality.snr_db == quality.speech_dbfs - quality.noise_dbfs
    assert quality.seconds == 3.0
    assert quality.clipped == 0


@pytest.mark.parametrize("pcm", [b"", bytes(2), bytes(16000)])
def test_silence(pcm):
    """Silence of any length has no level, no speech and no ratio."""
    quality = analyse(pcm, 8000)
    assert (
        quality.rms_dbfs,
        quality.peak_dbfs,
        quality.clipped,
        quality.dc,
        quality.active_s,
        quality.snr_db,
    ) == (-127.0, -127.0, 0, 0.0, 0.0, None)


def test_faults_are_seen():
    """Direct current and clipping show."""
    quality = analyse(np.clip(50000 * np.sin(np.arange(8000) / 3) + 2000, -32768, 32767).astype("<i2").tobytes(), 8000)
    assert quality.clipped > 2000
    assert 500 < quality.dc < 3000
    assert quality.peak_dbfs == 0.0


def test_recording():
    """A studio recording of a speech is mostly speech, well above its noise."""
    if not SPEECH.exists():
        pytest.skip(f"needs the recording {SPEECH.name} in the folder shared/speech beside the checkout")
    sound = read_wav(SPEECH)
    quality = analyse(sound.pcm, sound.rate_hz)
    assert math.isclose(sound.seconds, quality.seconds)
    assert 0.5 * quality.seconds < quality.active_s < 0.95 * quality.seconds
    assert quality.snr_db is not None
    assert quality.snr_db > 15


@pytest.mark.parametrize(("pcm", "rate_hz"), [(b"odd", 8000), (bytes(20), 4000), (bytes(20), 96000)])
def test_refused(pcm, rate_hz):
    """Half samples and rates outside 8 to 48 kHz are misuse."""
    with pytest.raises(MisuseError):
        analyse(pcm, rate_hz)
