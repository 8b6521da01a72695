"""What a command shows on a terminal: colours where they are wanted, and one line that moves."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TextIO

__all__ = ["BOLD", "DIM", "GREEN", "RED", "Terminal", "printable"]

GREEN, RED, DIM, BOLD = 32, 31, 2, 1


def printable(text: str) -> str:
    """Return *text* in one line without control characters: what a peer says may not steer the terminal."""
    return "".join(char for char in " ".join(text.split()) if char.isprintable())


class Terminal:
    """A stream that may be a terminal.

    Args:
        stream: Where to write.
        environ: ``NO_COLOR`` (any value) and ``TERM=dumb`` switch colours and the moving line off.
    """

    def __init__(self, stream: TextIO, environ: Mapping[str, str]) -> None:
        self._stream = stream
        self.live = stream.isatty() and environ.get("TERM", "dumb") != "dumb"
        self.colour = self.live and not environ.get("NO_COLOR")
        self._status_shown = False

    def line(self, text: str = "", style: int | None = None) -> None:
        """Write a line, in one of the SGR styles of this module where colours are wanted."""
        self.clear()
        print(f"\033[{style}m{text}\033[0m" if style and self.colour else text, file=self._stream)

    def status(self, text: str) -> None:
        """Show *text* in the moving line; nothing where there is no terminal."""
        if self.live:
            print(f"\r\033[K{printable(text)[:76]}", end="", file=self._stream, flush=True)
            self._status_shown = True

    def clear(self) -> None:
        """Take the moving line away."""
        if self._status_shown:
            print("\r\033[K", end="", file=self._stream, flush=True)
            self._status_shown = False
