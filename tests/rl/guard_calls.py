"""Calls for the tests of the deploy guard."""

import numpy as np

from tomrt.rl.decision import Decision
from tomrt.rl.guard import Guard, Outcome


def decision(arm, chances, *, independent=True):
    """Return the decision for *arm* out of ``{arm: probability}``."""
    return Decision(
        id="0" * 32,
        at=0.0,
        arm=arm,
        propensity=max(chances.get(arm, 1.0), 1e-12),
        policy="test",
        version=0,
        eligible=tuple(chances),
        probabilities=tuple(chances.values()),
        independent=independent,
    )


def chances(guard: Guard) -> dict[str, float]:
    """Return the probability of each arm where a group's arms share equally."""
    return {arm: group.share / len(group.arms) for group in guard.split() for arm in group.arms}


def traffic(guard: Guard, means: dict[str, float], calls: int, seed: int, *, begin: int = 0, gap_s: float = 60.0):
    """Run calls whose rewards are 1 or -1 and succeed with the probability of their arm; return all changes."""
    rng = np.random.default_rng(seed)
    changes = []
    for number in range(begin, begin + calls):
        table = chances(guard)
        arm = list(table)[rng.choice(len(table), p=np.array(list(table.values())))]
        outcome = Outcome(1.0 if rng.random() < means[arm] else -1.0)
        changes += guard.report(decision(arm, table), outcome, at=number * gap_s)
    return changes
