"""The audit log: what happened to which variant, when, why and by whom; lines are only ever added."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

from tomrt.rl.errors import InvalidState, StoreError
from tomrt.rl.stage import Change, Stage
from tomrt.rl.state_fields import number, text

__all__ = ["AuditLog"]


class AuditLog:
    """A file of JSON lines, one for each change, readable by its owner only.

    A line is on the disk when :meth:`write` returns. A power cut may leave the beginning of a line; it is passed over
    when the file is read, and what is written next begins on a line of its own.

    Args:
        path: The file. It is made with the first line; its folder must be there.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def write(self, change: Change) -> None:
        """Append a change and wait until it is on the disk. Raises StoreError."""
        try:
            line = json.dumps(_to_json(change), ensure_ascii=False, allow_nan=False).encode() + b"\n"
            file = os.open(self._path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                _append(file, line)
            finally:
                os.close(file)
        except OSError as fault:
            raise StoreError(f"audit log {self._path}: cannot be written: {fault.strerror}") from fault
        except ValueError as fault:
            raise StoreError(f"audit log {self._path}: a change of {change.variant!r} is no JSON: {fault}") from fault

    def read(self) -> Iterator[Change]:
        """Yield all changes in the order of writing; none where there is no file. Raises StoreError.

        Lines that are not whole are passed over.
        """
        try:
            with self._path.open("rb") as file:
                for line in file:
                    change = _from_line(line)
                    if change is not None:
                        yield change
        except FileNotFoundError:
            return
        except OSError as fault:
            raise StoreError(f"audit log {self._path}: cannot be read: {fault.strerror}") from fault


def _append(file: int, line: bytes) -> None:
    """Write a line with one call of the system, after a line end where the last line is torn."""
    end = os.fstat(file).st_size
    if end and os.pread(file, 1, end - 1) != b"\n":
        line = b"\n" + line
    written = os.write(file, line)
    if written != len(line):
        raise OSError(0, f"{written} of {len(line)} bytes were written")
    os.fsync(file)


def _to_json(change: Change) -> dict[str, object]:
    return {
        "at": change.at,
        "variant": change.variant,
        "before": change.before.value,
        "after": change.after.value,
        "why": change.why,
        "by": change.by,
        "evidence": dict(change.evidence),
    }


def _from_line(line: bytes) -> Change | None:
    """Return what a line says, ``None`` where it is not whole."""
    try:
        data = json.loads(line)
        where = "audit log"
        if not isinstance(data, dict) or not isinstance(data.get("evidence"), dict):
            return None
        evidence = tuple((name, number(data["evidence"], name, where)) for name in data["evidence"])
        before, after = Stage(text(data, "before", where)), Stage(text(data, "after", where))
        names = [text(data, name, where) for name in ("variant", "why", "by")]
        return Change(number(data, "at", where), names[0], before, after, names[1], names[2], evidence)
    except (ValueError, RecursionError, InvalidState):
        return None
