"""Keys over RTP: one digit for each press, whatever the network does to its packets."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tomrt.errors import MisuseError, ProtocolError
from tomrt.wire.telephone_event import KeyPresses, TelephoneEvent, parse_telephone_event, write_telephone_event

KEYS = "0123456789*#ABCD"
GOLDEN = {
    "05 0a 00a0": TelephoneEvent(event=5, duration=160),
    "0b 8a 0320": TelephoneEvent(event=11, ended=True, duration=800),
    "00 bf ffff": TelephoneEvent(event=0, ended=True, volume=63, duration=65535),
    "10 00 0000": TelephoneEvent(event=16, volume=0, duration=0),
}


@pytest.mark.parametrize("data", GOLDEN)
def test_payloads_are_read_as_the_rfc_draws_them(data):
    """Event, end bit, volume and duration stand where RFC 4733 puts them."""
    assert parse_telephone_event(bytes.fromhex(data)) == GOLDEN[data]
    assert write_telephone_event(GOLDEN[data]) == bytes.fromhex(data)


def test_the_reserved_bit_means_nothing():
    """A sender that sets the reserved bit is understood all the same."""
    assert parse_telephone_event(bytes.fromhex("05 4a 00a0")) == TelephoneEvent(event=5, duration=160)


@pytest.mark.parametrize("payload", [b"", b"\x05", b"\x05\x0a\x00", b"\x05\x0a\x00\xa0\x00", b"\x05\x0a\x00\xa0" * 2])
def test_another_length_is_refused(payload):
    """A payload of other than 4 bytes is a protocol error."""
    with pytest.raises(ProtocolError):
        parse_telephone_event(payload)


def test_what_does_not_fit_is_our_mistake():
    """A value beyond its field is refused, not cut."""
    for wrong in ({"event": 256}, {"volume": 64}, {"duration": 65536}):
        with pytest.raises(MisuseError):
            write_telephone_event(TelephoneEvent(**({"event": 1, "duration": 1} | wrong)))


def test_sixteen_events_are_keys():
    """Each of the sixteen codes is its key, and no other code is one: a hook flash is no digit."""
    assert "".join(TelephoneEvent(event=event, duration=0).key for event in range(256)) == KEYS


def press(start: int, event: int, frames: int = 5) -> list[tuple[int, TelephoneEvent]]:
    """Return the packets of one press, with timestamp: one a frame, and the last one three times with the end bit."""
    going = [(start, TelephoneEvent(event=event, duration=160 * (frame + 1))) for frame in range(frames)]
    end = (start, TelephoneEvent(event=event, duration=160 * frames, ended=True))
    return [*going, end, end, end]


def count(packets: list[tuple[int, TelephoneEvent]]) -> str:
    """Return the digits of packets as they come."""
    presses = KeyPresses()
    return "".join(presses.take(stamp & 0xFFFFFFFF, event) for stamp, event in packets)


@given(st.lists(st.sampled_from(range(16)), max_size=8), st.integers(0, 0xFFFFFFFF), st.data())
def test_one_digit_for_each_press(events, start, data):
    """Packets lost (never all of a press), repeated and mixed within a press: the digits are those pressed."""
    packets = []
    for number, event in enumerate(events):
        one = press(start + 1600 * number, event)
        kept = data.draw(st.lists(st.sampled_from(one), min_size=1, max_size=12))
        packets += kept
    assert count(packets) == "".join(KEYS[event] for event in events)


@given(st.lists(st.sampled_from(range(16)), min_size=2, max_size=6), st.randoms(use_true_random=False))
def test_reordering_across_presses_loses_and_doubles_nothing(events, dice):
    """However packets of several presses are mixed, each press counts once."""
    packets = [packet for number, event in enumerate(events) for packet in press(1600 * number, event)]
    dice.shuffle(packets)
    assert sorted(count(packets)) == sorted(KEYS[event] for event in events)


def test_the_first_packet_counts():
    """A press is told with its first packet, not only when the key is let go."""
    assert count(press(0, 7)[:1]) == "7"


def test_only_ends_came():
    """A press of which only the end arrived is a press."""
    assert count(press(0, 7)[-1:]) == "7"


def test_the_same_key_twice():
    """Two presses of one key are two digits, with and without the ends of the first."""
    assert count(press(0, 3) + press(1600, 3)) == "33"
    assert count(press(0, 3)[:4] + press(1600, 3)[2:]) == "33"


def test_a_key_held_long_is_one_press():
    """What is told in stretches of 65535 ticks is one digit; pressed again right then, it is another."""
    held = [(0, TelephoneEvent(event=1, duration=duration)) for duration in (160, 40_000, 65_535)]
    held += [(65_535, TelephoneEvent(event=1, duration=duration)) for duration in (160, 65_535)]
    held += press(131_070, 1)
    assert count(held) == "1"
    again = [(0, TelephoneEvent(event=1, duration=65_535, ended=True)), *press(65_535, 1)]
    assert count(again) == "11"


def test_another_stream_begins_without_memory():
    """After a reset the same timestamp is another press."""
    presses = KeyPresses()
    event = TelephoneEvent(event=1, duration=160)
    assert [presses.take(0, event), presses.take(0, event)] == ["1", ""]
    presses.reset()
    assert presses.take(0, event) == "1"


@given(st.lists(st.tuples(st.integers(0, 0xFFFFFFFF), st.binary(min_size=4, max_size=4)), max_size=80))
def test_any_packets_give_at_most_one_digit_each(packets):
    """Arbitrary payloads never raise and never give more than a key each."""
    presses = KeyPresses()
    for stamp, payload in packets:
        assert presses.take(stamp, parse_telephone_event(payload)) in {"", *KEYS}
