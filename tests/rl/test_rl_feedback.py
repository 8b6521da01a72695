"""Feedback events: what is let in, and what is said of what is not."""

import json
import traceback

import attrs
import pytest
from feedback_examples import told
from hypothesis import given
from hypothesis import strategies as st

from tomrt.rl.errors import InvalidFeedback
from tomrt.rl.feedback import SIGNALS, FeedbackEvent, Signals, read_event, to_json

GOOD = {
    "decision_id": "0" * 31 + "1",
    "call_id": "call-1",
    "ts": 1.79e9,
    "agent": "main",
    "profile": "kfz",
    "variant": "warm_short",
    "signals": {"resolution": 1, "user_rating": 4, "handover": False, "satisfaction": None},
    "subject": "+4915112345678",
    "observed": {"user_rating": 0.5},
}


def faults_of(data, **options):
    """Return what is said of *data*."""
    with pytest.raises(InvalidFeedback) as caught:
        read_event(data, **options)
    return caught.value.faults


def test_a_good_event_is_read_and_written_again():
    """An event of JSON becomes an object, and that the same JSON."""
    event = read_event(GOOD)
    assert event.signals == Signals(resolution=1, user_rating=4, handover=False)
    assert event.observed == (("user_rating", 0.5),)
    again = json.loads(json.dumps(to_json(event)))
    assert again == GOOD | {"signals": {"resolution": 1, "user_rating": 4, "handover": False}}
    assert read_event(again) == event


def test_missing_signals_are_missing():
    """What is left out or null is ``None``, never zero."""
    event = read_event(GOOD | {"signals": {}})
    assert all(getattr(event.signals, name) is None for name in SIGNALS)
    assert event.signals.given == {}


def test_all_faults_are_told_at_once():
    """Whoever sends a bad event learns everything that is wrong with it from one answer."""
    bad = {
        "decision_id": "x",
        "ts": "now",
        "agent": "",
        "profile": "zoo",
        "variant": "+4915112345678",
        "signals": {"user_rating": 6, "repeats": 1.5, "handover": 1, "mood": 3},
        "observed": {"user_rating": 0.0, "mood": 1.0},
        "transcript": "…",
    }
    assert set(faults_of(bad)) == {
        "there is no field transcript",
        "call_id: is missing",
        "profile: must be one of kfz, it, sales, support, general",
        "there is no field signals.mood",
        "signals.user_rating: must be a whole number from 1 to 5",
        "signals.repeats: must be a whole number from 0 to 10000",
        "signals.handover: must be true or false",
        "decision_id: must have 32 to 32 characters",
        "ts: must be a number from 0 to 7258118400",
        "agent: must have 1 to 64 characters",
        "variant: is not of the form that it must have",
        "observed.user_rating: must be a number above 0 and at most 1",
        "observed: names something that is no signal",
    }


@pytest.mark.parametrize("name", ["decision_id", "call_id", "ts", "agent", "profile", "variant", "signals"])
def test_each_required_field_is_required(name):
    """An event without one of its fields says which."""
    assert faults_of({key: value for key, value in GOOD.items() if key != name}) == (f"{name}: is missing",)


@pytest.mark.parametrize("value", [None, [], "text", 3])
def test_an_event_is_an_object(value):
    """Something else of JSON is refused in one sentence."""
    assert faults_of(value) == ("the event: must be an object",)
    assert faults_of(GOOD | {"signals": value}) == ("signals: must be an object",)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("resolution", 1.01),
        ("resolution", -0.01),
        ("resolution", float("nan")),
        ("resolution", True),
        ("user_rating", 0),
        ("user_rating", True),
        ("user_rating", 10**30),
        ("user_rating", "5"),
        ("barge_in_count", -1),
        ("duration_sec", float("inf")),
        ("duration_sec", 86_401),
        ("handover", 0),
        ("escalation", "yes"),
        ("satisfaction", 2),
    ],
)
def test_signals_have_ranges(name, value):
    """A signal out of its range cannot be made, from JSON or by hand."""
    with pytest.raises(InvalidFeedback, match=f"^{name}: must be"):
        Signals(**{name: value})
    assert faults_of(GOOD | {"signals": {name: value}})[0].startswith(f"signals.{name}: must be")


def test_whole_numbers_may_be_written_with_a_point():
    """3.0 is the whole number 3 in JSON."""
    event = read_event(GOOD | {"signals": {"user_rating": 3.0, "repeats": 0.0}})
    assert event.signals == Signals(user_rating=3, repeats=0)
    assert isinstance(event.signals.user_rating, int)


def test_the_operators_profiles_count():
    """Other profiles than the built-in ones are let in where they are configured."""
    assert read_event(GOOD | {"profile": "zoo"}, profiles=("zoo",)).profile == "zoo"
    assert faults_of(GOOD, profiles=("zoo",)) == ("profile: must be one of zoo",)


PLANTED = ("+4915112345678", "max@web.de", "Erika Mustermann", "DE89370400440532013000")


@pytest.mark.parametrize("planted", PLANTED)
@pytest.mark.parametrize("name", [*GOOD, "signals.user_rating", "observed.user_rating", "a new field", "signals.new"])
def test_no_fault_quotes_what_was_said(name, planted):
    """Wherever a caller's number or name gets into an event, no message and no traceback of the error shows it."""
    data = json.loads(json.dumps(GOOD)) | {"decision_id": "wrong"}
    match name.split("."):
        case ["signals", "new"]:
            data["signals"][planted] = 1
        case [outer, inner]:
            data[outer][inner] = planted
        case ["a new field"]:
            data[planted] = 1
        case _:
            data[name] = planted
    with pytest.raises(InvalidFeedback) as caught:
        read_event(data)
    assert planted not in str(caught.value)
    assert planted not in "".join(traceback.format_exception_only(caught.value))


def test_an_event_does_not_show_its_caller():
    """The raw caller and call do not get into logs by way of printing an event."""
    shown = repr(told(subject="+4915112345678", call_id="sip:+4915112345678@example.org"))
    assert "4915112345678" not in shown
    assert "variant='base'" in shown


@pytest.mark.parametrize(
    "wrong",
    [
        {"decision_id": "0" * 31 + "\n"},
        {"decision_id": "A" * 32},
        {"variant": "base\n"},
        {"variant": "v" * 65},
        {"variant": "tel-0151-12345-6"},
        {"profile": ""},
        {"ts": -1.0},
        {"ts": True},
        {"call_id": ""},
        {"call_id": 3},
        {"subject": "x" * 257},
        {"subject": None},
        {"signals": {"user_rating": 3}},
        {"observed": {"user_rating": 1.0}},
        {"observed": (("user_rating", 1.5),)},
    ],
)
def test_an_event_made_by_hand_is_checked_too(wrong):
    """Nobody gets around the checks by not coming from JSON."""
    with pytest.raises(InvalidFeedback):
        told(**wrong)


VALUES = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.just([]) | st.just({})


@given(
    st.dictionaries(st.sampled_from(list(GOOD)) | st.text(max_size=6), VALUES, max_size=6),
    st.dictionaries(st.sampled_from(SIGNALS) | st.text(max_size=6), VALUES, max_size=6),
)
def test_anything_of_json_is_an_event_or_invalid(changes, signals):
    """Whatever comes, it is an event that can be written and read again, or InvalidFeedback with sentences."""
    data = {**GOOD, "signals": signals, **changes}
    try:
        event = read_event(data)
    except InvalidFeedback as fault:
        said = fault.faults
    else:
        said = ("it was good",)
        assert read_event(to_json(event)) == event
    assert said
    assert all(said)


def test_events_are_values():
    """An event cannot be changed after it was checked."""
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        told().profile = "+49"
    assert isinstance(told(), FeedbackEvent)
