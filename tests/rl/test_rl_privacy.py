"""What names a person goes in at every door, and is found in no file, export, table or message."""

import re
import traceback

import pytest
from feedback_examples import NOW, decided, store_in, told

from tomrt.rl.errors import InvalidFeedback, LearningError
from tomrt.rl.feedback import Signals, read_event, to_json
from tomrt.rl.key_ring import KeyRing
from tomrt.rl.state_file import StateFile

CALLER = "+4915112345678"
PLANTED = {
    "telephone": CALLER,
    "national": "0151 1234 5678",
    "spoken": "null eins fünf eins zwei drei vier",
    "mail": "erika.mustermann@example.org",
    "iban": "DE89 3704 0044 0532 0130 00",
    "card": "4111 1111 1111 1111",
    "call": f"sip:{CALLER}@203.0.113.7",
}
TRACES = ("15112345678", "1234 5678", "fünf eins zwei", "mustermann", "0440532", "0044 0532", "1111 1111", "203.0.113")


def assert_clean(text):
    """Find no trace of what was planted, whatever stands between its digits."""
    joined = re.sub(r"(?<=\d)[ -](?=\d)", "", text)
    for trace in TRACES:
        assert trace not in text
        assert trace.replace(" ", "") not in joined


def plant(store):
    """Let everything in at every door of *store*; return the text of all that it said and gave."""
    said = []
    for number, planted in enumerate(PLANTED.values(), start=1):
        who = {"call_id": f"{PLANTED['call']}-{number}", "agent": f"Praxis {planted}"}
        decision = decided(number, context=(("daytime", planted), (planted, "x")), group=planted, policy=planted)
        store.record(decision, profile="kfz", subject=CALLER, now=NOW, **who)
        event = told(number, subject=CALLER, ts=NOW + 77.7, signals=Signals(duration_sec=93.37), **who)
        said += [repr(event), store.collect(event, now=NOW), store.collect(event, now=NOW)]
        store.override("base", "active", by=planted, why=f"{planted} hat sich beschwert, {planted}", now=NOW)
        data = to_json(event)
        for field in data:
            said.append(refused(lambda data=data, field=field: read_event(data | {field: [PLANTED["mail"]]})))
        said.append(refused(lambda planted=planted, data=data: read_event(data | {planted: 1})))
        said.append(refused(lambda planted=planted, data=data: read_event(data | {"profile": planted})))
        said.append(refused(lambda planted=planted: store.record(
            decided(9, arm=planted), call_id="c", agent="a", profile="kfz", now=NOW
        )))  # fmt: skip
        said.append(refused(lambda planted=planted: store.record(
            decided(9, id=planted), call_id="c", agent="a", profile=planted, now=NOW
        )))  # fmt: skip
    said += [store.statistics(), store.statistics().to_dict(), store.export(CALLER), *store.overrides_after(0)]
    said += [*store.after(0), *store.episodes()]
    return "\n".join(map(str, said))


def refused(act):
    """Return all that an error says when *act* fails, its causes with it; the program's own lines are left out."""
    with pytest.raises(LearningError) as caught:
        act()
    told_by, fault = [], caught.value
    while fault is not None:
        told_by += traceback.format_exception_only(fault)
        fault = fault.__cause__ or (None if fault.__suppress_context__ else fault.__context__)
    return "".join(told_by)


def test_planted_people_are_found_nowhere(tmp_path):
    """No file (database, log, keys, state), no export, no table and no error message has a trace of a caller."""
    keys = KeyRing.open(tmp_path / "keys.json", NOW)
    store = store_in(tmp_path, keys=keys)
    said = plant(store)
    state = {"replayed": [str(learnt) for learnt in store.after(0)], "seq": store.last_seq()}
    StateFile(tmp_path / "policy.json").save(state)
    files = {path.name: path.read_bytes().decode("latin-1") for path in tmp_path.iterdir()}
    assert {"feedback.db", "feedback.db-wal", "feedback.db-shm", "keys.json", "policy.json"} <= set(files)
    store.close()
    files["closed"] = (tmp_path / "feedback.db").read_bytes().decode("latin-1")
    latin = {trace.encode().decode("latin-1") for trace in TRACES}
    for content in files.values():
        assert_clean(content)
        assert not [trace for trace in latin if trace in content]
    assert_clean(said)
    assert keys.pseudonym(CALLER) in files["closed"]


def test_times_are_kept_by_the_hour(tmp_path):
    """Neither minutes nor fractions of a second are stored, so that a call cannot be found in a switch's records."""
    store = store_in(tmp_path)
    plant(store)
    times = store._rows("SELECT at FROM decisions UNION SELECT stored FROM decisions UNION SELECT at FROM feedback")
    assert times == [(NOW // 3600 * 3600,)]
    assert store._rows("SELECT DISTINCT duration_sec FROM feedback") == [(93.0,)]
    store.close()


def test_the_same_caller_cannot_be_guessed_without_the_keys(tmp_path):
    """With the database alone, trying all numbers leads nowhere: other keys give other pseudonyms."""
    store = store_in(tmp_path, keys=KeyRing.in_memory())
    plant(store)
    stored = {row[0] for row in store._rows("SELECT subject FROM decisions")}
    assert len(stored) == 1
    assert not stored & set(KeyRing.in_memory().pseudonyms(CALLER))
    store.close()


def test_only_known_columns_exist(tmp_path):
    """The tables have the columns that are allowed, and none for text of a conversation."""
    store = store_in(tmp_path)
    columns = {
        table: {row[1] for row in store._rows(f"PRAGMA table_info({table})")} for table in ("decisions", "feedback")
    }
    store.close()
    assert columns["decisions"] == {
        "seq", "id", "at", "stored", "call", "subject", "agent", "profile", "variant", "propensity", "policy",
        "version", "eligible", "probabilities", "context", "traffic", "independent",
    }  # fmt: skip
    assert columns["feedback"] == {
        "seq", "decision", "at", "resolution", "user_rating", "barge_in_count", "handover", "duration_sec", "repeats",
        "escalation", "satisfaction", "observed",
    }  # fmt: skip


def test_a_variant_that_names_somebody_is_refused():
    """An arm is a label; a telephone number or an address cannot be one."""
    for planted in PLANTED.values():
        with pytest.raises(InvalidFeedback, match="variant: is not of the form"):
            told(1, planted)
