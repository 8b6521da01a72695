"""Reception statistics, by the code of RFC 3550's appendix A."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tomrt.wire.rtcp import ReportBlock
from tomrt.wire.rtp_statistics import Reception, RoundTrip, middle, to_ntp


def hear(*sequences: int) -> Reception:
    """Return the statistics after packets with these numbers."""
    reception = Reception(7, 8000)
    for sequence in sequences:
        reception.take(sequence & 0xFFFF)
    return reception


def test_two_in_a_row_prove_a_source():
    """The first packet is on probation; the second counts, and counting begins with it."""
    reception = Reception(7, 8000)
    assert [reception.take(sequence) for sequence in (10, 12, 20, 21, 22)] == [False, False, False, True, True]
    assert (reception.received, reception.expected, reception.lost, reception.highest) == (2, 2, 0, 22)


def test_probation_over_the_wrap():
    """65535 and 0 are in a row."""
    reception = hear(0xFFFF, 0, 1)
    assert (reception.received, reception.expected) == (2, 2)


def test_losses_are_what_was_expected_and_did_not_come():
    """Of numbers 1 to 10 without two, two are lost; what only came late is not."""
    assert hear(0, 1, 2, 4, 5, 7, 8, 9, 10).lost == 2
    assert hear(0, 1, 2, 4, 3, 5).lost == 0


def test_duplicates_count_as_received():
    """As the RFC has it, duplicates make up for losses, and may make the count negative."""
    assert hear(0, 1, 2, 2, 2).lost == -2


def test_cycles():
    """The extended highest number counts the wraps."""
    reception = hear(*range(0xFFF0, 0x10010))
    assert reception.highest == 0x1000F
    assert (reception.expected, reception.lost) == (31, 0)
    far = hear(0, *range(1, 200_001, 10))
    assert far.highest >> 16 == 3


def test_a_late_packet_does_not_wrap():
    """A packet from before the wrap that comes after it changes nothing but the count."""
    reception = hear(0xFFFD, 0xFFFE, 0, 0xFFFF, 1)
    assert (reception.highest, reception.received, reception.lost) == (0x10001, 4, 0)


@pytest.mark.parametrize("jump", [5000, 40_000, -200])
def test_a_jump_is_believed_when_it_goes_on(jump):
    """One packet far away is left out; a second one behind it begins the counts again, not those of the whole."""
    reception = hear(0, 1, 2)
    assert not reception.take((2 + jump) & 0xFFFF)
    assert reception.received == 2
    assert reception.take(3)
    assert not reception.take((2 + jump) & 0xFFFF)
    assert reception.take((3 + jump) & 0xFFFF)
    assert (reception.received, reception.expected) == (1, 1)
    assert (reception.total_received, reception.total_expected) == (4, 4)


def test_a_jump_within_the_limits_is_loss():
    """2999 numbers further is a great loss of the same stream."""
    reception = hear(0, 1, 3000)
    assert (reception.lost, reception.received) == (2998, 2)


def test_another_source_is_proved_anew():
    """After a change of source two packets are needed again; only the totals go on."""
    reception = hear(0, 1, 2, 4)
    reception.change(9)
    assert reception.ssrc == 9
    assert [reception.take(sequence) for sequence in (500, 501, 502)] == [False, True, True]
    assert (reception.received, reception.lost) == (2, 0)
    assert (reception.total_received, reception.total_expected) == (5, 6)


def test_the_count_of_losses_has_24_bits():
    """However much is lost, the count stays within its field."""
    reception = hear(0, 1)
    for step in range(6000):
        reception.take((1 + 2999 * (step + 1)) & 0xFFFF)
    assert reception.lost == (1 << 23) - 1
    assert reception.report(0.0).cumulative_lost == (1 << 23) - 1


def test_the_fraction_is_of_the_interval():
    """A quarter lost between two reports is 64/256, and nothing in the next interval is 0."""
    reception = hear(0, 1)
    assert reception.report(0.0).fraction_lost == 0
    for sequence in (2, 3, 5, 6, 7, 9):
        reception.take(sequence)
    assert reception.report(1.0) == ReportBlock(ssrc=7, fraction_lost=64, cumulative_lost=2, highest_sequence=9)
    reception.take(10)
    assert reception.report(2.0).fraction_lost == 0
    assert reception.report(3.0).fraction_lost == 0


def test_jitter_follows_the_formula_of_the_rfc():
    """J += (|D| - J)/16, in ticks, over a sequence computed by hand; steady arrivals have none."""
    steady = Reception(1, 8000)
    for index in range(100):
        steady.arrived(160 * index, 5.0 + 0.02 * index)
    assert steady.jitter < 1.0
    reception, expected = Reception(1, 8000), 0.0
    delays = [0, 80, 0, 0, 240, 240, 16]
    previous = delays[0]
    for index, delay in enumerate(delays):
        reception.arrived((0xFFFFFF00 + 160 * index) & 0xFFFFFFFF, (160 * index + delay) / 8000)
        if index:
            expected += (abs(delay - previous) - expected) / 16
        previous = delay
    assert reception.jitter == pytest.approx(expected)
    assert 0 < reception.mean_jitter < 240


@given(st.lists(st.tuples(st.integers(0, 0xFFFF), st.integers(0, 0xFFFFFFFF)), max_size=60))
def test_any_numbers_leave_figures_that_fit_their_fields(packets):
    """Whatever a source sends, the report can be written and the totals are in order."""
    reception = Reception(1, 8000)
    for index, (sequence, stamp) in enumerate(packets):
        reception.take(sequence)
        reception.arrived(stamp, 0.02 * index)
    block = reception.report(99.0)
    assert 0 <= block.fraction_lost <= 255
    assert -(1 << 23) <= block.cumulative_lost < 1 << 23
    assert 0 <= block.highest_sequence <= 0xFFFFFFFF
    assert 0 <= block.jitter <= 0xFFFFFFFF
    assert 0 <= reception.total_received <= len(packets)


@given(st.sets(st.integers(0, 500), max_size=200), st.integers(0, 0xFFFF))
def test_exact_losses_for_any_pattern(missing, start):
    """Without reordering, losses after the proof are counted exactly, wherever the numbers begin."""
    reception = hear(start, start + 1, *(start + 2 + index for index in range(501) if index not in missing))
    last = max((index for index in range(501) if index not in missing), default=-1)
    assert reception.lost == sum(index < last for index in missing)


def test_gaps_are_measured():
    """Losses of three and of one make two gaps of two on average."""
    assert hear(0, 1, 5, 6, 8).mean_gap == 2.0
    assert hear(0, 1, 2).mean_gap == 0.0


def test_the_peers_report_is_echoed():
    """A report tells the middle of the peer's time and how long ago it came."""
    reception = hear(0, 1)
    assert (reception.report(1.0).last_report, reception.report(1.0).delay) == (0, 0)
    reception.sender_reported(0x1122334455667788, 2.0)
    block = reception.report(3.5)
    assert (block.last_report, block.delay) == (0x33445566, 0x18000)


def test_round_trip():
    """Time now, less the time of our report, less what the peer kept it: the way there and back."""
    trip = RoundTrip()
    sent = to_ntp(1000.0)
    trip.sent(sent)
    trip.reported(ReportBlock(ssrc=1, last_report=middle(sent), delay=2 * 65536), 1002.125)
    assert trip.seconds == pytest.approx(0.125)


def test_a_round_trip_is_only_of_our_own_reports():
    """What names no report of ours, or was kept longer than it is old, says nothing."""
    trip = RoundTrip()
    sent = to_ntp(1000.0)
    trip.reported(ReportBlock(ssrc=1, last_report=0, delay=0), 1002.0)
    trip.reported(ReportBlock(ssrc=1, last_report=middle(sent), delay=0), 1002.0)
    trip.sent(sent)
    trip.reported(ReportBlock(ssrc=1, last_report=middle(sent), delay=3 * 65536), 1002.0)
    assert trip.seconds is None


def test_ntp_wraps_and_keeps_its_middle():
    """Times keep 1/65536 s in their middle 32 bits, also beyond 2^32 s."""
    assert middle(to_ntp(1.5)) == 0x00018000
    assert to_ntp(2.0**32 + 1) == to_ntp(1.0)
