"""The words of ratings, by language, and a caller's answer cut into pieces of which each has one meaning."""

from __future__ import annotations

import re
import tomllib
import unicodedata
from collections.abc import Iterator, Mapping
from enum import Enum
from functools import cache
from importlib import resources

from attrs import frozen

__all__ = ["Kind", "Piece", "RatingWords", "load_rating_words", "parse_rating_words"]


class Kind(Enum):
    """What a piece of an answer is; the values are the keys of ``rating_words.toml``."""

    NUMBER = "numbers"
    ARTICLE = "articles"
    HOMOPHONE = "homophones"
    HALF = "half"
    POINT = "point"
    RANGE = "ranges"
    BETWEEN = "between"
    AND = "and"
    OF = "of"
    UNIT = "units"
    TRIGGER = "triggers"
    FRAME = "frame"
    NEGATION = "negations"
    CORRECTION = "corrections"
    HESITATION = "hesitations"
    NO = "noes"
    REFUSAL = "refusals"
    FAREWELL = "farewells"
    OTHER_SCALE = "other_scale"
    VERDICT = "verdicts"
    BREAK = "break"
    """A punctuation mark."""
    UNKNOWN = "unknown"
    """A word of no list."""


@frozen
class Piece:
    """A phrase of an answer, with the value of a number or a verdict.

    Args:
        kinds: All that it can be, ``Kind.UNKNOWN`` alone where nothing is known.
        value: Of a number or a verdict.
        sure: The number has something beside it that makes it a rating.
    """

    kinds: frozenset[Kind]
    value: float = 0.0
    sure: bool = False

    def is_a(self, *kinds: Kind) -> bool:
        """Whether it can be one of *kinds*."""
        return not self.kinds.isdisjoint(kinds)


BREAK = Piece(frozenset({Kind.BREAK}))
HESITATION = Piece(frozenset({Kind.HESITATION}))
UNKNOWN = Piece(frozenset({Kind.UNKNOWN}))

_TOKEN = re.compile(
    r"(?P<clock>\d+[:.]\d\d(?!\d)\s*(?=uhr|h\b)|\d+:\d+)"
    r"|(?P<decimal>\d+[.,]\d+)"
    r"|(?P<ordinal>\d+)(?:st|nd|rd|th|er|:an|:a|:e)\b"
    r"|(?P<digits>\d+)"
    r"|(?P<word>'?[^\W\d_]+(?:'[^\W\d_]+)*)"
    r"|(?P<trailing>…|\.{2,})"
    r"|(?P<sign>[/%])"
    r"|(?P<dash>[-‐-―])"
    r"|(?P<mark>[,.;:!?¡¿()\"])"
)
_HALVED = re.compile(r"(\w+)einhalb$")


@frozen
class RatingWords:
    """The words of one language: each phrase, as a tuple of words, with what it can be."""

    phrases: Mapping[tuple[str, ...], Piece] = {}
    longest: int = 1

    def pieces(self, text: str) -> list[Piece]:
        """Cut *text* into pieces, the longest phrase first; digits are numbers in every language."""
        tokens = list(_tokens(text))
        pieces: list[Piece] = []
        at = 0
        while at < len(tokens):
            size, piece = self._longest(tokens, at)
            pieces.append(piece)
            at += size
        return pieces

    def _longest(self, tokens: list[Piece | str], at: int) -> tuple[int, Piece]:
        words = [token if isinstance(token, str) else _written(token) for token in tokens[at : at + self.longest]]
        for size in range(len(words), 0, -1):
            if (piece := self.phrases.get(tuple(words[:size]))) is not None:
                return size, piece
        first = tokens[at]
        return 1, first if isinstance(first, Piece) else self._halved(first)

    def _halved(self, word: str) -> Piece:
        """Take "viereinhalb" for four and a half."""
        match = _HALVED.match(word)
        whole = self.phrases.get((match[1],)) if match else None
        if whole is None or not whole.is_a(Kind.NUMBER):
            return UNKNOWN
        return Piece(frozenset({Kind.NUMBER}), whole.value + 0.5)


def _written(token: Piece) -> str:
    return f"{token.value:g}" if token.is_a(Kind.NUMBER) else ""


def _tokens(text: str) -> Iterator[Piece | str]:
    """Yield words as they are looked up, everything else as a piece."""
    for match in _TOKEN.finditer(_plain(text)):
        kind, said = str(match.lastgroup), match[str(match.lastgroup)]
        if kind in {"decimal", "ordinal", "digits"}:
            yield Piece(frozenset({Kind.NUMBER}), _number(said))
        elif kind == "word":
            yield said
        elif kind == "sign":
            yield Piece(frozenset({Kind.OF})) if said == "/" else "%"
        elif kind == "dash":
            yield Piece(frozenset({Kind.RANGE, Kind.FRAME}))
        else:
            yield {"trailing": HESITATION, "mark": BREAK, "clock": UNKNOWN}[kind]


def _plain(text: str) -> str:
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).replace("’", "'").casefold())


def _number(digits: str) -> float:
    return float(digits.replace(",", ".")) if len(digits) <= 12 else 1e12


# --- reading ---------------------------------------------------------------------------------------------------------


def parse_rating_words(text: str) -> Mapping[str, RatingWords]:
    """Return the words of each language of a file like ``rating_words.toml``, by its two letters.

    Raises:
        ValueError: the file has another shape; it comes with the package, so this is a fault of ours.
    """
    return {language: _words_of(lists) for language, lists in tomllib.loads(text).items()}


def _words_of(lists: Mapping[str, object]) -> RatingWords:
    found: dict[tuple[str, ...], Piece] = {}
    for key, listed in lists.items():
        kind = Kind(key)
        by_value = listed.items() if isinstance(listed, dict) else [("0", listed)]
        for value, phrases in by_value:
            if not isinstance(phrases, list):
                raise ValueError(f"{key}: must be a list of phrases")  # noqa: TRY004 - as documented
            for phrase in phrases:
                words = tuple(token if isinstance(token, str) else _written(token) for token in _tokens(phrase))
                known = found.get(words, Piece(frozenset()))
                found[words] = Piece(known.kinds | {kind}, float(value) or known.value)
    return RatingWords(found, max(map(len, found), default=1))


def load_rating_words(language: str) -> RatingWords:
    """Return the words of *language* (``de``, ``de-AT``); where there is no list, none, and only digits are known."""
    return _built_in().get(language[:2].casefold(), RatingWords())


@cache
def _built_in() -> Mapping[str, RatingWords]:
    return parse_rating_words(resources.files("tomrt.dialogue").joinpath("rating_words.toml").read_text("utf-8"))
