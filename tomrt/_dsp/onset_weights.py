"""The weights of the onset detector's network, readable numbers in ``onset_weights.toml`` that the tool made."""

from __future__ import annotations

import tomllib
from array import array
from importlib.resources import files

__all__ = ["LAYOUT", "load_weights"]

LAYOUT = 2
"""Version of what the network is given, in which order; weights trained for another one are refused."""


def _rows(table: dict[str, object], name: str, count: int, width: int) -> list[float]:
    """Return the numbers of a matrix, row by row."""
    rows = table.get(name)
    if not isinstance(rows, list) or [len(row) for row in rows] != [width] * count:
        raise ImportError(f"onset_weights.toml must have {count} rows of {width} numbers as {name!r}.")
    return [float(number) for row in rows for number in row]


def load_weights(features: int, units: int) -> array[float]:
    """Return the weights in the order in which the kernel's structure holds them, as 32-bit floats.

    Args:
        features: What the kernel gives the network per hop.
        units: Its recurrent units.

    Raises:
        ImportError: the file's layout or shape is not the kernel's.
    """
    table = tomllib.loads(files(__package__).joinpath("onset_weights.toml").read_text(encoding="ascii"))
    if table.get("layout") != LAYOUT:
        raise ImportError(f"onset_weights.toml has layout {table.get('layout')}, and the kernel needs {LAYOUT}.")
    numbers = _rows(table, "input", features, 3 * units) + _rows(table, "state", units, 3 * units)
    numbers += _rows(table, "bias", 1, 3 * units) + _rows(table, "output", 1, units) + _rows(table, "output_bias", 1, 1)
    return array("f", numbers)
