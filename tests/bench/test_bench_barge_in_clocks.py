"""The clocks of the barge-in benchmark, on calls made up by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.barge_in_clocks import (
    FADE,
    FRAME,
    Event,
    Heard,
    Stretch,
    audible,
    content_loss,
    decided_to_silent,
    first_audible,
    frames_between,
    overlap_loss,
    percentile,
    stop_of,
)
from tomrt.audio import fade_in, fade_out


def call(loud, *events, begin=0.0):
    """Return a call: one frame each 20 ms from *begin*, ``None`` where none came, and (time, type) messages."""
    times = [begin + 0.02 * at for at, flag in enumerate(loud) if flag is not None]
    made = tuple(
        Event(at, sum(time < at for time in times), kind, reply=1, outcome="cut" if kind == "answered" else "")
        for at, kind in events
    )
    return Heard(np.array(times), np.array([flag for flag in loud if flag is not None], dtype=bool), made)


@pytest.mark.parametrize(("peak", "loud"), [(0, False), (32, False), (-32, False), (33, True), (-33, True)])
def test_audible(peak, loud):
    """A frame is audible when a sample is beyond -60 dBFS, of either sign, and not when it just reaches it."""
    samples = np.zeros(FRAME, "<i2")
    samples[7] = peak
    assert audible(samples.tobytes()) is loud
    assert audible(b"") is False


def test_percentiles_are_never_better_than_a_trial():
    """A percentile is one of the trials, the next worse one; of nothing it is not a number."""
    values = list(range(1, 11))
    assert [percentile(values, share) for share in (0, 50, 95, 100)] == [1, 6, 10, 10]
    assert math.isnan(percentile([], 99))


def test_frames_between():
    """What arrives at the beginning counts, what arrives at the end does not; outside there is nothing."""
    heard = call([True] * 10)
    assert frames_between(heard, 0.02, 0.06) == slice(1, 3)
    assert frames_between(heard, 5.0, 6.0) == slice(10, 10)
    assert first_audible(call([False, False, True, True]), 0.0, 1.0) == pytest.approx(0.04)
    assert first_audible(call([False] * 4), 0.0, 1.0) is None


def test_the_stop_is_the_last_audible_frame_before_the_cut():
    """The engine clock ends with the last audible frame, also when the frames just end, and with the fade in it."""
    held = call([True] * 20 + [None] * 30, (0.372, "hold"), (0.8, "flush"))
    stop = stop_of(held, 0.3, 0.8)
    assert stop is not None
    assert (stop.at, stop.hold_at, stop.paused) == (pytest.approx(0.38), 0.372, False)
    silent = call([True] * 20 + [False] * 30, (0.372, "hold"), (0.8, "flush"))
    assert stop_of(silent, 0.3, 0.8) == stop


def test_a_pause_that_was_taken_back_does_not_stop_the_clock():
    """Where the assistant paused, went on and paused again, it is the second time that it stopped."""
    loud = [True] * 20 + [None] * 10 + [True] * 10 + [None] * 10
    stop = stop_of(call(loud, (0.372, "hold"), (0.59, "resume"), (0.79, "hold"), (0.9, "flush")), 0.3, 0.9)
    assert stop is not None
    assert (stop.at, stop.hold_at) == (pytest.approx(0.78), 0.79)


def test_a_pause_of_its_own_is_no_quick_stop():
    """An assistant that happened to be silent when it held is timed by its message."""
    stop = stop_of(call([True] * 16 + [False] * 30, (0.5, "hold"), (0.8, "flush")), 0.3, 0.8)
    assert stop is not None
    assert (stop.at, stop.paused) == (0.5, True)


def test_nothing_to_stop():
    """Where nothing was audible around the onset there is no clock."""
    assert stop_of(call([True] * 5 + [False] * 40, (0.8, "flush")), 0.3, 0.8) is None


def test_a_cut_without_a_hold():
    """A reply that is cut at once is timed to its last frame, which may come after the message."""
    stop = stop_of(call([True] * 21, (0.39, "flush")), 0.3, 0.39)
    assert stop is not None
    assert (stop.at, stop.hold_at) == (pytest.approx(0.40), None)


def test_decision_to_silence():
    """The fade behind the message counts, what comes after the resume does not, and nothing is no time."""
    assert decided_to_silent(call([True] * 20), 0.372, 9.0) == pytest.approx(0.008)
    assert decided_to_silent(call([True] * 18 + [None, True, True]), 0.345, 0.37) == 0.0
    assert decided_to_silent(call([True] * 18 + [False] * 3), 0.345, 9.0) == 0.0


# --- resume ----------------------------------------------------------------------------------------------------------


def voice(count, seed=1):
    """Return something with the spectrum of a voice: a glide with harmonics."""
    time = np.arange(count) / 8000
    random = np.random.default_rng(seed)
    phase = 2 * np.pi * np.cumsum(120 + 30 * np.sin(2 * np.pi * 1.3 * time)) / 8000
    sound = sum(np.sin(k * phase) / k for k in range(1, 20)) * (1.2 + np.sin(2 * np.pi * 3.1 * time))
    return np.round(3000 * sound + 200 * random.normal(size=count)).astype("<i2")


def resumed(lost, *, fades=True):
    """Return the sound around a hold after which the assistant goes on *lost* samples later than it should."""
    whole = voice(20_000)
    at = 8000
    before, after = whole[at - 10 * FRAME : at].tobytes(), whole[at + lost : at + lost + 10 * FRAME].tobytes()
    if fades:
        before += fade_out(whole[at : at + FRAME].tobytes(), FADE)
        after = fade_in(after, FADE)
    return Stretch(before=before, after=after, position=at - 10 * FRAME + 37), whole.tobytes()


@pytest.mark.parametrize("lost", [0, 1, -1, 17, -17, 25, -160])
def test_a_resume_is_measured_to_the_sample(lost):
    """What is faded out comes again faded in: from that is known how many samples were lost or repeated."""
    assert overlap_loss(resumed(lost)[0]) == lost


def test_a_resume_without_a_fade_cannot_be_measured_so():
    """Without a fade there is nothing to compare; samples beyond it are not guessed at."""
    assert overlap_loss(resumed(0, fades=False)[0]) is None
    assert overlap_loss(resumed(500)[0]) is None


@pytest.mark.parametrize("frames", [0, 1, -1, 3, -3])
@pytest.mark.parametrize("fades", [True, False])
def test_a_resume_is_measured_by_what_is_said(frames, fades):
    """Compared with the whole reply, lost and repeated frames are found, with a fade or without."""
    stretch, whole = resumed(frames * FRAME, fades=fades)
    assert content_loss(stretch, whole) == frames


def test_a_resume_beyond_what_is_known():
    """A reply that was never heard to this place cannot be compared."""
    stretch, whole = resumed(0)
    assert content_loss(stretch, whole[: 2 * 6000]) is None


@given(st.lists(st.floats(0, 1000), min_size=1, max_size=50), st.floats(0, 100))
def test_percentiles_are_trials(values, share):
    """A percentile is always one of the values, and grows with the share."""
    assert percentile(values, share) in values
    assert percentile(values, share) <= percentile(values, 100) == max(values)
