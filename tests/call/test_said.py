"""What the line plays at any moment."""

from tomrt.call.said import Said

FRAME = 320


def chunk(value: int, frames: int = 1) -> bytes:
    """Return frames of one value."""
    return bytes([value, 0]) * (160 * frames)


def test_pauses_are_silence():
    """Where nothing plays, silence is returned, so that both directions stay in step."""
    said = Said(8000)
    assert said.frame(1.0) == bytes(FRAME)
    said.sent(chunk(7), 1.02)
    assert [said.frame(1.0), said.frame(1.02), said.frame(1.04)] == [bytes(FRAME), chunk(7), bytes(FRAME)]


def test_what_is_sent_ahead_plays_when_it_is_due():
    """A file sent at once is played frame by frame, and a flush takes the rest of it back."""
    said = Said(8000)
    said.sent(chunk(1) + chunk(2) + chunk(3), 5.0)
    assert [said.frame(4.99), said.frame(5.0), said.frame(5.02)] == [bytes(FRAME), chunk(1), chunk(2)]
    said.flushed()
    assert said.frame(5.04) == bytes(FRAME)


def test_what_is_long_past_is_let_go():
    """After a stall of the caller's audio the comparison goes on with what plays now."""
    said = Said(8000)
    said.sent(chunk(1, 50), 1.0)
    said.frame(1.0)
    said.sent(chunk(9), 2.0)
    assert said.frame(2.0) == chunk(9) or said.frame(2.0) == chunk(1)


def test_echo_is_possible_for_a_while_after_our_last_sound():
    """Up to 400 ms after our last sample what is heard may be ours."""
    said = Said(8000)
    assert not said.may_echo(0.0)
    said.sent(chunk(1), 1.0)
    said.frame(1.0)
    assert said.may_echo(1.4)
    assert not said.may_echo(1.5)
