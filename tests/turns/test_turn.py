"""The turn machine: every cell of state × event, and what must hold under any sequence."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tomrt.turns import turn as t
from tomrt.turns.barge_in import BargeIn, Evidence

KNOBS = BargeIn()
NOW = 10.0
EVIDENCE = Evidence(since=NOW - 0.1, remaining_ms=5_000.0)
NEAR_COMMIT = Evidence(since=NOW - 0.1, remaining_ms=5_000.0, speech_ms=440.0)
NEAR_RESUME = Evidence(since=NOW - 0.1, remaining_ms=5_000.0, speech_ms=60.0, silence_ms=230.0)
OVERDUE = Evidence(since=NOW - 0.5, remaining_ms=5_000.0, speech_ms=60.0)

IDLE, LISTENING = t.Idle(3), t.Listening(3, 100.0)
THINKING, UNASKED, GUARDED_THINKING = t.Thinking(3, 100.0), t.Thinking(3, None), t.Thinking(3, None, guarded=True)
SPEAKING, GUARDED = t.Speaking(3), t.Speaking(3, guarded=True)
HELD = t.Held(4, 900.0, EVIDENCE)
BEGAN, ENDED = t.SpeechBegan(900.0, 5_000.0), t.SpeechEnded(900.0, 1_500.0)
SPEECH, SILENCE = t.Frame(speech=True), t.Frame(speech=False)

EVENTS = [
    BEGAN, ENDED, t.SpeechWasNone(), SPEECH, SILENCE, t.Digit(), t.Keyed(), t.ReplyAlive(), t.ReplyHeard(),
    t.ReplyOver(), t.Tick(),
]  # fmt: skip

# What is not listed changes nothing and asks for nothing.
CELLS = {
    (IDLE, BEGAN): (t.Listening(4, 900.0), (t.NewTurn(4, 900.0),)),
    (IDLE, t.Keyed()): (t.Thinking(4, None), (t.Commit(4, None, None, "keys"),)),
    (IDLE, t.ReplyAlive()): (UNASKED, ()),
    (LISTENING, ENDED): (THINKING, (t.Commit(3, 100.0, 1_500.0, "silence"),)),
    (LISTENING, t.SpeechWasNone()): (IDLE, (t.Withdraw(3, "too short"),)),
    (LISTENING, t.Keyed()): (UNASKED, (t.Commit(3, None, None, "keys"),)),
    (THINKING, BEGAN): (t.Listening(4, 100.0), (t.Supersede(3), t.NewTurn(4, 100.0))),
    (THINKING, t.Digit()): (IDLE, (t.Supersede(3),)),
    (THINKING, t.ReplyHeard()): (SPEAKING, ()),
    (THINKING, t.ReplyOver()): (IDLE, ()),
    (UNASKED, BEGAN): (t.Listening(4, 900.0), (t.Supersede(None), t.NewTurn(4, 900.0))),
    (UNASKED, t.Digit()): (IDLE, (t.Supersede(None),)),
    (UNASKED, t.ReplyHeard()): (SPEAKING, ()),
    (UNASKED, t.ReplyOver()): (IDLE, ()),
    (GUARDED_THINKING, t.ReplyAlive()): (UNASKED, ()),
    (GUARDED_THINKING, t.ReplyHeard()): (GUARDED, ()),
    (GUARDED_THINKING, t.ReplyOver()): (IDLE, ()),
    (SPEAKING, BEGAN): (
        t.Held(4, 900.0, Evidence(since=NOW, remaining_ms=5_000.0)),
        (t.Yield(), t.NewTurn(4, 900.0)),
    ),
    (SPEAKING, t.Digit()): (IDLE, (t.Cut(),)),
    (SPEAKING, t.ReplyOver()): (IDLE, ()),
    (GUARDED, t.ReplyOver()): (IDLE, ()),
    (HELD, ENDED): (t.Thinking(4, 900.0), (t.Cut(), t.Commit(4, 900.0, 1_500.0, "silence"))),
    (HELD, t.SpeechWasNone()): (t.Speaking(4), (t.Withdraw(4, "too short"), t.Resume())),
    (HELD, t.Digit()): (t.Idle(4), (t.Withdraw(4, "key pressed"), t.Cut())),
    (HELD, t.ReplyOver()): (t.Listening(4, 900.0), ()),
}
STATES = [IDLE, LISTENING, THINKING, UNASKED, GUARDED_THINKING, SPEAKING, GUARDED, HELD]


@pytest.mark.parametrize("event", EVENTS, ids=repr)
@pytest.mark.parametrize("state", STATES, ids=repr)
def test_every_cell(state, event):
    """Each event in each state does what the table says, and nothing where the table is silent."""
    expected = CELLS.get((state, event))
    if expected is None and isinstance(state, t.Held) and isinstance(event, t.Frame):
        after, effects = t.step(state, event, NOW, KNOBS)
        assert isinstance(after, t.Held)
        assert effects == ()
        return
    assert (expected or (state, ())) == t.step(state, event, NOW, KNOBS)


@pytest.mark.parametrize(
    ("evidence", "event", "expected"),
    [
        (NEAR_COMMIT, SPEECH, (t.Listening(4, 900.0), (t.Cut(),))),
        (NEAR_RESUME, SILENCE, (t.Speaking(4), (t.Withdraw(4, "not an interruption"), t.Resume()))),
        (OVERDUE, t.Tick(), (t.Listening(4, 900.0), (t.Cut(),))),
    ],
    ids=["enough speech", "enough silence", "time is up"],
)
def test_held_reply_is_judged(evidence, event, expected):
    """A held reply is cut or resumed by the evidence, at the latest when its time is up."""
    assert expected == t.step(t.Held(4, 900.0, evidence), event, NOW, KNOBS)


def test_barge_in_can_be_switched_off():
    """Without barge-in, speech over the bot changes nothing, but a key still does."""
    off = BargeIn(enabled=False)
    assert t.step(SPEAKING, BEGAN, NOW, off) == (SPEAKING, ())
    assert (IDLE, (t.Cut(),)) == t.step(SPEAKING, t.Digit(), NOW, off)


def test_only_a_held_reply_has_a_deadline():
    """The machine asks to be called again only while a reply is held."""
    assert EVIDENCE.since + 0.5 == t.deadline(HELD, KNOBS)
    assert all(t.deadline(state, KNOBS) == float("inf") for state in STATES if not isinstance(state, t.Held))


@given(st.lists(st.sampled_from(EVENTS), max_size=60))
def test_floor_is_never_taken_twice(events):
    """Under any sequence a turn is committed only when no reply is audible or held, and every yield is settled."""
    state, now, held = t.Idle(), 0.0, False
    for event in events:
        now += 0.020
        before = state
        state, effects = t.step(state, event, now, KNOBS)
        for effect in effects:
            match effect:
                case t.Yield():
                    assert isinstance(before, t.Speaking)
                    held = True
                case t.Resume() | t.Cut():
                    assert held or isinstance(event, t.Digit)
                    held = False
                case t.Commit():
                    assert not held
        if isinstance(event, t.ReplyOver):
            held = False
        assert held == isinstance(state, t.Held)
        assert state.turn >= before.turn
