"""Takes out of free text what points at a person: addresses of mail, account, card and telephone numbers, also spoken.

Patterns cannot know names, streets or number plates. What may hold those is not stored at all: the feedback store keeps
an allow-list of fields, and this is the second line, for the few that are free text.
"""

from __future__ import annotations

import re
import unicodedata

__all__ = ["LEAST_DIGITS", "redact"]

LEAST_DIGITS = 6
"""So many digits in a row are a number that may belong to somebody; fewer are a time, a price or a rating."""

_ONES = (
    "null eins ein zwei zwo drei vier fünf fuenf sechs sieben acht neun "
    "zero oh one two three four five six seven eight nine "
    "noll ett två tva tre fyra fem sex sju åtta atta nio "
    "zwanzig dreißig dreissig vierzig fünfzig fuenfzig sechzig siebzig achtzig neunzig "
    "twenty thirty forty fifty sixty seventy eighty ninety "
    "tjugo trettio fyrtio femtio sextio sjuttio åttio nittio "
    "doppel double triple dubbel"
)
_TWOS = (
    "zehn elf zwölf zwoelf dreizehn vierzehn fünfzehn fuenfzehn sechzehn siebzehn achtzehn neunzehn "
    "ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen "
    "tio elva tolv tretton fjorton femton sexton sjutton arton nitton"
)
_DIGITS_OF = dict.fromkeys(_ONES.split(), 1) | dict.fromkeys(_TWOS.split(), 2)
"""Digits that a word adds. A ten adds one, so that "dreiundzwanzig" and "twenty three" add two."""

_WORD = "(?:" + "|".join(sorted(_DIGITS_OF, key=len, reverse=True)) + ")"
_LETTER = r"[^\W\d_]"
_GAP = rf"(?:(?:[^\w:]|_){{0,4}}|\s?(?:und|and|och)\s?(?={_LETTER}))"
_RECENT_DAY = r"(?<![\d.])(?:20[2-9]\d-[01]\d-[0-3]\d|[0-3]?\d\.[01]?\d\.20[2-9]\d)(?![\d/-])"
_NUMBER = re.compile(
    rf"(?P<day>{_RECENT_DAY})|[+(]{{0,2}}(?:\d|(?<!{_LETTER}){_WORD})(?:{_GAP}(?:\d|{_WORD})){{2,}}(?!{_LETTER})",
    re.IGNORECASE,
)
_UNIT = re.compile(rf"\d|{_WORD}", re.IGNORECASE)
_MAIL = re.compile(r"[\w.+%'-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63}){0,8}")
_SPOKEN_DOT = r"(?:\s?[._-]\s?|\s(?:punkt|dot|minus|bindestrich|unterstrich|underscore|bindestreck)\s)"
_SPOKEN_MAIL = re.compile(
    rf"\w{{1,64}}(?:{_SPOKEN_DOT}\w{{1,64}}){{0,6}}\s?(?:\bat\b|\bät\b|\[at\]|\(at\)|\bklammeraffe\b|\bsnabel-?a\b)\s?"
    rf"\w{{1,63}}(?:{_SPOKEN_DOT}\w{{1,63}}){{0,4}}(?:\s?\.\s?|\s(?:punkt|dot)\s)[a-z]{{2,6}}\b",
    re.IGNORECASE,
)
_SPOKEN_AT = re.compile(r"\bat\b|\bät\b|klammeraffe|snabel", re.IGNORECASE)
_IBAN = re.compile(
    r"(?<!\w)[A-Z]{2}\d{2}[ .-]?(?:[A-Z]{4})?(?:[ .-]?[A-Z]{0,4}\d[A-Z0-9]{0,4}){2,}",
    re.IGNORECASE,
)
_IBAN_DIGITS = 10
"""The shortest (Norway's) has 13 digits; one that was understood wrongly may have lost a few."""


def redact(text: str) -> str:
    """Return *text* with mail addresses, IBANs, card, personal and telephone numbers replaced by ``[kind]``.

    Numbers are found as digits in any grouping, as words in German, English or Swedish, or mixed, from
    :data:`LEAST_DIGITS` digits on. Dates from 2020 on stay: they tell of a call, not of a birth. The rule is wider than
    the numbering plans of telephone networks, so it needs no table of them.

    Args:
        text: Anything; it is put into Unicode's composed form first.
    """
    if not text.isascii():
        text = unicodedata.normalize("NFKC", text)
    if "@" in text:
        text = _MAIL.sub("[mail]", text)
    if _SPOKEN_AT.search(text):
        text = _SPOKEN_MAIL.sub("[mail]", text)
    text = _IBAN.sub(_without_iban, text)
    return _NUMBER.sub(_without_number, text)


def _without_iban(found: re.Match[str]) -> str:
    """Return what stands in place of something that looks like an IBAN."""
    return "[iban]" if sum(letter.isdigit() for letter in found[0]) >= _IBAN_DIGITS else found[0]


def _without_number(found: re.Match[str]) -> str:
    """Return what stands in place of a run of digits and number words."""
    if found["day"]:
        return found[0]
    units = [unit.lower() for unit in _UNIT.findall(found[0])]
    if sum(_DIGITS_OF.get(unit, 1) for unit in units) < LEAST_DIGITS:
        return found[0]
    if not all(unit.isdigit() for unit in units):
        return "[digits]"
    return f"[{_kind_of(''.join(str(int(unit)) for unit in units))}]"


def _kind_of(digits: str) -> str:
    """Return what a number most likely is; which one it is decides nothing, all of them go."""
    if 13 <= len(digits) <= 19 and digits[0] != "0" and _is_luhn(digits):
        return "card"
    person = digits[2:] if len(digits) == 12 and digits[:2] in {"19", "20"} else digits
    if len(person) == 10 and _is_luhn(person) and 1 <= int(person[2:4]) <= 12 and 1 <= int(person[4:6]) <= 31:
        return "personnummer"
    return "phone" if len(digits) <= 15 else "number"


def _is_luhn(digits: str) -> bool:
    """Return whether the last digit checks the others (ISO/IEC 7812-1, annex B)."""
    doubled = (int(digit) * (2 if place % 2 else 1) for place, digit in enumerate(reversed(digits)))
    return sum(value - 9 if value > 9 else value for value in doubled) % 10 == 0
