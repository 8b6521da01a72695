"""The ledger: heard <= sent <= produced, always."""

from hypothesis import given
from hypothesis import strategies as st

from tomrt.call.ledger import Ledger


def test_heard_follows_the_play_out_clock():
    """Samples count as heard when their time has come, not when they were sent."""
    ledger = Ledger(8000)
    ledger.produced = 320
    ledger.was_sent(0, 160, 1.0)
    ledger.was_sent(160, 320, 1.02)
    assert ledger.advance(0.9) == 0
    assert ledger.advance(1.01) == 80
    assert ledger.advance(1.02) == 160
    assert ledger.advance(5.0) == 320


def test_mark_corrects_the_clock():
    """A mark that comes late moves everything behind it by as much."""
    ledger = Ledger(8000)
    ledger.produced = 800
    for start in range(0, 800, 160):
        ledger.was_sent(start, start + 160, 1.0 + start / 8000)
    ledger.marked(160, 1.02)
    assert abs(0.1 - ledger.reached(160, 1.12)) < 1e-9
    assert ledger.advance(1.12) == 160
    assert ledger.advance(1.15) < 800
    assert ledger.advance(1.21) == 800


def test_flushed_audio_is_never_heard():
    """What was flushed does not become heard by waiting."""
    ledger = Ledger(8000)
    ledger.produced = 320
    ledger.was_sent(0, 320, 1.0)
    assert ledger.advance(1.01) == 80
    ledger.flushed()
    assert ledger.advance(9.0) == 80


def test_mark_of_an_unknown_sample_changes_nothing():
    """A mark that does not belong to anything sent is ignored."""
    ledger = Ledger(8000)
    ledger.was_sent(0, 160, 1.0)
    assert ledger.reached(5_000, 2.0) == 0.0


@given(st.lists(st.tuples(st.sampled_from("sarf"), st.integers(0, 2_000)), max_size=60))
def test_never_more_heard_than_sent(steps):
    """Under any order of sending, marks, waiting and flushing: heard <= sent <= produced, and none of them falls."""
    ledger, now, cursor = Ledger(8000), 0.0, 0
    for action, amount in steps:
        before = (ledger.heard, ledger.sent)
        match action:
            case "s":
                ledger.produced = max(ledger.produced, cursor + amount)
                ledger.was_sent(cursor, cursor + amount, now + amount / 16_000)
                ledger.marked(cursor, now)
                cursor += amount
            case "a":
                now += amount / 8_000
                ledger.advance(now)
            case "r":
                ledger.reached(amount, now)
            case "f":
                ledger.flushed()
                cursor = ledger.heard
        assert before[0] <= ledger.heard <= ledger.sent <= ledger.produced
        assert before[1] <= ledger.sent
