from __future__ import annotations

import array
import math

import pytest
import trio
from fakes.processes import threads

from tomrt.errors import EngineError, MisuseError
from tomrt.events import Transcript

pytest.importorskip("faster_whisper", reason="faster-whisper is not installed")

from fakes.whisper_model import build_model

from tomrt.dialogue.grammar import OVERLAP
from tomrt.engines.models import missing_files
from tomrt.engines.whisper import Whisper

WORDS = ("hello", "from", "the", "fixture")


def tone(seconds: float) -> bytes:
    return array.array("h", (round(8000 * math.sin(n / 5)) for n in range(round(16000 * seconds)))).tobytes()


@pytest.fixture(scope="module")
def english(tmp_path_factory):
    return build_model(tmp_path_factory.mktemp("models") / "english", WORDS)


@pytest.fixture
async def whisper(english):
    whisper = Whisper(english, device="cpu")
    yield whisper
    await whisper.aclose()


@pytest.mark.parametrize("seconds", [0.01, 0.3, 2.0, 5.0])
async def test_transcribes(whisper, seconds):
    """An utterance of any length up to a window becomes the words that the model writes."""
    assert await whisper.transcribe(tone(seconds)) == Transcript("hello from the fixture")


async def test_long_audio_is_read_window_by_window(whisper):
    """Audio of more than 30 s is transcribed whole, and 30 s exactly are one window."""
    assert (await whisper.transcribe(tone(30))).text == "hello from the fixture"
    assert (await whisper.transcribe(tone(31))).text == "hello from the fixture hello from the fixture"


@pytest.mark.parametrize("audio", [b"", b"\0"])
async def test_nothing(whisper, audio):
    """No samples are an empty transcript."""
    assert await whisper.transcribe(audio) == Transcript("")


async def test_short_window_says_the_same(english):
    """With the window fitted to the speech the transcript is the same."""
    whisper = Whisper(english, device="cpu", window="auto")
    assert (await whisper.transcribe(tone(1.5))).text == "hello from the fixture"
    await whisper.aclose()


@pytest.mark.parametrize("window", ["30", "auto"])
async def test_endless_repetition_is_rejected(tmp_path, window):
    """A model that repeats itself is stopped at the cap; what it wrote is for the log, not an answer."""
    whisper = Whisper(build_model(tmp_path, ("again", "and"), endless=True), device="cpu", window=window)
    transcript = await whisper.transcribe(tone(2))
    await whisper.aclose()
    assert transcript.text == ""
    assert transcript.rejected.startswith("again and again and")
    assert len(transcript.rejected.split()) <= 2 * 8 + 10


@pytest.mark.parametrize("seconds", [0.1, 0.3, 0.7, 3.0, 31.0])
async def test_words_over_a_reply(whisper, seconds):
    """What is said over a reply is transcribed as well, however short; less than a word is nothing."""
    assert await whisper.transcribe(tone(seconds), hint=OVERLAP) == Transcript("hello from the fixture")
    assert await whisper.transcribe(tone(0.09), hint=OVERLAP) == Transcript("")


async def test_doubtful_words_over_a_reply_are_rejected(tmp_path):
    """Words that the model itself doubts may be a turn's, but do not decide about a reply; nor does repetition."""
    for name, wanted in (("unsure", {"sure": 4.0}), ("endless", {"endless": True})):
        whisper = Whisper(build_model(tmp_path / name, WORDS, **wanted), device="cpu")
        heard = await whisper.transcribe(tone(0.5), hint=OVERLAP)
        assert heard.text == ""
        assert heard.rejected.startswith("hello from the fixture")
        if name == "unsure":
            assert await whisper.transcribe(tone(0.5)) == Transcript("hello from the fixture")
        await whisper.aclose()


async def test_fast_speech_is_not_cut_short(tmp_path):
    """As many words as anybody can say in the time are written to the end."""
    words = tuple(f"{letter}{letter}" for letter in "abcdefghijklmnopqrst")
    whisper = Whisper(build_model(tmp_path, words), device="cpu")
    assert (await whisper.transcribe(tone(2))).text == " ".join(words)
    await whisper.aclose()


async def test_other_languages(tmp_path, english):
    """A multilingual model takes its caller's language; an English one refuses another, in one sentence."""
    whisper = Whisper(build_model(tmp_path, ("guten", "tag"), language="de"), "de", device="cpu")
    assert (await whisper.transcribe(tone(1))).text == "guten tag"
    await whisper.aclose()
    with pytest.raises(EngineError, match="cannot transcribe 'de': it knows only 'en'"):
        Whisper(english, "de", device="cpu")


async def test_cancelled_caller_leaves_and_the_next_is_served(whisper):
    """A cancelled transcription does not keep its caller, and the recogniser goes on with the next."""
    async with trio.open_nursery() as nursery:
        for _ in range(3):
            nursery.start_soon(whisper.transcribe, tone(20))
        await trio.testing.wait_all_tasks_blocked()
        nursery.cancel_scope.cancel()
    assert (await whisper.transcribe(tone(1))).text == "hello from the fixture"


async def test_thread_ends(english):
    """Closing ends the recogniser's thread."""
    before = threads()
    whisper = Whisper(english, device="cpu")
    await whisper.aclose()
    assert threads() == before


@pytest.mark.parametrize("name", ["model.bin", "config.json", "tokenizer.json", "vocabulary.json"])
def test_missing_file_is_named(tmp_path, name):
    """A directory that lacks a file is refused before anything is loaded or fetched, and the file is named."""
    (build_model(tmp_path, WORDS) / name).unlink()
    assert missing_files(tmp_path) == [name]
    with pytest.raises(EngineError, match=f"lacks {name}"):
        Whisper(tmp_path)


def test_directories_that_are_no_model(tmp_path):
    """A missing directory, an empty one and rubbish in the files are errors that name the directory."""
    with pytest.raises(EngineError, match=r"no Whisper model directory at .*nowhere"):
        Whisper(tmp_path / "nowhere")
    with pytest.raises(
        EngineError, match=r"lacks model\.bin and config\.json and tokenizer\.json and vocabulary\.json"
    ):
        Whisper(tmp_path)
    build_model(tmp_path, WORDS)
    for name in ("model.bin", "tokenizer.json"):
        (tmp_path / name).write_bytes(b"rubbish")
        with pytest.raises(EngineError, match="does not load"):
            Whisper(tmp_path)


def test_unknown_window(tmp_path):
    """A window that does not exist is refused."""
    with pytest.raises(MisuseError, match="'auto' or '30', not '5'"):
        Whisper(tmp_path, window="5")
