"""Combinations that training proposes, and the file by which they come to the guard: always in shadow."""

from __future__ import annotations

import hashlib
import json
import os
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path

from attrs import frozen

from tomrt.rl.catalogue import Catalogue, Variant
from tomrt.rl.errors import InvalidVariants, StoreError
from tomrt.rl.training_report import Training

__all__ = ["Candidate", "candidate_name", "export", "propose"]

LEAST_PROBABILITY = 0.8
HEAD = """\
# Combinations of slots that training proposes. All begin in stage shadow: nobody hears them until a person says
#     python -m tomrt rl stage NAME canary --why "..."
# What stands beside them is what the model expects; no call has shown it yet.
"""


@frozen(kw_only=True)
class Candidate:
    """A combination that nobody has heard yet, and why it may be worth it.

    Args:
        name: Made of the combination, so that the same one can never come back under another name.
        slots: Slot and level.
        value: Expected reward, by the model alone.
        standard_error: Of it.
        better_than_base: Probability that it earns more than the base, as far as the model goes.
        gain: Expected reward above that of the best variant that has been played.
    """

    name: str
    slots: tuple[tuple[str, str], ...]
    value: float
    standard_error: float
    better_than_base: float
    gain: float

    def __str__(self) -> str:
        levels = ", ".join(f"{slot} {level}" for slot, level in self.slots)
        expected = (
            f"expected reward {self.value:+.3f}, se {self.standard_error:.3f}, {self.gain:+.3f} over the best played"
        )
        return f"{self.name} ({levels}): {expected}; better than the base with {self.better_than_base:.0%}; model only"


def candidate_name(slots: Mapping[str, str]) -> str:
    """Return ``trained-`` and eight hexadecimal digits of a hash of the combination, whatever the order of slots."""
    content = json.dumps(sorted(slots.items()), ensure_ascii=False)
    return f"trained-{hashlib.sha256(content.encode()).hexdigest()[:8]}"


def propose(training: Training, *, most: int = 1) -> tuple[Candidate, ...]:
    """Return the unplayed combinations that are worth a try, the best guess first.

    One is worth it when it is expected to earn more than the best variant that was played, and more than the base with
    a probability of at least 80 %.

    Args:
        training: What is known.
        most: At most so many.
    """
    best = training.search.best_played
    least = best.value if best is not None else -1.0
    worth = (
        each for each in training.search.unplayed if each.value > least and each.better_than_base >= LEAST_PROBABILITY
    )
    return tuple(
        Candidate(
            name=candidate_name(dict(each.slots)),
            slots=each.slots,
            value=each.value,
            standard_error=each.standard_error,
            better_than_base=each.better_than_base,
            gain=each.value - least,
        )
        for each, _ in zip(worth, range(most), strict=False)
    )


def export(path: Path, candidates: Sequence[Candidate], catalogue: Catalogue, *, note: str = "") -> tuple[str, ...]:
    """Add *candidates* to the file at *path*, which ``variants.load`` reads beside the variants; what is there stays.

    Args:
        path: Made where there is none, readable by its owner only; replaced as a whole.
        candidates: Those that are there already are left as they are.
        catalogue: The variants that they come beside, those of the file among them.
        note: What they rest on, one line.

    Returns:
        The names that were added.

    Raises:
        InvalidVariants: a candidate does not fit the catalogue, or the file is no TOML.
        StoreError: the file cannot be read or written.
    """
    before = _before(path)
    blocks, added = [before or HEAD], []
    for each in candidates:
        if each.name in _names(before, path) or each.name in catalogue.variants:
            continue
        catalogue = catalogue.with_variant(Variant(name=each.name, slots=each.slots, stage="shadow"))
        comments = [line for line in (note, f"expected reward {each.value:+.3f}, se {each.standard_error:.3f}") if line]
        said = "".join(f"# {line}\n" for line in comments)
        blocks.append(f"\n{said}{catalogue.to_toml(each.name)}")
        added.append(each.name)
    if added:
        _replace(path, "".join(blocks))
    return tuple(added)


def _before(path: Path) -> str:
    try:
        return path.read_text("utf-8") if path.exists() else ""
    except (OSError, UnicodeDecodeError) as error:
        raise StoreError(f"{path}: cannot be read: {error}") from None


def _names(text: str, path: Path) -> frozenset[str]:
    try:
        variants = tomllib.loads(text).get("variants", {})
    except tomllib.TOMLDecodeError as error:
        raise InvalidVariants(f"{path}: is no TOML: {error}") from None
    return frozenset(variants)


def _replace(path: Path, text: str) -> None:
    partial = path.with_name(path.name + ".tmp")
    try:
        handle = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with open(handle, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(handle)
        partial.replace(path)
    except OSError as error:
        raise StoreError(f"{path}: cannot be written: {error.strerror}") from None
