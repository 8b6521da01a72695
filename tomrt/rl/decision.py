"""What a policy chose, with all that is needed to learn from it and to judge other policies by it later."""

from __future__ import annotations

from collections.abc import Mapping

from attrs import frozen

__all__ = ["Context", "Decision"]

Context = Mapping[str, str]
"""What was known when it was chosen: names and levels, as ``{"profile": "sales", "daytime": "morning"}``.

Levels come from short lists that the program knows. Nothing that points at a person belongs here.
"""


@frozen(kw_only=True)
class Decision:
    """One choice of an arm.

    The probability is that of the whole path (traffic split, blacklist, bandit, floor), so that inverse propensity
    weights are right (Horvitz and Thompson 1952).

    Args:
        id: Names the decision; feedback is joined to it. 32 hexadecimal digits.
        at: When, in seconds since 1970 (UTC).
        arm: What was chosen.
        propensity: The probability with which it was chosen, above 0 and at most 1.
        policy: The kind of policy.
        version: Of the policy: how many rewards it had learned.
        eligible: The arms that could have been chosen.
        probabilities: Those of ``eligible``, in the same order; they sum to 1.
        context: What was known, sorted by name.
        group: Of the traffic split: ``"active"``, ``"new"``, ``"uncertain"`` or ``"fallback"``; ``""`` without a split.
        independent: Drawn for this call alone. False where the caller keeps the arm of an earlier call: then the
            outcome says nothing that a test of randomised splits may count.
    """

    id: str
    at: float
    arm: str
    propensity: float
    policy: str
    version: int
    eligible: tuple[str, ...]
    probabilities: tuple[float, ...]
    context: tuple[tuple[str, str], ...] = ()
    group: str = ""
    independent: bool = True
