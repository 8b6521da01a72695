"""The feedback store: decisions and what became of them, in SQLite, with nothing that names a person.

What is written stands when the call returns: a process that is killed loses nothing. Flushing to the disk is left to
:meth:`FeedbackStore.sync` and to SQLite's own checkpoints, so a power cut may take the last rows, never the file.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from tomrt.rl import store_queries as queries
from tomrt.rl.decision import Decision
from tomrt.rl.errors import InvalidFeedback, StoreError
from tomrt.rl.feedback import PROFILES, SIGNALS, FeedbackEvent, Signals
from tomrt.rl.feedback_statistics import Statistics, VariantStatistics
from tomrt.rl.key_ring import KeyRing
from tomrt.rl.store_rows import (
    DECISION_COLUMNS,
    Collected,
    Episode,
    Learnt,
    Override,
    as_json,
    as_stored,
    counted,
    decision_of,
    decision_row,
    hour_of,
    hour_text,
    merged,
    signals_of,
    stored_text,
)
from tomrt.rl.store_schema import open_database, open_read_only, transaction, translated

__all__ = ["Collected", "Episode", "FeedbackStore", "Learnt", "Override", "Statistics", "VariantStatistics"]

PATIENCE_S = 2.0
_PAGE = 500
_LONGEST_WHY = 500


class FeedbackStore:
    """Decisions, feedback and overrides in one database. One thread uses an instance, whichever; one service writes.

    Made by :meth:`open` and :meth:`read_only`. Every method raises StoreError where the database is locked by another
    process for longer than it is worth waiting, the disk is full, or the file is damaged.
    """

    def __init__(
        self, connection: sqlite3.Connection, path: Path, keys: KeyRing | None, profiles: Sequence[str]
    ) -> None:
        self.path = path
        self._connection = connection
        self._keys = keys
        self._profiles = frozenset(profiles)
        self._data_version = self._seen_version()

    @classmethod
    def open(
        cls, path: Path, keys: KeyRing, *, profiles: Sequence[str] = PROFILES, patience_s: float = PATIENCE_S
    ) -> FeedbackStore:
        """Open the database at *path*, which is made (0600) or brought up to date where need be.

        Args:
            path: Not on a network drive.
            keys: For the pseudonyms of callers and calls.
            profiles: Those that the operator has; others are refused.
            patience_s: How long another process's lock is waited for.

        Raises:
            StoreError: It cannot be opened, is no feedback database, or was written by a newer version.
        """
        return cls(open_database(path, patience_s=patience_s), path, keys, profiles)

    @classmethod
    def read_only(cls, path: Path, keys: KeyRing | None = None, *, patience_s: float = PATIENCE_S) -> FeedbackStore:
        """Open the database beside a running service, to look only; *keys* are for :meth:`export`.

        Raises:
            StoreError: There is none, it is no feedback database, or it is of another version.
        """
        return cls(open_read_only(path, patience_s=patience_s), path, keys, PROFILES)

    # --- written by the service --------------------------------------------------------------------------------------

    @translated
    def record(
        self, decision: Decision, *, call_id: str, agent: str, profile: str, subject: str = "", now: float
    ) -> int:
        """Store a decision; the same one again changes nothing.

        Args:
            decision: Its time is rounded down to the hour, its context kept without what points at a person.
            call_id: The call's name, kept as a keyed hash.
            agent: Which assistant took the call.
            profile: What kind of assistant it is.
            subject: The caller's number or name, kept as a keyed hash.
            now: Seconds since 1970; from this hour on the retention counts.

        Returns:
            The decision's number, in a sequence of its own.

        Raises:
            InvalidFeedback: The decision or the profile cannot be stored.
        """
        self._check_profile(profile)
        keys = self._key_ring
        columns = decision_row(decision, hour_of(now))
        who = (decision.id, keys.pseudonym(call_id), keys.pseudonym(subject), stored_text(agent), profile)
        try:
            return self._inserted(queries.RECORD, who + columns)
        except sqlite3.IntegrityError:
            number: int = self._rows("SELECT seq FROM decisions WHERE id = ?", decision.id)[0][0]
            return number

    def _inserted(self, query: str, row: Sequence[object]) -> int:
        """Insert one row, and return its number."""
        number = self._connection.execute(query, row).lastrowid
        assert number is not None
        return number

    @translated
    def collect(self, event: FeedbackEvent, *, now: float) -> Collected:
        """Store what is new in *event*: signals that are known already stay as they are, late ones are added.

        Args:
            event: Its time is rounded down to the hour, the duration to whole seconds.
            now: Seconds since 1970; an event from the future counts as one of now.

        Raises:
            InvalidFeedback: The profile is unknown, or the decision was for another variant or another call.
        """
        self._check_profile(event.profile)
        told = as_stored(event.signals)
        row = self._connection.execute(queries.KNOWN, (event.decision_id,)).fetchone()
        if row is None:
            self._connection.execute(queries.COUNT, ("unknown",))
            return Collected(kind="unknown", seq=0, signals=told)
        decision, variant, call, subject, seq, observed, *values = row
        self._check_belongs(event, variant, call)
        before = None if seq is None else signals_of(values)
        signals = told if before is None else merged(before, told)
        if signals == before:
            self._count_duplicate(before, told)
            return Collected(kind="duplicate", seq=seq, signals=signals, before=before)
        chances = dict(event.observed) | json.loads(observed or "{}")
        columns = (decision, hour_of(min(event.ts, now)), *(getattr(signals, name) for name in SIGNALS))
        try:
            seq = self._inserted(queries.COLLECT, (*columns, as_json(chances)))
        except sqlite3.IntegrityError:  # erased by another process since it was read
            return Collected(kind="unknown", seq=0, signals=told)
        if event.subject and not subject:
            pseudonym = self._key_ring.pseudonym(event.subject)
            self._connection.execute("UPDATE decisions SET subject = ? WHERE seq = ?", (pseudonym, decision))
        if before is not None:
            self._count_contradiction(before, told)
        return Collected(kind="new" if before is None else "merged", seq=seq, signals=signals, before=before)

    def _check_profile(self, profile: str) -> None:
        if profile not in self._profiles:
            raise InvalidFeedback(f"profile: must be one of {', '.join(sorted(self._profiles))}")

    def _check_belongs(self, event: FeedbackEvent, variant: str, call: str) -> None:
        """Raise where an event names a decision that was for something else."""
        if event.variant != variant:
            raise InvalidFeedback("variant: the decision was for another one")
        if self._key_ring.matches(call, event.call_id) is False:
            raise InvalidFeedback("call_id: the decision was for another call")

    def _count_duplicate(self, known: Signals, told: Signals) -> None:
        self._connection.execute(queries.COUNT, ("duplicates",))
        self._count_contradiction(known, told)

    def _count_contradiction(self, known: Signals, told: Signals) -> None:
        if any(getattr(known, name) not in {None, value} for name, value in told.given.items()):
            self._connection.execute(queries.COUNT, ("contradictions",))

    @property
    def _key_ring(self) -> KeyRing:
        if self._keys is None:
            raise StoreError(f"the feedback database {self.path} was opened without keys")
        return self._keys

    @translated
    def sync(self) -> None:
        """Wait until the disk has everything that was written so far: before a snapshot that builds on it is saved."""
        self._connection.execute("PRAGMA wal_checkpoint(PASSIVE)")

    @translated
    def last_seq(self) -> int:
        """Return the number of the newest feedback there ever was, 0 where there was none."""
        row = self._connection.execute("SELECT seq FROM sqlite_sequence WHERE name = 'feedback'").fetchone()
        return row[0] if row else 0

    @translated
    def number_after(self, seq: int) -> None:
        """Give new feedback numbers above *seq*, the number up to which a snapshot has learned.

        A database that was restored from a backup, or lost its last rows in a power cut, would otherwise give numbers
        again that the snapshot takes for learned.
        """
        if self.last_seq() < seq:
            with transaction(self._connection):
                self._connection.execute("DELETE FROM sqlite_sequence WHERE name = 'feedback'")
                self._connection.execute("INSERT INTO sqlite_sequence VALUES ('feedback', ?)", (seq,))

    # --- read --------------------------------------------------------------------------------------------------------

    @translated
    def _rows(self, query: str, *arguments: object) -> list[Any]:
        return self._connection.execute(query, arguments).fetchall()

    def _pages(self, query: str, seq: int) -> Iterator[Any]:
        """Yield rows by rising number, the first column; no transaction is open between two pages."""
        while rows := self._rows(query, seq, _PAGE):
            yield from rows
            seq = rows[-1][0]

    def after(self, seq: int) -> Iterator[Learnt]:
        """Yield what was collected after the feedback with number *seq*, in that order."""
        split = 2 + len(DECISION_COLUMNS)
        for row in self._pages(queries.AFTER, seq):
            signals, before = row[split : split + len(SIGNALS)], row[split + len(SIGNALS) :]
            yield Learnt(
                seq=row[0],
                decision=decision_of(row[2:split]),
                signals=signals_of(signals),
                before=None if row[1] is None else signals_of(before),
            )

    def episodes(self) -> Iterator[Episode]:
        """Yield every call of which something is known, oldest first."""
        split = 5 + len(DECISION_COLUMNS)
        for row in self._pages(queries.EPISODES, 0):
            yield Episode(
                decision=decision_of(row[5:split]),
                profile=row[1],
                agent=row[2],
                signals=signals_of(row[split:]),
                caller=row[3],
                observed=tuple(sorted(json.loads(row[4]).items())),
            )

    def statistics(self) -> Statistics:
        """Return the figures of all variants and profiles."""
        counts = dict(self._rows("SELECT name, number FROM counts"))
        return Statistics(variants=tuple(counted(row) for row in self._rows(queries.STATISTICS)), **counts)

    # --- overrides: how a person's command reaches the running service -----------------------------------------------

    @translated
    def override(self, variant: str, stage: str, *, by: str, why: str, now: float) -> int:
        """Store that a person set the stage of a variant; the running service finds it by :meth:`changed`.

        Args:
            variant: Its name.
            stage: The new one's name.
            by: Who did it; without what looks like an address or a number.
            why: The reason; the same.
            now: Seconds since 1970.

        Returns:
            The override's number, in a sequence of its own.
        """
        row = (int(now), stored_text(variant), stored_text(stage), stored_text(by), stored_text(why, _LONGEST_WHY))
        return self._inserted(queries.OVERRIDE, row)

    def overrides_after(self, seq: int) -> Iterator[Override]:
        """Yield the overrides after the one with number *seq*, in order."""
        for number, at, variant, stage, by, why in self._pages(queries.OVERRIDES_AFTER, seq):
            yield Override(seq=number, at=at, variant=variant, stage=stage, by=by, why=why)

    def changed(self) -> bool:
        """Return whether another process wrote since this was last asked."""
        before, self._data_version = self._data_version, self._seen_version()
        return self._data_version != before

    def _seen_version(self) -> int:
        version: int = self._rows("PRAGMA data_version")[0][0]
        return version

    # --- what callers may ask for ------------------------------------------------------------------------------------

    def export(self, subject: str) -> list[dict[str, Any]]:
        """Return all that is stored on the calls of *subject*, as JSON, oldest first.

        Calls whose key is forgotten cannot be found; they are nobody's any more.
        """
        pseudonyms = json.dumps(self._key_ring.pseudonyms(subject))
        return [self._exported(row) for row in self._rows(queries.EXPORT, pseudonyms)]

    def _exported(self, row: Sequence[Any]) -> dict[str, Any]:
        """Return one call's decision and feedback as JSON."""
        decision = decision_of(row[3:])
        feedback = self._rows(queries.FEEDBACK_OF, row[0])
        told = [{"hour": hour_text(at), **signals_of(values).given} for at, *values in feedback]
        return {
            "hour": hour_text(decision.at),
            "agent": row[2],
            "profile": row[1],
            "variant": decision.arm,
            "decision": decision.id,
            "policy": decision.policy,
            "propensity": decision.propensity,
            "context": dict(decision.context),
            "feedback": told,
        }

    @translated
    def erase(self, subject: str) -> int:
        """Delete all calls of *subject*, overwriting them in the file.

        Returns:
            How many there were.

        Raises:
            StoreError: Also where they are deleted, but another process keeps old pages of the log alive.
        """
        return self._deleted(queries.ERASE, json.dumps(self._key_ring.pseudonyms(subject)))

    @translated
    def clean_up(self, *, before: float) -> int:
        """Delete all calls that were stored in an hour that ended before *before*, and return how many there were."""
        return self._deleted(queries.CLEAN_UP, before)

    def _deleted(self, query: str, argument: object) -> int:
        """Delete decisions with their feedback, and leave no old page of them in the log."""
        number = self._connection.execute(query, (argument,)).rowcount
        if number:
            is_held = self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
            if is_held:
                raise StoreError(
                    f"{number} calls are deleted from {self.path}, but another process still reads its log; "
                    "they leave the disk when it ends, or when this is done again"
                )
        return number

    @translated
    def close(self) -> None:
        """Put the log into the database and close it; closing twice does nothing."""
        try:
            self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        except sqlite3.Error:  # read-only, locked, closed: the log is read by whoever opens the file next
            pass
        finally:
            self._connection.close()
