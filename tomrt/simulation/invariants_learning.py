"""Invariants of what a call teaches (28 to 31)."""

from __future__ import annotations

from typing import Any

from tomrt.events import Signal
from tomrt.learning.archive import Record
from tomrt.rl.feedback import FeedbackEvent
from tomrt.simulation.invariant import END, invariant
from tomrt.simulation.record import Entry
from tomrt.simulation.seen import Seen
from tomrt.simulation.teaching import CALLER

NOBODYS_DOING = frozenset({"draining", "protocol", "idle"})
"""Ends that say nothing of the way of talking."""


@invariant(29, "each call has one decision, with its probability", END)
def one_decision(_: Seen, entry: Entry) -> str | None:
    """One decision is logged for a call; all that could be chosen have a probability, and these make 1."""
    decisions = [job.decision for job in entry.what["kept"] if isinstance(job, Record)]
    if len(decisions) != 1:
        return f"{len(decisions)} decisions were logged"
    decision = decisions[0]
    if not 0.0 < decision.propensity <= 1.0 or min(decision.probabilities) <= 0.0:
        return f"a propensity is not within 0 and 1: {decision.propensity}"
    if abs(sum(decision.probabilities) - 1.0) > 1e-9:
        return f"the probabilities make {sum(decision.probabilities)}"
    chosen = dict(zip(decision.eligible, decision.probabilities, strict=True))
    return None if chosen.get(decision.arm) == decision.propensity else "the propensity is not that of what was chosen"


@invariant(29, "learning does not fail", "learning.LearningFailed")
def learning_goes_well(_: Seen, __: Entry) -> str | None:
    """Whatever happens in a call, choosing and observing go on."""
    return "learning failed"


@invariant(29, "an outcome is joined once", END)
def one_outcome(seen: Seen, entry: Entry) -> str | None:
    """A call whose way of talking was heard has one outcome; one that the service or the line ended has none."""
    outcomes = _outcomes(entry)
    heard = any(reply.audible_at is not None for reply in seen.replies.values())
    reason = seen.ended.reason if seen.ended is not None else ""
    due = heard and bool(reason) and reason not in NOBODYS_DOING
    if len(outcomes) != due:
        return f"{len(outcomes)} outcomes of a call that ended by {reason!r}, heard: {heard}"
    decisions = [job.decision.id for job in entry.what["kept"] if isinstance(job, Record)]
    return None if not outcomes or [outcomes[0].decision_id] == decisions else "the outcome is of another decision"


@invariant(31, "an outcome is what a recount of the record gives", END)
def signals_recount(seen: Seen, entry: Entry) -> str | None:
    """Interruptions, repeats, resolution and handover are what the record shows."""
    for outcome in _outcomes(entry):
        signals = outcome.signals
        asked = any(turn.ended_at is not None for turn in seen.turns.values())
        noticed = [each for each, _ in seen.noticed]
        counted = {
            "barge_in_count": seen.interruptions,
            "repeats": sum(each in {Signal.MISUNDERSTOOD, Signal.REPEATED} for each in noticed),
            "resolution": float(_resolved(seen)) if asked else None,
            "escalation": Signal.ESCALATED in noticed,
            "handover": seen.ended.reason == "transferred",
            "duration_sec": seen.ended.seconds,
        }
        for name, value in counted.items():
            if getattr(signals, name) != value:
                return f"{name} is {getattr(signals, name)}, and should be {value}"
    return None


@invariant(28, "nothing of the caller is kept", END)
def nothing_of_the_caller(_: Seen, entry: Entry) -> str | None:
    """The number is given to whoever makes its pseudonym, and stands in nothing else."""
    for job in entry.what["kept"]:
        shown = repr(job.decision) if isinstance(job, Record) else repr(job)
        if CALLER in shown:
            return "the caller's number stands in what is kept"
    return None


def _resolved(seen: Seen) -> bool:
    noticed = [each for each, _ in seen.noticed if each not in {Signal.RATING_ASKED, Signal.RATING_DECLINED}]
    answered_last = bool(noticed) and noticed[-1] is Signal.ANSWERED and seen.ended.reason != "transferred"
    return answered_last or Signal.RESOLVED in noticed


def _outcomes(entry: Entry) -> list[FeedbackEvent]:
    kept: tuple[Any, ...] = entry.what["kept"]
    return [job for job in kept if isinstance(job, FeedbackEvent)]
