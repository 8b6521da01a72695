"""The jitter buffer: everything that came is accounted for, and the sound comes out in order and in time."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest
from fakes.speech import noise, speech
from hypothesis import given
from hypothesis import strategies as st

from tomrt.audio.jitter import JitterBuffer
from tomrt.errors import MisuseError

FRAME = 160
SOUND = speech(20.0)
FRAMES = [SOUND[at : at + 2 * FRAME] for at in range(0, len(SOUND), 2 * FRAME)]


def accounted(buffer):
    """Return what became of all frames, to be compared with what was received."""
    counts = buffer.counts
    return counts.played + counts.late + counts.duplicate + counts.overflow + counts.discarded + buffer.held


class Line:
    """Plays arrivals into a buffer and pulls every 20 ms; remembers what came out and with which delay."""

    def __init__(self, buffer, *, sequence=0, timestamp=0, clock=1.0):
        self.buffer, self.sequence, self.timestamp, self.clock = buffer, sequence, timestamp, clock
        self.pulls, self.positions, self.delays = [], [], []

    def run(self, arrivals, until=None, pull_from=0.0005):
        """Insert ``(time, frame number, sample)`` and pull until all is in, or until a time."""
        waiting = sorted(arrivals, reverse=True)
        now = pull_from
        until = until if until is not None else waiting[0][0] + 0.02
        while now < until:
            while waiting and waiting[-1][0] <= now:
                at, number, sample = waiting.pop()
                self.buffer.insert(
                    (self.sequence + number) & 0xFFFF,
                    (self.timestamp + sample) & 0xFFFFFFFF,
                    FRAMES[number % len(FRAMES)],
                    at,
                )
            before = self.buffer.position
            self.pulls.append(self.buffer.pull(now))
            self.positions.append(before)
            self.delays.append(now * self.clock - (before - self.timestamp) / 8000)
            now += 0.02
        assert accounted(self.buffer) == self.buffer.counts.received
        assert all(len(pull) == 2 * FRAME for pull in self.pulls)
        return self.buffer.counts


def trace(delays, *, clock=1.0):
    """Return arrivals of a frame every 20 ms of the sender's clock, each with its delay; ``nan`` is a lost one."""
    return [
        (number * 0.02 / clock + delay, number, number * FRAME)
        for number, delay in enumerate(delays)
        if not math.isnan(delay)
    ]


def fixed(ms):
    """Return a buffer whose delay never changes."""
    return JitterBuffer(8000, start_ms=ms, least_ms=ms)


def test_steady():
    """From a steady line every sample comes out as it is, and the delay goes down to less than two frames."""
    line = Line(JitterBuffer(8000))
    counts = line.run(trace([0.03] * 3000))
    assert (counts.lost, counts.late, counts.underruns, counts.made_up_ms) == (0, 0, 0, 0)
    assert line.delays[-1] - 0.03 < 0.04


def test_steady_fixed():
    """With a fixed delay the samples come out bit for bit."""
    line = Line(fixed(60))
    line.run(trace([0.03] * 400))
    out = b"".join(line.pulls).lstrip(b"\0")
    assert SOUND.lstrip(b"\0").startswith(out)


def test_reordered():
    """Frames that overtake one another within the delay come out in order."""
    rng = np.random.default_rng(1)
    line = Line(fixed(80))
    counts = line.run(trace(0.03 + rng.uniform(0, 0.06, 400)))
    out = b"".join(line.pulls).lstrip(b"\0")
    assert len(out) > 7 * 16000
    assert SOUND.lstrip(b"\0").startswith(out)
    assert (counts.lost, counts.late) == (0, 0)


def test_duplicates():
    """A frame that comes twice, in time or late, plays once."""
    line = Line(fixed(60))
    arrivals = trace([0.03] * 300)
    counts = line.run(
        arrivals + [(at + 0.005, *rest) for at, *rest in arrivals] + [(at + 0.2, *rest) for at, *rest in arrivals[:200]]
    )
    assert counts.duplicate >= 500
    assert counts.late == 0
    assert SOUND.lstrip(b"\0").startswith(b"".join(line.pulls[:300]).lstrip(b"\0"))


def test_wrap_around():
    """Sequence numbers and timestamps run over without a trace."""
    line = Line(fixed(60), sequence=0xFFF0, timestamp=0xFFFFF000)
    counts = line.run(trace([0.03] * 300))
    assert (counts.lost, counts.restarts, counts.played) == (0, 0, 300 - line.buffer.held)
    assert SOUND.lstrip(b"\0").startswith(b"".join(line.pulls).lstrip(b"\0"))


def test_loss():
    """Of 5 % lost frames each costs its own 20 ms, and the delay stays."""
    rng = np.random.default_rng(2)
    delays = np.where(rng.random(3000) < 0.05, np.nan, 0.03)
    delays[:5] = 0.03
    line = Line(JitterBuffer(8000))
    counts = line.run(trace(delays))
    lost = int(np.isnan(delays).sum())
    assert lost - 1 <= counts.lost <= lost
    assert lost * 20 - 20 <= counts.made_up_ms <= lost * 20 + 40
    assert np.mean(line.delays[500:]) - 0.03 < 0.05


def test_bursts():
    """Frames that come in heaps after a stall all play; the delay then learns to expect it."""
    delays = [0.03 + max(0.0, 0.12 - 0.02 * (number % 50)) for number in range(3000)]
    line = Line(JitterBuffer(8000))
    counts = line.run(trace(delays))
    early = counts.made_up_ms
    assert counts.played >= 3000 - 12
    assert early < 400
    assert 0.1 < np.mean(line.delays[1500:]) - 0.03 < 0.16


@pytest.mark.parametrize("drift", [200e-6, -200e-6])
def test_drift(drift):
    """A sender's clock that is 200 ppm off for ten minutes neither drains the buffer nor fills it."""
    clock = 1 + drift
    line = Line(JitterBuffer(8000), clock=clock)
    counts = line.run(trace([0.03] * 30000, clock=clock))
    assert (counts.overflow, counts.late, counts.lost) == (0, 0, 0)
    assert counts.made_up_ms <= 200
    assert max(line.delays[1000:]) - 0.03 < 0.06
    changed = counts.shortened - counts.lengthened - counts.made_up_ms * 8
    assert changed == pytest.approx(drift * 30000 * FRAME, abs=400)


@pytest.mark.parametrize("pause", [0.1, 1.0, 20.0])
def test_silence_suppression(pause):
    """A sender that falls silent and goes on with the next sequence number is neither lossy nor late."""
    samples = int(pause * 8000)
    first, second = trace([0.03] * 100), trace([0.03] * 100)
    later = [(at + 2.0 + pause, number + 100, sample + 100 * FRAME + samples) for at, number, sample in second]
    line = Line(JitterBuffer(8000))
    counts = line.run(first + later)
    assert (counts.lost, counts.late, counts.overflow) == (0, 0, 0)
    assert counts.played + line.buffer.held == 200
    assert line.delays[-1] - 0.03 < 0.06


def test_level_shift():
    """When the network becomes 60 ms slower nothing is lost for long, and quicker again costs nothing."""
    line = Line(JitterBuffer(8000))
    counts = line.run(trace([0.03] * 500 + [0.09] * 500 + [0.03] * 1500))
    assert counts.lost <= 1
    assert counts.made_up_ms <= 100
    assert line.delays[-1] - 0.03 < 0.06


def test_sequence_jump():
    """A sender that begins anew elsewhere is followed from its second frame on, and nothing of it is lost."""
    line = Line(JitterBuffer(8000))
    old = trace([0.03] * 100)
    new = [(at + 2.0, number + 30000, sample + 0x40000000) for at, number, sample in trace([0.03] * 100)]
    counts = line.run(old + new)
    assert counts.restarts == 1
    assert counts.discarded <= 4
    assert counts.played + line.buffer.held >= 196


def test_outage():
    """After half a minute without anything, what comes then plays within the usual delay."""
    line = Line(JitterBuffer(8000))
    delays = np.full(2500, 0.03)
    delays[500:2000] = np.nan
    counts = line.run(trace(delays))
    assert counts.restarts == 0
    assert counts.lost == 1500
    assert line.delays[-1] - 0.03 < 0.06


def test_single_stray():
    """One frame with numbers from nowhere changes nothing."""
    line = Line(JitterBuffer(8000))
    counts = line.run([*trace([0.03] * 200), (1.0005, 30000, 0x40000000), (2.0005, 20000, 0x20000000)])
    assert (counts.restarts, counts.lost) == (0, 0)
    assert counts.discarded + (line.buffer.held > 0) >= 1


def test_reset():
    """After a reset what was held is counted as discarded, and another stream begins in silence."""
    buffer = JitterBuffer(8000)
    for number in range(5):
        buffer.insert(number, number * FRAME, FRAMES[number], 0.0)
    buffer.reset()
    assert (buffer.counts.discarded, buffer.held, buffer.held_ms) == (5, 0, 0.0)
    assert buffer.pull(0.0) == bytes(2 * FRAME)


def test_overflow():
    """A heap of frames beyond the bound drops the oldest and counts them."""
    buffer = JitterBuffer(8000, most_ms=200)
    for number in range(50):
        buffer.insert(number, number * FRAME, FRAMES[number], 0.0)
    assert buffer.held_ms == 200
    assert buffer.counts.overflow == 40
    assert accounted(buffer) == 50


def test_headerless():
    """A stream without headers that pauses and comes in heaps keeps its delay small and loses nothing."""
    buffer, now, put = JitterBuffer(8000), 0.0, 0
    for tick in range(1500):
        now = tick * 0.02
        if tick % 500 < 400 and tick % 2 == 0:
            for _ in range(2):
                buffer.insert_next(FRAMES[put % len(FRAMES)], now)
                put += 1
        assert len(buffer.pull(now + 0.001)) == 2 * FRAME
    assert buffer.counts.lost == buffer.counts.late == buffer.counts.overflow == 0
    assert accounted(buffer) == put
    assert buffer.held_ms < 80


def test_other_frames():
    """Frames of 10, 30 and 60 ms at 16 kHz come out as pulls of 20 ms."""
    sound = speech(6.0, 16000)
    for ms in (10, 30, 60):
        buffer, size, out, number = JitterBuffer(16000, start_ms=80, least_ms=80), ms * 16, [], 0
        for tick in range(250):
            while number * ms <= tick * 20:
                at = number * size
                buffer.insert(number, at, sound[2 * at : 2 * (at + size)], number * ms / 1000)
                number += 1
            out.append(buffer.pull(tick * 0.02))
        assert buffer.counts.lost == buffer.counts.made_up_ms == 0
        assert sound.lstrip(b"\0").startswith(b"".join(out).lstrip(b"\0"))


@given(
    st.lists(
        st.tuples(
            st.integers(-8, 8) | st.integers(0, 65535),
            st.integers(-400, 400) | st.integers(0, 2**32 - 1),
            st.sampled_from([0.0, 0.001, 0.02, 0.02, 0.3, 4.0]),
            st.sampled_from([1, 2, 2, 2, 3, 6]),
            st.sampled_from(["insert", "insert", "insert", "pull", "pull", "next", "reset"]),
        ),
        max_size=120,
    ),
    st.sampled_from([40, 100, 500]),
)
def test_anything(events, most_ms):
    """Whatever comes in whatever order: all is accounted for, bounded, and time never runs back within a stream."""
    buffer = JitterBuffer(8000, start_ms=min(40, most_ms), most_ms=most_ms)
    now, expected, position, restarts = 0.0, 0, None, 0
    for offset, shift, step, units, kind in events:
        now += step
        payload = noise(units / 100, seed=units, dbfs=-20.0)
        if kind == "insert":
            buffer.insert((expected + offset) & 0xFFFF, (expected * FRAME + shift) & 0xFFFFFFFF, payload, now)
            expected += 1
        elif kind == "next":
            buffer.insert_next(payload, now)
        elif kind == "reset":
            buffer.reset()
        else:
            playing = buffer.counts.played > 0
            assert len(buffer.pull(now)) == 2 * FRAME
            if position is not None and buffer.counts.restarts == restarts:
                assert buffer.position > position - FRAME
            position, restarts = (buffer.position if playing else None), buffer.counts.restarts
        assert accounted(buffer) == buffer.counts.received
        assert buffer.held_ms <= most_ms + 120
        assert min(vars_of(buffer.counts)) >= 0


def vars_of(counts):
    """Return all figures of the counts."""
    return [getattr(counts, name.name) for name in type(counts).__attrs_attrs__]


@given(st.lists(st.floats(0.0, 0.3), min_size=60, max_size=200), st.floats(0, 0.02))
def test_any_delays(delays, phase):
    """Whatever delays up to 300 ms befall the frames, each plays, or came after its place was given up."""
    line = Line(JitterBuffer(8000))
    counts = line.run(trace(delays), until=len(delays) * 0.02 + 1.5, pull_from=phase)
    assert counts.played + counts.late == len(delays)
    assert all(after > before - FRAME for before, after in pairwise(line.positions))


@pytest.mark.parametrize(
    "arguments", [(8000, 100, 0, 50), (8000, 20, 30, 500), (8000, 40, 0, 3000), (44100, 40, 0, 500)]
)
def test_refused_limits(arguments):
    """Rates and delays that make no sense are misuse."""
    rate_hz, start, least, most = arguments
    with pytest.raises(MisuseError):
        JitterBuffer(rate_hz, start_ms=start, least_ms=least, most_ms=most)


@pytest.mark.parametrize("nan", [math.nan, math.inf])
def test_refused_frames(nan):
    """Frames and times that make no sense are misuse, and nothing of them is counted."""
    buffer = JitterBuffer(8000)
    good = FRAMES[0]
    for sequence, timestamp, payload, now in [
        (-1, 0, good, 0.0),
        (1.0, 0, good, 0.0),
        (0, "0", good, 0.0),
        (65536, 0, good, 0.0),
        (0, 2**32, good, 0.0),
        (0, 0, b"", 0.0),
        (0, 0, good[:-1], 0.0),
        (0, 0, bytes(16 * 130), 0.0),
        (0, 0, "text", 0.0),
        (0, 0, good, nan),
    ]:
        with pytest.raises(MisuseError):
            buffer.insert(sequence, timestamp, payload, now)
    with pytest.raises(MisuseError):
        buffer.insert_next(b"123", 0.0)
    with pytest.raises(MisuseError):
        buffer.pull(nan)
    with pytest.raises(MisuseError):
        JitterBuffer(8000, start_ms=nan)
    assert buffer.counts.received == 0
