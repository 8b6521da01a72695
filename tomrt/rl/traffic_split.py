"""Which share of the calls goes to known variants, to new ones, and to those about which little is known."""

from __future__ import annotations

from collections.abc import Mapping

from attrs import frozen

from tomrt.rl.rules import DeploymentRules
from tomrt.rl.stage import Stage

__all__ = ["Group", "traffic_split"]


@frozen
class Group:
    """A share of the calls and the variants that have it between them.

    Args:
        name: ``"active"``, ``"new"`` or ``"uncertain"``.
        share: Of all calls, above 0 and at most 1.
        arms: At least one, in the order in which the variants came.
    """

    name: str
    share: float
    arms: tuple[str, ...]


def traffic_split(
    rules: DeploymentRules, stages: Mapping[str, Stage], episodes: Mapping[str, int]
) -> tuple[Group, ...]:
    """Return the groups that have calls; their shares sum to 1.

    - ``"new"`` has the canaries, with ``new_share``.
    - ``"uncertain"`` has the active variants with fewer than ``certain_episodes`` rewards, with ``uncertain_share``.
    - ``"active"`` has the base, the other active variants, and all that is left. While nothing else is known yet, that
      is the base alone: so a fresh start is careful, 85 % to 90 % of the calls are as they were without learning.

    A group without variants, or whose share is set to 0, is not there; its share is with ``"active"``.

    Args:
        rules: Shares and limits.
        stages: Of every variant, the base among them.
        episodes: Rewards of every variant so far.
    """
    new = tuple(arm for arm, stage in stages.items() if stage is Stage.CANARY)
    active = tuple(arm for arm, stage in stages.items() if stage is Stage.ACTIVE)
    uncertain = tuple(arm for arm in active if arm != rules.base and episodes[arm] < rules.certain_episodes)
    small = [("new", rules.new_share, new), ("uncertain", rules.uncertain_share, uncertain)]
    others = tuple(Group(name, share, arms) for name, share, arms in small if arms and share > 0.0)
    known = tuple(arm for arm in active if arm not in uncertain)
    return (Group("active", 1.0 - sum(group.share for group in others), known), *others)
