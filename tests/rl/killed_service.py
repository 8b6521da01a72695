"""A service in small that learns until it is killed, and can be told to kill itself at the n-th step of its writing.

``python killed_service.py FOLDER STEP``. Each line on its output is said after what it tells of was done.
"""

import os
import signal
import sys
from pathlib import Path

from tomrt.rl.decision import Decision
from tomrt.rl.feedback import FeedbackEvent, Signals
from tomrt.rl.key_ring import KeyRing
from tomrt.rl.state_file import StateFile
from tomrt.rl.store import FeedbackStore

NOW = 1.79e9
WRITERS = {"store.py", "store_schema.py", "store_rows.py", "state_file.py", "key_ring.py"}
CALLER = "+4915112345678"
DAY_S = 86_400.0


def killer(step):
    """Return a tracer that kills this process at the *step*-th line that is run in one of the files that write."""
    left = [step]

    def in_writer(_frame, event, _argument):
        if event == "line":
            left[0] -= 1
            if left[0] == 0:
                os.kill(os.getpid(), signal.SIGKILL)
        return in_writer

    def trace(frame, _event, _argument):
        is_writer = Path(frame.f_code.co_filename).name in WRITERS and "rl" in frame.f_code.co_filename
        return in_writer if is_writer else None

    return trace


def learn(state, learnt):
    """Do what a policy does: add what is new, take back what it replaces; in whole numbers, so that sums are exact."""
    state["seq"] = learnt.seq
    state["calls"] += learnt.before is None
    state["ratings"] += (learnt.signals.user_rating or 0) - (learnt.before.user_rating or 0 if learnt.before else 0)
    state["repeats"] += (learnt.signals.repeats or 0) - (learnt.before.repeats or 0 if learnt.before else 0)


def main(folder, step):
    """Start as a service does, then take calls for as long as it goes."""
    if step:
        sys.settrace(killer(step))
    say = os.fdopen(1, "wb", buffering=0).write
    file = StateFile(folder / "policy.json")
    file.lock()
    state = file.load() or {"seq": 0, "calls": 0, "ratings": 0, "repeats": 0, "month": 0}
    keys = KeyRing.open(folder / "keys.json", NOW + 31 * DAY_S * state["month"], keep_days=1e6)
    store = FeedbackStore.open(folder / "feedback.db", keys)
    store.number_after(state["seq"])
    for learnt in store.after(state["seq"]):
        learn(state, learnt)
    number = store.statistics().decisions
    while True:
        number += 1
        name = f"{number:032x}"
        decision = Decision(
            id=name,
            at=NOW,
            arm="base",
            propensity=1.0,
            policy="slots",
            version=state["calls"],
            eligible=("base",),
            probabilities=(1.0,),
        )
        store.record(decision, call_id=f"call-{number}", agent="main", profile="kfz", subject=CALLER, now=NOW)
        say(f"decided {name}\n".encode())
        told = {"decision_id": name, "call_id": f"call-{number}", "ts": NOW, "agent": "main", "profile": "kfz"}
        for signals in (Signals(repeats=number % 4), Signals(user_rating=1 + number % 5)):
            event = FeedbackEvent(**told, variant="base", signals=signals)
            learn(state, store.collect(event, now=NOW))
            say(f"told {name} {state['seq']}\n".encode())
        if number % 3 == 0:
            state["month"] += 1
            keys.rotate(NOW + 31 * DAY_S * state["month"])
            store.sync()
            file.save(state)
            say(f"saved {state['seq']}\n".encode())


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
