"""What a setting means and may be: the checks, the error messages and the example file are made from it."""

from __future__ import annotations

import re
from typing import Any

import attrs
from attrs import frozen

from tomrt.errors import SettingsError

__all__ = [
    "SECRET_FORMS",
    "SECRET_MIN_BYTES",
    "Meaning",
    "Secret",
    "fault_in",
    "meaning_of",
    "number",
    "range_of",
    "secret_text",
    "text",
]

SECRET_MIN_BYTES = 32
SECRET_FORMS = 'a text, {file = "PATH"} or {env = "NAME"}'  # noqa: S105 - how a secret may be written, none itself


class Secret:
    """A value that never shows: ``repr``, ``str`` and ``format`` give stars.

    Args:
        value: The secret text; ``""`` means that none is set.
    """

    __slots__ = ("_value",)

    def __init__(self, value: str = "") -> None:
        self._value = value

    def reveal(self) -> str:
        """Return the secret itself, for the one place that needs it."""
        return self._value

    def __bool__(self) -> bool:
        return bool(self._value)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and self._value == other._value

    def __hash__(self) -> int:
        return hash((Secret, self._value))

    def __repr__(self) -> str:
        return "Secret('***')" if self._value else "Secret('')"

    def __str__(self) -> str:
        return "***" if self._value else ""


@frozen(kw_only=True)
class Meaning:
    """What a setting is for and what it may be.

    Args:
        text: One or two sentences for the operator.
        low: Least value of a number; ``None`` for texts.
        high: Greatest value of a number.
        choices: The only values a text may have; empty for free text.
        required: Whether a text must not be empty.
        each: A regular expression for each word of a text that is a list; empty for other texts.
        form: The same for a person.
        least_bytes: Shortest secret taken.
    """

    text: str
    low: float | None = None
    high: float | None = None
    choices: tuple[str, ...] = ()
    required: bool = False
    each: str = ""
    form: str = ""
    least_bytes: int = SECRET_MIN_BYTES


def fault_in(value: object, meaning: Meaning) -> str:
    """Say what is wrong with *value*, which already has the right type; ``""`` when nothing is."""
    match value:
        case Secret():
            if value and len(value.reveal().encode()) < meaning.least_bytes:
                return f"must be at least {meaning.least_bytes} bytes long; make one with: openssl rand -base64 48"
            if value and not value.reveal().isprintable():
                return "must not hold control characters"
        case bool():
            return ""
        case int() | float() if meaning.low is not None and meaning.high is not None:
            if not meaning.low <= value <= meaning.high:
                return f"must be {range_of(meaning.low, meaning.high)}, not {value}"
        case str():
            return _fault_in_text(value, meaning)
    return ""


def range_of(low: float, high: float) -> str:
    """Return how a range reads in a sentence."""
    return f"from {low} to {high}"


def _fault_in_text(value: str, meaning: Meaning) -> str:
    if meaning.choices and value not in meaning.choices:
        return f"must be one of {', '.join(meaning.choices)}, not {value[:40]!r}"
    if meaning.required and not value.strip():
        return "must not be empty"
    if not value.isprintable():
        return "must not hold control characters"
    for number, word in enumerate(value.split() if meaning.each else (), 1):
        if re.fullmatch(meaning.each, word) is None:
            return f"entry {number} is not {meaning.form}"
    return ""


def _validate(instance: object, attribute: attrs.Attribute[Any], value: Any) -> None:
    if fault := fault_in(value, attribute.metadata["meaning"]):
        raise SettingsError(f"{type(instance).__name__.lower()}.{attribute.name}: {fault}")


def number(default: float, meaning: str, low: float, high: float) -> Any:
    """Return the field of a number from *low* to *high*."""
    return attrs.field(
        default=default, validator=_validate, metadata={"meaning": Meaning(text=meaning, low=low, high=high)}
    )


def text(default: object, meaning: str, *choices: str, required: bool = False, each: str = "", form: str = "") -> Any:
    """Return the field of a text, one of *choices* where there are some, or a list of *each*, or of a switch."""
    metadata = {"meaning": Meaning(text=meaning, choices=choices, required=required, each=each, form=form)}
    return attrs.field(default=default, validator=_validate, metadata=metadata)


def secret_text(meaning: str, *, least_bytes: int = SECRET_MIN_BYTES) -> Any:
    """Return the field of a secret."""
    metadata = {"meaning": Meaning(text=meaning, least_bytes=least_bytes)}
    return attrs.field(default=Secret(), validator=_validate, metadata=metadata)


def meaning_of(attribute: attrs.Attribute[Any]) -> Meaning:
    """Return what the field of a section is for."""
    meaning: Meaning = attribute.metadata["meaning"]
    return meaning
