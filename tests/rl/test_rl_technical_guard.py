"""The technical guard: out within seconds what breaks calls, and nobody where everybody has trouble."""

import itertools
import json

import numpy as np
import pytest

from tomrt.rl.errors import InvalidState, LearningError
from tomrt.rl.outcome import Outcome
from tomrt.rl.rules import DeploymentRules
from tomrt.rl.stage import Event
from tomrt.rl.technical_guard import TechnicalGuard, surprise

RULES = DeploymentRules()
ARMS = ("base", "new")
FLAGS = {"error": "failed", "hangup": "hung_up_early", "slow": "slow", "severe": "severe"}


def ended(*kinds):
    return Outcome(0.0, **{FLAGS[kind]: True for kind in kinds})


def after(calls, rules=RULES):
    """Return a guard that has seen ``(variant, kinds…)`` calls, one a second."""
    guard = TechnicalGuard(rules)
    for second, (variant, *kinds) in enumerate(calls):
        guard.call(variant, ended(*kinds), float(second))
    return guard


def test_surprise_of_the_lady_tasting_tea():
    """Fisher's own example: three of four right by chance has 17/70, four of four 1/70."""
    assert surprise(3, 4, 1, 4) == pytest.approx(17 / 70)
    assert surprise(4, 4, 0, 4) == pytest.approx(1 / 70)


@pytest.mark.parametrize(("calls", "others", "troubled"), [(3, 5, 2), (4, 4, 5), (1, 6, 3), (5, 2, 4)])
def test_surprise_is_the_share_of_all_arrangements(calls, others, troubled):
    """The probability equals a count over every way in which trouble could have struck."""
    ways = list(itertools.combinations(range(calls + others), troubled))
    for found in range(max(1, troubled - others), min(calls, troubled) + 1):
        as_many = sum(sum(place < calls for place in way) >= found for way in ways)
        assert surprise(found, calls, troubled - found, others) == pytest.approx(as_many / len(ways))


def test_nothing_to_compare_with_is_no_surprise():
    """Without other calls, or without trouble, nothing is improbable."""
    assert surprise(5, 5, 0, 0) == 1.0
    assert surprise(0, 5, 3, 5) == 1.0


@pytest.mark.parametrize("kind", FLAGS)
def test_a_broken_variant_is_blamed(kind):
    """Five calls in trouble, of each kind, while forty others go well: blamed, with the figures."""
    guard = after([("base",)] * 40 + [("new", kind)] * 5)
    finding = guard.blame("new", ARMS)
    assert finding.event is Event.BREAKDOWN
    assert finding.by == "technical"
    assert "5 of 5 calls, of all other variants 0 of 40" in finding.why
    assert dict(finding.evidence)[kind] == 5.0
    assert guard.blame("base", ARMS) is None


@pytest.mark.parametrize("kind", FLAGS)
def test_an_outage_of_everybody_blames_nobody(kind):
    """Where all have the same trouble, nobody is blamed at any call, and it is said."""
    guard = TechnicalGuard(RULES)
    for second in range(400):
        variant = "new" if second % 10 == 9 else "base"
        guard.call(variant, ended(kind) if second >= 100 else ended(), float(second))
        assert guard.blame("new", ARMS) is None
    (said,) = guard.shared(ARMS, "base", 399.0)
    assert "300 of 400 calls of all variants together within 600 s; no variant is taken out" in said


def test_outages_at_random_blame_hardly_anybody():
    """Of 150 outages that strike 40 to 100 % of the calls of all, at most 3 are blamed on one of two canaries."""
    blamed = 0
    for seed in range(150):
        rng = np.random.default_rng(seed)
        guard, rate = TechnicalGuard(RULES), rng.uniform(0.4, 1.0)
        for number in range(120):
            variant = ("base", "new", "newer")[rng.choice(3, p=[0.8, 0.1, 0.1])]
            kinds = ("error", "severe") if number >= 40 and rng.random() < rate else ()
            guard.call(variant, ended(*kinds), number * 8.0)
            if any(guard.blame(one, ("base", "new", "newer")) for one in ("new", "newer")):
                blamed += 1
                break
    assert blamed <= 3


def test_two_failed_calls_take_it_out_at_once():
    """Two severe calls of a variant among twenty good ones are enough, long before five calls have ended."""
    guard = after([("base",)] * 20 + [("new", "severe")])
    assert guard.blame("new", ARMS) is None
    guard.trouble("new", "severe", 21.0)
    assert guard.blame("new", ARMS).why == "failed calls: 2 of 2 calls, of all other variants 0 of 20"


def test_few_calls_say_nothing():
    """With fewer calls than the rules ask for nothing is said of rates, nor of a single call in trouble."""
    assert after([("base",)] * 40 + [("new", "error")] * 4).blame("new", ARMS) is None
    assert after([("base",)] * 400 + [("new",)] * 4 + [("new", "error")]).blame("new", ARMS) is None


def test_below_the_limit_nothing_is_said():
    """A rate below the rules' limit is not blamed, however clear the difference is."""
    calls = [("base",)] * 300 + [("new",)] * 60 + [("new", "error")] * 10
    assert after(calls).blame("new", ARMS) is None
    assert after(calls, DeploymentRules(error_rate=0.1)).blame("new", ARMS) is not None


def test_what_is_old_is_forgotten():
    """Trouble leaves the window with its time, also when time is only looked at."""
    guard = after([("base",)] * 40 + [("new", "error")] * 5)
    assert guard.counts("new", 50.0)["error"] == 5
    assert guard.counts("new", 1_000.0)["error"] == 0
    assert guard.counts("new", 50.0)["error"] == 5
    guard.call("base", ended(), 1_000.0)
    assert guard.blame("new", ARMS) is None
    assert not guard.suspects("new")


def test_a_clock_that_goes_back_does_no_harm():
    """An earlier time counts as the latest one that was seen."""
    guard = after([("base",)] * 40)
    for _ in range(5):
        guard.call("new", ended("error"), -1e9)
    assert guard.blame("new", ARMS) is not None


def test_the_window_is_bounded():
    """With more calls than are kept the oldest go, and the sums stay right."""
    guard = TechnicalGuard(RULES)
    for number in range(5_000):
        guard.call("base", ended("slow"), number * 1e-3)
    assert guard.counts("base", 5.0) == {"call": 4096, "error": 0, "hangup": 0, "slow": 4096, "severe": 0}


def test_trouble_of_the_base_alone_is_told():
    """The base cannot be taken out, so its own trouble is what is not healthy."""
    calls = [("base", "error")] * 8 + [("base",)] * 2 + [("new",)] * 90
    guard = after(calls)
    assert guard.blame("base", ARMS) is not None
    (said,) = guard.shared(ARMS, "base", 100.0)
    assert said.startswith("errors: 8 of 10 calls of the base variant 'base'")


def test_a_dominant_variant_is_blamed_too():
    """A variant with nearly all calls is compared with the few of the others."""
    calls = [("base",), *[("new", "error")] * 12] * 4
    assert after(calls).blame("new", ARMS) is not None


def test_unknown_trouble_is_refused():
    """Only what can be known during a call can be told of it."""
    with pytest.raises(LearningError, match="'hangup' is not one of error, slow, severe"):
        TechnicalGuard(RULES).trouble("new", "hangup", 0.0)


def test_state_survives_json():
    """What is written and read again blames and counts as before."""
    guard = after([("base",)] * 40 + [("new", "error", "slow")] * 4)
    again = TechnicalGuard.from_dict(json.loads(json.dumps(guard.to_dict(), allow_nan=False)), RULES)
    assert again.to_dict() == guard.to_dict()
    for one in (guard, again):
        one.call("new", ended("error"), 60.0)
    assert again.blame("new", ARMS) == guard.blame("new", ARMS) is not None
    assert TechnicalGuard.from_dict(TechnicalGuard(RULES).to_dict(), RULES).to_dict()["latest"] is None


@pytest.mark.parametrize(
    "window",
    [
        {"at": [0.0], "bits": []},
        {"at": [1.0, 0.0], "bits": [1, 1]},
        {"at": [0.0], "bits": [0]},
        {"at": [0.0], "bits": [64]},
        {"at": [0.0], "bits": [1.5]},
        {"at": [float("inf")], "bits": [1]},
        {"at": {}, "bits": []},
        {"at": [0.0] * 5_000, "bits": [1] * 5_000},
        7,
    ],
)
def test_a_damaged_window_is_refused(window):
    """A window that was never written so is refused."""
    with pytest.raises(InvalidState, match="technical guard"):
        TechnicalGuard.from_dict({"latest": 0.0, "windows": {"new": window}}, RULES)
