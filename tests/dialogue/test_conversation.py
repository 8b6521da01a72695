from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from tomrt.dialogue.conversation import Conversation, Reply, State
from tomrt.dialogue.script import built_in_script
from tomrt.events import Action, Signal

CONVERSATION = Conversation(built_in_script())
WORDING = CONVERSATION.script.wording


def after(*texts: str) -> tuple[State, Reply]:
    state, reply = State(), Reply("")
    for text in texts:
        state, reply = CONVERSATION.step(state, text)
    return state, reply


def test_asks_only_for_what_was_not_said():
    """Slots given at once are not asked for; with all of them the confirmation comes at once."""
    state, reply = after("I'd like an appointment on Tuesday at half past two")
    assert reply.text == "An appointment on Tuesday at half past two. Is that right?"
    assert CONVERSATION.expects(state) == "yes_no"
    assert CONVERSATION.expects(after("I'd like an appointment on Tuesday")[0]) == "hour"


def test_confirmation_runs_the_action():
    """After yes the action carries the slots' values."""
    _, reply = after("book an appointment", "tomorrow", "nine o'clock", "yes")
    assert reply.actions == (Action("book_appointment", (("day", "tomorrow"), ("hour", "09:00"))),)
    assert reply.text.endswith(WORDING.anything_else[0])


def test_no_asks_again_and_a_correction_is_taken():
    """A bare no starts over; a no with another value changes just that value."""
    state, reply = after("book an appointment", "tomorrow", "nine", "no")
    assert (reply.text, CONVERSATION.expects(state)) == (f"{WORDING.try_again} On which day?", "day")
    _, reply = after("book an appointment", "tomorrow", "nine", "no, at ten thirty")
    assert reply.text == "An appointment tomorrow at half past ten. Is that right?"


def test_a_refused_correction_keeps_the_conversation_going():
    """Changing to a refused value declines it and asks again for that one."""
    state, reply = after("book an appointment", "tomorrow", "nine", "no, on sunday")
    assert reply.text.startswith("I am sorry, we are closed on Sunday.")
    assert CONVERSATION.expects(state) == "day"


def test_a_question_in_between_comes_back_to_the_form():
    """Another question is answered and the open one is asked again."""
    _, reply = after("book an appointment", "what are your opening hours")
    assert reply.text.endswith("On which day?")
    state, reply = after("book an appointment", "monday", "nine", "what's your address")
    assert reply.text.endswith("Is that right?")
    assert CONVERSATION.step(state, "yes")[1].actions[0].name == "book_appointment"


def test_pardon_escalates_to_a_person():
    """Not understanding is said differently each time, and in the end a person is offered."""
    texts = [after(*[""] * times)[1].text for times in range(1, 4)]
    assert texts == [*WORDING.pardon, WORDING.offer_person]
    _, reply = after("", "", "", "yes")
    assert reply.actions == (Action("transfer"),)
    assert after("", "", "", "no")[1].text == WORDING.go_on


def test_pardon_repeats_the_open_question_in_other_words():
    """A question that was not answered is put again, with an example."""
    assert after("book an appointment", "")[1].text.endswith("or: tomorrow.")


def test_understanding_resets_the_pardons():
    """After something was understood the pardons start from the first."""
    assert after("", "", "help", "")[1].text.startswith(WORDING.pardon[0])


def test_repeat_says_the_last_words_again():
    """Repeat gives the last words, at first the greeting."""
    assert after("repeat that please")[1].text == CONVERSATION.script.prompts.greeting
    _, first = after("where are you")
    assert after("where are you", "what did you say")[1] == Reply(first.text, signals=(Signal.REPEATED,))


def test_stop_drops_the_form():
    """Never mind ends what was under way."""
    state, reply = after("book an appointment", "monday", "never mind")
    assert (reply.text, CONVERSATION.expects(state)) == (WORDING.stopped, "any")


def test_goodbye_hangs_up_at_once():
    """Goodbye ends the call wherever it is said, with no further question."""
    for before in ((), ("book an appointment",), ("book an appointment", "monday", "nine", "yes"), ("", "", "")):
        assert after(*before, "goodbye")[1].actions == (Action("hang_up"),)


def test_rating_can_be_volunteered_and_is_asked_once():
    """A rating said unasked is recorded and the call goes on; a due one is asked for before the goodbye."""
    _, reply = after("I give you five stars")
    assert reply.actions == (Action("record_rating", (("rating", "5"),)),)
    done = ("cancel my appointment", "monday", "yes", "no")
    assert after(*done)[1].text == WORDING.rate_us
    assert [action.name for action in after(*done, "4")[1].actions] == ["record_rating", "hang_up"]
    assert after(*done, "no")[1].actions == (Action("hang_up"),)
    assert after(*done, "", "", "")[1].actions == (Action("hang_up"),)


def test_nothing_else_without_a_task_is_goodbye():
    """After a mere answer, no is goodbye without a rating."""
    assert after("what are your opening hours", "no thank you")[1].actions == (Action("hang_up"),)


def test_number_is_read_back_digit_by_digit():
    """A call-back number, spoken or keyed in, is read back and recorded as digits."""
    for number in ("five five five one two three four", "5551234#"):
        _, reply = after("call me back", "it is about a bill", number)
        assert reply.text == "We call you back about a bill, on 5 5 5 1 2 3 4. Is that right?"
    _, reply = after("call me back", "a bill", "5551234", "yes")
    assert reply.actions == (Action("record_callback", (("topic", "a bill"), ("number", "5551234"))),)


def test_zero_is_a_person():
    """Key 0 puts the caller through wherever no digits are asked for."""
    for before in ((), ("book an appointment",), ("book an appointment", "monday")):
        assert after(*before, "0")[1].actions == (Action("transfer"),)


REQUESTS = [
    "book an appointment",
    "cancel my appointment",
    "call me back",
    "help",
    "repeat",
    "are you open on saturday",
]
ANSWERS = ["monday", "sunday", "nine", "eight a m", "a bill", "0", "5", "5551234", "I give you five stars"]
TURNS = ["yes", "no", "stop", "", "no on sunday", "no at ten", "talk to a person", "goodbye"]

texts = st.one_of(st.sampled_from(REQUESTS + ANSWERS + TURNS), st.text(max_size=20))


@settings(max_examples=150)
@given(st.lists(texts, max_size=25))
def test_any_conversation_goes_on(said: list[str]):
    """Whatever is said has a whole answer, something is expected next, and the same words give the same state."""
    state = State()
    for text in said:
        state, reply = CONVERSATION.step(state, text)
        assert reply.text
        assert "{" not in reply.text
        assert CONVERSATION.expects(state) in CONVERSATION.script.expectations()
        assert state.last == reply.text
    assert after(*said)[0] == state
