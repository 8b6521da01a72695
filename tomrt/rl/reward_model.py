"""Models of what a call is worth: ridge regression for the reward, logistic regression for whether it was resolved.

Both in numpy. Their strength (of the penalty on coefficients, never on the intercept) is chosen by what they predict
for calls that they have not seen. scikit-learn is wanted only by ``against_trees``: is a line enough?
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
from attrs import frozen
from numpy.typing import NDArray

from tomrt.rl.errors import LearningError

__all__ = ["STRENGTHS", "Linear", "Logistic", "TreeCheck", "against_trees", "fit_logistic", "fit_ridge"]

Floats = NDArray[np.float64]

STRENGTHS = tuple(float(each) for each in np.geomspace(0.1, 1000.0, 17))
NEWTON_STEPS = 50
FOLDS = 5


@frozen(kw_only=True, eq=False)
class Linear:
    """A fitted ridge regression.

    Args:
        coefficients: (p,) Of the features.
        intercept: Expected reward where all features are as on average.
        centre: (p,) Average of the features.
        strength: Of the penalty.
        noise_sd: Standard deviation of what it does not explain.
        covariance: (p, p) Of the coefficients, given the penalty as a prior.
        n: Calls it was fitted to.
        unseen_r2: Share of the variance that it explains in calls it has not seen (leave-one-out); can be below 0.
    """

    coefficients: Floats
    intercept: float
    centre: Floats
    strength: float
    noise_sd: float
    covariance: Floats
    n: int
    unseen_r2: float

    def predict(self, rows: Floats) -> Floats:
        """Return the expected reward (n,) of feature rows (n, p)."""
        return np.asarray((rows - self.centre) @ self.coefficients + self.intercept, dtype=np.float64)

    def standard_errors(self, rows: Floats) -> Floats:
        """Return the standard error (n,) of what is predicted for *rows* (n, p); the noise of a call is not in it."""
        away = rows - self.centre
        spread = np.einsum("np,pq,nq->n", away, self.covariance, away)
        return np.asarray(np.sqrt(spread + self.noise_sd**2 / self.n), dtype=np.float64)


def fit_ridge(rows: Floats, rewards: Floats, *, strengths: Sequence[float] = STRENGTHS) -> Linear:
    """Fit a ridge regression, its strength chosen by leave-one-out error (in closed form, Golub et al. 1979).

    Args:
        rows: (n, p) Features.
        rewards: (n,) What came of it.
        strengths: To choose among; 0 is least squares.

    Raises:
        LearningError: there are fewer than three calls, or the shapes differ.
    """
    _check(rows, rewards)
    n = len(rows)
    centre, intercept = rows.mean(axis=0), float(rewards.mean())
    u, s, vt = np.linalg.svd(rows - centre, full_matrices=False)
    kept = s > 1e-10 * max(float(s.max(initial=0.0)), 1.0)
    u, s, vt = u[:, kept], s[kept], vt[kept]
    along, away = u.T @ (rewards - intercept), rewards - intercept
    errors = _unseen_errors(u, s, along, away, np.asarray(strengths, dtype=np.float64))
    strength = float(strengths[int(errors.argmin())])
    shrunk = s / (s**2 + strength)
    residuals = away - u @ (s * shrunk * along)
    freedom = max(n - 1.0 - float((s * shrunk).sum()), 1.0)
    noise = math.sqrt(float(residuals @ residuals) / freedom)
    total = float(away @ away) / n * (n / (n - 1)) ** 2  # leave-one-out error of the mean alone
    return Linear(
        coefficients=vt.T @ (shrunk * along),
        intercept=intercept,
        centre=centre,
        strength=strength,
        noise_sd=noise,
        covariance=noise**2 * _inverse(s, vt, strength),
        n=n,
        unseen_r2=1.0 - float(errors.min()) / total if total > 0 else 0.0,
    )


def _unseen_errors(u: Floats, s: Floats, along: Floats, away: Floats, strengths: Floats) -> Floats:
    """Return for each strength the mean squared error of each call, predicted by the fit to all others."""
    gains = s[:, None] ** 2 / (s[:, None] ** 2 + strengths)
    leverages = (u**2) @ gains + 1.0 / len(away)
    residuals = away[:, None] - u @ (gains * along[:, None])
    return np.asarray(((residuals / np.maximum(1.0 - leverages, 1e-9)) ** 2).mean(axis=0), dtype=np.float64)


def _inverse(s: Floats, vt: Floats, strength: float) -> Floats:
    """Return (X'X + strength I)^-1; directions that never varied are the penalty's alone, and 0 where there is none."""
    inverse = (vt.T / (s**2 + strength)) @ vt
    if strength > 0:
        inverse += (np.eye(vt.shape[1]) - vt.T @ vt) / strength
    return np.asarray(inverse, dtype=np.float64)


@frozen(kw_only=True, eq=False)
class Logistic:
    """A fitted logistic regression.

    Args:
        coefficients: (p,) Of the features.
        intercept: Log odds where all features are 0.
        strength: Of the penalty.
    """

    coefficients: Floats
    intercept: float
    strength: float

    def predict(self, rows: Floats) -> Floats:
        """Return the probability (n,) for feature rows (n, p)."""
        return _sigmoid(rows @ self.coefficients + self.intercept)


def fit_logistic(rows: Floats, outcomes: Floats, *, strengths: Sequence[float] = STRENGTHS[::2]) -> Logistic:
    """Fit a logistic regression by Newton's method, its strength chosen by the log loss in five folds.

    Args:
        rows: (n, p) Features.
        outcomes: (n,) From 0 to 1; what lies between counts as so much of a success.
        strengths: To choose among, above 0: without a penalty the fit may not exist.

    Raises:
        LearningError: there are fewer than three calls, the shapes differ, or an outcome is not from 0 to 1.
    """
    _check(rows, outcomes)
    if ((outcomes < 0) | (outcomes > 1)).any() or min(strengths) <= 0:
        raise LearningError("logistic regression wants outcomes from 0 to 1 and a strength above 0")
    fold = np.arange(len(rows)) % min(FOLDS, len(rows))
    best = strengths[0]
    if len(strengths) > 1:
        best = min(strengths, key=lambda each: _held_out_loss(rows, outcomes, fold, each))
    return _newton(rows, outcomes, best)


def _held_out_loss(rows: Floats, outcomes: Floats, fold: NDArray[np.intp], strength: float) -> float:
    loss = 0.0
    for each in range(int(fold.max()) + 1):
        held = fold == each
        p = np.clip(_newton(rows[~held], outcomes[~held], strength).predict(rows[held]), 1e-12, 1 - 1e-12)
        y = outcomes[held]
        loss -= float((y * np.log(p) + (1 - y) * np.log1p(-p)).sum())
    return loss


def _newton(rows: Floats, outcomes: Floats, strength: float) -> Logistic:
    design = np.hstack([rows, np.ones((len(rows), 1))])
    penalty = np.full(design.shape[1], strength)
    penalty[-1] = 1e-6  # enough for all outcomes alike, too little to be seen
    beta = np.zeros(design.shape[1])

    def loss(at: Floats) -> float:
        z = design @ at
        return float((np.logaddexp(0, z) - outcomes * z).sum() + penalty @ at**2 / 2)

    for _ in range(NEWTON_STEPS):
        p = _sigmoid(design @ beta)
        slope = design.T @ (p - outcomes) + penalty * beta
        curve = (design * (p * (1 - p))[:, None]).T @ design + np.diag(penalty)
        step = np.linalg.solve(curve, slope)
        size, before = 1.0, loss(beta)
        while loss(beta - size * step) > before and size > 1e-4:
            size /= 2
        beta = beta - size * step
        if float(np.abs(step).max()) < 1e-8:
            break
    return Logistic(coefficients=beta[:-1], intercept=float(beta[-1]), strength=strength)


def _sigmoid(z: Floats) -> Floats:
    return np.asarray(0.5 * (1.0 + np.tanh(0.5 * z)), dtype=np.float64)


def _check(rows: Floats, outcomes: Floats) -> None:
    if rows.ndim != 2 or outcomes.shape != (len(rows),):
        raise LearningError(f"a model needs rows (n, p) and outcomes (n,), not {rows.shape} and {outcomes.shape}")
    if len(rows) < 3:
        raise LearningError(f"{len(rows)} calls are too few for a model")


@frozen(kw_only=True)
class TreeCheck:
    """Whether boosted trees, which may bend and combine as they like, foresee more than the line does.

    Args:
        linear_r2: Share of the variance that ridge regression explains in calls it has not seen.
        trees_r2: The same of boosted trees.
    """

    linear_r2: float
    trees_r2: float

    @property
    def line_is_enough(self) -> bool:
        """Whether the trees are ahead by less than 2 % of the variance."""
        return self.trees_r2 < self.linear_r2 + 0.02


def against_trees(rows: Floats, rewards: Floats, *, seed: int = 0) -> TreeCheck:
    """Compare the line with boosted trees in five folds; needs scikit-learn, which tomrt[train] brings.

    Raises:
        LearningError: scikit-learn is not there, or there are too few calls.
    """
    _check(rows, rewards)
    try:
        from sklearn.ensemble import HistGradientBoostingRegressor  # noqa: PLC0415 - 2 s, and only for this
    except ImportError:
        raise LearningError("to compare with trees scikit-learn is needed: pip install 'tomrt[train]'") from None

    def trees(x: Floats, y: Floats) -> Callable[[Floats], Floats]:
        model = HistGradientBoostingRegressor(max_iter=100, max_depth=3, learning_rate=0.05, random_state=seed)
        fitted: Callable[[Floats], Floats] = model.fit(x, y).predict
        return fitted

    return TreeCheck(
        linear_r2=_unseen_share(rows, rewards, lambda x, y: fit_ridge(x, y).predict),
        trees_r2=_unseen_share(rows, rewards, trees),
    )


def _unseen_share(rows: Floats, rewards: Floats, fit: Callable[[Floats, Floats], Callable[[Floats], Floats]]) -> float:
    fold = np.arange(len(rows)) % FOLDS
    predicted = np.empty(len(rows))
    for each in range(FOLDS):
        predicted[fold == each] = fit(rows[fold != each], rewards[fold != each])(rows[fold == each])
    return 1.0 - float(((rewards - predicted) ** 2).sum() / ((rewards - rewards.mean()) ** 2).sum())
