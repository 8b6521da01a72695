"""DTMF against the tolerances of ITU-T Q.24."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from signals import cuts_strategy, pcm, pieces, recorded_speech, samples, vowel, white

from tomrt._dsp.dtmf import DtmfDetector, dtmf
from tomrt._dsp.g711 import alaw_decode, alaw_encode, ulaw_decode, ulaw_encode

KEYS = "123A456B789C*0#D"
ROWS, COLUMNS = (697, 770, 852, 941), (1209, 1336, 1477, 1633)
both_rates = pytest.mark.parametrize("rate_hz", [8000, 16000])


def tones(key, rate_hz, ms, low=(-20.0, 0.0), high=(-20.0, 0.0), phase=0.0):
    """Return a digit's two tones, each as (dBFS, relative error of its frequency)."""
    time = np.arange(int(rate_hz * ms / 1000)) / rate_hz
    row, column = divmod(KEYS.index(key), 4)
    return sum(
        32768 * np.sqrt(2) * 10 ** (dbfs / 20) * np.sin(2 * np.pi * hz * (1 + error) * time + phase)
        for hz, (dbfs, error) in ((ROWS[row], low), (COLUMNS[column], high))
    )


def silence(rate_hz, ms):
    """Return silence."""
    return np.zeros(int(rate_hz * ms / 1000))


def heard(signal, rate_hz):
    """Return the keys that are heard in a signal between two silences, the first of them of an odd length."""
    padded = np.concatenate([silence(rate_hz, 31.4), signal, silence(rate_hz, 60)])
    return "".join(key for key, _ in DtmfDetector(rate_hz).push(pcm(padded)))


@both_rates
@pytest.mark.parametrize(("on_ms", "off_ms"), [(40, 40), (50, 45), (80, 80), (200, 40)])
def test_all_digits(rate_hz, on_ms, off_ms):
    """All sixteen digits are heard once each, in order, where they began."""
    digits = DtmfDetector(rate_hz).push(dtmf(KEYS, rate_hz, on_ms, off_ms, -20.0))
    assert "".join(key for key, _ in digits) == KEYS
    for number, (_, position_ms) in enumerate(digits):
        assert abs(position_ms - number * (on_ms + off_ms)) <= 6


@both_rates
@pytest.mark.parametrize("key", KEYS)
@pytest.mark.parametrize("signs", [(1, 1), (1, -1), (-1, 1), (-1, -1)])
def test_frequencies(rate_hz, key, signs):
    """Tones within ±1.5 % are a digit; where one of them is off by ±3.5 % they are none."""
    low, high = signs
    assert heard(tones(key, rate_hz, 40, (-20, 0.015 * low), (-20, 0.015 * high)), rate_hz) == key
    assert heard(tones(key, rate_hz, 80, (-20, 0.035 * low), (-20, 0.0)), rate_hz) == ""
    assert heard(tones(key, rate_hz, 80, (-20, 0.0), (-20, 0.035 * high)), rate_hz) == ""


@both_rates
@pytest.mark.parametrize(
    ("low_dbfs", "high_dbfs"), [(-20, -16), (-16, -20), (-12, -20), (-31, -27), (-9, -9), (-36, -36)]
)
def test_twist_and_level_taken(rate_hz, low_dbfs, high_dbfs):
    """The high tone may be 4 dB above the low one and the low one 8 dB above the high one, at any usual level."""
    for key in KEYS:
        assert heard(tones(key, rate_hz, 40, (low_dbfs, 0.015), (high_dbfs, 0.015)), rate_hz) == key


@pytest.mark.parametrize(("low_dbfs", "high_dbfs"), [(-24, -16), (-12, -24), (-45, -45), (-20, -90), (-90, -20)])
def test_twist_and_level_refused(low_dbfs, high_dbfs):
    """Tones of too unlike levels, too weak tones and single tones are no digits."""
    assert [heard(tones(key, 8000, 100, (low_dbfs, 0.0), (high_dbfs, 0.0)), 8000) for key in KEYS] == [""] * 16


@both_rates
def test_durations(rate_hz):
    """A tone of 40 ms is a digit wherever it begins, one of 23 ms is none."""
    for offset in range(0, rate_hz // 200, 7):
        before = np.zeros(offset)
        assert heard(np.concatenate([before, tones("5", rate_hz, 40)]), rate_hz) == "5"
        assert heard(np.concatenate([before, tones("5", rate_hz, 23)]), rate_hz) == ""


@both_rates
def test_interruptions_and_pauses(rate_hz):
    """An interruption of 10 ms is bridged, a pause of 40 ms makes two digits of one."""
    for offset in range(0, rate_hz // 200, 7):
        for gap_ms, keys in ((1, "8"), (5, "8"), (10, "8"), (40, "88")):
            press = [np.zeros(offset), tones("8", rate_hz, 60), silence(rate_hz, gap_ms), tones("8", rate_hz, 60)]
            assert heard(np.concatenate(press), rate_hz) == keys


def test_digits_without_a_pause():
    """Another digit counts at once, also where no pause stands before it."""
    assert heard(np.concatenate([tones(key, 8000, 60) for key in "1590"]), 8000) == "1590"


@pytest.mark.parametrize("snr_db", [15, 18, 24])
@pytest.mark.parametrize(("encode", "decode"), [(ulaw_encode, ulaw_decode), (alaw_encode, alaw_decode)])
def test_noise_and_companding(snr_db, encode, decode):
    """Digits of 40 ms are heard in white noise and over a G.711 line, none lost and none made up."""
    noise = white(-17 - snr_db, 8000, 0.04 * 2 * 96, seed=snr_db)
    line = pcm(samples(dtmf(KEYS * 6, 8000, 40, 40, -17.0)) + noise)
    assert "".join(key for key, _ in DtmfDetector(8000).push(decode(encode(line)))) == KEYS * 6


@both_rates
def test_talk_off_recording(rate_hz):
    """Real speech, at three levels, holds no digits."""
    speech = recorded_speech(rate_hz)
    for gain in (0.3, 1.0, 3.0):
        assert DtmfDetector(rate_hz).push(pcm(speech * gain)) == []


@pytest.mark.parametrize("pitch_hz", [85, 120, 174, 232, 349])
def test_talk_off_vowels(pitch_hz):
    """Sustained vowels hold no digits, nor does noise."""
    assert DtmfDetector(8000).push(pcm(vowel(8000, 3.0, pitch_hz=pitch_hz))) == []
    assert DtmfDetector(8000).push(pcm(white(-20, 8000, 3.0, seed=pitch_hz))) == []


@pytest.mark.parametrize("harmonic_db", [-30, -6])
def test_second_harmonics(harmonic_db):
    """Tones with strong second harmonics are a voice; with those of a poor telephone they are a digit."""
    time = np.arange(640) / 8000
    overtones = sum(np.sin(4 * np.pi * hz * time) for hz in (941, 1209))
    signal = tones("*", 8000, 80) + overtones * 32768 * np.sqrt(2) * 10 ** ((-20 + harmonic_db) / 20)
    assert heard(signal, 8000) == ("*" if harmonic_db < -20 else "")


@given(st.text(KEYS, max_size=6), st.sampled_from([8000, 16000]), st.integers(35, 60), cuts_strategy)
def test_chunks(keys, rate_hz, on_ms, cuts):
    """The pieces in which a stream comes change nothing."""
    line = dtmf(keys, rate_hz, on_ms, 41.3, -12.0) + bytes(640)
    detector = DtmfDetector(rate_hz)
    assert [digit for piece in pieces(line, cuts) for digit in detector.push(piece)] == DtmfDetector(rate_hz).push(line)


def test_reset():
    """After a reset the stream begins anew."""
    detector = DtmfDetector(8000)
    first = detector.push(dtmf("7", 8000, 60, 0, -20.0))
    detector.reset()
    assert detector.push(dtmf("7", 8000, 60, 0, -20.0)) == first == [("7", 0)]


@pytest.mark.parametrize("dbfs", [-7.0, -20.0, -40.0])
@pytest.mark.parametrize("rate_hz", [8000, 22050, 48000])
def test_made_tones(rate_hz, dbfs):
    """A made digit has the level, the length and the two frequencies that were asked for, and does not clip."""
    signal = samples(dtmf("6", rate_hz, 100, 30, dbfs))
    on, off = round(rate_hz * 0.1), round(rate_hz * 0.03)
    assert len(signal) == on + off
    assert not signal[on:].any()
    assert np.abs(signal).max() <= 32767
    assert 20 * np.log10(np.sqrt(np.mean(signal[:on] ** 2)) / 32768) == pytest.approx(dbfs, abs=0.05)
    spectrum = np.abs(np.fft.rfft(signal[:on] * np.hanning(on), rate_hz))
    low = int(np.argmax(spectrum[:1000]))
    assert (low, 1000 + int(np.argmax(spectrum[1000:]))) == pytest.approx((770, 1477), abs=1)


@pytest.mark.parametrize(
    "arguments",
    [
        ("1", 7999, 40, 40, -20),
        ("1", 48001, 40, 40, -20),
        ("1", 8000, 0, 40, -20),
        ("1", 8000, float("nan"), 40, -20),
        ("1", 8000, 40, float("inf"), -20),
        ("1", 8000, 40, -1, -20),
        ("1", 8000, 40, 40, -6.9),
        ("1", 8000, 40, 40, float("nan")),
        ("E", 8000, 40, 40, -20),
        ("", 8000, 10001, 40, -20),
        ("1" * 257, 8000, 40, 40, -20),
    ],
)
def test_absurd_tones(arguments):
    """Tones that make no sense are refused in one sentence."""
    with pytest.raises(ValueError, match=r"DTMF|At most 256 digits"):
        dtmf(*arguments)


@pytest.mark.parametrize("rate_hz", [0, -8000, 11025, 48000])
def test_other_rates(rate_hz):
    """Digits are heard at 8 and 16 kHz only, and the refusal says so."""
    with pytest.raises(ValueError, match="8000 or 16000 Hz"):
        DtmfDetector(rate_hz)


@given(st.lists(st.binary(max_size=700), max_size=10))
def test_random_bytes(chunks):
    """Whatever bytes come, whole samples are taken, odd pieces refused, and no digit is made up of noise."""
    detector = DtmfDetector(8000)
    for chunk in chunks:
        if len(chunk) % 2:
            with pytest.raises(ValueError, match="even number"):
                detector.push(chunk)
        else:
            assert detector.push(chunk) == []
