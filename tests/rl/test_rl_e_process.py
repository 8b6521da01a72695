"""The e-process: exact for means whatever the distribution, so it may be looked at after every call."""

import copy
import itertools
import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tomrt.rl.e_process import EFFECTS, EProcess, Reference
from tomrt.rl.errors import InvalidState

HARM, BETTER = -1.0, 1.0
INSIDE = st.floats(0.0, 1.0)
CHANCE = st.floats(0.001, 0.999)
LATER, HALF = 0.15, 100.0
"""What is put in as time goes on, and the outcomes after which half of it is in."""


@st.composite
def distributions(draw):
    """A distribution on [0, 1] as (outcome, probability), of any shape."""
    weights = draw(st.lists(st.floats(0.01, 1.0), min_size=1, max_size=5))
    return [(draw(INSIDE), weight / sum(weights)) for weight in weights]


def mean(distribution):
    return sum(y * chance for y, chance in distribution)


def expectation(sign, p, variant, control, guess, deviation):
    """Return the expected value after one call, without the stake that is put in then."""
    total = 0.0
    for took, chance, distribution in ((True, p, variant), (False, 1.0 - p, control)):
        for y, weight in distribution:
            process = EProcess(sign, wealth=[0.6, 0.4])
            process.see(y, took=took, p=p, mean=guess, deviation=deviation)
            total += chance * weight * (process.value - (LATER / (HALF + 1.0) if took else 0.0))
    return total


@given(st.sampled_from([HARM, BETTER]), CHANCE, distributions(), INSIDE, st.floats(0.05, 0.5))
def test_no_difference_has_expectation_one(sign, p, distribution, guess, deviation):
    """Where variant and control have the same outcomes, each factor has expectation 1, whatever they are."""
    assert expectation(sign, p, distribution, distribution, guess, deviation) == pytest.approx(1.0, abs=1e-9)


@given(CHANCE, distributions(), distributions(), INSIDE, st.floats(0.05, 0.5))
def test_only_the_mean_counts(p, one, other, guess, deviation):
    """A variant whose mean is not below its control's gains no evidence of harm in expectation, whatever the spread."""
    low, high = sorted((one, other), key=mean)
    assert expectation(HARM, p, high, low, guess, deviation) <= 1.0 + 1e-9
    assert expectation(BETTER, p, low, high, guess, deviation) <= 1.0 + 1e-9


@given(st.sampled_from([HARM, BETTER]), CHANCE, INSIDE, INSIDE, st.floats(0.05, 0.5), st.booleans())
def test_a_stake_is_never_lost_whole(sign, p, y, guess, deviation, took):
    """No call takes more than nine tenths of what a bet is worth."""
    process = EProcess(sign, wealth=[1.0, 1.0])
    process.see(y, took=took, p=p, mean=guess, deviation=deviation)
    assert min(process.wealth) >= 0.1 - 1e-9


@pytest.mark.parametrize("sign", [HARM, BETTER])
def test_all_courses_of_six_calls_sum_to_the_stake(sign):
    """Over every course that six calls can take, references and all, the expected value is what was put in."""
    p, q = 0.3, 0.8
    expected = put_in = 0.0
    for course in itertools.product([(took, y) for took in (True, False) for y in (0.0, 1.0)], repeat=6):
        process, reference, chance = EProcess(sign), Reference(), 1.0
        for took, y in course:
            chance *= (p if took else 1.0 - p) * (q if y else 1.0 - q)
            process.see(y, took=took, p=p, mean=reference.mean, deviation=reference.deviation)
            if not took:
                reference.see(y)
        expected += chance * process.value
        put_in += chance * (1.0 - LATER * HALF / (HALF + process.taken))
    assert expected == pytest.approx(put_in, abs=1e-12)
    assert expected < 1.0


def course(q_variant, q_control, p, calls, seed, *, spread=0.0):
    """Return the e-values for harm after each call."""
    rng = np.random.default_rng(seed)
    process, reference, values = EProcess(HARM), Reference(), []
    for number in range(calls):
        took = bool(rng.random() < p)
        q = (q_variant(number) if callable(q_variant) else q_variant) if took else q_control
        y = float(np.clip(rng.normal(q, spread), 0.0, 1.0)) if spread else float(rng.random() < q)
        process.see(y, took=took, p=p, mean=reference.mean, deviation=reference.deviation)
        if not took:
            reference.see(y)
        values.append(process.value)
    return values


@pytest.mark.parametrize(("p", "spread"), [(0.1, 0.0), (0.5, 0.0), (0.25, 0.2)])
def test_looking_after_every_call_stays_within_alpha(p, spread):
    """Of 120 variants as good as their control, no more than 5 % (and three standard errors) ever reach 20."""
    wrong = sum(max(course(0.7, 0.7, p, 600, seed, spread=spread)) >= 20.0 for seed in range(120))
    assert wrong / 120 <= 0.05 + 3.0 * (0.05 * 0.95 / 120) ** 0.5


def test_harm_is_found():
    """A fall from .80 to .40 with a quarter of the calls is found in every course of 400 calls."""
    assert all(max(course(0.4, 0.8, 0.25, 400, seed)) >= 20.0 for seed in range(30))


def test_harm_that_begins_late_is_found():
    """A variant that was as good for 1,500 calls and falls then is found within as many again."""
    found = [max(course(lambda n: 0.8 if n < 1_500 else 0.4, 0.8, 0.25, 2_500, seed)[1_500:]) for seed in range(8)]
    assert min(found) >= 20.0


def test_values_stay_finite():
    """Evidence without end stays a number that JSON can hold."""
    process = EProcess(HARM)
    for _ in range(5_000):
        process.see(0.0, took=True, p=0.1, mean=0.9, deviation=0.05)
    assert process.value == 1e300
    assert json.loads(json.dumps(process.to_dict(), allow_nan=False))["taken"] == 5_000


@given(st.lists(st.tuples(INSIDE, st.booleans(), CHANCE), max_size=30))
def test_state_survives_json(calls):
    """What is written and read again goes on exactly as the one that was never written."""
    process, reference = EProcess(BETTER), Reference()
    for y, took, p in calls:
        process.see(y, took=took, p=p, mean=reference.mean, deviation=reference.deviation)
        reference.see(y)
    assert EProcess.from_dict(BETTER, json.loads(json.dumps(process.to_dict())), "test") == process
    assert Reference.from_dict(json.loads(json.dumps(reference.to_dict())), "test") == reference


def test_a_state_of_other_effects_keeps_its_value():
    """Evidence of a version that bet on other effects is kept, shared out among today's."""
    saved = {"effects": [0.1, 0.5, 0.9], "wealth": [1.0, 3.0, 6.0], "taken": 3}
    process = EProcess.from_dict(HARM, saved, "test")
    assert process.value == pytest.approx(10.0)
    assert len(process.wealth) == len(EFFECTS)


@pytest.mark.parametrize(
    "damage",
    [
        {"wealth": [1.0, float("nan")]},
        {"wealth": [1.0, -1.0]},
        {"wealth": "much"},
        {"wealth": [10**400, 0.0]},
        {"wealth": [True, 0.0]},
        {"taken": -1},
        {"taken": 1.5},
        {"taken": None},
        {"effects": None},
    ],
)
def test_a_damaged_state_is_refused(damage):
    """A state that was never written so is refused in a sentence that says where."""
    with pytest.raises(InvalidState, match="of warm"):
        EProcess.from_dict(HARM, {**EProcess(HARM).to_dict(), **damage}, "test of warm")
    for name in damage:
        state = copy.deepcopy(EProcess(HARM).to_dict())
        del state[name]
        with pytest.raises(InvalidState, match=f"{name} is missing"):
            EProcess.from_dict(HARM, state, "test of warm")


def test_reference_is_mean_and_deviation():
    """With many outcomes the guess it began with has no weight left."""
    rng = np.random.default_rng(1)
    values, reference = rng.normal(0.5, 0.1, 20_000), Reference()
    for y in values:
        reference.see(float(y))
    assert reference.mean == pytest.approx(values.mean(), abs=1e-3)
    assert reference.deviation == pytest.approx(values.std(), abs=1e-3)
    assert reference.outcomes == 20_000
