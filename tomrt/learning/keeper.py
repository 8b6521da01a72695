"""Keeps decisions and outcomes, and learns what is kept: one task, with one thread for all that waits for the disk.

Only what is kept is learned, in the order in which it was kept. So what another process adds is learned like a call's
own outcome, and a restart that reads it all again comes to the same policy.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from functools import partial
from typing import TypeVar

import trio
from attrs import define, field

from tomrt.happenings import FeedbackTaken, PolicyChanged
from tomrt.learning.archive import Archive, Rule, Turned
from tomrt.learning.recall import obey
from tomrt.learning.router import Router
from tomrt.rl.dialogue_policy import DialoguePolicy, Trouble
from tomrt.rl.errors import LearningError
from tomrt.rl.guard import Change
from tomrt.rl.stage import Stage
from tomrt.rl.store import Learnt

__all__ = ["Keeper"]

log = logging.getLogger("tomrt.learning")

T = TypeVar("T")

BATCH = 64
"""Kept in one go."""
TICK_S = 1.0
"""So often it is looked what other processes have written, and a changed policy is saved."""
TIDY_S = 3_600.0
GUARDS = frozenset({"statistics", "technical"})
"""By whom a variant is taken out without an order."""


@define(eq=False, kw_only=True)
class Keeper:
    """The task behind a router.

    Args:
        router: Chooses and observes.
        archive: Keeps.
        seq: Outcomes up to this one are learned.
        override_seq: Stages set by hand up to this one are set.
    """

    router: Router
    archive: Archive
    seq: int = 0
    override_seq: int = 0
    _wake: trio.Event = field(factory=trio.Event, init=False)
    _finishing: bool = field(default=False, init=False)
    _unsaved: bool = field(default=True, init=False)
    _untold: bool = field(default=True, init=False)
    _tidy_at: float = field(default=0.0, init=False)
    _faults: dict[str, str] = field(factory=dict, init=False)
    _one_thread: trio.CapacityLimiter = field(factory=lambda: trio.CapacityLimiter(1), init=False)

    def __attrs_post_init__(self) -> None:
        self.router.wake = self._rouse

    def _rouse(self) -> None:
        self._wake.set()

    @property
    def policy(self) -> DialoguePolicy:
        """What is learned."""
        return self.router.policy

    async def run(self) -> None:
        """Keep and learn until :meth:`finish` was called and all is kept, or cannot be."""
        while True:
            going_well = await self._round()
            if self._finishing and not (self.router.waiting and going_well):
                break
            with trio.move_on_after(TICK_S):
                await (trio.sleep_forever() if not going_well else self._wake.wait())
            self._wake = trio.Event()
        if self.router.waiting:
            self.router.lost += len(self.router.waiting)
            log.error("%d decisions and outcomes could not be kept", len(self.router.waiting))
        await self._in_thread("close", self.archive.close)

    def finish(self) -> None:
        """No call comes any more; :meth:`run` returns when the rest is kept."""
        self._finishing = True
        self._wake.set()

    async def _round(self) -> bool:
        """Do what there is to do; return whether the disk takes it."""
        try:
            going_well = await self._turn()
            if trio.current_time() >= self._tidy_at:
                self._tidy_at = trio.current_time() + TIDY_S
                await self._in_thread("tidy", partial(self.archive.tidy, self.router.clock()))
            if self._unsaved:
                self._unsaved = not await self._save()
        except Exception:
            self._broke("round")
            return False
        return going_well

    async def _turn(self) -> bool:
        """Keep what waits, and learn what is new; return whether the disk takes it."""
        jobs = [self.router.waiting.popleft() for _ in range(min(BATCH, len(self.router.waiting)))]
        work = partial(self.archive.turn, jobs, seq=self.seq, override_seq=self.override_seq, now=self.router.clock())
        turned = await self._in_thread("turn", work) or Turned(written=0, fault="see above")
        self.router.waiting.extendleft(reversed(jobs[turned.written :]))
        if turned.refused:
            self.router.lost += turned.refused
            self.router.failed("refused")
        self._complain("store", turned.fault)
        await self._learn(turned)
        if self.router.waiting:
            self._wake.set()
        return not turned.fault

    async def _learn(self, turned: Turned) -> None:
        now = self.router.clock()
        changes, self.router.changes = self.router.changes, []
        moved = bool(changes)
        for learnt in turned.learnt:
            self.seq = learnt.seq
            changes += self._guarded("learn", partial(self._learn_one, learnt, now)) or ()
        for override in turned.overrides:
            self.override_seq = override.seq
            changes += self._guarded("override", partial(obey, self.policy, override, now)) or ()
        for change in changes:
            weight = logging.WARNING if change.after is Stage.BLACKLISTED else logging.INFO
            what = (change.variant, change.after.value, change.before.value, change.why)
            log.log(weight, "variant %s is %s, was %s: %s", *what)
            if change.after is Stage.BLACKLISTED and change.by in GUARDS:  # an order is kept already
                self.router.keep(Rule(change))
        if changes:
            await self._in_thread("audit", partial(self.archive.note, changes))
        if moved or turned.learnt or turned.overrides or self._untold:
            self._unsaved, self._untold = True, False
            self._tell_policy()

    def _learn_one(self, learnt: Learnt, now: float) -> Sequence[Change]:
        trouble = self.router.trouble.pop(learnt.decision.id, Trouble())
        learned = self.policy.learn(learnt.decision, learnt.signals, at=now, before=learnt.before, trouble=trouble)
        told = learnt.before is not None and learnt.before.user_rating is not None
        self.router.say(
            FeedbackTaken,
            variant=learnt.decision.arm,
            profile=self.router.profile,
            reward=learned.reward.value,
            rating=None if told else learnt.signals.user_rating,
            late=learnt.before is not None,
        )
        return learned.changes

    async def _save(self) -> bool:
        save = partial(self.archive.save, self.policy.to_dict(), seq=self.seq, override_seq=self.override_seq)
        return await self._in_thread("save", save) is not None

    # --- boundaries --------------------------------------------------------------------------------------------------

    async def _in_thread(self, where: str, work: Callable[[], T]) -> T | None:
        """Have *work* done in the one thread; ``None`` where it failed."""
        try:
            done = await trio.to_thread.run_sync(work, limiter=self._one_thread)
        except (LearningError, OSError) as error:
            self._complain(where, str(error))
            return None
        except Exception:
            self._broke(where)
            return None
        self._complain(where, "")
        return done

    def _complain(self, where: str, fault: str) -> None:
        """Say that the disk does not take something, once and not each second."""
        if fault and fault != self._faults.get(where):
            self.router.failed(where)
            log.error("what calls teach waits for the disk (%s): %s", where, fault)
        self._faults[where] = fault

    def _guarded(self, where: str, work: Callable[[], T]) -> T | None:
        """Do *work*; ``None`` where it failed, which is a fault of ours that no call may notice."""
        try:
            return work()
        except Exception:
            self._broke(where)
            return None

    def _broke(self, where: str) -> None:
        log.exception("learning failed: %s", where)
        self.router.failed(where)

    # --- telling -----------------------------------------------------------------------------------------------------

    def _tell_policy(self) -> None:
        stages = [self.policy.guard.stage(name) for name in self.policy.catalogue.variants]
        self.router.say(
            PolicyChanged,
            active=sum(stage in {Stage.ACTIVE, Stage.CANARY} for stage in stages),
            blacklisted=sum(stage is Stage.BLACKLISTED for stage in stages),
            exploration=self.policy.exploration if self.router.explore else 0.0,
            rewards=self.policy.mean_rewards(),
            success=self.policy.success_rates(),
        )
