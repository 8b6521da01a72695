"""What holds for all three bandits."""

import json

import numpy as np
import pytest
from attrs import evolve
from hypothesis import given, settings
from hypothesis import strategies as st

from tomrt.rl.bandit import Bandit, bandit_from_dict, open_bandit
from tomrt.rl.errors import InvalidFeedback, LearningError, NotEligible
from tomrt.rl.rules import BanditRules
from tomrt.rl.slot_design import choose_combinations
from tomrt.rl.thompson import with_floor

KINDS = ("slots", "gaussian", "beta")
LEVELS = {"greeting": ("standard", "warm", "brief"), "tone": ("neutral", "formal"), "length": ("short", "normal")}
SLOTS = {f"v{place}": slots for place, slots in enumerate(choose_combinations(LEVELS, 6))}
COVARIATES = {"daytime": ("day", "night"), "week": ("workday", "weekend")}
CONTEXT = {"week": "weekend", "daytime": "day", "profile": "sales"}
REWARDS = st.floats(-1.0, 1.0, allow_nan=False)


def opened(kind, seed=1, slots=SLOTS, **rules):
    """Return a bandit that knows nothing."""
    return open_bandit(BanditRules(algorithm=kind, **rules), slots, np.random.default_rng(seed), COVARIATES)


def taught(kind, pulls=60, seed=1, **rules):
    """Return a bandit with some rewards, of which v2 has the highest."""
    bandit, rng = opened(kind, seed, **rules), np.random.default_rng(seed + 1)
    for _ in range(pulls):
        decision = bandit.decide({"daytime": str(rng.choice(("day", "night")))})
        bandit.learn(decision, float(np.clip(rng.normal(0.4 if decision.arm == "v2" else -0.1, 0.3), -1, 1)))
    return bandit


def beliefs(bandit):
    """Return means and statistics, without the generators."""
    state = bandit.to_dict()
    numbers = {key: state[key] for key in ("A", "n", "b", "yy", "successes", "failures") if key in state}
    return np.concatenate([np.ravel(value) for value in (bandit.means(), *numbers.values())])


@pytest.mark.parametrize("kind", KINDS)
def test_a_bandit_is_what_its_interface_says(kind):
    """All three kinds keep the protocol, and begin with nothing learned."""
    bandit = opened(kind)
    assert isinstance(bandit, Bandit)
    assert (bandit.kind, bandit.arms, bandit.version) == (kind, tuple(SLOTS), 0)
    assert bandit.explain().kind == kind


@pytest.mark.parametrize("kind", KINDS)
def test_a_decision_tells_the_whole_choice(kind):
    """A decision holds what could have been chosen with which probability, so that others can be judged by it."""
    bandit = taught(kind)
    decision = bandit.decide(CONTEXT, ("v3", "v1", "v2"), at=5.0)
    assert decision.eligible == ("v3", "v1", "v2")
    assert decision.arm in decision.eligible
    assert decision.probabilities == tuple(bandit.probabilities(("v3", "v1", "v2")))
    assert decision.propensity == decision.probabilities[decision.eligible.index(decision.arm)]
    assert (decision.at, decision.policy, decision.version) == (5.0, kind, 60)
    assert decision.context == (("daytime", "day"), ("profile", "sales"), ("week", "weekend"))
    assert len(decision.id) == 32
    assert int(decision.id, 16) >= 0
    assert decision.id != bandit.decide(CONTEXT).id


@pytest.mark.parametrize("kind", KINDS)
@given(
    eligible=st.lists(st.sampled_from(sorted(SLOTS)), min_size=1, unique=True),
    pulls=st.integers(0, 25),
    floor=st.sampled_from((0.0001, 0.005, 0.05)),
    seed=st.integers(0, 1000),
)
@settings(max_examples=25, deadline=None)
def test_probabilities_sum_to_one_above_the_floor(kind, eligible, pulls, floor, seed):
    """Whatever was learned and whichever arms are eligible, probabilities sum to 1 and none is below the floor."""
    bandit = taught(kind, pulls, seed, floor=floor)
    probabilities = bandit.probabilities(eligible)
    assert probabilities.shape == (len(eligible),)
    assert probabilities.sum() == pytest.approx(1.0, abs=1e-12)
    assert probabilities.min() >= min(floor, 0.5 / len(eligible)) - 1e-15


@given(st.lists(st.floats(0.0, 1.0), min_size=1, max_size=30), st.floats(0.0, 0.6))
def test_a_floor_takes_from_the_others_in_proportion(weights, floor):
    """The floor lifts what is below it, and leaves the ratios of what stays above."""
    raw = np.array(weights) + 1e-6
    raw /= raw.sum()
    lifted = with_floor(raw, floor)
    least = min(floor, 0.5 / len(raw))
    assert lifted.sum() == pytest.approx(1.0)
    assert lifted.min() >= least
    above = lifted > least
    assert np.allclose(lifted[above] / raw[above], (lifted[above] / raw[above])[:1])


@pytest.mark.parametrize("kind", KINDS)
def test_draws_follow_the_probabilities(kind):
    """Arms are chosen as often as their propensities say."""
    bandit = taught(kind)
    expected = bandit.probabilities(bandit.arms)
    arms = [bandit.decide({}).arm for _ in range(6000)]
    seen = np.array([arms.count(arm) for arm in bandit.arms]) / len(arms)
    assert np.abs(seen - expected).max() < 0.03


@pytest.mark.parametrize("kind", KINDS)
def test_probabilities_stay_until_something_is_learned(kind):
    """Asking, deciding and explaining change nothing; learning does, and what was handed out stays as it was."""
    bandit = taught(kind)
    before = bandit.probabilities(bandit.arms)
    kept = before.copy()
    bandit.explain()
    decision = bandit.decide({})
    assert bandit.probabilities(bandit.arms) is before
    bandit.learn(decision, 1.0)
    assert bandit.version == 61
    assert bandit.probabilities(bandit.arms) is not before
    assert np.array_equal(before, kept)
    with pytest.raises(ValueError, match="read-only"):
        before[0] = 1.0


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("discount", [1.0, 0.98])
@pytest.mark.parametrize("asked_before", [True, False])
def test_a_restored_bandit_goes_on_as_if_nothing_had_been(kind, discount, asked_before):
    """After a round trip through JSON, the next 100 decisions and what they teach are the same to the last bit."""
    bandit = taught(kind, discount=discount)
    bandit.warm_start({"v0": 0.3, "v1": -0.2}, weight=4.0)
    bandit.add_arm("late", {"greeting": "warm", "tone": "formal", "length": "short"})
    if asked_before:
        bandit.decide(CONTEXT, ("v1", "v2"))
    restored = bandit_from_dict(json.loads(json.dumps(bandit.to_dict(), allow_nan=False)))
    assert restored.to_dict() == bandit.to_dict()
    for pull in range(100):
        eligible = ("v1", "v2", "late") if pull % 3 else None
        one, other = bandit.decide(CONTEXT, eligible), restored.decide(CONTEXT, eligible)
        assert one == other
        if pull % 2:
            bandit.learn(one, 0.01 * pull - 0.5)
            restored.learn(other, 0.01 * pull - 0.5)
    assert restored.explain() == bandit.explain()
    assert restored.to_dict() == bandit.to_dict()


@pytest.mark.parametrize("kind", KINDS)
def test_asking_leaves_no_trace(kind):
    """Probabilities follow from what was learned alone: two that learn the same agree, however often one was asked."""
    one, other = taught(kind), taught(kind)
    decision = one.decide({})
    for reward in (0.2, -0.4, 0.7):
        one.probabilities(("v1", "v4"))
        one.explain()
        for bandit in (one, other):
            bandit.learn(decision, reward)
    assert np.array_equal(one.probabilities(one.arms), other.probabilities(other.arms))


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_seed_gives_the_same_decisions(kind):
    """All randomness comes from the generator that was given."""
    one, other = taught(kind, seed=7), taught(kind, seed=7)
    assert [one.decide({}) for _ in range(20)] == [other.decide({}) for _ in range(20)]
    assert one.decide({}) != taught(kind, seed=8).decide({})


@pytest.mark.parametrize("kind", KINDS)
@given(rewards=st.lists(REWARDS, max_size=20), arm=st.sampled_from(sorted(SLOTS)), low=REWARDS, high=REWARDS)
@settings(max_examples=25, deadline=None)
def test_a_better_reward_never_makes_an_arm_look_worse(kind, rewards, arm, low, high):
    """Of two histories that differ in one reward, the one with the higher reward believes more of that arm."""
    means = []
    for last in sorted((low, high)):
        bandit = opened(kind)
        decision = bandit.decide(CONTEXT)
        for place, reward in enumerate(rewards):
            bandit.learn(evolve(decision, arm=bandit.arms[place % 6]), reward)
        bandit.learn(evolve(decision, arm=arm), last)
        place = bandit.arms.index(arm)
        # Slots believe in several sizes of effects: the mean of each moves with the reward, evidence the weights.
        means.append(bandit._believed().means[:, place] if kind == "slots" else bandit.means()[place])
    assert np.all(means[0] <= means[1] + 1e-12)


@pytest.mark.parametrize("kind", KINDS)
def test_good_rewards_raise_the_probability_of_an_arm(kind):
    """Each reward of 1 for one arm and of -1 for another moves the probabilities towards the first."""
    bandit = opened(kind)
    decision = bandit.decide({})
    before = bandit.explain()
    for _ in range(4):
        bandit.learn(evolve(decision, arm="v1"), 1.0)
        bandit.learn(evolve(decision, arm="v4"), -1.0)
        after = bandit.explain()
        assert after.arms[1].p_best > before.arms[1].p_best - 0.03
        assert after.arms[4].p_best <= before.arms[4].p_best + 0.03
        before = after
    assert before.recommended == "v1"


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("discount", [1.0, 0.95])
@given(data=st.data())
@settings(max_examples=15, deadline=None)
def test_late_rewards_may_come_in_any_order(kind, discount, data):
    """Rewards of open decisions teach the same in whichever order they arrive, also where things are forgotten."""
    rewards = data.draw(st.lists(REWARDS, min_size=2, max_size=8))
    order = data.draw(st.permutations(range(len(rewards))))
    one, other = opened(kind, discount=discount), opened(kind, discount=discount)
    decisions = [one.decide(CONTEXT) for _ in rewards]
    for decision, reward in zip(decisions, rewards, strict=True):
        one.learn(decision, reward)
    for place in order:
        other.learn(decisions[place], rewards[place])
    assert beliefs(one) == pytest.approx(beliefs(other), rel=1e-9, abs=1e-9)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("discount", [1.0, 0.95])
@given(first=REWARDS, second=REWARDS, others=st.lists(REWARDS, max_size=6))
@settings(max_examples=15, deadline=None)
def test_a_replaced_reward_leaves_nothing_behind(kind, discount, first, second, others):
    """A rating that comes late takes the place of what was learned without it, whatever was learned in between."""
    replaced, direct = opened(kind, discount=discount), opened(kind, discount=discount)
    decision = direct.decide(CONTEXT)
    replaced.learn(decision, first)
    direct.learn(decision, second)
    for bandit in (replaced, direct):
        for reward in others:
            bandit.learn(evolve(decision, arm="v3", version=1), reward)
    replaced.learn(decision, second, replacing=first)
    if discount < 1.0:
        direct.learn(evolve(decision, arm="v0"), 0.0, replacing=0.0)  # as much time goes by
    assert beliefs(replaced) == pytest.approx(beliefs(direct), rel=1e-9, abs=1e-9)
    assert sum(arm.pulls for arm in replaced.explain().arms) == 1 + len(others)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("first", [-1.0, 0.6, 1.0])
def test_every_arm_is_tried(kind, first):
    """No arm locks in by paying well at once: within 1,600 pulls each one is tried, and the best is found."""
    slots = {f"v{place}": slots for place, slots in enumerate(choose_combinations({**LEVELS, "mode": ("a", "b")}, 12))}
    bandit, rng = opened(kind, slots=slots, draws=64), np.random.default_rng(3)
    bandit.learn(evolve(bandit.decide({}), arm="v0"), first)
    truths = dict.fromkeys(slots, 0.6) | {"v7": 0.8}
    for _ in range(1600):
        decision = bandit.decide({})
        bandit.learn(decision, float(np.clip(rng.normal(truths[decision.arm], 0.1), -1, 1)))
    explanation = bandit.explain()
    assert all(arm.pulls for arm in explanation.arms)
    assert explanation.recommended == "v7"


@pytest.mark.parametrize("kind", KINDS)
def test_only_eligible_arms_are_chosen(kind):
    """The best arm is never chosen where it may not be, and one arm alone is certain."""
    bandit = taught(kind, floor=0.05)
    assert {bandit.decide({}, ("v0", "v1")).arm for _ in range(400)} == {"v0", "v1"}
    only = bandit.decide({}, ("v5",))
    assert (only.arm, only.propensity, only.probabilities) == ("v5", 1.0, (1.0,))


@pytest.mark.parametrize("kind", KINDS)
def test_few_sets_of_eligible_arms_are_kept(kind):
    """However many sets of arms are asked for, memory stays bounded and each set has its own probabilities."""
    bandit = taught(kind)
    subsets = [[arm for place, arm in enumerate(SLOTS) if number >> place & 1] for number in range(1, 64)]
    for arms in subsets:
        assert bandit.decide({}, arms).eligible == tuple(arms)
    assert len(bandit._wheels) <= 16


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_forgotten_leaves_the_prior(kind):
    """With a discount, old rewards fade until only the prior is left, which does not fade."""
    bandit, fresh = opened(kind, discount=0.9), opened(kind, discount=0.9)
    old = evolve(bandit.decide({}), arm="v2")
    for number in range(20):
        bandit.learn(evolve(old, version=number), 1.0)
    believed = bandit.means()[2] - fresh.means()[2]
    for _ in range(300):
        bandit.learn(old, 0.0, replacing=0.0)  # time goes by
    assert believed > 0.2
    assert bandit.means() == pytest.approx(fresh.means(), abs=1e-6)
    assert bandit.explain().arms[2].high == pytest.approx(fresh.explain().arms[2].high, abs=0.1)


@pytest.mark.parametrize("kind", KINDS)
def test_a_discount_follows_what_changes(kind):
    """When the best arm becomes the worst, a bandit that forgets turns away sooner than one that does not."""
    means = {}
    for discount in (0.95, 1.0):
        bandit = opened(kind, discount=discount)
        for reward in [1.0] * 100 + [-1.0] * 60:
            bandit.learn(evolve(bandit.decide({}), arm="v0"), reward)
        means[discount] = bandit.means()[0]
    assert means[0.95] < -0.3 < 0.0 < means[1.0]


@pytest.mark.parametrize("kind", KINDS)
def test_a_warm_start_is_believed_until_calls_say_otherwise(kind):
    """What a simulator says is recommended at once, and given up when real rewards contradict it."""
    bandit = opened(kind)
    bandit.warm_start(dict.fromkeys(SLOTS, 0.0) | {"v3": 0.4}, weight=10.0)
    assert bandit.version == 1
    assert bandit.explain().recommended == "v3"
    assert bandit.probabilities(bandit.arms).argmax() == 3
    assert all(arm.pulls == 0 for arm in bandit.explain().arms)
    rng = np.random.default_rng(5)
    for _ in range(150):
        decision = bandit.decide({})
        bandit.learn(decision, float(np.clip(rng.normal(0.5 if decision.arm == "v1" else 0.0, 0.3), -1, 1)))
    assert bandit.explain().recommended == "v1"


@pytest.mark.parametrize("kind", KINDS)
def test_a_new_arm_gets_its_chance(kind):
    """An arm that comes later is eligible at once, what was learned of the others stays, and it is found if better."""
    bandit = taught(kind)
    before = bandit.means()
    bandit.add_arm("new", {"greeting": "brief", "tone": "formal", "length": "normal"})
    assert bandit.arms == (*SLOTS, "new")
    if kind != "slots":  # where slots are shared, a new neighbour tells a little of the others too
        assert np.array_equal(bandit.means()[:6], before)
    assert bandit.means()[:6] == pytest.approx(before, abs=0.05)
    rng = np.random.default_rng(2)
    for _ in range(250):
        decision = bandit.decide({})
        bandit.learn(decision, float(np.clip(rng.normal(0.8 if decision.arm == "new" else 0.0, 0.2), -1, 1)))
    assert bandit.explain().recommended == "new"


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("reward", [1.01, -2.0, float("nan"), float("inf"), True, "0.5", None])
def test_a_reward_out_of_range_is_refused(kind, reward):
    """A reward that is not a number from -1 to 1 is refused in one sentence, and nothing of it is learned."""
    bandit = taught(kind)
    decision, before = bandit.decide({}), bandit.to_dict()
    with pytest.raises(InvalidFeedback, match="not a number from -1 to 1"):
        bandit.learn(decision, reward)
    if reward is not None:
        with pytest.raises(ValueError, match="not a number from -1 to 1"):
            bandit.learn(decision, 0.0, replacing=reward)
    with pytest.raises(LearningError, match="not a number from -1 to 1"):
        bandit.warm_start({"v0": reward}, weight=1.0)
    assert bandit.to_dict() == before


@pytest.mark.parametrize("kind", KINDS)
def test_arms_that_are_not_there_are_refused(kind):
    """Unknown, repeated or missing arms are refused by name, and nothing changes."""
    bandit = taught(kind)
    decision, before = bandit.decide({}), bandit.to_dict()
    for call, sentence in (
        (lambda: bandit.decide({}, ()), "set of eligible arms is empty"),
        (lambda: bandit.decide({}, ("v1", "nobody")), "no arm 'nobody'; known are v0, v1"),
        (lambda: bandit.probabilities(("v1", "v1")), "eligible twice: v1, v1"),
        (lambda: bandit.learn(evolve(decision, arm="nobody"), 0.5), "no arm 'nobody'"),
        (lambda: bandit.warm_start({"nobody": 0.5}, weight=1.0), "no arm 'nobody'"),
        (lambda: bandit.add_arm("v1", {}), "an arm 'v1' already"),
        (lambda: opened(kind, slots={}), "at least one arm"),
    ):
        with pytest.raises(NotEligible, match=sentence):
            call()
    for weight in (0.0, -1.0, float("nan"), float("inf")):
        with pytest.raises(InvalidFeedback, match="not a number above 0"):
            bandit.warm_start({"v1": 0.5}, weight=weight)
    assert bandit.to_dict() == before


@pytest.mark.parametrize("kind", KINDS)
def test_one_arm_and_no_slots_are_enough(kind):
    """A bandit with a single arm without slots decides, learns and explains."""
    bandit = opened(kind, slots={"base": {}})
    for _ in range(5):
        bandit.learn(bandit.decide({}), 0.5)
    explanation = bandit.explain()
    assert explanation.exploration_rate == 0.0
    assert 0.1 < explanation.arms[0].mean <= 0.5
