"""What happened in a simulated call, in order: the happenings, the line's doings and the engines'."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

import attrs
import trio
from attrs import define, field

from tomrt.happenings import Happening

__all__ = ["Entry", "Record"]


@define(eq=False)
class Entry:
    """One line of the record.

    Args:
        at: Seconds on the virtual clock.
        kind: ``CallStarted`` and so on for happenings; ``line.audio``, ``stt.asked`` and so on for the world around.
        what: The happening, or the fields of the entry.
    """

    at: float
    kind: str
    what: Any

    def __str__(self) -> str:
        """Return the canonical line; equal records have equal lines."""
        what: Any = self.what
        names = what if isinstance(what, dict) else _names(what.__class__)
        fields = [(name, what[name] if isinstance(what, dict) else getattr(what, name)) for name in names]
        return " ".join([f"{self.at:.6f}", self.kind, *(f"{name}={value!r}" for name, value in fields)])


@cache
def _names(kind: Any) -> tuple[str, ...]:
    return tuple(each.name for each in attrs.fields(kind) if each.name not in {"call_id", "at"})


@define(eq=False)
class Record:
    """Takes down everything; implements the Tap port.

    Args:
        watch: Looks at each entry as it comes.
    """

    watch: Callable[[Entry], None]
    entries: list[Entry] = field(factory=list, init=False)

    def put(self, happening: Happening) -> None:
        """Take down a happening of the call."""
        self._add(Entry(happening.at, type(happening).__name__, happening))

    def note(self, kind: str, /, **fields: object) -> None:
        """Take down something of the world around the call."""
        self._add(Entry(trio.current_time(), kind, fields))

    def _add(self, entry: Entry) -> None:
        self.entries.append(entry)
        self.watch(entry)

    def lines(self) -> Iterator[str]:
        """Yield the canonical lines."""
        return map(str, self.entries)

    def digest(self) -> str:
        """Return the SHA-256 of the canonical lines."""
        return hashlib.sha256("\n".join(self.lines()).encode()).hexdigest()
