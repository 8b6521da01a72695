"""Frames without numbers: heard at once, on a line that keeps the clock's time."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tomrt.audio.timeline import BEHIND_S, MOST_MADE_UP, Timeline

FRAME_S = 0.020


def tone(index):
    """Return frame *index* of a steady tone."""
    at = np.arange(160 * index, 160 * (index + 1))
    return (8000 * np.sin(2 * np.pi * 400 / 8000 * at)).astype("<i2").tobytes()


def loudness(frame):
    return float(np.abs(np.frombuffer(frame, "<i2").astype(float)).mean())


def test_every_frame_is_heard_the_moment_it_comes():
    """In step or out of it by up to 60 ms: each frame is given on at once and unchanged."""
    line = Timeline(8000)
    for index, late_ms in enumerate([0, 3, 0, 59, 40, 20, 1, 30, 11, 0] * 5):
        assert line.push(tone(index), 1.0 + index * FRAME_S + late_ms / 1000) == [tone(index)]
    assert (line.made_up, line.dropped) == (0, 0)


@pytest.mark.parametrize("missing", [4, 7])
def test_what_is_missing_is_made_up(missing):
    """A gap becomes sound, and the time after it is the clock's again."""
    line = Timeline(8000)
    heard = []
    for index in [*range(20), *range(20 + missing, 40)]:
        heard += line.push(tone(index), index * FRAME_S)
    assert line.made_up >= missing - 3
    assert 40 - len(heard) <= 3
    assert all(loudness(frame) > 500 for frame in heard[20 : 20 + line.made_up][:2])


def test_time_goes_on_while_nothing_comes():
    """Silence of the sender is made up for half a second, fading; then the line waits, and begins anew."""
    line = Timeline(8000)
    line.push(tone(0), 0.0)
    assert line.due == pytest.approx(0.08)
    heard, now = [], 0.0
    while line.due < 10.0:
        now = line.due
        heard += line.wait(now)
    assert len(heard) == MOST_MADE_UP
    assert loudness(heard[-1]) < 1.0
    assert now == pytest.approx(0.08 + (MOST_MADE_UP - 1) * FRAME_S)
    assert len(line.push(tone(9), 30.0)) == 1


def test_what_was_only_late_is_dropped_where_its_place_was_taken():
    """Frames held up for 200 ms and then all there: the line is never more than 60 ms ahead of the clock."""
    line = Timeline(8000)
    line.push(tone(0), 0.0)
    while line.due <= 0.2:
        line.wait(line.due)
    heard = [frame for index in range(1, 11) for frame in line.push(tone(index), 0.2)]
    assert line.made_up == 7
    assert line.dropped == 10 - len(heard) == 5


@given(st.lists(st.tuples(st.floats(0.0, 0.3), st.booleans()), max_size=120), st.sampled_from([8000, 16000]))
def test_the_lines_time_is_the_clocks(steps, rate_hz):
    """Whatever comes when: every frame is heard or counted as dropped, and the line is within 60 ms of the clock."""
    line = Timeline(rate_hz)
    frame, now, heard = bytes(rate_hz // 25), 5.0, 0
    for gap, comes in steps:
        now += gap
        got = line.push(frame, now) if comes else line.wait(now)
        heard += len(got)
        assert all(len(part) == len(frame) for part in got)
        if line.due != float("inf"):
            assert -0.0601 <= line.due - BEHIND_S - now <= 0.0601
    assert heard == line.received - line.dropped + line.made_up
