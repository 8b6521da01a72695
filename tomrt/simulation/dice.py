"""Chance, one source for each component, so that a new fault does not shift what the others draw."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from typing import TypeVar

__all__ = ["Dice"]

T = TypeVar("T")


class Dice:
    """What one component of one seed draws.

    Args:
        seed: The scenario's.
        name: The component's.
    """

    __slots__ = ("_random",)

    def __init__(self, seed: int, name: str) -> None:
        self._random = random.Random(f"{seed}:{name}")  # noqa: S311 - repeatable on purpose; nothing secret

    def chance(self, probability: float) -> bool:
        """Return true this often."""
        return self._random.random() < probability

    def between(self, low: float, high: float) -> float:
        """Return a number between two others, in whole milliseconds where it is a time."""
        return round(self._random.uniform(low, high), 3)

    def log_between(self, low: float, high: float) -> float:
        """Return a number whose logarithm is uniform."""
        return float(f"{math.exp(self._random.uniform(math.log(low), math.log(high))):.3g}")

    def whole(self, low: int, high: int) -> int:
        """Return a whole number, both ends included."""
        return self._random.randint(low, high)

    def one_of(self, choices: Sequence[T]) -> T:
        """Return one of *choices*."""
        return self._random.choice(choices)

    def some_of(self, choices: Sequence[T], count: int) -> list[T]:
        """Return *count* different ones of *choices*, in their order."""
        chosen = self._random.sample(range(len(choices)), count)
        return [choices[index] for index in sorted(chosen)]
