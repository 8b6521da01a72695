"""Files of variants as nested tables: one laid over the other, with every fault noted at its file and line."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from difflib import get_close_matches

from attrs import define, field, frozen

from tomrt.rl.errors import InvalidVariants

__all__ = ["Layer", "Layers", "Table", "laid_over", "layer"]

MAX_TEXT_CHARS = 400
"""Longer texts take more than half a minute to say."""

_HEADER = re.compile(r"\s*\[([^\[\]]+)\]\s*(#.*)?$")
_KEY = re.compile(r"\s*((?:[A-Za-z0-9_-]+|\"[^\"]*\"|'[^']*')(?:\s*\.\s*(?:[A-Za-z0-9_-]+|\"[^\"]*\"|'[^']*'))*)\s*=")
_PLACEHOLDER = re.compile(r"\{[A-Za-z_][A-Za-z0-9_]*\}")


@frozen
class Layer:
    """One file: its name, its tables, and the line, from 1, on which each table or key first stands."""

    source: str
    entries: Mapping[str, object] = field(repr=False)
    lines: Mapping[tuple[str, ...], int] = field(repr=False)


def layer(text: str, source: str) -> Layer:
    """Read one file.

    Raises:
        InvalidVariants: *text* is not TOML 1.0.
    """
    try:
        return Layer(source, tomllib.loads(text), _lines_of_keys(text))
    except tomllib.TOMLDecodeError as error:
        raise InvalidVariants(f"{source}: is not TOML: {error}") from None


def _lines_of_keys(text: str) -> dict[tuple[str, ...], int]:
    lines: dict[tuple[str, ...], int] = {}
    table: tuple[str, ...] = ()
    for number, line in enumerate(text.splitlines(), start=1):
        if header := _HEADER.match(line):
            table = _parts(header[1])
            lines.setdefault(table, number)
        elif key := _KEY.match(line):
            lines.setdefault((*table, *_parts(key[1])), number)
    return lines


def _parts(dotted: str) -> tuple[str, ...]:
    return tuple(part.strip().strip("\"'") for part in dotted.split("."))


def laid_over(below: Mapping[str, object], above: Mapping[str, object]) -> dict[str, object]:
    """Return *below* with the entries of *above* in it; tables are merged, everything else is replaced."""
    merged = dict(below)
    for key, value in above.items():
        under = merged.get(key)
        both = isinstance(under, Mapping) and isinstance(value, Mapping)
        merged[key] = laid_over(under, value) if both else value  # type: ignore[arg-type]  # mypy: both says it
    return merged


@define
class Layers:
    """Files that make one set of variants, the uppermost last, and the faults found in them."""

    layers: Sequence[Layer]
    found: list[str] = field(factory=list)

    def note(self, path: tuple[str, ...], sentence: str, *, slot: str = "") -> None:
        """Note that *sentence* is wrong with what stands at *path*; *slot* is the slot that it is about."""
        size, source, line = 0, self.layers[-1].source, 1
        for each in self.layers:
            known = next((n for n in range(len(path), 0, -1) if path[:n] in each.lines), 0)
            if known >= size and known:
                size, source, line = known, each.source, each.lines[path[:known]]
        about = f"slot {slot!r}: " if slot else ""
        where = ".".join(path[:2] if slot else path) or "file"
        self.found.append(f"{source}:{line}: {where}: {about}{sentence}")

    def refuse(self) -> None:
        """Raise what was found.

        Raises:
            InvalidVariants: something was.
        """
        if self.found:
            raise InvalidVariants(*self.found)


@frozen
class Table:
    """One table of the merged files; what is wrong in it is noted and replaced by something harmless."""

    layers: Layers = field(repr=False)
    path: tuple[str, ...]
    entries: Mapping[str, object]

    def note(self, key: str, sentence: str) -> None:
        """Note that *sentence* is wrong with *key* of this table, or with the table itself where *key* is empty."""
        self.layers.note((*self.path, key) if key else self.path, sentence)

    def allow(self, keys: Iterable[str]) -> None:
        """Note every key that is not among *keys*, with the one that was probably meant."""
        known = list(keys)
        for key in self.entries:
            if key not in known:
                near = get_close_matches(key, known, n=1, cutoff=0.0)
                self.note(key, "is not a known key" + (f"; did you mean {near[0]!r}?" if near else ""))

    def table(self, key: str) -> Table:
        """Return the table under *key*, an empty one where it is missing."""
        value = self.entries.get(key, {})
        if not isinstance(value, Mapping):
            self.note(key, "must be a table")
            value = {}
        return Table(self.layers, (*self.path, key), value)

    def tables(self) -> tuple[tuple[str, Table], ...]:
        """Return the tables in this one, by name and in the order of the files."""
        return tuple((key, self.table(key)) for key in self.entries)

    def word(self, key: str, words: Sequence[str], default: str) -> str:
        """Return one of *words*."""
        value = self.entries.get(key, default)
        if isinstance(value, str) and value in words:
            return value
        self.note(key, f"must be one of {', '.join(words)}, not {value!r}")
        return default

    def number(self, key: str, low: int, high: int) -> int | None:
        """Return a whole number from *low* to *high*, ``None`` where it is missing."""
        value = self.entries.get(key)
        if value is None or (isinstance(value, int) and not isinstance(value, bool) and low <= value <= high):
            return value
        self.note(key, f"must be a whole number from {low} to {high}")
        return None

    def text(self, key: str) -> str:
        """Return something that can be said, ``""`` where it is missing."""
        value = self.entries.get(key)
        if value is None:
            return ""
        if (wrong := _wrong_with(value)) is None:
            return str(value)
        self.note(key, wrong)
        return ""

    def texts(self, key: str, most: int) -> tuple[str, ...]:
        """Return up to *most* things that can be said; one text counts as a list of one."""
        value = self.entries.get(key)
        if value is None:
            return ()
        listed = [value] if isinstance(value, str) else value
        if not isinstance(listed, list) or not 0 < len(listed) <= most:
            self.note(key, f"must be a list of one to {most} texts")
            return ()
        wrongs = [f"text {number}: {wrong}" for number, each in enumerate(listed, 1) if (wrong := _wrong_with(each))]
        for wrong in wrongs:
            self.note(key, wrong)
        return () if wrongs else tuple(listed)


def _wrong_with(value: object) -> str | None:
    """Return why *value* cannot be said, ``None`` if it can."""
    if not isinstance(value, str) or not value.strip():
        return "must be a text that is not empty"
    if len(value) > MAX_TEXT_CHARS:
        return f"has {len(value)} characters; {MAX_TEXT_CHARS} are the most"
    if any(not char.isprintable() for char in value):
        return "has a line break or another character that cannot be said"
    if set(_PLACEHOLDER.sub("", value)) & {"{", "}"}:
        return "has a brace that is not part of a fact's name, as in {name}"
    return None
