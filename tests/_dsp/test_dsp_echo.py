"""The echo reference on signals whose echoes are known."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from signals import cuts_strategy, pcm, pieces, recorded_speech, samples, sine, vowel, white

from tomrt._dsp.echo import EchoReference, _use_baseline
from tomrt._dsp.g711 import alaw_decode, alaw_encode, ulaw_decode, ulaw_encode

both_rates = pytest.mark.parametrize("rate_hz", [8000, 16000])


def delayed(signal, count, gain_db=0.0):
    """Return a signal that comes *count* samples later and louder or fainter."""
    return np.concatenate([np.zeros(count), signal])[: len(signal)] * 10 ** (gain_db / 20)


def telephone(signal, rate_hz):
    """Return a signal through a band-pass from 300 to 3400 Hz, with the phase of two analogue stages at each end."""
    hz = np.fft.rfftfreq(len(signal), 1 / rate_hz)
    low, high = 1j * hz / 300, 1j * hz / 3400
    return np.fft.irfft(np.fft.rfft(signal) * (low / (1 + low)) ** 2 / (1 + high) ** 2, len(signal))


def compared(out, back, rate_hz):
    """Return score and lag for each frame, as rows."""
    reference, size = EchoReference(rate_hz), rate_hz // 50 * 2
    out, back = pcm(out), pcm(back)
    results = []
    for at in range(0, min(len(out), len(back)) - size + 1, size):
        reference.sent(out[at : at + size])
        results.append(reference.similarity(back[at : at + size]))
    return np.array(results)


def loud(signal, rate_hz, dbfs):
    """Return which frames are above a level."""
    frames = signal[: len(signal) // (rate_hz // 50) * (rate_hz // 50)].reshape(-1, rate_hz // 50)
    return 10 * np.log10(frames.var(axis=1) / 32768**2 + 1e-12) > dbfs


@both_rates
@pytest.mark.parametrize("lag", [0, 8, 400, 1604, 3192])
def test_lag(rate_hz, lag):
    """A pure delay is found to a quarter of a millisecond, with a score of 1."""
    signal = white(-20, rate_hz, 1.0, seed=lag)
    found = compared(signal, delayed(signal, lag * rate_hz // 8000, -12), rate_hz)[25:]
    assert found[:, 1] == pytest.approx(lag / 8, abs=0.26)
    assert found[:, 0].min() > 0.95


@both_rates
def test_beyond_reach(rate_hz):
    """What was sent more than 400 ms before is not found."""
    signal = white(-20, rate_hz, 1.5, seed=5)
    assert compared(signal, delayed(signal, rate_hz * 42 // 100), rate_hz)[30:, 0].max() < 0.35


@both_rates
@pytest.mark.parametrize("gain_db", [0, -20, -40])
@pytest.mark.parametrize(("encode", "decode"), [(ulaw_encode, ulaw_decode), (alaw_encode, alaw_decode)])
def test_speech_through_a_telephone(rate_hz, gain_db, encode, decode):
    """An echo of speech is found at any gain, through a telephone's band-pass and G.711, wherever it can be heard."""
    speech = recorded_speech(rate_hz)
    echo = telephone(delayed(speech, rate_hz * 13 // 100, gain_db), rate_hz)
    found = compared(speech, samples(decode(encode(pcm(echo)))), rate_hz)
    audible = loud(echo, rate_hz, -66)
    audible[:25] = False
    assert audible.sum() > 50
    assert np.quantile(found[audible, 0], 0.1) > 0.6
    assert np.mean(np.abs(found[audible, 1] - 130) < 2) > 0.85


@both_rates
@pytest.mark.parametrize("pitch_hz", [95, 131, 210])
def test_other_voices(rate_hz, pitch_hz):
    """Another voice or noise is unlike speech that was sent, at all lags."""
    speech = recorded_speech(rate_hz)[: 4 * rate_hz]
    syllables = vowel(rate_hz, 4.0, pitch_hz=pitch_hz) * (0.2 + np.abs(np.sin(np.arange(4 * rate_hz) * 12 / rate_hz)))
    assert np.quantile(compared(speech, syllables, rate_hz)[:, 0], 0.95) < 0.6
    assert np.quantile(compared(speech, white(-30, rate_hz, 4.0, seed=3), rate_hz)[:, 0], 0.95) < 0.35


def test_opposite_polarity():
    """An echo with its sign turned is as like as one without."""
    signal = white(-25, 8000, 1.0, seed=9)
    assert compared(signal, -delayed(signal, 800), 8000)[20:] == pytest.approx(
        compared(signal, delayed(signal, 800), 8000)[20:], abs=1e-3
    )


def test_double_talk():
    """With the caller's voice over an echo the score stands between that of the echo and that of the voice."""
    ours, theirs = white(-20, 8000, 2.0, seed=1), white(-32, 8000, 2.0, seed=2)
    echo = delayed(ours, 1000, -12)
    alone, both, voice = (np.median(compared(ours, back, 8000)[30:, 0]) for back in (echo, echo + theirs, theirs))
    assert voice < 0.4 < 0.6 < both < 0.8 < 0.95 < alone


@both_rates
def test_silence(rate_hz):
    """Silence is like nothing: not the caller's, nor ours, nor a constant."""
    speech, nothing = white(-20, rate_hz, 0.6, seed=0), np.zeros(rate_hz * 6 // 10)
    assert not compared(speech, nothing, rate_hz).any()
    assert not compared(nothing, speech, rate_hz).any()
    assert not compared(nothing, nothing, rate_hz).any()
    assert not compared(speech, nothing - 9000.0, rate_hz)[2:].any()


def test_silence_after_an_echo():
    """A frame is silent at once, whatever was before it."""
    speech = white(-20, 8000, 0.6, seed=0)
    back = delayed(speech, 160)
    back[-320:] = 0
    assert compared(speech, back, 8000)[[-3, -1], 0] == pytest.approx([1, 0], abs=0.05)


def test_frames_in_bursts():
    """Where frames come early or late by up to 80 ms, the lag stays that of the samples."""
    signal = white(-20, 8000, 2.0, seed=4)
    out, back = pcm(signal), pcm(delayed(signal, 800))
    reference, found = EchoReference(8000), []
    for at in range(0, len(out), 1280):  # 80 ms sent, then 80 ms heard, of which the first frame sets the clock
        reference.sent(out[at : at + 1280])
        found += [reference.similarity(back[at + frame : at + frame + 320]) for frame in range(0, 1280, 320)]
    lags = {lag for score, lag in found[8:]}
    assert lags == {found[8][1]}
    assert min(score for score, _ in found[16:]) > 0.9


def test_streams_are_laid_side_by_side_anew():
    """After a longer stall the echo is found again, at its new lag."""
    signal = white(-20, 8000, 3.0, seed=6)
    out, back = pcm(signal), pcm(delayed(signal, 400))
    reference, found = EchoReference(8000), []
    for frame in range(100):
        lost = 10 if frame >= 50 else 0  # 200 ms of the caller's never come
        reference.sent(out[320 * frame : 320 * frame + 320])
        found.append(reference.similarity(back[320 * (frame - lost) :][:320]))
    assert found[49] == pytest.approx((1, 50), abs=0.3)
    assert found[99] == pytest.approx((1, 250), abs=0.3)


@settings(max_examples=30)
@given(cuts_strategy, st.sampled_from([8000, 16000]), st.integers(0, 2**32 - 1))
def test_chunks_and_instructions(cuts, rate_hz, seed):
    """Neither the pieces in which samples are sent change a result, nor the processor's instructions."""
    signal = white(-20, rate_hz, 0.5, seed)
    sent, frame = pcm(signal), pcm(signal[rate_hz // 4 :][: rate_hz // 50])
    results = set()
    for plain, parts in ((False, [sent]), (True, pieces(sent, cuts)), (False, pieces(sent, cuts))):
        _use_baseline(plain)
        reference = EchoReference(rate_hz)
        for part in parts:
            reference.sent(part)
        results.add((reference.similarity(frame), reference.similarity(sent[: len(frame)])))
        _use_baseline(False)
    assert len(results) == 1


@given(st.lists(st.tuples(st.booleans(), st.binary(max_size=3000)), max_size=12), st.sampled_from([8000, 16000]))
def test_random_bytes(chunks, rate_hz):
    """Whatever bytes come, wrong lengths are refused, results stay in their limits, and the stream goes on."""
    reference, frame = EchoReference(rate_hz), rate_hz // 50 * 2
    for outgoing, chunk in chunks:
        if outgoing and len(chunk) % 2:
            with pytest.raises(ValueError, match="even number"):
                reference.sent(chunk)
        elif outgoing:
            reference.sent(chunk)
        else:
            with pytest.raises(ValueError, match=r"even number|has \d+ samples, and this one has \d+\."):
                reference.similarity(chunk[: frame - 1])
            score, lag_ms = reference.similarity(chunk[:frame].ljust(frame, b"\x7f"))
            assert 0 <= score <= 1
            assert 0 <= lag_ms < 400


def test_extremes():
    """Square waves at full scale overflow nothing."""
    square = 32767 * np.sign(sine(1000, 8000, 1.0) + 1)
    found = compared(square, delayed(square, 80), 8000)
    assert np.isfinite(found).all()
    assert found[20:, 0].min() > 0.95


@both_rates
def test_reset(rate_hz):
    """After a reset nothing is remembered."""
    signal = pcm(white(-20, rate_hz, 0.4, seed=8))
    reference = EchoReference(rate_hz)

    def run():
        reference.sent(signal)
        return reference.similarity(signal[-rate_hz // 50 * 2 :])

    first = run()
    reference.reset()
    assert reference.similarity(signal[: rate_hz // 50 * 2]) == (0.0, 0.0)
    reference.reset()
    assert run() == first == pytest.approx((1.0, 0.0), abs=0.15)


@pytest.mark.parametrize("rate_hz", [0, -1, 11025, 48000])
def test_other_rates(rate_hz):
    """Echoes are looked for at 8 and 16 kHz only, and the refusal says so."""
    with pytest.raises(ValueError, match="8000 or 16000 Hz"):
        EchoReference(rate_hz)
