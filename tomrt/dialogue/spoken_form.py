"""Free text to spoken words: what any recogniser writes, in the words that the dialogue file's phrases are made of."""

from __future__ import annotations

import re
from itertools import dropwhile

__all__ = ["DIGIT_WORDS", "digits_of", "spoken_words", "without_fillers", "without_lead_in"]

DIGIT_WORDS = {
    "zero": "0",
    "oh": "0",
    "one": "1",
    "two": "2",
    "three": "3",
    "four": "4",
    "five": "5",
    "six": "6",
    "seven": "7",
    "eight": "8",
    "nine": "9",
}
"""How single digits are said."""

_ONES = [
    "zero",
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "ten",
    "eleven",
    "twelve",
    "thirteen",
    "fourteen",
    "fifteen",
    "sixteen",
    "seventeen",
    "eighteen",
    "nineteen",
]
_TENS = ["_", "_", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"]
_FILLERS = frozenset(
    [
        "um",
        "uh",
        "er",
        "erm",
        "ah",
        "hmm",
        "hm",
        "well",
        "so",
        "actually",
        "hello",
        "hi",
        "hey",
        "there",
        "please",
        "just",
        "maybe",
        "now",
        "then",
    ]
)

_CLOCK = re.compile(r"\b(\d{1,2})[:.](\d\d)\b")
_MERIDIEM = re.compile(r"(?:(?<![a-z])([ap])\.\s?m\b\.?|(?<=\d)\s*([ap])m\b|(?<![a-z])(p)m\b)")
_NUMBER = re.compile(r"\d+")
_WORD = re.compile(r"[a-z]+(?:'[a-z]+)*")


def spoken_words(text: str, *, digit_by_digit: bool = False) -> tuple[str, ...]:
    """Return *text* as lower-case spoken words: ``"At 2:30 p.m.!"`` becomes ``at two thirty p m``.

    Args:
        text: Anything; what is neither letter nor digit separates words.
        digit_by_digit: Numbers are read one digit at a time, as in telephone numbers.
    """
    text = text.casefold().replace("’", "'")
    text = _MERIDIEM.sub(lambda match: f" {match[1] or match[2] or match[3]} m ", text)
    if not digit_by_digit:
        text = _CLOCK.sub(_clock, text)
    text = _NUMBER.sub(lambda match: f" {_number(match[0], digit_by_digit)} ", text)
    return tuple(_WORD.findall(text))


def _clock(match: re.Match[str]) -> str:
    return match[1] if match[2] == "00" else f"{match[1]} {match[2]}"


def _number(digits: str, digit_by_digit: bool) -> str:
    if digit_by_digit or len(digits) > 2 or digits[0] == "0":
        return " ".join(_ONES[int(digit)] for digit in digits)
    value = int(digits)
    if value < 20:
        return _ONES[value]
    return _TENS[value // 10] + (f" {_ONES[value % 10]}" if value % 10 else "")


def without_fillers(words: tuple[str, ...]) -> tuple[str, ...]:
    """Return *words* without those that say nothing here, such as "um" and "please"."""
    return tuple(word for word in words if word not in _FILLERS)


def without_lead_in(words: tuple[str, ...]) -> tuple[str, ...]:
    """Return *words* without the fillers in front of the first word that says something."""
    return tuple(dropwhile(_FILLERS.__contains__, words))


def digits_of(words: tuple[str, ...]) -> str:
    """Return the digits that are said in *words*, as a string."""
    return "".join(DIGIT_WORDS[word] for word in words if word in DIGIT_WORDS)
