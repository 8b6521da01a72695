"""What answers to the closing question are taken for."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tomrt.dialogue.closing import Declined, Rated, Rating, Unclear, parse_rating
from tomrt.dialogue.rating_words import Kind, load_rating_words, parse_rating_words

TABLE: dict[str, dict[str, list[str]]] = tomllib.loads(
    Path(__file__).with_name("closing_answers.toml").read_text("utf-8")
)
ANSWERS = [(language, text, meant) for language, by in TABLE.items() for meant, texts in by.items() for text in texts]
OTHERWISE: dict[str, Rating] = {"declined": Declined(), "unclear": Unclear()}

words = [" ".join(words) for name in ("de", "en", "sv") for words in load_rating_words(name).phrases if any(words)]


def test_the_table_is_large():
    """There are at least 250 answers, at least 60 in each of the three languages, and none twice."""
    assert len(ANSWERS) == len(set(ANSWERS)) >= 250
    assert all(sum(language == name for language, _, _ in ANSWERS) >= 60 for name in ("de", "en", "sv"))


@pytest.mark.parametrize(("language", "text", "meant"), ANSWERS)
def test_takes_an_answer_for_what_it_means(language: str, text: str, meant: str):
    """Each answer of the table is taken for what it means, as it is and in capitals."""
    expected = OTHERWISE.get(meant) or Rated(int(meant))
    assert parse_rating(text, language) == expected
    assert parse_rating(text.upper(), language.upper()) == expected


@pytest.mark.parametrize(("language", "text", "meant"), [each for each in ANSWERS if each[2].isdigit()])
def test_a_hesitation_before_it_changes_nothing(language: str, text: str, meant: str):
    """An answer with a hum before it is the same answer."""
    if language != "fr":
        assert parse_rating(f"hm, {text}", language) == Rated(int(meant))


def test_a_region_does_not_matter():
    """Austria and Switzerland speak German."""
    assert parse_rating("vier", "de-AT") == Rated(4)


def test_composed_and_decomposed_letters_are_the_same():
    """An umlaut that is written in two characters is one."""
    assert parse_rating("fu\u0308nf", "de") == Rated(5)


def test_long_stories_are_no_rating():
    """What is longer than anybody's answer is not searched for a number."""
    assert parse_rating("vier " * 100, "de") == Unclear()


def test_every_key_but_five_is_asked_again():
    """Of the telephone's keys 1 to 5 are ratings, the others are not."""
    for key in "0123456789*#":
        expected = Rated(int(key)) if key in "12345" else Unclear()
        assert {parse_rating(key, language) for language in ("de", "en", "sv", "nl")} == {expected}


@given(st.text(max_size=80), st.sampled_from(["de", "en", "sv", "fr", ""]))
def test_any_text_is_rated_declined_or_unclear(text: str, language: str):
    """No text breaks the parser, and a rating is always from 1 to 5."""
    answer = parse_rating(text, language)
    assert isinstance(answer, Declined | Unclear) or answer.value in {1, 2, 3, 4, 5}


@settings(max_examples=400)
@given(
    st.lists(st.sampled_from([*words, "4", "4,5", "17", "3/5", "…", ",", "-", "Haus"]), max_size=12),
    st.sampled_from(["de", "en", "sv"]),
)
def test_any_words_of_ratings_are_judged(said: list[str], language: str):
    """Known words in any order do not break the parser either, and give the same result each time."""
    answer = parse_rating(" ".join(said), language)
    assert isinstance(answer, Declined | Unclear) or answer.value in {1, 2, 3, 4, 5}
    assert parse_rating(" ".join(said), language) == answer


@given(st.integers(1, 5), st.integers(1, 5), st.sampled_from([", nein, ", " äh ", ", quatsch, ", ", ich meine ", "… "]))
def test_the_last_of_two_numbers_stands_where_the_first_is_taken_back(first: int, last: int, between: str):
    """Whatever was said first, a correction has the last word."""
    assert parse_rating(f"{first}{between}{last}", "de") == Rated(last)


@given(st.integers(0, 40))
def test_only_one_to_five_are_ratings(number: int):
    """A number off the scale is never moved onto it."""
    expected = Rated(number) if 1 <= number <= 5 else Unclear()
    assert parse_rating(str(number), "de") == parse_rating(f"{number} Sterne", "de") == expected


@pytest.mark.parametrize("language", ["de", "en", "sv"])
def test_every_language_has_all_lists(language: str):
    """Each language has words of every kind that a file can have; only English needs homophones."""
    kinds = {kind for piece in load_rating_words(language).phrases.values() for kind in piece.kinds}
    needed = set(Kind) - {Kind.BREAK, Kind.UNKNOWN, Kind.HOMOPHONE}
    assert needed <= kinds


@pytest.mark.parametrize("text", ["[de]\nnumberz = ['x']", "[de]\nfarewells = 3", "[de.numbers]\nx = ['x']"])
def test_a_file_of_another_shape_is_refused(text: str):
    """A list of words that nobody knows is a fault of the package, told as such."""
    with pytest.raises(ValueError, match=r"\w"):
        parse_rating_words(text)
