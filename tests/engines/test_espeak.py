from __future__ import annotations

import array

import pytest
import trio
from fakes.processes import threads

from tomrt.engines.espeak import Espeak
from tomrt.engines.pieces import MAX_TEXT_CHARS
from tomrt.errors import EngineError, MisuseError
from tomrt.events import Voice, WordStart

HELLO = "Hello, how can I help you today?"


@pytest.fixture
async def espeak():
    voice = Espeak()
    yield voice
    await voice.aclose()


async def spoken(voice: Espeak, text: str) -> list[Voice | WordStart]:
    send, receive = trio.open_memory_channel(10_000)
    with send:
        await voice.speak(text, send)
    return [item async for item in receive]


def seconds(items: list[Voice | WordStart]) -> float:
    return sum(len(item.pcm) / 2 / item.rate_hz for item in items if isinstance(item, Voice))


def loudest(items: list[Voice | WordStart]) -> int:
    samples = array.array("h", b"".join(item.pcm for item in items if isinstance(item, Voice)))
    return max(map(abs, samples), default=0)


async def test_speaks(espeak):
    """A sentence becomes a few seconds of loud 22 050 Hz audio in pieces of at most 60 ms."""
    items = await spoken(espeak, HELLO)
    voices = [item for item in items if isinstance(item, Voice)]
    assert 1.5 < seconds(items) < 4
    assert loudest(items) > 8000
    assert {voice.rate_hz for voice in voices} == {22050}
    assert max(len(voice.pcm) for voice in voices) <= 2 * 22050 * 60 // 1000 + 2


async def test_words_point_into_text_and_audio(espeak):
    """Each word's start is told with its place in the text, in order, before the audio it begins in has been passed."""
    items = await spoken(espeak, HELLO)
    words, passed = [], 0.0
    for item in items:
        if isinstance(item, WordStart):
            assert item.offset >= passed - 1e-6
            words.append(item)
        else:
            passed += len(item.pcm) / 2 / item.rate_hz
    assert [HELLO[word.char :].split(maxsplit=1)[0] for word in words][:4] == ["Hello,", "how", "can", "I"]
    assert [word.offset for word in words] == sorted(word.offset for word in words)
    assert words[-1].offset < passed


async def test_characters_are_counted_not_bytes(espeak):
    """Letters of several bytes do not shift the words behind them."""
    text = "Café Zürich öffnet"
    words = [item for item in await spoken(espeak, text) if isinstance(item, WordStart)]
    assert [word.char for word in words] == [0, 5, 12]


async def test_little_leading_silence(espeak):
    """The first 40 ms already hold speech, so nothing has to be trimmed."""
    for text in (HELLO, "Sorry.", "We are open from nine to five."):
        first = next(item for item in await spoken(espeak, text) if isinstance(item, Voice))
        assert max(map(abs, array.array("h", first.pcm[: 2 * 22050 * 40 // 1000]))) > 300


async def test_long_text_keeps_its_positions(espeak):
    """A text longer than one job's piece is voiced whole, and word positions go on counting through it."""
    text = "one two three four five. " * 30
    items = await spoken(espeak, text)
    words = [item for item in items if isinstance(item, WordStart)]
    assert len(words) == 150
    starts = [text[word.char :].split(maxsplit=1)[0].strip(".") for word in words]
    assert starts == ["one", "two", "three", "four", "five"] * 30
    assert [word.offset for word in words] == sorted(word.offset for word in words)
    assert seconds(items) - 1.0 < words[-1].offset < seconds(items)


@pytest.mark.parametrize("text", ["", "   ", "...", "\x00\x01", "\ud800", "<b>&[[", "🙂"])
async def test_odd_texts(espeak, text):
    """Nothing to say, control characters, markup and broken Unicode are voiced as far as possible, without an error."""
    assert seconds(await spoken(espeak, text)) < 5


async def test_too_long_text(espeak):
    """A text beyond the bound is refused."""
    with pytest.raises(EngineError, match="4001 characters is too long"):
        await spoken(espeak, "a" * (MAX_TEXT_CHARS + 1))


async def test_voices_share_the_library(espeak):
    """Voices of different languages and speeds speak at the same time, each at its own pace."""
    slow, german = Espeak(wpm=90), Espeak("de")
    alone = [seconds(await spoken(voice, HELLO)) for voice in (espeak, slow, german)]
    assert alone[1] > 1.4 * alone[0]
    together = {}

    async def speak(key: int, voice: Espeak) -> None:
        together[key] = seconds(await spoken(voice, HELLO))

    async with trio.open_nursery() as nursery:
        for key in range(9):
            nursery.start_soon(speak, key, (espeak, slow, german)[key % 3])
    for key, length in together.items():
        assert length == pytest.approx(alone[key % 3], rel=0.02)
    for voice in (slow, german):
        await voice.aclose()


async def test_slow_consumer_does_not_hold_the_thread(espeak):
    """While one call's audio is not taken, another call's sentence is voiced whole."""
    stalled, _unread = trio.open_memory_channel(0)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(espeak.speak, "one two three four five. " * 12, stalled)
        await trio.testing.wait_all_tasks_blocked()
        assert seconds(await spoken(espeak, HELLO)) > 1.5
        nursery.cancel_scope.cancel()


async def test_cancelled_speech_stops(espeak):
    """After a cancelled utterance the voice is free and the next one is whole and alone."""
    whole = seconds(await spoken(espeak, HELLO))
    send, receive = trio.open_memory_channel(0)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(espeak.speak, "one two three four five. " * 100, send)
        await receive.receive()
        nursery.cancel_scope.cancel()
    assert seconds(await spoken(espeak, HELLO)) == pytest.approx(whole, rel=0.02)


def test_unknown_voice():
    """A voice that the library does not have is an error at construction that names it."""
    with pytest.raises(EngineError, match="no voice named 'en-klingon'"):
        Espeak("en-klingon")


@pytest.mark.parametrize("wpm", [0, 79, 451])
def test_speed_out_of_range(wpm):
    """A speed that the library would not keep is refused."""
    with pytest.raises(MisuseError, match="80 to 450"):
        Espeak(wpm=wpm)


async def test_last_voice_ends_the_thread():
    """The shared thread stays while a voice is open and is gone after the last; closing twice is harmless."""
    assert threads("tomrt-espeak") == 0
    first, second = Espeak(), Espeak("de")
    assert threads("tomrt-espeak") == 1
    await first.aclose()
    await first.aclose()
    assert seconds(await spoken(second, "Guten Tag.")) > 0.3
    await second.aclose()
    assert threads("tomrt-espeak") == 0
    with pytest.raises(EngineError, match="closed"):
        await spoken(second, "Guten Tag.")
