"""What a policy would have earned, told from calls in which another one chose: IPS, SNIPS and doubly robust.

Every estimate rests on the probabilities with which the arms were chosen, recorded when they were chosen. Where one is
missing or cannot be, nothing is estimated. The intervals are for calls drawn one by one; under a bandit that shifts its
probabilities they hold for arms that kept being drawn, and ``weigh`` tells how far that is so.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from statistics import NormalDist
from typing import Protocol

import numpy as np
from attrs import frozen
from numpy.typing import NDArray

from tomrt.rl.choice_log import Log
from tomrt.rl.errors import LearningError

__all__ = [
    "Estimate",
    "Predictor",
    "Weighing",
    "always",
    "cross_fit",
    "difference",
    "doubly_robust",
    "inverse_propensity",
    "self_normalised",
    "student_quantile",
    "weigh",
]

Floats = NDArray[np.float64]

LEAST_DEGREES = 3.0


class Predictor(Protocol):
    """A fitted reward model."""

    def predict(self, rows: Floats) -> Floats:
        """Return the expected reward (n,) of feature rows (n, p)."""
        ...


@frozen(kw_only=True)
class Estimate:
    """What a policy is worth, and how surely.

    Args:
        method: How it was estimated.
        value: Expected reward of a call.
        low: Lower end of the interval.
        high: Upper end.
        level: Probability with which such intervals hold the truth.
        standard_error: Of the value.
        n: Calls that were looked at.
        effective: Calls that it is worth: (sum w)^2 / sum w^2 (Kish 1965).
    """

    method: str
    value: float
    low: float
    high: float
    level: float
    standard_error: float
    n: int
    effective: float

    def __str__(self) -> str:
        return (
            f"{self.method}: {self.value:.3f} [{self.low:.3f}, {self.high:.3f}] at {self.level:.0%}, "
            f"{self.n} calls worth {self.effective:.0f}"
        )


@frozen(kw_only=True)
class Weighing:
    """Whether the recorded probabilities can carry an estimate.

    Args:
        n: Calls.
        effective: Calls that they are worth.
        largest: Weight of the heaviest call; it stands for so many.
        mean: Of the weights; 1 is expected.
        z: Distance of the mean from 1 in standard errors, those that the recorded probabilities imply. Where few calls
            are heavy, large values are common; ``chance`` allows for that.
        taken: Calls in which was done what the policy would do.
        expected: How many of those the recorded probabilities promise.
        chance: An upper bound, by Freedman's inequality (1975), of the probability that weights and calls come out so
            far from what is expected when the probabilities are those that were drawn with. It holds for a bandit, too.
    """

    n: int
    effective: float
    largest: float
    mean: float
    z: float
    taken: float
    expected: float
    chance: float


def always(log: Log, arm: str) -> Floats:
    """Return the policy (n, K) that always takes *arm*.

    Raises:
        LearningError: the log has no such arm.
    """
    policy = np.zeros(log.probabilities.shape)
    policy[:, log.place(arm)] = 1.0
    return policy


def weigh(log: Log, policy: Floats) -> Weighing:
    """Weigh the log for *policy* (n, K).

    Raises:
        LearningError: the policy does what the log never could.
    """
    w = _weights(log, policy)
    spread, excess = float((_expected_squares(log, policy) - 1.0).sum()), float((w - 1.0).sum())
    done = policy[np.arange(len(w)), log.chosen]
    promised = (policy * log.probabilities).sum(axis=1)
    variance = float(((policy - promised[:, None]) ** 2 * log.probabilities).sum())
    most = float((policy / np.where(policy > 0, log.probabilities, 1.0)).max())
    return Weighing(
        n=len(w),
        effective=_effective(w),
        largest=float(w.max()),
        mean=float(w.mean()),
        z=excess / math.sqrt(spread) if spread > 1e-9 else 0.0,
        taken=float(done.sum()),
        expected=float(promised.sum()),
        chance=min(1.0, 2.0 * min(_tail(excess, spread, most), _tail(float((done - promised).sum()), variance, 1.0))),
    )


def _tail(sum_: float, variance: float, most: float) -> float:
    """Bound the probability that a martingale is *sum_* away from 0, its steps being no more than *most*."""
    scale = variance + most * abs(sum_) / 3.0
    return 2.0 * math.exp(-(sum_**2) / (2.0 * scale)) if scale > 1e-9 else 1.0


def inverse_propensity(log: Log, policy: Floats, *, level: float = 0.95) -> Estimate:
    """Return the mean of w r (Horvitz and Thompson 1952): without bias, and the widest of the three.

    Raises:
        LearningError: the log is too short, or the policy does what it never could.
    """
    w = _weights(log, policy)
    return _estimate("IPS", log, w * log.rewards, np.ones_like(w), w, level=level)


def self_normalised(log: Log, policy: Floats, *, level: float = 0.95) -> Estimate:
    """Return sum w r / sum w (Swaminathan and Joachims 2015), its interval by the delta method.

    The normaliser varies with the sample, and the residuals w (r - value) carry that; to freeze it would double the
    width.

    Raises:
        LearningError: the log is too short, or the policy does what it never could, or never did.
    """
    w = _weights(log, policy)
    if not w.sum() > 0:
        raise LearningError("what the policy does was never done in the log, so nothing tells what it is worth")
    return _estimate("SNIPS", log, w * log.rewards, w, w, level=level)


def doubly_robust(
    log: Log, policy: Floats, predicted: Floats, *, level: float = 0.95, steady: bool = False
) -> Estimate:
    """Return the model's value plus what the weighted residuals correct (Dudik, Langford and Li 2011).

    Args:
        log: What was done.
        policy: (n, K) What would be done.
        predicted: (n, K) Expected reward of each arm, from models that have not seen the call (``cross_fit``).
        level: Of the interval.
        steady: Weigh each call by 1 / sqrt(expected w^2) (Hadad et al. 2021), for logs of a bandit whose probabilities
            move with what it learned, not with who calls: there the plain mean is dominated by the few calls in which
            the arm had become rare.

    Raises:
        LearningError: the log is too short, or the policy does what it never could.
    """
    w = _weights(log, policy)
    trust = _trust(log, policy) if steady else np.ones(len(w))
    return _estimate("DR", log, trust * _scores(log, policy, w, predicted), trust, w * trust, level=level)


def difference(
    log: Log, policy: Floats, other: Floats, predicted: Floats, *, level: float = 0.95, steady: bool = False
) -> Estimate:
    """Return how much more *policy* earns than *other*, doubly robust, over the same calls; see ``doubly_robust``.

    Raises:
        LearningError: the log is too short, or one of them does what it never could.
    """
    w, v = _weights(log, policy), _weights(log, other)
    apart = policy - other
    trust = _trust(log, apart) if steady else np.ones(len(w))
    scores = trust * _scores(log, apart, w - v, predicted)
    rarer = min((w * trust, v * trust), key=_effective)
    return _estimate("DR difference", log, scores, trust, rarer, level=level)


def _scores(log: Log, policy: Floats, weights: Floats, predicted: Floats) -> Floats:
    if predicted.shape != policy.shape:
        raise LearningError(f"predictions {predicted.shape} do not belong to a policy of {policy.shape}")
    taken = predicted[np.arange(len(weights)), log.chosen]
    return np.asarray((policy * predicted).sum(axis=1) + weights * (log.rewards - taken), dtype=np.float64)


def _trust(log: Log, policy: Floats) -> Floats:
    """Return (n,) 1 / sqrt(E w^2), which evens out how much noise the calls bring."""
    squares = _expected_squares(log, policy)
    return np.asarray(np.where(squares > 0, np.maximum(squares, 1e-12) ** -0.5, 1.0), dtype=np.float64)


def _expected_squares(log: Log, policy: Floats) -> Floats:
    p = log.probabilities
    return np.asarray(np.divide(policy**2, p, out=np.zeros_like(p), where=p > 0).sum(axis=1), dtype=np.float64)


def cross_fit(
    log: Log,
    arm_features: Floats,
    context_features: Floats,
    fit: Callable[[Floats, Floats], Predictor],
    *,
    folds: int = 5,
) -> Floats:
    """Return the expected reward (n, K) of every arm in every call, each from a model that has not seen that call.

    Args:
        log: What was done; all calls of caller number i belong to fold i modulo *folds*.
        arm_features: (K, p) Of the arms.
        context_features: (n, q) Of the calls; q may be 0.
        fit: Fits a model to rows (m, p + q) and rewards (m,).
        folds: How many models, at least 2.

    Raises:
        LearningError: there are fewer calls than two in each fold.
    """
    n, kinds = log.probabilities.shape
    if folds < 2 or len(np.unique(log.callers)) < 2 * folds:
        raise LearningError(f"{n} calls of {len(np.unique(log.callers))} callers are too few for {folds} folds")
    rows = np.hstack([arm_features[log.chosen], context_features])
    fold = log.callers % folds
    predicted = np.empty((n, kinds))
    for each in range(folds):
        model = fit(rows[fold != each], log.rewards[fold != each])
        held = context_features[fold == each]
        for arm in range(kinds):
            same = np.broadcast_to(arm_features[arm], (len(held), arm_features.shape[1]))
            predicted[fold == each, arm] = model.predict(np.hstack([same, held]))
    return predicted


def _weights(log: Log, policy: Floats) -> Floats:
    if policy.shape != log.probabilities.shape:
        raise LearningError(f"a policy of {policy.shape} does not belong to a log of {log.probabilities.shape}")
    if len(log) < 2:
        raise LearningError(f"{len(log)} calls are too few for an estimate")
    impossible = ((policy > 0) & ~(log.probabilities > 0)).any(axis=1)
    if impossible.any():
        raise LearningError(
            f"in {int(impossible.sum())} of {len(log)} calls the policy takes an arm that could not be chosen; "
            "estimate it over the calls in which it could"
        )
    rows = np.arange(len(log))
    return np.asarray(policy[rows, log.chosen] / log.propensities, dtype=np.float64)


def _effective(weights: Floats) -> float:
    squares = float((weights**2).sum())
    return float(weights.sum()) ** 2 / squares if squares > 0 else 0.0


def _estimate(method: str, log: Log, parts: Floats, units: Floats, weights: Floats, *, level: float) -> Estimate:
    """Return the ratio of sums *parts* / *units*, with its delta interval; calls of one caller vary together."""
    value = float(parts.sum() / units.sum())
    residuals = np.bincount(log.callers, parts - units * value)
    n, callers = len(parts), len(np.unique(log.callers))
    if callers < 2:
        raise LearningError("all calls are of one caller, so nothing can be said of others")
    error = math.sqrt(float(residuals @ residuals) * callers / (callers - 1)) / float(units.sum())
    effective = _effective(weights)
    half = student_quantile(0.5 + level / 2, min(effective, callers) - 1.0) * error
    return Estimate(
        method=method,
        value=value,
        low=value - half,
        high=value + half,
        level=level,
        standard_error=error,
        n=n,
        effective=effective,
    )


def student_quantile(probability: float, degrees: float) -> float:
    """Return the quantile of Student's t, by the expansion in 1 / *degrees* (Abramowitz and Stegun 26.7.5).

    Good to .4 % from 5 degrees of freedom on; fewer than 3 count as 3, so it is no answer for a handful of calls.
    """
    z = NormalDist().inv_cdf(probability)
    v = max(degrees, LEAST_DEGREES)
    g1 = (z**3 + z) / 4
    g2 = (5 * z**5 + 16 * z**3 + 3 * z) / 96
    g3 = (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384
    g4 = (79 * z**9 + 776 * z**7 + 1482 * z**5 - 1920 * z**3 - 945 * z) / 92_160
    return z + g1 / v + g2 / v**2 + g3 / v**3 + g4 / v**4
