"""Reward models: against least squares, against leaving calls out one by one, and against known truth."""

from __future__ import annotations

import importlib.util

import numpy as np
import pytest

from tomrt.rl.errors import LearningError
from tomrt.rl.reward_model import against_trees, fit_logistic, fit_ridge


@pytest.fixture
def world() -> tuple[np.ndarray, np.ndarray]:
    """Return rows (200, 4) and rewards of a linear truth with noise."""
    rng = np.random.default_rng(1)
    rows = rng.normal(size=(200, 4)) + 1.0
    return rows, 0.3 + rows @ np.array([0.5, -0.2, 0.0, 0.1]) + 0.3 * rng.normal(size=200)


def test_without_a_penalty_it_is_least_squares(world):
    """Ridge of strength 0 has the coefficients, noise and errors of ordinary least squares."""
    rows, rewards = world
    design = np.column_stack([rows, np.ones(200)])
    wanted, squares, _, _ = np.linalg.lstsq(design, rewards, rcond=None)
    model = fit_ridge(rows, rewards, strengths=(0.0,))
    assert model.coefficients == pytest.approx(wanted[:4])
    assert model.predict(rows) == pytest.approx(design @ wanted)
    assert model.noise_sd == pytest.approx(np.sqrt(squares[0] / 195))
    covariance = squares[0] / 195 * np.linalg.inv(design.T @ design)
    expected = np.sqrt(np.einsum("np,pq,nq->n", design, covariance, design))
    assert model.standard_errors(rows) == pytest.approx(expected)


def test_penalised_normal_equations(world):
    """With a strength it solves the penalised normal equations, the intercept left free."""
    rows, rewards = world
    centred = rows - rows.mean(axis=0)
    wanted = np.linalg.solve(centred.T @ centred + 7.0 * np.eye(4), centred.T @ (rewards - rewards.mean()))
    model = fit_ridge(rows, rewards, strengths=(7.0,))
    assert model.coefficients == pytest.approx(wanted)
    assert model.intercept == pytest.approx(rewards.mean())


def test_strength_is_chosen_by_unseen_calls(world):
    """The strength is the one that foresees best a call that was left out, as leaving out each in turn finds."""
    rows, rewards = world[0][:30], world[1][:30]
    strengths = (0.1, 1.0, 10.0, 100.0)
    errors = []
    for strength in strengths:
        apart = []
        for left in range(30):
            kept = np.arange(30) != left
            centre, mean = rows[kept].mean(axis=0), rewards[kept].mean()
            x = rows[kept] - centre
            beta = np.linalg.solve(x.T @ x + strength * np.eye(4), x.T @ (rewards[kept] - mean))
            apart.append(rewards[left] - mean - (rows[left] - centre) @ beta)
        errors.append(np.mean(np.square(apart)))
    model = fit_ridge(rows, rewards, strengths=strengths)
    assert model.strength == strengths[int(np.argmin(errors))]
    total = np.mean([(rewards[left] - np.delete(rewards, left).mean()) ** 2 for left in range(30)])
    assert model.unseen_r2 == pytest.approx(1 - min(errors) / total, abs=0.02)


def test_features_that_never_vary():
    """A column that never varied gets no coefficient, and its uncertainty stays that of the penalty."""
    rng = np.random.default_rng(2)
    rows = np.column_stack([rng.normal(size=50), np.full(50, 3.0)])
    model = fit_ridge(rows, rows[:, 0] + 0.1 * rng.normal(size=50), strengths=(1.0,))
    assert model.coefficients[1] == pytest.approx(0.0)
    assert model.covariance[1, 1] == pytest.approx(model.noise_sd**2)
    assert fit_ridge(rows, rows[:, 0], strengths=(0.0,)).covariance[1, 1] == 0.0


def test_no_features_at_all():
    """Without features the model is the mean."""
    model = fit_ridge(np.zeros((5, 0)), np.arange(5.0))
    assert model.predict(np.zeros((2, 0))) == pytest.approx([2.0, 2.0])


def test_logistic_is_the_maximum():
    """At the fitted coefficients the gradient of the penalised log-likelihood is zero."""
    rng = np.random.default_rng(3)
    rows = rng.normal(size=(300, 3))
    outcomes = (rng.random(300) < 1 / (1 + np.exp(-(0.4 + rows @ np.array([1.0, -0.5, 0.0]))))).astype(float)
    model = fit_logistic(rows, outcomes, strengths=(2.0,))
    apart = outcomes - model.predict(rows)
    assert rows.T @ apart == pytest.approx(2.0 * model.coefficients, abs=1e-6)
    assert apart.sum() == pytest.approx(0.0, abs=1e-4)


def test_logistic_finds_the_truth():
    """With its strength chosen by cross-validation it foresees the true probabilities, from partial outcomes too."""
    rng = np.random.default_rng(4)
    rows = rng.normal(size=(4_000, 2))
    truth = 1 / (1 + np.exp(-(0.5 + rows @ np.array([0.8, 0.0]))))
    model = fit_logistic(rows, (rng.random(4_000) < truth).astype(float))
    assert np.abs(model.predict(rows) - truth).mean() < 0.02
    soft = fit_logistic(rows, truth, strengths=(0.1,))
    assert np.abs(soft.predict(rows) - truth).max() < 0.01


def test_all_alike():
    """When every matter was settled the probability is near 1 and finite."""
    model = fit_logistic(np.random.default_rng(5).normal(size=(40, 2)), np.ones(40), strengths=(1.0,))
    assert 0.99 < model.predict(np.zeros((1, 2)))[0] <= 1.0


@pytest.mark.parametrize(
    ("fit", "rows", "outcomes", "told"),
    [
        (fit_ridge, np.zeros((2, 1)), np.zeros(2), "2 calls are too few for a model"),
        (fit_ridge, np.zeros((5, 1)), np.zeros(4), "needs rows"),
        (fit_logistic, np.zeros((5, 1)), np.full(5, 1.5), "outcomes from 0 to 1"),
    ],
)
def test_refusals(fit, rows, outcomes, told):
    """Too little data, and data that do not belong together, are told."""
    with pytest.raises(LearningError, match=told):
        fit(rows, outcomes)


def test_trees_see_what_a_line_cannot():
    """Trees tell when slots do not add up; without scikit-learn it is told how to get it."""
    rng = np.random.default_rng(6)
    rows = rng.choice([-1.0, 1.0], size=(600, 2))
    rewards = rows[:, 0] * rows[:, 1] + 0.3 * rng.normal(size=600)
    if importlib.util.find_spec("sklearn") is None:
        with pytest.raises(LearningError, match=r"pip install 'tomrt\[train\]'"):
            against_trees(rows, rewards)
    else:
        assert not against_trees(rows, rewards).line_is_enough
        assert against_trees(rows, rows[:, 0] + 0.3 * rng.normal(size=600)).line_is_enough
