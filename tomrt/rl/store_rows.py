"""What comes out of the feedback store, and how decisions and signals are laid into its columns."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from attrs import frozen

from tomrt.rl.decision import Decision
from tomrt.rl.errors import InvalidFeedback
from tomrt.rl.feedback import DECISION_ID, LABEL, SIGNALS, Signals
from tomrt.rl.feedback_statistics import VariantStatistics
from tomrt.rl.pii import redact

__all__ = [
    "DECISION_COLUMNS",
    "HOUR_S",
    "Collected",
    "Episode",
    "Learnt",
    "Override",
    "as_json",
    "as_stored",
    "counted",
    "decision_of",
    "decision_row",
    "hour_of",
    "hour_text",
    "merged",
    "signals_of",
    "stored_text",
]

HOUR_S = 3600
_LONGEST_TEXT = 64
_LABEL = re.compile(LABEL.removesuffix("$"))
_ID = re.compile(DECISION_ID.removesuffix("$"))
_FLAGS = ("handover", "escalation")
DECISION_COLUMNS = (
    "id",
    "at",
    "variant",
    "propensity",
    "policy",
    "version",
    "eligible",
    "probabilities",
    "context",
    "traffic",
    "independent",
)


@frozen(kw_only=True)
class Collected:
    """What became of a feedback event.

    Args:
        kind: ``"new"``, ``"merged"`` (it filled what was missing), ``"duplicate"`` (it said nothing new; where it
            contradicts, the first value stands) or ``"unknown"`` (no such decision, or it was erased).
        seq: Number of the row, higher for each later one; 0 where the decision is unknown.
        signals: All that is known of the call now, as it is stored: this is what to learn from.
        before: What was known before, ``None`` for a new one.
    """

    kind: str
    seq: int
    signals: Signals
    before: Signals | None = None


@frozen(kw_only=True)
class Learnt:
    """One thing to learn again, in the order in which it came; the decision's time is rounded down to the hour."""

    seq: int
    decision: Decision
    signals: Signals
    before: Signals | None = None


@frozen(kw_only=True)
class Episode:
    """One call with an outcome, for training.

    Args:
        decision: What was chosen; its time is rounded down to the hour.
        profile: What kind of assistant took the call.
        agent: Which one.
        signals: All that is known of the call.
        caller: A pseudonym, to keep calls of one caller together; ``""`` where the caller is unknown.
        observed: With what probability a signal was asked for, where that is known.
    """

    decision: Decision
    profile: str
    agent: str
    signals: Signals
    caller: str = ""
    observed: tuple[tuple[str, float], ...] = ()


@frozen(kw_only=True)
class Override:
    """A stage that a person set; times are whole seconds."""

    seq: int
    at: int
    variant: str
    stage: str
    by: str
    why: str


def hour_of(at: float) -> int:
    """Return the hour in which *at* lies, in seconds since 1970."""
    return int(at // HOUR_S) * HOUR_S


@lru_cache(maxsize=1024)
def stored_text(text: str, longest: int = _LONGEST_TEXT) -> str:
    """Return *text* as it may be stored: a label as it is, anything else without what points at a person."""
    if _LABEL.fullmatch(text):
        return text
    return redact(text.encode("utf-8", "replace").decode())[:longest]


def decision_row(decision: Decision, stored: int) -> tuple[Any, ...]:
    """Return the columns of *decision* after its id, call, subject, agent and profile.

    Raises:
        InvalidFeedback: It cannot be stored; no value is quoted.
    """
    faults = _faults(decision)
    if faults:
        raise InvalidFeedback(*faults)
    return (
        hour_of(decision.at),
        stored,
        decision.arm,
        decision.propensity,
        stored_text(decision.policy),
        decision.version,
        _listed(decision.eligible),
        _listed(decision.probabilities),
        _context_text(decision.context),
        stored_text(decision.group),
        decision.independent,
    )


def _faults(decision: Decision) -> list[str]:
    """Return what keeps a decision from being stored."""
    faults = []
    if not _ID.fullmatch(decision.id):
        faults.append("the decision's id: must be 32 hexadecimal digits")
    if decision.arm not in decision.eligible or not _are_labels(decision.eligible):
        faults.append("the decision's arm: must be among the eligible ones, and all of them labels")
    if not 0.0 < decision.propensity <= 1.0:
        faults.append("the decision's propensity: must be above 0 and at most 1")
    if len(decision.probabilities) != len(decision.eligible):
        faults.append("the decision's probabilities: must be as many as eligible arms")
    if not all(0.0 <= chance <= 1.0 for chance in decision.probabilities):
        faults.append("the decision's probabilities: must be from 0 to 1")
    return faults


@lru_cache(maxsize=256)
def _are_labels(names: tuple[str, ...]) -> bool:
    return all(_LABEL.fullmatch(name) for name in names)


@lru_cache(maxsize=256)
def _listed(values: tuple[str, ...] | tuple[float, ...]) -> str:
    return json.dumps(
        list(map(float, values)) if values and not isinstance(values[0], str) else values, allow_nan=False
    )


@lru_cache(maxsize=256)
def _context_text(context: tuple[tuple[str, str], ...]) -> str:
    return json.dumps({stored_text(name): stored_text(level) for name, level in context}, allow_nan=False)


def decision_of(row: Sequence[Any]) -> Decision:
    """Return the decision in the columns :data:`DECISION_COLUMNS`."""
    name, at, arm, propensity, policy, version, eligible, probabilities, context, traffic, independent = row
    return Decision(
        id=name,
        at=float(at),
        arm=arm,
        propensity=propensity,
        policy=policy,
        version=version,
        eligible=_loaded(eligible),
        probabilities=_loaded(probabilities),
        context=tuple(sorted(json.loads(context).items())),
        group=traffic,
        independent=bool(independent),
    )


@lru_cache(maxsize=256)
def _loaded(text: str) -> tuple[Any, ...]:
    return tuple(json.loads(text))


def signals_of(row: Sequence[Any]) -> Signals:
    """Return the signals in the columns named as they are."""
    values = dict(zip(SIGNALS, row, strict=True))
    return Signals(**values | {name: bool(values[name]) for name in _FLAGS if values[name] is not None})


def as_stored(signals: Signals) -> Signals:
    """Return *signals* with the duration in whole seconds: a finer one would find the call in a switch's records."""
    duration = signals.duration_sec
    return signals if duration is None else Signals(**signals.given | {"duration_sec": float(round(duration))})


def merged(known: Signals, told: Signals) -> Signals:
    """Return *known* with what was missing taken from *told*."""
    return Signals(**told.given | known.given)


def as_json(chances: dict[str, float]) -> str:
    """Return the probabilities of being asked as they are stored."""
    return json.dumps(chances, allow_nan=False, sort_keys=True) if chances else "{}"


def hour_text(at: float) -> str:
    """Return an hour as people read it (ISO 8601, UTC)."""
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:00Z")


def counted(row: Sequence[Any]) -> VariantStatistics:
    """Return one variant's row of the statistics."""
    variant, profile, decisions, feedback, *figures = row
    known, means = figures[::2], figures[1::2]
    return VariantStatistics(
        variant=variant,
        profile=profile,
        decisions=decisions,
        feedback=feedback,
        missing={name: feedback - number for name, number in zip(SIGNALS, known, strict=True)},
        means=dict(zip(SIGNALS, means, strict=True)),
    )
