"""Features of a call: the slots of its variant, and what was known when it began; frozen where they were fitted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from zlib import crc32

import numpy as np
from attrs import frozen
from numpy.typing import NDArray

from tomrt.rl.decision import Context
from tomrt.rl.errors import InvalidState, LearningError

__all__ = ["ContextFeatures", "SlotFeatures", "effects"]

Floats = NDArray[np.float64]

MOST_LEVELS = 12
LEAST_CALLS = 5
SCHEMA = 1


def effects(level: str, levels: Sequence[str]) -> Floats:
    """Return the effect code (L - 1,) of *level*: its own 1, or -1 everywhere for the last; zeros if it is unknown.

    So coded, the coefficients of a slot sum to zero over its levels, and the intercept is the middle of all variants.
    """
    code = np.zeros(len(levels) - 1)
    if level in levels:
        place = levels.index(level)
        code[:] = -1.0 if place == len(levels) - 1 else 0.0
        if place < len(levels) - 1:
            code[place] = 1.0
    return code


@frozen(kw_only=True)
class SlotFeatures:
    """Turns the levels of a variant's slots into numbers.

    Args:
        levels: Slot and its levels, in a fixed order. A slot of one level has no columns.
    """

    levels: tuple[tuple[str, tuple[str, ...]], ...]

    @classmethod
    def of(cls, levels: Mapping[str, Sequence[str]]) -> SlotFeatures:
        """Return the features of these slots."""
        return cls(levels=tuple((slot, tuple(each)) for slot, each in levels.items()))

    @property
    def names(self) -> tuple[str, ...]:
        """What each column is."""
        return tuple(f"{slot}={level}" for slot, each in self.levels for level in each[:-1])

    def row(self, slots: Mapping[str, str]) -> Floats:
        """Return the features (p,) of a combination.

        Raises:
            LearningError: it names a slot or level that is not known, or leaves a slot out.
        """
        known = dict(self.levels)
        faults = [f"slot {slot!r} is not known; there are {', '.join(known)}" for slot in slots if slot not in known]
        for slot, each in self.levels:
            if slots.get(slot) not in each:
                faults.append(f"slot {slot!r}: there is no level {slots.get(slot)!r} (one of {', '.join(each)})")
        if faults:
            raise LearningError(*faults)
        return np.concatenate([effects(slots[slot], each) for slot, each in self.levels] or [np.zeros(0)])

    def only(self, slot: str, level: str) -> Floats:
        """Return the features (p,) of *level* alone, every other slot at its average."""
        return np.concatenate(
            [effects(level, each) if name == slot else np.zeros(len(each) - 1) for name, each in self.levels]
        )

    def rows(self, combinations: Sequence[Mapping[str, str]]) -> Floats:
        """Return the features (n, p) of *combinations*."""
        return np.array([self.row(each) for each in combinations]).reshape(len(combinations), len(self.names))


@frozen(kw_only=True, eq=False)
class ContextFeatures:
    """Turns what was known about a call into numbers, each column with mean 0 and deviation 1 where it was fitted.

    Args:
        levels: Context name and the levels that have a column of their own.
        hashed: Names with too many levels for that; they share ``buckets`` columns by signed CRC-32 (Weinberger et al.
            2009). Python's own ``hash`` is salted, and would mean something else in each process.
        numbers: Names whose values are numbers.
        buckets: Columns of each hashed name.
        mean: (p,) Of the raw columns, frozen.
        deviation: (p,) Of the raw columns, frozen; 1 where a column never varied.
    """

    levels: tuple[tuple[str, tuple[str, ...]], ...]
    hashed: tuple[str, ...]
    numbers: tuple[str, ...]
    buckets: int
    mean: Floats
    deviation: Floats

    @classmethod
    def fit(cls, contexts: Sequence[Context], *, numbers: Sequence[str] = (), buckets: int = 16) -> ContextFeatures:
        """Return the features that *contexts* call for.

        Levels seen in fewer than 5 calls have no column: a coefficient for them would be noise, and could be a person.
        """
        counts: dict[str, Counter[str]] = {}
        for context in contexts:
            for name, level in context.items():
                if name not in numbers:
                    counts.setdefault(name, Counter())[level] += 1
        known = {name: tuple(sorted(each for each, n in of.items() if n >= LEAST_CALLS)) for name, of in counts.items()}
        blank = cls(
            levels=tuple((name, each) for name, each in sorted(known.items()) if 2 <= len(each) <= MOST_LEVELS),
            hashed=tuple(name for name, each in sorted(known.items()) if len(each) > MOST_LEVELS),
            numbers=tuple(sorted(numbers)),
            buckets=buckets,
            mean=np.zeros(0),
            deviation=np.zeros(0),
        )
        raw = np.ma.masked_invalid(blank.raw(contexts))
        mean, deviation = raw.mean(axis=0).filled(0.0), raw.std(axis=0).filled(0.0)
        deviation[deviation < 1e-12] = 1.0
        return cls(
            levels=blank.levels,
            hashed=blank.hashed,
            numbers=blank.numbers,
            buckets=buckets,
            mean=mean,
            deviation=deviation,
        )

    @property
    def names(self) -> tuple[str, ...]:
        """What each column is."""
        return (
            *(f"{name}={level}" for name, each in self.levels for level in each[:-1]),
            *(f"{name}#{bucket}" for name in self.hashed for bucket in range(self.buckets)),
            *self.numbers,
        )

    def rows(self, contexts: Sequence[Context]) -> Floats:
        """Return the features (n, p) of *contexts*; unknown levels and missing numbers are at the average."""
        raw = self.raw(contexts)
        return np.asarray(np.where(np.isnan(raw), 0.0, (raw - self.mean) / self.deviation), dtype=np.float64)

    def raw(self, contexts: Sequence[Context]) -> Floats:
        """Return the columns (n, p) as they are before they are brought to one scale; nan is what is not known."""
        return np.array([self._raw(each) for each in contexts]).reshape(len(contexts), len(self.names))

    def _raw(self, context: Context) -> Floats:
        parts = [_known(effects(context.get(name, ""), each)) for name, each in self.levels]
        parts += [_bucket(name, context, self.buckets) for name in self.hashed]
        parts.append(np.array([_number(name, context) for name in self.numbers]))
        return np.concatenate(parts)

    def collisions(self, name: str, levels: Sequence[str]) -> float:
        """Return the share of *levels* of a hashed name that share their column with another one."""
        places = Counter(crc32(f"{name}={level}".encode()) % self.buckets for level in set(levels))
        return sum(n for n in places.values() if n > 1) / max(sum(places.values()), 1)

    def to_dict(self) -> dict[str, object]:
        """Return what ``from_dict`` takes, for JSON."""
        return {
            "schema": SCHEMA,
            "levels": {name: list(each) for name, each in self.levels},
            "hashed": list(self.hashed),
            "numbers": list(self.numbers),
            "buckets": self.buckets,
            "mean": self.mean.tolist(),
            "deviation": self.deviation.tolist(),
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, object]) -> ContextFeatures:
        """Return the features that were saved.

        Raises:
            InvalidState: they are of another schema, or damaged.
        """
        if data.get("schema") != SCHEMA:
            raise InvalidState(f"features of schema {data.get('schema')!r} cannot be read; this is {SCHEMA}")
        levels, hashed, numbers = data.get("levels"), data.get("hashed"), data.get("numbers")
        mean, deviation = data.get("mean"), data.get("deviation")
        match levels, hashed, numbers, data.get("buckets"), mean, deviation:
            case dict(), list(), list(), int() as buckets, list(), list():
                made = cls(
                    levels=tuple((str(name), tuple(map(str, each))) for name, each in levels.items()),
                    hashed=tuple(map(str, hashed)),
                    numbers=tuple(map(str, numbers)),
                    buckets=buckets,
                    mean=np.array(mean, dtype=np.float64),
                    deviation=np.array(deviation, dtype=np.float64),
                )
            case _:
                raise InvalidState("the saved features are damaged: a part is missing or of another kind")
        if not len(made.names) == len(made.mean) == len(made.deviation):
            raise InvalidState(f"the saved features have {len(made.names)} columns, but scales for {len(made.mean)}")
        return made


def _known(code: Floats) -> Floats:
    return code if code.any() else np.full(len(code), np.nan)


def _bucket(name: str, context: Context, buckets: int) -> Floats:
    code = np.full(buckets, 0.0 if name in context else np.nan)
    if name in context:
        token = crc32(f"{name}={context[name]}".encode())
        code[token % buckets] = 1.0 if token & 0x80000000 else -1.0
    return code


def _number(name: str, context: Context) -> float:
    try:
        return float(context[name])
    except (KeyError, ValueError):
        return float("nan")
