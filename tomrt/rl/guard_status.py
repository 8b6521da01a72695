"""What the guard knows at a moment, for people and for dashboards."""

from __future__ import annotations

from attrs import asdict, frozen

from tomrt.rl.stage import Stage
from tomrt.rl.traffic_split import Group

__all__ = ["GuardStatus", "VariantStatus"]


@frozen(kw_only=True)
class VariantStatus:
    """One variant at a moment.

    Args:
        variant: Its name.
        stage: How far it has come.
        group: Of the traffic split; ``""`` where it has no calls.
        share: Of the calls, of the whole group.
        episodes: Rewards so far.
        tested: Rewards so far that the test could count.
        mean_reward: From -1 to 1; ``None`` without rewards.
        harm: Evidence that it is worse than its control; 1 is none. ``None`` where it is not tested.
        harm_threshold: At this much it is blacklisted.
        better: Evidence that it is better; ``None`` where it is not tested.
        better_threshold: At this much it counts as better; ``None`` where it is not tested.
        found_better: It has had that much once.
        calls: Ended within the technical window.
        errors: Calls of these in which there were errors; the next three alike.
        hangups: The caller hung up before anything was answered.
        slow: A reply was slow.
        severe: The call failed.
    """

    variant: str
    stage: Stage
    group: str
    share: float
    episodes: int
    tested: int
    mean_reward: float | None
    harm: float | None
    harm_threshold: float
    better: float | None
    better_threshold: float | None
    found_better: bool
    calls: int
    errors: int
    hangups: int
    slow: int
    severe: int


@frozen(kw_only=True)
class GuardStatus:
    """The guard at a moment.

    Args:
        at: When, in seconds since 1970 (UTC).
        version: Of the traffic split.
        groups: The traffic split.
        variants: All variants, in the order in which they came.
        healthy: Whether there is no trouble that the guard cannot end by taking a variant out.
        reasons: Why it is not healthy, one sentence each.
    """

    at: float
    version: int
    groups: tuple[Group, ...]
    variants: tuple[VariantStatus, ...]
    healthy: bool
    reasons: tuple[str, ...]

    def to_dict(self) -> dict[str, object]:
        """Return the same as JSON values."""
        return asdict(self, value_serializer=_plain)

    def __str__(self) -> str:
        rows = [_HEAD, *(_row(variant) for variant in self.variants)]
        widths = [max(len(row[column]) for row in rows) for column in range(len(_HEAD))]
        lines = [
            "  ".join(
                cell.ljust(width) if column in _LEFT else cell.rjust(width)
                for column, (cell, width) in enumerate(zip(row, widths, strict=True))
            ).rstrip()
            for row in rows
        ]
        health = ["healthy"] if self.healthy else [f"not healthy: {reason}" for reason in self.reasons]
        return "\n".join([*lines, *health])


def _plain(_owner: type, _field: object, value: object) -> object:
    """Return a stage by its name, everything else as it is."""
    return value.value if isinstance(value, Stage) else value


_HEAD = (
    *("variant", "stage", "group", "share", "rewards", "mean", "harm", "of", "better", "of"),
    *("calls", "errors", "hang-ups", "slow", "failed"),
)
_LEFT = {0, 1, 2}


def _row(one: VariantStatus) -> tuple[str, ...]:
    """Return the cells of a variant's line; a star marks what was found better."""
    return (
        one.variant,
        one.stage.value,
        one.group or "-",
        f"{one.share:.0%}" if one.group else "-",
        str(one.episodes),
        "-" if one.mean_reward is None else f"{one.mean_reward:+.3f}",
        _evidence(one.harm),
        _evidence(one.harm_threshold),
        _evidence(one.better) + ("*" if one.found_better else ""),
        _evidence(one.better_threshold),
        *(str(count) for count in (one.calls, one.errors, one.hangups, one.slow, one.severe)),
    )


def _evidence(value: float | None) -> str:
    return "-" if value is None else f"{value:.3g}"
