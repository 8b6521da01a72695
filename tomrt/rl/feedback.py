"""What is told of a call after it: its signals, and the event that carries them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import attrs
from attrs import field, frozen

from tomrt.rl.errors import InvalidFeedback

__all__ = ["LABEL", "PROFILES", "SIGNALS", "FeedbackEvent", "Signals", "read_event", "to_json"]

PROFILES = ("kfz", "it", "sales", "support", "general")
LABEL = r"^(?!([^0-9]*[0-9]){9})[A-Za-z][A-Za-z0-9_.-]{0,63}$"
"""A name from the program's own lists. With at most eight digits it is no telephone number."""
DECISION_ID = "^[0-9a-f]{32}$"
_MOST_SECONDS = 86_400.0
_MOST_TIMES = 10_000
_YEAR_2200 = 7_258_118_400.0


def _number(least: float, most: float, meaning: str) -> Any:
    """Return a field that is a number within limits; whole where the limits are, missing by default."""
    metadata = {"type": type(least), "least": least, "most": most, "meaning": meaning}
    return field(default=None, metadata=metadata)


def _text(pattern: str, longest: int, meaning: str, *, least: int = 1, secret: bool = False, default: Any = ...) -> Any:
    """Return a field of text; a *secret* one may name somebody and is never shown."""
    metadata = {"type": str, "pattern": pattern, "least": least, "most": longest, "meaning": meaning}
    return field(default=attrs.NOTHING if default is ... else default, metadata=metadata, repr=not secret)


@frozen(kw_only=True)
class Signals:
    """What was observed of one call. ``None`` means that it was not, which is not zero.

    Args:
        resolution: How far the caller's matter was settled, from 0 to 1.
        user_rating: The caller's own rating, from 1 to 5.
        barge_in_count: How often the caller interrupted.
        handover: Whether a person had to take over.
        duration_sec: How long the call took, seconds.
        repeats: How often something had to be said again.
        escalation: Whether a person was offered.
        satisfaction: An estimate of how content the caller was, from 0 to 1.

    Raises:
        InvalidFeedback: With one sentence for each signal that is out of its range.
    """

    resolution: float | None = _number(0.0, 1.0, "how far the matter was settled")
    user_rating: int | None = _number(1, 5, "the caller's own rating")
    barge_in_count: int | None = _number(0, _MOST_TIMES, "how often the caller interrupted")
    handover: bool | None = _number(False, True, "whether a person had to take over")
    duration_sec: float | None = _number(0.0, _MOST_SECONDS, "how long the call took, seconds")
    repeats: int | None = _number(0, _MOST_TIMES, "how often something had to be said again")
    escalation: bool | None = _number(False, True, "whether a person was offered")
    satisfaction: float | None = _number(0.0, 1.0, "an estimate of how content the caller was")

    def __attrs_post_init__(self) -> None:
        faults = [fault for name, check in _CHECKS if (fault := check(name, getattr(self, name)))]
        if faults:
            raise InvalidFeedback(*faults)

    @property
    def given(self) -> dict[str, Any]:
        """The signals that are not missing, by name."""
        return {name: value for name in SIGNALS if (value := getattr(self, name)) is not None}


@frozen(kw_only=True)
class FeedbackEvent:
    """One report on a call. Only :class:`~tomrt.rl.store.FeedbackStore` decides what of it is kept.

    Args:
        decision_id: Of the decision whose outcome this is, 32 hexadecimal digits.
        call_id: The call's name; only its keyed hash is ever stored.
        ts: When, seconds since 1970 (UTC); only the hour is ever stored.
        agent: Which assistant took the call, a name from the operator's settings.
        profile: What kind of assistant it is.
        variant: The arm that was chosen, as a check.
        signals: What was observed.
        subject: The caller's number or name; only its keyed hash is ever stored.
        observed: For signals that are not always asked for: with what probability this one was. By name.

    Raises:
        InvalidFeedback: With one sentence for each field that is wrong. No sentence quotes what stood in it.
    """

    decision_id: str = _text(DECISION_ID, 32, "the decision whose outcome this is", least=32)
    call_id: str = _text("", 256, "the call's name; only its keyed hash is stored", secret=True)
    ts: float = field(
        metadata={"type": float, "least": 0.0, "most": _YEAR_2200, "meaning": "seconds since 1970; the hour is stored"}
    )
    agent: str = _text("", 64, "which assistant took the call", secret=True)
    profile: str = _text(LABEL, 64, "what kind of assistant it is")
    variant: str = _text(LABEL, 64, "the arm that was chosen")
    signals: Signals = field(metadata={"meaning": "what was observed; what is left out or null is missing, not zero"})
    subject: str = _text("", 256, "the caller; only a keyed hash is stored", least=0, secret=True, default="")
    observed: tuple[tuple[str, float], ...] = field(
        default=(), metadata={"meaning": "with what probability a signal was asked for, above 0 and at most 1"}
    )

    def __attrs_post_init__(self) -> None:
        faults = [fault for name, check in _EVENT_CHECKS if (fault := check(name, getattr(self, name)))]
        if not isinstance(self.signals, Signals):
            faults.append("signals: must be Signals")
        faults += _observed_faults(self.observed)
        if faults:
            raise InvalidFeedback(*faults)


class _NumberCheck:
    """Says what is wrong with a number, never which number it was."""

    def __init__(self, metadata: Mapping[str, Any], *, optional: bool) -> None:
        self._type, self._least, self._most = metadata["type"], metadata["least"], metadata["most"]
        self._optional = optional
        kind = {bool: "true or false", int: "a whole number", float: "a number"}[self._type]
        self._limits = kind if self._type is bool else f"{kind} from {self._least:g} to {self._most:.10g}"

    def __call__(self, name: str, value: object) -> str:
        """Return the fault, ``""`` for none."""
        if value is None and self._optional:
            return ""
        if value.__class__ is self._type:
            return "" if self._least <= value <= self._most else f"{name}: must be {self._limits}"
        if isinstance(value, bool):
            good = self._type is bool
        elif self._type is float:
            good = isinstance(value, (int, float)) and self._least <= value <= self._most
        else:
            good = self._type is int and isinstance(value, int) and self._least <= value <= self._most
        return "" if good else f"{name}: must be {self._limits}"


class _TextCheck:
    """Says what is wrong with a text, never what it was."""

    def __init__(self, metadata: Mapping[str, Any]) -> None:
        self._least, self._most = metadata["least"], metadata["most"]
        self._pattern = re.compile(metadata["pattern"].removesuffix("$") or ".*", re.DOTALL)

    def __call__(self, name: str, value: object) -> str:
        """Return the fault, ``""`` for none."""
        if not isinstance(value, str):
            return f"{name}: must be text"
        if not self._least <= len(value) <= self._most:
            return f"{name}: must have {self._least} to {self._most} characters"
        return "" if self._pattern.fullmatch(value) else f"{name}: is not of the form that it must have"


SIGNALS = tuple(attribute.name for attribute in attrs.fields(Signals))
_FIELDS = attrs.fields_dict(FeedbackEvent)
_CHECKS = tuple((signal.name, _NumberCheck(signal.metadata, optional=True)) for signal in attrs.fields(Signals))
_REQUIRED = [name for name, attribute in _FIELDS.items() if attribute.default is attrs.NOTHING]
_TEXTS = [name for name, attribute in _FIELDS.items() if attribute.metadata.get("type") is str]
_EVENT_CHECKS: tuple[tuple[str, Callable[[str, object], str]], ...] = (
    *((name, _TextCheck(_FIELDS[name].metadata)) for name in _TEXTS),
    ("ts", _NumberCheck(_FIELDS["ts"].metadata, optional=False)),
)
_NOTHING_KNOWN = Signals()
_WHOLE = {signal.name for signal in attrs.fields(Signals) if signal.metadata["type"] is int}


def _observed_faults(observed: Sequence[tuple[str, float]]) -> list[str]:
    """Return what is wrong with the probabilities of being asked."""
    if not isinstance(observed, tuple):
        return ["observed: must be pairs of a signal and a probability"]
    faults = []
    for pair in observed:
        if not isinstance(pair, tuple) or len(pair) != 2 or pair[0] not in SIGNALS:
            faults.append("observed: names something that is no signal")
        elif isinstance(pair[1], bool) or not isinstance(pair[1], (int, float)) or not 0.0 < pair[1] <= 1.0:
            faults.append(f"observed.{pair[0]}: must be a number above 0 and at most 1")
    return faults


def read_event(data: Mapping[str, object], profiles: Sequence[str] = PROFILES) -> FeedbackEvent:
    """Return the event that *data*, parsed JSON, describes; see :func:`~tomrt.rl.schema.feedback_schema`.

    Only known fields are let in. A whole number may be written as 3.0, and a missing signal as ``null``.

    Args:
        data: An object of JSON.
        profiles: Those that the operator has.

    Raises:
        InvalidFeedback: With all faults at once. None of them quotes a value.
    """
    if not isinstance(data, Mapping):
        raise InvalidFeedback("the event: must be an object")
    faults = list(_unknown(data, _FIELDS, ""))
    faults += [f"{name}: is missing" for name in _REQUIRED if name not in data]
    if isinstance(data.get("profile"), str) and data["profile"] not in profiles:
        faults.append(f"profile: must be one of {', '.join(profiles)}")
    signals, event = _NOTHING_KNOWN, None
    try:
        signals = _read_signals(data.get("signals", {}))
    except InvalidFeedback as fault:
        faults += [f"signals.{text}" if text.split(":")[0] in SIGNALS else text for text in fault.faults]
    try:
        event = FeedbackEvent(**_filled(data, signals))
    except InvalidFeedback as fault:
        faults += [
            text for text in fault.faults if not any(text.split(":")[0] == said.split(":")[0] for said in faults)
        ]
    if faults or event is None:
        raise InvalidFeedback(*faults)
    return event


def _filled(data: Mapping[str, object], signals: Signals) -> dict[str, Any]:
    """Return the fields of an event; ``None``, which each of them refuses, for one that is missing."""
    fields: dict[str, Any] = {name: data.get(name) for name in _FIELDS}
    observed: Any = data.get("observed", {})
    is_object = isinstance(observed, Mapping)
    pairs = tuple(sorted((str(name), value) for name, value in observed.items())) if is_object else None
    return fields | {"signals": signals, "subject": data.get("subject", ""), "observed": pairs}


def _read_signals(data: object) -> Signals:
    """Return the signals in an object of JSON."""
    if not isinstance(data, Mapping):
        raise InvalidFeedback("signals: must be an object")
    faults = list(_unknown(data, SIGNALS, "signals."))
    try:
        signals = Signals(**{name: _whole(name, data.get(name)) for name in SIGNALS})
    except InvalidFeedback as fault:
        raise InvalidFeedback(*faults, *fault.faults) from None
    if faults:
        raise InvalidFeedback(*faults)
    return signals


def _whole(name: str, value: Any) -> Any:
    """Return 3 for 3.0 where a whole number is due; anything else as it is."""
    return int(value) if name in _WHOLE and isinstance(value, float) and value.is_integer() else value


def _unknown(data: Mapping[str, object], known: Sequence[str] | Mapping[str, Any], where: str) -> Iterator[str]:
    """Yield a fault for each field that is not *known*; its name is shown only where it cannot be anybody's."""
    for name in data:
        if name not in known:
            shown = f" {where}{name}" if isinstance(name, str) and re.fullmatch("[a-z_]{1,32}", name) else ""
            yield f"there is no field{shown}" if shown else f"{where or 'the event: '}has a field that is not known"


def to_json(event: FeedbackEvent) -> dict[str, object]:
    """Return *event* as :func:`read_event` reads it, raw caller and call and all: not for storing."""
    data: dict[str, object] = {name: getattr(event, name) for name in _FIELDS}
    data |= {"signals": dict(event.signals.given), "observed": dict(event.observed)}
    return {name: value for name, value in data.items() if value not in ("", {}) or name == "signals"}
