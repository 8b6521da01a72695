"""The whole of learning how to talk: which variant is found how soon, what guards it, and what it costs.

The worlds are described in :mod:`bench.rl_worlds`, the guard's in :mod:`bench.rl_guard_worlds`. Priors and reshaping of
our policies were chosen on worlds of other seeds than those of a run. The noise is estimated by all policies, told to
none. Peers are policies as textbooks have them, without a floor; ours have the rules that are shipped.

A full run plays 1,200 worlds where something is promised and 400 elsewhere: the standard error of a median of 400 is
about 5 pulls. A quick run has far fewer worlds, so its bounds are wider by two standard errors.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from functools import partial
from typing import Literal

import numpy as np
from attrs import evolve, frozen

from bench import rl_calls, rl_costs, rl_guard_worlds
from bench.report import Row, Section, generator, interleaved, main
from bench.rl_worlds import COVARIATES, Policy, Score, WorldKind, scores, slots_of_arms
from tomrt.rl.bandit import Bandit, open_bandit
from tomrt.rl.rules import BanditRules

__all__ = ["context_rows", "cost_rows", "selection_rows"]

_PULLS = 800
_PULLS_WARM = 500
_AFTER = (50, 100, 200, 400)


def _plain(algorithm: str, *, coin: bool = False) -> Policy:
    """Return a policy as textbooks have it: the choice among 32 draws is distributed like the choice by one."""
    return Policy(rules=BanditRules(algorithm=algorithm, draws=32, floor=0.0001), coin=coin)


_COIN = _plain("beta", coin=True)
_POLICIES = {
    "slots": Policy(rules=BanditRules()),
    "Gaussian": _plain("gaussian"),
    "Beta fractional": _plain("beta"),
}
_WORLDS = {
    "gap .06 sd .5": (WorldKind(gap=0.06, noise_sd=0.5), ("slots", "Gaussian", "Beta fractional")),
    "gap .03 sd .5": (WorldKind(gap=0.03, noise_sd=0.5), ("slots", "Gaussian")),
    "gap .08 sd .5": (WorldKind(gap=0.08, noise_sd=0.5), ("slots", "Gaussian")),
    "gap .06 sd .25": (WorldKind(gap=0.06, noise_sd=0.25), ("slots", "Gaussian")),
    "gap .06 sd .5, interactions": (WorldKind(gap=0.06, noise_sd=0.5, own=1.0), ("slots", "Gaussian")),
}
_PROMISED = "gap .06 sd .5"


@frozen(kw_only=True)
class _Promise:
    """Bound and aim of what is counted."""

    median: tuple[float, float] | None = None
    p90: tuple[float, float] | None = None
    regret: tuple[float, float] | None = None


_NOTHING = _Promise()
_COLD = _Promise(median=(75.0, 70.0), regret=(50.0, 45.0))
_WARM = _Promise(p90=(130.0, 110.0))


def selection_rows(jobs: int, quick: bool) -> Sequence[Row]:
    """Play the worlds of RL.md 3.5: a cold start, nothing known of the context."""
    rows: list[Row] = []
    for name, (kind, policies) in _WORLDS.items():
        if quick and name != _PROMISED:
            continue
        play = partial(scores, kind, pulls=_PULLS, seed=_seed(), jobs=jobs)
        coin = play(_COIN, count=30 if quick else 400)
        for policy in policies[: 1 if quick else None]:
            promised = name == _PROMISED and policy == "slots"
            found = play(_POLICIES[policy], count=60 if quick else 1200 if promised else 400)
            rows += _rows(f"{name}, {policy}", found, _AFTER, coin, _COLD if promised else _NOTHING, quick)
    return rows


def context_rows(jobs: int, quick: bool) -> Sequence[Row]:
    """Play worlds with a context that explains a part of the noise, and with a simulator to begin from."""
    slots = _POLICIES["slots"]
    kind = WorldKind(gap=0.06, noise_sd=0.5)
    both = ("warm and adjusted", evolve(kind, context=True, fidelity=0.7), evolve(slots, adjusted=True), _WARM)
    others = (
        ("adjusted", evolve(kind, context=True), evolve(slots, adjusted=True), _NOTHING),
        ("warm", evolve(kind, fidelity=0.7), slots, _NOTHING),
        ("warm from a rough simulator", evolve(kind, fidelity=0.5), slots, _NOTHING),
    )
    rows: list[Row] = []
    for name, world, policy, promise in (both,) if quick else (both, *others):
        count = 40 if quick else 1200 if promise is _WARM else 400
        found = scores(world, policy, count=count, pulls=_PULLS_WARM, seed=_seed(), jobs=jobs)
        rows += _rows(f"{_PROMISED}, {name}", found, (20, *_AFTER), None, promise, quick)
    return rows


def _seed() -> int:
    return int(generator().integers(1 << 31))


def _rows(
    title: str, found: list[Score], after: Sequence[int], coin: list[Score] | None, promise: _Promise, quick: bool
) -> list[Row]:
    """Return what is counted, beside the Beta bandit that flips coins where it has played the same worlds."""
    rows = [_near_row(title, found, pulls, coin) for pulls in after]
    stable = np.array([score.stable for score in found])
    regret = np.array([score.regret for score in found])
    coins = None if coin is None else (np.array([one.stable for one in coin]), np.array([one.regret for one in coin]))
    error = 1.0 / np.sqrt(len(found)) if quick else 0.0
    pulls = len(found[0].near) - 1
    figures = (
        ("pulls to stable selection, median", float(np.median(stable)), "pulls", promise.median, 2.5 * stable.std()),
        ("pulls to stable selection, p90", float(np.percentile(stable, 90)), "pulls", promise.p90, 4.0 * stable.std()),
        (f"regret over {pulls}", float(regret.mean()), "reward", promise.regret, 2.0 * regret.std()),
    )
    theirs: tuple[float | None, ...] = (None,) * 3
    if coins is not None:
        theirs = (float(np.median(coins[0])), float(np.percentile(coins[0], 90)), float(coins[1].mean()))
    for (what, value, unit, limits, leave), other in zip(figures, theirs, strict=True):
        bound, aim = limits or (None, None)
        wider = None if bound is None else round(bound + float(leave * error), 1)
        rows.append(_row(f"{title}: {what}", value, unit, other, "lower", wider, aim))
    return rows


def _near_row(title: str, found: list[Score], pulls: int, coin: list[Score] | None) -> Row:
    near = float(np.mean([score.near[pulls] for score in found]))
    theirs = None if coin is None else float(np.mean([score.near[pulls] for score in coin]))
    return _row(f"{title}: within .05 of the best after {pulls}", near, "of worlds", theirs, "higher", None, None)


def _row(
    name: str,
    value: float,
    unit: str,
    coin: float | None,
    better: Literal["lower", "higher"],
    bound: float | None,
    aim: float | None,
) -> Row:
    peer, theirs = ("", None) if coin is None else ("Beta coin", coin)
    return Row(name, value, unit, peer=peer, peer_value=theirs, bound=bound, aim=aim, better=better, compare="value")


# --- cost ------------------------------------------------------------------------------------------------------------


def _taught(algorithm: str, covariates: bool = True) -> Bandit:
    """Return a bandit with twelve arms and 300 rewards."""
    rng = generator()
    rules = BanditRules(algorithm=algorithm)
    bandit = open_bandit(rules, slots_of_arms(), rng.spawn(1)[0], COVARIATES if covariates else {})
    for _ in range(300):
        bandit.learn(bandit.decide({"week": "workday"}), float(rng.uniform(-1.0, 1.0)))
    return bandit


def cost_rows(quick: bool) -> Sequence[Row]:
    """Measure decisions and lessons, one after the other as calls bring them."""
    rng, wins = generator(), np.arange(12) + 5.0
    context = {"daytime": "day", "week": "workday"}
    kinds = {kind: _taught(kind) for kind in ("slots", "gaussian", "beta")}
    pending = {kind: bandit.decide(context) for kind, bandit in kinds.items()}
    repeats, inner = (15, 20) if quick else (60, 50)
    decide = interleaved(
        {kind: partial(bandit.decide, context) for kind, bandit in kinds.items()}
        | {"bare": lambda: rng.beta(wins, 20.0).argmax()},
        repeats=repeats,
        inner=10 * inner,
    )
    replay = interleaved(
        {kind: partial(bandit.learn, pending[kind], 0.1) for kind, bandit in kinds.items()},
        repeats=repeats,
        inner=inner,
    )
    in_turn = interleaved(
        {kind: partial(_learn_and_decide, bandit, context) for kind, bandit in kinds.items()},
        repeats=repeats,
        inner=inner,
    )
    rows = []
    for kind in kinds:
        bound, aim = (15.0, 10.0) if kind == "slots" else (None, None)
        rows += [
            Row(
                f"{kind}: decide among 12 arms",
                1e6 * decide[kind],
                "µs",
                peer="rng.beta(...).argmax() alone",
                peer_value=1e6 * decide["bare"],
                bound=bound,
                aim=aim,
                compare="value",
            ),
            Row(f"{kind}: learn, and be ready to decide", 1e6 * (in_turn[kind] - decide[kind]), "µs"),
            Row(f"{kind}: learn while nobody asks (replay)", 1e6 * replay[kind], "µs"),
        ]
    return rows


def _learn_and_decide(bandit: Bandit, context: dict[str, str]) -> None:
    bandit.learn(bandit.decide(context), 0.1)


def _sections(arguments: argparse.Namespace) -> dict[str, Section]:
    jobs = arguments.jobs
    return {
        "Twelve variants, cold start": partial(selection_rows, jobs),
        "Twelve variants, with context and warm start": partial(context_rows, jobs),
        "Cost of the bandit": cost_rows,
        "Guard": lambda quick: rl_guard_worlds.guard_rows(quick, jobs),
        "Feedback, state, import": rl_costs.cost_rows,
        "Beside calls": rl_calls.call_rows,
    }


def _options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--jobs", type=int, default=2, help="processes that play worlds (default 2)")


if __name__ == "__main__":
    sys.exit(main("rl_policy", _sections, options=_options))
