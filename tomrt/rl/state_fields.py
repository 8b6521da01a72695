"""Reads the fields of a saved state; whatever is not as it was written is one clear fault."""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping

from tomrt.rl.errors import InvalidState

__all__ = ["mapping", "number", "numbers", "sequence", "text", "truth", "whole"]

_HUGE = sys.float_info.max


def _field(data: Mapping[str, object], name: str, where: str) -> object:
    if name not in data:
        raise InvalidState(f"{where}: {name} is missing")
    return data[name]


def _checked(value: object, label: str, low: float, high: float) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not -_HUGE <= value <= _HUGE:
        raise InvalidState(f"{label} is not a finite number")
    if not low <= value <= high:
        raise InvalidState(f"{label} is {float(value):g}, outside of {low:g} to {high:g}")
    return float(value)


def number(
    data: Mapping[str, object], name: str, where: str, *, low: float = -math.inf, high: float = math.inf
) -> float:
    """Return a finite number from *low* to *high*; *where* is named in the fault."""
    return _checked(_field(data, name, where), f"{where}: {name}", low, high)


def whole(data: Mapping[str, object], name: str, where: str) -> int:
    """Return a whole number of at least 0."""
    value = _field(data, name, where)
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise InvalidState(f"{where}: {name} is not a whole number of at least 0")
    return value


def text(data: Mapping[str, object], name: str, where: str) -> str:
    """Return a text."""
    value = _field(data, name, where)
    if not isinstance(value, str):
        raise InvalidState(f"{where}: {name} is not a text")
    return value


def truth(data: Mapping[str, object], name: str, where: str) -> bool:
    """Return true or false."""
    value = _field(data, name, where)
    if not isinstance(value, bool):
        raise InvalidState(f"{where}: {name} is neither true nor false")
    return value


def mapping(data: Mapping[str, object], name: str, where: str) -> Mapping[str, object]:
    """Return a table whose keys are texts."""
    value = _field(data, name, where)
    if not isinstance(value, Mapping) or not all(isinstance(key, str) for key in value):
        raise InvalidState(f"{where}: {name} is not a table")
    return value


def sequence(data: Mapping[str, object], name: str, where: str) -> list[object]:
    """Return a list."""
    value = _field(data, name, where)
    if not isinstance(value, list | tuple):
        raise InvalidState(f"{where}: {name} is not a list")
    return list(value)


def numbers(
    data: Mapping[str, object], name: str, where: str, *, low: float = -math.inf, high: float = math.inf
) -> list[float]:
    """Return a list of finite numbers from *low* to *high*."""
    return [_checked(value, f"{where}: {name}", low, high) for value in sequence(data, name, where)]
