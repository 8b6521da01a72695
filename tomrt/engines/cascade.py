"""The local session: recogniser, language model and voice in a row, each working while the others do.

The model's text is cut into sentences as it comes, and the first is voiced while the second is still being written.
Nothing runs ahead without bound: the voice waits for the play-out through the reply's channel, the model for the voice.
"""

from __future__ import annotations

from enum import Enum
from functools import partial

import trio.abc

from tomrt.dialogue.grammar import OVERLAP
from tomrt.dialogue.sentences import SentenceSplitter
from tomrt.engines.workers import pipe
from tomrt.events import Action, Message, ReplyItem, Sentence, Signal, Transcript, Turn
from tomrt.ports import LanguageModel, SpeechToText, TextToSpeech, ToolUse

__all__ = ["Cascade"]

ROOM = 64
"""Pieces of text that the model may be ahead of the voice: some 64 words, about 25 s of speech."""


class _Pause(Enum):
    """Stands among the model's pieces where it stops writing to wait for a tool."""

    PAUSE = "pause"


class Cascade:
    """A :class:`~tomrt.ports.RealtimeSession` of three local engines.

    Args:
        stt: The recogniser; not asked about turns in which keys were pressed.
        llm: Decides the answer. It is asked too when nothing was understood, with an empty message of the caller.
        tts: The voice.
        language: In which the sentences of the answer are cut, two letters.
    """

    def __init__(self, stt: SpeechToText, llm: LanguageModel, tts: TextToSpeech, *, language: str = "en") -> None:
        self._stt = stt
        self._llm = llm
        self._tts = tts
        self._language = language

    beforehand = True
    """The recogniser works alone, so it can be asked at any time."""

    @property
    def sure_of_words(self) -> bool:
        """Whether the recogniser can be believed about a single short word."""
        return self._stt.sure_of_words

    async def understand(self, turn: Turn, *, over_reply: bool = False) -> Transcript:
        """Return what *turn* says so far: its keys (``"5"``), which win over its audio, or its words.

        Raises:
            EngineError: the recogniser failed.
        """
        if turn.digits:
            return Transcript(turn.digits, whole=True)
        if not turn.audio:
            return Transcript("")
        return await self._stt.transcribe(turn.audio, hint=OVERLAP if over_reply else self._llm.hint(turn.history))

    async def respond(self, turn: Turn, out: trio.abc.SendChannel[ReplyItem], tools: ToolUse) -> None:
        """Answer *turn* into *out*: a transcript, sentences, each followed by its voice, actions and signals.

        A turn that was understood before is not transcribed again. When the model fails in the middle, whole
        sentences are voiced, the broken one is not, and the error is raised. Where the model waits for a tool, all
        that it wrote before is voiced meanwhile.

        Raises:
            EngineError: an engine failed.
        """
        transcript = turn.transcript if turn.transcript is not None else await self.understand(turn)
        await out.send(transcript)
        speech = _Speech(self._tts, SentenceSplitter(self._language), out)
        history = (*turn.history, Message("user", transcript.text))
        await pipe(partial(self._think, history, tools, speech), speech.voice, room=ROOM)

    async def truncate(self, turn: int, heard_ms: int) -> None:
        """Do nothing: each turn comes with the history that was heard."""

    async def say(self, text: str, out: trio.abc.SendChannel[ReplyItem]) -> None:
        """Voice *text* as it is, sentence by sentence, into *out*.

        Raises:
            EngineError: the voice failed.
        """
        speech = _Speech(self._tts, SentenceSplitter(self._language), out)
        await speech.add(text)
        await speech.end_sentence()

    async def _think(
        self,
        history: tuple[Message, ...],
        tools: ToolUse,
        speech: _Speech,
        pieces: trio.abc.SendChannel[str | Action | Signal | _Pause],
    ) -> None:
        async def use(action: Action) -> str:
            await pieces.send(_Pause.PAUSE)
            return await tools(action)

        await self._llm.answer(history, pieces, use)
        speech.whole = True


class _Speech:
    """One reply on its way from text to voice."""

    def __init__(self, tts: TextToSpeech, splitter: SentenceSplitter, out: trio.abc.SendChannel[ReplyItem]) -> None:
        self._tts = tts
        self._splitter = splitter
        self._out = out
        self.whole = False
        """Whether the model has written its answer to the end."""

    async def voice(self, pieces: trio.abc.ReceiveChannel[str | Action | Signal | _Pause]) -> None:
        """Voice the model's *pieces*; an action follows the text that was written before it, a signal goes at once."""
        async for piece in pieces:
            if isinstance(piece, str):
                await self.add(piece)
                continue
            if isinstance(piece, Signal):
                await self._out.send(piece)
                continue
            await self.end_sentence()
            if isinstance(piece, Action):
                await self._out.send(piece)
        if self.whole:
            await self.end_sentence()

    async def add(self, text: str) -> None:
        """Take more text and voice the sentences that are complete."""
        for sentence in self._splitter.push(text):
            await self._speak(sentence)

    async def end_sentence(self) -> None:
        """Voice what is left of the text."""
        for sentence in self._splitter.finish():
            await self._speak(sentence)

    async def _speak(self, sentence: str) -> None:
        if any(char.isalnum() for char in sentence):  # a lone "..." has no sound
            await self._out.send(Sentence(sentence))
            await self._tts.speak(sentence, self._out)
