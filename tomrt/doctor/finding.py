"""What one check found: the verdict, what was seen, why it matters, and what to do about it."""

from __future__ import annotations

from enum import Enum

from attrs import field, frozen

__all__ = ["Finding", "Verdict", "failed", "passed", "skipped", "warned"]


class Verdict(Enum):
    """How a check ended."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"
    SKIPPED = "skipped"


@frozen(kw_only=True)
class Finding:
    """What one check found.

    Args:
        id: The check's name for machines, as ``password.default``; it does not change.
        title: What was checked, in a few words.
        verdict: How it ended.
        seen: What was seen, in a sentence or less.
        why: Why it matters; ``""`` where all is well.
        do: The line to change or the command to run; ``""`` where there is nothing to do.
        figures: What was measured, by name with unit.
    """

    id: str
    title: str
    verdict: Verdict
    seen: str
    why: str = ""
    do: str = ""
    figures: dict[str, float] = field(factory=dict)


def passed(check: tuple[str, str], seen: str, **figures: float) -> Finding:
    """Return that a *check* (id and title) found nothing wrong."""
    return Finding(id=check[0], title=check[1], verdict=Verdict.OK, seen=seen, figures=figures)


def warned(check: tuple[str, str], seen: str, *, why: str, do: str, **figures: float) -> Finding:
    """Return what works, but should not stay so."""
    return Finding(id=check[0], title=check[1], verdict=Verdict.WARN, seen=seen, why=why, do=do, figures=figures)


def failed(check: tuple[str, str], seen: str, *, why: str, do: str, **figures: float) -> Finding:
    """Return what keeps calls from working, or is dangerous."""
    return Finding(id=check[0], title=check[1], verdict=Verdict.FAIL, seen=seen, why=why, do=do, figures=figures)


def skipped(check: tuple[str, str], because: str) -> Finding:
    """Return that there was no way to check, and why."""
    return Finding(id=check[0], title=check[1], verdict=Verdict.SKIPPED, seen=because)
