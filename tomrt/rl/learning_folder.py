"""The folder in which a service keeps what calls teach, for who looks at it or orders something from outside."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from attrs import field, frozen

from tomrt.rl.audit import AuditLog
from tomrt.rl.bandit import Bandit, bandit_from_dict
from tomrt.rl.catalogue import Catalogue
from tomrt.rl.errors import InvalidState, LearningError
from tomrt.rl.guard import Guard
from tomrt.rl.guard_status import GuardStatus
from tomrt.rl.key_ring import KeyRing
from tomrt.rl.stage import Change
from tomrt.rl.state_file import StateFile
from tomrt.rl.store import FeedbackStore, Override
from tomrt.rl.variants import load

__all__ = ["AUDIT", "CANDIDATES", "FEEDBACK", "KEYS", "POLICY", "LearningFolder", "NothingThere", "Snapshot"]

AUDIT, CANDIDATES, FEEDBACK, KEYS, POLICY = (
    "audit.jsonl", "candidates.toml", "feedback.db", "keys.json", "policy.json",
)  # fmt: skip
"""The files in it."""


class NothingThere(LearningError):  # noqa: N818 - the name says what is wrong
    """No service has kept in the folder what is asked for."""


@frozen(kw_only=True)
class Snapshot:
    """What bandit and guard knew when the service last saved it.

    Args:
        at: When that was, seconds since 1970 (UTC).
        bandit: State of the bandit.
        guard: State of the guard.
        override_seq: Number of the last order that had been carried out.
        notes: Why newer generations of the state could not be used, one sentence each.
    """

    at: float
    bandit: Mapping[str, Any] = field(repr=False)
    guard: Mapping[str, Any] = field(repr=False)
    override_seq: int
    notes: tuple[str, ...] = ()


@frozen
class LearningFolder:
    """Reads beside a running service, or without one, and never locks it out.

    Args:
        path: The folder.
        variants: The operator's file of variants; ``None`` are the built-in ones.

    Raises:
        NothingThere: there is no such folder.
    """

    path: Path
    variants: Path | None = None

    def __attrs_post_init__(self) -> None:
        if not self.path.is_dir():
            raise NothingThere(f"there is no folder {self.path}; the service makes it when it first learns")

    @property
    def candidates(self) -> Path:
        """What training proposed."""
        return self.path / CANDIDATES

    def catalogue(self) -> Catalogue:
        """Return the variants, with those that training proposed.

        Raises:
            InvalidVariants: a file of variants has faults.
        """
        return load(self.variants, self.candidates)

    def snapshot(self) -> Snapshot:
        """Return what was last saved.

        Raises:
            NothingThere: nothing was.
            InvalidState: it is damaged, or of another version.
        """
        file = StateFile(self.path / POLICY)
        state = file.load()
        if state is None or file.source is None:
            raise NothingThere(f"there is no {file.path}; the service saves it when calls have taught something")
        policy = state.get("policy")
        override_seq = state.get("override_seq", 0)
        match policy:
            case {"bandit": dict() as bandit, "guard": dict() as guard} if isinstance(override_seq, int):
                at = file.source.stat().st_mtime
                return Snapshot(at=at, bandit=bandit, guard=guard, override_seq=override_seq, notes=file.faults)
        raise InvalidState(f"{file.source} has no policy in it that this version can read")

    def status(self) -> GuardStatus:
        """Return how the variants did when it was last saved; see ``snapshot``."""
        snapshot = self.snapshot()
        return Guard.from_dict(snapshot.guard, self.catalogue().deployment).status(at=snapshot.at)

    def bandit(self) -> Bandit:
        """Return the bandit as it was last saved; see ``snapshot``."""
        return bandit_from_dict(self.snapshot().bandit)

    def changes(self, most: int) -> tuple[Change, ...]:
        """Return the latest changes of stage, at most so many, oldest first."""
        return tuple(AuditLog(self.path / AUDIT).read())[-most:] if most else ()

    def pending(self) -> tuple[Override, ...]:
        """Return the orders that the last saved state does not know of yet."""
        store = self.store()
        try:
            return tuple(store.overrides_after(self.snapshot().override_seq))
        finally:
            store.close()

    def store(self, *, keys: bool = False, writes: bool = False) -> FeedbackStore:
        """Open the database; the caller closes it.

        Args:
            keys: Callers will be looked up.
            writes: Something will be changed; needs the keys as well.

        Raises:
            NothingThere: there is no database, or no keys where they are needed.
            StoreError: it cannot be opened.
        """
        database, ring = self.path / FEEDBACK, self.path / KEYS
        for needed in (database, ring) if keys or writes else (database,):
            if not needed.exists():
                raise NothingThere(f"there is no {needed}; the service makes it when it first learns")
        known = KeyRing.read(ring) if keys or writes else None
        if writes and known is not None:
            return FeedbackStore.open(database, known)
        return FeedbackStore.read_only(database, known)
