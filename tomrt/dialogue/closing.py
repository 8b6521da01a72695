"""The answer to the closing question: a rating from 1 to 5, a refusal, or something that has to be asked once more.

What is taken for a rating must be meant as one. A number with a unit ("vier Sterne"), with the scale ("four out of
five") or after words that announce it ("I would say four") is one anywhere; any other number only in a part of the
answer that says nothing else, so that three children are not three points. Numbers win over verdicts ("sehr gut").
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from itertools import pairwise

from attrs import evolve, frozen

from tomrt.dialogue.rating_words import UNKNOWN, Kind, Piece, load_rating_words

__all__ = ["BEST", "WORST", "Declined", "Rated", "Rating", "Unclear", "parse_rating"]

WORST, BEST = 1, 5
MAX_CHARS = 300
"""Longer answers are stories."""

CLASH = 3
"""A number and a verdict that are so far apart are not both meant."""

_IMPOSSIBLE = -1.0
_ONE = Piece(frozenset({Kind.NUMBER}), 1.0)
_FRAME = Piece(frozenset({Kind.FRAME}))
_SAYS_NOTHING = (Kind.FRAME, Kind.TRIGGER, Kind.ARTICLE, Kind.HESITATION)


@frozen
class Rated:
    """The caller gave a rating, 1 to 5; halves count down: who says four and a half did not say five."""

    value: int


@frozen
class Declined:
    """The caller does not want to give one."""


@frozen
class Unclear:
    """Neither can be told."""


Rating = Rated | Declined | Unclear


def parse_rating(text: str, language: str) -> Rating:
    """Return what the answer *text* to the closing question means.

    Args:
        text: The caller's words, as any recogniser writes them, or the keys pressed (``"4"``, ``"4#"``).
        language: A BCP 47 tag of which the first two letters count; in one that has no list only digits are known.
    """
    if len(text) > MAX_CHARS:
        return Unclear()
    pieces = load_rating_words(language).pieces(text)
    for put_together in (_ones, _decimals, _ranges, _shares, _articles, _sureties, _negated):
        pieces = put_together(pieces)
    return _meant([piece for clause in _clauses(pieces) for piece in _believable(clause)])


# --- numbers that take more than one word ----------------------------------------------------------------------------


def _ones(pieces: Sequence[Piece]) -> list[Piece]:
    """Make a number of the article in "ett eller fem" and "eine von fünf"."""

    def counts(piece: Piece, after: Piece) -> bool:
        return bool(piece.value) and piece.is_a(Kind.ARTICLE) and after.is_a(Kind.RANGE, Kind.OF)

    return [
        _ONE if counts(piece, after) and not after.is_a(Kind.FRAME) else piece
        for piece, after in pairwise([*pieces, UNKNOWN])
    ]


def _decimals(pieces: Sequence[Piece]) -> list[Piece]:
    """Put together "vier Komma fünf", "three and a half", "twenty four"."""
    joined: list[Piece] = []
    for piece in pieces:
        last = joined[-1] if joined else UNKNOWN
        if piece.is_a(Kind.HALF) and last.is_a(Kind.NUMBER):
            joined[-1] = evolve(last, value=last.value + 0.5)
        elif piece.is_a(Kind.NUMBER) and last.is_a(Kind.NUMBER) and (last.value >= 20 or piece.value >= 100):
            joined[-1] = evolve(last, value=last.value + piece.value)
        elif piece.is_a(Kind.NUMBER) and last.is_a(Kind.POINT) and len(joined) > 1 and joined[-2].is_a(Kind.NUMBER):
            joined.pop()
            joined[-1] = evolve(joined[-1], value=joined[-1].value + min(piece.value, 9.0) / 10)
        else:
            joined.append(piece)
    return joined


def _ranges(pieces: Sequence[Piece]) -> list[Piece]:
    """Put together "drei bis vier" and "between four and five", and leave out the scale, "von eins bis fünf"."""
    joined: list[Piece] = []
    for piece in pieces:
        spans = len(joined) > 1 and piece.is_a(Kind.NUMBER) and joined[-2].is_a(Kind.NUMBER)
        between = len(joined) > 2 and joined[-3].is_a(Kind.BETWEEN) and joined[-1].is_a(Kind.AND)
        if spans and (between or joined[-1].is_a(Kind.RANGE)):
            joined.pop()
            joined[-1] = _range(joined[-1].value, piece.value)
        else:
            joined.append(piece)
    return joined


def _range(low: float, high: float) -> Piece:
    if (low, high) in {(WORST, BEST), (BEST, WORST)}:
        return _FRAME
    near = abs(high - low) == 1
    return Piece(frozenset({Kind.NUMBER}), (low + high) / 2 if near else _IMPOSSIBLE)


def _shares(pieces: Sequence[Piece]) -> list[Piece]:
    """Put together "vier von fünf" and "four stars out of five"; another scale makes the number impossible."""
    joined: list[Piece] = []
    for piece in pieces:
        if not (piece.is_a(Kind.NUMBER) and joined and joined[-1].is_a(Kind.OF)):
            joined.append(piece)
            continue
        at = len(joined) - (3 if len(joined) > 2 and joined[-2].is_a(Kind.UNIT) else 2)
        if at >= 0 and joined[at].is_a(Kind.NUMBER):
            joined[at] = evolve(joined[at], sure=True, value=joined[at].value if piece.value == BEST else _IMPOSSIBLE)
        elif at >= 0 and joined[at].is_a(Kind.TRIGGER):
            joined.append(evolve(piece, sure=True))  # "a rating of four"
        else:
            joined.append(_FRAME if piece.value == BEST else piece)  # "of five stars I give four"
    return joined


def _articles(pieces: Sequence[Piece]) -> list[Piece]:
    """Make a number of the article in "ein Stern"."""
    return [
        _ONE if piece.is_a(Kind.ARTICLE) and after.is_a(Kind.UNIT) else piece
        for piece, after in pairwise([*pieces, UNKNOWN])
    ]


def _sureties(pieces: Sequence[Piece]) -> list[Piece]:
    """Mark numbers with a unit behind them, and those that are announced and not counted in something else."""
    marked: list[Piece] = []
    announced = False
    for piece, after in pairwise([*pieces, Piece(frozenset({Kind.BREAK}))]):
        sure = after.is_a(Kind.UNIT) or (announced and not after.is_a(Kind.UNKNOWN, Kind.NUMBER))
        marked.append(evolve(piece, sure=piece.sure or sure) if piece.is_a(Kind.NUMBER) else piece)
        announced = piece.is_a(Kind.TRIGGER) or (announced and piece.is_a(*_SAYS_NOTHING, Kind.OF))
    return marked


def _negated(pieces: Sequence[Piece]) -> list[Piece]:
    """Take away numbers that are denied, "nicht vier", and turn round verdicts, "not wonderful"."""
    turned: list[Piece] = []
    denied = False
    for piece in pieces:
        if denied and piece.is_a(Kind.NUMBER):
            turned.append(_FRAME)
        elif denied and piece.is_a(Kind.VERDICT):
            turned.append(evolve(piece, value=2.0) if piece.value > 3 else UNKNOWN)
        else:
            turned.append(piece)
        denied = piece.is_a(Kind.NEGATION) or (denied and piece.is_a(Kind.FRAME, Kind.ARTICLE, Kind.TRIGGER))
    return turned


# --- what may be believed --------------------------------------------------------------------------------------------


def _clauses(pieces: Sequence[Piece]) -> Iterator[list[Piece]]:
    """Yield the parts of the answer between punctuation marks."""
    clause: list[Piece] = []
    for piece in pieces:
        if piece.is_a(Kind.BREAK):
            yield clause
            clause = []
        else:
            clause.append(piece)
    yield clause


def _believable(clause: Sequence[Piece]) -> list[Piece]:
    """Return *clause*; where it also speaks of something else, its bare numbers and verdicts are unknown words."""
    if not any(piece.is_a(Kind.UNKNOWN) for piece in clause):
        return list(clause)
    return [UNKNOWN if piece.is_a(Kind.NUMBER, Kind.VERDICT) and not piece.sure else piece for piece in clause]


def _meant(pieces: Sequence[Piece]) -> Rating:
    def has(*kinds: Kind) -> bool:
        return any(piece.is_a(*kinds) for piece in pieces)

    if has(Kind.OTHER_SCALE):
        return Unclear()
    if has(Kind.NUMBER):
        return _by_number(pieces)
    if has(Kind.REFUSAL):
        return Declined()
    if has(Kind.VERDICT):
        return Unclear() if _is_no(pieces) else _by_verdict(pieces)
    if has(Kind.FAREWELL):
        return Declined()
    if has(Kind.UNKNOWN):
        return Unclear()
    if _is_no(pieces):
        return Declined()
    return _by_single_word(pieces)


def _is_no(pieces: Sequence[Piece]) -> bool:
    return any(piece.is_a(Kind.NO) for piece in pieces)


def _by_number(pieces: Sequence[Piece]) -> Rating:
    """Take the number that was not taken back; two that both stand are none."""
    chosen, taken_back = None, False
    for piece in pieces:
        if not piece.is_a(Kind.NUMBER):
            taken_back = taken_back or piece.is_a(Kind.CORRECTION, Kind.NO, Kind.HESITATION, Kind.REFUSAL)
            continue
        if chosen is None or taken_back or piece.value == chosen.value or piece.sure > chosen.sure:
            chosen = piece
        elif piece.sure == chosen.sure:
            return Unclear()
        taken_back = False
    assert chosen is not None
    last = max(at for at, piece in enumerate(pieces) if piece.is_a(Kind.NUMBER))
    if any(piece.is_a(Kind.REFUSAL) for piece in pieces[last:]):
        return Declined()
    if any(piece.is_a(Kind.NO) and not piece.is_a(Kind.ARTICLE) for piece in pieces[last:]):  # a mere "ne?" is none
        return Unclear()
    if any(piece.is_a(Kind.VERDICT) and abs(piece.value - chosen.value) >= CLASH for piece in pieces):
        return Unclear()
    return _rounded(chosen.value)


def _by_verdict(pieces: Sequence[Piece]) -> Rating:
    values = [piece.value for piece in pieces if piece.is_a(Kind.VERDICT)]
    return _rounded(values[-1]) if max(values) - min(values) <= 1 else Unclear()


def _by_single_word(pieces: Sequence[Piece]) -> Rating:
    """Take an article or a homophone that is all there is: "eine", "for"."""
    content = [piece for piece in pieces if not piece.is_a(Kind.HESITATION, Kind.UNIT, Kind.FRAME)]
    if content and all(piece.is_a(Kind.ARTICLE) and piece.value for piece in content):
        return Rated(WORST)
    alone = [piece for piece in pieces if not piece.is_a(Kind.HESITATION, Kind.UNIT, Kind.ARTICLE)]
    if len(alone) == 1 and alone[0].is_a(Kind.HOMOPHONE):
        return _rounded(alone[0].value)
    return Unclear()


def _rounded(value: float) -> Rating:
    return Rated(math.ceil(value - 0.5)) if WORST <= value <= BEST else Unclear()
