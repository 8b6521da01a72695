"""What learning keeps on disk, as one thing that one thread at a time works on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from attrs import define, field, frozen

from tomrt.rl.audit import AuditLog
from tomrt.rl.decision import Decision
from tomrt.rl.errors import InvalidFeedback, LearningError
from tomrt.rl.feedback import FeedbackEvent
from tomrt.rl.guard import Change
from tomrt.rl.key_ring import KeyRing
from tomrt.rl.state_file import StateFile
from tomrt.rl.store import FeedbackStore, Learnt, Override

__all__ = ["Archive", "Job", "Record", "Rule", "Turned"]


GUARD = "the guard"
"""Who set a stage that was not set by hand."""


@frozen(kw_only=True)
class Record:
    """A decision to keep, with what the call is known by; the store keeps pseudonyms only."""

    decision: Decision
    call_id: str = field(repr=False)
    agent: str
    profile: str
    subject: str = field(repr=False)


@frozen
class Rule:
    """A variant that the guard has taken out: kept like an order, so that it outlives the state and the outcomes."""

    change: Change


Job = Record | FeedbackEvent | Rule


@frozen(kw_only=True)
class Turned:
    """What one turn of the writer did.

    Args:
        written: How many jobs, from the first on, are kept now.
        refused: How many of these were no event that may be kept.
        fault: Why the next one could not be, in a sentence; ``""`` when all were.
        learnt: Outcomes that are new since, from this and other processes, in the order of their commit.
        overrides: Stages that were set by hand since.
    """

    written: int
    refused: int = 0
    fault: str = ""
    learnt: Sequence[Learnt] = ()
    overrides: Sequence[Override] = ()


@define(eq=False)
class Archive:
    """The folder of what calls teach.

    Args:
        store: Decisions and feedback.
        state: The policy as it was last saved.
        audit: The record of every change of stage.
        keys: What makes pseudonyms.
        keep_s: How long outcomes are kept.
    """

    store: FeedbackStore
    state: StateFile
    audit: AuditLog
    keys: KeyRing
    keep_s: float

    def turn(self, jobs: Sequence[Job], *, seq: int, override_seq: int, now: float) -> Turned:
        """Keep *jobs*, and return them with what other processes have written after *seq* and *override_seq*."""
        written = refused = 0
        fault = ""
        for job in jobs:
            try:
                refused += not self._keep(job, now)
            except InvalidFeedback:
                refused += 1
            except (LearningError, OSError) as error:
                fault = str(error)
                break
            written += 1
        try:
            return Turned(
                written=written,
                refused=refused,
                fault=fault,
                learnt=tuple(self.store.after(seq)),
                overrides=tuple(self.store.overrides_after(override_seq)),
            )
        except LearningError as error:
            return Turned(written=written, refused=refused, fault=fault or str(error))

    def _keep(self, job: Job, now: float) -> bool:
        """Keep one job; false where it cannot be kept, now or later."""
        match job:
            case Record():
                self.store.record(
                    job.decision,
                    call_id=job.call_id,
                    agent=job.agent,
                    profile=job.profile,
                    subject=job.subject,
                    now=now,
                )
            case FeedbackEvent():
                return self.store.collect(job, now=now).kind != "unknown"
            case Rule(change):
                self.store.override(change.variant, change.after.value, by=GUARD, why=change.why, now=now)
        return True

    def note(self, changes: Sequence[Change]) -> None:
        """Append *changes* to the audit log."""
        for change in changes:
            self.audit.write(change)

    def save(self, policy: Mapping[str, object], *, seq: int, override_seq: int) -> bool:
        """Save the policy as it is after *seq* and *override_seq*; return that it is saved."""
        self.store.sync()  # the state must not know more than the disk has
        self.state.save({"policy": policy, "seq": seq, "override_seq": override_seq})
        return True

    def tidy(self, now: float) -> None:
        """Throw away what has been kept long enough, and begin new pseudonyms where it is time."""
        self.keys.rotate(now)
        self.store.clean_up(before=now - self.keep_s)

    def close(self) -> None:
        """Close the files and free the folder."""
        self.store.close()
        self.state.unlock()
