"""The feedback database: its tables, how older files are brought up to date, and how SQLite's faults are told."""

from __future__ import annotations

import functools
import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Concatenate, ParamSpec, Protocol, TypeVar

from tomrt.rl.errors import StoreError

__all__ = ["MIGRATIONS", "VERSION", "open_database", "open_read_only", "transaction", "translated"]

APPLICATION_ID = 0x746F6D66
_CHECKPOINT_PAGES = 4000
"""A commit has three pages or four; each checkpoint waits for the disk. A log of 16 MB is nothing to read."""
# AUTOINCREMENT: a number is never given twice, also after rows were deleted. Who has learned up to a number may rely
# on all later rows having higher ones.
_DECISIONS = (
    "CREATE TABLE decisions (seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE,"
    " at INTEGER NOT NULL, stored INTEGER NOT NULL, call TEXT NOT NULL, subject TEXT NOT NULL,"
    " agent TEXT NOT NULL, profile TEXT NOT NULL, variant TEXT NOT NULL, propensity REAL NOT NULL,"
    " policy TEXT NOT NULL, version INTEGER NOT NULL, eligible TEXT NOT NULL, probabilities TEXT NOT NULL,"
    " context TEXT NOT NULL, traffic TEXT NOT NULL, independent INTEGER NOT NULL)"
)
_FEEDBACK = (
    "CREATE TABLE feedback (seq INTEGER PRIMARY KEY AUTOINCREMENT,"
    " decision INTEGER NOT NULL REFERENCES decisions (seq) ON DELETE CASCADE, at INTEGER NOT NULL,"
    " resolution REAL, user_rating INTEGER, barge_in_count INTEGER, handover INTEGER, duration_sec REAL,"
    " repeats INTEGER, escalation INTEGER, satisfaction REAL, observed TEXT NOT NULL)"
)
_OVERRIDES = (
    "CREATE TABLE overrides (seq INTEGER PRIMARY KEY AUTOINCREMENT, at INTEGER NOT NULL, variant TEXT NOT NULL,"
    " stage TEXT NOT NULL, by TEXT NOT NULL, why TEXT NOT NULL)"
)
MIGRATIONS: tuple[tuple[str, ...], ...] = (
    (_DECISIONS, _FEEDBACK, "CREATE INDEX feedback_of_decision ON feedback (decision)"),
    (_OVERRIDES, "CREATE TABLE counts (name TEXT PRIMARY KEY, number INTEGER NOT NULL)"),
)
"""The statements that lead from each version to the next; a new file goes through all of them."""

VERSION = len(MIGRATIONS)


def open_database(path: Path, *, patience_s: float) -> sqlite3.Connection:
    """Return a connection that may write, on a file that is made or brought up to date where need be.

    Args:
        path: The file; only its owner may read it (0600), as the two that SQLite puts beside it.
        patience_s: How long another process's lock is waited for.

    Raises:
        StoreError: It cannot be opened, is no feedback database, or was written by a newer version.
    """
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        os.fchmod(handle, 0o600)
        os.close(handle)
    except OSError as fault:
        raise StoreError(f"the feedback database {path} cannot be opened: {fault.strerror}") from fault
    connection = sqlite3.connect(path, timeout=patience_s, isolation_level=None, check_same_thread=False)
    with _closed_on_fault(connection, path):
        _migrate(connection, path)
        _configure(connection, path)
    return connection


@contextmanager
def _closed_on_fault(connection: sqlite3.Connection, path: Path) -> Iterator[None]:
    """Close *connection* where it turns out to be of no use, and say why in a sentence."""
    try:
        yield
    except sqlite3.Error as fault:
        connection.close()
        raise StoreError(_sentence(path, fault)) from fault
    except StoreError:
        connection.close()
        raise


def _configure(connection: sqlite3.Connection, path: Path) -> None:
    """Set what must hold: commits wait for no disk, feedback goes with its decision, what is deleted is overwritten."""
    if connection.execute("PRAGMA journal_mode = WAL").fetchone()[0] != "wal":
        raise StoreError(f"the feedback database {path} cannot have a write-ahead log; is it on a network drive?")
    settings = (
        "synchronous = NORMAL",
        "foreign_keys = ON",
        "secure_delete = ON",
        f"wal_autocheckpoint = {_CHECKPOINT_PAGES}",
    )
    for setting in settings:
        connection.execute(f"PRAGMA {setting}")


def open_read_only(path: Path, *, patience_s: float) -> sqlite3.Connection:
    """Return a connection that cannot write; it sees what a running service commits.

    Raises:
        StoreError: There is no file, it is no feedback database, or it is of another version.
    """
    if not path.exists():
        raise StoreError(f"there is no feedback database at {path}")
    try:
        connection = sqlite3.connect(
            f"{path.absolute().as_uri()}?mode=ro",
            uri=True,
            timeout=patience_s,
            isolation_level=None,
            check_same_thread=False,
        )
    except sqlite3.Error as fault:
        raise StoreError(_sentence(path, fault)) from fault
    with _closed_on_fault(connection, path):
        _refuse_older(connection, path)
    return connection


def _refuse_older(connection: sqlite3.Connection, path: Path) -> None:
    """Raise where a file has not the present tables; who may not write cannot bring it up to date."""
    if (version := _version(connection, path)) < VERSION:
        raise StoreError(
            f"the feedback database {path} is of version {version}; a service that starts brings it to {VERSION}"
        )


def _version(connection: sqlite3.Connection, path: Path) -> int:
    """Return the version of a file, 0 for an empty one."""
    version: int = connection.execute("PRAGMA user_version").fetchone()[0]
    is_empty = connection.execute("SELECT COUNT(*) FROM sqlite_master").fetchone()[0] == 0
    if connection.execute("PRAGMA application_id").fetchone()[0] != APPLICATION_ID and not (is_empty and not version):
        raise StoreError(f"{path} is a database, but not one of feedback")
    if version > VERSION:
        raise StoreError(f"the feedback database {path} is of version {version}; this program knows {VERSION} at most")
    return version


def _migrate(connection: sqlite3.Connection, path: Path) -> None:
    """Bring a file to the present version, in one transaction."""
    if _version(connection, path) == VERSION:
        return
    with transaction(connection):
        for statements in MIGRATIONS[_version(connection, path) :]:
            for statement in statements:
                connection.execute(statement)
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        connection.execute(f"PRAGMA user_version = {VERSION}")


@contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """Do all of it or nothing, and keep other writers away meanwhile."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    finally:
        if connection.in_transaction:
            connection.execute("ROLLBACK")


_MEANINGS = {
    sqlite3.SQLITE_BUSY: "is locked by another process",
    sqlite3.SQLITE_LOCKED: "is locked by another process",
    sqlite3.SQLITE_FULL: "cannot grow: the disk is full",
    sqlite3.SQLITE_READONLY: "cannot be written: it is read-only",
    sqlite3.SQLITE_CORRUPT: "is damaged",
    sqlite3.SQLITE_NOTADB: "is no database",
    sqlite3.SQLITE_IOERR: "cannot be read or written: the disk failed",
    sqlite3.SQLITE_CANTOPEN: "cannot be opened",
}


def _sentence(path: Path, fault: sqlite3.Error) -> str:
    """Return one sentence that says what is wrong with the database; nothing of what it holds is in it."""
    code = getattr(fault, "sqlite_errorcode", None)
    if code is None:
        return f"the feedback database {path} cannot be used: {str(fault).rstrip('.').lower()}"
    return f"the feedback database {path} {_MEANINGS.get(code & 0xFF, f'cannot be used: {fault}')}"


class _OnFile(Protocol):
    """Something that works on one database."""

    path: Path


_Owner = TypeVar("_Owner", bound=_OnFile)
_Arguments = ParamSpec("_Arguments")
_Result = TypeVar("_Result")


def translated(
    method: Callable[Concatenate[_Owner, _Arguments], _Result],
) -> Callable[Concatenate[_Owner, _Arguments], _Result]:
    """Make SQLite's faults in *method* faults of the store, one sentence each."""

    @functools.wraps(method)
    def guarded(self: _Owner, /, *args: _Arguments.args, **kwargs: _Arguments.kwargs) -> _Result:
        try:
            return method(self, *args, **kwargs)
        except sqlite3.Error as fault:
            raise StoreError(_sentence(self.path, fault)) from fault

    return guarded
