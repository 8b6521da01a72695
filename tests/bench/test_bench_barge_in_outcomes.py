"""What the barge-in benchmark makes of a line's record."""

from __future__ import annotations

import numpy as np
import pytest

from bench.barge_in_clocks import FRAME, Event, Heard
from bench.barge_in_outcomes import outcomes, pauses, quiet, reference, resumes
from bench.barge_in_rows import engine_rows, measured, panel_rows, quality_rows, traced, void
from bench.call_load import LineRecord, LoadRecord
from bench.call_script import Kind, Played, Trial
from bench.service_process import Cost
from bench.turn_latency import stages

TONE = (3000 * np.sin(np.arange(FRAME) * 0.3)).astype("<i2").tobytes()


def trial(situation="clean", kind=Kind.INTERRUPTION, seconds=1.0):
    """Return a trial without a sound: only its times matter here."""
    return Trial(situation=situation, kind=kind, what="stop", by="me", pcm=b"", onset=0, end=int(8000 * seconds))


def line(events, *, until=8.0, gaps=(), trials=None, played=None):
    """Return a line with an audible frame each 20 ms but in *gaps*; *events* are (time, type, reply, outcome)."""
    times = np.array([at for at in np.arange(0, until, 0.02) if not any(a <= at < b for a, b in gaps)])
    made = tuple(Event(at, int(np.sum(times < at)), kind, reply, outcome) for at, kind, reply, outcome in events)
    one = trial()
    return LineRecord(
        trials=trials or (one,),
        played=played or (Played(0, 3.0, 3.0, 3.001, 4.0, 5.0),),
        heard=Heard(times, np.ones(len(times), bool), made),
        voice=TONE * len(times),
        ended_at=until,
    )


INTERRUPTED = line(
    [(0.0, "audible", 1, ""), (3.06, "hold", 1, ""), (3.45, "flush", 0, ""), (3.45, "answered", 1, "cut"),
     (4.8, "audible", 2, "")],
    gaps=((3.08, 4.8),),
)  # fmt: skip
TAKEN_BACK = line([(0.0, "audible", 1, ""), (3.06, "hold", 1, ""), (3.5, "resume", 1, "")], gaps=((3.08, 3.5),))


def test_an_interruption():
    """A reply that is held and cut is a commit, with all its clocks."""
    (found,) = outcomes(INTERRUPTED, 3)
    assert (found.void, found.committed, found.held, found.resumed, found.line) == ("", True, 1, 0, 3)
    assert found.engine_ms == pytest.approx(59.0)
    assert found.first_hold_ms == pytest.approx(59.0)
    assert found.commit_ms == pytest.approx(449.0)
    assert found.response_ms == pytest.approx(800.0)


def test_a_pause_taken_back():
    """A reply that goes on is no commit, and how long it was silent is known."""
    (found,) = outcomes(TAKEN_BACK, 0)
    assert (found.committed, found.held, found.resumed, found.engine_ms) == (False, 1, 1, None)
    (pause,) = pauses(TAKEN_BACK.heard)
    assert pause.silent_ms == pytest.approx(440.0)
    assert pauses(line([]).heard) == []


@pytest.mark.parametrize(
    ("events", "gaps", "why"),
    [
        ([(3.0, "hold", 1, ""), (3.4, "flush", 0, "")], ((3.0, 8),), "silenced just before the onset"),
        ([(3.4, "answered", 1, "completed")], ((3.4, 8),), "the reply ended by itself"),
        ([], ((2.0, 8),), "the assistant was silent at the onset"),
    ],
)
def test_trials_that_say_nothing(events, gaps, why):
    """A trial in which the assistant was not there to be interrupted is void, and says why."""
    (found,) = outcomes(line(events, gaps=gaps), 0)
    assert found.void == why


def test_a_trial_that_never_got_to_its_sound():
    """Where noise kept the assistant silent, only the noise is counted."""
    nan = float("nan")
    (found,) = outcomes(
        line([(4.0, "hold", 1, "")], gaps=((4.0, 4.5),), played=(Played(0, 3.0, nan, nan, nan, 5.0),)), 0
    )
    assert (found.void, found.held_early) == ("the assistant did not talk for a second in the noise", 1)
    assert found.early_s == pytest.approx(1.5, abs=0.03)


def test_unfinished_trials_are_left_out():
    """A trial that the end of the run cut off is not counted, in whatever state it was."""
    nan = float("nan")
    for played in (Played(0, 3.0), Played(0, 3.0, 3.0, 3.0, nan, nan), Played(0, 3.0, 3.0, 3.0, 7.5, 8.5)):
        assert outcomes(line([], played=(played,)), 0) == []


def test_the_next_trial_ends_the_last():
    """What the service does after the next trial has begun is not laid to the one before it."""
    played = (Played(0, 3.0, 3.0, 3.0, 4.0, 5.0), Played(1, 6.0, 6.0, 6.0, 6.5, 7.0))
    record = line([(6.1, "hold", 1, ""), (6.4, "flush", 0, "")], trials=(trial(), trial()), played=played)
    first, second = outcomes(record, 0)
    assert (first.committed, second.committed) == (False, True)


def test_a_quiet_line():
    """Pauses and speech outside of trials are told apart from those within, also when a trial was cut off."""
    holds = [(1.0, "hold", 1, ""), (3.5, "hold", 1, ""), (7.0, "hold", 1, "")]
    count, seconds = quiet(line(holds))
    assert (count, seconds) == (2, pytest.approx(8.0 - 2.6, abs=0.05))
    count, seconds = quiet(line(holds, played=(Played(0, 3.0),)))
    assert (count, seconds) == (1, pytest.approx(3.0, abs=0.05))


def test_the_reference_is_the_longest_reply_in_one_piece():
    """A reply is known as far as it was heard without a pause, on whichever line."""
    assert len(reference([TAKEN_BACK, line([(0.0, "audible", 1, ""), (5.0, "hold", 1, "")])])) == 2 * FRAME * 250
    assert reference([]) == b""
    assert resumes([]).unknown == 0


def run(*lines):
    """Return lines as a run."""
    record = LoadRecord(lines=lines, seconds=8.0, cpu_s=0.1, late_s=np.array([0.001]))
    return measured(len(lines), record, Cost(cpu_s=1.0, seconds=8.0, idle_mb=50.0, peak_mb=60.0))


def test_rows():
    """Each line of the table has its row with its bound, and what was not tried has none."""
    found = run(INTERRUPTED, line([], gaps=()))
    clock = {row.name: row for row in engine_rows(found, "15 dB", ("clean",), {"p99": (120.0, 100.0)})}
    assert clock["engine clock p99, 15 dB, 2 calls"].value == pytest.approx(59.0)
    assert clock["engine clock p99, 15 dB, 2 calls"].met is True
    rows = {row.name: row for row in quality_rows(found)}
    assert rows["real interruptions missed, of 2, 2 calls"].value == 50.0
    assert rows["real interruptions missed, of 2, 2 calls"].met is False
    assert not any("backchannel" in name for name in rows)
    panel = {row.name: row.value for row in panel_rows(found)}
    assert panel["panel: yield rate R_Y, 2 calls"] == 0.5
    assert panel["panel: yield latency L_Y, mean, 2 calls"] == pytest.approx(0.059)
    assert engine_rows(found, "15 dB", ("babble",), {}) == []


def test_backchannels():
    """A backchannel that was only paused at kept the floor, but did not go unnoticed."""
    short = TAKEN_BACK.__class__(
        trials=(trial("backchannel", Kind.SHORT),), played=TAKEN_BACK.played, heard=TAKEN_BACK.heard,
        voice=TAKEN_BACK.voice, ended_at=8.0,
    )  # fmt: skip
    found = run(short)
    rows = {row.name: row.value for row in (*quality_rows(found), *panel_rows(found))}
    assert rows["backchannels committed, of 1, 1 call"] == 0.0
    assert rows["panel: selectivity S_BC, backchannel, kept the floor, 1 call"] == 1.0
    assert rows["panel: selectivity S_BC, backchannel, did not even pause, 1 call"] == 0.0
    assert void(found) == "1 of 1 trials took place."
    assert traced(found)[0]["resumed"] == 1


def test_stages_of_a_turn():
    """The stages of a turn count from the last sample of the speech, and what the service does not say is unknown."""
    times = np.arange(4.8, 8.0, 0.02)
    told = (
        Event(4.3, 0, "turn", said=(("turn", 1.0), ("hangover_ms", 250.0))),
        Event(4.2, 0, "understood"),
        Event(4.8, 1, "audible", 2),
    )
    played = Played(0, 3.0, 3.0, 3.0, 4.0, 5.0)
    found = stages(Heard(times, np.ones(len(times), bool), told), trial(), played, 9.0)
    assert found is not None
    assert (found.decided, found.hangover) == (pytest.approx(300.0), 250.0)
    assert (found.understood, found.audible) == (pytest.approx(200.0), pytest.approx(800.0))
    silent = stages(Heard(times, np.ones(len(times), bool), ()), trial(), played, 9.0)
    assert silent is not None
    assert (silent.decided, silent.hangover, silent.understood) == (None, None, None)
    assert stages(Heard(times, np.zeros(len(times), bool), told), trial(), played, 9.0) is None
