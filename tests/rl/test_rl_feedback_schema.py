"""The JSON Schema says the same as the code that reads events."""

import json
import math

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tomrt.rl.errors import InvalidFeedback
from tomrt.rl.feedback import SIGNALS, read_event
from tomrt.rl.schema import feedback_schema

GOOD = {
    "decision_id": "0123456789abcdef" * 2,
    "call_id": "call-1",
    "ts": 1.79e9,
    "agent": "main",
    "profile": "kfz",
    "variant": "warm_short",
    "signals": {"resolution": 1, "user_rating": 4.0, "handover": False, "satisfaction": None},
}


@pytest.fixture(scope="module")
def validator():
    """A validator that others wrote."""
    jsonschema = pytest.importorskip("jsonschema", reason="the peer that knows JSON Schema")
    jsonschema.Draft202012Validator.check_schema(feedback_schema())
    return jsonschema.Draft202012Validator(feedback_schema())


def test_the_schema_is_one_and_lets_nothing_else_in(validator):
    """The schema is a valid one of 2020-12; unknown fields are refused, and every field says what it is."""
    schema = feedback_schema(("zoo", "kfz"))
    assert schema["properties"]["profile"]["enum"] == ["zoo", "kfz"]
    assert schema["additionalProperties"] is False
    assert schema["properties"]["signals"]["additionalProperties"] is False
    assert list(schema["properties"]["signals"]["properties"]) == list(SIGNALS)
    assert schema["required"] == ["decision_id", "call_id", "ts", "agent", "profile", "variant", "signals"]
    assert all(part.get("description") for part in schema["properties"].values())
    assert json.loads(json.dumps(schema, allow_nan=False)) == schema


def is_read(data):
    """Return whether the code lets *data* in."""
    try:
        read_event(data)
    except InvalidFeedback:
        return False
    return True


NUMBERS = st.floats(allow_nan=False, allow_infinity=False) | st.floats(-2, 12) | st.sampled_from((0, 1, 5, 6, 10_000))
VALUES = st.none() | st.booleans() | st.integers(-3, 10**5) | NUMBERS | st.text(max_size=70) | st.just([]) | st.just({})
LABELS = st.from_regex(r"\A[A-Za-z0-9_.-]{0,66}\Z")


@given(
    st.dictionaries(st.sampled_from([*GOOD, "subject", "observed", "more"]), VALUES | LABELS, max_size=3),
    st.dictionaries(st.sampled_from([*SIGNALS, "more"]), VALUES, max_size=4),
    st.dictionaries(st.sampled_from([*SIGNALS, "more"]), NUMBERS | VALUES, max_size=3),
    st.sets(st.sampled_from(list(GOOD)), max_size=1),
)
@example({}, {}, {}, set())
@example({"variant": "a1b2c3d4e5f6g7h8i9"}, {}, {}, set())
def test_schema_and_code_agree(validator, changes, signals, observed, left_out):
    """An event is read exactly where the schema, judged by another program, lets it in."""
    data = {**GOOD, "signals": signals, "observed": observed, **changes}
    data = {name: value for name, value in data.items() if name not in left_out}
    if any(isinstance(text, str) and text.endswith("\n") for text in data.values()):
        return  # in Python's regular expressions $ also stands before a last line feed
    assert not any(isinstance(number, float) and not math.isfinite(number) for number in data.values())
    assert is_read(data) == validator.is_valid(data)
