"""The words of the turn machine: its states, what can happen to it, and what it asks for."""

from __future__ import annotations

from attrs import frozen

from tomrt.events import Sound
from tomrt.turns.barge_in import Evidence, Reason, Words

__all__ = [
    "Commit",
    "Cut",
    "Digit",
    "Draft",
    "DraftFailed",
    "Drop",
    "Effect",
    "Event",
    "Frame",
    "Held",
    "Idle",
    "Keyed",
    "Listening",
    "NewTurn",
    "Overhear",
    "ReplyAlive",
    "ReplyHeard",
    "ReplyOver",
    "Resume",
    "Speaking",
    "SpeechBegan",
    "SpeechEnded",
    "SpeechPaused",
    "SpeechWasNone",
    "SpeechWentOn",
    "State",
    "Supersede",
    "Thinking",
    "Tick",
    "Withdraw",
    "WordsHeard",
    "Yield",
]


# --- states ----------------------------------------------------------------------------------------------------------


@frozen
class Idle:
    """Nobody speaks. ``turn`` is the number of the last turn opened."""

    turn: int = 0


@frozen
class Listening:
    """The caller speaks.

    Args:
        turn: The caller's turn.
        start_ms: Where it begins.
        drafted: A reply to what was said so far is being made, and not heard.
        taken_back_ms: Where the speech of a turn ended that was taken back into this one; ``None`` when there is none.
    """

    turn: int
    start_ms: float
    drafted: bool = False
    taken_back_ms: float | None = None


@frozen
class Thinking:
    """A reply is being made and nothing of it was heard.

    Args:
        turn: The turn it answers, or the last one.
        start_ms: Where the turn's speech begins; ``None`` when there is none: keys, or a reply unasked.
        end_ms: Where it ends.
        guarded: The reply may not be interrupted.
        keyed: The turn is one of keys.
    """

    turn: int
    start_ms: float | None
    end_ms: float | None = None
    guarded: bool = False
    keyed: bool = False

    @property
    def taken_back(self) -> int | None:
        """The turn that is taken back when the caller goes on; ``None`` when nobody asked."""
        return self.turn if self.keyed or self.start_ms is not None else None


@frozen
class Speaking:
    """A reply is audible.

    Args:
        turn: The turn it answers, or the last one.
        guarded: It may not be interrupted.
        start_ms: Where the speech that it answers begins; ``None`` when there is none.
        since: Clock time of its first sample.
    """

    turn: int
    guarded: bool = False
    start_ms: float | None = None
    since: float = float("-inf")


@frozen
class Held:
    """A reply was audible and is held while the caller is judged.

    Args:
        turn: The caller's turn.
        start_ms: Where the speech over the reply begins.
        evidence: What was heard of it.
        taken_back_ms: Where the turn that the reply answers begins, if it is taken back when this interrupts.
    """

    turn: int
    start_ms: float
    evidence: Evidence
    taken_back_ms: float | None = None

    @property
    def turn_start_ms(self) -> float:
        """Where the turn begins if this is an interruption."""
        return self.start_ms if self.taken_back_ms is None else self.taken_back_ms


State = Idle | Listening | Thinking | Speaking | Held


# --- events ----------------------------------------------------------------------------------------------------------


@frozen
class SpeechBegan:
    """The endpointer opened an utterance while ``remaining_ms`` of the reply were left to be heard.

    Args:
        recent_ms: Speech over the reply that was judged no interruption within the last second.
    """

    start_ms: float
    remaining_ms: float = 0.0
    recent_ms: float = 0.0


@frozen
class SpeechPaused:
    """The caller paused at ``end_ms``: perhaps that was all."""

    end_ms: float


@frozen
class SpeechWentOn:
    """It was not all."""


@frozen
class SpeechEnded:
    """The endpointer closed an utterance, after waiting for ``hangover_ms`` of silence where it ended by silence."""

    start_ms: float
    end_ms: float
    reason: str = "silence"
    hangover_ms: float | None = None


@frozen
class SpeechWasNone:
    """The endpointer opened an utterance that was too short to be one."""


@frozen
class Frame:
    """One frame of the caller."""

    sound: Sound
    frame_ms: float = 20.0


@frozen
class WordsHeard:
    """What the caller says over the held reply so far, as turn ``turn``."""

    turn: int
    words: Words


@frozen
class Digit:
    """The caller pressed a key: always an interruption."""


@frozen
class Keyed:
    """The keys pressed are a turn of their own: the caller pressed no further one."""


@frozen
class DraftFailed:
    """There is no draft any more: it could not be made."""


@frozen
class ReplyAlive:
    """Work on a reply began: to the turn that was committed, or unasked."""

    guarded: bool = False


@frozen
class ReplyHeard:
    """The first sample of the reply left."""


@frozen
class ReplyOver:
    """The reply was heard to its end, or failed."""


@frozen
class Tick:
    """Time passed."""


Event = (
    SpeechBegan
    | SpeechPaused
    | SpeechWentOn
    | SpeechEnded
    | SpeechWasNone
    | Frame
    | WordsHeard
    | Digit
    | Keyed
    | DraftFailed
    | ReplyAlive
    | ReplyHeard
    | ReplyOver
    | Tick
)


# --- effects ---------------------------------------------------------------------------------------------------------


@frozen
class NewTurn:
    """The caller's turn ``turn`` is open since ``start_ms``."""

    turn: int
    start_ms: float


@frozen
class Draft:
    """The turn may be complete: make its reply, and let nothing of it be heard."""

    turn: int
    start_ms: float
    end_ms: float


@frozen
class Drop:
    """Forget the draft."""


@frozen
class Commit:
    """The turn is complete: answer it, or confirm its draft; a turn of keys has no audio."""

    turn: int
    start_ms: float | None
    end_ms: float | None
    reason: str
    drafted: bool = False
    hangover_ms: float | None = None


@frozen
class Withdraw:
    """It was no turn: forget it, and have the endpointer ignore the rest of the sound."""

    turn: int
    reason: str


@frozen
class Supersede:
    """Cancel the reply that nobody heard; its turn goes on (``None``: it was unasked)."""

    turn: int | None


@frozen
class Yield:
    """Fade out and hold."""


@frozen
class Overhear:
    """Find out which words the caller says over the held reply, since ``start_ms``."""

    turn: int
    start_ms: float


@frozen
class Resume:
    """Go on from the sample where it stopped.

    Args:
        reason: Why it was no interruption.
        after_ms: Since the yield.
        remembered_ms: Speech that adds up with a burst that follows within a second.
    """

    reason: Reason
    after_ms: float
    remembered_ms: float = 0.0


@frozen
class Cut:
    """Cancel the reply; what was heard of it stands.

    Args:
        reason: Why it was an interruption; ``None`` where nothing was held.
        after_ms: Since the yield.
        taken_back: What the reply answered is a part of the turn that is open now.
    """

    reason: Reason | None = None
    after_ms: float = 0.0
    taken_back: bool = False


Effect = NewTurn | Draft | Drop | Commit | Withdraw | Supersede | Yield | Overhear | Resume | Cut
