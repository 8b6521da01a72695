"""Packet-loss concealment: no delay, no seam, and nothing runs away."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from signals import pcm, samples, sine, vowel, white

from tomrt._dsp.conceal import Concealer

RATES = pytest.mark.parametrize("rate_hz", [8000, 16000])


def frames_of(signal, rate_hz):
    """Return a signal's whole frames of 20 ms."""
    size = rate_hz // 50
    return signal[: len(signal) // size * size].reshape(-1, size)


def concealed(signal, lost, rate_hz=8000):
    """Return *signal* as the concealer plays it."""
    concealer = Concealer(rate_hz)
    frames = frames_of(signal, rate_hz)
    out = [concealer.lost() if gone else concealer.good(pcm(frame)) for frame, gone in zip(frames, lost, strict=True)]
    return samples(b"".join(out))


@RATES
@given(st.lists(st.sampled_from([10, 20, 30, 60, 120]), max_size=20), st.integers(0, 100))
def test_good_frames_pass(rate_hz, lengths, seed):
    """Without a loss every frame is given back as it is, whatever its length."""
    concealer = Concealer(rate_hz)
    for ms in lengths:
        frame = pcm(white(-20, rate_hz, ms / 1000, seed))
        assert concealer.good(frame) is frame
        assert concealer.good(memoryview(frame)) == frame


@RATES
@given(
    st.lists(st.tuples(st.sampled_from([10, 20, 60]), st.booleans(), st.binary(min_size=2, max_size=2)), max_size=40)
)
def test_any_losses(rate_hz, plan):
    """Whatever comes and whatever is lost, as much is played as there was."""
    concealer = Concealer(rate_hz)
    for ms, gone, content in plan:
        size = ms * rate_hz // 1000
        played = concealer.lost(ms) if gone else concealer.good(content * size)
        assert len(played) == 2 * size
        assert concealer.losing == gone


@RATES
def test_only_the_merge_is_changed(rate_hz):
    """After a loss the first 3.75 ms are merged, and the rest of the frame is as it came."""
    concealer, frames = Concealer(rate_hz), frames_of(vowel(rate_hz, 0.4), rate_hz)
    for frame in frames[:10]:
        concealer.good(pcm(frame))
    concealer.lost()
    played, sent = samples(concealer.good(pcm(frames[11]))), samples(pcm(frames[11]))
    merge = 30 * rate_hz // 8000
    assert not np.array_equal(played[:merge], sent[:merge])
    assert np.array_equal(played[merge:], sent[merge:])


@RATES
@pytest.mark.parametrize("hz", [100, 160, 250, 440])
def test_tone_goes_on(rate_hz, hz):
    """A tone goes on through a lost frame in phase; only its level falls, by the fade."""
    tone = sine(hz, rate_hz, 0.4, 8000)
    size = rate_hz // 50
    lost = np.zeros(20, dtype=bool)
    lost[10] = True
    played = concealed(tone, lost, rate_hz)[10 * size : 11 * size]
    fade = np.exp(-np.arange(size) / (0.05 * rate_hz))
    error = played - fade * tone[10 * size : 11 * size]
    assert np.sqrt(np.mean(error**2)) < 0.1 * np.sqrt(np.mean(tone**2))


@RATES
def test_no_seam(rate_hz):
    """Into a loss and out of it the signal does not jump more than a vowel does by itself."""
    voice = vowel(rate_hz, 1.0)
    lost = np.random.default_rng(3).random(50) < 0.2 * (np.arange(50) >= 5)
    played = concealed(voice, lost, rate_hz)
    assert np.abs(np.diff(played)).max() < 1.5 * np.abs(np.diff(voice)).max()


@RATES
def test_fade(rate_hz):
    """A long loss falls by 8.7 dB in 50 ms, still sounds after 60 ms, and is silent in the end."""
    concealer = Concealer(rate_hz)
    for frame in frames_of(vowel(rate_hz, 0.4), rate_hz):
        concealer.good(pcm(frame))
    power = [np.mean(samples(concealer.lost()) ** 2) + 1e-9 for _ in range(50)]
    falls = 10 * np.log10(np.array(power[:5]) / power[0])
    assert falls[3] > -18
    assert falls[4] < -10
    assert power[-1] < 1


@RATES
def test_silence_stays(rate_hz):
    """Digital silence and a beginning without history are concealed by silence."""
    concealer = Concealer(rate_hz)
    assert not any(concealer.lost())
    concealer.good(bytes(rate_hz // 50 * 2))
    assert not any(concealer.lost(60))


@RATES
@pytest.mark.parametrize("signal", ["square", "clipped noise", "impulse", "direct current", "nyquist"])
def test_hostile_signals(rate_hz, signal):
    """No signal makes the predictor run away: what is made up is not louder than what came, and then fades."""
    time = np.arange(rate_hz // 5)
    shapes = {
        "square": 32767.0 * np.sign(np.sin(time / 11)),
        "clipped noise": 40000 * np.sign(white(0, rate_hz, 0.2, 1)),
        "impulse": np.where(time % 997 == 900, 32767.0, 0.0),
        "direct current": np.full(len(time), 32767.0),
        "nyquist": 32767.0 * (-1.0) ** time,
    }
    concealer = Concealer(rate_hz)
    for frame in frames_of(shapes[signal], rate_hz):
        concealer.good(pcm(frame))
    power = [np.mean(samples(concealer.lost()) ** 2) for _ in range(60)]
    assert power[0] <= 1.3 * np.mean(shapes[signal] ** 2)
    assert power[-1] < 1


def test_same_bits():
    """Two concealers that hear the same say the same, also after a reset."""
    voice = frames_of(vowel(8000, 0.5), 8000)
    first, second = Concealer(8000), Concealer(8000)
    second.good(pcm(voice[7]))
    second.lost()
    second.reset()
    for frame in voice:
        assert first.good(pcm(frame)) == second.good(pcm(frame))
    assert first.lost() == second.lost()


@pytest.mark.parametrize("rate_hz", [0, 8001, 44100, -8000])
def test_refused_rates(rate_hz):
    """Other rates are refused."""
    with pytest.raises(ValueError, match="8000 and 16000"):
        Concealer(rate_hz)


@pytest.mark.parametrize("length", [0, 2, 100, 16 * 130])
def test_refused_frames(length):
    """Other lengths are refused, and the stream goes on."""
    concealer = Concealer(8000)
    with pytest.raises(ValueError, match="10 to 120 ms"):
        concealer.good(bytes(length))
    with pytest.raises(ValueError, match="even number"):
        concealer.good(bytes(321))
    with pytest.raises(ValueError, match="10 to 120 ms"):
        concealer.lost(length // 2 + 5)
    assert concealer.good(bytes(320)) == bytes(320)
