"""What a burst of the caller's sound is said to be: a human voice or not, a hum or not."""

from __future__ import annotations

import numpy as np
import pytest
from caller_lines import LEAD_S, after, caller, listen, noise, samples, sixteen_bits
from spoken_sentences import OURS, THEIRS, spoken

from tomrt.audio.humming import Humming
from tomrt.audio.ingress import Timbre


def hum(parts_s: tuple[float, ...], hz: float, seed: int) -> np.ndarray:
    """Return "mm" or "mhm": a low voice through a nose, with a breath between its parts."""
    random = np.random.default_rng(seed)
    sounds = []
    for number, seconds in enumerate(parts_s):
        time = np.arange(int(8000 * seconds)) / 8000
        phase = 2 * np.pi * hz * (1.12 if number else 1.0) * (time + 0.1 * time**2)
        tone = sum(np.sin(k * phase) / k**1.4 for k in range(1, int(3300 / hz / 1.3)))
        ramp = np.minimum(1.0, np.minimum(np.arange(len(time)), np.arange(len(time))[::-1]) / 200)
        sounds += [np.asarray(tone) * ramp, 0.02 * random.normal(size=400)]
    sound = np.concatenate(sounds[:-1])
    return sound * 4000 / np.abs(sound).max()


def cough(seed: int) -> np.ndarray:
    """Return a burst of noise that dies away."""
    random = np.random.default_rng(seed)
    sound = np.convolve(random.normal(size=2400), np.hanning(8), "same") * np.exp(-np.arange(2400) / 500)
    return sound * 8000 / np.abs(sound).max()


def line(sound: np.ndarray) -> bytes:
    """Return *sound* on a quiet line."""
    total_s = LEAD_S + len(sound) / 8000 + 0.4
    return sixteen_bits(after(sound, LEAD_S, total_s) + noise(-62.0, total_s)[: int(8000 * total_s)])


def half_second(pcm: bytes, *, silero: bool = False) -> list:
    """Return the frames of the first burst that count as speech, 500 ms at most."""
    sounds = listen(pcm, silero=silero).sounds
    first = next((n for n, sound in enumerate(sounds) if sound.speech), len(sounds))
    return [sound for sound in sounds[first : first + 25] if sound.speech]


def test_silero_knows_a_voice():
    """A sentence is a human voice within half a second."""
    pytest.importorskip("onnxruntime", reason="needs onnxruntime")
    pytest.importorskip("faster_whisper.vad", reason="needs the model in faster-whisper")
    assert max(sound.voice for sound in half_second(caller(), silero=True)) > 0.5


@pytest.mark.parametrize("seed", range(4))
def test_silero_knows_no_voice(seed):
    """A burst of noise is not one, where it is taken for speech at all."""
    pytest.importorskip("onnxruntime", reason="needs onnxruntime")
    pytest.importorskip("faster_whisper.vad", reason="needs the model in faster-whisper")
    assert max((sound.voice for sound in half_second(line(cough(seed)), silero=True)), default=0.0) < 0.5


@pytest.mark.parametrize(
    ("parts_s", "hz"), [((0.3,), 110.0), ((0.4,), 170.0), ((0.12, 0.22), 120.0), ((0.1, 0.25), 205.0)]
)
def test_hums(parts_s, hz):
    """What is voiced, dark and still is a hum by its end."""
    assert half_second(line(hum(parts_s, hz, 7)))[-1].hum >= 0.6


@pytest.mark.parametrize("text", [OURS, THEIRS])
@pytest.mark.parametrize("voice", ["en-us", "en-us+f3", "de"])
def test_sentences_are_no_hums(text, voice):
    """The first half second of a sentence is not."""
    assert half_second(line(samples(spoken(text, voice), -22.0)))[-1].hum < 0.6


def test_little_is_no_hum():
    """Of two frames nothing can be said, and of what has no pitch everything."""
    humming, still = Humming(), Timbre((20.0, 5.0, -5.0, -8.0, -10.0, -12.0), 0.95, 0.01)
    for _ in range(2):
        humming.add(still)
        assert humming.likeness == 0.0
    for _ in range(20):
        humming.add(still)
    assert humming.likeness > 0.6
    breath = Humming()
    for _ in range(20):
        breath.add(Timbre(still.bands_db, 0.3, 0.4))
    assert breath.likeness == 0.0
