"""What flows through a call, and what happened in it.

Three families of frozen records: *line events* come from the transport, *reply items* come from the engines,
*happenings* go one way to the tap (log, metrics, and the transport where its dialect has words for them).
Audio is mono signed 16-bit little-endian PCM everywhere.
"""

from __future__ import annotations

from enum import Enum
from typing import Literal

from attrs import field, frozen

__all__ = [
    "WEBSOCKET_DIALECTS",
    "Action",
    "CallInfo",
    "Completeness",
    "Dialect",
    "LineAudio",
    "LineClosed",
    "LineDigit",
    "LineEvent",
    "LineMark",
    "Message",
    "ReplyItem",
    "Sentence",
    "Signal",
    "Sound",
    "Style",
    "Transcript",
    "Turn",
    "Voice",
    "WordStart",
]


class Dialect(Enum):
    """How the other end frames audio and messages."""

    PLAIN = "plain"
    """tomrt's own: paced 20 ms binary frames both ways, JSON events."""
    FORK = "fork"
    """``mod_audio_fork`` with the bidirectional stream on: binary both ways, marks, ``killAudio``."""
    FORK_JSON = "fork-json"
    """``mod_audio_fork`` one way: speech goes back as ``playAudio`` JSON."""
    STREAM = "stream"
    """``mod_audio_stream``, community edition: speech goes back as ``streamAudio`` JSON."""
    UNICAST = "unicast"
    """FreeSWITCH's own ``unicast``: bare samples in UDP packets of 20 ms, beside an event socket."""
    RTP = "rtp"
    """RTP over UDP (RFC 3550), as Asterisk's ExternalMedia and session border controllers send it."""


WEBSOCKET_DIALECTS = (Dialect.PLAIN, Dialect.FORK, Dialect.FORK_JSON, Dialect.STREAM)


@frozen(kw_only=True)
class CallInfo:
    """What is known of a call when it begins.

    Args:
        call_id: The peer's name for the call, or one made up at the door; at most 128 printable ASCII characters.
        dialect: How the line is framed.
        rate_hz: Sample rate of the line in both directions, 8000 or 16000.
        caller: What the peer told of the caller; never logged as it is.
    """

    call_id: str
    dialect: Dialect
    rate_hz: int = 8000
    caller: str = field(default="", repr=False)


# --- line events -----------------------------------------------------------------------------------------------------


@frozen
class LineAudio:
    """The caller's next samples: mono PCM at the line's rate, whole samples, any number of them."""

    pcm: bytes = field(repr=lambda pcm: f"<{len(pcm)} bytes>")


@frozen
class LineMark:
    """The far end reached a mark in our audio, or threw it away unplayed."""

    name: str
    cleared: bool = False


@frozen
class LineDigit:
    """The caller pressed a key: one of ``0123456789*#ABCD``."""

    digit: str


@frozen
class LineClosed:
    """The line is gone; nothing follows.

    Args:
        reason: ``"hangup"`` (orderly close), ``"finished"`` (the peer asked us to finish and close), ``"lost"``
            (connection dropped), ``"protocol"`` (the peer broke the rules) or ``"idle"``.
        cause: Why the switch says that the call ended, as ``"NORMAL_CLEARING"``; ``""`` where it says nothing.
    """

    reason: str
    cause: str = ""


LineEvent = LineAudio | LineMark | LineDigit | LineClosed


@frozen(kw_only=True)
class Sound:
    """What one 20 ms frame of the caller sounds like.

    Args:
        speech: The caller speaks, decided with hysteresis; our own echo is not speech.
        sounding: There is sound of the caller right now: false within some 40 ms of the end of a word.
        snr_db: How far it stands out of the noise floor.
        voice: How sure it is that this is a human voice, 0 to 1; 0.5 when nobody looked.
        hum: How like a hummed backchannel ("mhm") the burst is so far, 0 to 1.
        echo: How like what we sent ourselves, 0 to 1.
    """

    speech: bool
    sounding: bool
    snr_db: float = 0.0
    voice: float = 0.5
    hum: float = 0.0
    echo: float = 0.0


# --- a turn and its reply --------------------------------------------------------------------------------------------


@frozen
class Message:
    """One entry of the conversation's history: what was said, and of the assistant only what was heard."""

    role: Literal["user", "assistant"]
    text: str


@frozen(kw_only=True)
class Turn:
    """What the caller said, ready to be answered.

    Args:
        number: Counts from 1 within the call.
        audio: The utterance, 16 kHz mono PCM; empty when the caller only pressed keys.
        digits: Keys pressed in this turn.
        history: The conversation so far, without this turn.
        transcript: What was understood of it while it was not yet known to be complete; ``None`` when nobody asked.
    """

    number: int
    audio: bytes = field(default=b"", repr=lambda pcm: f"<{len(pcm)} bytes>")
    digits: str = ""
    history: tuple[Message, ...] = ()
    transcript: Transcript | None = None


@frozen
class Transcript:
    """What a recogniser understood.

    Args:
        text: The words, or ``""`` for nothing that can be used.
        rejected: What was heard but not accepted (an incomplete or implausible hypothesis); for the log only.
        whole: The recogniser knows that this is a whole phrase (its grammar ends here); other text may be unfinished.
    """

    text: str
    rejected: str = ""
    whole: bool = False


class Completeness(Enum):
    """Whether what was said so far can stand as it is."""

    COMPLETE = "complete"
    UNKNOWN = "unknown"
    INCOMPLETE = "incomplete"


@frozen
class Sentence:
    """The next piece of a reply, about to be voiced; its :class:`Voice` items follow."""

    text: str


@frozen
class Voice:
    """Synthesised samples of the sentence under way: mono PCM at ``rate_hz``."""

    pcm: bytes = field(repr=lambda pcm: f"<{len(pcm)} bytes>")
    rate_hz: int = 22050


@frozen
class WordStart:
    """Within the sentence under way, the word at ``char`` begins ``offset`` seconds after its first sample."""

    char: int
    offset: float


@frozen
class Action:
    """Something the assistant wants done: ``hang_up``, ``transfer``, or a tool of the dialogue."""

    name: str
    arguments: tuple[tuple[str, str], ...] = ()


class Signal(Enum):
    """What the dialogue noticed about how the conversation goes; nothing is done because of it."""

    ANSWERED = "answered"
    """The caller asked something and is answered."""
    RESOLVED = "resolved"
    """What the caller called for is done."""
    MISUNDERSTOOD = "misunderstood"
    """The caller said something that could not be used."""
    REPEATED = "repeated"
    """The caller wants to hear it again."""
    ESCALATED = "escalated"
    """A person is offered, or asked for."""
    RATING_ASKED = "rating_asked"
    RATING_DECLINED = "rating_declined"


ReplyItem = Transcript | Sentence | Voice | WordStart | Action | Signal


# --- the way of talking ----------------------------------------------------------------------------------------------


@frozen(kw_only=True)
class Style:
    """The way of talking of one call, chosen when it begins and the same to its end.

    What is left empty is as the dialogue file and the settings have it, so ``Style()`` changes nothing.

    Args:
        name: The variant, for metrics and the log.
        greeting: First words of the call.
        closing_question: Asks for a rating from 1 to 5 before the goodbye.
        closing_again: Asks once more when the answer was none.
        acknowledge: Said before answers, in turn.
        length: How much is said in an answer.
        inquiry: ``"open"`` asks for one thing after the other, ``"guided"`` tells at once what is needed.
        sensitivity: As ``turns.barge_in_sensitivity``; ``""`` leaves that.
        escalate_after: So often in a row the caller is not understood before a person is offered; ``None`` leaves it.
        instructions: The way of talking in words, for a language model that writes its answers itself.
    """

    name: str = "base"
    greeting: str = ""
    closing_question: str = ""
    closing_again: str = ""
    acknowledge: tuple[str, ...] = ()
    length: Literal["short", "normal"] = "normal"
    inquiry: Literal["open", "guided"] = "open"
    sensitivity: str = ""
    escalate_after: int | None = None
    instructions: str = ""
