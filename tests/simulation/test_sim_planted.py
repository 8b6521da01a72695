"""The simulation finds bugs: each of these was planted on purpose, and breaks the invariant that it is there for."""

import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import tomrt
from tomrt.simulation import world  # noqa: F401 - registers the invariants
from tomrt.simulation.invariant import INVARIANTS

PACKAGE = Path(tomrt.__file__).parent
BUGS = tomllib.loads((Path(__file__).parent / "planted_bugs.toml").read_text())["bug"]
HANDFUL = [bug for bug in BUGS if bug.get("always")]
SEEDS = 1_000
LIMIT_S = 400
HUNT = """
import sys
from tomrt.simulation.result import judge

for seed in range(int(sys.argv[2])):
    for violation in judge(seed).violations:
        if violation.number == int(sys.argv[1]):
            print(seed + 1, violation)
            sys.exit()
"""


def plant(bug: dict, into: Path) -> None:
    """Copy the package and put the bug into the copy."""
    shutil.copytree(PACKAGE, into / "tomrt", ignore=shutil.ignore_patterns("__pycache__", "*.pyx", "*.c", "*.html"))
    path = into / "tomrt" / bug["file"]
    text = path.read_text(encoding="utf-8")
    assert text.count(bug["old"]) == 1, (
        f"{bug['name']}: its text stands {text.count(bug['old'])} times in {bug['file']}"
    )
    path.write_text(text.replace(bug["old"], bug["new"]), encoding="utf-8")


def seeds_needed(bug: dict, folder: Path) -> int:
    """Return how many seeds it takes until the invariant is broken."""
    plant(bug, folder)
    command = [sys.executable, "-c", HUNT, str(bug["invariant"]), str(SEEDS)]
    environment = os.environ | {"PYTHONPATH": str(folder)}
    hunt = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=LIMIT_S, check=False
    )
    assert hunt.returncode == 0, hunt.stderr[-2_000:]
    assert hunt.stdout, f"{bug['name']}: not found within {SEEDS} seeds"
    print(f"{bug['name']}: {hunt.stdout}")
    return int(hunt.stdout.split()[0])


@pytest.mark.parametrize("bug", HANDFUL, ids=lambda bug: bug["name"])
def test_a_handful_of_planted_bugs(bug, tmp_path):
    """These few planted bugs are found within a hundred seeds."""
    assert seeds_needed(bug, tmp_path) <= 100


@pytest.mark.planted
@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug["name"])
def test_every_planted_bug(bug, tmp_path, record_property):
    """Every planted bug breaks its invariant within 1,000 seeds."""
    record_property("seeds", seeds_needed(bug, tmp_path))


def test_each_bug_still_stands_in_the_code():
    """The text that each planted bug replaces stands exactly once in the package: the bugs age with the code."""
    stale = []
    for bug in BUGS:
        count = (PACKAGE / bug["file"]).read_text(encoding="utf-8").count(bug["old"])
        if count != 1 or bug["old"] == bug["new"]:
            stale.append(f"{bug['name']}: {count} times in {bug['file']}")
    assert stale == []


def test_there_are_enough_of_them():
    """There are at least thirty, with names of their own, and every invariant has one."""
    assert len(BUGS) >= 30
    assert len({bug["name"] for bug in BUGS}) == len(BUGS)
    assert {each.number for each in INVARIANTS} <= {bug["invariant"] for bug in BUGS}
