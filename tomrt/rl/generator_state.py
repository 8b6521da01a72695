"""The state of a numpy generator as JSON, and back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from tomrt.rl.errors import InvalidState
from tomrt.rl.state_fields import mapping

__all__ = ["generator_from_state", "generator_state"]

_KINDS = {kind.__name__: kind for kind in (np.random.PCG64, np.random.PCG64DXSM, np.random.SFC64, np.random.Philox)}


def generator_state(state: Mapping[str, Any]) -> dict[str, object]:
    """Return ``Generator.bit_generator.state`` with plain lists and numbers in place of numpy's."""
    return {name: _plain(value) for name, value in state.items()}


def _plain(value: object) -> object:
    if isinstance(value, Mapping):
        return {name: _plain(item) for name, item in value.items()}
    if isinstance(value, np.ndarray | np.generic):
        return value.tolist()
    return value


def generator_from_state(data: Mapping[str, object], name: str, where: str) -> np.random.Generator:
    """Return a generator that goes on where the one of *data*'s field *name* stood.

    Raises:
        InvalidState: it is not the state of one of numpy's generators; *where* is named in the fault.
    """
    state = mapping(data, name, where)
    kind = state.get("bit_generator")
    if not isinstance(kind, str) or kind not in _KINDS:
        raise InvalidState(f"{where}: {name} is of a generator {kind!r}, none of {', '.join(_KINDS)}")
    bits: Any = _KINDS[kind](0)
    try:
        bits.state = {key: _packed(value) for key, value in state.items()}
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise InvalidState(f"{where}: {name} cannot be restored: {error}") from error
    return np.random.Generator(bits)


def _packed(value: object) -> object:
    """Return lists as the arrays that some generators insist on."""
    if isinstance(value, Mapping):
        return {name: _packed(item) for name, item in value.items()}
    return np.array(value, dtype=np.uint64) if isinstance(value, list) else value
