"""Chooses the way of talking of each call, and observes how it goes. Whatever fails here, the call does not notice.

All of it is synchronous and works on memory alone; what is to be kept waits for the keeper.
"""

from __future__ import annotations

import logging
from collections import Counter, deque
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

import trio
from attrs import define, field

from tomrt.events import CallInfo, Style
from tomrt.happenings import CallEnded, Happened, Happening, LearningFailed, VariantChosen
from tomrt.learning.archive import Job, Record
from tomrt.learning.call_record import CallRecord
from tomrt.ports import Tap
from tomrt.rl.decision import Decision
from tomrt.rl.dialogue_policy import DialoguePolicy, Trouble
from tomrt.rl.feedback import FeedbackEvent
from tomrt.rl.guard import Change
from tomrt.rl.key_ring import KeyRing

__all__ = ["Router"]

log = logging.getLogger("tomrt.learning")

QUEUE = 4_096
"""Decisions and outcomes that wait for the disk: two a call, so hours of calls while a disk is full."""
CALLERS = 100_000
"""Callers who are known to have called before, where they keep their variant."""


@define(eq=False, kw_only=True)
class Router:
    """A :class:`~tomrt.ports.PolicyRouter` that is also the tap it observes by.

    Args:
        policy: Decides.
        styles: The style of each variant.
        tap: Takes what happens in learning.
        agent: Name of this assistant.
        profile: What kind of assistant it is.
        explore: Whether other variants than the base are tried.
        clock: Gives the time in seconds since 1970; it must not go back.
        keys: Make the draw of a caller who keeps the variant; ``None`` where nobody does.
    """

    policy: DialoguePolicy
    styles: Mapping[str, Style]
    tap: Tap
    agent: str
    profile: str
    explore: bool
    clock: Callable[[], float]
    keys: KeyRing | None = None
    lost: int = field(default=0, init=False)
    """Decisions and outcomes that could not be kept."""
    waiting: deque[Job] = field(factory=deque, init=False)
    """What is to be kept."""
    trouble: dict[str, Trouble] = field(factory=dict, init=False)
    """What went wrong in calls whose outcome waits, by decision."""
    changes: list[Change] = field(factory=list, init=False)
    """Of stages, that the keeper has not seen: made by trouble in calls under way, or at the start."""
    wake: Callable[[], None] = field(default=lambda: None, init=False)
    """Called when something waits."""
    _calls: dict[str, CallRecord] = field(factory=dict, init=False)
    _under_way: Counter[str] = field(factory=Counter, init=False)
    _callers: dict[str, None] = field(factory=dict, init=False)

    # --- a call begins -----------------------------------------------------------------------------------------------

    def choose(self, info: CallInfo) -> Style:
        """Return the style of the call that begins: the base variant's where anything goes wrong."""
        began = trio.current_time()
        self._under_way[info.call_id] += 1
        if self._under_way[info.call_id] > 1:  # their happenings cannot be told apart
            self._calls.pop(info.call_id, None)
            self.failed("twice")
            return self._fall_back(info.call_id, began)
        try:
            decision = self._decide(info)
            style = self.styles[decision.arm]
        except Exception:
            log.exception("learning failed: choose")
            self.failed("choose")
            return self._fall_back(info.call_id, began)
        slow_ms = self.policy.catalogue.deployment.slow_response_ms
        self._calls[info.call_id] = CallRecord(decision=decision, slow_ms=slow_ms)
        self.keep(
            Record(
                decision=decision,
                call_id=info.call_id,
                agent=self.agent,
                profile=self.profile,
                subject=info.caller,
            )
        )
        self._tell_choice(info.call_id, decision.arm, decision.group, decision.propensity, began)
        return style

    def _decide(self, info: CallInfo) -> Decision:
        now = self.clock()
        context = _context(now)
        if not self.explore:
            return self.policy.only_base(context, at=now)
        keys = self.keys if self.policy.catalogue.bandit.sticky else None
        caller = keys.pseudonym(info.caller) if keys is not None else ""
        if keys is None or not caller:  # without a number each call is another caller's
            return self.policy.decide(context, at=now)
        known = caller in self._callers
        self._callers[caller] = None
        if len(self._callers) > CALLERS:
            del self._callers[next(iter(self._callers))]
        uniform = keys.uniform(info.caller, "variant")
        return self.policy.decide(context, at=now, uniform=uniform, independent=not known)

    def _fall_back(self, call_id: str, began: float) -> Style:
        base = self.policy.catalogue.deployment.base
        self._tell_choice(call_id, base, "fallback", 1.0, began)
        return self.styles.get(base, Style())

    def _tell_choice(self, call_id: str, variant: str, group: str, propensity: float, began: float) -> None:
        seconds = trio.current_time() - began
        self.say(VariantChosen, call_id=call_id, variant=variant, group=group, propensity=propensity, seconds=seconds)

    # --- and goes on, and ends ---------------------------------------------------------------------------------------

    def put(self, happening: Happening) -> None:
        """Observe a call; at its end what it teaches waits to be kept."""
        record = self._calls.get(happening.call_id)
        if record is None:
            return
        try:
            if kind := record.put(happening):
                variant = record.decision.arm
                self.changes += self.policy.guard.trouble(variant, kind, at=self.clock())
            if isinstance(happening, CallEnded):
                del self._calls[happening.call_id]
                self._ended(happening.call_id, record)
        except Exception:
            self._calls.pop(happening.call_id, None)
            log.exception("learning failed: observe")
            self.failed("observe")

    def forget(self, call_id: str) -> None:
        """This call is over, whether it came to an end that was observed or not; once for each :meth:`choose`."""
        self._calls.pop(call_id, None)
        self._under_way[call_id] -= 1
        if self._under_way[call_id] <= 0:
            del self._under_way[call_id]

    def _ended(self, call_id: str, record: CallRecord) -> None:
        decision = record.decision
        if not record.teaches:
            if record.trouble.severe:  # nobody heard the variant, and it may be why
                self.changes += self.policy.guard.trouble(decision.arm, "severe", at=self.clock())
            return
        self.trouble[decision.id] = record.trouble
        if len(self.trouble) > QUEUE:  # those of outcomes that could not be kept
            del self.trouble[next(iter(self.trouble))]
        self.keep(
            FeedbackEvent(
                decision_id=decision.id,
                call_id=call_id,
                ts=self.clock(),
                agent=self.agent,
                profile=self.profile,
                variant=decision.arm,
                signals=record.signals,
                observed=record.observed,
            )
        )

    def keep(self, job: Job) -> None:
        """Have *job* kept; where too many wait, the oldest is lost."""
        if len(self.waiting) >= QUEUE:
            dropped = self.waiting.popleft()
            if isinstance(dropped, FeedbackEvent):
                self.trouble.pop(dropped.decision_id, None)
            self.lost += 1
            self.failed("queue")
        self.waiting.append(job)
        self.wake()

    # --- telling -----------------------------------------------------------------------------------------------------

    def failed(self, where: str) -> None:
        """Tell that something in learning went wrong."""
        self.say(LearningFailed, where=where)

    def say(self, kind: type[Happened], *, call_id: str = "", **fields: Any) -> None:
        """Tell that something of class *kind* happened now."""
        happening: Any = kind(call_id=call_id, at=trio.current_time(), **fields)
        self.tap.put(happening)


def _context(now: float) -> dict[str, str]:
    """Return what is known of every call: when it is, in the operator's own time."""
    local = datetime.fromtimestamp(now, UTC).astimezone()
    week = "weekend" if local.weekday() >= 5 else "workday"
    return {"daytime": _DAYTIMES[local.hour // 6], "week": week}


_DAYTIMES = ("night", "morning", "afternoon", "evening")
