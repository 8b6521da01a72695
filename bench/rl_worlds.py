"""Worlds to learn in: twelve variants of which the best is to be found, and how well a bandit did.

A world is drawn as follows. There are 72 combinations of five slots (3, 3, 2, 2 and 2 levels), of which 12 are taken,
D-optimally (:func:`tomrt.rl.slot_design.choose_combinations`). Each effect-coded main effect is drawn from a normal
distribution, each variant has a deviation of its own besides (:data:`OWN` of the standard deviation between variants,
as effects are never quite additive), and all effects of all worlds are multiplied by one number, so that over many
worlds the *median* distance of the best variant from the second best is the gap. A variant's reward has exactly its
mean and the world's standard deviation: a beta distribution on [-1, 1]. Means are kept within .85 (of those of gap
.08, two in ten thousand are beyond), since nearer to 1 no reward can have a standard deviation of .5.

What is counted, per world: the *recommended* variant is the one with the highest posterior mean. *Within .05* says
whether its true mean is at most .05 below that of the best one. *Stable pulls* are the rewards after which the
recommended variant does not change for the next 100; a world that never comes to rest counts with the last possible
number. *Regret* is the sum over all pulls of how far the chosen variant's true mean is below that of the best one.

In worlds with a context, two binary covariates move the reward; they make up for the part of the noise that is not
left (sd .5 becomes .4 of context and .3 that remains). A simulator tells, for a warm start, *fidelity* times the true
effects and the rest of effects of the same size that have nothing to do with them.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import lru_cache
from itertools import repeat

import numpy as np
from attrs import frozen
from numpy.typing import NDArray

from tomrt.rl.bandit import Bandit, open_bandit
from tomrt.rl.rules import BanditRules
from tomrt.rl.slot_design import choose_combinations, effect_coded

__all__ = ["COVARIATES", "LEVELS", "OWN", "Policy", "Score", "World", "WorldKind", "scores", "slots_of_arms", "worlds"]

Floats = NDArray[np.float64]

LEVELS: Mapping[str, tuple[str, ...]] = {
    "greeting": ("standard", "warm", "brief"),
    "tone": ("neutral", "friendly", "formal"),
    "length": ("short", "normal"),
    "inquiry": ("open", "guided"),
    "sensitivity": ("low", "high"),
}
COVARIATES: Mapping[str, tuple[str, ...]] = {"week": ("workday", "weekend"), "daytime": ("day", "night")}
OWN = 0.2
ARMS = 12
STABLE_FOR = 100
NEAR = 0.05
FARTHEST = 0.85
CONTEXT_SD = 0.4
LEFT_SD = 0.3


@frozen(kw_only=True)
class WorldKind:
    """What worlds are drawn from.

    Args:
        gap: Median distance of the best variant from the second best.
        noise_sd: Of a reward around its variant's mean, with the part that the context explains.
        own: Standard deviation of variants' own deviations, in units of that of the main effects' sum.
        context: Whether covariates explain .4 of the noise of .5.
        fidelity: Of the simulator for a warm start; ``None`` for a cold one.
    """

    gap: float
    noise_sd: float
    own: float = OWN
    context: bool = False
    fidelity: float | None = None


@frozen(kw_only=True)
class Policy:
    """What learns in a world.

    Args:
        rules: Of the bandit.
        coin: Whether a reward is first made -1 or 1 by the flip of a coin that has its mean.
        adjusted: Whether the bandit is told the context.
        warm_weight: Rewards that a simulated variant is worth.
    """

    rules: BanditRules
    coin: bool = False
    adjusted: bool = False
    warm_weight: float = 10.0


@frozen(eq=False)
class World:
    """True means of the variants, what a simulator says of them, and the sizes of the context's two effects."""

    kind: WorldKind
    means: Floats
    simulated: Floats
    context: Floats


@frozen(eq=False)
class Score:
    """How a bandit did in one world; all arrays have one element per pull.

    Args:
        near: Whether the recommended variant was within .05 of the best, after so many pulls (the first: before any).
        stable: Pulls to stable selection.
        regret: The whole.
    """

    near: NDArray[np.bool_]
    stable: int
    regret: float


@lru_cache
def slots_of_arms() -> dict[str, dict[str, str]]:
    """Return the slots of twelve variants."""
    return {f"variant {place}": slots for place, slots in enumerate(choose_combinations(LEVELS, ARMS))}


def _effects(rng: np.random.Generator, count: int, own: float) -> Floats:
    """Return means of variants before they are scaled, shape (count, 12), around 0."""
    design = effect_coded(list(slots_of_arms().values()), LEVELS)[:, 1:]
    shared = rng.standard_normal((count, design.shape[1])) @ design.T
    size = np.sqrt((design**2).sum(axis=1).mean())
    return np.asarray(shared + own * size * rng.standard_normal((count, ARMS)))


@lru_cache
def _scale(gap: float, own: float) -> float:
    """Return what effects are multiplied by, so that the median distance of best and second best is *gap*."""
    ranked = np.sort(_effects(np.random.default_rng(72), 20_000, own), axis=1)
    return float(gap / np.median(ranked[:, -1] - ranked[:, -2]))


def worlds(kind: WorldKind, count: int, seed: int) -> list[World]:
    """Return *count* worlds; the same seed gives the same means to all kinds with the same effects."""
    rng = np.random.default_rng([seed, 1])
    scale = _scale(kind.gap, kind.own)
    truths = np.clip(scale * _effects(rng, count, kind.own), -FARTHEST, FARTHEST)
    others = scale * _effects(rng, count, kind.own)
    fidelity = 1.0 if kind.fidelity is None else kind.fidelity
    simulated = fidelity * truths + (1.0 - fidelity) * others
    context = rng.choice((-1.0, 1.0), (count, 2)) * CONTEXT_SD / np.sqrt(2.0)
    return [World(kind, *parts) for parts in zip(truths, simulated, context, strict=True)]


def _rewards(world: World, pulls: int, rng: np.random.Generator) -> tuple[list[list[int]], Callable[[int, int], float]]:
    """Return which levels the covariates have at each pull, and what a variant earns at one."""
    seen = rng.integers(0, 2, (pulls, 2))
    moved = (2 * seen - 1) @ world.context if world.kind.context else np.zeros(pulls)
    spread = LEFT_SD if world.kind.context else world.kind.noise_sd

    def earn(pull: int, arm: int) -> float:
        mean = min(max(float(world.means[arm] + moved[pull]), -0.94), 0.94)
        total = (1.0 - mean * mean) / spread**2 - 1.0
        return 2.0 * rng.beta(total * (1.0 + mean) / 2.0, total * (1.0 - mean) / 2.0) - 1.0

    return seen.tolist(), earn


def _open(world: World, policy: Policy, rng: np.random.Generator) -> Bandit:
    bandit = open_bandit(policy.rules, slots_of_arms(), rng, COVARIATES if policy.adjusted else {})
    if world.kind.fidelity is not None:
        told = np.clip(world.simulated, -1.0, 1.0).tolist()
        bandit.warm_start(dict(zip(bandit.arms, told, strict=True)), weight=policy.warm_weight)
    return bandit


def play(world: World, policy: Policy, pulls: int, seed: Sequence[int]) -> Score:
    """Let a bandit learn in a world."""
    rng = np.random.default_rng(seed)
    bandit = _open(world, policy, rng.spawn(1)[0])
    places = {arm: place for place, arm in enumerate(bandit.arms)}
    names = list(COVARIATES)
    seen, earn = _rewards(world, pulls, rng)
    recommended, lost = [int(bandit.means().argmax())], 0.0
    below = (world.means.max() - world.means).tolist()
    for pull in range(pulls):
        context = {name: COVARIATES[name][level] for name, level in zip(names, seen[pull], strict=True)}
        decision = bandit.decide(context)
        arm = places[decision.arm]
        reward = earn(pull, arm)
        if policy.coin:
            reward = 1.0 if rng.random() < (1.0 + reward) / 2.0 else -1.0
        bandit.learn(decision, reward)
        lost += below[arm]
        recommended.append(int(bandit.means().argmax()))
    return Score(np.array(below)[recommended] <= NEAR, _stable(recommended), lost)


def _stable(recommended: Sequence[int]) -> int:
    """Return after how many pulls the recommendation stays for the next 100."""
    begun = 0
    for pull in range(1, len(recommended)):
        if recommended[pull] != recommended[begun]:
            begun = pull
        elif pull - begun >= STABLE_FOR:
            return begun
    return max(len(recommended) - 1 - STABLE_FOR, 0)


def _play_one(world: World, policy: Policy, pulls: int, seed: tuple[int, int]) -> Score:
    return play(world, policy, pulls, seed)


def scores(
    kind: WorldKind, policy: Policy, *, count: int, pulls: int, seed: int, jobs: int | None = None
) -> list[Score]:
    """Let a bandit learn in *count* worlds.

    Args:
        kind: What the worlds are drawn from.
        policy: What learns.
        count: Worlds; the same for all policies.
        pulls: Rewards in each.
        seed: Of worlds and rewards.
        jobs: Processes; by default as many as there are processors, at most two.
    """
    drawn = worlds(kind, count, seed)
    seeds = [(seed, place) for place in range(count)]
    jobs = min(2, os.cpu_count() or 1) if jobs is None else jobs
    if jobs == 1:
        return [_play_one(world, policy, pulls, one) for world, one in zip(drawn, seeds, strict=True)]
    with ProcessPoolExecutor(jobs) as pool:
        return list(pool.map(_play_one, drawn, repeat(policy), repeat(pulls), seeds, chunksize=5))
