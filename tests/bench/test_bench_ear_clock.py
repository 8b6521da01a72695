"""The ear clocks of the benchmark: pauses read from sound, evenness of packets, rows, and the lines they come from."""

from __future__ import annotations

import multiprocessing
import socket
import threading

import numpy as np
import pytest

from bench.bare_websocket import Masker
from bench.barge_in_clocks import FRAME, FRAME_S, Event, Heard
from bench.call_load import LoadError, LoadRecord
from bench.call_script import Kind, Played, Trial
from bench.ear_clock import BOUNDS_MS
from bench.ear_lines import ForkEarLine, PlainEarLine
from bench.ear_load import EarLoad
from bench.ear_rows import agreement_rows, clock_rows, cost_rows, grid_rows, read, silences
from bench.grid import grid_of
from bench.heard_pauses import EAR_AT, ENGINE_AT, FADED, PauseReader, last_audible
from bench.lane import LineRecord
from bench.packet_delay import Feed, delays_ms, feed, number_of, numbered
from bench.parked_calls import ParkedCalls
from bench.service_process import Cost
from tomrt.audio import ulaw_decode, ulaw_encode
from tomrt.caller.event_socket import SwitchSide

LOUD = np.full(FRAME, 1000, "<i2").tobytes()
QUIET = bytes(2 * FRAME)
FADE = LOUD[:120] + bytes(2 * FRAME - 120)
HALF = LOUD[:FRAME] + np.full(FRAME // 2, 5, "<i2").tobytes()


def listened(reader: PauseReader, frames: list[bytes], start: float = 0.0) -> list[Event]:
    """Return what *reader* makes of frames that are heard when they come."""
    return [
        event
        for number, pcm in enumerate(frames)
        for event in reader.frame(pcm, start + number * FRAME_S, start + number * FRAME_S)
    ]


def kinds(events: list[Event]) -> list[tuple[str, float]]:
    """Return type and time of each event."""
    return [(event.type, round(event.at, 3)) for event in events]


# --- pauses ----------------------------------------------------------------------------------------------------------


def test_a_hold_taken_back():
    """A fade and some silence are a hold, from the frame behind the fade on; sound after it is the resume."""
    events = listened(PauseReader(), [LOUD] * 10 + [FADE] + [QUIET] * 20 + [LOUD])
    assert kinds(events) == [("hold", 0.22), ("resume", 0.62)]
    said = dict(events[0].said)
    assert (said[ENGINE_AT], said[FADED]) == (pytest.approx(0.2), 1.0)
    assert said[EAR_AT] == pytest.approx(0.2 + 60 / 8000)


def test_a_hold_for_good():
    """What is silent for 620 ms after a fade was given up."""
    events = listened(PauseReader(), [LOUD] * 10 + [FADE] + [QUIET] * 60 + [LOUD])
    assert kinds(events) == [("hold", 0.22), ("flush", 0.82)]


def test_pauses_of_the_assistants_own():
    """A silence that did not begin with a fade is no message, unless it lasts too long to be within a reply."""
    assert listened(PauseReader(), ([LOUD] * 10 + [HALF] + [QUIET] * 15) * 2 + [LOUD]) == []
    events = listened(PauseReader(), [LOUD] * 10 + [HALF] + [QUIET] * 60)
    assert kinds(events) == [("hold", 0.22), ("flush", 0.82)]
    assert dict(events[0].said)[FADED] == 0.0


def test_silence_within_a_word_is_no_pause():
    """Up to 140 ms without sound are speech."""
    assert listened(PauseReader(), [LOUD, FADE, *[QUIET] * 6, LOUD] * 5) == []


def test_a_line_without_packets_is_silent_too():
    """Where nothing comes while nothing is said, time alone tells."""
    reader = PauseReader()
    listened(reader, [LOUD] * 10 + [FADE])
    assert reader.quiet(0.3) == []
    assert kinds(reader.quiet(0.37)) == [("hold", 0.22)]
    assert kinds(reader.quiet(0.9)) == [("flush", 0.82)]
    assert reader.quiet(5.0) == []


def test_a_verb_to_be_silent():
    """A line that is told to throw away what it holds has no fade; the clock of the engine runs to the verb."""
    reader = PauseReader()
    listened(reader, [LOUD] * 10)
    reader.killed(0.195)
    events = listened(reader, [LOUD] + [QUIET] * 20, 0.2)
    assert kinds(events) == [("hold", 0.195)]
    assert dict(events[0].said)[EAR_AT] == pytest.approx(0.22)
    assert dict(events[0].said)[ENGINE_AT] == 0.195


def test_the_fade_survives_the_codec():
    """A fade that went through mu-law still ends in nothing at all, and its last audible sample is where it was."""
    assert ulaw_decode(ulaw_encode(FADE))[120:] == FADE[120:]
    assert (last_audible(FADE), last_audible(QUIET), last_audible(LOUD)) == (59, -1, FRAME - 1)


# --- evenness --------------------------------------------------------------------------------------------------------


def test_a_grid_is_found_whatever_its_phase():
    """Packets on a grid are not late; one that is, is, by as much."""
    times = 7.003 + 0.02 * np.arange(500)
    assert grid_of(times).late_s.max() < 1e-9
    times[300] += 0.004
    found = grid_of(times)
    assert found.late_s.max() == pytest.approx(0.004)
    assert (found.excess, found.missing) == (0, 0)


def test_bursts_and_gaps():
    """A tick without a packet is missing, a second one within a tick is one too many."""
    times = 0.02 * np.arange(500)
    late = np.delete(times, [300, 301])
    assert (grid_of(late).excess, grid_of(late).missing) == (0, 2)
    burst = times.copy()
    burst[300:303] = times[302] + np.array([0.0, 0.0002, 0.0004])
    assert (grid_of(burst).excess, grid_of(burst).missing) == (2, 2)
    assert grid_of(np.zeros(0)).missing == 0


# --- rows ------------------------------------------------------------------------------------------------------------


def trial(onset: int = 40) -> Trial:
    """Return an interruption of a second."""
    return Trial(situation="clean", kind=Kind.INTERRUPTION, what="stop", by="me", pcm=b"", onset=onset, end=8000)


def line(frames: list[bytes], *, more: tuple[Event, ...] = ()) -> LineRecord:
    """Return a line on which *frames* were heard, with an interruption whose frame was sent at 4.0 s."""
    reader, events = PauseReader(), []
    for number, pcm in enumerate(frames):
        events += reader.frame(pcm, number * FRAME_S, number * FRAME_S)
    return LineRecord(
        trials=(trial(),),
        played=(Played(0, 4.0, 4.0, 4.0, 5.0, 6.0),),
        heard=Heard(
            np.arange(len(frames)) * FRAME_S,
            np.array([last_audible(pcm) >= 0 for pcm in frames]),
            tuple(sorted((*events, *more), key=lambda event: event.at)),
        ),
        voice=b"",
        ended_at=len(frames) * FRAME_S,
    )


HEEDED = [LOUD] * 203 + [FADE] + [QUIET] * 60 + [LOUD] * 60
"""The fade is the frame at 4.06 s."""
IGNORED = [LOUD] * 324


def run(*lines: LineRecord, path: str = "unicast"):
    """Return lines as a run."""
    record = LoadRecord(lines=lines, seconds=8.0, cpu_s=0.1, late_s=np.array([0.001]))
    return read(path, record, Cost(cpu_s=1.0, seconds=8.0, idle_mb=50.0, peak_mb=60.0))


def test_the_clock_begins_in_the_callers_mouth():
    """The ear clock counts from the first sample spoken, before its packet was whole, to the last one heard."""
    (found,) = silences(line(HEEDED))
    assert found.engine_ms == pytest.approx(60.0)
    assert found.ear_ms == pytest.approx(60.0 + 60 / 8 + (FRAME - 40) / 8)
    assert not found.own


def test_who_does_not_fall_silent_has_no_clock():
    """An interruption that is ignored, or met by a pause of the assistant's own, is counted but not timed."""
    (found,) = silences(line(IGNORED))
    assert (found.ear_ms, found.own) == (None, False)
    (found,) = silences(line([LOUD] * 203 + [HALF] + [QUIET] * 60 + [LOUD] * 60))
    assert (found.ear_ms, found.own) == (None, True)


def test_rows_of_the_clocks():
    """Bound and peer stand in the row of the p99 of the ear, and what was ignored in one of its own."""
    unicast, plain = run(line(HEEDED), line(IGNORED)), run(line(HEEDED), path="plain")
    rows = {row.name: row for row in clock_rows(unicast, plain, BOUNDS_MS["unicast"])}
    row = rows["ear clock p99, first silence, 15 dB and better, of 1, unicast, 2 calls"]
    assert (row.value, row.bound, row.met) == (pytest.approx(82.5), 140.0, True)
    assert row.peer_value == pytest.approx(82.5)
    assert rows["did not fall silent, of 2 (0 had paused by themselves), unicast, 2 calls"].value == 50.0
    assert clock_rows(run(), None, None) == []
    costs = {row.name: row.value for row in cost_rows(unicast, plain)}
    assert costs["service per call, unicast, 2 calls"] == pytest.approx(6.25)


def test_rows_of_the_grid():
    """The evenness of all lines together, with the bound of 5 ms and none beyond one for each 20 ms."""
    rows = {row.name: row for row in grid_rows(run(line(IGNORED), line(HEEDED)))}
    assert rows["packets off their line's grid p99, unicast, 2 calls"].met is True
    assert rows["packets beyond one for each 20 ms, unicast, 2 calls"].value == 0
    assert rows["packets missing, unicast, 2 calls"].value == 0


def test_what_is_heard_is_held_against_what_is_announced():
    """On the plain path the pauses that were heard are compared with those that the service told of."""
    told = (Event(4.07, 204, "said hold"), Event(1.0, 50, "said hold"))
    (row,) = agreement_rows([run(line(HEEDED, more=told), path="plain")])
    assert row.value == 50.0
    assert agreement_rows([run(line(HEEDED))]) == []


# --- lines -----------------------------------------------------------------------------------------------------------


def load(carried: str, port: int) -> EarLoad:
    """Return a load of one call that only listens."""
    return EarLoad(
        host="127.0.0.1", port=port, path="/call", scripts=((),), floor=QUIET * 2, longest_s=0.3, carried=carried
    )


def test_a_call_handed_over_by_unicast():
    """The load is the switch: it goes along until its audio is on, carries it both ways, and hangs up."""
    told, packets = [], []
    with socket.create_server(("127.0.0.1", 0)) as server, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as ours:
        ours.bind(("127.0.0.1", 0))
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as lent:
            lent.bind(("127.0.0.1", 0))
            theirs = lent.getsockname()[1]

        def serve() -> None:
            peer, _ = server.accept()
            command = f"sendmsg\ncall-command: unicast\nlocal-port: {theirs}\nremote-port: {ours.getsockname()[1]}\n"
            peer.sendall(f"connect\n\n{command}flags: native\n\n".encode())
            for _ in range(5):
                packet, address = ours.recvfrom(4096)
                packets.append(packet)
                ours.sendto(ulaw_encode(LOUD), address)
            while data := peer.recv(4096):
                told.append(data)
            peer.close()

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        record = load("unicast", server.getsockname()[1]).run()
        thread.join(5)
    (found,) = record.lines
    assert {len(packet) for packet in packets} == {FRAME}
    assert found.heard.audible.tolist() == [True] * 5
    assert b"Event-Name: CHANNEL_DATA" in b"".join(told)
    assert b"text/disconnect-notice" in b"".join(told)


def test_nobody_takes_the_call():
    """A service that is not there, or asks for no audio, is told in a sentence."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]

        def refuse() -> None:
            server.accept()[0].close()

        threading.Thread(target=refuse, daemon=True).start()
        with pytest.raises(LoadError, match="failed: "):
            load("unicast", port).run()
    with pytest.raises(LoadError, match="refused"):
        load("unicast", port).run()


def test_the_forks_ear():
    """What comes waits for the pre-buffer, a verb ends it at the switch's next frame, and marks are reported."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.setblocking(False)
        made = ForkEarLine(0, load("fork", 0).script(0), False, ours, _masker())
        begun = made.begun_at
        made.told({"type": "mark", "data": {"name": "m"}}, begun)
        made.hear(LOUD * 20, begun + 0.001)
        made.send(begun + 0.1)
        made.told({"type": "killAudio"}, begun + 0.105)
        for tick in range(20):
            made.send(begun + 0.12 + tick * FRAME_S)
        heard = np.array(made.times)[np.frombuffer(bytes(made.loud), bool)] - begun
        assert heard[0] == pytest.approx(0.02)
        assert heard[-1] == pytest.approx(0.10)
        (hold,) = made.events
        assert (hold.type, hold.at - begun) == ("hold", pytest.approx(0.105))
        assert dict(hold.said)[EAR_AT] - begun == pytest.approx(0.12)


def _masker():
    """Return something that frames messages without hiding them."""
    return Masker(bytes(4), 2 * FRAME)


def test_the_plain_ear_reads_sound_alone():
    """What the service says of itself is kept beside and steers nothing."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        made = PlainEarLine(0, load("plain", 0).script(0), False, ours, _masker())
        for number, pcm in enumerate([LOUD] * 10 + [FADE] + [QUIET] * 20):
            made.hear(pcm, number * FRAME_S)
        made.told({"type": "resume"}, 1.0)
        assert [event.type for event in made.events] == ["hold", "said resume"]


# --- the way in, and the control connection --------------------------------------------------------------------------


def test_packets_are_known_again():
    """A packet's samples are its number; parts of two are none."""
    assert number_of(numbered(7, 8000)) == 7
    assert number_of(numbered(7, 8000)[:100] + numbered(8, 8000)[:220]) is None
    assert number_of(QUIET) is None
    assert number_of(b"") is None
    sent = np.array([0.0, 4.0, 5.0])
    assert delays_ms(sent, {0: 0.5, 2: 5.003, 9: 1.0}, 0.5).tolist() == [pytest.approx(3.0)]


def test_the_feed_sends_what_it_promises():
    """Packets go out numbered, in order, and it is told when each of them left."""
    mine, its = multiprocessing.Pipe(duplex=False)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as ours:
        ours.bind(("127.0.0.1", 0))
        ours.settimeout(5)
        what = Feed(targets=(ours.getsockname(),), sources=(0,), seconds=0.1, rtp=False)
        feed(what, its)
        assert [number_of(ours.recv(4096)) for _ in range(5)] == list(range(5))
    sent, begun = mine.recv()
    assert len(sent) == what.packets == 5
    assert np.all(np.diff(sent) > 0)
    assert sent[0] >= begun


def test_a_switch_with_parked_calls():
    """It lets in who knows the password, parks its calls once, knows them again, and opens their audio."""
    switch = ParkedCalls({"a": SwitchSide(uuid="a"), "b": SwitchSide(uuid="b")})
    assert b"+OK accepted" in switch.answer(b"auth ClueCon\n\n")
    assert b"-ERR" in switch.answer(b"auth no\n\n")
    assert b"CHANNEL_PARK" not in switch.answer(b"event plain ALL\n\n")
    assert switch.listening
    first = switch.answer(b"api show channels as json\n\n")
    assert first.count(b"Event-Name: CHANNEL_PARK") == 2
    assert b'"rows": []' in first
    again = switch.answer(b"api show channels as json\n\n")
    assert again.count(b'"application": "park"') == 2
    assert b"CHANNEL_PARK" not in again
    assert switch.answer(b"api uuid_getvar a tomrt_media\n\n").endswith(b"unicast")
    assert switch.answer(b"api uuid_exists a\n\n").endswith(b"true")
    switch.answer(b"sendmsg b\ncall-command: unicast\nlocal-port: 4000\nremote-po")
    assert switch.sides["b"].unicast is None
    switch.answer(b"rt: 4001\n\n")
    assert switch.sides["b"].unicast is not None
    assert switch.sides["a"].unicast is None
