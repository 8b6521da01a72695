"""Decisions and events that the tests of the feedback store share."""

import numpy as np

from tomrt.rl.decision import Decision
from tomrt.rl.feedback import FeedbackEvent, Signals
from tomrt.rl.key_ring import KeyRing
from tomrt.rl.store import FeedbackStore

HOUR = 3600
NOW = 1_790_000_000.0 // HOUR * HOUR + 1234.5
ARMS = ("base", "warm_short", "formal")
CHANCES = (0.5, 0.3, 0.2)


def decided(number=1, arm="base", at=NOW, **changes):
    """Return the decision with that *number*."""
    fields = {
        "id": f"{number:032x}",
        "at": at,
        "arm": arm,
        "propensity": CHANCES[ARMS.index(arm)] if arm in ARMS else 0.5,
        "policy": "slots",
        "version": 7,
        "eligible": ARMS,
        "probabilities": CHANCES,
        "context": (("daytime", "morning"), ("profile", "kfz")),
        "group": "active",
    }
    return Decision(**fields | changes)


def told(number=1, arm="base", *, signals=None, **changes):
    """Return an event for the decision with that *number*."""
    fields = {
        "decision_id": f"{number:032x}",
        "call_id": f"call-{number}",
        "ts": NOW + 200.0,
        "agent": "main",
        "profile": "kfz",
        "variant": arm,
        "signals": signals or Signals(resolution=1.0, barge_in_count=1, duration_sec=150.0),
    }
    return FeedbackEvent(**fields | changes)


def recorded(store, number=1, arm="base", *, now=NOW, subject="", **changes):
    """Record the decision with that *number*, and return its number in the store."""
    who = {"call_id": f"call-{number}", "agent": "main", "profile": "kfz", "subject": subject}
    return store.record(decided(number, arm, at=now), now=now, **who | changes)


def store_in(folder, *, keys=None, **options):
    """Return an open store in *folder*."""
    return FeedbackStore.open(
        folder / "feedback.db", keys or KeyRing.in_memory(np.random.default_rng(1).bytes), **options
    )
