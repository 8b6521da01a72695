from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from tomrt.dialogue.closing import Unclear, parse_rating
from tomrt.dialogue.conversation import Conversation, State
from tomrt.dialogue.matching import Matcher
from tomrt.dialogue.phrases import expand, slots_in
from tomrt.dialogue.script import built_in_script

SCRIPT = built_in_script()
MATCHER = Matcher(SCRIPT)
SENTENCES: dict[str, list[str]] = tomllib.loads(
    Path(__file__).with_name("receptionist_sentences.toml").read_text("utf-8")
)


def test_knows_what_a_receptionist_must():
    """The built-in dialogue has all the intents that it promises, with their actions."""
    assert {name: intent.action for name, intent in SCRIPT.intents.items()} == {
        "opening_hours": "",
        "address": "",
        "book_appointment": "book_appointment",
        "cancel_appointment": "cancel_appointment",
        "leave_message": "record_callback",
        "person": "transfer",
        "help": "",
        "rate": "record_rating",
        "repeat": "",
        "stop": "",
        "yes": "",
        "no": "",
        "goodbye": "hang_up",
    }


@pytest.mark.parametrize("name", SCRIPT.intents)
def test_a_dozen_phrasings(name: str):
    """Every intent has at least a dozen phrasings in the file, and as many sentences that people wrote."""
    written = sum(1 for phrase in SCRIPT.intents[name].phrases for _ in expand(phrase))
    assert written >= 12
    assert len(SENTENCES[name]) == len(set(SENTENCES[name])) >= 12


@pytest.mark.parametrize(("name", "sentence"), [(name, text) for name, texts in SENTENCES.items() for text in texts])
def test_understands_what_people_say(name: str, sentence: str):
    """Each hand-written sentence is taken for its intent, as it is and in capitals with a filler."""
    for text in (sentence, f"Um, {sentence.upper()}"):
        meant = MATCHER.understand(text, "any")
        assert meant is not None
        assert meant.intent == name


def test_every_phrasing_means_its_own_intent():
    """No sentence of one intent is taken for another, in any expectation."""
    first_value = {name: "five five five one two" for name, slot in SCRIPT.slots.items() if slot.digits}
    first_value |= {
        name: " ".join(next(expand(slot.values[1].phrases[0]))) for name, slot in SCRIPT.slots.items() if slot.values
    }
    for intent in SCRIPT.intents.values():
        for phrase in intent.phrases:
            for words in expand(phrase):
                text = " ".join(words).format(**first_value)
                meant = MATCHER.understand(text, "any")
                assert meant is not None, text
                assert meant.intent == intent.name, text
                assert {name for name, _ in meant.slots} >= set(slots_in(phrase)) & {
                    word[1:-1] for word in words if word[0] == "{"
                }, text


def test_every_answer_to_a_question_fills_its_slot():
    """Every phrase of every value of a slot is understood when that slot is asked for."""
    for slot in SCRIPT.slots.values():
        for value in slot.values:
            for phrase in value.phrases:
                for words in expand(phrase):
                    meant = MATCHER.understand(" ".join(words), slot.name)
                    assert meant is not None
                    assert dict(meant.slots).get(slot.name) == value.value, words


def test_words_are_in_the_recognisers_dictionary():
    """The bundled recogniser can pronounce every word of the dialogue."""
    pocketsphinx = pytest.importorskip("pocketsphinx")
    dictionary = Path(pocketsphinx.get_model_path("en-us/cmudict-en-us.dict")).read_text("utf-8")
    known = {line.partition(" ")[0] for line in dictionary.splitlines()}
    assert SCRIPT.words() - known - set(SCRIPT.pronunciations) == set()


def talk(*texts: str) -> list[tuple[str, list[str]]]:
    conversation, state, said = Conversation(SCRIPT), State(), []
    for text in texts:
        state, reply = conversation.step(state, text)
        said.append((reply.text, [action.name for action in reply.actions]))
    return said


def test_the_first_call():
    """Opening hours and goodbye: two turns, answered, hung up."""
    hours, goodbye = talk("what are your opening hours", "goodbye")
    assert "nine in the morning" in hours[0]
    assert hours[1] == []
    assert goodbye == ("Thank you for calling. Goodbye.", ["hang_up"])


def test_books_asks_for_a_rating_and_hangs_up():
    """An appointment is asked for piece by piece, confirmed, booked, and rated at the end."""
    said = talk("I need an appointment", "Sunday", "on Tuesday", "8 p.m.", "half past two", "yes", "no thanks", "five")
    assert [actions for _, actions in said] == [
        [],
        [],
        [],
        [],
        [],
        ["book_appointment"],
        [],
        ["record_rating", "hang_up"],
    ]
    assert "closed on Sunday" in said[1][0]
    assert said[4][0] == "An appointment on Tuesday at half past two. Is that right?"


def test_answers_never_show_a_brace():
    """No answer of a long conversation has an unfilled blank in it."""
    said = talk(*(text for texts in SENTENCES.values() for text in texts))
    assert not any("{" in text or not text for text, _ in said)


def test_all_that_is_heard_as_a_rating_means_something():
    """Everything that the recogniser may hear when a rating is asked for is a rating or a refusal."""
    slot = SCRIPT.slots["rating"]
    for phrase in (*slot.phrases, *slot.also_heard):
        for words in expand(phrase):
            text = " ".join(words).replace("{rating}", "three")
            assert not isinstance(parse_rating(text, SCRIPT.language), Unclear), text
