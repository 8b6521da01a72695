"""``python -m tomrt sim``."""

import json

import pytest

from tomrt.__main__ import main
from tomrt.simulation.command import Tally
from tomrt.simulation.invariant import Violation
from tomrt.simulation.result import Result, judge


def test_one_seed_is_told(capsys):
    """A seed is replayed: its scenario, a short record, its digest and the verdict."""
    assert main(["sim", "--seed", "1", "--schedules", "2"]) == 0
    told = capsys.readouterr().out
    assert told.startswith("seed 1: ")
    assert judge(1, digest=True).digest in told
    assert "CallStarted" in told
    assert "line.audio" not in told
    assert "everything held, in 2 order(s) of the tasks" in told


def test_the_whole_record(capsys):
    """--log prints every line."""
    main(["sim", "--seed", "1", "--log"])
    assert "line.audio" in capsys.readouterr().out


def test_many_seeds_as_json(capsys):
    """A range of seeds is counted, and told as one JSON line where that is asked for."""
    assert main(["sim", "--seeds", "0-3", "--json"]) in {0, 1}
    told = json.loads(capsys.readouterr().out)
    assert told["calls"] == 4
    assert told["virtual_s"] > 4
    assert "the caller cuts in" in told["situations"]


@pytest.mark.parametrize("wrong", [[], ["--seed", "x"], ["--seeds", "9-3"], ["--seed", "1", "--seeds", "1-2"]])
def test_usage(wrong, capsys):
    """What cannot be understood is refused with exit code 2."""
    with pytest.raises(SystemExit) as left:
        main(["sim", *wrong])
    assert left.value.code == 2
    assert "usage: python -m tomrt sim" in capsys.readouterr().err


def test_a_tally_fails_for_violations_and_for_rare_situations():
    """A broken invariant fails a run, and so does a situation that 1,000 calls hardly get into."""
    call = Result(seed=1, schedule=0, violations=(), met=frozenset(), faults=0, virtual_s=1.0, cpu_s=0.1)
    tally = Tally()
    tally.add(call)
    assert tally.held
    for _ in range(999):
        tally.add(call)
    assert not tally.held
    broken = Tally()
    broken.add(Result(seed=2, schedule=0, violations=(Violation(1, "one", 0.0, "two"),), met=frozenset(), faults=0,
                      virtual_s=1.0, cpu_s=0.1))  # fmt: skip
    assert not broken.held
