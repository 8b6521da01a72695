from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tomrt.dialogue.matching import Matcher, Understanding
from tomrt.dialogue.script import built_in_script
from tomrt.dialogue.spoken_form import digits_of, spoken_words

MATCHER = Matcher(built_in_script())


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("At 2:30 P.M.!", "at two thirty p m"),
        ("3pm", "three p m"),
        ("I am open at 10:00.", "i am open at ten"),
        ("It’s 11 o'clock", "it's eleven o'clock"),
        ("Number 42, room 101", "number forty two room one zero one"),
        ("¿Qué?", "qu"),
    ],
)
def test_writes_out_what_was_said(text: str, words: str):
    """Times, numbers and punctuation become the words that a caller speaks."""
    assert " ".join(spoken_words(text)) == words


def test_telephone_numbers_are_read_digit_by_digit():
    """In a telephone number, twelve is one two."""
    assert digits_of(spoken_words("555 12 oh 4", digit_by_digit=True)) == "5551204"


@pytest.mark.parametrize(
    ("expectation", "text", "meant"),
    [
        ("any", "um, when are you open, please?", Understanding("opening_hours")),
        ("any", "Hi there! I'd like to book an appointment with the doctor.", Understanding("book_appointment")),
        (
            "any",
            "I would like to bring my son on Friday at 10:30, can I book that?",
            Understanding("book_appointment", (("day", "friday"), ("hour", "10:30"))),
        ),
        ("any", "We must cancel that appointment of ours", Understanding("cancel_appointment")),
        ("any", "Could I speak with somebody at the reception desk?", Understanding("person")),
        ("day", "I think Tuesday would be best for me", Understanding("", (("day", "tuesday"),))),
        ("day", "Wednesday at 9:30", Understanding("", (("day", "wednesday"), ("hour", "09:30")))),
        ("hour", "Half past two.", Understanding("", (("hour", "14:30"),))),
        ("hour", "3 p.m.", Understanding("", (("hour", "15:00"),))),
        ("hour", "3", Understanding("", (("hour", "15:00"),))),
        ("hour", "what's your address", Understanding("address")),
        ("number", "It's 555-1234", Understanding("", (("number", "5551234"),))),
        ("number", "five five five oh one", Understanding("", (("number", "55501"),))),
        ("number", "0301234567#", Understanding("", (("number", "0301234567"),))),
        ("number", "0", Understanding("person")),
        ("number", "one two", None),
        ("rating", "4", Understanding("", (("rating", "4"),))),
        ("rating", "Five stars!", Understanding("", (("rating", "5"),))),
        ("rating", "0", Understanding("person")),
        ("any", "1", Understanding("opening_hours")),
        ("any", "0", Understanding("person")),
        ("any", "##", None),
        ("yes_no", "yes I think so", Understanding("yes")),
        ("any", "The weather is nice, yes, and warm it is too", None),
        ("any", "Bananas", None),
        ("any", "", None),
        ("any", "   ...", None),
        ("any", "open where", None),
    ],
)
def test_understands(expectation: str, text: str, meant: Understanding | None):
    """Free text and keys mean what a receptionist would take them for, and nothing where that cannot be told."""
    assert MATCHER.understand(text, expectation) == meant


@settings(max_examples=200)
@given(st.text(max_size=80), st.sampled_from(built_in_script().expectations()))
def test_any_text_is_understood_or_not(text: str, expectation: str):
    """No text breaks the matcher, and a fresh one gives the same result."""
    meant = MATCHER.understand(text, expectation)
    assert meant is None or meant.intent in built_in_script().intents or meant.slots
    assert MATCHER.understand(text, expectation) == meant
