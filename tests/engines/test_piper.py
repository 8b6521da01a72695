from __future__ import annotations

import array

import pytest
import trio
from fakes.processes import threads
from trio.testing import wait_all_tasks_blocked

from tomrt.errors import EngineError
from tomrt.events import Voice

pytest.importorskip("piper", reason="piper-tts is not installed")
pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")

from fakes.piper_voice import build_voice

from tomrt.engines.piper import Piper

HELLO = "Hello, how can I help you today?"


@pytest.fixture
async def piper(tmp_path):
    voice = Piper(build_voice(tmp_path / "voice.onnx"))
    yield voice
    await voice.aclose()


async def spoken(voice: Piper, text: str) -> list[Voice]:
    send, receive = trio.open_memory_channel(10_000)
    with send:
        await voice.speak(text, send)
    return [item async for item in receive]


def samples(items: list[Voice]) -> array.array[int]:
    return array.array("h", b"".join(item.pcm for item in items))


async def test_speaks(piper):
    """A sentence becomes audio at the voice's rate, in pieces of 0.1 s, at the level of the voice's own output."""
    items = await spoken(piper, HELLO)
    assert {item.rate_hz for item in items} == {22050} == {piper.rate_hz}
    assert {len(item.pcm) for item in items[:-1]} == {4410}
    assert len(samples(items)) > 22050 // 2
    assert max(samples(items)) == pytest.approx(0.3 * 32767, abs=200)


async def test_volume(tmp_path):
    """The volume scales the voice's samples."""
    voice = Piper(build_voice(tmp_path / "voice.onnx", rate_hz=16000), volume=0.5)
    items = await spoken(voice, HELLO)
    await voice.aclose()
    assert items[0].rate_hz == 16000
    assert max(samples(items)) == pytest.approx(0.15 * 32767, abs=200)


async def test_long_text_is_voiced_whole(piper):
    """A text of several pieces gives what its sentences give."""
    sentence = "One two three four five. "
    one = len(samples(await spoken(piper, sentence)))
    assert len(samples(await spoken(piper, sentence * 30))) == 30 * one


@pytest.mark.parametrize("text", ["", "  \n", "...", "\x00", "🙂", "[[", "[[]]", "a [[h]] b"])
async def test_odd_texts(piper, text):
    """Nothing to say and odd signs are voiced as far as possible, without an error."""
    assert len(samples(await spoken(piper, text))) < 10 * 22050


async def test_cancelled_inside_a_sentence(tmp_path):
    """A sentence is stopped inside the network when its caller leaves: its thread does not compute on to the end."""
    before = threads()
    voice = Piper(build_voice(tmp_path / "slow.onnx", slow=1000))  # some 30 s of work, closing waits for 2 s of it
    send, _receive = trio.open_memory_channel(10_000)
    with trio.move_on_after(0.1) as scope:  # real time: no event tells that the network has begun
        await voice.speak(HELLO, send)
    assert scope.cancelled_caught
    await voice.aclose()
    assert threads() == before


async def test_voice_works_after_a_cancelled_sentence(tmp_path):
    """After a cancelled sentence the next one is whole."""
    voice = Piper(build_voice(tmp_path / "slow.onnx", slow=4))
    whole = samples(await spoken(voice, HELLO))
    send, _receive = trio.open_memory_channel(0)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(voice.speak, HELLO, send)
        await wait_all_tasks_blocked()
        nursery.cancel_scope.cancel()
    assert samples(await spoken(voice, HELLO)) == whole
    await voice.aclose()


async def test_thread_ends(tmp_path):
    """Closing ends the voice's thread."""
    before = threads()
    voice = Piper(build_voice(tmp_path / "voice.onnx"))
    await voice.aclose()
    assert threads() == before
    with pytest.raises(EngineError, match="piper engine is closed"):
        await spoken(voice, HELLO)


def test_files_that_are_no_voice(tmp_path):
    """Missing and wrong files are errors that name the file."""
    path = build_voice(tmp_path / "voice.onnx")
    path.write_bytes(b"no model")
    with pytest.raises(EngineError, match=r"voice\.onnx is not a Piper voice"):
        Piper(path)
    path.unlink()
    with pytest.raises(EngineError, match=r"no Piper voice at .*voice\.onnx"):
        Piper(path)
    settings = tmp_path / "voice.onnx.json"
    for text in ("{}", "[]", "{", '{"audio": 1}'):
        settings.write_text(text, encoding="utf-8")
        with pytest.raises(EngineError, match=r"voice\.onnx\.json is not a Piper voice's settings"):
            Piper(path)
    settings.unlink()
    with pytest.raises(EngineError, match=r"voice\.onnx\.json: No such file"):
        Piper(path)
