"""The parts of the simulated world."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tomrt.errors import EngineError
from tomrt.simulation.dice import Dice
from tomrt.simulation.far_end import FarEnd
from tomrt.simulation.faults import KINDS, draw_faults
from tomrt.simulation.invariant import INVARIANTS
from tomrt.simulation.scenario import LINES, draw
from tomrt.simulation.situation import SITUATIONS
from tomrt.simulation.tape import LENGTH, Tape
from tomrt.simulation.world import RULES

FRAME = 160


@given(st.lists(st.integers(100, 3_000), min_size=1, max_size=6), st.integers(40, 700))
def test_every_frame_is_found_on_the_tape(sentences, size):
    """Whatever is cut from the tape is found again, frame by frame, also across sentences."""
    tape = Tape()
    pcm = b"".join(tape.cut(samples)[1] for samples in sentences)
    found = []
    for at in range(0, len(pcm) - 2 * size, 2 * size):
        found += tape.find(pcm[at : at + 2 * size])
    assert all(start < stop for start, stop in found)
    assert [start for start, _ in found[1:]] == [stop for _, stop in found[:-1]]


def test_a_padded_and_a_faded_frame_are_found():
    """Silence behind the samples and a faded beginning do not hide where a frame is from; a fade-out alone does."""
    tape = Tape()
    _, pcm = tape.cut(1_000)
    assert tape.find(pcm[:200] + bytes(120)) == ((0, 100),)
    faded = bytes(byte // 2 for byte in pcm[400:528]) + pcm[528:720]
    assert tape.find(faded) == ((200, 360),)
    assert tape.find(bytes(320)) == ()
    assert tape.find(bytes(byte // 2 for byte in pcm[:128]) + bytes(192)) == ()


def test_the_tape_ends():
    """A voice that never stops runs out of tape, which is an engine's error."""
    tape = Tape()
    tape.cut(LENGTH)
    with pytest.raises(EngineError):
        tape.cut(1)


def test_far_end_plays_one_after_the_other():
    """Chunks queue at the far end, play in order, and a flush throws the rest away and tells where."""
    far_end = FarEnd(8_000, 0.05)
    first = far_end.arrive(1.0, FRAME, audible=True, spots=((0, 160),), mark="a")
    second = far_end.arrive(1.0, FRAME, audible=True, spots=((160, 320),), mark="b")
    assert (first.starts, second.starts) == (1.05, pytest.approx(1.07))
    assert not far_end.sounding(1.04)
    assert far_end.sounding(1.06)
    assert far_end.flush(1.06) == (["b"], 80)
    assert far_end.quiet_for(1.56) == pytest.approx(0.5)
    assert far_end.ahead_s(1.06) == 0.0


def test_components_draw_apart():
    """What one component draws depends on the seed and its own name only."""
    assert Dice(1, "a").between(0, 1) == Dice(1, "a").between(0, 1)
    assert len({Dice(seed, name).between(0, 1) for seed in range(5) for name in "ab"}) == 10


def test_the_swarm():
    """A tenth of the seeds has no faults, the others have some of each kind, at rates within their bounds."""
    drawn = [draw_faults(seed, marks=True) for seed in range(2_000)]
    assert 0.07 < sum(not faults for faults in drawn) / len(drawn) < 0.13
    bounds = {kind.name: kind for kind in KINDS}
    assert {fault.kind for faults in drawn for fault in faults} == set(bounds)
    for faults in drawn:
        assert len({fault.kind for fault in faults}) == len(faults)
        for fault in faults:
            kind = bounds[fault.kind]
            assert 0.99 * kind.low <= fault.rate <= 1.01 * kind.high


def test_scenarios_vary_and_repeat():
    """A seed draws the same scenario each time, and the seeds cover every kind of line and rate."""
    drawn = [draw(seed) for seed in range(300)]
    assert drawn[:20] == [draw(seed) for seed in range(20)]
    assert {(each.line, each.rate_hz) for each in drawn} == {(line, rate) for line in LINES for rate in (8_000, 16_000)}
    assert {act.what for each in drawn for act in each.acts} >= {"leave", "key", "murmur", "stammer", "cough"}


def test_names_are_unique_and_explained():
    """Invariants and situations each have a name of their own, and every invariant says what it means."""
    assert len(RULES) == 5
    names = [(each.number, each.name) for each in INVARIANTS]
    assert len(set(names)) == len(names)
    assert all(each.check.__doc__ for each in INVARIANTS)
    assert len({each.name for each in SITUATIONS}) == len(SITUATIONS)
