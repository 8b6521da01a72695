"""Saved bandits that cannot be used, and what a bandit tells of itself."""

import copy
import json

import numpy as np
import pytest

from tomrt.rl.bandit import bandit_from_dict, open_bandit
from tomrt.rl.errors import InvalidState
from tomrt.rl.rules import BanditRules

SLOTS = {"calm": {"tone": "calm"}, "warm & kind": {"tone": "warm"}, "brief": {"tone": "brief"}}
KINDS = ("slots", "gaussian", "beta")


def taught(kind, bits=np.random.PCG64):
    """Return a bandit with some rewards."""
    rng = np.random.Generator(bits(3))
    bandit = open_bandit(BanditRules(algorithm=kind), SLOTS, rng, {"week": ("workday", "weekend")})
    for number in range(12):
        bandit.learn(bandit.decide({"week": "workday"}), 0.1 * (number % 5) - 0.2)
    return bandit


def broken(kind, path, value):
    """Return a saved state in which one place has another value; ``...`` takes the place out."""
    data = copy.deepcopy(taught(kind).to_dict())
    inner = data
    for step in path[:-1]:
        inner = inner[step]
    if value is ...:
        del inner[path[-1]]
    else:
        inner[path[-1]] = value
    return data


EVERY = [
    (("kind",), "ucb", "kind 'ucb' is none of slots, gaussian, beta"),
    (("kind",), ["slots"], "is none of slots"),
    (("schema",), 2, "of schema 2 is not"),
    (("schema",), ..., "of schema None is not"),
    (("arms",), [], "arms is not a list of different names"),
    (("arms",), ["calm", "calm", "brief"], "arms is not a list of different names"),
    (("arms",), [1, 2, 3], "arms is not a list of different names"),
    (("version",), -1, "version is not a whole number"),
    (("pulls",), [1, 2], "pulls is not a list of 3 counts"),
    (("pulls",), [1, 2, -3], "pulls is not a list of 3 counts"),
    (("rules",), {"draws": 1}, "rules cannot be used"),
    (("rules",), {"drafts": 100}, "rules cannot be used"),
    (("rng",), ..., "rng is missing"),
    (("rng", "bit_generator"), "MyRNG", "of a generator 'MyRNG'"),
    (("rng", "state"), {}, "rng cannot be restored"),
    (("samples_seed",), 0.5, "samples_seed is not a whole number"),
]
OF_A_KIND = [
    ("slots", ("A",), [[1.0]], "A has 1 rows, not 5"),
    ("slots", ("A", 0), [1.0, 2.0], "A has 2 numbers, not 5"),
    ("slots", ("A", 0, 1), 3.0, "A is not symmetric"),
    ("slots", ("prior_A", 2, 2), -1e9, "not what sums of xx' can be"),
    ("slots", ("b", 1), float("nan"), "b is not a finite number"),
    ("slots", ("b", 1), 1e300, "b or yy is more than rewards from -1 to 1 can add up to"),
    ("slots", ("yy",), 1e9, "b or yy is more than rewards from -1 to 1 can add up to"),
    ("slots", ("prior_b", 1), 7.0, "prior_b is more than means from -1 to 1 can add up to"),
    ("slots", ("yy",), -3.0, "yy is -3"),
    ("slots", ("slots", "calm"), ..., "calm is missing"),
    ("slots", ("covariates",), [], "covariates is not a table"),
    ("gaussian", ("n", 0), -1.0, "n is -1"),
    ("gaussian", ("b",), [0.0], "n and b are not of 3 arms"),
    ("gaussian", ("b", 2), 40.0, "b or prior_b is more than rewards from -1 to 1 can add up to"),
    ("beta", ("successes", 1), "3", "successes is not a finite number"),
    ("beta", ("failures",), [1.0, 2.0], "successes and failures are not of 3 arms"),
    ("beta", ("prior_successes", 0), 0.0, "prior_successes is 0"),
]


@pytest.mark.parametrize(
    ("kind", "path", "value", "sentence"), [*((kind, *case) for kind in KINDS for case in EVERY), *OF_A_KIND]
)
def test_a_damaged_state_is_refused(kind, path, value, sentence):
    """Whatever is wrong with a saved state is said in one sentence that names the field."""
    with pytest.raises(InvalidState, match=sentence):
        bandit_from_dict(broken(kind, path, value))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("bits", [np.random.PCG64, np.random.PCG64DXSM, np.random.SFC64, np.random.Philox])
def test_any_generator_of_numpy_can_be_saved(kind, bits):
    """The state of each kind of generator passes through JSON."""
    bandit = taught(kind, bits)
    restored = bandit_from_dict(json.loads(json.dumps(bandit.to_dict(), allow_nan=False)))
    assert [restored.decide({}) for _ in range(20)] == [bandit.decide({}) for _ in range(20)]


@pytest.mark.parametrize("kind", KINDS)
def test_an_explanation_is_consistent(kind):
    """Means lie within their intervals, probabilities sum to 1, and the exploration rate follows from them."""
    explanation = taught(kind).explain()
    assert all(arm.low < arm.mean < arm.high for arm in explanation.arms)
    assert sum(arm.p_best for arm in explanation.arms) == pytest.approx(1.0)
    assert explanation.exploration_rate == pytest.approx(1.0 - max(arm.p_best for arm in explanation.arms))
    assert [arm.pulls for arm in explanation.arms] == taught(kind).to_dict()["pulls"]
    assert sum(arm.pulls for arm in explanation.arms) == 12
    assert (explanation.noise_sd is None) == (kind == "beta")


@pytest.mark.parametrize("kind", KINDS)
def test_an_explanation_prints_as_a_table(kind):
    """People read a table with the best arm first; in a notebook names are escaped."""
    explanation = taught(kind).explain()
    lines = str(explanation).splitlines()
    assert len(lines) == 5
    assert lines[1].startswith(explanation.recommended)
    assert f"bandit '{kind}': explores with" in lines[-1]
    assert "warm &amp; kind" in explanation._repr_html_()


def test_intervals_grow_narrower_with_rewards():
    """A hundred more rewards of an arm leave less doubt about it."""
    for kind in KINDS:
        bandit = taught(kind)
        before = bandit.explain().arms[0]
        decision = bandit.decide({}, ("calm",))
        for number in range(100):
            bandit.learn(decision, 0.3 if number % 2 else -0.3)
        after = bandit.explain().arms[0]
        assert after.high - after.low < before.high - before.low
