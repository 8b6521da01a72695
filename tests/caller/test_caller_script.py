"""The caller speaks when it is its turn, or cuts in when it is told to."""

from __future__ import annotations

import itertools
from collections.abc import Callable

from hypothesis import given
from hypothesis import strategies as st

from tomrt.caller.script import HangUp, Script, Utterance

RATE_HZ = 8000
FRAME = RATE_HZ // 50


def utterance(name: str, seconds: float = 1.0) -> Utterance:
    return Utterance(name, bytes(2 * int(seconds * RATE_HZ)))


def play(
    script: Script, bot: Callable[[float], bool], busy: Callable[[float], bool] = lambda _: False, limit_s: float = 200
):
    """Run *script* against a bot that is audible when bot(t) says so; what was said when, in seconds."""
    said = []
    for frame in range(1, int(limit_s * 50)):
        at = frame * FRAME
        now = at / RATE_HZ
        step = script.step(at, audible=bot(now), busy=busy(now))
        if isinstance(step, HangUp):
            return [*said, ("hang up", now)]
        if step is not None:
            said.append((step.said, now))
    return said


def between(*spans: tuple[float, float]) -> Callable[[float], bool]:
    return lambda now: any(a < now <= b for a, b in spans)


def test_waits_for_greeting_and_answers():
    """Each utterance comes 800 ms after the assistant fell silent, and the caller hangs up after the last answer."""
    script = Script(utterances=(utterance("one"), utterance("two")), rate_hz=RATE_HZ)
    bot = between((0.5, 2.0), (4.5, 6.0), (9.0, 10.0))
    assert play(script, bot) == [("one", 2.8), ("two", 6.8), ("hang up", 10.8)]


def test_pauses_of_the_assistant_are_not_its_end():
    """A pause shorter than the settling time does not end an answer."""
    script = Script(utterances=(utterance("one"),), rate_hz=RATE_HZ)
    bot = between((0.5, 1.0), (1.7, 2.0), (4.5, 5.0), (5.7, 6.0))
    assert play(script, bot) == [("one", 2.8), ("hang up", 6.8)]


def test_an_assistant_that_does_not_greet():
    """Without a greeting the caller begins after five seconds; without an answer it goes on after fifteen."""
    script = Script(utterances=(utterance("one"), utterance("two")), rate_hz=RATE_HZ)
    assert play(script, lambda _: False) == [("one", 5.0), ("two", 21.0), ("hang up", 37.0)]


def test_an_assistant_that_never_stops():
    """The greeting is listened to for a minute, and its going on is no answer."""
    script = Script(utterances=(utterance("one"),), rate_hz=RATE_HZ)
    assert play(script, lambda _: True) == [("one", 60.0), ("hang up", 76.0)]


def test_a_reply_under_way_is_waited_for():
    """Silence is not the end while the service says that a reply is under way."""
    script = Script(utterances=(utterance("one"),), rate_hz=RATE_HZ)
    said = play(script, between((0.5, 2.0), (6.0, 7.0)), busy=between((0.5, 4.0), (5.9, 7.1)))
    assert said[0] == ("one", 4.02)
    assert said[1] == ("hang up", 7.8)


def test_barge_in_comes_into_the_answers():
    """With a barge-in time every utterance but the first is spoken into the answer before it."""
    script = Script(
        utterances=(utterance("one"), utterance("two"), utterance("three")), rate_hz=RATE_HZ, barge_in_at_s=1.0
    )
    bot = between((0.5, 3.0), (5.5, 6.7), (8.5, 20.0))
    said = play(script, bot, limit_s=12)
    assert [name for name, _ in said] == ["one", "two", "three"]
    assert [round(now, 1) for _, now in said] == [3.8, 6.5, 9.5]


def test_a_single_utterance_cuts_into_the_greeting():
    """With one utterance the greeting is what it cuts into."""
    script = Script(utterances=(utterance("one"),), rate_hz=RATE_HZ, barge_in_at_s=0.5)
    assert round(play(script, between((0.5, 3.0)), limit_s=5)[0][1], 1) == 1.0


def test_an_answer_too_short_to_cut_into():
    """An answer that is over before the barge-in time is waited for as usual."""
    script = Script(utterances=(utterance("one"), utterance("two")), rate_hz=RATE_HZ, barge_in_at_s=5.0)
    said = play(script, between((0.5, 2.0), (4.5, 6.0), (8.5, 9.0)))
    assert said == [("one", 2.8), ("two", 6.8), ("hang up", 9.8)]


def test_what_was_still_being_said_is_no_answer():
    """Speech that goes on past the end of a barge-in is not taken for the answer to it."""
    script = Script(utterances=(utterance("one"), utterance("two")), rate_hz=RATE_HZ, barge_in_at_s=1.0)
    bot = between((0.5, 2.0), (4.5, 7.5), (9.0, 10.0))
    said = play(script, bot)
    assert round(said[1][1], 1) == 5.5
    assert said[2] == ("hang up", 10.8)


@given(st.lists(st.booleans(), max_size=400), st.none() | st.floats(0, 3), st.integers(1, 3))
def test_everything_is_said_once_and_in_order(pattern, barge_in_at_s, count):
    """Whatever is heard, each utterance is said once, in order, none over another, and then the caller hangs up."""
    script = Script(
        utterances=tuple(utterance(str(number), 0.5) for number in range(count)),
        rate_hz=RATE_HZ,
        barge_in_at_s=barge_in_at_s,
    )
    said = play(script, lambda now: bool(pattern) and pattern[int(now * 10) % len(pattern)], limit_s=300)
    assert [name for name, _ in said] == [*(str(number) for number in range(count)), "hang up"]
    assert all(later - earlier >= 0.5 for (_, earlier), (_, later) in itertools.pairwise(said))
