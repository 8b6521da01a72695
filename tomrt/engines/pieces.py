"""What a voice does with any text before it speaks: bound it, clean it, cut it into pieces for one job each.

A voice's thread is shared by calls, and a job's audio is buffered whole so that play-out does not hold the thread.
That needs jobs of bounded length. The sentences of a reply are within it and stay whole.
"""

from __future__ import annotations

from collections.abc import Iterator

from tomrt.errors import EngineError

__all__ = ["MAX_TEXT_CHARS", "PIECE_CHARS", "pieces"]

MAX_TEXT_CHARS = 4000
"""Longest text of one ``speak``: about four minutes of speech."""

PIECE_CHARS = 300
"""Longest text of one job: 20 to 30 s of audio."""


def pieces(text: str) -> Iterator[tuple[int, str]]:
    """Cut *text* into pieces of at most 300 characters at a sentence's end, a comma or a space.

    Control characters become spaces, one for one; pieces of nothing but white space are left out.

    Yields:
        Where a piece begins in *text*, and the piece.

    Raises:
        EngineError: *text* has more than 4000 characters.
    """
    if len(text) > MAX_TEXT_CHARS:
        raise EngineError(f"A text of {len(text)} characters is too long to voice; {MAX_TEXT_CHARS} are allowed.")
    clean = "".join(" " if char < " " or char == "\x7f" else char for char in text)
    start = 0
    while start < len(clean):
        end = _end(clean, start)
        if not clean[start:end].isspace():
            yield start, clean[start:end]
        start = end


def _end(text: str, start: int) -> int:
    limit = start + PIECE_CHARS
    if len(text) <= limit:
        return len(text)
    ends = (text.rfind(mark, start, limit) + len(mark) for mark in (". ", "? ", "! ", ", ", " "))
    return next((end for end in ends if end - start > PIECE_CHARS // 2), limit)
