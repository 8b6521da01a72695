"""Kills a process at each line of what writes, one after the other, and looks each time at what is left.

``python every_step.py FOLDER ACT`` prints how many steps that act has; an assertion that fails ends it.
"""

import os
import sys
from pathlib import Path

from feedback_examples import NOW, recorded, store_in, told
from killed_service import killer

from tomrt.rl.errors import InvalidState
from tomrt.rl.key_ring import DAY_S, KeyRing
from tomrt.rl.state_file import StateFile


def killed_at_each_step(act, check):
    """Do *act* in a child that is killed at line 1, 2, 3 and so on until it gets through; *check* what each leaves."""
    step = 0
    while True:
        step += 1
        child = os.fork()
        if not child:
            sys.settrace(killer(step))
            act(step)
            os._exit(0)
        status = os.waitpid(child, 0)[1]
        check(step)
        if not status:
            return step
        assert os.WIFSIGNALED(status), f"step {step}: the child failed by itself"


def saving(folder):
    """A save that is cut short leaves the state before it or the new one, never none and never a part."""
    path = folder / "policy.json"
    for seq in (-3, -2, -1, 0):
        StateFile(path).save({"seq": seq, "filler": "x" * 5000})
    newest = [0]

    def check(step):
        found = StateFile(path).load()
        assert found["seq"] in {newest[0], step}, f"step {step}: {found['seq']}"
        assert len(found["filler"]) == 5000
        newest[0] = found["seq"]

    return killed_at_each_step(lambda step: StateFile(path).save({"seq": step, "filler": "y" * 5000}), check)


def rotating(folder):
    """A rotation that is cut short loses no key, and is done at the next try."""

    def act(step):
        path = folder / f"{step}.json"
        KeyRing.open(path, NOW + 31 * DAY_S)

    def check(step):
        path = folder / f"{step}.json"
        kept = set(KeyRing.read(path).pseudonyms("+4930123456")) if path.exists() else set()
        again = KeyRing.open(path, NOW + 31 * DAY_S).pseudonyms("+4930123456")
        assert kept <= set(again), f"step {step}"
        first = KeyRing.open(folder / f"{step + 1}.json", NOW).pseudonym("+4930123456")  # the next step's file
        assert KeyRing.read(folder / f"{step + 1}.json").pseudonyms("+4930123456") == (first,)
        if step > 1:
            assert len(again) == 2, f"step {step}: a key was lost"

    return killed_at_each_step(act, check)


def opening(folder):
    """A first start that is cut short can be done again."""

    def act(step):
        place = folder / str(step)
        KeyRing.open(place / "keys.json", NOW)
        store_in(place)

    def check(step):
        place = folder / str(step)
        try:
            KeyRing.open(place / "keys.json", NOW)
        except InvalidState as fault:
            raise AssertionError(f"step {step}") from fault
        store = store_in(place)
        assert store.statistics().decisions == 0
        recorded(store)
        store.close()

    return killed_at_each_step(act, check)


def learning(folder):
    """A call that is cut short is there with its feedback, without it, or not at all."""

    def act(step):
        store = store_in(folder)
        recorded(store, step)
        store.collect(told(step), now=NOW)
        store.sync()
        store.close()

    def check(step):
        store = store_in(folder)
        assert store._rows("PRAGMA integrity_check") == [("ok",)]
        kept = [learnt.decision.id for learnt in store.after(0)]
        assert len(kept) == len(set(kept)) == store.last_seq()
        assert len(kept) <= store.statistics().decisions <= step
        store.close()

    return killed_at_each_step(act, check)


if __name__ == "__main__":
    part = {act.__name__: act for act in (saving, rotating, opening, learning)}[sys.argv[2]]
    print(part(Path(sys.argv[1])))
