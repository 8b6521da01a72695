"""History holds what was heard."""

from tomrt.dialogue.history import MAX_MESSAGES, History
from tomrt.events import Message


def test_unheard_answer_leaves_no_trace():
    """An answer of which nothing was heard is not in the history; a question that was not understood is."""
    history = History()
    history.caller_said("")
    history.caller_heard("")
    history.caller_said("hello")
    history.caller_heard("Good")
    assert (Message("user", ""), Message("user", "hello"), Message("assistant", "Good")) == history.snapshot()


def test_history_is_bounded_and_counts_what_it_forgets():
    """The oldest messages go first, and are counted."""
    history = History()
    for number in range(MAX_MESSAGES + 3):
        history.caller_said(str(number))
    assert len(history.snapshot()) == MAX_MESSAGES
    assert history.snapshot()[0].text == "3"
    assert history.forgotten == 3
