"""The feedback store: joined, idempotent, merged late, in order, and gone when it should be."""

import sqlite3
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from feedback_examples import HOUR, NOW, decided, recorded, store_in, told
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tomrt.rl.errors import InvalidFeedback, StoreError
from tomrt.rl.feedback import SIGNALS, Signals
from tomrt.rl.key_ring import DAY_S, KeyRing
from tomrt.rl.store import FeedbackStore, Override


@pytest.fixture
def store(tmp_path):
    """A store in a folder of its own."""
    opened = store_in(tmp_path)
    yield opened
    opened.close()


# --- decisions and feedback ------------------------------------------------------------------------------------------


def test_a_decision_and_its_outcome_come_back(store):
    """What is learned from again is what was decided, to the last bit; only the time is rounded down to the hour."""
    recorded(store)
    found = store.collect(told(), now=NOW + 200)
    assert (found.kind, found.seq, found.before) == ("new", 1, None)
    (again,) = store.after(0)
    assert again.decision == decided(at=NOW // HOUR * HOUR)
    assert again.signals == found.signals == Signals(resolution=1.0, barge_in_count=1, duration_sec=150.0)
    (episode,) = store.episodes()
    assert (episode.decision, episode.profile, episode.agent) == (again.decision, "kfz", "main")
    assert episode.signals == found.signals


def test_a_decision_is_recorded_once(store):
    """The same decision again has the same number and changes nothing."""
    assert recorded(store) == recorded(store, agent="other") == 1
    assert recorded(store, 2) == 2
    assert store.statistics().decisions == 2


def test_the_same_feedback_again_changes_nothing(store):
    """A report that is repeated, for instance after a lost answer, is learned once."""
    recorded(store)
    first = store.collect(told(), now=NOW)
    again = store.collect(told(), now=NOW + 9)
    assert (again.kind, again.seq, again.signals) == ("duplicate", first.seq, first.signals)
    assert [learnt.seq for learnt in store.after(0)] == [1]
    figures = store.statistics()
    assert (figures.duplicates, figures.contradictions) == (1, 0)


def test_late_signals_fill_what_was_missing(store):
    """A rating that comes after the call is added, and what was known before goes with it to be taken back."""
    recorded(store)
    first = store.collect(told(), now=NOW)
    late = store.collect(told(signals=Signals(user_rating=5)), now=NOW + 60)
    assert late.kind == "merged"
    assert late.seq > first.seq
    assert late.before == first.signals
    assert late.signals == Signals(resolution=1.0, barge_in_count=1, duration_sec=150.0, user_rating=5)
    assert [(learnt.seq, learnt.before) for learnt in store.after(0)] == [(1, None), (2, first.signals)]
    assert [episode.signals for episode in store.episodes()] == [late.signals]


def test_the_first_value_stands(store):
    """A second rating that contradicts is counted, not taken; what is new beside it is."""
    recorded(store)
    store.collect(told(signals=Signals(user_rating=4)), now=NOW)
    other = store.collect(told(signals=Signals(user_rating=1)), now=NOW)
    assert (other.kind, other.signals.user_rating) == ("duplicate", 4)
    partly = store.collect(told(signals=Signals(user_rating=1, repeats=2)), now=NOW)
    assert (partly.kind, partly.signals) == ("merged", Signals(user_rating=4, repeats=2))
    figures = store.statistics()
    assert (figures.duplicates, figures.contradictions) == (1, 2)


def test_zero_and_false_are_known(store):
    """What was observed to be zero, or not so, is not filled by a later report."""
    recorded(store)
    store.collect(told(signals=Signals(barge_in_count=0, handover=False)), now=NOW)
    later = store.collect(told(signals=Signals(barge_in_count=2, handover=True)), now=NOW)
    assert later.signals == Signals(barge_in_count=0, handover=False)


def test_an_empty_report_is_feedback_too(store):
    """A call of which nothing is known is told apart from one that nobody reported."""
    recorded(store)
    recorded(store, 2)
    assert store.collect(told(signals=Signals()), now=NOW).kind == "new"
    assert store.collect(told(signals=Signals()), now=NOW).kind == "duplicate"
    assert store.statistics().feedback == 1


def test_unknown_decisions_are_counted_not_stored(store):
    """Feedback for a decision that is not there, or no more, is nothing to learn from."""
    found = store.collect(told(77), now=NOW)
    assert (found.kind, found.seq) == ("unknown", 0)
    assert list(store.after(0)) == []
    assert store.statistics().unknown == 1


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"arm": "formal"}, "variant: the decision was for another one"),
        ({"call_id": "call-2"}, "call_id: the decision was for another call"),
        ({"profile": "zoo"}, "profile: must be one of general, it, kfz, sales, support"),
    ],
)
def test_feedback_belongs_to_its_decision(store, wrong, said):
    """Feedback that names the decision of something else is refused, and nothing is stored."""
    recorded(store)
    with pytest.raises(InvalidFeedback, match=f"^{said}$"):
        store.collect(told(**wrong), now=NOW)
    assert list(store.after(0)) == []


@pytest.mark.parametrize(
    "wrong",
    [
        {"id": "call-1"},
        {"arm": "none of them"},
        {"propensity": 0.0},
        {"propensity": float("nan")},
        {"propensity": 1.5},
        {"probabilities": (1.0,)},
        {"probabilities": (0.5, float("nan"), 0.5)},
        {"eligible": ("base", "0151 123456", "formal")},
    ],
)
def test_a_decision_that_no_weight_could_use_is_refused(store, wrong):
    """A decision without a right probability would spoil every estimate later; it is told now."""
    with pytest.raises(InvalidFeedback, match="the decision's"):
        store.record(decided(**wrong), call_id="c", agent="main", profile="kfz", now=NOW)
    assert store.statistics().decisions == 0


def test_how_often_a_signal_was_asked_for_is_kept(store):
    """The probability of being asked for a rating is there for the trainer."""
    recorded(store)
    store.collect(told(observed=(("user_rating", 0.25),)), now=NOW)
    (episode,) = store.episodes()
    assert episode.observed == (("user_rating", 0.25),)


def test_a_caller_who_becomes_known_late_can_be_erased(store):
    """A subject that only the feedback names is kept as a pseudonym and found again."""
    recorded(store)
    store.collect(told(subject="+4915112345678"), now=NOW)
    assert len(store.export("0151 12345678")) == 1
    (episode,) = store.episodes()
    assert episode.caller


EVENTS = st.lists(
    st.tuples(
        st.integers(1, 3),
        st.fixed_dictionaries(
            {},
            optional={
                "user_rating": st.integers(1, 5),
                "resolution": st.sampled_from((0.0, 0.5, 1.0)),
                "handover": st.booleans(),
                "duration_sec": st.sampled_from((10.0, 20.4)),
            },
        ),
    ),
    max_size=12,
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=60)
@given(EVENTS, st.integers(0, 12))
def test_any_order_of_reports_is_joined_and_replayed(tmp_path_factory, events, snapshot):
    """Against a plain dictionary: first values stand, and a replay from any snapshot ends where the live run did."""
    opened = store_in(tmp_path_factory.mktemp("store"))
    model, live, snapshots = {}, {}, {0: {}}
    for number in (1, 2, 3):
        recorded(opened, number)
    for number, values in events:
        found = opened.collect(told(number, signals=Signals(**values)), now=NOW)
        rounded = values | ({"duration_sec": float(round(values["duration_sec"]))} if "duration_sec" in values else {})
        before = model.get(number)
        model[number] = {**rounded, **(before or {})}
        assert found.signals.given == model[number]
        assert found.kind == ("new" if before is None else "duplicate" if before == model[number] else "merged")
        if found.kind in {"new", "merged"}:
            live[f"{number:032x}"] = found.signals
            snapshots[found.seq] = dict(live)
    begin = min(snapshot, max(snapshots))
    replayed = dict(snapshots[begin])
    for learnt in opened.after(begin):
        assert replayed.get(learnt.decision.id) == learnt.before
        replayed[learnt.decision.id] = learnt.signals
    assert replayed == live
    opened.close()


# --- replay ----------------------------------------------------------------------------------------------------------


def test_numbers_rise_and_are_never_given_again(tmp_path):
    """After rows were deleted, and after a restart, new feedback still has higher numbers than a snapshot may know."""
    store = store_in(tmp_path)
    for number in (1, 2, 3):
        recorded(store, number)
        store.collect(told(number), now=NOW)
    assert store.last_seq() == 3
    assert store.clean_up(before=NOW + 2 * HOUR) == 3
    store.close()
    store = store_in(tmp_path)
    assert store.last_seq() == 3
    recorded(store, 4)
    assert store.collect(told(4), now=NOW).seq == 4
    assert [learnt.seq for learnt in store.after(3)] == [4]
    store.close()


def test_a_database_that_is_older_than_the_snapshot(store):
    """Restored from a backup, a database gives no number again that the snapshot takes for learned."""
    assert store.last_seq() == 0
    store.number_after(40)
    store.number_after(7)
    assert store.last_seq() == 40
    recorded(store)
    assert store.collect(told(), now=NOW).seq == 41


def test_replay_reads_page_by_page(store):
    """More rows than one page come in order, each once, also while new ones are written."""
    for number in range(1, 1201):
        recorded(store, number)
        store.collect(told(number), now=NOW)
    seen = []
    for learnt in store.after(5):
        seen.append(learnt.seq)
        if learnt.seq == 600:
            recorded(store, 5000)
            store.collect(told(5000), now=NOW)
    assert seen == list(range(6, 1202))
    assert sum(1 for _ in store.episodes()) == 1201


# --- overrides -------------------------------------------------------------------------------------------------------


def test_a_command_reaches_the_running_service(tmp_path, store):
    """What another process sets is noticed, read once in order, and one's own writing is no change."""
    recorded(store)
    assert not store.changed()
    command = store_in(tmp_path)
    command.override("warm_short", "blacklisted", by="Erika", why="callers complain", now=NOW)
    command.close()
    assert store.changed()
    assert not store.changed()
    (found,) = store.overrides_after(0)
    assert found == Override(
        seq=1, at=int(NOW), variant="warm_short", stage="blacklisted", by="Erika", why="callers complain"
    )
    assert list(store.overrides_after(1)) == []


# --- statistics ------------------------------------------------------------------------------------------------------


def test_statistics_by_variant_and_profile(store):
    """Each signal's mean is over the calls where it is known, and how many lack it stands beside it."""
    for number, rating in ((1, 5), (2, 3), (3, None)):
        recorded(store, number)
        store.collect(told(number, signals=Signals(user_rating=rating, repeats=1)), now=NOW)
    recorded(store, 4)
    recorded(store, 5, "formal", profile="it")
    store.collect(told(1, signals=Signals(resolution=0.5)), now=NOW)
    base, formal = store.statistics().variants
    assert (base.variant, base.profile, base.decisions, base.feedback) == ("base", "kfz", 4, 3)
    assert (base.means["user_rating"], base.missing["user_rating"]) == (4.0, 1)
    assert (base.means["repeats"], base.missing["repeats"]) == (1.0, 0)
    assert (base.means["resolution"], base.missing["resolution"]) == (0.5, 2)
    assert (formal.decisions, formal.feedback, formal.means["repeats"]) == (1, 0, None)
    shown = str(store.statistics())
    assert "4 /1" in shown
    assert shown.endswith(
        "5 decisions, 3 with feedback; 0 duplicates (0 of them contradicted), 0 for unknown decisions"
    )
    assert "<td>4 /1</td>" in store.statistics()._repr_html_()
    assert store.statistics().to_dict()["variants"][0]["means"]["user_rating"] == 4.0


# --- what callers may ask for ----------------------------------------------------------------------------------------


def test_export_tells_all_that_is_kept_of_a_caller(store):
    """A caller gets every call with its hour, what was chosen and what was observed, and nobody else's."""
    recorded(store, 1, subject="+4915112345678")
    recorded(store, 2, subject="+4915112345679")
    store.collect(told(1), now=NOW)
    store.collect(told(1, signals=Signals(user_rating=2)), now=NOW)
    (call,) = store.export("0151 1234 5678")
    assert call == {
        "hour": "2026-09-21T14:00Z",
        "agent": "main",
        "profile": "kfz",
        "variant": "base",
        "decision": f"{1:032x}",
        "policy": "slots",
        "propensity": 0.5,
        "context": {"daytime": "morning", "profile": "kfz"},
        "feedback": [
            {"hour": "2026-09-21T14:00Z", "resolution": 1.0, "barge_in_count": 1, "duration_sec": 150.0},
            {"hour": "2026-09-21T14:00Z", "resolution": 1.0, "user_rating": 2, "barge_in_count": 1}
            | {"duration_sec": 150.0},
        ],
    }
    assert store.export("") == []
    assert store.export("+4930999999") == []


def test_erase_reaches_rows_under_older_keys(tmp_path):
    """After keys were changed twice, export and erase still find the calls made under each of them."""
    store = None
    for month in range(3):
        keys = KeyRing.open(tmp_path / "keys.json", NOW + month * 31 * DAY_S)
        store = store_in(tmp_path, keys=keys)
        recorded(store, month + 1, subject="+4915112345678")
        recorded(store, month + 11, subject="+4915112345679")
        store.collect(told(month + 1), now=NOW)
        if month < 2:
            store.close()
    assert len(store.export("015112345678")) == 3
    assert store.erase("+49 151 12345678") == 3
    assert store.erase("+49 151 12345678") == 0
    assert store.export("015112345678") == []
    assert list(store.after(0)) == []
    assert store.statistics().decisions == 3
    store.close()


def test_erased_rows_leave_the_files(tmp_path):
    """What is erased is overwritten: neither the database nor its log holds the caller's pseudonym or the decision."""
    keys = KeyRing.in_memory(np.random.default_rng(1).bytes)
    store = store_in(tmp_path, keys=keys)
    for number in range(300):
        recorded(store, number, subject=f"+49151{number % 3:07d}")
        store.collect(told(number), now=NOW)
    gone = keys.pseudonym("+491510000001").encode()
    files = list(tmp_path.iterdir())
    assert any(gone in file.read_bytes() for file in files)
    assert store.erase("+491510000001") == 100
    assert not any(gone in file.read_bytes() for file in files)
    assert not any(f"{1:032x}".encode() in file.read_bytes() for file in files)
    assert store.statistics().decisions == 200
    store.close()


def test_erasing_beside_a_reader_says_what_is_left(tmp_path, store):
    """Where another process reads old pages of the log, it is said that they are still there."""
    impatient = store_in(tmp_path, patience_s=0.0)
    recorded(impatient, subject="+4915112345678")
    reader = sqlite3.connect(tmp_path / "feedback.db")
    reader.execute("BEGIN")
    reader.execute("SELECT * FROM decisions").fetchall()
    with pytest.raises(StoreError, match=r"1 calls are deleted from .* another process still reads"):
        impatient.erase("+4915112345678")
    reader.close()
    assert impatient.statistics().decisions == 0
    impatient.close()


def test_retention(store):
    """Calls older than the limit go with their feedback; those of the hour that contains it stay."""
    for number, hours in ((1, 0), (2, 1), (3, 2)):
        recorded(store, number, now=NOW // HOUR * HOUR + hours * HOUR)
        store.collect(told(number), now=NOW + hours * HOUR)
    assert store.clean_up(before=NOW // HOUR * HOUR + 1.5 * HOUR) == 1
    assert [episode.decision.id for episode in store.episodes()] == [f"{2:032x}", f"{3:032x}"]
    assert store.clean_up(before=NOW // HOUR * HOUR + 1.5 * HOUR) == 0
    assert [learnt.seq for learnt in store.after(0)] == [2, 3]


# --- beside a service ------------------------------------------------------------------------------------------------


def test_who_only_looks_changes_nothing(tmp_path, store):
    """A read-only store sees what the service commits, can export, and cannot write."""
    keys = KeyRing.in_memory(np.random.default_rng(1).bytes)
    looking = FeedbackStore.read_only(tmp_path / "feedback.db", keys, patience_s=0.0)
    recorded(store, subject="+4915112345678")
    store.collect(told(), now=NOW)
    assert looking.changed()
    assert looking.statistics().feedback == 1
    assert len(looking.export("015112345678")) == 1
    with pytest.raises(StoreError, match="cannot be written: it is read-only"):
        looking.override("base", "active", by="x", why="y", now=NOW)
    looking.close()
    without = FeedbackStore.read_only(tmp_path / "feedback.db")
    with pytest.raises(StoreError, match="was opened without keys"):
        without.export("015112345678")
    without.close()


def test_threads_may_take_turns(store):
    """A pool's threads, one after the other, use one store."""
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(recorded, store, 1).result()
        second = pool.submit(store.collect, told(), now=NOW).result()
    assert (first, second.kind, store.last_seq()) == (1, "new", 1)


def test_all_signals_come_back_with_their_types(store):
    """Flags are flags and counts are counts after they went through the database."""
    full = Signals(
        resolution=0.25,
        user_rating=2,
        barge_in_count=3,
        handover=True,
        duration_sec=61.0,
        repeats=0,
        escalation=False,
        satisfaction=0.75,
    )
    recorded(store)
    store.collect(told(signals=full), now=NOW)
    (learnt,) = store.after(0)
    assert learnt.signals == full
    assert [type(getattr(learnt.signals, name)) for name in SIGNALS] == [type(getattr(full, name)) for name in SIGNALS]
