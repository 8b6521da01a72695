"""The statistical guard: who is compared with whom, what counts, and how sure it is."""

import json

import numpy as np
import pytest
from guard_calls import chances, decision, traffic

from tomrt.rl.e_process import EProcess
from tomrt.rl.errors import InvalidState
from tomrt.rl.guard import Guard, Outcome, Stage
from tomrt.rl.rules import DeploymentRules
from tomrt.rl.statistical_guard import StatisticalGuard

LONG = DeploymentRules(probation_episodes=100_000)
CANARY, ACTIVE = Stage.CANARY, Stage.ACTIVE


def learned(stages, calls, pool=("base", "known")):
    """Return a statistical guard that has seen ``(arm, y)`` calls of equal chances among all variants."""
    guard = StatisticalGuard(LONG, [variant for variant in stages if variant != "base"])
    table = {variant: 1.0 / len(stages) for variant in stages}
    for arm, y in calls:
        guard.learn(decision(arm, table), y, stages, pool)
    return guard


def values(guard, *variants):
    return [(guard.test(variant).harm.value, guard.test(variant).taken) for variant in variants]


STAGES = {"base": ACTIVE, "known": ACTIVE, "new": CANARY, "other": CANARY}


def test_a_canary_is_compared_with_all_known_variants():
    """Calls of any known variant count in the test of a canary, those of another canary do not."""
    start = learned(STAGES, [])
    assert values(learned(STAGES, [("known", 1.0)]), "new") != values(start, "new")
    assert values(learned(STAGES, [("base", 1.0)]), "new") != values(start, "new")
    assert values(learned(STAGES, [("other", 1.0)]), "new") == values(start, "new")
    assert values(learned(STAGES, [("new", 1.0)]), "new")[0][1] == 1


def test_an_active_variant_is_compared_with_the_base():
    """Only its own calls and the base's count in the test of an active variant."""
    stages = {"base": ACTIVE, "known": ACTIVE, "rival": ACTIVE}
    pool = ("base", "known", "rival")
    start = learned(stages, [], pool)
    assert values(learned(stages, [("rival", 0.0)], pool), "known") == values(start, "known")
    assert values(learned(stages, [("base", 0.0)], pool), "known") != values(start, "known")
    assert values(learned(stages, [("known", 0.0)], pool), "known")[0][1] == 1


def test_the_probability_is_that_of_the_two_alone():
    """A canary with .1 beside a base with .3, and .6 elsewhere, is tested with one quarter."""
    guard = StatisticalGuard(LONG, ["new"])
    table = {"base": 0.3, "new": 0.1, "gone": 0.6}
    stages = {"base": ACTIVE, "new": CANARY, "gone": Stage.BLACKLISTED}
    guard.learn(decision("new", table), 0.2, stages, ("base",))
    expected = EProcess(-1.0)
    expected.see(0.2, took=True, p=0.25, mean=0.6, deviation=0.35)
    assert guard.test("new").harm.wealth == pytest.approx(expected.wealth)


@pytest.mark.parametrize(
    "table",
    [
        {"base": 1.0},
        {"base": 1.0, "new": 0.0},
        {"base": 1.0, "new": 1e-320},
        {"new": 1.0},
        {"base": 1e-320, "new": 1.0},
    ],
)
def test_calls_without_a_choice_say_nothing(table):
    """Where only one of the two could have had the call, its outcome is no evidence."""
    guard = StatisticalGuard(LONG, ["new"])
    before = guard.test("new").harm.value
    guard.learn(decision(next(iter(table)), table), 0.0, {"base": ACTIVE, "new": CANARY}, ("base",))
    assert guard.test("new").harm.value == pytest.approx(before)


def test_later_variants_never_make_it_less_sure():
    """However many variants come, their parts of the probability to err do not sum to more than the whole."""
    guard = StatisticalGuard(LONG, [f"first{number}" for number in range(11)])
    for number in range(300):
        guard.begin(f"later{number}")
    names = [f"first{number}" for number in range(11)] + [f"later{number}" for number in range(300)]
    parts = [1.0 / guard.better_threshold(name) for name in names]
    assert sum(parts) <= LONG.better_alpha
    assert guard.better_threshold("first0") == pytest.approx(12 / 0.05)
    assert guard.better_threshold("later0") == pytest.approx(2 * 12 / 0.05)


def test_found_better_stays_found():
    """A variant that was once found better is reported so, though its evidence sinks again."""
    rules = DeploymentRules(new_share=0.5, probation_episodes=100_000, harm_alpha=0.0001)
    guard = Guard(rules, {"base": ACTIVE, "new": CANARY})
    traffic(guard, {"base": 0.3, "new": 0.9}, 100, 1)
    assert guard.status(at=0.0).variants[1].found_better
    traffic(guard, {"base": 1.0, "new": 0.0}, 200, 2)
    status = guard.status(at=0.0).variants[1]
    assert status.better < status.better_threshold
    assert status.found_better


def test_a_caller_who_keeps_a_variant_is_no_evidence():
    """Decisions that were not drawn for the call change the mean, and neither test nor probation."""
    guard = Guard(DeploymentRules(probation_episodes=3), {"base": ACTIVE, "new": CANARY})
    for second in range(50):
        kept = decision("new", {"base": 0.9, "new": 0.1}, independent=False)
        assert guard.report(kept, Outcome(-1.0), at=float(second)) == ()
    status = guard.status(at=50.0).variants[1]
    assert (status.episodes, status.tested, status.harm, status.mean_reward) == (50, 0, pytest.approx(0.85), -1.0)


def test_equal_variants_stay_while_the_probabilities_swing():
    """Of 60 variants as good as the base, with probabilities that follow the last outcomes, hardly any is taken out."""
    out = 0
    for seed in range(12):
        names = ("base", *(f"v{number}" for number in range(5)))
        guard = Guard(DeploymentRules(new_share=0.5), dict.fromkeys(names, CANARY))
        rng = np.random.default_rng(seed)
        recent = dict.fromkeys(names, 0.7)
        for number in range(400):
            table = {}
            for group in guard.split():
                weights = np.exp(np.array([recent[arm] for arm in group.arms]) / 0.1)
                table |= dict(zip(group.arms, (group.share * weights / weights.sum()).tolist(), strict=True))
            arm = list(table)[rng.choice(len(table), p=np.array(list(table.values())))]
            y = float(rng.random() < 0.7)
            guard.report(decision(arm, table), Outcome(2.0 * y - 1.0), at=number * 60.0)
            recent[arm] += (y - recent[arm]) / 10.0
        out += sum(one.stage is Stage.BLACKLISTED for one in guard.status(at=0.0).variants)
    assert out / 60 <= 0.05 + 3.0 * (0.05 * 0.95 / 60) ** 0.5


def test_harm_takes_a_canary_out():
    """A canary that fails where the base does well is blacklisted, with the evidence, and its calls go to the base."""
    guard = Guard(LONG, {"base": ACTIVE, "new": CANARY})
    (change,) = traffic(guard, {"base": 0.8, "new": 0.2}, 400, 3)
    assert (change.variant, change.before, change.after) == ("new", CANARY, Stage.BLACKLISTED)
    assert change.by == "statistics"
    evidence = dict(change.evidence)
    assert evidence["harm"] >= 20.0
    assert evidence["mean_reward"] < evidence["control_mean_reward"]
    assert chances(guard) == {"base": 1.0}


def test_an_active_variant_that_harms_is_taken_out_too():
    """Harm takes a variant out also after its probation."""
    guard = Guard(DeploymentRules(certain_episodes=1), {"base": ACTIVE, "known": ACTIVE})
    (change,) = traffic(guard, {"base": 0.8, "known": 0.2}, 400, 4)
    assert (change.before, change.after, change.by) == (ACTIVE, Stage.BLACKLISTED, "statistics")


def test_probation_ends_without_signs_of_harm():
    """A canary as good as the base becomes active after its episodes, one that is worse does not."""
    for mean, after in ((0.8, ACTIVE), (0.3, Stage.BLACKLISTED)):
        guard = Guard(DeploymentRules(new_share=0.3, probation_episodes=30), {"base": ACTIVE, "new": CANARY})
        (change, *_) = traffic(guard, {"base": 0.8, "new": mean}, 400, 5)
        assert change.after is after
        if after is ACTIVE:
            assert change.by == "probation"
            assert dict(change.evidence)["tested"] >= 30.0
            assert dict(change.evidence)["harm"] <= 1.0


def test_state_survives_json():
    """What is written and read again goes on exactly as before."""
    guard = learned(STAGES, [("base", 1.0), ("new", 0.0), ("known", 0.5), ("other", 1.0)] * 5)
    again = StatisticalGuard.from_dict(json.loads(json.dumps(guard.to_dict(), allow_nan=False)), LONG)
    assert again.to_dict() == guard.to_dict()


def test_another_base_is_learned_anew():
    """Under rules with another base, that one has no test, and what the old base did is no measure any more."""
    guard = learned(STAGES, [("base", 1.0)] * 9)
    again = StatisticalGuard.from_dict(guard.to_dict(), DeploymentRules(base="known"))
    assert again.test("known") is None
    assert again.to_dict()["alone"] == StatisticalGuard(LONG).to_dict()["alone"]


def test_a_test_that_contradicts_itself_is_refused():
    """Both directions of a test have seen the same calls."""
    state = learned(STAGES, [("new", 1.0)]).to_dict()
    state["tests"]["new"]["better"]["taken"] = 7
    with pytest.raises(InvalidState, match="new: harm has seen 1 outcomes of the variant, better 7"):
        StatisticalGuard.from_dict(state, LONG)
