"""A small world of calls with a known truth: what each level of each slot is worth, and callers who answer by it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from attrs import evolve, field, frozen

from tomrt.rl.decision import Decision
from tomrt.rl.dialogue_policy import DialoguePolicy, open_policy
from tomrt.rl.feedback import FeedbackEvent, Signals
from tomrt.rl.key_ring import KeyRing
from tomrt.rl.reward import reward
from tomrt.rl.state_file import StateFile
from tomrt.rl.store import FeedbackStore
from tomrt.rl.variants import built_in

START = 1_700_000_000.0
EFFECTS = {
    ("greeting", "warm"): 0.10,
    ("tone", "friendly"): 0.12,
    ("length", "short"): -0.08,
    ("inquiry_mode", "guided"): 0.10,
}
PLAIN_EFFECTS = {
    ("greeting", "warm"): 0.15,
    ("tone", "friendly"): 0.2,
    ("length", "short"): -0.25,
    ("inquiry_mode", "guided"): 0.15,
}
"""So large that a few hundred calls show them."""
DAYTIMES = {"morning": 0.08, "afternoon": 0.0, "evening": -0.08}


@frozen(kw_only=True)
class Call:
    """A call as training reads it."""

    decision: Decision
    signals: Signals
    profile: str = "general"
    agent: str = "assistant"
    caller: str = ""


@frozen
class World:
    """Callers whose matter is settled with a probability that depends on the slots and the time of day."""

    rng: np.random.Generator
    effects: Mapping[tuple[str, str], float] = field(factory=lambda: dict(EFFECTS))

    def settled(self, slots: Mapping[str, str], daytime: str) -> float:
        """Return the probability that the matter is settled."""
        return 0.45 + sum(self.effects.get(pair, 0.0) for pair in slots.items()) + DAYTIMES[daytime]

    def value(self, slots: Mapping[str, str]) -> float:
        """Return the expected reward of a combination, over the times of day."""
        mean = float(np.mean([self.settled(slots, daytime) for daytime in DAYTIMES]))
        return 0.6 * mean + 0.5 * 0.2 * (mean - 0.5) + 0.2 * (1.0 - 60.0 / 180.0)

    def signals(self, slots: Mapping[str, str], daytime: str) -> Signals:
        """Return what is observed of a call; half of the callers give a rating."""
        is_settled = bool(self.rng.random() < self.settled(slots, daytime))
        rated = self.rng.random() < 0.5
        return Signals(
            resolution=float(is_settled),
            user_rating=(4 if is_settled else 2) if rated else None,
            barge_in_count=0,
            handover=False,
            duration_sec=120.0,
            repeats=0,
        )

    def calls(
        self, variants: Mapping[str, Mapping[str, str]], count: int, probabilities: Sequence[float]
    ) -> list[Call]:
        """Return calls whose variants were drawn with fixed probabilities."""
        arms, chances = tuple(variants), tuple(map(float, probabilities))
        places = self.rng.choice(len(arms), size=count, p=chances)
        daytimes = self.rng.choice(list(DAYTIMES), size=count)
        return [
            self._call(row, arms, chances, int(place), variants[arms[place]], str(daytime))
            for row, (place, daytime) in enumerate(zip(places, daytimes, strict=True))
        ]

    def _call(
        self,
        row: int,
        arms: tuple[str, ...],
        chances: tuple[float, ...],
        place: int,
        slots: Mapping[str, str],
        daytime: str,
    ) -> Call:
        decision = Decision(
            id=f"{row:032x}",
            at=START + 60.0 * row,
            arm=arms[place],
            propensity=chances[place],
            policy="test",
            version=0,
            eligible=arms,
            probabilities=chances,
            context=(("daytime", daytime),),
        )
        return Call(decision=decision, signals=self.signals(slots, daytime))


def fill(folder: Path, count: int, seed: int) -> DialoguePolicy:
    """Let a policy learn from *count* calls, everything stored in *folder* as a service does.

    Each variant has as many calls as any other: so a few hundred teach something, and what they teach does not depend
    on how the bandit draws.
    """
    shipped = built_in()
    catalogue = evolve(shipped, deployment=evolve(shipped.deployment, new_share=0.5, harm_alpha=0.001))
    arms = tuple(catalogue.variants)
    rng = np.random.default_rng(seed)
    world = World(rng, PLAIN_EFFECTS)
    keys = KeyRing.open(folder / "keys.json", START)
    store = FeedbackStore.open(folder / "feedback.db", keys)
    policy = open_policy(catalogue, rng.spawn(1)[0])
    seq = 0
    for row in range(count):
        at = START + 60.0 * row
        daytime = list(DAYTIMES)[int(rng.integers(3))]
        decision = evolve(
            policy.decide({"daytime": daytime}, at=at),
            arm=arms[int(rng.integers(len(arms)))],
            propensity=1 / len(arms),
            eligible=arms,
            probabilities=(1 / len(arms),) * len(arms),
        )
        who = {"call_id": f"call-{row}", "agent": "assistant", "profile": "general", "subject": f"+4930{row % 50:07d}"}
        store.record(decision, now=at, **who)
        signals = world.signals(catalogue.slot_levels()[decision.arm], daytime)
        event = FeedbackEvent(decision_id=decision.id, ts=at, variant=decision.arm, signals=signals, **who)
        seq = store.collect(event, now=at).seq
        policy.learn(decision, signals, at=at)
    store.close()
    StateFile(folder / "policy.json").save({"policy": policy.to_dict(), "seq": seq, "override_seq": 0})
    return policy


def mean_reward(calls: Sequence[Call], arm: str) -> float:
    """Return the plain average of an arm's rewards."""
    return float(np.mean([reward(each.signals).value for each in calls if each.decision.arm == arm]))
