"""Task order by seed: the one thing that a virtual clock leaves to chance.

Trio shuffles the tasks that are ready at the same moment. Its private switch for deterministic runs (what Hypothesis'
plug-in sets, too) makes that a matter of a random source; here each call has its own, so that a call's order does not
depend on its neighbours. ``tests/simulation/test_schedule.py`` fails when the private names are gone.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from trio._core import _run as scheduler

__all__ = ["CALL", "by_seed"]

CALL: ContextVar[int] = ContextVar("CALL", default=-1)
"""The seed of the call a task belongs to."""


class _Order:
    """Stands in for Trio's random source."""

    def __init__(self, schedule: int) -> None:
        self._schedule = schedule
        self._sources: dict[int, random.Random] = {}

    def shuffle(self, batch: list[Any]) -> None:
        """Reorder the tasks of each call among themselves."""
        if len(batch) < 2:
            return
        calls: dict[int, list[Any]] = {}
        for task in batch:
            calls.setdefault(task.context.get(CALL, -1), []).append(task)
        batch.clear()
        for call, tasks in calls.items():
            if len(tasks) > 1:
                self._source(call).shuffle(tasks)
            batch += tasks

    def _source(self, call: int) -> random.Random:
        found = self._sources.get(call)
        if found is None:
            found = self._sources[call] = random.Random(f"{self._schedule}:{call}")  # noqa: S311 - repeatable on purpose
        return found


@contextmanager
def by_seed(schedule: int) -> Iterator[None]:
    """Within this, Trio runs started here order their tasks by *schedule*."""
    names: Any = scheduler
    before = names._ALLOW_DETERMINISTIC_SCHEDULING, names._r  # noqa: SLF001 - there is no public way
    names._ALLOW_DETERMINISTIC_SCHEDULING, names._r = True, _Order(schedule)  # noqa: SLF001 - there is no public way
    try:
        yield
    finally:
        names._ALLOW_DETERMINISTIC_SCHEDULING, names._r = before  # noqa: SLF001 - there is no public way
