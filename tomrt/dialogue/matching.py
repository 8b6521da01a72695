"""From what the caller said to what the caller meant: an intent and the slots that were given.

An exact phrase wins. Text that no grammar has shaped (another recogniser's, with fillers and asides) is then tried
with ever looser rules, all of them deterministic; where two intents fit equally well, none is taken.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from itertools import count

from attrs import frozen

from tomrt.dialogue.phrases import Choice, Phrase, SlotName, Word
from tomrt.dialogue.script import Intent, Script, Slot
from tomrt.dialogue.spoken_form import DIGIT_WORDS, digits_of, spoken_words, without_fillers, without_lead_in

__all__ = ["Matcher", "Understanding"]

_REMEMBERED_TEXTS = 1024
_KEYS = re.compile(r"[0-9*#]+")


@frozen
class Understanding:
    """What the caller meant: an intent, or with ``""`` only the slots that were asked for."""

    intent: str
    slots: tuple[tuple[str, str], ...] = ()


@frozen
class _Pattern:
    """One phrase as a regular expression over words that each end in a space."""

    intent: str
    regex: re.Pattern[str]
    slot_of_group: Mapping[str, str]


class Matcher:
    """Matches texts against a script; the same text always gives the same result."""

    def __init__(self, script: Script) -> None:
        self._script = script
        self._slot_regex = {name: _slot_regex(slot) for name, slot in script.slots.items()}
        self._values = {name: _exact_values(slot) for name, slot in script.slots.items()}
        self._intents = [
            self._compile(intent.name, phrase) for intent in script.intents.values() for phrase in intent.phrases
        ]
        self._asked = {
            slot.name: [self._compile("", phrase) for phrase in slot.phrases] for slot in script.slots.values()
        }
        self._understand = lru_cache(maxsize=_REMEMBERED_TEXTS)(self._find)

    def understand(self, text: str, expectation: str) -> Understanding | None:
        """Return what *text* means where *expectation* is expected, or ``None`` when that cannot be told.

        Args:
            text: The caller's words, or the keys the caller pressed.
            expectation: One of ``Script.expectations()``.
        """
        return self._understand(text.strip(), expectation)

    def slot_values(self, text: str, names: tuple[str, ...]) -> tuple[tuple[str, str], ...]:
        """Return the values of the slots *names* that occur anywhere in *text*."""
        found = ((name, self._anywhere(name, text)) for name in names)
        return tuple((name, value) for name, value in found if value)

    def _find(self, text: str, expectation: str) -> Understanding | None:
        if _KEYS.fullmatch(text) and (pressed := self._pressed(text, expectation)):
            return pressed
        asked = self._script.slots.get(expectation)
        words = spoken_words(text, digit_by_digit=asked is not None and asked.digits)
        bare = without_fillers(words)
        patterns = [*self._asked.get(expectation, ()), *self._intents]
        return (
            self._exact(words, patterns)
            or self._exact(without_lead_in(words), patterns)
            or self._exact(bare, patterns)
            or self._inside(bare, patterns)
            or self._asked_anywhere(text, expectation)
            or self._by_keywords(text, bare, expectation)
        )

    def _pressed(self, keys: str, expectation: str) -> Understanding | None:
        slot = self._script.slots.get(expectation)
        if slot is not None and slot.digits and slot.least <= len(digits := keys.strip("*#")) <= slot.most:
            return Understanding("", ((slot.name, digits),)) if digits.isdigit() else None
        if slot is not None and any(known.value == keys for known in slot.values):
            return Understanding("", ((slot.name, keys),))
        if keys in self._script.keys and (slot is None or keys == "0"):
            return Understanding(self._script.keys[keys])
        return None

    def _exact(self, words: tuple[str, ...], patterns: list[_Pattern]) -> Understanding | None:
        spoken = "".join(f"{word} " for word in words)
        for pattern in patterns:
            if (match := pattern.regex.fullmatch(spoken)) and (meant := self._meant(pattern, match)):
                return meant
        return None

    def _inside(self, words: tuple[str, ...], patterns: list[_Pattern]) -> Understanding | None:
        """Take the longest phrase inside *words*, if it is at least half of them."""
        spoken = "".join(f"{word} " for word in words)
        longest, best = (len(words) - 1) // 2, None
        for pattern in patterns:
            for match in pattern.regex.finditer(spoken):
                size = match[0].count(" ")
                if size > longest and (meant := self._meant(pattern, match)):
                    longest, best = size, meant
        return best and self._with_slots_around(best, spoken)

    def _with_slots_around(self, meant: Understanding, spoken: str) -> Understanding:
        if not meant.intent:
            return meant
        given = dict(meant.slots) | dict(self.slot_values(spoken, self._script.intents[meant.intent].slots))
        return Understanding(meant.intent, tuple(given.items()))

    def _asked_anywhere(self, text: str, expectation: str) -> Understanding | None:
        if expectation not in self._script.slots:
            return None
        given = self.slot_values(text, (expectation,))
        return Understanding("", given) if given else None

    def _by_keywords(self, text: str, words: tuple[str, ...], expectation: str) -> Understanding | None:
        """Take the intent that most keywords of *words* point at; of two that share these, the file's first."""
        hits = [(set(words) & set(intent.keywords), intent) for intent in self._eligible(expectation)]
        most = max((len(hit) for hit, _ in hits), default=0)
        best = [(hit, intent) for hit, intent in hits if len(hit) == most]
        if most == 0 or any(hit != best[0][0] for hit, _ in best):
            return None
        return Understanding(best[0][1].name, self.slot_values(text, best[0][1].slots))

    def _eligible(self, expectation: str) -> Iterator[Intent]:
        """Yield the intents that a keyword may point at: yes and no only where one of them was asked for."""
        for intent in self._script.intents.values():
            if expectation == "yes_no" or intent.meaning not in {"yes", "no"}:
                yield intent

    def _meant(self, pattern: _Pattern, match: re.Match[str]) -> Understanding | None:
        """Return what a match of *pattern* means, ``None`` when a slot's value in it is not a possible one."""
        slots: dict[str, str] = {}
        for group, name in pattern.slot_of_group.items():
            if match[group] is None:
                continue
            value = self._value(name, match[group])
            if not value:
                return None
            slots[name] = value
        return Understanding(pattern.intent, tuple(slots.items()))

    def _anywhere(self, name: str, text: str) -> str:
        slot = self._script.slots[name]
        words = spoken_words(text, digit_by_digit=slot.digits)
        if slot.digits:
            return self._value(name, "".join(f"{word} " for word in words if word in DIGIT_WORDS))
        spoken = "".join(f"{word} " for word in words)
        found = [(match[0], value) for value, regex in self._values[name] for match in regex.finditer(spoken)]
        return max(found, key=lambda each: len(each[0]), default=("", ""))[1]

    def _value(self, name: str, spoken: str) -> str:
        slot = self._script.slots[name]
        if not slot.digits:
            return next((value for value, regex in self._values[name] if regex.fullmatch(spoken)), "")
        digits = digits_of(tuple(spoken.split()))
        return digits if slot.least <= len(digits) <= slot.most else ""

    def _compile(self, intent: str, phrase: Phrase) -> _Pattern:
        groups: dict[str, str] = {}
        regex = _regex(phrase, self._slot_regex, groups, count(1))
        return _Pattern(intent, re.compile(r"(?<!\S)" + regex), groups)


def _slot_regex(slot: Slot) -> str:
    if slot.digits:
        return f"(?:(?:{'|'.join(DIGIT_WORDS)}) )+"
    return _either(_regex(phrase, {}, {}, count(1)) for value in slot.values for phrase in value.phrases)


def _exact_values(slot: Slot) -> list[tuple[str, re.Pattern[str]]]:
    return [
        (value.value, re.compile(r"(?<!\S)" + _either(_regex(phrase, {}, {}, count(1)) for phrase in value.phrases)))
        for value in slot.values
    ]


def _regex(phrase: Phrase, slots: Mapping[str, str], groups: dict[str, str], numbers: Iterator[int]) -> str:
    """Return *phrase* as a regular expression; each slot in it becomes a named group that is noted in *groups*."""
    if isinstance(phrase, Word):
        return re.escape(phrase.text) + " "
    if isinstance(phrase, SlotName):
        group = f"slot_{next(numbers)}"
        groups[group] = phrase.name
        return f"(?P<{group}>{slots[phrase.name]})"
    if isinstance(phrase, Choice):
        return _either(_regex(option, slots, groups, numbers) for option in phrase.options) + "?" * phrase.optional
    return "".join(_regex(part, slots, groups, numbers) for part in phrase.parts)


def _either(options: Iterator[str]) -> str:
    return f"(?:{'|'.join(options)})"
