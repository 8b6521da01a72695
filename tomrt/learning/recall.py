"""What a service knows when it starts: the saved policy, the outcomes kept since, and the orders given by hand."""

from __future__ import annotations

import logging
from collections.abc import Container, Mapping, Sequence

import numpy as np
from attrs import define, field

from tomrt.rl.dialogue_policy import DialoguePolicy, open_policy
from tomrt.rl.errors import InvalidState, LearningError
from tomrt.rl.guard import Change
from tomrt.rl.stage import Stage
from tomrt.rl.state_file import StateFile
from tomrt.rl.store import FeedbackStore, Override
from tomrt.rl.variants import Catalogue

__all__ = ["Recalled", "obey", "recall"]

log = logging.getLogger("tomrt.learning")


@define
class Recalled:
    """What is known.

    Args:
        policy: The policy, with all that is kept learned.
        seq: Outcomes up to this one are learned.
        override_seq: Orders up to this one are obeyed.
        known: The variants there were when the policy was saved.
        changes: Of stages, that the outcomes and orders since then have made.
    """

    policy: DialoguePolicy
    seq: int = 0
    override_seq: int = 0
    known: Container[str] = ()
    changes: list[Change] = field(factory=list)


def recall(
    catalogue: Catalogue, file: StateFile, store: FeedbackStore, rng: np.random.Generator, at: float
) -> Recalled:
    """Return what is known of the variants of *catalogue*; a state that cannot be used is learned again.

    Args:
        catalogue: The variants there are now.
        file: Where the policy was saved.
        store: What is kept.
        rng: Where all randomness comes from.
        at: Now, in seconds since 1970.

    Raises:
        StoreError: The database cannot be read.
    """
    # Not the saved generator: what was drawn after the last save would be drawn again, decisions' names among it.
    fresh = rng.spawn(1)[0]
    try:
        recalled = _saved(catalogue, file.load(), rng, at)
    except InvalidState as error:
        log.warning("%s: learning again from all outcomes that are kept", error)
        recalled = Recalled(open_policy(catalogue, rng, at=at))
    recalled.policy.rng = fresh
    store.number_after(recalled.seq)
    _learn(recalled, store, at)
    _obey(recalled, store, at)
    return recalled


def _saved(catalogue: Catalogue, saved: Mapping[str, object] | None, rng: np.random.Generator, at: float) -> Recalled:
    if saved is None:
        return Recalled(open_policy(catalogue, rng, at=at))
    state = _mapping(saved, "policy")
    policy = open_policy(catalogue, rng, state=state, at=at)
    known = _mapping(_mapping(state, "made_for"), "slots")
    return Recalled(policy, _number(saved, "seq"), _number(saved, "override_seq"), known)


def _learn(recalled: Recalled, store: FeedbackStore, at: float) -> None:
    """Learn the outcomes that were kept since."""
    for learnt in store.after(recalled.seq):
        recalled.seq = learnt.seq
        try:
            learned = recalled.policy.learn(learnt.decision, learnt.signals, at=at, before=learnt.before)
        except LearningError as error:
            log.warning("outcome %d cannot be learned: %s", learnt.seq, error)
            continue
        recalled.changes += learned.changes


def _obey(recalled: Recalled, store: FeedbackStore, at: float) -> None:
    """Set the stages that were ordered since, and those ordered earlier for variants that were not known then."""
    for override in store.overrides_after(0):
        if override.seq > recalled.override_seq or override.variant not in recalled.known:
            recalled.changes += obey(recalled.policy, override, at)
        recalled.override_seq = max(recalled.override_seq, override.seq)


def obey(policy: DialoguePolicy, order: Override, at: float) -> Sequence[Change]:
    """Set the stage that was ordered; an order for a variant that is not known is obeyed once it is, at a start."""
    try:
        return policy.guard.set_stage(order.variant, Stage(order.stage), at=at, by=order.by, why=order.why)
    except (LearningError, ValueError) as error:
        log.warning("an order is not obeyed: %s", error)
        return ()


def _mapping(data: Mapping[str, object], name: str) -> Mapping[str, object]:
    part = data.get(name)
    if not isinstance(part, Mapping):
        raise InvalidState(f"the saved state has no {name}")
    return part


def _number(data: Mapping[str, object], name: str) -> int:
    number = data.get(name)
    if not isinstance(number, int):
        raise InvalidState(f"the saved state has no {name}")
    return number
