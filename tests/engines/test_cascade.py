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
from tomrt.ports import ToolUse


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

    async def answer(
        self, history: Sequence[Message], out: trio.MemorySendChannel[str | Action], tools: ToolUse
    ) -> None:
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


async def no_tools(action: Action) -> str:
    raise EngineError(f"there is no tool {action.name}")


async def replied(
    session: Cascade, turn: Turn, into: list[object] | None = None, tools: ToolUse = no_tools
) -> list[object]:
    send, receive = trio.open_memory_channel(1000)
    try:
        with send:
            await session.respond(turn, send, tools)
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
    assert items[0] == Transcript("5", whole=True)
    assert ear.asked == []
    assert mind.asked[0][-1] == Message("user", "5")


async def test_understanding_answers_nothing():
    """A turn is understood by its keys, else its words; without either nothing; the model and the voice rest."""
    ear, mind = CannedEar(), WrittenMind(["Yes."])
    session = Cascade(ear, mind, CountingVoice(broken=True))
    assert await session.understand(Turn(number=1)) == Transcript("")
    assert await session.understand(Turn(number=1, audio=b"\0\0", digits="5#")) == Transcript("5#", whole=True)
    assert ear.asked == []
    assert await session.understand(Turn(number=1, audio=b"\0\0")) == Transcript(ear.text)
    assert mind.asked == []


async def test_words_over_a_reply_are_looked_for_among_such_words():
    """Over a reply the recogniser is told so; what the dialogue expects next does not matter there."""
    ear = CannedEar()
    await Cascade(ear, WrittenMind([]), CountingVoice()).understand(Turn(number=1, audio=b"\1\0"), over_reply=True)
    assert ear.asked == [(b"\1\0", "overlap")]


async def test_what_was_understood_before_is_not_transcribed_again():
    """A transcript that comes with the turn is sent as it is, also an empty one."""
    for known in (Transcript("goodbye", whole=True), Transcript("")):
        ear, mind = CannedEar(), WrittenMind(["Bye."])
        items = await replied(Cascade(ear, mind, CountingVoice()), Turn(number=1, audio=b"\0\0", transcript=known))
        assert items == [known, *spoken("Bye.")]
        assert mind.asked == [(Message("user", known.text),)]
        assert ear.asked == []


async def test_truncation_is_the_history_s():
    """There is nothing to tell a session that keeps no history."""
    await cascade().truncate(3, 1200)


@define
class LookingMind(WrittenMind):
    """Writes its pieces; an action among them is a tool whose result, or failure, it tells before it goes on."""

    async def answer(
        self, history: Sequence[Message], out: trio.MemorySendChannel[str | Action], tools: ToolUse
    ) -> None:
        for piece in self.pieces:
            if not isinstance(piece, Action):
                await out.send(str(piece))
                continue
            try:
                await out.send(f"It is {await tools(piece)}. ")
            except EngineError as error:
                await out.send(f"Sorry, {error}. ")


LOOKING = ["Let me look.", Action("look"), "Goodbye."]


def looking() -> Cascade:
    return Cascade(CannedEar(), LookingMind(list(LOOKING)), CountingVoice())


async def test_voice_goes_on_while_a_tool_runs():
    """What was written before a tool is used is voiced before its result is there; the answer goes on with that."""
    found, asked = trio.Event(), []

    async def use(action: Action) -> str:
        asked.append(action)
        await found.wait()
        return "noon"

    send, receive = trio.open_memory_channel(100)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(looking().respond, Turn(number=1, digits="1"), send, use)
        await wait_all_tasks_blocked()
        early = [receive.receive_nowait() for _ in range(receive.statistics().current_buffer_used)]
        assert early[1:] == spoken("Let me look.")
        assert asked == [Action("look")]
        found.set()
    late = [receive.receive_nowait() for _ in range(receive.statistics().current_buffer_used)]
    assert late == spoken("It is noon.", "Goodbye.")


async def test_tool_that_fails_can_be_spoken_of():
    """A tool's error reaches the model, which goes on with its answer."""
    items = await replied(looking(), Turn(number=1, digits="1"))
    assert items[1:] == spoken("Let me look.", "Sorry, there is no tool look.", "Goodbye.")


async def test_tool_that_fails_may_end_the_answer():
    """A tool's error that the model does not take is the reply's, after the text before it."""

    class Strict(WrittenMind):
        async def answer(self, history, out, tools):
            await out.send("Well.")
            await tools(Action("look"))

    items: list[object] = []
    with pytest.raises(EngineError, match="no tool look"):
        await replied(Cascade(CannedEar(), Strict([]), CountingVoice()), Turn(number=1, digits="1"), items)
    assert items[1:] == spoken("Well.")


async def test_tool_ends_with_its_reply(autojump_clock):
    """A reply that is cancelled takes the tool under way with it."""
    ended: list[str] = []

    async def use(action: Action) -> str:
        try:
            await trio.sleep_forever()
        except trio.Cancelled:
            ended.append(action.name)
            raise

    with trio.move_on_after(1):
        await replied(looking(), Turn(number=1, digits="1"), tools=use)
    assert ended == ["look"]


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
        nursery.start_soon(cascade("First one. Sec", more, "ond.").respond, Turn(number=1, digits="1"), send, no_tools)
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
        async def answer(self, history, out, tools):
            while True:
                await out.send("Again and again. ")
                written.append(1)

    send, _receive = trio.open_memory_channel(0)
    session = Cascade(CannedEar(), Endless([]), CountingVoice())
    with trio.CancelScope() as scope:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(session.respond, Turn(number=1, digits="1"), send, no_tools)
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
