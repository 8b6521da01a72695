from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tomrt.dialogue.phrases import (
    Choice,
    PhraseFault,
    Sequence,
    Word,
    expand,
    parse_phrase,
    plainest,
    slots_in,
    words_in,
)


def sentences(text: str) -> list[str]:
    return [" ".join(words) for words in expand(parse_phrase(text))]


def test_expands_choices_and_optional_parts():
    """A phrase stands for exactly the sentences that can be read out of it."""
    assert sentences("[please] (what|when) are {day}") == [
        "what are {day}",
        "when are {day}",
        "please what are {day}",
        "please when are {day}",
    ]


def test_choice_without_brackets():
    """A bar outside of brackets separates whole sentences."""
    assert sentences("yes | no thank you") == ["yes", "no thank you"]


def test_plainest_leaves_out_what_is_optional():
    """The plainest sentence takes first choices and nothing optional."""
    assert plainest(parse_phrase("[on] (half past two|two thirty) [p m|please]")) == "half past two"


def test_names_words_and_slots():
    """Words and slots of a phrase can be listed apart."""
    phrase = parse_phrase("[at] {hour} (please|o'clock)")
    assert (list(words_in(phrase)), list(slots_in(phrase))) == (["at", "please", "o'clock"], ["hour"])


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "empty"),
        ("what (are", "')' is missing"),
        ("what are)", "closes nothing"),
        ("what [are)", "stands where"),
        ("what () are", "nothing in it"),
        ("a | ", "nothing in it"),
        ("What are", "'W' at character 1"),
        ("at 9", "'9' at character 4"),
        ("(" * 60 + "a" + ")" * 60, "more than 50 brackets"),
        ("on {Day}", "'{' at character 4"),
    ],
)
def test_says_what_is_wrong(text: str, said: str):
    """A phrase that is written wrongly is refused with the reason and the place."""
    with pytest.raises(PhraseFault, match=".*" + said.replace("(", r"\(").replace(")", r"\)").replace("{", r"\{")):
        parse_phrase(text)


@given(st.text(alphabet="ab ()[]|{}'", max_size=30))
def test_any_text_is_parsed_or_refused(text: str):
    """No text does anything else than parse into at least one sentence or raise a fault."""
    try:
        phrase = parse_phrase(text)
    except PhraseFault:
        return
    assert next(iter(expand(phrase))) is not None


def written(phrase: Choice | Sequence | Word) -> str:
    if isinstance(phrase, Word):
        return phrase.text
    if isinstance(phrase, Sequence):
        return " ".join(written(part) for part in phrase.parts)
    inner = "|".join(written(option) for option in phrase.options)
    return f"[{inner}]" if phrase.optional else f"({inner})"


trees = st.recursive(
    st.sampled_from("abc").map(Word),
    lambda inner: st.one_of(
        st.lists(inner, min_size=2, max_size=3).map(lambda parts: Sequence(tuple(parts))),
        st.builds(Choice, st.lists(inner, min_size=2, max_size=3).map(tuple), st.booleans()),
    ),
    max_leaves=6,
)


@given(trees)
def test_what_is_written_is_read_back(tree):
    """Writing a tree down and parsing it gives the same sentences."""
    assert set(expand(parse_phrase(written(tree)))) == set(expand(tree))
