"""One number for how a call went, from its raw signals, so that it can be computed again when the weights change."""

from __future__ import annotations

import zlib

import attrs
from attrs import field, frozen

from tomrt.rl.feedback import Signals
from tomrt.rl.table import as_html, as_text

__all__ = ["Reward", "Weights", "reward"]


def _weight(default: float, low: float = 0.0, high: float = 10.0) -> float:
    kind = attrs.validators.instance_of((int, float))
    limits = (attrs.validators.ge(low), attrs.validators.le(high))
    weight: float = field(default=default, validator=[kind, *limits])
    return weight


@frozen(kw_only=True)
class Weights:
    """What counts how much. Penalties are given as positive numbers.

    Args:
        resolution: Of a matter that was settled altogether.
        rating: Of the best rating, 5; 3 counts nothing and 1 as much against.
        barge_ins: Against as many interruptions as *most_barge_ins*, or more.
        repeats: Against as many repeats as *most_repeats*, or more.
        handover: Against a call that had to be handed over to a person.
        duration: Of a call that took *duration_target_s*; half or twice of what is off it is taken away.
        duration_target_s: The best duration, seconds.
        most_barge_ins: From here on more of them count no more.
        most_repeats: From here on more of them count no more.
        version: Names these numbers. Left empty, ``"1"`` are the defaults, and ``"1-"`` with a checksum any others.
    """

    resolution: float = _weight(0.6)
    rating: float = _weight(0.2)
    barge_ins: float = _weight(0.1)
    repeats: float = _weight(0.1)
    handover: float = _weight(0.1)
    duration: float = _weight(0.2)
    duration_target_s: float = _weight(180.0, 1.0, 86_400.0)
    most_barge_ins: int = attrs.field(default=3, validator=[attrs.validators.instance_of(int), attrs.validators.ge(1)])
    most_repeats: int = attrs.field(default=3, validator=[attrs.validators.instance_of(int), attrs.validators.ge(1)])
    version: str = attrs.field(default="", validator=attrs.validators.instance_of(str))

    def __attrs_post_init__(self) -> None:
        if not self.version:
            numbers = repr([float(number) for number in attrs.astuple(self)[:-1]])
            checksum = f"{zlib.crc32(numbers.encode()):08x}"
            object.__setattr__(self, "version", "1" if checksum == _DEFAULT_CHECKSUM else f"1-{checksum}")


_DEFAULT_CHECKSUM = "00000000"
_DEFAULT_CHECKSUM = Weights().version.removeprefix("1-")
DEFAULT_WEIGHTS = Weights()


@frozen(kw_only=True)
class Reward:
    """How a call went.

    Args:
        value: From -1 to 1.
        components: What each signal added, before the sum was clamped; 0 for one that is missing.
        missing: Signals that would have counted and were not there. Missing is not zero: what is learned from such a
            call is that much weaker, and whoever compares rewards should compare alike ones.
        version: Of the weights.
    """

    value: float
    components: tuple[tuple[str, float], ...]
    missing: tuple[str, ...] = ()
    version: str = ""

    def __str__(self) -> str:
        return as_text(_HEAD, self._rows())

    def _repr_html_(self) -> str:
        return as_html(_HEAD, self._rows())

    def _rows(self) -> list[tuple[str, ...]]:
        rows = [(name, "missing" if name in self.missing else f"{value:+.3f}") for name, value in self.components]
        return [*rows, (f"reward (weights {self.version})", f"{self.value:+.3f}")]


_HEAD = ("signal", "adds")


def reward(signals: Signals, weights: Weights = DEFAULT_WEIGHTS) -> Reward:
    """Return the reward of a call.

    With the default weights it is 0.6 resolution + 0.2 (rating - 3) / 2 - 0.1 min(barge-ins, 3) / 3
    - 0.1 min(repeats, 3) / 3 - 0.1 handover + clamp(0.2 (1 - abs(duration - 180) / 180), -0.2, 0.2), clamped to
    [-1, 1]. Signals that are missing add nothing and are listed.
    """
    parts = {
        "resolution": _resolution(signals, weights),
        "user_rating": _rating(signals, weights),
        "barge_in_count": _barge_ins(signals, weights),
        "repeats": _repeats(signals, weights),
        "handover": _handover(signals, weights),
        "duration_sec": _duration(signals, weights),
    }
    components = tuple((name, part or 0.0) for name, part in parts.items())
    return Reward(
        value=max(-1.0, min(1.0, sum(part for _, part in components))),
        components=components,
        missing=tuple(name for name, part in parts.items() if part is None),
        version=weights.version,
    )


def _resolution(signals: Signals, weights: Weights) -> float | None:
    return None if signals.resolution is None else weights.resolution * signals.resolution


def _rating(signals: Signals, weights: Weights) -> float | None:
    return None if signals.user_rating is None else weights.rating * (signals.user_rating - 3) / 2


def _barge_ins(signals: Signals, weights: Weights) -> float | None:
    count, most = signals.barge_in_count, weights.most_barge_ins
    return None if count is None else -weights.barge_ins * min(count, most) / most


def _repeats(signals: Signals, weights: Weights) -> float | None:
    count, most = signals.repeats, weights.most_repeats
    return None if count is None else -weights.repeats * min(count, most) / most


def _handover(signals: Signals, weights: Weights) -> float | None:
    return None if signals.handover is None else -weights.handover * signals.handover


def _duration(signals: Signals, weights: Weights) -> float | None:
    if signals.duration_sec is None:
        return None
    off = abs(signals.duration_sec - weights.duration_target_s) / weights.duration_target_s
    return max(-weights.duration, min(weights.duration, weights.duration * (1.0 - off)))
