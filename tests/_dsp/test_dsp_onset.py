"""The onset network on labelled calls of voices that training never heard, its weights, and its two builds."""

from __future__ import annotations

import sys
import tomllib
from array import array
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from signals import pcm, vowel, white

import tomrt._dsp.onset_weights as onset_weights
from tomrt._dsp.vad import Vad

sys.path.append(str(Path(__file__).parents[2]))

from tools.onset_sounds import noise
from tools.onset_trial import area_under_roc, figures, mixture, noise_only
from tools.onset_voices import TRAINING, TRIAL, utterances

WEIGHTS = Path(onset_weights.__file__).with_name("onset_weights.toml")


@cache
def voices():
    """Return forty utterances of voices and languages that are kept for trials."""
    return utterances(TRIAL, 40, np.random.default_rng(17))


def trial(name, snr_db):
    """Return the figures of one noise, and the area under the ROC."""
    labelled = mixture(voices(), name, snr_db, np.random.default_rng(23))
    heard = np.array(Vad(8000).push(labelled.pcm))
    return figures(labelled, heard[:, 1]), area_under_roc(labelled, heard[:, 0])


def test_trial_voices_are_kept_apart():
    """No voice that is tried was heard in training."""
    assert not set(TRIAL.variants) & set(TRAINING.variants)


@pytest.mark.parametrize(
    ("name", "snr_db", "p50_ms", "p95_ms", "false_per_minute", "area"),
    [
        ("clean", 0, 40, 80, 3.0, 0.97),
        ("white", 20, 50, 160, 3.0, 0.95),
        ("white", 10, 80, 230, 3.0, 0.91),
        ("white", 0, 140, 500, 3.0, 0.82),
        ("car", 20, 50, 160, 8.0, 0.94),
        ("car", 10, 80, 220, 8.0, 0.90),
        ("car", 0, 140, 500, 12.0, 0.80),
        ("babble", 20, 60, 200, 60.0, 0.88),
    ],
)
def test_onsets(name, snr_db, p50_ms, p95_ms, false_per_minute, area):
    """Speech is noticed soon, seldom falsely, and told from noise, at every ratio of the two."""
    found, under_roc = trial(name, snr_db)
    assert found.onsets > 20  # the rest begin while the noise holds the detector on; the voice is never twice the same
    assert found.p50_ms <= p50_ms
    assert found.p95_ms <= p95_ms
    assert found.false_per_minute <= false_per_minute
    assert under_roc >= area


@pytest.mark.parametrize("name", ["white", "pink", "brown", "car", "hum"])
def test_noise_alone(name):
    """A minute of a noise that just goes on triggers at most once."""
    labelled = noise_only(name, 60.0, np.random.default_rng(29))
    assert figures(labelled, np.array(Vad(8000).push(labelled.pcm))[:, 1]).false_per_minute <= 1.0


def test_pauses_are_seen():
    """Between two callers in noise the detector lets go."""
    found, _ = trial("white", 10)
    assert found.false_share < 0.2


@settings(max_examples=30)
@given(st.integers(0, 2**32 - 1), st.sampled_from([8000, 16000]), st.floats(-70, 0), st.floats(-70, 0))
def test_builds_agree(seed, rate_hz, noise_dbfs, voice_dbfs):
    """Probabilities and decisions are the same bits with vector instructions and without."""
    signal = white(noise_dbfs, rate_hz, 0.8, seed)
    signal[rate_hz // 4 : rate_hz // 2] += vowel(rate_hz, 0.25, dbfs=voice_dbfs)
    fast, plain = Vad(rate_hz), Vad(rate_hz, plain=True)
    assert fast.push(pcm(signal)) == plain.push(pcm(signal))
    assert fast.noise_dbfs == plain.noise_dbfs
    assert Vad(rate_hz).trace(pcm(signal)) == Vad(rate_hz, plain=True).trace(pcm(signal))


@given(st.binary(max_size=3200).map(lambda data: data[: len(data) // 2 * 2]))
def test_builds_agree_on_anything(data):
    """Whatever comes, both builds say the same."""
    assert Vad(8000).push(data * 2) == Vad(8000, plain=True).push(data * 2)


def test_the_network_is_what_the_trainer_says():
    """The kernel's probability is that of the trainer's network on the kernel's features."""
    from tools.onset_network import Network

    table = tomllib.loads(WEIGHTS.read_text(encoding="ascii"))
    parts = [np.array(table[name], np.float32) for name in ("input", "state", "bias", "output", "output_bias")]
    network = Network(parts[0], parts[1], parts[2][0], parts[3][0], parts[4][0])
    signal = pcm(np.concatenate([vowel(8000, 0.3), white(-40, 8000, 0.3, 1)]) + white(-60, 8000, 0.6, 2))
    given_features = np.frombuffer(Vad(8000).trace(signal), "<f4").reshape(60, 1, 30)
    # The kernel's first three hops are for warming up; the network begins behind them.
    logits, _ = network.forward(given_features[3:], np.zeros((1, 24), np.float32))
    heard = np.array([probability for probability, _ in Vad(8000).push(signal)])[3:]
    judged = (heard > 0) & (heard != 0.95)
    assert judged.sum() > 25
    assert np.allclose(heard[judged], 1 / (1 + np.exp(-logits[:, 0][judged])), atol=1e-3)


def test_weights_have_the_kernels_layout():
    """The file has the layout and the shape that the kernel reads, says how it was made, and is finite."""
    text = WEIGHTS.read_text(encoding="ascii")
    assert text.startswith("# Made by: python -m tools.train_onset ")
    weights = onset_weights.load_weights(30, 24)
    assert len(weights) == 30 * 72 + 24 * 72 + 72 + 24 + 1
    assert isinstance(weights, array)
    assert np.isfinite(weights).all()
    assert 1.0 < np.abs(weights).max() < 100.0


@pytest.mark.parametrize(("features", "units"), [(29, 24), (30, 16)])
def test_weights_of_another_shape(features, units):
    """Weights of another shape than the kernel's are refused."""
    with pytest.raises(ImportError, match="must have"):
        onset_weights.load_weights(features, units)


@pytest.mark.parametrize("name", ["white", "car", "hum"])
def test_sounds_are_repeatable(name):
    """The same seed makes the same noise."""
    first, second = (noise(name, np.random.default_rng(5), 8000) for _ in range(2))
    assert (first == second).all()
    assert first.std() == pytest.approx(1.0)
