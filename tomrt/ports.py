"""The protocols a call is written against.

``call`` knows these and nothing of sockets or models, so a whole conversation runs in memory under a virtual clock.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol

import trio.abc
from attrs import frozen

from tomrt.events import (
    Action,
    CallInfo,
    LineEvent,
    Message,
    ReplyItem,
    Signal,
    Style,
    Transcript,
    Turn,
    Voice,
    WordStart,
)
from tomrt.happenings import Happening

__all__ = [
    "Egress",
    "LanguageModel",
    "PolicyRouter",
    "RealtimeSession",
    "SpeechToText",
    "Tap",
    "TextToSpeech",
    "ToolUse",
    "Tools",
    "Transport",
]


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
        slots: The line takes exactly one frame of 20 ms at each of these clock times, silence where there is nothing to
            say, and never two: returns the first slot at or after a time. ``None``: frames are sent when there are any.
    """

    lead_s: float = 0.0
    start_delay_s: float = 0.0
    tail_pad_s: float = 0.0
    whole_sentences: bool = False
    longest_file_s: float = 0.0
    flush_on_yield: bool = False
    marks: bool = False
    slots: Callable[[float], float] | None = None


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


ToolUse = Callable[[Action], Awaitable[str]]
"""Uses a tool for the reply under way and returns its result, for the model to go on with.

Waits until the caller's turn is known to be complete before a tool with side effects runs.

Raises:
    EngineError: there is no such tool, it failed, or it took too long; the model may say so.
"""


class Tools(Protocol):
    """What a model may use while it answers."""

    def has_effects(self, name: str) -> bool:
        """Whether using the tool changes anything in the world; those never run for a turn that may not be complete."""
        ...

    def time_limit_s(self, name: str) -> float | None:
        """Return how long one use of the tool may take; ``None`` where it shares the time of all uses of its reply."""
        ...

    async def use(self, action: Action) -> str:
        """Use the tool named by *action* and return its result as text.

        Raises:
            EngineError: there is no such tool, or it failed.
        """
        ...


class RealtimeSession(Protocol):
    """Turns in, replies out: the local cascade, or a hosted model."""

    @property
    def sure_of_words(self) -> bool:
        """Whether :meth:`understand` can be believed about a single short word, and about noise having none."""
        ...

    @property
    def beforehand(self) -> bool:
        """Whether it can tell what a turn says before it answers; else :meth:`understand` is not called."""
        ...

    async def understand(self, turn: Turn, *, over_reply: bool = False) -> Transcript:
        """Return what *turn* says so far, without answering it.

        Asked at pauses of the caller, to see whether the turn is complete, and while the caller talks over a reply.
        Only what can be understood beforehand is answered beforehand.

        Args:
            turn: The caller's words so far.
            over_reply: They were said over a reply: backchannels and words that take the floor are to be told apart.
                Not what the turn is to be answered with.

        Raises:
            EngineError: the recogniser failed.
        """
        ...

    async def respond(self, turn: Turn, out: trio.abc.SendChannel[ReplyItem], tools: ToolUse) -> None:
        """Answer *turn* into *out*: one ``Transcript``, then sentences with their voice, then actions and signals.

        A transcript that comes with the turn is sent as it is, and the audio is not looked at again. Does not close
        *out*. Cancelling it ends all work of the reply.

        Raises:
            EngineError: the session cannot answer this turn.
        """
        ...

    async def truncate(self, turn: int, heard_ms: int) -> None:
        """Take note that of the reply to *turn* only the first *heard_ms* were heard; at 0 it was never said.

        For sessions that keep a history of their own. *heard_ms* is never more than what was produced.

        Raises:
            EngineError: the session could not be told.
        """
        ...

    async def say(self, text: str, out: trio.abc.SendChannel[ReplyItem]) -> None:
        """Voice *text* as it is, sentence by sentence, into *out*; same rules as :meth:`respond`."""
        ...


class SpeechToText(Protocol):
    """A recogniser of whole utterances."""

    @property
    def sure_of_words(self) -> bool:
        """Whether it can be believed about a single short word, and about noise having none."""
        ...

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

    async def answer(
        self, history: Sequence[Message], out: trio.abc.SendChannel[str | Action | Signal], tools: ToolUse
    ) -> None:
        """Stream the answer to *history*, whose last message is the caller's, as text pieces, actions and signals.

        Results that the answer needs are had through *tools*; what is only to be done is an action. Does not close
        *out*.

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


class PolicyRouter(Protocol):
    """Chooses the way of talking of each call."""

    def choose(self, info: CallInfo) -> Style:
        """Return the style of the call that begins. Never blocks, never raises."""
        ...
