"""The 20 ms grid that keeps in step with arriving packets."""

import random
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tomrt.audio.slots import PERIOD_S, SlotClock

MS = 0.001


def run(arrivals):
    """Pull as a line does; return for each packet how long it waited, and the distances between pulls."""
    clock, waits, pulls, arrivals = SlotClock(0.0), [], [], list(arrivals)
    pull, begun = clock.pull_at(0.0), arrivals[0]
    while arrivals:
        while arrivals and arrivals[0] <= pull:
            at = arrivals.pop(0)
            clock.arrived(at)
            waits.append(pull - at)
        pulls.append(pull)
        pull = clock.pull_at(pull)
    heard = [at for at in pulls if at > begun + PERIOD_S]  # where the grid stands before the first packet is of no use
    return waits, [later - earlier for earlier, later in pairwise(heard)]


@pytest.mark.parametrize("phase_ms", [0.0, 1.0, 7.0, 13.0, 19.5])
def test_a_clean_stream_is_heard_two_milliseconds_after_it_came(phase_ms):
    """Whatever the sender's phase, packets wait for the guard time only."""
    waits, _ = run(0.5 + phase_ms * MS + i * PERIOD_S for i in range(300))
    assert waits[10:] == pytest.approx([2 * MS] * len(waits[10:]), abs=0.1 * MS)


@pytest.mark.parametrize("ppm", [-300, -50, 50, 300])
def test_a_sender_with_another_clock_is_followed(ppm):
    """Over ten minutes of drift no packet ever waits for half a period, and none is passed over."""
    waits, _ = run(0.5 + i * PERIOD_S * (1 + ppm * 1e-6) for i in range(30_000))
    assert max(waits[10:]) < 6 * MS


def test_a_first_packet_out_of_step_is_made_good():
    """A grid that began with a late packet moves to where the packets are."""
    arrivals = [0.5 + 11 * MS, *(0.52 + i * PERIOD_S for i in range(1, 400))]
    waits, _ = run(arrivals)
    assert max(waits[200:]) < 4 * MS


def test_scattered_packets_leave_the_grid_alone():
    """Jitter has no phase: the grid stays where it was."""
    chance = random.Random(7)
    _, between = run(sorted(0.5 + i * PERIOD_S + chance.uniform(0, 0.018) for i in range(2_000)))
    assert between == pytest.approx([PERIOD_S] * len(between))


@given(st.lists(st.floats(0.0, 0.2), min_size=60, max_size=200))
def test_the_grid_never_hurries(gaps):
    """Whatever comes when, pulls are 15 to 25 ms apart."""
    at, arrivals = 0.5, []
    for gap in gaps:
        at += gap
        arrivals.append(at)
    _, between = run(arrivals)
    assert all(0.015 - 1e-6 <= gap <= 0.025 + 1e-6 for gap in between)


@given(st.floats(0.0, 1e6), st.floats(0.0, 1.0))
def test_sending_follows_pulling_at_once(begin, after):
    """The send slot after a pull is 1 ms behind it, and asking for it at that time gives the same."""
    clock = SlotClock(begin)
    clock.arrived(begin + 0.003)
    pull = clock.pull_at(begin + after)
    send = clock.send_at(pull)
    assert send == pytest.approx(pull + MS, abs=1e-7)
    assert clock.send_at(send) == pytest.approx(send, abs=1e-7)
    assert clock.send_at(send + PERIOD_S / 2) == pytest.approx(send + PERIOD_S, abs=1e-7)
