"""What training found: values that print as a report, and turn into JSON."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Sequence

from attrs import asdict, frozen

from tomrt.rl.off_policy import Weighing
from tomrt.rl.reward_model import TreeCheck
from tomrt.rl.slot_search import Combination, SlotSearch
from tomrt.rl.table import as_html, as_text

__all__ = ["Preference", "Resolution", "Training"]

SHOWN = 12

HEAD = ("combination", "variant", "calls", "evidence", "guess", "interval", "over base", "P better", "resolved")
EFFECTS_HEAD = ("slot", "adds", "interval", "preferred")


@frozen(kw_only=True)
class Preference:
    """How a level fares when two calls of the same profile are compared.

    Args:
        slot: The slot.
        level: One of its levels.
        log_odds: That a call with it is better than an average one, where they are not equal.
        standard_error: Of the log odds.
    """

    slot: str
    level: str
    log_odds: float
    standard_error: float

    @property
    def share(self) -> float:
        """How often it is the better one, 0.5 is neither."""
        return 1.0 / (1.0 + math.exp(-self.log_odds))


@frozen(kw_only=True)
class Resolution:
    """How likely a matter is to be settled.

    Args:
        calls: That say whether theirs was.
        by_combination: Probability, in the order of the search's combinations.
    """

    calls: int
    by_combination: tuple[float, ...]


@frozen(kw_only=True, eq=False)
class Training:
    """What training found.

    Args:
        calls: That were learned from.
        skipped: Why others were not, and how many.
        since: Of the first of them, seconds since 1970 (UTC).
        until: Of the last.
        base: The variant that others are compared with.
        weights_version: Of the reward.
        reward_mean: Over all calls.
        reward_sd: Over all calls.
        missing: Signal, and the share of calls it is missing from.
        weighed: Variant, and whether its recorded probabilities can carry an estimate.
        context: What else moves the reward and was taken out of it.
        search: What each combination is worth.
        preferences: Second opinion from pairs of calls.
        resolution: Third opinion, from whether matters were settled; ``None`` when too few calls say.
        trees: Whether the linear model is enough; ``None`` when nobody asked.
        warnings: What a reader should know before believing the rest.
    """

    calls: int
    skipped: tuple[tuple[str, int], ...]
    since: float
    until: float
    base: str
    weights_version: str
    reward_mean: float
    reward_sd: float
    missing: tuple[tuple[str, float], ...]
    weighed: tuple[tuple[str, Weighing], ...]
    context: tuple[str, ...]
    search: SlotSearch
    preferences: tuple[Preference, ...]
    resolution: Resolution | None
    trees: TreeCheck | None
    warnings: tuple[str, ...]

    def __str__(self) -> str:
        parts = [*self._facts(), "", as_text(HEAD, self._rows())]
        if len(self.search.combinations) > SHOWN:
            parts.append(f"... and {len(self.search.combinations) - len(self._shown())} more")
        parts += ["", as_text(EFFECTS_HEAD, self._effects())]
        return "\n".join(parts + [""] * bool(self.warnings) + [f"note: {each}" for each in self.warnings])

    def _repr_html_(self) -> str:
        facts = as_html(("",), [(each,) for each in (*self._facts(), *(f"note: {each}" for each in self.warnings))])
        return facts + as_html(HEAD, self._rows()) + as_html(EFFECTS_HEAD, self._effects())

    def _facts(self) -> list[str]:
        model, deviation = self.search.model, self.search.deviation
        apart = "?" if math.isnan(deviation) else f"{deviation:.3f}"
        facts = [
            f"{self.calls} calls from {_day(self.since)} to {_day(self.until)}",
            f"reward {self.reward_mean:+.3f} on average, sd {self.reward_sd:.3f}, weights {self.weights_version}",
            f"slots and context explain {model.unseen_r2:.1%} of the reward of calls that the model has not seen",
            f"combinations deviate from the sum of their slots by {apart}",
        ]
        absent = [f"{name} {share:.0%}" for name, share in self.missing if share > 0]
        return (
            facts
            + [f"left out: {count} {why}" for why, count in self.skipped]
            + [f"missing: {', '.join(absent)}"] * bool(absent)
        )

    def _shown(self) -> Sequence[int]:
        """Return the places of the best, and of everything that has a name."""
        all_places = range(len(self.search.combinations))
        return [place for place in all_places if place < SHOWN or self.search.combinations[place].variant]

    def _rows(self) -> list[tuple[str, ...]]:
        settled = self.resolution.by_combination if self.resolution else ()
        return [
            (*_row(self.search.combinations[place]), f"{settled[place]:.2f}" if settled else "-")
            for place in self._shown()
        ]

    def _effects(self) -> list[tuple[str, ...]]:
        preferred = {(each.slot, each.level): each for each in self.preferences}
        rows: list[tuple[str, ...]] = []
        for each in self.search.effects:
            pair = preferred.get((each.slot, each.level))
            share = f"{pair.share:.0%}" if pair else "-"
            rows.append((f"{each.slot} = {each.level}", f"{each.effect:+.3f}", _interval(each.low, each.high), share))
        return rows

    def to_dict(self) -> dict[str, object]:
        """Return all of it for JSON, but the model's matrices."""
        settled = self.resolution.by_combination if self.resolution else [None] * len(self.search.combinations)
        return {
            "calls": self.calls,
            "skipped": dict(self.skipped),
            "since": self.since,
            "until": self.until,
            "base": self.base,
            "weights": self.weights_version,
            "reward": {"mean": self.reward_mean, "sd": self.reward_sd},
            "missing": dict(self.missing),
            "weighing": {arm: asdict(each) for arm, each in self.weighed},
            "context": list(self.context),
            "model": {
                "unseen_r2": self.search.model.unseen_r2,
                "strength": self.search.model.strength,
                "noise_sd": self.search.model.noise_sd,
                "deviation": None if math.isnan(self.search.deviation) else self.search.deviation,
            },
            "level": self.search.level,
            "combinations": [
                asdict(each) | {"slots": dict(each.slots), "evidence": each.evidence, "resolved": resolved}
                for each, resolved in zip(self.search.combinations, settled, strict=True)
            ],
            "effects": [asdict(each) for each in self.search.effects],
            "preferences": [asdict(each) | {"share": each.share} for each in self.preferences],
            "trees": asdict(self.trees) if self.trees else None,
            "warnings": list(self.warnings),
        }


def _row(found: Combination) -> tuple[str, ...]:
    own, over = found.estimate, found.against_base
    return (
        " ".join(level for _, level in found.slots),
        found.variant or "-",
        str(found.plays),
        found.evidence,
        f"{found.value:+.3f}",
        _interval(own.low, own.high) if own else "-",
        _interval(over.low, over.high) if over else "-",
        f"{found.better_than_base:.2f}",
    )


def _interval(low: float, high: float) -> str:
    return f"[{low:+.3f}, {high:+.3f}]"


def _day(at: float) -> str:
    return dt.datetime.fromtimestamp(at, dt.UTC).strftime("%Y-%m-%d")
