"""The numbers that bandit and deployment are configured by, with their ranges."""

from __future__ import annotations

from typing import Any

import attrs
from attrs import frozen

__all__ = ["MOST_FOR_UNKNOWN", "BanditRules", "DeploymentRules"]

MOST_FOR_UNKNOWN = 0.9
"""Share of the calls that canaries and variants about which little is known may have together."""


def _between(default: float, low: float, high: float) -> Any:
    """Return the field of a number from *low* to *high*; whole numbers stay whole."""
    kinds = (int,) if isinstance(default, int) else (int, float)
    checks: list[Any] = [attrs.validators.instance_of(kinds), attrs.validators.ge(low), attrs.validators.le(high)]
    return attrs.field(default=default, validator=checks)


@frozen(kw_only=True)
class BanditRules:
    """How the bandit learns.

    Args:
        algorithm: ``"slots"`` (slot-factored linear), ``"gaussian"`` (each arm by itself) or ``"beta"``.
        draws: Posterior samples from which the probability of each arm to be the best is taken.
        floor: Least probability of every eligible arm.
        discount: Weight that what was learned keeps at each further reward; 1 forgets nothing. The effective memory is
            1 / (1 - discount) rewards.
        sticky: Whether a caller keeps the variant of the last call.
    """

    algorithm: str = attrs.field(default="slots", validator=attrs.validators.in_(("slots", "gaussian", "beta")))
    draws: int = _between(512, 32, 100_000)
    floor: float = _between(0.005, 0.0001, 0.05)
    discount: float = _between(1.0, 0.9, 1.0)
    sticky: bool = attrs.field(default=False, validator=attrs.validators.instance_of(bool))


@frozen(kw_only=True)
class DeploymentRules:
    """How variants come into traffic, and out of it.

    Args:
        base: The variant that is always eligible, and what a call uses when learning fails.
        new_share: Share of calls for canaries, all of them together.
        uncertain_share: Share of calls for active variants about which little is known, all of them together.
        probation_episodes: Rewards after which a canary that did no harm becomes active.
        certain_episodes: Rewards after which an active variant counts as known.
        harm_alpha: Probability that a variant as good as its control is ever blacklisted by the statistical test.
        better_alpha: The same for being reported as better, over all variants together.
        window_s: The technical guard looks at so many seconds.
        least_calls: With fewer calls in the window it says nothing.
        error_rate: Share of calls with errors that takes a variant out, where the others have not the same trouble.
        early_hangup_rate: The same for callers who hang up before anything was answered.
        slow_response_ms: A reply that is later than this is slow.
        slow_rate: Share of slow calls that takes a variant out.
        severe_calls: So many calls in the window that failed altogether take a variant out at once.
    """

    base: str = attrs.field(default="base", validator=attrs.validators.instance_of(str))
    new_share: float = _between(0.10, 0.0, 0.5)
    uncertain_share: float = _between(0.05, 0.0, 0.5)
    probation_episodes: int = _between(30, 1, 100_000)
    certain_episodes: int = _between(60, 1, 100_000)
    harm_alpha: float = _between(0.05, 0.0001, 0.5)
    better_alpha: float = _between(0.05, 0.0001, 0.5)
    window_s: float = _between(600.0, 1.0, 86_400.0)
    least_calls: int = _between(5, 1, 1_000)
    error_rate: float = _between(0.2, 0.0, 1.0)
    early_hangup_rate: float = _between(0.6, 0.0, 1.0)
    slow_response_ms: float = _between(3_000.0, 100.0, 60_000.0)
    slow_rate: float = _between(0.5, 0.0, 1.0)
    severe_calls: int = _between(2, 1, 1_000)
