"""A state in a file that is there whole or not at all, with its predecessors kept, and a lock for its one writer."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tomrt.rl.errors import InvalidState, LearningError, StoreError

__all__ = ["StateFile"]

SCHEMA = 1
_HEAD = b'{"schema": %d, "sha256": "%s", "data": '
_TAIL = b"}\n"
_HEAD_BYTES = len(_HEAD % (SCHEMA, b"0" * 64))


class StateFile:
    """A JSON document at *path*, with older generations beside it as ``path.1``, ``path.2`` and so on.

    Written into another file of the same folder, flushed to the disk, and renamed; after that the folder is flushed.
    A process that is killed, or a power cut, leaves the former state or the new one. It costs some milliseconds of
    waiting for the disk, so it is no business of the thread that decides.

    Args:
        path: Its folder is made where there is none (0700). The file can be read by its owner only (0600).
        generations: How many are kept, the newest with them.
    """

    def __init__(self, path: Path, generations: int = 3) -> None:
        if generations < 1:
            raise LearningError("a state file keeps at least one generation")
        self.path = path
        self.source: Path | None = None
        """Where :meth:`load` found the state."""
        self.faults: tuple[str, ...] = ()
        """Why it had to pass newer generations by, one sentence each."""
        self._paths = [path, *(path.with_name(f"{path.name}.{number}") for number in range(1, generations))]
        self._lock: int | None = None

    def save(self, data: Mapping[str, Any]) -> None:
        """Write *data*; the present state becomes the one before.

        Raises:
            InvalidState: *data* is no JSON, as where a number is not finite; nothing was written.
            StoreError: The disk is full, or the folder cannot be written; the present state is as it was.
        """
        try:
            text = json.dumps(data, allow_nan=False).encode()
        except (TypeError, ValueError) as fault:
            raise InvalidState(f"the state cannot be written as JSON: {fault}") from None
        partial = self.path.with_name(self.path.name + ".tmp")
        try:
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            _write(partial, _HEAD % (SCHEMA, hashlib.sha256(text).hexdigest().encode()) + text + _TAIL)
            for newer, older in reversed(list(zip(self._paths, self._paths[1:], strict=False))):
                if newer.exists():
                    newer.replace(older)
            partial.replace(self.path)
            _flush_folder(self.path.parent)
        except OSError as fault:
            raise StoreError(f"the state {self.path} cannot be written: {fault.strerror}") from fault

    def load(self) -> dict[str, Any] | None:
        """Return the newest state that is whole, ``None`` where none was ever saved.

        :attr:`source` and :attr:`faults` tell which generation it is.

        Raises:
            InvalidState: There are files, but none of them is whole; or one is of a newer version.
            StoreError: A file cannot be read.
        """
        faults: list[str] = []
        self.source = None
        for path in self._paths:
            try:
                data = _read(path)
            except FileNotFoundError:
                continue
            except OSError as fault:
                raise StoreError(f"the state {path} cannot be read: {fault.strerror}") from fault
            except _Damaged as fault:
                faults.append(f"{path} is damaged: {fault}")
                continue
            self.source, self.faults = path, tuple(faults)
            return data
        self.faults = tuple(faults)
        if faults:
            raise InvalidState(*faults)
        return None

    def lock(self) -> None:
        """Make this process the only one that uses the folder, until :meth:`unlock` or its end.

        Raises:
            LearningError: Another process has it.
            StoreError: The lock's file cannot be made.
        """
        path = self.path.with_name("lock")
        try:
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as fault:
            raise StoreError(f"the lock {path} cannot be made: {fault.strerror}") from fault
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            owner = os.read(handle, 32).decode("ascii", "replace").strip()
            os.close(handle)
            raise LearningError(
                f"another service uses the folder {self.path.parent} (process {owner or 'unknown'})"
            ) from None
        os.ftruncate(handle, 0)
        os.pwrite(handle, f"{os.getpid()}\n".encode(), 0)
        self._lock = handle

    def unlock(self) -> None:
        """Let others use the folder; nothing happens where it is not locked."""
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None


class _Damaged(Exception):  # noqa: N818 - reads as the fact it states
    """A file holds no whole state; one clause says what is wrong with it."""


def _write(path: Path, text: bytes) -> None:
    """Write a new file and wait until the disk has it."""
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())


def _flush_folder(folder: Path) -> None:
    """Wait until the disk has the names in *folder*."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _read(path: Path) -> dict[str, Any]:
    """Return the state in the file at *path*."""
    content = path.read_bytes()
    text = content[_HEAD_BYTES : -len(_TAIL)]
    if content != _HEAD % (SCHEMA, hashlib.sha256(text).hexdigest().encode()) + text + _TAIL:
        _refuse_newer(path, content)
        raise _Damaged("its checksum does not fit")
    try:
        data = json.loads(text)
    except ValueError:
        raise _Damaged("it is no JSON") from None
    if not isinstance(data, dict):
        raise _Damaged("it is no object")
    return data


def _refuse_newer(path: Path, content: bytes) -> None:
    """Raise where a file is not damaged, but of a version that is not known here."""
    begin, _, rest = content.partition(b",")
    number = begin.removeprefix(b'{"schema": ')
    if rest and number.isdigit() and int(number[:9]) > SCHEMA:
        raise InvalidState(f"the state {path} was written by a newer version")
