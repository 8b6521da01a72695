"""The callers of the barge-in benchmark: their sounds, what they do when, and their side of the WebSocket."""

from __future__ import annotations

import socket
import threading

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.bare_websocket import BINARY, CLOSE, PING, TEXT, Frames, Masker, accepted, request
from bench.barge_in_plan import ALONE, CLEAR, backchannels, dealt, dialogue, floor, listed, material, trials
from bench.call_load import Load, LoadError, run
from bench.call_script import FRAME, TALKS, CallerScript, Kind, Trial
from bench.caller_noises import KNOCKS, STEADY, knock, steady
from bench.caller_sounds import active_rms, at_level, line_band, mu_law, trimmed
from tomrt.dialogue.script import parse_script

RANDOM = np.random.default_rng(5)
LOUD = np.full(FRAME, 1000, "<i2").tobytes()
QUIET = bytes(2 * FRAME)


# --- the WebSocket ---------------------------------------------------------------------------------------------------


def served(opcode, payload, *, final=True):
    """Return a server's frame."""
    head = bytes(((0x80 if final else 0) | opcode,))
    size = len(payload)
    if size < 126:
        return head + bytes((size,)) + payload
    return (
        head
        + (bytes((126,)) + size.to_bytes(2, "big") if size < 65536 else bytes((127,)) + size.to_bytes(8, "big"))
        + payload
    )


@given(st.lists(st.tuples(st.sampled_from((TEXT, BINARY, PING, CLOSE)), st.binary(max_size=300))), st.data())
def test_messages_do_not_depend_on_how_the_bytes_come(messages, data):
    """Whatever the cuts, the same messages come out in the same order."""
    stream = b"".join(served(opcode, payload) for opcode, payload in messages)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=8)))
    frames, found = Frames(), []
    for begin, end in zip([0, *cuts], [*cuts, len(stream)], strict=True):
        found += frames.feed(stream[begin:end])
    assert found == messages


def test_long_and_fragmented_messages():
    """Messages of every length field come out, and one in pieces is put together around a ping."""
    frames = Frames()
    parts = served(BINARY, b"ab", final=False) + served(PING, b"p") + served(0, b"cd")
    assert list(frames.feed(served(BINARY, bytes(70_000)) + parts)) == [
        (BINARY, bytes(70_000)),
        (PING, b"p"),
        (BINARY, b"abcd"),
    ]


@given(st.binary(min_size=4, max_size=4), st.binary(min_size=320, max_size=320), st.binary(max_size=200))
def test_masking(mask, pcm, other):
    """The fast way masks as the plain one does, and a mask undone gives the payload back."""
    masker = Masker(mask, 320)
    assert masker.audio(pcm) == masker.frame(BINARY, pcm)
    sent = masker.frame(TEXT, other)
    begin = 2 if len(other) < 126 else 4
    assert sent[begin : begin + 4] == mask
    assert bytes(byte ^ mask[at % 4] for at, byte in enumerate(sent[begin + 4 :])) == other


def test_handshake():
    """An upgrade is accepted with the right proof only, and a refusal is told in its own words."""
    head = request("h", 1, "/call?x=1")
    assert head.startswith(b"GET /call?x=1 HTTP/1.1\r\nHost: h:1\r\n")
    assert head.endswith(b"\r\n\r\n")
    assert "503" in accepted(b"HTTP/1.1 503 Service Unavailable\r\n")
    assert "prove" in accepted(b"HTTP/1.1 101 Switching Protocols\r\nSec-WebSocket-Accept: abc=\r\n")


def load(port):
    """Return a load of one silent call."""
    return Load(host="127.0.0.1", port=port, path="/call", scripts=((),), floor=QUIET * 2, longest_s=5.0)


@pytest.mark.parametrize(
    ("answer", "sentence"),
    [
        (
            b"HTTP/1.1 503 Service Unavailable\r\n\r\nall lines busy",
            "call 1 .* failed: it answered .*503.*all lines busy",
        ),
        (b"", "closed it before it was accepted"),
    ],
)
def test_a_service_that_refuses_is_told_of(answer, sentence):
    """A service that refuses or hangs up ends the load with one sentence."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve():
            peer, _ = listener.accept()
            with peer:
                peer.recv(4096)
                peer.sendall(answer)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            with pytest.raises(LoadError, match=sentence):
                run(load(listener.getsockname()[1]))
        finally:
            thread.join()


def test_no_service_is_told_of():
    """Where nobody listens the load says so."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with pytest.raises(LoadError, match="failed"):
        run(load(port))


# --- what a caller does ----------------------------------------------------------------------------------------------


def sound(frames=5, onset=FRAME + 10, **more):
    """Return a trial whose samples tell their place."""
    pcm = np.arange(frames * FRAME, dtype="<i2").tobytes()
    return Trial(
        situation="s", kind=Kind.INTERRUPTION, what="w", by="b", pcm=pcm, onset=onset, end=frames * FRAME - 3, **more
    )


def listened(script, frames, *, begin=0.0, pcm=LOUD):
    """Run *script* for so many frames with the assistant's *pcm* in each; return what it sent."""
    sent = []
    for at in range(frames):
        if pcm:
            script.hear(pcm, begin + 0.02 * at)
        sent.append(script.frame(begin + 0.02 * at))
    return sent


def test_a_trial_begins_when_the_assistant_has_talked_for_a_second():
    """Before that the line carries its floor; then the trial's samples, each once, and their times are written down."""
    script = CallerScript((sound(),), QUIET * 3)
    sent = listened(script, TALKS + 8)
    begin = TALKS - 1
    assert set(sent[:begin]) == {QUIET}
    assert b"".join(sent[begin : begin + 5]) == sound().pcm
    assert sent[begin + 5] == QUIET
    (played,) = script.played
    assert (played.begun_at, played.onset_at) == (pytest.approx(0.02 * begin), pytest.approx(0.02 * (begin + 1)))
    assert (played.end_at, played.done_at) == (pytest.approx(0.02 * (begin + 4)), pytest.approx(0.02 * (begin + 4) + 1))
    assert not script.finished


def test_a_trial_waits_for_sound_and_for_no_hold():
    """No trial begins over a silent or held assistant; after a resume the second counts anew."""
    script = CallerScript((sound(),), QUIET)
    listened(script, 2 * TALKS, pcm=QUIET)
    listened(script, TALKS - 2, begin=2.0)
    script.told("hold")
    listened(script, 10, begin=3.0, pcm=b"")
    script.told("resume")
    listened(script, TALKS - 2, begin=4.0)
    assert script.played == []
    listened(script, 3, begin=5.0)
    assert len(script.played) == 1


def test_what_is_around_a_caller_is_there_before():
    """Noise goes round in its loop, from the beginning of the trial on, until the assistant talks, or for 12 s."""
    script = CallerScript((sound(8, 6 * FRAME, loop=(1, 4)),), QUIET)
    frames = [sound(8).pcm[2 * FRAME * at : 2 * FRAME * (at + 1)] for at in range(8)]
    sent = listened(script, 12, pcm=b"")
    assert sent == [frames[at] for at in (0, 1, 2, 3, 1, 2, 3, 1, 2, 3, 1, 2)]
    assert np.isnan(script.played[0].released_at)
    sent = listened(script, TALKS + 3, begin=1.0)
    assert sent[TALKS - 1 :] == frames[4:8]
    assert script.played[0].begun_at == 0.0
    assert script.played[0].released_at == pytest.approx(1.0 + 0.02 * (TALKS - 1))
    assert script.played[0].onset_at == pytest.approx(1.0 + 0.02 * (TALKS + 1))
    script = CallerScript((sound(8, 6 * FRAME, loop=(1, 4)),), QUIET)
    sent = listened(script, 601, pcm=b"")
    assert sent[-2:] != [QUIET, QUIET]
    assert listened(script, 2, begin=12.04, pcm=b"") == [QUIET, QUIET]
    assert np.isnan(script.played[0].onset_at)
    assert script.finished


def test_a_trial_in_turn_waits_for_the_end_of_the_answer():
    """A caller who waits its turn speaks 0.4 s after an answer is over, and not in a pause of it."""
    script = CallerScript((sound(),), QUIET, in_turn=True)
    listened(script, 10)
    listened(script, 100, begin=1.0, pcm=b"")
    assert script.played == []
    script.told("answered")
    listened(script, 2, begin=3.0, pcm=b"")
    assert len(script.played) == 1


def test_an_assistant_that_says_nothing_is_a_failure():
    """A caller does not wait for ever."""
    script = CallerScript((sound(),), QUIET)
    script.frame(0.0)
    script.frame(39.0)
    assert script.failed == ""
    script.frame(41.0)
    assert "said nothing for 40 s" in script.failed


def test_echo():
    """With echo the assistant's voice comes back 25 dB down, six frames after it was played."""
    pcm = bytes(2 * FRAME * 20)
    trial = Trial(situation="e", kind=Kind.NOISE, what="echo", by="", pcm=pcm, onset=0, end=20 * FRAME, echo=True)
    script = CallerScript((trial,), QUIET)
    listened(script, TALKS - 1)
    sent = listened(script, 10, begin=0.98)
    assert all(frame == np.full(FRAME, 56, "<i2").tobytes() for frame in sent)


def test_a_caller_that_only_listens():
    """A caller without trials sends its floor in a loop and never has finished."""
    pieces = [bytes([at]) * 2 * FRAME for at in range(3)]
    script = CallerScript((), b"".join(pieces))
    assert listened(script, 6) == [pieces[1], pieces[2], pieces[0]] * 2
    assert not script.finished


# --- sounds ----------------------------------------------------------------------------------------------------------


def test_trimming():
    """A sound begins where its next 10 ms come within 30 dB of the loud parts, and ends likewise."""
    tone = 5000 * np.sin(np.arange(4000) * 0.5)
    padded = np.concatenate([np.full(1000, 1.0), tone, np.full(500, 1.0)])
    found = trimmed(padded)
    assert len(tone) <= len(found) <= len(tone) + 160
    assert abs(int(np.argmax(np.abs(found) > 100)) - 80) <= 4
    assert len(trimmed(np.zeros(500))) == 0
    assert len(trimmed(np.zeros(0))) == 0


def test_levels():
    """A level is that of the active parts, so that pauses do not make speech louder."""
    speech = np.concatenate([np.sin(np.arange(4000)), np.zeros(8000)])
    assert 20 * np.log10(active_rms(at_level(speech, -20.0)) / 32768) == pytest.approx(-20.0, abs=0.01)
    assert np.max(np.abs(at_level(speech, -20.0))) == pytest.approx(3277 * np.sqrt(2), rel=0.02)


def test_the_line():
    """The band lets speech through and hum not, and mu-law leaves whole samples of 16 bits."""
    time = np.arange(8000) / 8000
    assert np.std(line_band(np.sin(2 * np.pi * 1000 * time))) == pytest.approx(np.sqrt(0.5), rel=0.03)
    assert np.std(line_band(np.sin(2 * np.pi * 50 * time))) < 0.06
    assert len(mu_law(np.array([40000.0, -40000.0, 0.0]))) == 6


@pytest.mark.parametrize("name", sorted(STEADY))
def test_noises(name):
    """A noise has the length that was asked for and an RMS of 1, and is the same for the same seed."""
    first, second = (steady(name, np.random.default_rng(2), 8000) for _ in range(2))
    assert (len(first), float(np.std(first))) == (8000, pytest.approx(1.0))
    assert np.array_equal(first, second)


@pytest.mark.parametrize("name", sorted(KNOCKS))
def test_knocks(name):
    """Coughs, clicks and slams are over in less than a second, and there is something in them."""
    for _ in range(5):
        made = knock(name, RANDOM)
        assert 40 <= made.ms <= 1000
        assert np.std(made.sound) > 0


def test_plan():
    """A run has each situation as often as asked, whole frames everywhere, and is the same for the same seed."""
    sounds = material(12, np.random.default_rng(3))
    assert all(600 <= one.ms <= 2500 for one in sounds.speech)
    assert len(sounds.speech) >= 8
    runs = [trials("all", sounds, 4, np.random.default_rng(4), noise_s=1.0) for _ in range(2)]
    assert [one.pcm for one in runs[0]] == [one.pcm for one in runs[1]]
    names = [one.situation for one in runs[0]]
    assert {name: names.count(name) for name in ("clean", "babble 5 dB", "backchannel", "white alone")} == {
        "clean": 4, "babble 5 dB": 2, "backchannel": 8, "white alone": 1,
    }  # fmt: skip
    assert all(len(one.pcm) % (2 * FRAME) == 0 and 0 <= one.onset < one.end <= len(one.pcm) // 2 for one in runs[0])
    clear = trials("clear", sounds, 2, np.random.default_rng(4))
    assert sorted({one.situation for one in clear}) == sorted(setting.name for setting in CLEAR)
    assert {setting.kind for setting in ALONE} == {Kind.NOISE}
    hands = dealt(runs[0], 5)
    assert min(map(len, hands)) + 1 >= max(map(len, hands))
    assert sum(map(len, hands)) == len(runs[0])


def test_backchannels():
    """Backchannels last 150 to 700 ms, a hum perhaps a little less, and are listed with their lengths."""
    found = backchannels(12, np.random.default_rng(6))
    assert len(found) >= 8
    assert all(90 <= one.ms <= 700 for one in found)
    assert "mhm" in listed(found)


def test_the_floor_is_never_silent():
    """The line's floor is noise at -65 dBFS."""
    made = np.frombuffer(mu_law(floor(np.random.default_rng(1))), "<i2").astype(float)
    assert 20 * np.log10(np.std(made) / 32768) == pytest.approx(-65.0, abs=1.5)
    assert len(made) % FRAME == 0


def test_the_dialogue_is_one_that_runs():
    """The assistant of the benchmark always says the same long text, and its dialogue file has no fault."""
    script = parse_script(dialogue(), "bench.toml")
    assert {script.prompts.greeting, *script.prompts.still_there, *script.wording.pardon} == {script.prompts.greeting}
    assert len(script.prompts.greeting) > 1500
