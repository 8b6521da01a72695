"""Which of two ways of talking went better: pairs of calls, and the Bradley-Terry model with ties (Davidson 1970).

A preference uses only the order of two rewards, not their size, so it is a second opinion that does not depend on how
the parts of the reward are weighted against each other at the margin.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from attrs import frozen
from numpy.typing import NDArray

from tomrt.rl.errors import LearningError

__all__ = ["Pairs", "Preferences", "fit_preferences", "pair_up"]

Floats = NDArray[np.float64]
Places = NDArray[np.intp]

NEWTON_STEPS = 100


@frozen(kw_only=True, eq=False)
class Pairs:
    """Comparisons of two calls each.

    Args:
        first: (m,) Place of the arm of the first call.
        second: (m,) Place of the arm of the second call.
        outcome: (m,) 1 the first was better, 0 neither, -1 the second.
        calls: (m, 2) Which calls were compared; one call stands in several pairs, which are then not independent.
    """

    first: Places
    second: Places
    outcome: NDArray[np.int8]
    calls: Places


def pair_up(
    arms: Places,
    rewards: Floats,
    groups: Sequence[str],
    rng: np.random.Generator,
    *,
    rounds: int = 8,
    tie: float = 0.05,
) -> Pairs:
    """Pair calls of the same group at random, those of different arms, each in up to *rounds* pairs.

    Args:
        arms: (n,) Place of each call's arm.
        rewards: (n,) Of each call.
        groups: What must be the same in both, one for each call: the profile.
        rng: Draws the pairs.
        rounds: How often all calls are paired.
        tie: Rewards that differ by no more than this are a tie.

    Raises:
        LearningError: no two calls can be compared.
    """
    labels = np.asarray(groups, dtype=str)
    drawn = []
    for _ in range(rounds):
        for label in np.unique(labels):
            shuffled = rng.permutation((labels == label).nonzero()[0])
            half = len(shuffled) // 2
            drawn.append(np.column_stack([shuffled[:half], shuffled[half : 2 * half]]))
    calls = np.vstack(drawn) if drawn else np.zeros((0, 2), dtype=np.intp)
    calls = np.unique(np.sort(calls, axis=1), axis=0)
    calls = calls[arms[calls[:, 0]] != arms[calls[:, 1]]]
    if not len(calls):
        raise LearningError("no two calls of the same profile had different variants, so there is nothing to compare")
    apart = rewards[calls[:, 0]] - rewards[calls[:, 1]]
    outcome = np.where(np.abs(apart) <= tie, 0, np.sign(apart)).astype(np.int8)
    return Pairs(first=arms[calls[:, 0]], second=arms[calls[:, 1]], outcome=outcome, calls=calls)


@frozen(kw_only=True, eq=False)
class Preferences:
    """Fitted strengths.

    Args:
        coefficients: (p,) Of the features of the arms; log odds of winning.
        ties: Log of the tie parameter; larger is more ties.
        covariance: (p, p) Of the coefficients. Robust against one call standing in several pairs (Aronow, Samii and
            Assenova 2015).
        pairs: How many were compared.
    """

    coefficients: Floats
    ties: float
    covariance: Floats
    pairs: int

    def against(self, first: Floats, second: Floats) -> tuple[float, float]:
        """Return the log odds that the first wins, where there is no tie, and their standard error.

        Args:
            first: (p,) Features of one arm.
            second: (p,) Of the other.
        """
        apart = first - second
        return float(apart @ self.coefficients), math.sqrt(max(float(apart @ self.covariance @ apart), 0.0))


def fit_preferences(pairs: Pairs, features: Floats, *, strength: float = 1.0) -> Preferences:
    """Fit the model by Newton's method; the log-likelihood is concave.

    With strength t = features @ coefficients, the log weights are (t1 - t2) / 2 for the first, -(t1 - t2) / 2 for the
    second and ``ties`` for neither.

    Args:
        pairs: What was compared.
        features: (K, p) Of the arms; the identity without its last column gives each arm a strength of its own.
        strength: Of the penalty strength / 2 * |coefficients|^2, a normal prior. 0 is maximum likelihood, which does
            not exist where an arm never lost.

    Raises:
        LearningError: the comparisons do not determine the coefficients.
    """
    apart = (features[pairs.first] - features[pairs.second]) / 2
    design = np.stack([apart, np.zeros_like(apart), -apart], axis=1)  # (m, 3, p): first, neither, second
    ties = np.zeros((len(apart), 3, 1))
    ties[:, 1] = 1.0
    design = np.concatenate([design, ties], axis=2)
    seen = design[np.arange(len(apart)), 1 - pairs.outcome.astype(np.intp)]
    penalty = np.append(np.full(features.shape[1], strength), 1e-6)
    beta = np.zeros(features.shape[1] + 1)
    for _ in range(NEWTON_STEPS):
        slope, curve, scores = _slope(design, seen, beta)
        slope, curve = slope - penalty * beta, curve + np.diag(penalty)
        step = _solve(curve, slope)
        beta = beta + step * min(1.0, 2.0 / max(float(np.abs(step).max()), 1e-12))
        if float(np.abs(step).max()) < 1e-9:
            break
    else:
        raise LearningError("the comparisons do not determine the strengths: some variant never lost, or never won")
    bread = np.linalg.inv(curve)
    covariance = bread @ _between(scores, pairs.calls) @ bread
    return Preferences(
        coefficients=beta[:-1], ties=float(beta[-1]), covariance=covariance[:-1, :-1], pairs=len(pairs.outcome)
    )


def _solve(curve: Floats, slope: Floats) -> Floats:
    try:
        return np.asarray(np.linalg.solve(curve, slope), dtype=np.float64)
    except np.linalg.LinAlgError:
        raise LearningError("the comparisons do not determine the strengths: features that never differ") from None


def _slope(design: Floats, seen: Floats, beta: Floats) -> tuple[Floats, Floats, Floats]:
    """Return the gradient (p,), the negative Hessian (p, p) and each pair's part of the gradient (m, p)."""
    z = design @ beta
    p = np.exp(z - z.max(axis=1, keepdims=True))
    p /= p.sum(axis=1, keepdims=True)
    mean = np.einsum("mk,mkp->mp", p, design)
    scores = seen - mean
    curve = np.einsum("mk,mkp,mkq->pq", p, design, design, optimize=True) - mean.T @ mean
    return scores.sum(axis=0), curve, scores


def _between(scores: Floats, calls: Places) -> Floats:
    """Return the variance (p, p) of the summed scores: all products of pairs that have a call in common."""
    of_call = np.zeros((int(calls.max()) + 1, scores.shape[1]))
    np.add.at(of_call, calls[:, 0], scores)
    np.add.at(of_call, calls[:, 1], scores)
    return np.asarray(of_call.T @ of_call - scores.T @ scores, dtype=np.float64)
