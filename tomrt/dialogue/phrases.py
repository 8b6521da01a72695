"""The phrase syntax of the dialogue file: plain words with choices, optional parts and slots.

``[please] (what|when) are (your|the) opening hours`` stands for every sentence that can be read out of it. Square
brackets hold what may be left out, round brackets group, a bar separates choices, and ``{day}`` is any phrase of the
slot *day*. The one tree that is parsed here becomes the recogniser's grammar, the text matcher and the tests' list.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from itertools import product

from attrs import define, frozen

__all__ = [
    "Choice",
    "Phrase",
    "PhraseFault",
    "Sequence",
    "SlotName",
    "Word",
    "expand",
    "parse_phrase",
    "plainest",
    "slots_in",
    "words_in",
]

_TOKEN = re.compile(r"\s*(?:(?P<word>[a-z]+(?:'[a-z]+)*)|\{(?P<slot>[a-z_]+)\}|(?P<mark>[()\[\]|]))")

MAX_BRACKETS = 50
"""More in one phrase cannot be read, neither by people nor by a parser that calls itself for each."""


class PhraseFault(ValueError):  # noqa: N818  # it is the operator's fault in a phrase, as in Faults
    """A phrase is written wrongly; the message says what and at which character."""


@frozen
class Word:
    """One spoken word, in lower case."""

    text: str


@frozen
class SlotName:
    """Any phrase of a slot."""

    name: str


@frozen
class Sequence:
    """Parts that are said one after the other."""

    parts: tuple[Phrase, ...]


@frozen
class Choice:
    """Exactly one of several options, or none of them where it is optional."""

    options: tuple[Phrase, ...]
    optional: bool = False


Phrase = Word | SlotName | Sequence | Choice


def parse_phrase(text: str) -> Phrase:
    """Parse one phrase.

    Raises:
        PhraseFault: a bracket is open or stray, a group is empty, or a character has no meaning here.
    """
    if text.count("(") + text.count("[") > MAX_BRACKETS:
        raise PhraseFault(f"the phrase has more than {MAX_BRACKETS} brackets")
    reader = _Reader(list(_tokens(text)))
    phrase = reader.choice(closer="", optional=False)
    if phrase == Sequence(()):
        raise PhraseFault("the phrase is empty")
    return phrase


def _tokens(text: str) -> Iterator[tuple[str, str, int]]:
    """Yield (kind, text, column) for each token; columns count from 1."""
    at, end = 0, len(text.rstrip())
    while at < end:
        match = _TOKEN.match(text, at)
        if match is None:
            column = at + len(text[at:]) - len(text[at:].lstrip()) + 1
            raise PhraseFault(f"{text[column - 1]!r} at character {column} is not a lower-case word or a bracket")
        kind = str(match.lastgroup)
        yield kind, match[kind], match.start(kind) + 1
        at = match.end()


@define
class _Reader:
    """Recursive descent over the tokens of one phrase."""

    tokens: list[tuple[str, str, int]]

    def choice(self, *, closer: str, optional: bool) -> Phrase:
        """Read options up to *closer* (``""`` is the end of the phrase)."""
        options = [self.sequence()]
        while self.tokens and self.tokens[0][1] == "|":
            self.tokens.pop(0)
            options.append(self.sequence())
        if closer:
            self.close(closer)
        elif self.tokens:
            raise PhraseFault(f"{self.tokens[0][1]!r} at character {self.tokens[0][2]} closes nothing")
        if Sequence(()) in options and (closer or len(options) > 1):
            raise PhraseFault("a bracket or a choice has nothing in it")
        return options[0] if len(options) == 1 and not optional else Choice(tuple(options), optional)

    def close(self, closer: str) -> None:
        if not self.tokens:
            raise PhraseFault(f"{closer!r} is missing at the end")
        _, mark, column = self.tokens.pop(0)
        if mark != closer:
            raise PhraseFault(f"{mark!r} at character {column} stands where {closer!r} should")

    def sequence(self) -> Phrase:
        parts: list[Phrase] = []
        while self.tokens and self.tokens[0][1] not in {"|", ")", "]"}:
            kind, text, _ = self.tokens.pop(0)
            if kind == "word":
                parts.append(Word(text))
            elif kind == "slot":
                parts.append(SlotName(text))
            elif text == "(":
                parts.append(self.choice(closer=")", optional=False))
            else:
                parts.append(self.choice(closer="]", optional=True))
        return parts[0] if len(parts) == 1 else Sequence(tuple(parts))


def expand(phrase: Phrase) -> Iterator[tuple[str, ...]]:
    """Yield every sentence of *phrase* as its words; a slot stays ``{name}``."""
    if isinstance(phrase, Word):
        yield (phrase.text,)
    elif isinstance(phrase, SlotName):
        yield (f"{{{phrase.name}}}",)
    elif isinstance(phrase, Choice):
        if phrase.optional:
            yield ()
        for option in phrase.options:
            yield from expand(option)
    else:
        for parts in product(*(tuple(expand(part)) for part in phrase.parts)):
            yield tuple(word for part in parts for word in part)


def plainest(phrase: Phrase) -> str:
    """Return the sentence that takes the first of every choice and nothing optional."""
    return " ".join(_plain_words(phrase))


def _plain_words(phrase: Phrase) -> Iterator[str]:
    if isinstance(phrase, Word):
        yield phrase.text
    elif isinstance(phrase, SlotName):
        yield f"{{{phrase.name}}}"
    elif isinstance(phrase, Sequence):
        for part in phrase.parts:
            yield from _plain_words(part)
    elif not phrase.optional:
        yield from _plain_words(phrase.options[0])


def words_in(phrase: Phrase) -> Iterator[str]:
    """Yield every word that occurs in *phrase*, slots left out."""
    yield from _leaves(phrase, lambda leaf: leaf.text if isinstance(leaf, Word) else None)


def slots_in(phrase: Phrase) -> Iterator[str]:
    """Yield the name of every slot that occurs in *phrase*."""
    yield from _leaves(phrase, lambda leaf: leaf.name if isinstance(leaf, SlotName) else None)


def _leaves(phrase: Phrase, pick: Callable[[Phrase], str | None]) -> Iterator[str]:
    if isinstance(phrase, Sequence | Choice):
        for part in phrase.parts if isinstance(phrase, Sequence) else phrase.options:
            yield from _leaves(part, pick)
    elif (picked := pick(phrase)) is not None:
        yield picked
