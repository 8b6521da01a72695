"""The turn and reply machines: every state × every event, the meaningless ones included."""

import pytest

from tomrt.events import Sound
from tomrt.happenings import ReplyOutcome
from tomrt.turns import reply as r
from tomrt.turns import turn as t
from tomrt.turns.barge_in import BargeIn, Evidence, Reason, Words
from tomrt.turns.reply import Over, Stage

KNOBS = BargeIn(words_trusted=True)
NOW = 10.0
LEFT = 5_000.0  # to say
INF = float("inf")
SPEECH, SILENCE = Sound(speech=True, sounding=True), Sound(speech=False, sounding=False)


def evidence(**known):
    return Evidence(**{"since": NOW - 0.1, "remaining_ms": LEFT, "sounded": True, "voice": 0.5, **known})


# --- states: one for each way a machine can be ------------------------------------------------------------------------

STATES = {
    "idle": t.Idle(3),
    "listening": t.Listening(3, 100.0),
    "drafted": t.Listening(3, 100.0, drafted=True),
    "went on": t.Listening(3, 100.0, taken_back_ms=700.0),
    "went on, drafted": t.Listening(3, 100.0, drafted=True, taken_back_ms=700.0),
    "thinking": t.Thinking(3, 100.0, 700.0),
    "thinking unasked": t.Thinking(3, None),
    "thinking guarded": t.Thinking(3, None, guarded=True),
    "speaking": t.Speaking(3, start_ms=100.0, since=NOW - 2.0),
    "just begun": t.Speaking(3, start_ms=100.0, since=NOW - 0.3),
    "just begun unasked": t.Speaking(3, since=NOW - 0.3),
    "speaking guarded": t.Speaking(3, guarded=True),
    "held": t.Held(4, 900.0, evidence(speech_ms=60.0)),
    "held, long": t.Held(4, 900.0, evidence(speech_ms=320.0, silence_ms=190.0, recent_ms=160.0)),
    "held, short": t.Held(4, 900.0, evidence(speech_ms=60.0, silence_ms=190.0)),
    "held, overdue": t.Held(4, 900.0, evidence(since=NOW - 0.5, speech_ms=300.0)),
    "held, taking back": t.Held(4, 900.0, evidence(since=NOW - 0.5, speech_ms=300.0), 100.0),
    "held, words due": t.Held(4, 900.0, evidence(speech_ms=200.0, silence_ms=90.0)),
}
HELD = [name for name in STATES if name.startswith("held")]

EVENTS = {
    "began": t.SpeechBegan(900.0, LEFT, 40.0),
    "paused": t.SpeechPaused(1_500.0),
    "went on": t.SpeechWentOn(),
    "ended": t.SpeechEnded(900.0, 1_500.0, "silence", 260.0),
    "was none": t.SpeechWasNone(),
    "speech": t.Frame(SPEECH),
    "silence": t.Frame(SILENCE),
    "floor": t.WordsHeard(4, Words.FLOOR),
    "backchannel": t.WordsHeard(4, Words.BACKCHANNEL),
    "stale words": t.WordsHeard(2, Words.FLOOR),
    "digit": t.Digit(),
    "keyed": t.Keyed(),
    "draft failed": t.DraftFailed(),
    "alive": t.ReplyAlive(),
    "alive guarded": t.ReplyAlive(guarded=True),
    "heard": t.ReplyHeard(),
    "over": t.ReplyOver(),
    "tick": t.Tick(),
}

COMMITTED = t.Thinking(3, 100.0, 1_500.0)
AGAIN = t.Thinking(3, 100.0, 700.0)
KEYED = t.Commit(3, None, None, "keys")
FIRST = Evidence(since=NOW, remaining_ms=LEFT, recent_ms=40.0)
YIELDED = (t.Yield(), t.NewTurn(4, 900.0))


def commit(turn=3, start_ms=100.0, end_ms=1_500.0, hangover_ms=260.0, *, drafted=False):
    return t.Commit(turn, start_ms, end_ms, "silence", drafted, hangover_ms)


# What is not listed changes nothing and asks for nothing. Frames, words and ticks of a held reply are below.
CELLS = {
    ("idle", "began"): (t.Listening(4, 900.0), (t.NewTurn(4, 900.0),)),
    ("idle", "keyed"): (t.Thinking(4, None, keyed=True), (t.Commit(4, None, None, "keys"),)),
    ("idle", "alive"): (t.Thinking(3, None), ()),
    ("idle", "alive guarded"): (t.Thinking(3, None, guarded=True), ()),
    ("listening", "paused"): (STATES["drafted"], (t.Draft(3, 100.0, 1_500.0),)),
    ("listening", "ended"): (COMMITTED, (commit(),)),
    ("listening", "was none"): (t.Idle(3), (t.Withdraw(3, "too_short"),)),
    ("listening", "keyed"): (t.Thinking(3, None, keyed=True), (KEYED,)),
    ("drafted", "went on"): (STATES["listening"], (t.Drop(),)),
    ("drafted", "draft failed"): (STATES["listening"], ()),
    ("drafted", "ended"): (COMMITTED, (commit(drafted=True),)),
    ("drafted", "was none"): (t.Idle(3), (t.Drop(), t.Withdraw(3, "too_short"))),
    ("drafted", "keyed"): (t.Thinking(3, None, keyed=True), (t.Drop(), KEYED)),
    ("went on", "paused"): (STATES["went on, drafted"], (t.Draft(3, 100.0, 1_500.0),)),
    ("went on", "ended"): (COMMITTED, (commit(),)),
    ("went on", "was none"): (AGAIN, (commit(end_ms=700.0, hangover_ms=None),)),
    ("went on", "keyed"): (t.Thinking(3, None, keyed=True), (KEYED,)),
    ("went on, drafted", "went on"): (STATES["went on"], (t.Drop(),)),
    ("went on, drafted", "draft failed"): (STATES["went on"], ()),
    ("went on, drafted", "ended"): (COMMITTED, (commit(drafted=True),)),
    ("went on, drafted", "was none"): (AGAIN, (t.Drop(), commit(end_ms=700.0, hangover_ms=None))),
    ("went on, drafted", "keyed"): (t.Thinking(3, None, keyed=True), (t.Drop(), KEYED)),
    ("thinking", "began"): (t.Listening(4, 100.0, taken_back_ms=700.0), (t.Supersede(3), t.NewTurn(4, 100.0))),
    ("thinking", "digit"): (t.Idle(3), (t.Supersede(3),)),
    ("thinking", "alive guarded"): (t.Thinking(3, 100.0, 700.0, guarded=True), ()),
    ("thinking", "heard"): (t.Speaking(3, start_ms=100.0, since=NOW), ()),
    ("thinking", "over"): (t.Idle(3), ()),
    ("thinking unasked", "began"): (t.Listening(4, 900.0), (t.Supersede(None), t.NewTurn(4, 900.0))),
    ("thinking unasked", "digit"): (t.Idle(3), (t.Supersede(None),)),
    ("thinking unasked", "alive guarded"): (STATES["thinking guarded"], ()),
    ("thinking unasked", "heard"): (t.Speaking(3, since=NOW), ()),
    ("thinking unasked", "over"): (t.Idle(3), ()),
    ("thinking guarded", "alive"): (STATES["thinking unasked"], ()),
    ("thinking guarded", "heard"): (t.Speaking(3, guarded=True, since=NOW), ()),
    ("thinking guarded", "over"): (t.Idle(3), ()),
    ("speaking", "began"): (t.Held(4, 900.0, FIRST), YIELDED),
    ("speaking", "digit"): (t.Idle(3), (t.Cut(),)),
    ("speaking", "over"): (t.Idle(3), ()),
    ("just begun", "began"): (t.Held(4, 900.0, FIRST, 100.0), YIELDED),
    ("just begun", "digit"): (t.Idle(3), (t.Cut(),)),
    ("just begun", "over"): (t.Idle(3), ()),
    ("just begun unasked", "began"): (t.Held(4, 900.0, FIRST), YIELDED),
    ("just begun unasked", "digit"): (t.Idle(3), (t.Cut(),)),
    ("just begun unasked", "over"): (t.Idle(3), ()),
    ("speaking guarded", "over"): (t.Idle(3), ()),
}
JUDGED = {
    ("held, long", "silence"): ("overheard", None),
    ("held, short", "silence"): ("resumed", Reason.TOO_SHORT),
    ("held, overdue", "speech"): ("cut", Reason.SPEECH),
    ("held, overdue", "silence"): ("resumed", Reason.TOO_SHORT),
    ("held, overdue", "backchannel"): ("cut", Reason.SPEECH),  # and still speaking
    ("held, overdue", "tick"): ("cut", Reason.SPEECH),
    ("held, taking back", "speech"): ("cut", Reason.SPEECH),
    ("held, taking back", "silence"): ("resumed", Reason.TOO_SHORT),
    ("held, taking back", "backchannel"): ("cut", Reason.SPEECH),
    ("held, taking back", "tick"): ("cut", Reason.SPEECH),
    ("held, short", "backchannel"): ("resumed", Reason.BACKCHANNEL),
    ("held, long", "backchannel"): ("resumed", Reason.BACKCHANNEL),
    ("held, words due", "silence"): ("overheard", None),
    ("held, short", "tick"): ("overheard", None),
    ("held, long", "tick"): ("overheard", None),
    **{(name, "floor"): ("cut", Reason.WORDS) for name in HELD},
}
EVIDENCE_EVENTS = {"speech", "silence", "floor", "backchannel", "tick"}


@pytest.mark.parametrize("event", EVENTS)
@pytest.mark.parametrize("state", [name for name in STATES if name not in HELD])
def test_every_cell(state, event):
    """Each event in each state does what the table says, and nothing where the table is silent."""
    expected = CELLS.get((state, event), (STATES[state], ()))
    assert t.step(STATES[state], EVENTS[event], NOW, KNOBS) == expected


@pytest.mark.parametrize("event", EVENTS)
@pytest.mark.parametrize("state", HELD)
def test_every_cell_of_a_held_reply(state, event):
    """What is heard over a held reply is judged, what ends it settles it, and all else changes nothing."""
    before = STATES[state]
    after_ms = (NOW - before.evidence.since) * 1000.0
    after, effects = t.step(before, EVENTS[event], NOW, KNOBS)
    match event:
        case "was none":
            gone = (t.Withdraw(4, "too_short"), t.Resume(Reason.TOO_SHORT, after_ms))
            assert (after, effects) == (t.Speaking(4), gone)
        case "ended":
            cut = t.Cut(Reason.SPEECH, after_ms, taken_back=before.taken_back_ms is not None)
            start_ms = before.turn_start_ms
            assert (after, effects) == (t.Thinking(4, start_ms, 1_500.0), (cut, commit(4, start_ms)))
        case "over":
            assert (after, effects) == (t.Listening(4, 900.0), ())
        case "digit":
            assert (after, effects) == (t.Idle(4), (t.Withdraw(4, "key pressed"), t.Cut(Reason.KEY, after_ms)))
        case _ if event in EVIDENCE_EVENTS:
            outcome, reason = JUDGED.get((state, event), ("waits", None))
            assert_judged(before, after, effects, outcome, reason)
        case _:
            assert (after, effects) == (before, ())


def assert_judged(before, after, effects, outcome, reason):
    taken_back = before.taken_back_ms is not None
    match outcome:
        case "cut":
            assert after == t.Listening(4, 100.0 if taken_back else 900.0)
            assert [(type(each), each.reason, each.taken_back) for each in effects] == [(t.Cut, reason, taken_back)]
        case "resumed":
            assert after == t.Speaking(4)
            withdraw, resume = effects
            assert withdraw == t.Withdraw(4, reason.value)
            assert (type(resume), resume.reason) == (t.Resume, reason)
        case "overheard":
            assert isinstance(after, t.Held)
            assert effects == (t.Overhear(4, 900.0),)
        case "waits":
            assert isinstance(after, t.Held)
            assert effects == ()


def test_overlap_of_the_tables_is_none():
    """Every row of the tables names a state and an event that there are."""
    for state, event in (*CELLS, *JUDGED):
        assert state in STATES
        assert event in EVENTS


def test_barge_in_can_be_switched_off():
    """Without barge-in, speech over the bot changes nothing, but a key still does."""
    off = BargeIn(enabled=False)
    assert t.step(STATES["speaking"], EVENTS["began"], NOW, off) == (STATES["speaking"], ())
    assert t.step(STATES["speaking"], t.Digit(), NOW, off) == (t.Idle(3), (t.Cut(),))


@pytest.mark.parametrize("state", STATES)
def test_only_a_held_reply_has_a_deadline(state):
    """The machine asks to be called again only while a reply is held."""
    held = STATES[state]
    expected = held.evidence.since + 0.5 if state in HELD else INF
    assert t.deadline(held, KNOBS) == expected


# --- the reply --------------------------------------------------------------------------------------------------------

DONE, CUT = Over(ReplyOutcome.COMPLETED), Over(ReplyOutcome.CUT)
CANCELLED, FAILED = Over(ReplyOutcome.CANCELLED), Over(ReplyOutcome.FAILED)
REPLY_STATES = [*Stage, DONE, CUT, CANCELLED, FAILED]
REPLY_CELLS = {
    (Stage.DRAFT, r.Event.CONFIRMED): Stage.DUE,
    (Stage.DRAFT, r.Event.FAILED): CANCELLED,
    (Stage.DRAFT, r.Event.INTERRUPTED): CANCELLED,
    (Stage.DUE, r.Event.SOUNDED): Stage.AUDIBLE,
    (Stage.DUE, r.Event.FINISHED): DONE,
    (Stage.DUE, r.Event.FAILED): FAILED,
    (Stage.DUE, r.Event.INTERRUPTED): CANCELLED,
    (Stage.AUDIBLE, r.Event.HELD): Stage.PAUSED,
    (Stage.AUDIBLE, r.Event.FINISHED): DONE,
    (Stage.AUDIBLE, r.Event.FAILED): FAILED,
    (Stage.AUDIBLE, r.Event.INTERRUPTED): CUT,
    (Stage.PAUSED, r.Event.RESUMED): Stage.AUDIBLE,
    (Stage.PAUSED, r.Event.FAILED): FAILED,
    (Stage.PAUSED, r.Event.INTERRUPTED): CUT,
}


@pytest.mark.parametrize("event", r.Event)
@pytest.mark.parametrize("state", REPLY_STATES, ids=str)
def test_every_cell_of_a_reply(state, event):
    """A reply moves as the table says, stays where the table is silent, and nothing moves one that is over."""
    after = r.step(state, event)
    assert after == REPLY_CELLS.get((state, event), state)
    assert r.is_alive(after) == isinstance(after, Stage)
