"""A service that is killed at any step of its writing loses nothing that it had said was done."""

import os
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from killed_service import CALLER, learn

from tomrt.rl.key_ring import KeyRing
from tomrt.rl.state_file import StateFile
from tomrt.rl.store import FeedbackStore

SERVICE = Path(__file__).with_name("killed_service.py")
MOST_LINES = 4000
"""A start takes some 300 lines of the files that write, a call some 150."""


def run_until_killed(folder, *, step, lines):
    """Run the service, which kills itself at *step* or is killed once it has said *lines*; return what it said."""
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])}
    with subprocess.Popen(
        [sys.executable, str(SERVICE), str(folder), str(step)], stdout=subprocess.PIPE, env=environment
    ) as service:
        said = [service.stdout.readline() for _ in range(0 if step else lines)]
        if not step:
            service.kill()
        said += service.stdout.readlines()
    assert service.returncode == -signal.SIGKILL, said
    return [line.decode().split() for line in said if line.endswith(b"\n")]


def check(folder, said):
    """Everything that was said to be done is there, the state loads, and state and replay make up the whole."""
    if not (folder / "keys.json").exists():
        assert not said
        return
    file = StateFile(folder / "policy.json")
    file.lock()
    state = file.load() or {"seq": 0, "calls": 0, "ratings": 0, "repeats": 0, "month": 0}
    store = FeedbackStore.open(folder / "feedback.db", KeyRing.read(folder / "keys.json"))
    with closing(sqlite3.connect(folder / "feedback.db")) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert connection.execute("PRAGMA foreign_key_check").fetchall() == []
    replayed = list(store.after(0))
    assert [learnt.seq for learnt in replayed] == list(range(1, len(replayed) + 1))
    decisions = {call["decision"] for call in store.export(CALLER)}
    assert len(decisions) == store.statistics().decisions
    seqs = {learnt.seq: learnt.decision.id for learnt in replayed}
    for what, *rest in said:
        match what:
            case "decided":
                assert rest[0] in decisions
            case "told":
                assert seqs[int(rest[1])] == rest[0]
            case "saved":
                assert state["seq"] >= int(rest[0])
    whole = {"seq": 0, "calls": 0, "ratings": 0, "repeats": 0}
    for learnt in replayed:
        learn(whole, learnt)
    for learnt in store.after(state["seq"]):
        learn(state, learnt)
    assert whole.items() <= state.items()
    store.close()
    file.unlock()


def survive(folder, trials, seed):
    """Kill a service again and again; every fifth time it begins anew."""
    rng = np.random.default_rng(seed)
    said = []
    for trial in range(trials):
        place = folder / str(trial // 5)
        step = int(rng.integers(1, MOST_LINES)) if trial % 2 else 0
        said = (said if trial % 5 else []) + run_until_killed(place, step=step, lines=int(rng.integers(0, 40)))
        check(place, said)
    return said


def test_a_few_kills(tmp_path):
    """Ten kills, at steps of the writing and at any moment: no committed feedback is lost and the state loads."""
    assert survive(tmp_path, 10, seed=6)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(4))
def test_a_hundred_kills(tmp_path, seed):
    """A hundred kills in four parts."""
    assert survive(tmp_path, 25, seed=100 + seed)


def steps_of(act, folder):
    """Kill *act* at each line of its writing, and return how many there were."""
    script = Path(__file__).with_name("every_step.py")
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])}
    ran = subprocess.run(
        [sys.executable, str(script), str(folder), act], env=environment, capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, ran.stderr
    return int(ran.stdout)


def test_a_save_killed_at_each_of_its_steps(tmp_path):
    """After a kill at any line of saving, the state before or the new one is loaded."""
    assert steps_of("saving", tmp_path) > 20


@pytest.mark.slow
@pytest.mark.parametrize("act", ["rotating", "opening", "learning"])
def test_each_step_of_the_other_acts(tmp_path, act):
    """After a kill at any line of a key's rotation, of a first start and of a call, nothing is lost or in the way."""
    assert steps_of(act, tmp_path) > 40
