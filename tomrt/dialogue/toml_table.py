"""Reading a TOML file table by table, noting every fault with its file and line instead of stopping at the first."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from difflib import get_close_matches

from attrs import define, field, frozen

__all__ = ["Faults", "Table"]

_HEADER = re.compile(r"\s*\[([^\[\]]+)\]\s*(#.*)?$")
_KEY = re.compile(r"\s*([A-Za-z0-9_-]+|\"[^\"]*\"|'[^']*')\s*=")


@define
class Faults:
    """Collects the faults of one file.

    Args:
        source: The file's name, as the operator knows it.
        text: The file's text, from which line numbers are found.
    """

    source: str
    text: str = field(repr=False)
    found: list[str] = field(factory=list)
    lines: dict[tuple[str, ...], int] = field(init=False, repr=False)

    def __attrs_post_init__(self) -> None:
        self.lines = _lines_of_keys(self.text)

    def note(self, path: tuple[str, ...], sentence: str) -> None:
        """Note that *sentence* is wrong with what stands at *path*."""
        line = next((self.lines[path[:n]] for n in range(len(path), 0, -1) if path[:n] in self.lines), 1)
        self.found.append(f"{self.source}:{line}: {'.'.join(path) or 'file'}: {sentence}")


def _lines_of_keys(text: str) -> dict[tuple[str, ...], int]:
    """Return the line, from 1, on which each table or key first stands."""
    lines: dict[tuple[str, ...], int] = {}
    table: tuple[str, ...] = ()
    for number, line in enumerate(text.splitlines(), start=1):
        if header := _HEADER.match(line):
            table = tuple(part.strip().strip("\"'") for part in header[1].split("."))
            lines.setdefault(table, number)
        elif key := _KEY.match(line):
            lines.setdefault((*table, key[1].strip("\"'")), number)
    return lines


@frozen
class Table:
    """One table of the file; what is missing or of the wrong type is noted and replaced by something harmless."""

    faults: Faults = field(repr=False)
    path: tuple[str, ...]
    entries: Mapping[str, object]

    def note(self, key: str, sentence: str) -> None:
        """Note that *sentence* is wrong with *key* of this table."""
        self.faults.note((*self.path, key) if key else self.path, sentence)

    def allow(self, keys: Iterable[str]) -> None:
        """Note every key that is not among *keys*, with the one that was probably meant."""
        known = list(keys)
        for key in self.entries:
            if key not in known:
                near = get_close_matches(key, known, n=1, cutoff=0.0)
                self.note(key, "is not a known key" + (f"; did you mean {near[0]!r}?" if near else ""))

    def text(self, key: str, default: str | None = None) -> str:
        """Return a string that is not empty; without *default* it must be there."""
        value = self.entries.get(key)
        if value is None and default is not None:
            return default
        if isinstance(value, str) and value.strip():
            return value
        self.note(key, "is missing" if value is None else "must be a text that is not empty")
        return default or ""

    def texts(self, key: str, *, required: bool = True) -> tuple[str, ...]:
        """Return a list of strings that are not empty; one string counts as a list of one."""
        value = self.entries.get(key)
        if value is None and not required:
            return ()
        listed = [value] if isinstance(value, str) else value
        if isinstance(listed, list) and listed and all(isinstance(item, str) and item.strip() for item in listed):
            return tuple(listed)
        self.note(key, "is missing" if value is None else "must be a list of texts that are not empty")
        return ()

    def number(self, key: str, default: int) -> int:
        """Return a whole number of at least 1."""
        value = self.entries.get(key, default)
        if isinstance(value, int) and not isinstance(value, bool) and value >= 1:
            return value
        self.note(key, "must be a whole number of at least 1")
        return default

    def flag(self, key: str) -> bool:
        """Return true or false, false when it is missing."""
        value = self.entries.get(key, False)
        if not isinstance(value, bool):
            self.note(key, "must be true or false")
        return value is True

    def table(self, key: str, *, required: bool = False) -> Table:
        """Return the table under *key*, an empty one when it is missing."""
        value = self.entries.get(key)
        if not isinstance(value, dict):
            if value is not None or required:
                self.note(key, "is missing" if value is None else "must be a table")
            value = {}
        return Table(self.faults, (*self.path, key), value)

    def tables(self) -> tuple[tuple[str, Table], ...]:
        """Return the tables in this one, by name and in the file's order."""
        return tuple((key, self.table(key)) for key in self.entries)

    def text_pairs(self) -> tuple[tuple[str, str], ...]:
        """Return all entries of this table, which must be strings."""
        return tuple((key, self.text(key)) for key in self.entries)
