from __future__ import annotations

import pytest
from attrs import evolve

from tomrt.dialogue.grammar import BACKCHANNELS, FLOOR_TAKERS, OVERLAP, jsgf_grammars
from tomrt.dialogue.lexicon import load
from tomrt.dialogue.phrases import expand, parse_phrase
from tomrt.dialogue.script import built_in_script

pocketsphinx = pytest.importorskip("pocketsphinx")


@pytest.fixture(scope="module")
def accepts():
    grammars = jsgf_grammars(built_in_script())
    pocketsphinx.set_loglevel("FATAL")
    decoder = pocketsphinx.Decoder(lm=None, loglevel="FATAL")
    models = {
        name: decoder.parse_jsgf(grammars[name]) for name in ("any", "yes_no", "day", "number", "rating", OVERLAP)
    }
    return lambda name, text: bool(models[name].accept(text))


def test_one_grammar_for_each_expectation():
    """All that can be expected next has a grammar of its name, and so has what is said over a reply."""
    script = built_in_script()
    grammars = jsgf_grammars(script)
    assert tuple(grammars) == (*script.expectations(), OVERLAP)
    assert all(grammar.startswith(f"#JSGF V1.0;\ngrammar {name};\npublic ") for name, grammar in grammars.items())


@pytest.mark.parametrize(
    ("name", "text", "accepted"),
    [
        ("any", "what are your opening hours", True),
        ("any", "what are your opening hours please", True),
        ("any", "what are your", False),
        ("any", "i'd like an appointment on tuesday at half past two", True),
        ("any", "tuesday", False),
        ("any", "yes", False),
        ("yes_no", "yes please", True),
        ("yes_no", "goodbye", True),
        ("day", "on tuesday please", True),
        ("day", "tuesday at nine", True),
        ("day", "goodbye", True),
        ("number", "five five five one two", True),
        ("number", "my number is", False),
        ("rating", "five stars", True),
        ("rating", "four please", True),
        ("rating", "four no three", False),
        ("rating", "three and a half", True),
        ("rating", "it was very good", True),
        ("rating", "i would rather not", True),
        ("rating", "goodbye", False),
        ("rating", "what is your address", False),
        ("rating", "say that again please", True),
        ("any", "it was very good", False),
        (OVERLAP, "uh huh", True),
        (OVERLAP, "wait a minute", True),
        (OVERLAP, "yes please", True),
        (OVERLAP, "what are your opening hours", True),
        (OVERLAP, "what are your", False),
    ],
)
def test_accepts_what_is_asked_for_and_every_intent(accepts, name: str, text: str, accepted: bool):
    """Read by the recogniser's own parser, a grammar takes the expected answer and every intent, whole ones only."""
    assert accepts(name, text) is accepted


@pytest.mark.parametrize("phrase", BACKCHANNELS["en"])
def test_backchannels_are_such_to_the_dialogue(accepts, phrase: str):
    """What the recogniser may hear as a backchannel is one to the lexicon."""
    assert accepts(OVERLAP, phrase)
    assert load("en").is_backchannel(phrase)


@pytest.mark.parametrize("phrase", FLOOR_TAKERS["en"])
def test_other_words_are_no_backchannels_to_the_dialogue(accepts, phrase: str):
    """What takes the floor is heard, and is never a backchannel to the lexicon."""
    for words in expand(parse_phrase(phrase)):
        assert accepts(OVERLAP, " ".join(words))
        assert not load("en").is_backchannel(" ".join(words))


def test_other_languages_have_only_their_own_words():
    """A dialogue in a language without such lists has its intents alone in that grammar."""
    overlap = jsgf_grammars(evolve(built_in_script(), language="de-DE"))[OVERLAP]
    assert "opening" in overlap
    assert "uh huh" not in overlap
