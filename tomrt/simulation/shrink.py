"""Makes a failing scenario small: takes faults and acts away for as long as it still fails in the same way."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TypeVar

from attrs import evolve

from tomrt.simulation.invariant import Violation
from tomrt.simulation.scenario import Scenario
from tomrt.simulation.world import run

__all__ = ["breaks", "shrink"]

MOST_RUNS = 300
LEAST_HEAL_AT_S = 3.0
STEP_S = 2.0

_Item = TypeVar("_Item")


def breaks(violation: Violation, *, schedule: int = 0) -> Callable[[Scenario], bool]:
    """Return a test for scenarios that break the same invariant under the same task order."""

    def fails(scenario: Scenario) -> bool:
        found = run(scenario, schedule=schedule).violations
        return any((each.number, each.name) == (violation.number, violation.name) for each in found)

    return fails


def shrink(scenario: Scenario, fails: Callable[[Scenario], bool]) -> Scenario:
    """Return the smallest scenario found, within 300 runs, of which *fails* is still true."""
    runs = 0
    while True:
        for smaller in _smaller(scenario):
            if runs >= MOST_RUNS:
                return scenario
            runs += 1
            if fails(smaller):
                scenario = smaller
                break
        else:
            return scenario


def _smaller(scenario: Scenario) -> Iterator[Scenario]:
    """Yield scenarios with less in them, the boldest first."""
    if len(scenario.faults) > 1:
        yield evolve(scenario, faults=())
    if len(scenario.acts) > 1:
        half = len(scenario.acts) // 2
        yield evolve(scenario, acts=scenario.acts[:half])
        yield evolve(scenario, acts=scenario.acts[half:])
    for index in range(len(scenario.faults)):
        yield evolve(scenario, faults=_without(scenario.faults, index))
    for index in range(len(scenario.acts)):
        yield evolve(scenario, acts=_without(scenario.acts, index))
    if scenario.heal_at - STEP_S >= LEAST_HEAL_AT_S:
        yield evolve(scenario, heal_at=round(scenario.heal_at - STEP_S, 3))


def _without(items: tuple[_Item, ...], index: int) -> tuple[_Item, ...]:
    return items[:index] + items[index + 1 :]
