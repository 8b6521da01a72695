"""The models of the switch's play-out are sample accurate."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tomrt.caller.player import MAX_QUEUED_S, MarkReport, Player, file_player, fork_player
from tomrt.errors import ProtocolError

RATE_HZ = 8000
MS = RATE_HZ // 1000


def tone(ms: int, value: int = 1000, rate_hz: int = RATE_HZ) -> bytes:
    return value.to_bytes(2, "little") * (ms * rate_hz // 1000)


def runs(player: Player) -> list[tuple[int, int, int]]:
    """Each stretch of equal samples that are not 0: value, first sample, samples."""
    samples = np.frombuffer(bytes(player.heard), dtype="<i2")
    edges = [0, *(np.flatnonzero(np.diff(samples)) + 1).tolist(), len(samples)]
    return [(int(samples[a]), a, b - a) for a, b in itertools.pairwise(edges) if b > a and samples[a]]


def test_plain_plays_on_arrival():
    """A frame sounds from the sample at which it arrives, frames behind each other without a gap."""
    player = Player(rate_hz=RATE_HZ)
    player.play(tone(20, 1), 1000)
    player.play(tone(20, 2), 1100)
    player.play(tone(20, 3), 2000)
    player.advance(3000)
    assert runs(player) == [(1, 1000, 160), (2, 1160, 160), (3, 2000, 160)]


def test_plain_flush_cuts_at_the_sample():
    """A flush silences from the sample at which it arrives."""
    player = Player(rate_hz=RATE_HZ)
    player.play(tone(1000, 1), 0)
    player.kill(333)
    player.advance(20_000)
    assert runs(player) == [(1, 0, 333)]


@given(
    pieces=st.lists(st.tuples(st.integers(0, 400), st.binary(max_size=700)), max_size=8),
    cuts=st.lists(st.integers(0, 700), max_size=5),
    looks=st.lists(st.integers(0, 4000), max_size=5),
)
def test_what_is_heard_does_not_depend_on_how_it_is_cut(pieces, cuts, looks):
    """However bytes are cut into messages of one moment, and however often one looks, the same is heard."""
    whole, cut = Player(rate_hz=RATE_HZ), Player(rate_hz=RATE_HZ)
    at = 0
    for gap, piece in pieces:
        at += gap
        whole.play(piece, at)
        edges = sorted({0, len(piece), *(each for each in cuts if each < len(piece))})
        for a, b in itertools.pairwise(edges):
            cut.play(piece[a:b], at)
        for look in sorted(looks):
            if look < at:
                cut.advance(look)
    whole.advance(at + 10_000)
    cut.advance(at + 10_000)
    assert whole.heard == cut.heard
    assert len(whole.heard) == 2 * (at + 10_000)


def test_fork_does_not_play_what_its_prebuffer_holds():
    """120 ms never sound, and come out in front of what is sent later."""
    player = fork_player(RATE_HZ)
    player.play(tone(120, 1), 0)
    player.advance(10_000)
    assert runs(player) == []
    player.play(tone(40, 2), 10_000)
    player.advance(20_000)
    assert runs(player) == [(1, 10_000, 120 * MS), (2, 10_000 + 120 * MS, 40 * MS)]


@pytest.mark.parametrize(("rate_hz", "first_ms", "step_ms"), [(8000, 160, 80), (16_000, 80, 40)])
def test_fork_releases_in_steps(rate_hz, first_ms, step_ms):
    """Paced audio begins after the pre-buffer; less than a step stays stuck at the end."""
    player = fork_player(rate_hz)
    frame = rate_hz // 50
    for number in range(1, 11):
        player.play(tone(20, 7, rate_hz), number * frame)
    player.advance(60 * frame)
    ((_, start, samples),) = runs(player)
    assert start == first_ms // 20 * frame
    assert samples == (200 - 200 % step_ms) * rate_hz // 1000
    player.play(tone(step_ms, 8, rate_hz), 60 * frame)
    player.advance(100 * frame)
    assert [value for value, _, _ in runs(player)] == ([7, 7, 8] if 200 % step_ms else [7, 8])


def test_fork_plays_a_burst_in_real_time_and_kill_drops_it():
    """Four seconds in one burst play at normal speed, until killAudio."""
    player = fork_player(RATE_HZ)
    player.play(tone(4000), 0)
    player.kill(RATE_HZ)
    player.advance(5 * RATE_HZ)
    assert runs(player) == [(1000, 0, RATE_HZ)]


def test_fork_reports_marks_when_they_play():
    """A mark comes back when the sample behind it has played, and never when no audio follows."""
    player = fork_player(RATE_HZ)
    player.mark("a")
    player.play(tone(160), 0)
    player.mark("b")
    assert player.reports() == []
    player.advance(1)
    assert player.reports() == [MarkReport("a", "playout")]
    player.advance(8000)
    assert player.reports() == []
    player.play(tone(80), 8000)
    player.advance(8001)
    assert player.reports() == [MarkReport("b", "playout")]


def test_fork_clears_marks_on_kill():
    """Marks that have not played come back as cleared; clearMarks forgets them."""
    player = fork_player(RATE_HZ)
    for name in ("a", "b"):
        player.mark(name)
        player.play(tone(400), 0)
    player.kill(100)
    assert player.reports() == [MarkReport("a", "playout"), MarkReport("b", "cleared")]
    player.mark("c")
    player.clear_marks()
    player.play(tone(400), 200)
    player.advance(8000)
    assert player.reports() == []


def test_fork_keeps_thirty_marks():
    """The thirty-first outstanding mark is refused."""
    player = fork_player(RATE_HZ)
    for number in range(30):
        player.mark(str(number))
    with pytest.raises(ProtocolError, match="30 marks"):
        player.mark("31")


def test_files_play_in_order():
    """A file starts 20 ms after it came, the next right behind it; a kill breaks the one that plays."""
    player = file_player(RATE_HZ)
    player.play(tone(100, 1), 1000)
    player.play(tone(100, 2), 1100)
    player.kill_current(1000 + 20 * MS + 50)
    player.advance(9000)
    player.play(tone(100, 3), 9000)
    player.advance(12_000)
    assert runs(player) == [
        (1, 1000 + 20 * MS, 50),
        (2, 1000 + 20 * MS + 50, 100 * MS),
        (3, 9000 + 20 * MS, 100 * MS),
    ]


def test_a_player_holds_ten_minutes_and_counts_what_it_drops():
    """What does not fit is dropped and counted."""
    player = Player(rate_hz=RATE_HZ)
    player.play(bytes(2 * RATE_HZ * MAX_QUEUED_S), 0)
    player.play(tone(20), 0)
    assert (player.queued_samples, player.dropped_samples) == (RATE_HZ * MAX_QUEUED_S, 20 * MS)


def test_drain_plays_the_rest():
    """Draining plays all that is queued, in no time."""
    player = file_player(RATE_HZ)
    player.play(tone(100, 1), 0)
    player.drain()
    assert runs(player) == [(1, 20 * MS, 100 * MS)]
    assert player.queued_samples == 0
