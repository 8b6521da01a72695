"""What a simulated call teaches: the product's own learning, with nothing behind it that would be written to a disk."""

from __future__ import annotations

from functools import cache

import numpy as np
from attrs import define, frozen

from tomrt.happenings import Happening
from tomrt.learning.opening import styles_of
from tomrt.learning.router import Router
from tomrt.rl.dialogue_policy import open_policy
from tomrt.rl.variants import Catalogue, built_in
from tomrt.simulation.record import Record

__all__ = ["CALLER", "Teaching"]

CALLER = "+4930901820"
"""Who calls: a number that may stand nowhere (one of those kept free for films)."""


@cache
def _catalogue() -> Catalogue:
    return built_in()


@frozen
class _Told:
    """Takes down what learning tells; it is no happening of the call's own."""

    record: Record

    def put(self, happening: Happening) -> None:
        self.record.note(f"learning.{type(happening).__name__}")


@define(eq=False)
class Teaching:
    """A tap that is the record of the call, and what learns from it.

    Args:
        record: Takes down each happening first.
        router: Chooses and observes.
    """

    record: Record
    router: Router

    @classmethod
    def of(cls, record: Record, seed: int) -> Teaching:
        """Return one that knows nothing yet; its choice is drawn from *seed*."""
        catalogue = _catalogue()
        router = Router(
            policy=open_policy(catalogue, np.random.default_rng(seed)),
            styles=styles_of(catalogue, "en"),
            tap=_Told(record),
            agent="simulated",
            profile="general",
            explore=True,
            clock=lambda: 0.0,
        )
        return cls(record, router)

    def put(self, happening: Happening) -> None:
        """Take down *happening*, and learn from it."""
        self.record.put(happening)
        self.router.put(happening)
