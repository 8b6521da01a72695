"""What the caller says comes from files of any kind or from a voice, at the line's rate."""

from __future__ import annotations

from pathlib import Path

import pytest
from fakes.speech import silence, speech

from tomrt.audio import write_wav
from tomrt.caller.speech import from_wav, spoken_by
from tomrt.errors import SettingsError
from tomrt.events import Voice, WordStart


@pytest.mark.parametrize("rate_hz", [8000, 16_000, 44_100])
def test_a_file_becomes_an_utterance(tmp_path, rate_hz):
    """Speech is resampled to the line, named after its file, and the silence behind it is cut to 100 ms."""
    path = tmp_path / "hello.wav"
    write_wav(path, speech(1.0, rate_hz) + silence(2.0, rate_hz), rate_hz)
    utterance = from_wav(path, 8000)
    assert utterance.said == "hello.wav"
    assert len(utterance.pcm) / 16_000 == pytest.approx(1.1, abs=0.02)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (None, "cannot be read: No such file or directory"),
        (b"", "is not a WAV file"),
        (b"RIFF\0\0\0\0WAVE", "has no format chunk"),
        (silence(1.0), "nothing in it is audible"),
        (speech(1.0) * 302, "is longer than 300 s"),
    ],
)
def test_a_file_that_cannot_be_said(tmp_path, content, told):
    """A file that is missing, no WAV, silent or endless is refused in one sentence that names it."""
    path = tmp_path / "x.wav"
    if content is not None and len(content) > 100:
        write_wav(path, content, 8000)
    elif content is not None:
        path.write_bytes(content)
    with pytest.raises(SettingsError, match=r"x\.wav") as caught:
        from_wav(path, 8000)
    assert told in str(caught.value)


def test_a_rate_beyond_the_resampler(tmp_path):
    """A rate that cannot be resampled is said with the file's name."""
    path = tmp_path / "x.wav"
    write_wav(path, speech(0.1, 96_000), 96_000)
    with pytest.raises(SettingsError, match=r"x\.wav: .*96000"):
        from_wav(path, 8000)
    with pytest.raises(SettingsError, match="cannot be read"):
        from_wav(Path("a\0b"), 8000)


class Hum:
    """A voice that hums: the real port without a model."""

    def __init__(self, pcm: bytes) -> None:
        self.pcm = pcm

    async def speak(self, text, out) -> None:
        await out.send(WordStart(0, 0.0))
        for start in range(0, len(self.pcm), 2000):
            await out.send(Voice(self.pcm[start : start + 2000], 22_050))


async def test_a_text_becomes_an_utterance():
    """A voice's pieces are joined and resampled to the line."""
    utterance = await spoken_by(Hum(speech(1.0, 22_050)), "hello", 8000)
    assert utterance.said == "hello"
    assert len(utterance.pcm) / 16_000 == pytest.approx(1.1, abs=0.12)


@pytest.mark.parametrize("pcm", [b"", silence(1.0, 22_050)])
async def test_a_text_without_sound(pcm):
    """A text that makes no sound is refused."""
    with pytest.raises(SettingsError, match="--say 'hm': nothing in it is audible"):
        await spoken_by(Hum(pcm), "hm", 8000)
