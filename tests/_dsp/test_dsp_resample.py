"""The resampler: exact in time and length, clean in frequency."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from signals import cuts_strategy, pcm, pcm_strategy, pieces, samples, sine

from tomrt._dsp.resample import Resampler

PAIRS = [
    (8000, 16000),
    (16000, 8000),
    (24000, 8000),
    (22050, 8000),
    (22050, 16000),
    (16000, 24000),
    (24000, 16000),
    (48000, 16000),
    (48000, 8000),
    (8000, 44100),
    (44100, 16000),
    (8000, 24000),
    (8000, 48000),
    (16000, 48000),
]
SECONDS = 0.25
LOUD = 30000.0  # so that rounding to 16 bits stays 95 dB below


def convert(signal, rate_in, rate_out):
    """Return a whole signal resampled, as floats."""
    stream = Resampler(rate_in, rate_out)
    return samples(stream.process(pcm(signal)) + stream.flush())


def fit(signal, hz, rate_hz):
    """Return gain, phase and rest of the sine that fits the middle of *signal* best."""
    middle = slice(len(signal) // 4, 3 * len(signal) // 4)
    time = np.arange(len(signal))[middle] / rate_hz
    basis = np.column_stack([np.sin(2 * np.pi * hz * time), np.cos(2 * np.pi * hz * time)])
    weights, *_ = np.linalg.lstsq(basis, signal[middle], rcond=None)
    rest = np.sqrt(np.mean((signal[middle] - basis @ weights) ** 2))
    return math.hypot(*weights), math.atan2(weights[1], weights[0]), rest


@pytest.mark.parametrize(("rate_in", "rate_out"), PAIRS)
def test_passband(rate_in, rate_out):
    """From 300 Hz to 7/8 of the lower band a tone keeps its level and its place; images stay 90 dB under it."""
    for hz in np.linspace(300, 0.4375 * min(rate_in, rate_out), 12):
        gain, phase, rest = fit(convert(sine(hz, rate_in, SECONDS, LOUD), rate_in, rate_out), hz, rate_out)
        assert abs(20 * math.log10(gain / LOUD)) < 0.01
        assert abs(phase) < 1e-4
        assert 20 * math.log10(gain / math.sqrt(2) / rest) > 90


@pytest.mark.parametrize(("rate_in", "rate_out"), [pair for pair in PAIRS if pair[0] > pair[1]])
def test_aliases(rate_in, rate_out):
    """What the lower rate cannot carry does not come back as something else: 90 dB down from 9/8 of its band."""
    for hz in np.linspace(0.5625 * rate_out, 0.49 * rate_in, 12):
        heard = convert(sine(hz, rate_in, SECONDS, LOUD), rate_in, rate_out)
        middle = heard[len(heard) // 4 : 3 * len(heard) // 4]
        assert np.sqrt(np.mean(middle**2)) < LOUD / math.sqrt(2) * 10**-4.5


@pytest.mark.parametrize(("rate_in", "rate_out"), [(8000, 16000), (24000, 8000), (22050, 8000), (48000, 8000)])
def test_delay(rate_in, rate_out):
    """Output waits for at most 4 ms of input where 8 kHz speech is concerned, and for exactly what ``delay`` says."""
    stream = Resampler(rate_in, rate_out)
    assert stream.delay <= (0.003 if rate_in == 8000 else 0.004)
    wait = stream.delay_samples
    assert wait == round(stream.delay * rate_in) == math.ceil(24 * max(1, rate_in / rate_out))
    assert stream.process(bytes(2 * wait)) == b""
    assert stream.process(bytes(2)) != b""


def test_impulse_stays_in_place():
    """An impulse comes out where it went in, not one sample later."""
    signal = np.zeros(400)
    signal[123] = 20000
    assert np.argmax(convert(signal, 8000, 16000)) == 246


@pytest.mark.parametrize(("rate_in", "rate_out"), [*PAIRS, (16000, 16000)])
@pytest.mark.parametrize("count", [0, 1, 2, 23, 24, 25, 160, 1025, 4099])
def test_total_length(rate_in, rate_out, count):
    """A stream of n samples gives exactly ceil(n * out / in) of them."""
    assert math.ceil(count * rate_out / rate_in) == len(convert(np.ones(count), rate_in, rate_out))


def by_definition(signal, up, down):
    """Return a signal resampled in double precision, each output by itself: Kaiser's window over a sinc."""
    reach, slower = 24 * max(up, down), max(up, down)
    made = []
    for m in range(math.ceil(len(signal) * up / down)):
        time = np.arange(len(signal)) * up - m * down
        near = np.abs(time) < reach
        t = time[near] / slower
        weight = np.sinc(t) * np.i0(9.2 * np.sqrt(1 - (t / 24) ** 2))
        every = np.arange(-2 * reach, 2 * reach) * up - m * down % up
        t = every[np.abs(every) < reach] / slower
        made.append(weight @ signal[near] / (np.sinc(t) * np.i0(9.2 * np.sqrt(1 - (t / 24) ** 2))).sum())
    return np.clip(np.round(made), -32768, 32767)


RATIOS = [(up, down) for up in range(1, 9) for down in range(1, 9) if math.gcd(up, down) == 1 and up != down]


@pytest.mark.parametrize(("up", "down"), RATIOS)
def test_every_layout_is_the_definition(up, down):
    """Phases side by side, mirrored or not, or one output after the other: all are the same sum, within rounding."""
    signal = np.round(np.random.default_rng(up * 10 + down).normal(0, 6000, 300))
    stream, data = Resampler(down * 1000, up * 1000), pcm(signal)
    heard = samples(b"".join(stream.process(data[at : at + 94]) for at in range(0, 600, 94)) + stream.flush())
    off = np.abs(heard - by_definition(signal, up, down))
    assert off.max() <= 1
    assert (off > 0).mean() < 0.01


@settings(max_examples=150)
@given(pcm_strategy, cuts_strategy, st.sampled_from([*PAIRS, (8000, 8000)]))
def test_chunked_equals_whole(data, cuts, pair):
    """The stream is the same bits however it is cut."""
    whole, cut = Resampler(*pair), Resampler(*pair)
    expected = whole.process(data) + whole.flush()
    assert expected == b"".join(cut.process(piece) for piece in pieces(data, cuts)) + cut.flush()


def test_long_pieces():
    """Pieces longer than any internal buffer are taken as they are."""
    data = pcm(np.random.default_rng(7).normal(0, 5000, 20_000))
    for pair in PAIRS:
        whole, cut = Resampler(*pair), Resampler(*pair)
        fine = b"".join(cut.process(data[at : at + 322]) for at in range(0, len(data), 322))
        assert whole.process(data) + whole.flush() == fine + cut.flush()


def test_constant_is_kept():
    """A constant comes out as that constant, to the last bit, in every phase."""
    for pair in PAIRS:
        heard = convert(np.full(3000, 12345.0), *pair)
        assert set(heard[len(heard) // 4 : 3 * len(heard) // 4]) == {12345.0}


def test_saturates():
    """A full-scale square wave overshoots in any band-limited form; it saturates and does not wrap."""
    heard = convert(np.repeat([32767.0, -32768.0] * 20, 40), 8000, 16000)
    assert heard.max() == 32767
    assert heard.min() == -32768
    assert np.abs(np.diff(heard)).max() < 60000
    assert (heard[4:76] > 25000).all()
    assert (heard[84:156] < -25000).all()


def test_flush_and_reset_begin_anew():
    """After a flush or a reset nothing of the old stream is heard."""
    data = pcm(sine(440, 22050, 0.1))
    fresh = Resampler(22050, 8000)
    expected = fresh.process(data) + fresh.flush()
    assert expected == fresh.process(data) + fresh.flush()
    fresh.process(pcm(np.full(100, 9000.0)))
    fresh.reset()
    assert expected == fresh.process(data) + fresh.flush()


@pytest.mark.parametrize(
    ("rates", "words"), [((0, 8000), "positive"), ((8000, -1), "positive"), ((47999, 48000), "odd")]
)
def test_refused_rates(rates, words):
    """Rates that make no sense, and ratios that would need a huge table, are refused."""
    with pytest.raises(ValueError, match=words):
        Resampler(*rates)
