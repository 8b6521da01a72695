"""The reply machine: every cell, and that a reply ends exactly once whatever happens."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tomrt.happenings import ReplyOutcome
from tomrt.turns.reply import Event, Over, Stage, is_alive, step

DRAFT, DUE, AUDIBLE, PAUSED = Stage.DRAFT, Stage.DUE, Stage.AUDIBLE, Stage.PAUSED
COMPLETED, CUT = Over(ReplyOutcome.COMPLETED), Over(ReplyOutcome.CUT)
CANCELLED, FAILED = Over(ReplyOutcome.CANCELLED), Over(ReplyOutcome.FAILED)

# One column an event, in their order: confirmed, sounded, held, resumed, finished, failed, interrupted.
TABLE = {
    DRAFT: (DUE, DRAFT, DRAFT, DRAFT, DRAFT, CANCELLED, CANCELLED),
    DUE: (DUE, AUDIBLE, DUE, DUE, COMPLETED, FAILED, CANCELLED),
    AUDIBLE: (AUDIBLE, AUDIBLE, PAUSED, AUDIBLE, COMPLETED, FAILED, CUT),
    PAUSED: (PAUSED, PAUSED, PAUSED, AUDIBLE, PAUSED, FAILED, CUT),
    COMPLETED: (COMPLETED,) * 7,
    CUT: (CUT,) * 7,
    CANCELLED: (CANCELLED,) * 7,
    FAILED: (FAILED,) * 7,
}


@pytest.mark.parametrize("state", TABLE, ids=str)
@pytest.mark.parametrize("event", Event, ids=str)
def test_every_cell(state, event):
    """Each state answers each event as the table says."""
    assert step(state, event) == TABLE[state][list(Event).index(event)]


@given(st.sampled_from([DRAFT, DUE]), st.lists(st.sampled_from(Event)))
def test_it_ends_once_and_is_never_heard_unconfirmed(state, events):
    """Whatever happens in whatever order: nothing follows an end, and an unconfirmed draft never sounds."""
    confirmed, ends = state is DUE, 0
    for event in events:
        confirmed = confirmed or event is Event.CONFIRMED
        before, state = state, step(state, event)
        ends += is_alive(before) and not is_alive(state)
        assert confirmed or state in {DRAFT, CANCELLED}
    assert ends == (not is_alive(state))
