"""What arms have in common: levels of slots as effects, and which few of many combinations tell the effects apart."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import product

import numpy as np
from numpy.typing import NDArray

__all__ = ["choose_combinations", "effect_coded", "slot_likeness"]

Floats = NDArray[np.float64]
Combination = Mapping[str, str]


def effect_coded(combinations: Sequence[Combination], levels: Mapping[str, Sequence[str]]) -> Floats:
    """Return combinations as numbers: 1 for the mean, and for a slot of L levels L - 1 columns that sum to 0 over them.

    Args:
        combinations: N of them, each with a level for every slot.
        levels: The levels of each slot.

    Returns:
        Shape (N, 1 + sum of (L - 1)); a level is its unit vector, the last level is -1 in all columns of its slot
        (deviation coding, so that an effect is one against the mean of all levels).

    Raises:
        KeyError: a combination lacks a slot.
        ValueError: it has a level that is not among *levels*.
    """
    columns = [np.ones((len(combinations), 1))]
    for slot, names in levels.items():
        code = np.vstack((np.eye(len(names) - 1), -np.ones((1, len(names) - 1))))
        columns.append(code[[list(names).index(combination[slot]) for combination in combinations]])
    return np.hstack(columns)


def slot_likeness(combinations: Sequence[Combination]) -> Floats:
    """Return how much the main effects of arms have in common, as a covariance.

    Each slot with at least two levels adds the covariance of independent effects around their mean, 1 for the same
    level and -1/(L - 1) for another; all slots weigh the same. A slot that arms do not have is one more level.

    Args:
        combinations: The slots of each of K arms.

    Returns:
        Shape (K, K), 1 on the diagonal; all 0 where no slot tells arms apart.
    """
    likeness = np.zeros((len(combinations), len(combinations)))
    slots = sorted({slot for combination in combinations for slot in combination})
    telling = 0
    for slot in slots:
        worn = np.array([combination.get(slot, "") for combination in combinations])
        count = len(set(worn.tolist()))
        if count > 1:
            telling += 1
            likeness += np.where(worn[:, None] == worn[None, :], 1.0, -1.0 / (count - 1))
    return likeness / max(telling, 1)


def choose_combinations(levels: Mapping[str, Sequence[str]], count: int, *, seed: int = 0) -> list[dict[str, str]]:
    """Return the *count* combinations of all that tell the main effects apart best.

    D-optimal: the determinant of X'X of their effect-coded rows is as large as exchanges of single rows can make it,
    over eight random beginnings (Fedorov 1972, "Theory of Optimal Experiments").

    Args:
        levels: The levels of each slot.
        count: At least as many as there are main effects with the mean, at most as many as there are combinations.
        seed: Of the beginnings.

    Raises:
        ValueError: *count* is out of its range.
    """
    everything = [dict(zip(levels, chosen, strict=True)) for chosen in product(*levels.values())]
    rows = effect_coded(everything, levels)
    if not rows.shape[1] <= count <= len(everything):
        raise ValueError(f"{count} combinations were asked for, not {rows.shape[1]} to {len(everything)}")
    rng = np.random.default_rng(seed)
    chosen = [_exchanged(rows, rng.permutation(len(everything))[:count]) for _ in range(8)]
    best = max(chosen, key=lambda places: _information(rows[places]))
    return [everything[place] for place in sorted(best)]


def _exchanged(rows: Floats, chosen: NDArray[np.intp]) -> NDArray[np.intp]:
    """Return the choice after exchanging rows for as long as that adds information."""
    better = True
    while better:
        better = False
        for place in range(len(chosen)):
            free = np.setdiff1d(np.arange(len(rows)), chosen)
            tried = np.tile(chosen, (len(free), 1))
            tried[:, place] = free
            gains = _information(rows[tried])
            if gains.max(initial=-np.inf) > _information(rows[chosen]) + 1e-9:
                chosen, better = tried[int(gains.argmax())], True
    return chosen


def _information(rows: Floats) -> Floats:
    """Return log det(X'X) of each stack of rows; a choice that leaves an effect open has next to none."""
    width = rows.shape[-1]
    return np.asarray(np.linalg.slogdet(np.swapaxes(rows, -1, -2) @ rows + 1e-6 * np.eye(width))[1])
