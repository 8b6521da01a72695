"""The echo reference's face, and that it tells eSpeak's sentences apart."""

from __future__ import annotations

import numpy as np
import pytest
from spoken_sentences import OURS, THEIRS, spoken

from tomrt.audio import ulaw_decode, ulaw_encode
from tomrt.audio.echo import EchoReference, Similarity
from tomrt.errors import MisuseError


def scores(out, back):
    """Return the scores of the frames of *back* that can be heard."""
    reference, found = EchoReference(8000), []
    for at in range(0, min(len(out), len(back)) - 319, 320):
        reference.sent(out[at : at + 320])
        similarity = reference.similarity(back[at : at + 320])
        if at > 8000 and np.frombuffer(back[at : at + 320], "<i2").std() > 100:
            found.append(similarity.score)
    return np.array(found)


def line(pcm, gain):
    """Return a sentence as a mu-law line gives it back after 150 ms."""
    back = np.concatenate([np.zeros(1200), np.frombuffer(pcm, "<i2") * gain]).astype("<i2")
    return ulaw_decode(ulaw_encode(back.tobytes()))


def test_our_own_voice():
    """Our own sentence, given back by the line, is known as such."""
    assert np.quantile(scores(spoken(OURS), line(spoken(OURS), 0.2)), 0.05) > 0.8


@pytest.mark.parametrize("voice", ["en-us", "en-us+f3", "de"])
def test_their_voice(voice):
    """Another sentence is not, not even of the same voice."""
    found = scores(spoken(OURS), line(spoken(THEIRS, voice), 0.5))
    assert len(found) > 100
    assert np.median(found) < 0.35
    assert np.quantile(found, 0.95) < 0.65


@pytest.mark.parametrize("rate_hz", [44100, "8000", None, 2**80])
def test_wrong_rate(rate_hz):
    """Another rate is a mistake of the caller, and called one."""
    with pytest.raises(MisuseError):
        EchoReference(rate_hz)


@pytest.mark.parametrize("pcm", [b"odd", "text", None, 5])
def test_wrong_samples(pcm):
    """What is not 16-bit PCM, or not a frame, is refused, and the streams go on."""
    reference = EchoReference(8000)
    with pytest.raises(MisuseError):
        reference.sent(pcm)
    with pytest.raises(MisuseError):
        reference.similarity(pcm)
    assert reference.similarity(bytes(320)) == Similarity(0.0, 0.0)


def test_reset():
    """After a reset what was sent is forgotten."""
    reference, tone = EchoReference(16000), bytes(range(256)) * 5
    for _ in range(10):
        reference.sent(tone[:640])
    assert reference.similarity(tone[:640]).score > 0.9
    reference.reset()
    assert reference.similarity(tone[:640]).score == 0
