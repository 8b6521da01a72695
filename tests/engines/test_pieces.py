from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tomrt.engines.pieces import MAX_TEXT_CHARS, PIECE_CHARS, pieces
from tomrt.errors import EngineError


@given(st.text(max_size=PIECE_CHARS))
def test_short_text_stays_whole(text):
    """A sentence of a reply is one piece, or none when there is nothing in it."""
    assert [start for start, _ in pieces(text)] in ([], [0])


@given(st.lists(st.sampled_from(["word ", "word, ", "End. ", "x" * 40, "\n", "\0", "é"]), max_size=600).map("".join))
def test_pieces_are_bounded_and_in_place(text):
    """Pieces are bounded, stand where they say, and leave out nothing but white space and control characters."""
    text, covered = text[:MAX_TEXT_CHARS], set()
    for start, piece in pieces(text):
        assert 0 < len(piece) <= PIECE_CHARS
        assert piece == "".join(max(char, " ") for char in text[start : start + len(piece)])
        covered.update(range(start, start + len(piece)))
    assert all(text[index] < " " or text[index].isspace() for index in set(range(len(text))) - covered)


def test_cut_at_the_end_of_a_sentence():
    """A long text is cut behind a full stop rather than in a sentence."""
    assert all(piece.endswith("five. ") for _, piece in pieces("one two three four five. " * 100))


def test_too_long():
    """A text beyond the bound is refused with a sentence that says both lengths."""
    with pytest.raises(EngineError, match="4001 characters is too long to voice; 4000 are allowed"):
        list(pieces("a" * (MAX_TEXT_CHARS + 1)))
