"""Off-policy estimates: closed forms, known truth, honest intervals, and refusals."""

from __future__ import annotations

import math

import numpy as np
import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from tomrt.rl.choice_log import Log
from tomrt.rl.decision import Decision
from tomrt.rl.errors import LearningError
from tomrt.rl.off_policy import (
    always,
    cross_fit,
    difference,
    doubly_robust,
    inverse_propensity,
    self_normalised,
    student_quantile,
    weigh,
)
from tomrt.rl.reward_model import fit_ridge

ARMS = ("a", "b", "c")
SETTLED = np.array([[0.8, 0.6, 0.5], [0.5, 0.75, 0.6], [0.3, 0.4, 0.7], [0.6, 0.2, 0.9]])
LOGGED = np.array([[0.6, 0.3, 0.1], [0.2, 0.6, 0.2], [0.1, 0.3, 0.6], [0.3, 0.2, 0.5]])
WANTED = np.array([[0.9, 0.05, 0.05], [0.05, 0.9, 0.05], [0.05, 0.05, 0.9], [0.05, 0.05, 0.9]])
TRUTH = float((WANTED * SETTLED).sum(axis=1).mean())


def drawn(rng: np.random.Generator, n: int) -> tuple[Log, np.ndarray]:
    """Return a log of *n* calls of four kinds of callers, and their kinds."""
    kind = rng.integers(4, size=n)
    chosen = (rng.random(n)[:, None] > LOGGED[kind].cumsum(axis=1)).sum(axis=1)
    rewards = (rng.random(n) < SETTLED[kind, chosen]).astype(float)
    return Log(arms=ARMS, chosen=chosen, probabilities=LOGGED[kind], rewards=rewards), kind


def tiny() -> Log:
    """Return four calls whose estimates can be worked out by hand."""
    return Log(
        arms=("a", "b"),
        chosen=np.array([0, 1, 0, 1]),
        probabilities=np.array([[0.5, 0.5], [0.5, 0.5], [0.25, 0.75], [0.25, 0.75]]),
        rewards=np.array([1.0, 0.0, 0.5, 1.0]),
    )


def decision(**changes: object) -> Decision:
    """Return a sound decision with *changes*."""
    sound = Decision(
        id="0" * 32,
        at=0.0,
        arm="a",
        propensity=0.5,
        policy="test",
        version=0,
        eligible=("a", "b"),
        probabilities=(0.5, 0.5),
    )
    return evolve(sound, **changes)


# --- closed forms ----------------------------------------------------------------------------------------------------


def test_closed_forms():
    """IPS and SNIPS are the sums they are by definition: weights 2, 0, 4, 0 here."""
    log = tiny()
    policy = always(log, "a")
    assert inverse_propensity(log, policy).value == pytest.approx((2 * 1.0 + 4 * 0.5) / 4)
    assert self_normalised(log, policy).value == pytest.approx((2 * 1.0 + 4 * 0.5) / 6)
    residuals = np.array([2 * (1.0 - 2 / 3), 0.0, 4 * (0.5 - 2 / 3), 0.0])
    error = math.sqrt((residuals**2).sum() * 4 / 3) / 6
    assert self_normalised(log, policy).standard_error == pytest.approx(error)
    assert self_normalised(log, policy).effective == pytest.approx(36 / 20)


def test_doubly_robust_closed_form():
    """DR adds the weighted residuals of the model to what the model says of the policy."""
    log = tiny()
    predicted = np.array([[0.5, 0.2], [0.6, 0.3], [0.7, 0.4], [0.8, 0.5]])
    expected = np.mean([0.5 + 2 * (1.0 - 0.5), 0.6, 0.7 + 4 * (0.5 - 0.7), 0.8])
    assert doubly_robust(log, always(log, "a"), predicted).value == pytest.approx(expected)


def test_steady_weights_closed_form():
    """The steady form weighs each call by the square root of the probability of the arm."""
    log = tiny()
    scores, trust = np.array([2.0, 0.0, 2.0, 0.0]), np.sqrt([0.5, 0.5, 0.25, 0.25])
    found = doubly_robust(log, always(log, "a"), np.zeros((4, 2)), steady=True)
    assert found.value == pytest.approx((trust * scores).sum() / trust.sum())


def test_difference_is_the_difference():
    """What one policy earns more than another is the difference of the two estimates, with an interval of its own."""
    log, _ = drawn(np.random.default_rng(1), 500)
    predicted = np.full((500, 3), 0.5)
    first, second = always(log, "a"), always(log, "b")
    apart = difference(log, first, second, predicted)
    values = [doubly_robust(log, each, predicted).value for each in (first, second)]
    assert apart.value == pytest.approx(values[0] - values[1])
    assert apart.low < apart.value < apart.high


def test_logging_policy_is_the_mean():
    """The policy that made the log is worth the mean reward, with all calls counting whole."""
    log, _ = drawn(np.random.default_rng(2), 400)
    for estimate in (inverse_propensity(log, log.probabilities), self_normalised(log, log.probabilities)):
        assert estimate.value == pytest.approx(log.rewards.mean())
        assert estimate.effective == pytest.approx(400)
        assert estimate.standard_error == pytest.approx(log.rewards.std(ddof=1) / 20)


@pytest.mark.parametrize(
    ("probability", "degrees", "quantile"),
    [(0.975, 5, 2.5706), (0.975, 10, 2.2281), (0.95, 30, 1.6973), (0.995, 8, 3.3554), (0.975, 1e9, 1.95996)],
)
def test_student_quantiles(probability, degrees, quantile):
    """Student's quantiles are those of the tables."""
    assert student_quantile(probability, degrees) == pytest.approx(quantile, rel=4e-3)


# --- known truth -----------------------------------------------------------------------------------------------------


def test_intervals_hold_the_truth():
    """Intervals at 95 % hold the truth in 93 to 98 % of logs of 300, 1,000 and 3,000 calls, and SNIPS halves IPS."""
    rng = np.random.default_rng(20)
    held: dict[str, list[bool]] = {}
    widths: dict[str, float] = {}
    for n, logs in ((300, 350), (1_000, 200), (3_000, 60)):
        for _ in range(logs):
            log, kind = drawn(rng, n)
            predicted = cross_fit(log, np.eye(3), np.eye(4)[kind], fit_ridge)
            policy = WANTED[kind]
            for each in (
                inverse_propensity(log, policy),
                self_normalised(log, policy),
                doubly_robust(log, policy, predicted),
            ):
                held.setdefault(each.method, []).append(each.low <= TRUTH <= each.high)
                widths[each.method] = widths.get(each.method, 0.0) + each.high - each.low
    for method, hits in held.items():
        assert 0.93 <= np.mean(hits) <= 0.98, method
    assert widths["SNIPS"] < 0.75 * widths["IPS"]
    assert widths["DR"] < 0.75 * widths["IPS"]


def test_callers_who_call_often():
    """Where each caller makes ten calls and has a mood, only intervals that know the callers hold the truth."""
    rng = np.random.default_rng(21)
    held = {True: 0, False: 0}
    for _ in range(200):
        callers = np.repeat(np.arange(30), 10)
        chosen = rng.integers(2, size=300)
        rewards = rng.normal(0.0, 0.3, 30)[callers] + 0.1 * rng.normal(size=300)
        for known in held:
            log = Log(
                arms=("a", "b"),
                chosen=chosen,
                probabilities=np.full((300, 2), 0.5),
                rewards=rewards,
                callers=callers if known else np.arange(300),
            )
            found = self_normalised(log, log.probabilities)
            held[known] += found.low <= 0.0 <= found.high
    assert held[True] >= 0.91 * 200
    assert held[False] < 0.75 * 200


def test_estimates_survive_a_bandit():
    """In logs of a bandit that learned, steady intervals of the arm it came to like still hold the truth."""
    rng = np.random.default_rng(22)
    held = 0
    for _ in range(80):
        means = rng.normal(0.2, 0.1, 4)
        log = _bandit_log(rng, means)
        predicted = cross_fit(log, np.eye(4), np.zeros((len(log), 0)), fit_ridge)
        liked = int(np.bincount(log.chosen, minlength=4).argmax())
        found = doubly_robust(log, always(log, log.arms[liked]), predicted, steady=True)
        held += found.low <= means[liked] <= found.high
    assert held >= 0.88 * 80


def _bandit_log(rng: np.random.Generator, means: np.ndarray) -> Log:
    """Return 400 calls of Thompson sampling with a floor of 5 %."""
    counts, sums, p = np.zeros(4), np.zeros(4), np.full(4, 0.25)
    chosen, probabilities, rewards = [], [], []
    for step in range(400):
        if step % 10 == 0:
            spread = 1 / (counts / 0.25 + 4.0)
            draws = spread * sums / 0.25 + np.sqrt(spread) * rng.normal(size=(100, 4))
            p = 0.8 * np.bincount(draws.argmax(axis=1), minlength=4) / 100 + 0.05
        arm = int(rng.choice(4, p=p))
        reward = means[arm] + 0.5 * rng.normal()
        chosen.append(arm)
        probabilities.append(p)
        rewards.append(reward)
        counts[arm] += 1
        sums[arm] += reward
    return Log(
        arms=("a", "b", "c", "d"),
        chosen=np.array(chosen),
        probabilities=np.array(probabilities),
        rewards=np.array(rewards),
    )


# --- diagnostics -----------------------------------------------------------------------------------------------------


def test_right_probabilities_weigh_one():
    """With the probabilities that were drawn from, the mean weight is 1 within what chance allows."""
    log, kind = drawn(np.random.default_rng(3), 3_000)
    found = weigh(log, WANTED[kind])
    assert abs(found.z) < 3
    assert found.chance > 0.01
    assert found.taken == pytest.approx(found.expected, rel=0.1)
    assert found.mean == pytest.approx(1.0, abs=0.1)
    assert found.largest == pytest.approx((WANTED / LOGGED).max())
    assert 0 < found.effective < 3_000


def test_wrong_probabilities_are_found_out():
    """Probabilities that were not drawn from show in the weights, and in how many calls there were."""
    log, _ = drawn(np.random.default_rng(4), 3_000)
    wrong = evolve(log, probabilities=np.tile([0.2, 0.2, 0.6], (3_000, 1)))
    for arm, promised in (("a", 600), ("b", 600), ("c", 1_800)):
        found = weigh(wrong, always(wrong, arm))
        assert abs(found.z) > 5
        assert found.chance < 1e-6
        assert (found.expected, found.taken) == (pytest.approx(promised), log.plays(arm))


def test_rare_arms_do_not_look_wrong():
    """One lucky draw of a rare arm makes a large z, but never an impossible log: the bound holds, also for a bandit."""
    rng = np.random.default_rng(23)
    chances, far = [], 0
    for _ in range(300):
        p = np.where(rng.random(400) < 0.05, 0.2, 0.005)
        log = Log(
            arms=("a", "b"),
            chosen=(rng.random(400) >= p).astype(np.intp),
            probabilities=np.column_stack([p, 1 - p]),
            rewards=np.zeros(400),
        )
        found = weigh(log, always(log, "a"))
        chances.append(found.chance)
        far += abs(found.z) > 3
    assert far >= 2
    assert min(chances) > 1e-4
    assert np.mean(np.array(chances) < 0.05) <= 0.05


@given(st.integers(0, 2**32 - 1), st.integers(2, 40))
def test_self_normalised_stays_within_the_rewards(seed, n):
    """SNIPS never leaves the range of the rewards, whatever the log."""
    rng = np.random.default_rng(seed)
    log, kind = drawn(rng, n)
    value = self_normalised(log, WANTED[kind]).value
    assert log.rewards.min() - 1e-12 <= value <= log.rewards.max() + 1e-12


# --- refusals --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"probabilities": ()}, "has no probability for each arm"),
        ({"probabilities": (1.0,)}, "has no probability for each arm"),
        ({"propensity": 0.7}, "has propensity 0.7, but its probabilities say 0.5"),
        ({"propensity": float("nan")}, "has propensity nan"),
        ({"arm": "z"}, "chose 'z', which was not eligible"),
        ({"probabilities": (0.5, 0.4)}, "have probabilities that do not sum to 1"),
        ({"propensity": 0.0, "probabilities": (0.0, 1.0)}, "chose an arm whose recorded probability is 0"),
        ({"probabilities": (0.5, float("nan"))}, "have no usable probabilities"),
    ],
)
def test_unusable_decisions_are_refused(changes, told):
    """Without the probabilities with which was chosen nothing is estimated; the message says which decision."""
    with pytest.raises(LearningError, match=told):
        Log.of([decision(), decision(**changes)], [0.0, 1.0])


def test_rewards_that_are_no_numbers_are_refused():
    """A reward that is not a number is told with its place."""
    with pytest.raises(LearningError, match="a reward that is not a number, the first at place 1"):
        Log.of([decision(), decision()], [0.0, float("nan")])


def test_impossible_policies_are_refused():
    """What could not be chosen cannot be judged, and over the calls where it could it can."""
    decisions = [decision(), decision(eligible=("a",), probabilities=(1.0,), propensity=1.0)] * 5
    log = Log.of(decisions, [0.0, 1.0] * 5)
    with pytest.raises(LearningError, match="in 5 of 10 calls the policy takes an arm that could not be chosen"):
        inverse_propensity(log, always(log, "b"))
    part = log.where(log.could_choose("b"))
    assert len(part) == 5
    assert inverse_propensity(part, always(part, "b")).value == 0.0
    with pytest.raises(LearningError, match="was never done"):
        self_normalised(part, always(part, "b"))


def test_unknown_arms_and_shapes_are_refused():
    """An arm that is not in the log, and arrays that do not belong to it, are told."""
    log = tiny()
    with pytest.raises(LearningError, match="arm 'z' is not in the log; it has a, b"):
        always(log, "z")
    with pytest.raises(LearningError, match="does not belong to a log"):
        weigh(log, np.ones((3, 2)))
    with pytest.raises(LearningError, match="do not belong to a policy"):
        doubly_robust(log, always(log, "a"), np.ones((4, 3)))
    with pytest.raises(LearningError, match="too few for 5 folds"):
        cross_fit(log, np.eye(2), np.zeros((4, 0)), fit_ridge)
    with pytest.raises(LearningError, match="needs probabilities"):
        evolve(log, rewards=np.zeros(3))


def test_one_caller_says_nothing_of_others():
    """A log of a single caller has no interval."""
    log = evolve(tiny(), callers=np.zeros(4, dtype=np.intp))
    with pytest.raises(LearningError, match="all calls are of one caller"):
        inverse_propensity(log, always(log, "a"))
