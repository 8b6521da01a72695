from __future__ import annotations

from collections.abc import Sequence

import pytest
import trio
from attrs import define, field
from trio.testing import wait_all_tasks_blocked

from tomrt.engines.cascade import Cascade
from tomrt.engines.espeak import Espeak
from tomrt.errors import EngineError
from tomrt.events import Action, Message, Sentence, Transcript, Turn, Voice, WordStart


@define
class CannedEar:
    """Understands the same words in all audio, and notes what it was asked."""

    text: str = "what are your opening hours"
    asked: list[tuple[bytes, str | None]] = field(factory=list)

    async def transcribe(self, audio: bytes, *, hint: str | None = None) -> Transcript:
        self.asked.append((audio, hint))
        await trio.lowlevel.checkpoint()
        return Transcript(self.text)


@define
class WrittenMind:
    """Streams the pieces that it was given; an event in them is waited for, an error raised."""

    pieces: list[str | Action | trio.Event | EngineError]
    asked: list[Sequence[Message]] = field(factory=list)

    async def answer(self, history: Sequence[Message], out: trio.MemorySendChannel[str | Action]) -> None:
        self.asked.append(history)
        for piece in self.pieces:
            if isinstance(piece, EngineError):
                raise piece
            if isinstance(piece, trio.Event):
                await piece.wait()
            else:
                await out.send(piece)

    def hint(self, history: Sequence[Message]) -> str | None:
        return f"after {len(history)}"


@define
class CountingVoice:
    """Makes one piece of audio, as many samples as the text has characters, after a word start."""

    broken: bool = False

    async def speak(self, text: str, out: trio.MemorySendChannel[Voice | WordStart]) -> None:
        if self.broken:
            raise EngineError("mute")
        await out.send(WordStart(0, 0.0))
        await out.send(Voice(bytes(2 * len(text))))


def spoken(*sentences: str) -> list[object]:
    return [item for text in sentences for item in (Sentence(text), WordStart(0, 0.0), Voice(bytes(2 * len(text))))]


def cascade(*pieces: str | Action | trio.Event | EngineError, voice: CountingVoice | None = None) -> Cascade:
    return Cascade(CannedEar(), WrittenMind(list(pieces)), voice or CountingVoice())


async def replied(session: Cascade, turn: Turn, into: list[object] | None = None) -> list[object]:
    send, receive = trio.open_memory_channel(1000)
    try:
        with send:
            await session.respond(turn, send)
    finally:
        items = into if into is not None else []
        try:
            while True:
                items.append(receive.receive_nowait())
        except (trio.EndOfChannel, trio.WouldBlock):
            pass
    return items


async def test_reply():
    """A turn becomes a transcript, then each sentence with its voice behind it, then the action."""
    goodbye = Action("hang_up")
    items = await replied(cascade("We open at ni", "ne. Good", "bye!", goodbye), Turn(number=1, audio=b"\0\0"))
    assert items == [Transcript("what are your opening hours"), *spoken("We open at nine.", "Goodbye!"), goodbye]


async def test_engines_are_told_what_they_need():
    """The recogniser gets the audio and the hint, the model the history with the caller's words at its end."""
    ear, mind = CannedEar(), WrittenMind(["Yes."])
    past = (Message("assistant", "Hello."),)
    await replied(Cascade(ear, mind, CountingVoice()), Turn(number=2, audio=b"\1\0", history=past))
    assert ear.asked == [(b"\1\0", "after 1")]
    assert mind.asked == [(*past, Message("user", ear.text))]


async def test_digits_are_the_transcript():
    """Pressed keys are what the caller said; the recogniser is not asked."""
    ear, mind = CannedEar(), WrittenMind(["Thanks."])
    items = await replied(Cascade(ear, mind, CountingVoice()), Turn(number=1, audio=b"\0\0", digits="5"))
    assert items[0] == Transcript("5")
    assert ear.asked == []
    assert mind.asked[0][-1] == Message("user", "5")


async def test_action_between_sentences():
    """An action comes behind the text that was written before it, full stop or not, and before the rest."""
    note = Action("note", (("day", "monday"),))
    items = await replied(cascade("One moment", note, "Done."), Turn(number=1, digits="1"))
    assert items[1:] == [*spoken("One moment"), note, *spoken("Done.")]


async def test_first_sentence_while_the_model_still_writes():
    """The first sentence is voiced before the model has finished."""
    more = trio.Event()
    send, receive = trio.open_memory_channel(100)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(cascade("First one. Sec", more, "ond.").respond, Turn(number=1, digits="1"), send)
        await wait_all_tasks_blocked()
        early = [receive.receive_nowait() for _ in range(receive.statistics().current_buffer_used)]
        assert early[1:] == spoken("First one.")
        more.set()
    late = [receive.receive_nowait() for _ in range(receive.statistics().current_buffer_used)]
    assert late == spoken("Second.")


async def test_slow_consumer_holds_the_model_back():
    """Nobody takes the audio: the voice stops, then the model, within a bound."""
    written: list[int] = []

    class Endless(WrittenMind):
        async def answer(self, history, out):
            while True:
                await out.send("Again and again. ")
                written.append(1)

    send, _receive = trio.open_memory_channel(0)
    session = Cascade(CannedEar(), Endless([]), CountingVoice())
    with trio.CancelScope() as scope:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(session.respond, Turn(number=1, digits="1"), send)
            await wait_all_tasks_blocked()
            assert len(written) < 100
            scope.cancel()
    assert scope.cancelled_caught


async def test_model_fails_in_the_middle():
    """When the model fails, whole sentences have been voiced, the broken one has not, and the error is plain."""
    items: list[object] = []
    with pytest.raises(EngineError, match="no answer"):
        await replied(cascade("Fine. Th", "is is bro", EngineError("no answer")), Turn(number=1, digits="1"), items)
    assert items[1:] == spoken("Fine.")


async def test_voice_fails():
    """A failing voice ends the reply, the model's work with it, and its error is plain."""
    session = cascade("One. Two.", trio.Event(), voice=CountingVoice(broken=True))
    with pytest.raises(EngineError, match="mute"):
        await replied(session, Turn(number=1, digits="1"))


async def test_cancelled_reply_ends(autojump_clock):
    """Cancelling a reply ends it while the model is still thinking."""
    with trio.move_on_after(1) as scope:
        await replied(cascade("Well. ", trio.Event()), Turn(number=1, digits="1"))
    assert scope.cancelled_caught


async def test_say():
    """A text is voiced as it is, sentence by sentence; signs without sound are left out."""
    send, receive = trio.open_memory_channel(100)
    with send:
        await cascade().say("Hello. Please hold the line. ...", send)
    items = [item async for item in receive]
    assert items == spoken("Hello.", "Please hold the line.")


async def test_with_a_real_voice():
    """With eSpeak behind it a reply is audible speech, with word starts that point into its sentences."""
    voice = Espeak()
    items = await replied(Cascade(CannedEar(), WrittenMind(["Hello. How are you?"]), voice), Turn(number=1, digits="1"))
    await voice.aclose()
    assert [item.text for item in items if isinstance(item, Sentence)] == ["Hello.", "How are you?"]
    assert [item.char for item in items if isinstance(item, WordStart)] == [0, 0, 4, 8]
    assert sum(len(item.pcm) for item in items if isinstance(item, Voice)) > 22050
