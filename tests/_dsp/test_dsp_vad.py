"""The speech detector: quick on speech, deaf to what a line sounds like when nobody speaks."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from signals import cuts_strategy, pcm, pieces, recorded_speech, samples, sine, vowel, white

from tomrt._dsp.vad import Vad

RATES = pytest.mark.parametrize("rate_hz", [8000, 16000])


def decisions(signal, rate_hz=8000):
    """Return the decision of each hop."""
    return np.array([speech for _, speech in Vad(rate_hz).push(pcm(signal))], dtype=bool)


def after(seconds, signal, rate_hz):
    """Put digital silence before a signal."""
    return np.concatenate([np.zeros(int(seconds * rate_hz)), signal])


def pink(dbfs, seconds, seed):
    """Return noise that falls by 3 dB per octave, at 8 kHz."""
    spectrum = np.fft.rfft(white(0, 8000, seconds, seed))
    spectrum[1:] /= np.sqrt(np.arange(1, len(spectrum)))
    noise = np.fft.irfft(spectrum)
    return noise / noise.std() * 32768 * 10 ** (dbfs / 20)


def active(signal, rate_hz, noise_dbfs=None):
    """Label each hop of clean speech: within 30 dB of its loud parts, and 6 dB above the noise that is added to it."""
    hop = rate_hz // 100
    power = (signal[: len(signal) // hop * hop].reshape(-1, hop) ** 2).mean(axis=1)
    audible = 0.0 if noise_dbfs is None else 4 * 32768**2 * 10 ** (noise_dbfs / 10)
    return power > max(np.percentile(power, 95) / 1000, audible)


@RATES
@pytest.mark.parametrize("value", [0, -1, 1, 8, -8, 300, -5000, 32767])
def test_constant(rate_hz, value):
    """Digital silence, the ``ff ff`` of a muted line, and any direct current are not speech."""
    assert not decisions(np.full(3 * rate_hz, float(value)), rate_hz).any()


@RATES
def test_offset_that_comes_late(rate_hz):
    """Direct current that is switched on during a call is not speech."""
    assert not decisions(after(1.0, np.full(2 * rate_hz, 6000.0), rate_hz), rate_hz).any()


def test_companded_silence():
    """The dither of an idle G.711 line is not speech."""
    idle = np.random.default_rng(3).choice([-8.0, 0.0, 8.0], 24000)
    assert not decisions(idle).any()


@RATES
@pytest.mark.parametrize("dbfs", [-60, -50, -45, -40, -35, -30, -20])
def test_stationary_noise(rate_hz, dbfs):
    """White noise is not speech, neither when it begins the call nor later."""
    for seed in range(8):
        assert not decisions(white(dbfs, rate_hz, 2.0, seed), rate_hz).any()
    assert not decisions(white(dbfs, rate_hz, 20.0, 99), rate_hz).any()


@pytest.mark.parametrize("dbfs", [-50, -40, -30])
def test_coloured_noise(dbfs):
    """Noise that falls by 3 dB per octave is not speech once it has been heard for 300 ms."""
    assert not decisions(pink(dbfs, 10.0, 5))[30:].any()


@RATES
@pytest.mark.parametrize("hz", [50, 60])
@pytest.mark.parametrize("peak", [300.0, 3000.0, 12000.0])
def test_mains_hum(rate_hz, hz, peak):
    """Mains hum is not speech, neither from the start nor when it is switched on."""
    hum = sine(hz, rate_hz, 3.0, peak) + 0.05 * sine(2 * hz, rate_hz, 3.0, peak)
    assert not decisions(hum, rate_hz).any()
    assert not decisions(after(1.0, hum, rate_hz), rate_hz).any()


@pytest.mark.parametrize(("before", "behind"), [(-60, -40), (-50, -30), (-45, -20), (-127, -45), (-127, -30)])
def test_white_noise_step(before, behind):
    """White noise that sets in may pass for an s, but no longer than one, and then never again."""
    for seed in range(4):
        heard = decisions(np.concatenate([white(before, 8000, 2.0, seed), white(behind, 8000, 8.0, seed + 50)]))
        assert not heard[:200].any()
        assert heard.sum() <= 15
        assert not heard[216:].any()


@pytest.mark.parametrize(("before_dbfs", "behind_dbfs"), [(-60, -40), (-50, -25), (-127, -30)])
def test_coloured_noise_step(before_dbfs, behind_dbfs):
    """Noise of any colour that sets in is learnt within 1.5 s; the detector lets go and stays silent."""
    for seed in range(4):
        signal = np.concatenate([pink(before_dbfs, 2.0, seed), pink(behind_dbfs, 8.0, seed + 50)])
        assert not decisions(signal)[30:200].any()
        assert not decisions(signal)[350:].any()


def test_stationary_tone_is_learnt():
    """A tone that stays becomes part of the line; it does not hold the floor for ever."""
    tone = sine(440, 8000, 8.0, 3000.0) + white(-60, 8000, 8.0, 1)
    assert not decisions(after(1.0, tone, 8000))[100 + 200 :].any()


@RATES
@pytest.mark.parametrize("noise_dbfs", [None, -60, -50, -45])
@pytest.mark.parametrize("pitch_hz", [85.0, 120.0, 220.0, 320.0])
def test_onset(rate_hz, noise_dbfs, pitch_hz):
    """A voice is noticed within 60 ms, low or high, over a silent line or a noisy one, and not before."""
    signal = after(1.0, vowel(rate_hz, 0.5, pitch_hz=pitch_hz), rate_hz)
    if noise_dbfs is not None:
        signal = signal + white(noise_dbfs, rate_hz, len(signal) / rate_hz, 11)
    heard = decisions(signal, rate_hz)
    assert not heard[:100].any()
    assert heard[105:150].all()


@RATES
def test_onset_at_the_very_start(rate_hz):
    """A caller who speaks into the first sample of the call is heard within 100 ms."""
    assert decisions(vowel(rate_hz, 0.5), rate_hz)[9:].all()


def test_quiet_caller():
    """A caller at -42 dBFS on a line with a floor of -65 dBFS is heard."""
    signal = after(1.0, vowel(8000, 0.5, dbfs=-42), 8000) + white(-65, 8000, 1.5, 2)
    assert decisions(signal)[106:150].all()


def test_hissing_onset():
    """An s, which on a narrow line is as white as noise, is noticed within 60 ms and holds until the vowel."""
    word = np.concatenate([white(-38, 8000, 0.12, 4), vowel(8000, 0.3)])
    heard = decisions(after(1.0, word, 8000) + white(-65, 8000, 1.42, 5))
    assert not heard[:100].any()
    assert heard[105:140].all()


@RATES
@pytest.mark.parametrize("noise_dbfs", [None, -50])
def test_release(rate_hz, noise_dbfs):
    """Speech ends 60 to 130 ms after the voice, so that an endpointer can count the silence."""
    signal = np.concatenate([np.zeros(rate_hz), vowel(rate_hz, 0.5), np.zeros(rate_hz)])
    if noise_dbfs is not None:
        signal = signal + white(noise_dbfs, rate_hz, 2.5, 12)
    heard = decisions(signal, rate_hz)
    assert heard[105:156].all()
    assert not heard[163:].any()


@RATES
def test_short_pause_does_not_end_speech(rate_hz):
    """The 50 ms of silence in the middle of a stop consonant are part of the word."""
    word = np.concatenate([vowel(rate_hz, 0.2), np.zeros(rate_hz // 20), vowel(rate_hz, 0.2)])
    assert decisions(after(1.0, word, rate_hz), rate_hz)[105:145].all()


def test_click():
    """A click of 5 ms is not speech."""
    assert not decisions(after(1.0, np.r_[white(-10, 8000, 0.005, 6), np.zeros(8000)], 8000)).any()


@RATES
@pytest.mark.parametrize("noise_dbfs", [None, -55, -45])
def test_recorded_speech(rate_hz, noise_dbfs):
    """Real speech is noticed within 130 ms of its label and covered; the pauses in it are seen, and so is its end."""
    speech = recorded_speech(rate_hz)
    label = active(speech, rate_hz, noise_dbfs)
    signal = np.concatenate([np.zeros(rate_hz), speech, np.zeros(rate_hz)])
    if noise_dbfs is not None:
        signal = signal + white(noise_dbfs, rate_hz, len(signal) / rate_hz, 13)
    heard = decisions(signal, rate_hz)
    first = 100 + int(np.argmax(label))
    assert not heard[: first - 30].any()
    assert heard[first - 30 : first + 13].any()
    middle = heard[100 : 100 + len(label)]
    assert middle[label].mean() > 0.83
    assert (~middle).sum() > 100
    assert not heard[-80:].any()


def test_rates_agree():
    """A 16 kHz line is judged as the 8 kHz line with the same speech on it."""
    narrow, wide = (decisions(recorded_speech(rate_hz), rate_hz) for rate_hz in (8000, 16000))
    count = min(len(narrow), len(wide))
    assert (narrow[:count] == wide[:count]).mean() > 0.97


@settings(max_examples=40)
@given(st.integers(0, 2**32 - 1), cuts_strategy, st.sampled_from([8000, 16000]))
def test_chunked_equals_whole(seed, cuts, rate_hz):
    """Probabilities and decisions are the same bits however the signal is cut."""
    signal = np.concatenate([white(-50, rate_hz, 0.2, seed), vowel(rate_hz, 0.15), white(-30, rate_hz, 0.105, seed)])
    whole, cut = Vad(rate_hz), Vad(rate_hz)
    expected = whole.push(pcm(signal))
    assert whole.hops == 45
    assert expected == [hop for piece in pieces(pcm(signal), cuts) for hop in cut.push(piece)]
    assert (whole.noise_dbfs, whole.probability, whole.speech) == (cut.noise_dbfs, cut.probability, cut.speech)


@given(st.binary(max_size=4000).map(lambda data: data[: len(data) // 2 * 2]))
def test_any_signal(data):
    """Whatever comes, probabilities stay between 0 and 1 and the floor stays finite."""
    vad = Vad(8000)
    assert all(0 <= probability <= 1 for probability, _ in vad.push(data * 3))
    assert -67 < vad.noise_dbfs < 3


def test_noise_floor_is_measured():
    """The floor is the level of the noise between 250 and 3400 Hz, give or take 1.5 dB."""
    vad = Vad(8000)
    vad.push(pcm(white(-40, 8000, 3.0, 8)))
    assert vad.noise_dbfs == pytest.approx(-40 + 10 * np.log10(51 / 64), abs=1.5)


def test_reset():
    """After a reset the detector is as new."""
    data = pcm(after(0.5, vowel(8000, 0.3), 8000))
    vad = Vad(8000)
    first = vad.push(data)
    vad.push(samples(data).astype("<i2").tobytes()[:100])
    vad.reset()
    assert vad.hops == 0
    assert first == vad.push(data)


@pytest.mark.parametrize("rate_hz", [0, 11025, 48000, -8000])
def test_refused_rates(rate_hz):
    """A rate that is no line's is refused."""
    with pytest.raises(ValueError, match=f"8000 or 16000 Hz, got {rate_hz} Hz"):
        Vad(rate_hz)
