"""A seed is a call: the same one, always and everywhere."""

import os
import random
import subprocess
import sys

import pytest
import trio
from trio._core import _run as scheduler

from tomrt.simulation.result import judge
from tomrt.simulation.scenario import draw
from tomrt.simulation.schedule import by_seed
from tomrt.simulation.world import run

SEEDS = (0, 1, 7, 42)
DIGESTS = """
import sys
from tomrt.simulation.result import judge
print(*(judge(int(seed), digest=True).digest for seed in sys.argv[1:]))
"""
AN_HOUR_LATER = """
import time
real = time.time, time.monotonic, time.perf_counter
time.time, time.monotonic, time.perf_counter = (lambda clock=clock: clock() + 3600 for clock in real)
"""


def digests_elsewhere(hash_seed: int, *, before: str = "") -> list[str]:
    """Return the digests of SEEDS in another process."""
    environment = os.environ | {"PYTHONHASHSEED": str(hash_seed), "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    command = [sys.executable, "-c", before + DIGESTS, *map(str, SEEDS)]
    return subprocess.run(command, env=environment, check=True, capture_output=True, text=True).stdout.split()


@pytest.fixture(scope="module")
def digests():
    """Run SEEDS here."""
    return [judge(seed, digest=True).digest for seed in SEEDS]


def test_same_seed_same_record(digests):
    """Run again in the same process, a seed gives the same record to the last byte."""
    assert [judge(seed, digest=True).digest for seed in SEEDS] == digests
    assert len(set(digests)) == len(SEEDS)


@pytest.mark.parametrize("hash_seed", [1, 2])
def test_same_record_in_another_process(digests, hash_seed):
    """Another process, with another order of sets, gives the same record."""
    assert digests_elsewhere(hash_seed) == digests


def test_wall_clock_means_nothing(digests):
    """With every clock of the machine an hour ahead, the record is the same: no decision looks at them."""
    assert digests_elsewhere(3, before=AN_HOUR_LATER) == digests


def test_task_order_is_a_seed_of_its_own():
    """A call under another order of its tasks is the same scenario, each order repeatable, and they do differ."""
    records = {schedule: list(run(draw(3), schedule=schedule).record.lines()) for schedule in range(6)}
    assert len({tuple(lines) for lines in records.values()}) > 1
    assert list(run(draw(3), schedule=4).record.lines()) == records[4]


def test_private_names_are_there():
    """What the deterministic order of tasks depends on in Trio exists, is used, and is put back."""
    before = scheduler._ALLOW_DETERMINISTIC_SCHEDULING, scheduler._r
    assert isinstance(before[1], random.Random)
    with by_seed(1):
        assert scheduler._ALLOW_DETERMINISTIC_SCHEDULING is True
        shuffled = scheduler._r
        assert shuffled is not before[1]
    assert (scheduler._ALLOW_DETERMINISTIC_SCHEDULING, scheduler._r) == before


def order_of_ten(schedule: int) -> list[int]:
    """Return the order in which ten tasks that wake at the same moment run."""
    order = []

    async def task(number: int) -> None:
        await trio.sleep(1)
        order.append(number)

    async def main() -> None:
        async with trio.open_nursery() as nursery:
            for number in range(10):
                nursery.start_soon(task, number)

    with by_seed(schedule):
        trio.run(main, clock=trio.testing.MockClock(autojump_threshold=0))
    return order


def test_trio_asks_the_replaced_source():
    """Trio takes its task order from the seed."""
    assert order_of_ten(1) == order_of_ten(1)
    assert len({tuple(order_of_ten(schedule)) for schedule in range(5)}) == 5
