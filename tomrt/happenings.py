"""What happened in a call: frozen records that go one way, to the tap and, where its dialect has words, the peer."""

from __future__ import annotations

from enum import Enum

from attrs import frozen

from tomrt.events import Action, CallInfo, Signal

__all__ = [
    "ActionRequested",
    "Announced",
    "BargeInJudged",
    "CallEnded",
    "CallStarted",
    "FeedbackTaken",
    "Happened",
    "Happening",
    "LearningFailed",
    "LineMeasured",
    "PolicyChanged",
    "ReplyAudible",
    "ReplyConfirmed",
    "ReplyEnded",
    "ReplyOutcome",
    "ReplyResumed",
    "ReplyStarted",
    "ReplyYielded",
    "Signalled",
    "StateChanged",
    "ToolEnded",
    "ToolOutcome",
    "ToolStarted",
    "TurnEnded",
    "TurnOpened",
    "TurnWithdrawn",
    "Understood",
    "VariantChosen",
]


@frozen(kw_only=True)
class Happened:
    """Root of everything the tap sees.

    Args:
        call_id: The call it belongs to.
        at: Seconds on Trio's clock.
    """

    call_id: str
    at: float


@frozen(kw_only=True)
class CallStarted(Happened):
    """A call was admitted and its nursery is open."""

    info: CallInfo


@frozen(kw_only=True)
class StateChanged(Happened):
    """The call entered another state of its state machine."""

    state: str


@frozen(kw_only=True)
class TurnOpened(Happened):
    """The caller began to speak, ``start_ms`` of line audio into the call."""

    turn: int
    start_ms: float


@frozen(kw_only=True)
class TurnWithdrawn(Happened):
    """What sounded like a turn was not one: a backchannel, a cough, or the caller went on after a pause."""

    turn: int
    reason: str


@frozen(kw_only=True)
class TurnEnded(Happened):
    """The caller finished: speech from ``start_ms`` to ``end_ms`` of line audio, or keys (no times).

    Args:
        reason: ``silence``, ``too_long``, ``stalled`` or ``keys``.
        hangover_ms: Silence that was waited for; ``None`` for what did not end by silence.
    """

    turn: int
    start_ms: float | None
    end_ms: float | None
    reason: str
    hangover_ms: float | None = None


@frozen(kw_only=True)
class Understood(Happened):
    """What the recogniser made of a turn; ``""`` when it understood nothing."""

    turn: int
    text: str
    rejected: str = ""


class ReplyOutcome(Enum):
    """How a reply ended; every reply ends exactly once."""

    COMPLETED = "completed"
    CUT = "cut"
    CANCELLED = "cancelled"
    FAILED = "failed"


@frozen(kw_only=True)
class ReplyStarted(Happened):
    """Work on a reply began; ``turn`` is 0 for what the assistant says unasked.

    Args:
        draft: The turn may not be complete: nothing of this reply is heard before :class:`ReplyConfirmed`.
    """

    reply: int
    turn: int
    draft: bool = False


@frozen(kw_only=True)
class ReplyConfirmed(Happened):
    """The turn was complete: what was drafted for it is the reply."""

    reply: int
    turn: int


@frozen(kw_only=True)
class ReplyAudible(Happened):
    """The first sample of a reply left.

    Args:
        response_ms: Since the end of the caller's speech; ``None`` for what the assistant says unasked.
    """

    reply: int
    turn: int
    response_ms: float | None


@frozen(kw_only=True)
class ReplyYielded(Happened):
    """The caller began to speak over the reply: faded out and held, nothing thrown away."""

    reply: int


@frozen(kw_only=True)
class ReplyResumed(Happened):
    """It was no interruption: the reply goes on from the sample where it stopped."""

    reply: int


@frozen(kw_only=True)
class BargeInJudged(Happened):
    """What was heard over a reply that yielded has been judged.

    Args:
        interruption: Whether the reply was cut; else it goes on.
        reason: By what it was decided, one of the reasons of ``turns/barge_in.py``.
        after_ms: Since the reply yielded.
    """

    reply: int
    turn: int
    interruption: bool
    reason: str
    after_ms: float


@frozen(kw_only=True)
class Announced(Happened):
    """The caller was told that it takes a moment; ``kind`` is ``filler`` or ``tool``."""

    reply: int
    turn: int
    kind: str


class ToolOutcome(Enum):
    """How the use of a tool ended; every use ends exactly once."""

    DONE = "done"
    FAILED = "failed"
    LATE = "late"
    CANCELLED = "cancelled"


@frozen(kw_only=True)
class ToolStarted(Happened):
    """A reply began to use a tool; ``use`` counts from 1 within the call."""

    reply: int
    use: int
    name: str


@frozen(kw_only=True)
class ToolEnded(Happened):
    """A reply is done with a tool."""

    reply: int
    use: int
    name: str
    outcome: ToolOutcome


@frozen(kw_only=True)
class ReplyEnded(Happened):
    """A reply is over.

    Args:
        text: What the assistant meant to say.
        heard: The part of it that the caller heard.
        draft: It was never more than a draft: the caller went on.
    """

    reply: int
    turn: int
    outcome: ReplyOutcome
    text: str
    heard: str
    draft: bool = False


@frozen(kw_only=True)
class ActionRequested(Happened):
    """A committed reply asked for an action."""

    reply: int
    action: Action


@frozen(kw_only=True)
class Signalled(Happened):
    """The dialogue noticed something about how the conversation goes."""

    reply: int
    signal: Signal


@frozen(kw_only=True)
class CallEnded(Happened):
    """The call is over; its nursery is about to close.

    Args:
        reason: Why: a line's close reason, ``"goodbye"``, ``"transferred"``, ``"silence"``, ``"too_long"``,
            ``"draining"`` or ``"failed"``.
        cause: The switch's own name of the reason, where the other end hung up and it gave one.
        samples_in: Samples received from the caller.
        samples_out: Samples sent to the caller.
        dropped: Whatever a bounded buffer of this call had to drop, by buffer.
    """

    reason: str
    cause: str = ""
    seconds: float
    samples_in: int
    samples_out: int
    dropped: tuple[tuple[str, int], ...] = ()


@frozen(kw_only=True)
class LineMeasured(Happened):
    """How the network treated a call that came in packets, told when the line is closed.

    Args:
        received: Packets that came.
        lost: Share of the packets sent that never came or came too late to be played, 0 to 1.
        jitter_ms: Interarrival jitter (RFC 3550, 6.4.1), mean over the call.
        delay_ms: What the jitter buffer added, mean over the call.
        round_trip_ms: To the far end and back, where it tells.
        mos: Estimated mean opinion score of what was heard, 1 to 4.5 (ITU-T G.107).
    """

    received: int
    lost: float
    jitter_ms: float
    delay_ms: float
    round_trip_ms: float | None
    mos: float


@frozen(kw_only=True)
class VariantChosen(Happened):
    """The call's way of talking was chosen.

    Args:
        variant: Its name.
        group: Of the traffic split: ``active``, ``new``, ``uncertain``; ``fallback`` where nothing could be chosen.
        propensity: The probability with which it was chosen.
        seconds: What choosing took.
    """

    variant: str
    group: str
    propensity: float
    seconds: float


@frozen(kw_only=True)
class FeedbackTaken(Happened):
    """A call's outcome was learned from.

    Args:
        variant: Its way of talking.
        profile: What kind of assistant it was.
        reward: -1 to 1.
        rating: What the caller gave, 1 to 5; ``None`` for none, or none that is new.
        late: It adds to what was learned from the call before.
    """

    variant: str
    profile: str
    reward: float
    rating: int | None
    late: bool = False


@frozen(kw_only=True)
class PolicyChanged(Happened):
    """What is known of the variants; told at start and with each outcome learned. ``call_id`` is ``""``.

    Args:
        active: Variants that calls may have.
        blacklisted: Variants that no call has any more.
        exploration: Probability that the next call does not have the variant that is best as far as is known, 0 to 1.
        rewards: For each variant that had calls, their mean reward.
        success: For each of them, the share of its calls so far whose reward was above 0.
    """

    active: int
    blacklisted: int
    exploration: float
    rewards: tuple[tuple[str, float], ...]
    success: tuple[tuple[str, float], ...]


@frozen(kw_only=True)
class LearningFailed(Happened):
    """Something in learning went wrong; the call was not touched. ``where`` is one of a few words of the program."""

    where: str


Happening = (
    CallStarted
    | StateChanged
    | TurnOpened
    | TurnWithdrawn
    | TurnEnded
    | Understood
    | ReplyStarted
    | ReplyConfirmed
    | ReplyAudible
    | ReplyYielded
    | BargeInJudged
    | ReplyResumed
    | ReplyEnded
    | Announced
    | ToolStarted
    | ToolEnded
    | ActionRequested
    | CallEnded
    | LineMeasured
    | Signalled
    | VariantChosen
    | FeedbackTaken
    | PolicyChanged
    | LearningFailed
)
