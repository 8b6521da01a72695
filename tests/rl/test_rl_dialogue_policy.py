"""The policy of the way of talking: guard and bandit as one, with exact probabilities."""

import json
from collections import Counter

import numpy as np
import pytest
from attrs import evolve
from hypothesis import given, settings
from hypothesis import strategies as st

from tomrt.rl.dialogue_policy import DialoguePolicy, Trouble, open_policy
from tomrt.rl.errors import InvalidState
from tomrt.rl.feedback import Signals
from tomrt.rl.stage import Stage
from tomrt.rl.variants import built_in

CATALOGUE = built_in()
GOOD = Signals(resolution=1.0, user_rating=5, duration_sec=180.0)
BAD = Signals(resolution=0.0, user_rating=1, duration_sec=180.0)


def policy(seed: int = 1, catalogue=CATALOGUE) -> DialoguePolicy:
    """Return a policy that knows nothing yet."""
    return open_policy(catalogue, np.random.default_rng(seed))


def everything_active(seed: int = 1) -> DialoguePolicy:
    """Return one in which all variants are known."""
    variants = {name: evolve(variant, stage="active") for name, variant in CATALOGUE.variants.items()}
    rules = evolve(CATALOGUE.deployment, uncertain_share=0.5, certain_episodes=1)
    return policy(seed, evolve(CATALOGUE, variants=variants, deployment=rules))


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32), st.lists(st.booleans(), max_size=30))
def test_probabilities_are_those_of_the_whole_path(seed, outcomes):
    """Whatever was learned, all that may be chosen has a probability, they make 1, and the base is among them."""
    learner = policy(seed)
    for good in outcomes:
        learner.learn(learner.decide({}, at=1.0), GOOD if good else BAD, at=1.0)
    decision = learner.decide({"daytime": "morning"}, at=2.0)
    assert sum(decision.probabilities) == pytest.approx(1.0, abs=1e-12)
    assert min(decision.probabilities) > 0.0
    chosen = dict(zip(decision.eligible, decision.probabilities, strict=True))
    assert decision.propensity == chosen[decision.arm]
    assert "base" in chosen


def test_what_is_logged_is_what_happens():
    """Over many calls each variant is chosen as often as its logged probability says."""
    learner = policy()
    calls = 20_000
    first = learner.decide({}, at=0.0)
    counted = Counter(learner.decide({}, at=0.0).arm for _ in range(calls))
    for arm, probability in zip(first.eligible, first.probabilities, strict=True):
        deviation = (probability * (1 - probability) / calls) ** 0.5
        assert counted[arm] / calls == pytest.approx(probability, abs=5 * deviation)


def test_a_fresh_start_is_careful():
    """Nine calls of ten are as they were; the canaries share the tenth."""
    learner = policy()
    decision = learner.decide({}, at=0.0)
    chosen = dict(zip(decision.eligible, decision.probabilities, strict=True))
    assert chosen["base"] == pytest.approx(0.9)
    assert len(chosen) == 12


def test_it_learns_what_works():
    """A variant that makes callers happy comes to have most calls, once it may be chosen freely."""
    learner = everything_active()
    best = sorted(learner.decide({}, at=0.0).eligible)[7]
    for number in range(900):
        decision = learner.decide({}, at=float(number))
        learner.learn(decision, GOOD if decision.arm == best else BAD, at=float(number))
    decision = learner.decide({}, at=700.0)
    chosen = dict(zip(decision.eligible, decision.probabilities, strict=True))
    assert max(chosen, key=chosen.get) == best
    assert learner.exploration < 0.2
    assert dict(learner.success_rates())[best] == 1.0
    assert dict(learner.mean_rewards())[best] == pytest.approx(1.0)


def test_a_blacklisted_variant_is_not_chosen():
    """What was taken out has no probability any more, at once."""
    learner = policy()
    victim = learner.decide({}, at=0.0).eligible[-1]
    learner.guard.set_stage(victim, Stage.BLACKLISTED, at=1.0, by="an operator", why="complaints")
    assert victim not in learner.decide({}, at=1.0).eligible


def test_calls_that_fail_take_a_variant_out():
    """Two calls of one variant that failed altogether, while all others go well, end its trial."""
    learner = policy()
    victim = learner.decide({}, at=0.0).eligible[-1]
    changes = []
    for number in range(60):
        decision = learner.decide({}, at=float(number))
        learner.learn(decision, GOOD, at=float(number))
    for number in range(3):
        decision = evolve(learner.decide({}, at=70.0 + number), arm=victim)
        if victim not in decision.eligible:
            break
        trouble = Trouble(failed=True, severe=True)
        changes += learner.learn(decision, BAD, at=70.0 + number, trouble=trouble).changes
    assert [(change.variant, change.after) for change in changes] == [(victim, Stage.BLACKLISTED)]


def test_a_late_rating_replaces_what_was_learned():
    """Learning without and then with a rating is the same as learning with it at once."""
    early, late = policy(), policy()
    decision = early.decide({}, at=0.0)
    assert late.decide({}, at=0.0) == decision
    early.learn(decision, GOOD, at=1.0)
    late.learn(decision, evolve(GOOD, user_rating=None), at=1.0)
    late.learn(decision, GOOD, at=2.0, before=evolve(GOOD, user_rating=None))
    assert dict(late.mean_rewards()) == pytest.approx(dict(early.mean_rewards()))
    assert late.success_rates() == early.success_rates()
    means = [{row.arm: row.mean for row in each.bandit.explain().arms} for each in (early, late)]
    assert means[0] == pytest.approx(means[1])


def test_the_state_is_the_policy():
    """What is read back from JSON decides the same for ever, draw for draw."""
    learner = policy()
    for number in range(40):
        decision = learner.decide({"week": "workday"}, at=float(number))
        learner.learn(decision, GOOD if number % 3 else BAD, at=float(number))
    state = json.loads(json.dumps(learner.to_dict(), allow_nan=False))
    again = open_policy(CATALOGUE, np.random.default_rng(99), state=state)
    for number in range(40):
        here, there = (each.decide({}, at=50.0 + number) for each in (learner, again))
        assert here == there
        for each in (learner, again):
            each.learn(here, GOOD, at=50.0 + number)


def test_the_same_caller_has_the_same_variant():
    """With a draw that belongs to the caller, the choice is the same as long as nothing is learned."""
    learner = policy()
    assert len({learner.decide({}, at=0.0, uniform=0.95).arm for _ in range(20)}) == 1


def test_variants_come_and_go():
    """A variant that is new in the catalogue is added to what was learned; one that has left it is not chosen."""
    learner = policy()
    learner.learn(learner.decide({}, at=0.0), GOOD, at=0.0)
    gone = learner.decide({}, at=0.0).eligible[-1]
    fewer = {name: variant for name, variant in CATALOGUE.variants.items() if name != gone}
    smaller = open_policy(evolve(CATALOGUE, variants=fewer), np.random.default_rng(1), state=learner.to_dict(), at=1.0)
    assert gone not in smaller.decide({}, at=1.0).eligible
    fresh = policy(catalogue=evolve(CATALOGUE, variants=fewer))
    larger = open_policy(CATALOGUE, np.random.default_rng(1), state=fresh.to_dict(), at=1.0)
    assert gone in larger.decide({}, at=1.0).eligible


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda state: state.pop("schema"), "schema"),
        (lambda state: state.pop("bandit"), "bandit"),
        (lambda state: state.update(guard=[]), "guard"),
        (lambda state: state.pop("rng"), "rng"),
        (lambda state: state.update(rng={"state": 1}), "generator"),
        (lambda state: state.update(pulls={"base": "many"}), "pulls"),
        (lambda state: state["made_for"]["bandit"].update(draws=99), "rules"),
        (lambda state: state["made_for"]["slots"]["base"].update(tone="rude"), "base"),
    ],
)
def test_a_state_that_does_not_fit_is_refused(change, said):
    """A state that is damaged, or learned under other rules, is refused in a sentence that says what is wrong."""
    learner = policy()
    learner.learn(learner.decide({}, at=0.0), GOOD, at=0.0)
    state = json.loads(json.dumps(learner.to_dict()))
    change(state)
    with pytest.raises(InvalidState, match=said):
        open_policy(CATALOGUE, np.random.default_rng(1), state=state)
