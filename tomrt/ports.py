"""The protocols a call is written against.

``call`` knows these and nothing of sockets or models, so a whole conversation runs in memory under a virtual clock.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import trio.abc
from attrs import frozen

from tomrt.events import Action, CallInfo, Happening, LineEvent, Message, ReplyItem, Transcript, Turn, Voice, WordStart

__all__ = ["Egress", "LanguageModel", "RealtimeSession", "SpeechToText", "Tap", "TextToSpeech", "Transport"]


@frozen(kw_only=True)
class Egress:
    """What a line does with the audio we send it; the playout ledger is computed from this.

    Args:
        lead_s: How far ahead of its play-out audio is sent; 0 sends each frame when it is due.
        start_delay_s: From the arrival of audio at an empty line to its first audible sample (a pre-buffer).
        tail_pad_s: Silence to send after each utterance so that its end does not stay in a pre-buffer.
        whole_sentences: The line plays files: a sentence is sent at once, when it is complete.
        longest_file_s: Longer sentences are sent in pieces, cut between words; 0 for never. For lines that cannot be
            flushed: what was sent will be heard, whatever the caller says.
        flush_on_yield: Audio is held downstream, so falling silent needs the flush verb at once.
        marks: The line reports marks when it plays them.
    """

    lead_s: float = 0.0
    start_delay_s: float = 0.0
    tail_pad_s: float = 0.0
    whole_sentences: bool = False
    longest_file_s: float = 0.0
    flush_on_yield: bool = False
    marks: bool = False


class Transport(Protocol):
    """One call's line. One task receives, one sends."""

    @property
    def info(self) -> CallInfo:
        """What is known of the call."""
        ...

    @property
    def egress(self) -> Egress:
        """How the line treats our audio."""
        ...

    async def receive(self) -> LineEvent:
        """Wait for the next line event; after :class:`~tomrt.events.LineClosed` it returns that again."""
        ...

    async def send_audio(self, pcm: bytes, *, mark: str | None = None) -> None:
        """Send mono PCM at the line's rate, with a mark in front of it where the line has marks.

        Returns silently when the line is gone (``receive`` tells).
        """
        ...

    async def flush(self) -> None:
        """Have the line throw away what it has not played, where its dialect has a verb for it."""
        ...

    async def notify(self, happening: Happening) -> None:
        """Tell the peer what happened, where its dialect has words for it; must never block on a slow peer."""
        ...

    async def hang_up(self, reason: str) -> None:
        """Close the line in an orderly way; a second call does nothing."""
        ...


class RealtimeSession(Protocol):
    """Turns in, replies out: the local cascade, or a hosted model."""

    async def respond(self, turn: Turn, out: trio.abc.SendChannel[ReplyItem]) -> None:
        """Answer *turn* into *out*: one ``Transcript``, then sentences with their voice, then actions.

        Does not close *out*. Cancelling it ends all work of the reply.

        Raises:
            EngineError: the session cannot answer this turn.
        """
        ...

    async def say(self, text: str, out: trio.abc.SendChannel[ReplyItem]) -> None:
        """Voice *text* as it is, sentence by sentence, into *out*; same rules as :meth:`respond`."""
        ...


class SpeechToText(Protocol):
    """A recogniser of whole utterances."""

    async def transcribe(self, audio: bytes, *, hint: str | None = None) -> Transcript:
        """Return what is said in *audio* (16 kHz mono PCM).

        Args:
            audio: One utterance.
            hint: What the dialogue expects next, in the language model's own terms (see ``LanguageModel.hint``).

        Raises:
            EngineError: the recogniser failed; silence and noise are an empty transcript, not an error.
        """
        ...


class LanguageModel(Protocol):
    """Decides what to say."""

    async def answer(self, history: Sequence[Message], out: trio.abc.SendChannel[str | Action]) -> None:
        """Stream the answer to *history*, whose last message is the caller's, as text pieces and actions.

        Does not close *out*.

        Raises:
            EngineError: no answer can be had.
        """
        ...

    def hint(self, history: Sequence[Message]) -> str | None:
        """Return the name of what the caller is expected to say next, for a recogniser that can use it."""
        ...


class TextToSpeech(Protocol):
    """A voice."""

    async def speak(self, text: str, out: trio.abc.SendChannel[Voice | WordStart]) -> None:
        """Voice one sentence into *out*, in pieces as they are made; does not close *out*.

        Raises:
            EngineError: the voice failed.
        """
        ...


class Tap(Protocol):
    """Where happenings go: metrics, logs, recordings. Never blocks, never raises."""

    def put(self, happening: Happening) -> None:
        """Take note of *happening*."""
        ...
