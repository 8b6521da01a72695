"""The reward: the formula, its limits, and what is missing."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tomrt.rl.feedback import Signals
from tomrt.rl.reward import Weights, reward

SHARES = st.none() | st.floats(0, 1)
TIMES = st.none() | st.integers(0, 50)
FLAGS = st.none() | st.booleans()
SIGNALS = st.builds(
    Signals,
    resolution=SHARES,
    user_rating=st.none() | st.integers(1, 5),
    barge_in_count=TIMES,
    handover=FLAGS,
    duration_sec=st.none() | st.floats(0, 86_400),
    repeats=TIMES,
    escalation=FLAGS,
    satisfaction=SHARES,
)


def test_the_formula():
    """The reward is the sum that is written down, with each part shown."""
    told = Signals(resolution=0.5, user_rating=4, barge_in_count=2, repeats=5, handover=True, duration_sec=90.0)
    found = reward(told)
    parts = dict(found.components)
    assert parts["resolution"] == pytest.approx(0.3)
    assert parts["user_rating"] == pytest.approx(0.1)
    assert parts["barge_in_count"] == pytest.approx(-0.1 * 2 / 3)
    assert parts["repeats"] == pytest.approx(-0.1)
    assert parts["handover"] == pytest.approx(-0.1)
    assert parts["duration_sec"] == pytest.approx(0.1)
    assert found.value == pytest.approx(0.3 + 0.1 - 0.2 / 3 - 0.1 - 0.1 + 0.1)
    assert found.missing == ()
    assert found.version == "1"


@pytest.mark.parametrize(
    ("duration", "adds"), [(180.0, 0.2), (0.0, 0.0), (360.0, 0.0), (450.0, -0.1), (540.0, -0.2), (9_000.0, -0.2)]
)
def test_duration_is_clamped(duration, adds):
    """The best duration is worth 0.2, and a long one never costs more than that."""
    assert reward(Signals(duration_sec=duration)).value == pytest.approx(adds)


def test_the_best_and_the_worst_call():
    """The best call has 1, the worst that the formula knows has -0.7."""
    best = Signals(resolution=1.0, user_rating=5, barge_in_count=0, repeats=0, handover=False, duration_sec=180.0)
    worst = Signals(resolution=0.0, user_rating=1, barge_in_count=9, repeats=9, handover=True, duration_sec=999.0)
    assert reward(best).value == pytest.approx(1.0)
    assert reward(worst).value == pytest.approx(-0.7)


def test_missing_is_not_zero():
    """A missing rating adds nothing and is listed; a rating of 1 costs."""
    missing, bad = reward(Signals(resolution=1.0)), reward(Signals(resolution=1.0, user_rating=1))
    assert missing.value == pytest.approx(0.6)
    assert missing.missing == ("user_rating", "barge_in_count", "repeats", "handover", "duration_sec")
    assert bad.value == pytest.approx(0.4)
    assert "user_rating" not in bad.missing
    assert reward(Signals()).value == 0.0


@given(SIGNALS)
def test_any_call_has_a_reward_within_limits(signals):
    """Whatever was observed, the reward lies in [-1, 1], is the sum of its parts, and lists exactly what is missing."""
    found = reward(signals)
    assert -1.0 <= found.value <= 1.0
    assert found.value == pytest.approx(max(-1.0, min(1.0, sum(value for _, value in found.components))))
    assert set(found.missing) == {name for name, _ in found.components if getattr(signals, name) is None}
    assert reward(signals) == found


@given(SIGNALS)
def test_heavy_weights_are_clamped(signals):
    """Weights that an operator sets too high still give a reward that a policy may learn."""
    assert -1.0 <= reward(signals, Weights(resolution=10.0, duration=10.0, handover=10.0)).value <= 1.0


def test_versions_name_the_numbers():
    """The defaults are version 1, other numbers have another version of their own, and a given one stands."""
    assert Weights().version == "1"
    other = Weights(rating=0.3)
    assert other.version.startswith("1-")
    assert other.version == Weights(rating=0.3).version != Weights(rating=0.4).version
    assert Weights(rating=0.3, version="2").version == "2"
    assert Weights(resolution=0.6).version == "1"


@pytest.mark.parametrize("wrong", [{"resolution": -1.0}, {"duration_target_s": 0.0}, {"most_repeats": 0}])
def test_weights_have_ranges(wrong):
    """A weight out of its range is refused."""
    with pytest.raises(ValueError, match="must be"):
        Weights(**wrong)


def test_a_reward_prints_as_a_table():
    """People see each part, what is missing, and the version; a notebook gets the same as HTML."""
    shown = str(reward(Signals(resolution=1.0, duration_sec=180.0)))
    lines = [line.split() for line in shown.splitlines()]
    assert lines[1] == ["resolution", "+0.600"]
    assert lines[2] == ["user_rating", "missing"]
    assert lines[-1] == ["reward", "(weights", "1)", "+0.800"]
    assert "<td>+0.600</td>" in reward(Signals(resolution=1.0))._repr_html_()
