"""Splitting a command line as FreeSWITCH does: at spaces, except within single quotes."""

from __future__ import annotations

import re

__all__ = ["split_words", "variables_in"]

WORD = re.compile(r"(?:'(?:\\.|[^'\\])*'|[^ ])+")


def split_words(text: str, most: int = 0) -> list[str]:
    """Return the words of *text*, single quotes taken away; at most *most* of them, the last one with all the rest."""
    found: list[str] = []
    at = 0
    while match := WORD.search(text, at):
        if most and len(found) == most - 1:
            return [*found, text[match.start() :].strip()]
        found.append(_bare(match[0]))
        at = match.end()
    return found


def variables_in(text: str) -> tuple[dict[str, str], str]:
    """Return the ``{a=1,b='x,y'}`` in front of a dial string, and what follows it."""
    if not text.startswith("{"):
        return {}, text
    inside, _, rest = text[1:].partition("}")
    pairs = re.findall(r"([^=,]+)=('(?:[^'])*'|[^,]*)", inside)
    return {name.strip(): _bare(value) for name, value in pairs}, rest


def _bare(word: str) -> str:
    return re.sub(r"'((?:\\.|[^'\\])*)'", lambda match: match[1].replace("\\'", "'"), word)
