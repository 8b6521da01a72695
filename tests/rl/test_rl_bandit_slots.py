"""What the slot-factored bandit does beyond the others, and how arms are laid out."""

import numpy as np
import pytest
from attrs import evolve

from tomrt.rl.bandit import open_bandit
from tomrt.rl.rules import BanditRules
from tomrt.rl.slot_design import choose_combinations, effect_coded, slot_likeness
from tomrt.rl.slot_thompson import SlotThompson

LEVELS = {"greeting": ("standard", "warm", "brief"), "tone": ("neutral", "formal"), "length": ("short", "normal")}
GRID = {f"v{place}": slots for place, slots in enumerate(choose_combinations(LEVELS, 12))}
COVARIATES = {"daytime": ("day", "night")}


def opened(slots=GRID, covariates=COVARIATES, **rules):
    """Return a bandit that knows nothing."""
    return open_bandit(BanditRules(**rules), slots, np.random.default_rng(1), covariates)


def fed(bandit, rows):
    """Teach rewards of arms in contexts."""
    decision = bandit.decide({})
    for arm, context, reward in rows:
        bandit.learn(evolve(decision, arm=arm, context=tuple(context.items())), reward)
    return bandit


def test_slots_are_the_default():
    """Rules that say nothing give the slot-factored bandit."""
    assert isinstance(opened(), SlotThompson)


def test_what_one_arm_earns_tells_of_its_neighbours():
    """Rewards of warm variants raise what is believed of a warm variant that was never tried."""
    warm = [arm for arm, slots in GRID.items() if slots["greeting"] == "warm"]
    cold = [arm for arm, slots in GRID.items() if slots["greeting"] == "brief"]
    rows = [(arm, {}, 0.6) for arm in warm[1:] for _ in range(10)]
    rows += [(arm, {}, -0.2) for arm in cold[1:] for _ in range(10)]
    means = dict(zip(GRID, fed(opened(), rows).means(), strict=True))
    assert means[warm[0]] > means[cold[0]] + 0.3


def test_interactions_are_found_in_the_end():
    """An arm that is not the sum of its slots is believed what it earns once it has been tried often."""
    rng = np.random.default_rng(2)
    truths = dict.fromkeys(GRID, 0.0) | {"v5": 0.3, "v0": -0.3}
    rows = [(arm, {}, float(np.clip(rng.normal(mean, 0.3), -1, 1))) for arm, mean in truths.items() for _ in range(150)]
    means = dict(zip(GRID, fed(opened(), rows).means(), strict=True))
    assert means == pytest.approx(truths, abs=0.1)


def test_an_arm_is_not_praised_for_its_callers():
    """Where the hour decides the reward, an arm that was used at good hours is not believed to be better."""
    rng = np.random.default_rng(3)
    rows = []
    for number in range(240):
        arm, good = f"v{number % 12}", (number % 12 == 4 and number % 5 != 0) or number % 4 == 0
        reward = float(np.clip(rng.normal(0.4 if good else -0.4, 0.1), -1, 1))
        rows.append((arm, {"daytime": "day" if good else "night"}, reward))
    adjusted = fed(opened(), rows).means()
    naive = fed(opened(covariates={}), rows).means()
    assert naive[4] - np.delete(naive, 4).mean() > 0.2
    assert abs(adjusted[4] - np.delete(adjusted, 4).mean()) < 0.1


def test_unknown_levels_and_names_count_as_unknown():
    """A context that nobody foresaw is taken as none, and a reward in it is still learned."""
    known = fed(opened(), [("v1", {}, 0.5)] * 5)
    odd = fed(opened(), [("v1", {"daytime": "dusk", "weather": "rain"}, 0.5)] * 5)
    assert odd.to_dict()["A"] == known.to_dict()["A"]
    assert odd.means()[1] > 0.1


@pytest.mark.parametrize("noise", [0.1, 0.25, 0.5])
def test_the_noise_is_estimated(noise):
    """Nobody tells the bandit how noisy rewards are; after 300 it knows to a tenth."""
    rng = np.random.default_rng(4)
    rows = [(f"v{number % 12}", {}, float(np.clip(rng.normal(0.0, noise), -1, 1))) for number in range(300)]
    seen = np.std([reward for _, _, reward in rows])
    for kind in ("slots", "gaussian"):
        assert fed(opened(algorithm=kind), rows).explain().noise_sd == pytest.approx(seen, rel=0.1)


def test_the_posterior_is_that_of_bayesian_regression():
    """Means equal those of a textbook regression on level, effect-coded slots, own deviations and covariates."""
    rng = np.random.default_rng(5)
    bandit = opened()
    rows = [
        (f"v{rng.integers(12)}", {"daytime": str(rng.choice(("day", "night")))}, float(rng.uniform(-1, 1)))
        for _ in range(80)
    ]
    fed(bandit, rows)
    arms = np.array([list(GRID).index(arm) for arm, _, _ in rows])
    hours = np.array([["day", "night"].index(context["daytime"]) for _, context, _ in rows])
    one_hot = [np.eye(len(levels)) - 1.0 / len(levels) for levels in LEVELS.values()]
    effects = []
    for (slot, levels), code in zip(LEVELS.items(), one_hot, strict=True):
        scale = np.sqrt(1.0 / (1.0 - 1.0 / len(levels)) / len(LEVELS))
        effects.append(scale * code[[levels.index(slots[slot]) for slots in GRID.values()]])
    means = []
    for size in (0.03, 0.1, 0.3):
        own = np.sqrt(0.15 * size) * np.eye(12)
        design = np.hstack((np.ones((12, 1)), np.sqrt(0.85 * size) * np.hstack(effects), own))
        x = np.hstack((design[arms], 0.5 * np.eye(2)[hours]))
        y = np.array([reward for _, _, reward in rows])
        coefficients = np.linalg.solve(x.T @ x + np.eye(x.shape[1]), x.T @ y)
        means.append(design @ coefficients[: design.shape[1]])
    believed = bandit._believed()
    assert believed.means == pytest.approx(np.array(means), abs=1e-9)
    assert believed.weights.sum() == pytest.approx(1.0)


def test_the_size_of_effects_is_learned():
    """Where variants hardly differ the small size is believed in, where they differ a lot the large one."""
    rng = np.random.default_rng(6)
    weights = []
    for size in (0.0, 1.0):
        effects = {arm: size * (0.3 if slots["tone"] == "formal" else -0.3) for arm, slots in GRID.items()}
        rows = [(arm, {}, float(np.clip(rng.normal(effects[arm], 0.3), -1, 1))) for arm in list(GRID) * 40]
        weights.append(fed(opened(), rows)._believed().weights)
    assert weights[0][0] > 0.6
    assert weights[1][2] > 0.6


def test_a_warm_start_tells_differences_and_hardly_the_level():
    """A simulator whose callers are all kinder does not make untried arms look good."""
    kind, strict = opened(), opened()
    for bandit, level in ((kind, 0.6), (strict, 0.0)):
        bandit.warm_start({arm: level + 0.02 * place for place, arm in enumerate(GRID)}, weight=10.0)
        fed(bandit, [("v0", {}, -0.2)] * 20)
    assert kind.explain().recommended == strict.explain().recommended == "v11"
    assert kind.means() == pytest.approx(strict.means(), abs=0.12)


def test_a_warm_start_may_come_late_and_in_parts():
    """Pseudo-observations are prior knowledge: whether they come before or after the rewards makes no difference."""
    early, late = opened(), opened()
    rows = [("v1", {}, 0.5), ("v2", {}, -0.5)] * 4
    early.warm_start({"v0": 0.2, "v1": 0.1}, weight=3.0)
    fed(early, rows)
    fed(late, rows)
    late.warm_start({"v0": 0.2, "v1": 0.1}, weight=3.0)
    assert late.means() == pytest.approx(early.means(), abs=1e-12)


def test_combinations_are_chosen_so_that_effects_can_be_told_apart():
    """Twelve of 72 combinations have full rank, and nearly the information of the whole grid per row."""
    levels = LEVELS | {"tone": ("neutral", "friendly", "formal"), "mode": ("open", "guided"), "ear": ("low", "high")}
    levels = {name: levels[name] for name in ("greeting", "tone", "length", "mode", "ear")}
    chosen = choose_combinations(levels, 12)
    rows = effect_coded(chosen, levels)
    grid = effect_coded(choose_combinations(levels, 72), levels)
    per_row = [np.linalg.slogdet(x.T @ x / len(x))[1] / x.shape[1] for x in (rows, grid)]
    assert np.linalg.matrix_rank(rows) == rows.shape[1] == 8
    assert np.exp(per_row[0] - per_row[1]) > 0.95
    assert len({tuple(combination.values()) for combination in chosen}) == 12
    assert chosen == choose_combinations(levels, 12)
    with pytest.raises(ValueError, match="7 combinations were asked for, not 8 to 72"):
        choose_combinations(levels, 7)


def test_likeness_is_a_covariance():
    """Arms are like themselves, more like those with common slots, and the whole is a covariance."""
    likeness = slot_likeness(list(GRID.values()))
    assert np.diagonal(likeness) == pytest.approx(1.0)
    assert np.linalg.eigvalsh(likeness).min() > -1e-12
    assert slot_likeness([{"tone": "a"}, {"tone": "a"}]) == pytest.approx(0.0)
    assert slot_likeness([{"tone": "a"}, {}])[0, 1] == pytest.approx(-1.0)
