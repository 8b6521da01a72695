"""What a call shows of how it went."""

import pytest

from tomrt.events import Action, Signal
from tomrt.happenings import (
    ActionRequested,
    BargeInJudged,
    CallEnded,
    ReplyAudible,
    ReplyEnded,
    ReplyOutcome,
    Signalled,
    TurnEnded,
)
from tomrt.learning.call_record import CallRecord
from tomrt.rl.decision import Decision
from tomrt.rl.dialogue_policy import Trouble

AT = {"call_id": "c", "at": 1.0}


def decision() -> Decision:
    """Return a decision for the base."""
    return Decision(
        id="0" * 32, at=0.0, arm="base", propensity=1.0, policy="base", version=0, eligible=("base",),
        probabilities=(1.0,),
    )  # fmt: skip


def record_of(*happenings: object, reason: str = "goodbye", seconds: float = 100.0) -> CallRecord:
    """Return the record of a call that heard its greeting, and ended."""
    record = CallRecord(decision=decision(), slow_ms=3000.0)
    for happening in (ReplyAudible(reply=1, turn=0, response_ms=None, **AT), *happenings, end(reason, seconds)):
        record.put(happening)
    return record


def end(reason: str, seconds: float = 100.0) -> CallEnded:
    """Return a call's end."""
    return CallEnded(reason=reason, seconds=seconds, samples_in=0, samples_out=0, **AT)


def turn() -> TurnEnded:
    """Return a caller's turn."""
    return TurnEnded(turn=1, start_ms=0.0, end_ms=500.0, reason="silence", **AT)


def replied(outcome: ReplyOutcome = ReplyOutcome.COMPLETED, heard: str = "yes") -> ReplyEnded:
    """Return a reply's end."""
    return ReplyEnded(reply=2, turn=1, outcome=outcome, text="yes", heard=heard, **AT)


def noticed(signal: Signal) -> Signalled:
    """Return a signal."""
    return Signalled(reply=2, signal=signal, **AT)


def rated(value: str) -> ActionRequested:
    """Return a rating."""
    return ActionRequested(reply=3, action=Action("record_rating", (("rating", value),)), **AT)


def test_a_good_call():
    """A request that was answered, a rating, and one interruption are all there; nothing else is."""
    judged = BargeInJudged(reply=2, turn=1, interruption=True, reason="speech", after_ms=200.0, **AT)
    record = record_of(turn(), noticed(Signal.RESOLVED), replied(), judged, noticed(Signal.RATING_ASKED), rated("4"))
    signals = record.signals
    assert (signals.resolution, signals.user_rating, signals.barge_in_count) == (1.0, 4, 1)
    assert (signals.handover, signals.repeats, signals.escalation) == (False, 0, False)
    assert (signals.duration_sec, signals.satisfaction) == (100.0, None)
    assert record.observed == (("user_rating", 1.0),)
    assert record.teaches
    assert not record.trouble.failed


def test_missing_is_not_zero():
    """A caller who said nothing shows neither a resolution nor a rating, and was not asked for one."""
    record = record_of(reason="hangup")
    assert record.signals.resolution is None
    assert record.signals.user_rating is None
    assert record.observed == ()


def test_not_resolved_is_zero():
    """A caller who asked for something and did not get it shows a resolution of 0."""
    assert record_of(turn(), replied(), reason="hangup").signals.resolution == 0.0


@pytest.mark.parametrize(
    ("noticed_in_turn", "reason", "resolution"),
    [
        ([Signal.ANSWERED], "hangup", 1.0),
        ([Signal.ANSWERED, Signal.RATING_ASKED, Signal.RATING_DECLINED], "goodbye", 1.0),
        ([Signal.ANSWERED, Signal.MISUNDERSTOOD], "hangup", 0.0),
        ([Signal.MISUNDERSTOOD, Signal.ANSWERED], "hangup", 1.0),
        ([Signal.ANSWERED, Signal.ESCALATED], "hangup", 0.0),
        ([Signal.ANSWERED], "transferred", 0.0),
        ([Signal.RESOLVED, Signal.MISUNDERSTOOD], "hangup", 1.0),
    ],
)
def test_who_leaves_with_an_answer_is_served(noticed_in_turn, reason, resolution):
    """An answer that nothing comes after settles the matter; one that was misunderstood or led to a person does not."""
    record = record_of(turn(), *map(noticed, noticed_in_turn), reason=reason)
    assert record.signals.resolution == resolution


def test_repeats_are_counted():
    """Each time the caller was not understood, or had to ask again, counts."""
    again = [noticed(Signal.MISUNDERSTOOD), noticed(Signal.REPEATED), noticed(Signal.MISUNDERSTOOD)]
    assert record_of(turn(), *again).signals.repeats == 3


def test_backchannels_are_no_interruptions():
    """What was judged to be no interruption does not count as one."""
    judged = BargeInJudged(reply=2, turn=1, interruption=False, reason="hum", after_ms=200.0, **AT)
    assert record_of(turn(), judged).signals.barge_in_count == 0


@pytest.mark.parametrize("value", ["0", "6", "four", "", "44"])
def test_no_rating_out_of_range(value):
    """A rating that is none from 1 to 5 is none."""
    assert record_of(turn(), rated(value)).rating is None


@pytest.mark.parametrize(
    ("reason", "teaches"),
    [("goodbye", True), ("hangup", True), ("transferred", True), ("failed", True), ("lost", True), ("silence", True),
     ("draining", False), ("protocol", False), ("idle", False)],
)  # fmt: skip
def test_ends_that_teach(reason, teaches):
    """Calls that the service or a broken line ended teach nothing of the way of talking."""
    assert record_of(turn(), reason=reason).teaches is teaches


def test_what_was_not_heard_teaches_nothing():
    """A call that ended before its greeting was audible teaches nothing."""
    record = CallRecord(decision=decision(), slow_ms=3000.0)
    record.put(end("hangup"))
    assert not record.teaches


def test_trouble_is_told_once_and_at_once():
    """A failed reply and a slow one are told when they happen, once each, and not again at the end."""
    record = CallRecord(decision=decision(), slow_ms=3000.0)
    slow = ReplyAudible(reply=2, turn=1, response_ms=3001.0, **AT)
    failed = replied(ReplyOutcome.FAILED)
    told = [record.put(happening) for happening in (slow, slow, failed, failed, end("failed"))]
    assert told == ["slow", "", "error", "", ""]
    assert record.trouble == Trouble(severe=True)


def test_trouble_at_the_end():
    """Calls that we ended by a fault, and callers who gave up before anything was answered, are told apart."""
    assert record_of(turn(), reason="failed").trouble == Trouble(failed=True, severe=True)
    assert record_of(turn(), reason="hangup").trouble == Trouble(hung_up_early=True)
    assert record_of(turn(), replied(), reason="hangup").trouble == Trouble()
    assert record_of(turn(), reason="goodbye").trouble == Trouble()


def test_a_handover_shows():
    """A call that was put through to a person is a handover."""
    assert record_of(turn(), reason="transferred").signals.handover is True
