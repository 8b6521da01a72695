"""Our own voice, given back by the line, is learnt and told from the caller's."""

from __future__ import annotations

import numpy as np
import pytest
from spoken_sentences import OURS, THEIRS, spoken

from tomrt.audio import measure
from tomrt.audio.own_voice import OwnVoice
from tomrt.errors import MisuseError


def judged(ours: bytes, back: np.ndarray) -> tuple[OwnVoice, list[tuple[bool, float]]]:
    """Return the judge, and whether each frame is ours, and its level."""
    voice, found = OwnVoice(8000, 0.5), []
    pcm = np.clip(back, -32768, 32767).astype("<i2").tobytes()
    for at in range(0, min(len(ours), len(pcm)) - 319, 320):
        voice.sent(ours[at : at + 320])
        level = measure(pcm[at : at + 320]).rms_dbfs
        found.append((voice.heard(pcm[at : at + 320], level)[1], level))
    return voice, found


def delayed(pcm: bytes, gain: float, samples: int = 1200) -> np.ndarray:
    """Return an echo."""
    return np.concatenate([np.zeros(samples), np.frombuffer(pcm, "<i2") * gain])


def test_an_echo_is_ours():
    """An echo is known, and then its faint parts in noise too."""
    ours = spoken(OURS)
    hiss = np.random.default_rng(1).normal(0, 40, len(ours))
    voice, found = judged(ours, delayed(ours, 0.056) + hiss[: 1200 + len(ours) // 2])
    assert voice.known
    loud = [is_ours for is_ours, level in found[50:] if level > -50]
    assert np.mean(loud) > 0.97


def test_a_caller_is_not():
    """Someone else who speaks as loudly as we do is not ours, and does not pass for an echo."""
    ours, theirs = spoken(OURS), spoken(THEIRS, "de")
    voice, found = judged(ours, np.frombuffer(theirs, "<i2").astype(float))
    assert not voice.known
    loud = [is_ours for is_ours, level in found if level > -30]
    assert np.mean(loud) < 0.03


def test_silence_hides_nothing():
    """While we are silent nothing is ours."""
    theirs = spoken(THEIRS)
    _, found = judged(bytes(len(theirs)), np.frombuffer(theirs, "<i2") * 0.01)
    assert not any(is_ours for is_ours, _ in found)


@pytest.mark.parametrize("pcm", [b"odd", "text", None])
def test_wrong_samples(pcm):
    """What is not 16-bit PCM is refused."""
    voice = OwnVoice(8000, 0.5)
    with pytest.raises(MisuseError):
        voice.sent(pcm)
    with pytest.raises(MisuseError):
        voice.heard(pcm, -30.0)
