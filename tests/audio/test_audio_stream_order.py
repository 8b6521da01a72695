"""RTP's numbers without their wrap-around."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tomrt.audio.stream_order import StreamOrder


@given(st.integers(0, 0xFFFF), st.integers(0, 2**32 - 1), st.lists(st.integers(1, 100), max_size=2000))
def test_wrap_around(sequence, timestamp, steps):
    """However often the numbers run over, a stream's frames keep their true distances."""
    order, now, number = StreamOrder(8000), 0.0, 0
    assert order.place(sequence, timestamp, now) == (sequence, timestamp)
    order.note(sequence, timestamp, now)
    for step in [*steps, *[700_000] * 3]:
        number += min(step, 100)
        now += min(step, 100) * 0.02
        placed = order.place((sequence + number) & 0xFFFF, (timestamp + 160 * number) & 0xFFFFFFFF, now)
        assert placed == (sequence + number, timestamp + 160 * number)
        assert order.note(*placed, now)
        assert not order.note(*placed, now)


def test_strangers():
    """Numbers or timestamps that do not fit the newest frame's are of another stream."""
    order = StreamOrder(8000)
    order.note(1000, 160_000, 10.0)
    for sequence, timestamp in [(4001, 160_160), (499, 159_840), (1001, 159_840), (999, 160_160), (1000, 160_160)]:
        assert order.place(sequence, timestamp, 10.0) is None
    for seconds in (-4, 4):
        assert order.place(1001, 160_000 + 8000 * seconds, 10.0) is None
    assert order.place(1001, 160_000 + 8000 * 4, 14.0) == (1001, 192_000)
    assert order.place(998, 159_680, 10.1) == (998, 159_680)
