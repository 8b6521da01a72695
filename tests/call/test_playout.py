"""Playout: pacing, hold, resume and cut, for lines that hold nothing and lines that hold a lead."""

from math import ceil

import numpy as np
import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from tomrt.call.playout import Chunk, Playout
from tomrt.errors import MisuseError
from tomrt.ports import Egress

RATE_HZ = 8000
FRAME = 160
PACED = Egress()
AHEAD = Egress(lead_s=0.2, start_delay_s=0.06, tail_pad_s=0.16, flush_on_yield=True, marks=True)
FILES = Egress(lead_s=0.1, whole_sentences=True, flush_on_yield=True)


def ramp(samples: int, start: int = 1) -> bytes:
    """Return samples that are all different, so that a lost or doubled one shows."""
    return (np.arange(start, start + samples) % 30_000 + 1).astype("<i2").tobytes()


def reply(playout: Playout, samples: int, *, number: int = 1, finish: bool = True) -> None:
    """Add a reply of one sentence."""
    playout.open(number)
    playout.sentence("one two three four five")
    playout.add(ramp(samples))
    if finish:
        playout.finish()


def run(playout: Playout, start: float, stop: float, step: float = 0.001) -> list[tuple[float, Chunk]]:
    """Tick from *start* to *stop*; return what left and when."""
    left, now = [], start
    while now < stop - 1e-9:
        while chunk := playout.tick(now):
            left.append((round(now, 4), chunk))
        now += step
    return left


def samples_of(left: list[tuple[float, Chunk]]) -> np.ndarray:
    """Return what left as samples."""
    return np.frombuffer(b"".join(chunk.pcm for _, chunk in left), "<i2")


def test_paced_line_gets_one_frame_each_20_ms():
    """A line that holds nothing gets each frame when it is due, on a grid that does not drift."""
    playout = Playout(RATE_HZ, PACED)
    reply(playout, 50 * FRAME)
    left = run(playout, 0.0, 2.0)
    assert [round(i * 0.020, 4) for i in range(50)] == [at for at, _ in left]
    assert ramp(50 * FRAME) == samples_of(left).tobytes()
    assert playout.is_over(1.0)


def test_late_tick_catches_up_three_frames_at_most():
    """After a stall there is no burst: at most the slack is made up, the rest of the stall is a gap."""
    playout = Playout(RATE_HZ, PACED)
    reply(playout, 100 * FRAME)
    run(playout, 0.0, 0.1)
    burst = run(playout, 0.6, 0.601)
    assert 3 <= len(burst) <= 4


def test_lead_is_kept_and_not_exceeded():
    """A line with a lead gets it at once, and then stays just so far ahead."""
    playout = Playout(RATE_HZ, AHEAD)
    reply(playout, 100 * FRAME)
    assert 10 <= len(run(playout, 0.0, 0.001)) <= 11
    left = run(playout, 0.001, 1.0)
    assert 48 <= len(left) <= 51


def test_tail_is_padded_once():
    """An utterance is followed by one pad of silence, and no mark comes after its last sample."""
    playout = Playout(RATE_HZ, AHEAD)
    reply(playout, 10 * FRAME)
    left = run(playout, 0.0, 2.0)
    assert bytes(2 * 1280) == left[-1][1].pcm
    assert left[-1][1].mark is None
    assert [chunk.mark for _, chunk in left if chunk.mark] == ["1:0", "1:800"]


def test_pad_comes_before_the_next_reply_is_heard():
    """The next reply's play-out clock starts behind the pad of the one before."""
    playout = Playout(RATE_HZ, AHEAD)
    reply(playout, 10 * FRAME)
    run(playout, 0.0, 0.27)
    assert playout.is_over(0.27)
    playout.close(0.27)
    reply(playout, 10 * FRAME, number=2)
    run(playout, 0.27, 0.28)
    assert playout.ledger.advance(0.06 + 0.2 + 0.16 - 0.01) == 0


def test_file_line_gets_whole_sentences():
    """A line that plays files gets a sentence when it is complete, and the next one just before that has ended."""
    playout = Playout(RATE_HZ, FILES)
    playout.open(1)
    playout.sentence("one")
    playout.add(ramp(8000))
    assert run(playout, 0.0, 0.1) == []
    playout.sentence("two")
    playout.add(ramp(4000, 8001))
    playout.finish()
    left = run(playout, 0.1, 2.0)
    assert [len(chunk.pcm) for _, chunk in left] == [2 * 8000, 2 * 4000]
    assert [round(at, 1) for at, _ in left] == [0.1, 1.0]


def test_line_that_cannot_be_flushed_gets_short_files():
    """A long sentence is sent in pieces that end between words, none longer than the line allows, none lost."""
    playout = Playout(RATE_HZ, Egress(whole_sentences=True, longest_file_s=1.0))
    playout.open(1)
    playout.sentence("one two three four five six")
    for index in range(6):
        playout.word(index * 4, index * 0.5)
    playout.add(ramp(3 * RATE_HZ))
    playout.finish()
    left = run(playout, 0.0, 4.0)
    assert [round(at, 1) for at, _ in left] == [0.0, 1.0, 2.0]
    assert ramp(3 * RATE_HZ) == samples_of(left).tobytes()
    playout.close(4.0)
    playout.open(2)
    playout.sentence("a word without timing")
    playout.add(ramp(RATE_HZ * 5 // 2))
    playout.finish()
    assert all(len(chunk.pcm) <= 2 * RATE_HZ for _, chunk in run(playout, 4.0, 8.0))


def test_hold_fades_within_a_frame_and_throws_nothing_away():
    """A paced line that is held gets one faded frame and then nothing; what follows is still there."""
    playout = Playout(RATE_HZ, PACED)
    reply(playout, 50 * FRAME)
    run(playout, 0.0, 0.405)
    playout.hold(0.405)
    left = run(playout, 0.405, 1.0)
    assert len(left) == 1
    assert left[0][0] <= 0.405 + 0.020
    faded = samples_of(left)
    assert not faded[64:].any()
    assert playout.ledger.advance(1.0) == 21 * FRAME


def test_resume_loses_and_repeats_at_most_a_frame():
    """After a hold the reply goes on from the sample where it stopped; only the fade is said twice."""
    playout = Playout(RATE_HZ, PACED)
    reply(playout, 50 * FRAME)
    before = samples_of(run(playout, 0.0, 0.405))
    playout.hold(0.405)
    run(playout, 0.405, 0.8)
    playout.resume()
    after = samples_of(run(playout, 0.8, 2.0))
    assert len(before) + len(after) == 50 * FRAME
    whole = np.frombuffer(ramp(50 * FRAME), "<i2")
    assert (whole[: len(before)] == before).all()
    assert (whole[len(before) + 64 :] == after[64:]).all()
    assert playout.is_over(2.0)


def test_resume_before_the_fade_left_changes_nothing():
    """A hold that is taken back within the same frame leaves no trace in the audio."""
    playout = Playout(RATE_HZ, PACED)
    reply(playout, 50 * FRAME)
    left = run(playout, 0.0, 0.405)
    playout.hold(0.405)
    playout.resume()
    left += run(playout, 0.405, 2.0)
    assert ramp(50 * FRAME) == samples_of(left).tobytes()


def test_line_with_a_lead_is_flushed_on_hold_and_refilled_on_resume():
    """What sits downstream is flushed at the yield, and sent again from the heard sample on."""
    playout = Playout(RATE_HZ, AHEAD)
    reply(playout, 100 * FRAME)
    run(playout, 0.0, 0.5)
    playout.hold(0.5)
    assert playout.flush_due
    playout.flush_due = False
    heard = playout.ledger.advance(0.5)
    assert abs(heard - 0.44 * RATE_HZ) < FRAME
    assert run(playout, 0.5, 0.9) == []
    assert heard == playout.ledger.advance(0.9)
    playout.resume()
    left = run(playout, 0.9, 4.0)
    again = samples_of(left)
    cursor = heard - heard % FRAME
    whole = np.frombuffer(ramp(100 * FRAME), "<i2")
    assert (whole[cursor + 64 :] == again[64 : len(whole) - cursor]).all()


@pytest.mark.parametrize("egress", [PACED, AHEAD], ids=["paced", "ahead"])
def test_cut_flushes_and_forgets(egress):
    """A cut reply sends nothing further but its fade, asks for a flush, and leaves the text that was heard."""
    playout = Playout(RATE_HZ, egress)
    reply(playout, 100 * FRAME)
    run(playout, 0.0, 1.0)
    playout.cut(1.0)
    assert playout.flush_due
    assert len(run(playout, 1.0, 3.0)) <= 1
    assert playout.reply is None
    assert playout.spoken.heard(playout.ledger.advance(1.0)) == "one two"


def test_two_replies_at_once_are_refused():
    """A reply cannot be opened over another one."""
    playout = Playout(RATE_HZ, PACED)
    playout.open(1)
    with pytest.raises(MisuseError):
        playout.open(2)


def test_mark_moves_the_play_out_clock():
    """When the line plays later than estimated, its marks say so and the ledger follows."""
    playout = Playout(RATE_HZ, AHEAD)
    reply(playout, 100 * FRAME)
    run(playout, 0.0, 0.2)
    assert 1120 - 8 <= playout.ledger.heard <= 1120
    playout.marked("1:800", 0.30)
    assert playout.ledger.advance(0.30) <= 1120
    assert playout.ledger.advance(0.36) == 800 + 480
    playout.marked("7:800", 0.5)
    playout.marked("garbage", 0.5)


def test_reply_cannot_be_over_before_it_is_finished():
    """A reply whose audio ran out is not over while more may come, and goes on without a burst when it does."""
    playout = Playout(RATE_HZ, PACED)
    reply(playout, 5 * FRAME, finish=False)
    run(playout, 0.0, 1.0)
    assert not playout.is_over(1.0)
    playout.add(ramp(5 * FRAME))
    playout.finish()
    assert [at for at, _ in run(playout, 1.0, 2.0)][:3] == [1.0, 1.02, 1.04]


@given(
    st.sampled_from([PACED, AHEAD, FILES]),
    st.lists(st.sampled_from(["tick", "add", "hold", "resume", "mark", "late"]), min_size=5, max_size=80),
)
def test_no_sample_is_lost_or_doubled(egress, steps):
    """Under any order of holds, resumes, stalls and marks, the ledger keeps its bounds and the reply is played out."""
    playout, now, left = Playout(RATE_HZ, egress), 0.0, []
    playout.open(1)
    playout.sentence("first")
    for step in steps:
        now += 0.5 if step == "late" else 0.013
        match step:
            case "add":
                if playout.ledger.produced < 20_000:
                    playout.add(ramp(300, playout.ledger.produced + 1))
            case "hold":
                playout.hold(now)
            case "resume":
                if playout.held:
                    playout.resume()
            case "mark":
                playout.marked("1:0", now)
        while chunk := playout.tick(now):
            left.append(chunk)
        ledger = playout.ledger
        assert 0 <= ledger.heard <= ledger.sent <= ledger.produced
    if playout.held:
        playout.resume()
    playout.finish()
    run(playout, now, now + 12.0, step=0.01)
    assert playout.is_over(now + 12.0)
    assert playout.ledger.advance(now + 12.0) == playout.ledger.sent == playout.ledger.produced


def test_fade_belongs_to_no_reply():
    """The faded frame of a reply that was cut is not taken for the first sample of the next one."""
    playout = Playout(RATE_HZ, PACED)
    reply(playout, 10 * FRAME)
    assert playout.tick(1.0).reply == 1
    playout.cut(1.01)
    reply(playout, 10 * FRAME, number=2)
    assert [playout.tick(1.01).reply, playout.tick(1.06).reply] == [None, 2]


# --- lines that take exactly one frame each 20 ms --------------------------------------------------------------------

PACKETS = Egress(slots=lambda after: ceil(after / 0.020 - 1e-6) * 0.020)


def test_packet_line_gets_one_frame_in_every_slot():
    """Silence while there is nothing to say, then the reply, then silence: never a slot without a frame or with two."""
    playout = Playout(RATE_HZ, PACKETS)
    left = run(playout, 0.0, 0.1)
    reply(playout, 5 * FRAME + 7)
    left += run(playout, 0.1, 0.4)
    assert [at for at, _ in left] == [round(i * 0.020, 4) for i in range(20)]
    heard = samples_of(left)
    assert heard[5 * FRAME : 10 * FRAME + 7].tobytes() == ramp(5 * FRAME + 7)
    assert not heard[: 5 * FRAME].any()
    assert not heard[10 * FRAME + 7 :].any()
    assert playout.is_over(0.4)


def test_packet_line_never_gets_a_burst():
    """A stall is skipped: then the frames are on the grid again, one for each slot, and none of the reply is lost."""
    playout = Playout(RATE_HZ, PACKETS)
    reply(playout, 10 * FRAME)
    left = run(playout, 0.0, 0.05) + run(playout, 0.317, 0.6)
    assert [at for at, _ in left] == [0.0, 0.02, 0.04, 0.32, *(round(0.34 + i * 0.02, 4) for i in range(13))]
    assert samples_of(left)[: 10 * FRAME].tobytes() == ramp(10 * FRAME)


def test_packet_line_takes_a_frame_that_is_a_little_late():
    """A tick within half a slot still counts for its slot, and the next one comes on time."""
    playout = Playout(RATE_HZ, PACKETS)
    reply(playout, 4 * FRAME)
    left = run(playout, 0.0, 0.001) + run(playout, 0.027, 0.05)
    assert [at for at, _ in left] == [0.0, 0.027, 0.04]


def test_packet_line_fades_in_its_next_slot_and_resumes_to_the_sample():
    """A hold fades within the next frame; what was heard before and after it is the reply without loss or repeat."""
    playout = Playout(RATE_HZ, PACKETS, fade_ms=8)
    reply(playout, 20 * FRAME)
    left = run(playout, 0.0, 0.045)
    playout.hold(0.045)
    held = run(playout, 0.045, 0.2)
    assert playout.ledger.heard == 3 * FRAME
    fade = np.frombuffer(held[0][1].pcm, "<i2")
    assert held[0][0] == 0.06
    assert fade[:16].any()
    assert not fade[64:].any()
    assert not samples_of(held[1:]).any()
    assert len(held) == 7
    playout.resume()
    left += run(playout, 0.2, 0.7)
    assert samples_of(left)[3 * FRAME + 64 : 20 * FRAME].tobytes() == ramp(20 * FRAME)[2 * (3 * FRAME + 64) :]


def test_file_line_with_marks_has_one_for_every_file():
    """Where the line tells that a file begins, each one is told."""
    playout = Playout(RATE_HZ, evolve(FILES, marks=True))
    playout.open(1)
    for text in ("one two three", "four five six"):
        playout.sentence(text)
        playout.add(ramp(30 * FRAME + 11))
    playout.finish()
    marks = [chunk.mark for _, chunk in run(playout, 0.0, 1.0)]
    assert marks == ["1:0", f"1:{30 * FRAME + 11}"]
