from __future__ import annotations

import json
from base64 import b64decode
from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tomrt.errors import MisuseError
from tomrt.events import Action, CallInfo, Dialect, LineClosed, LineMark
from tomrt.happenings import (
    ActionRequested,
    Announced,
    BargeInJudged,
    CallEnded,
    CallStarted,
    Happening,
    ReplyAudible,
    ReplyConfirmed,
    ReplyEnded,
    ReplyOutcome,
    ReplyResumed,
    ReplyStarted,
    ReplyYielded,
    StateChanged,
    ToolEnded,
    ToolOutcome,
    ToolStarted,
    TurnEnded,
    TurnOpened,
    Understood,
)
from tomrt.wire.audio_fork import MAX_MARKS, ForkCore, ForkJsonCore
from tomrt.wire.audio_stream import StreamCore
from tomrt.wire.plain import PlainCore

COUNTS: Counter[str] = Counter()


def info(dialect: Dialect, rate_hz: int = 8000) -> CallInfo:
    return CallInfo(call_id="c-1", dialect=dialect, rate_hz=rate_hz)


def fork(rate_hz: int = 8000, counts: Counter[str] | None = None) -> ForkCore:
    found = COUNTS if counts is None else counts
    return ForkCore(info(Dialect.FORK, rate_hz), channels=1, count=lambda word: found.update([word]))


def plain() -> PlainCore:
    return PlainCore(info(Dialect.PLAIN, 16000), channels=1, count=lambda word: COUNTS.update([word]))


def fork_json(rate_hz: int = 8000) -> ForkJsonCore:
    return ForkJsonCore(info(Dialect.FORK_JSON, rate_hz), channels=1, count=lambda word: COUNTS.update([word]))


def stream(rate_hz: int = 8000) -> StreamCore:
    return StreamCore(info(Dialect.STREAM, rate_hz), channels=1, count=lambda word: COUNTS.update([word]))


ACTION = ActionRequested(call_id="c", at=1.0, reply=2, action=Action("transfer", (("to", "reception"),)))
ENDED = CallEnded(call_id="c", at=9.0, reason="goodbye", seconds=9.0, samples_in=1, samples_out=1)
TOLD = [
    (TurnOpened(call_id="c", at=1.0, turn=1, start_ms=80.0), {"type": "speech", "turn": 1}),
    (Understood(call_id="c", at=1.0, turn=1, text="ja"), {"type": "understood", "turn": 1, "text": "ja"}),
    (
        ReplyAudible(call_id="c", at=1.0, reply=2, turn=1, response_ms=412.5),
        {"type": "audible", "reply": 2, "turn": 1, "response_ms": 412.5},
    ),
    (
        ReplyAudible(call_id="c", at=1.0, reply=1, turn=0, response_ms=None),
        {"type": "audible", "reply": 1, "turn": 0, "response_ms": None},
    ),
    (
        TurnEnded(call_id="c", at=0.0, turn=1, start_ms=0, end_ms=1, reason="silence", hangover_ms=260.0),
        {"type": "turn", "turn": 1, "start_ms": 0, "end_ms": 1, "reason": "silence", "hangover_ms": 260.0},
    ),
    (ReplyYielded(call_id="c", at=1.0, reply=2), {"type": "hold", "reply": 2}),
    (
        BargeInJudged(call_id="c", at=1.0, reply=2, turn=3, interruption=False, reason="hum", after_ms=219.96),
        {"type": "judged", "reply": 2, "turn": 3, "interruption": False, "reason": "hum", "after_ms": 220.0},
    ),
    (
        Announced(call_id="c", at=1.0, reply=2, turn=1, kind="filler"),
        {"type": "announced", "reply": 2, "turn": 1, "kind": "filler"},
    ),
    (ReplyResumed(call_id="c", at=1.0, reply=2), {"type": "resume", "reply": 2}),
    (
        ReplyEnded(call_id="c", at=1.0, reply=2, turn=1, outcome=ReplyOutcome.CUT, text="a b", heard="a"),
        {"type": "answered", "turn": 1, "reply": 2, "text": "a b", "heard": "a", "outcome": "cut"},
    ),
    (ACTION, {"type": "action", "name": "transfer", "arguments": {"to": "reception"}}),
    (ENDED, {"type": "end", "reason": "goodbye"}),
]
UNTOLD = [
    CallStarted(call_id="c", at=0.0, info=info(Dialect.PLAIN)),
    StateChanged(call_id="c", at=0.0, state="listening"),
    ReplyStarted(call_id="c", at=0.0, reply=1, turn=0),
    ReplyConfirmed(call_id="c", at=0.0, reply=1, turn=1),
    ReplyEnded(call_id="c", at=1.0, reply=2, turn=1, outcome=ReplyOutcome.CANCELLED, text="a b", heard="", draft=True),
    ToolStarted(call_id="c", at=0.0, reply=1, use=1, name="find"),
    ToolEnded(call_id="c", at=0.0, reply=1, use=1, name="find", outcome=ToolOutcome.DONE),
]


@pytest.mark.parametrize(("happening", "event"), TOLD, ids=lambda value: type(value).__name__)
def test_plain_clients_are_told(happening: Happening, event: dict[str, object]) -> None:
    """Each happening that has words in the plain dialect is one JSON text with exactly these fields."""
    (message,) = plain().notify(happening)
    assert isinstance(message, str)
    assert json.loads(message) == event


@pytest.mark.parametrize("happening", UNTOLD, ids=lambda value: type(value).__name__)
def test_plain_keeps_the_rest_to_itself(happening: Happening) -> None:
    """Happenings without words in the plain dialect are not sent."""
    assert plain().notify(happening) == []


def test_plain_begins_with_ready() -> None:
    """The first message tells version, call id and rate."""
    (message,) = plain().open()
    assert json.loads(message) == {"type": "ready", "call_id": "c-1", "rate": 16000, "version": 1}


def test_plain_audio_and_flush() -> None:
    """Audio goes out as it is, flush is the one documented text, and the egress holds nothing back."""
    core = plain()
    assert core.send_audio(b"\xff\xff\1\0", "m") == [b"\xff\xff\1\0"]
    assert core.send_audio(b"") == []
    assert core.flush() == ['{"type":"flush"}']
    assert (core.egress.lead_s, core.egress.flush_on_yield, core.egress.marks) == (0.0, False, False)


def test_plain_tells_the_end_once() -> None:
    """The end is told once, by whatever comes first."""
    core = plain()
    assert core.hang_up("draining") == ['{"type":"end","reason":"draining"}']
    assert core.hang_up("draining") == []
    assert core.notify(ENDED) == []


def test_plain_client_hangs_up() -> None:
    """A hang-up by text closes the line like one by closing."""
    assert plain().receive_text('{"type":"hangup"}') == [LineClosed("hangup")]


@pytest.mark.parametrize("rate_hz", [8000, 16000])
def test_fork_egress(rate_hz: int) -> None:
    """The first burst fills the 160 ms pre-buffer, the end of an utterance is pushed out of it."""
    egress = fork(rate_hz).egress
    assert (egress.lead_s, egress.tail_pad_s) == (0.2, 0.16)
    assert egress.marks
    assert egress.flush_on_yield
    assert not egress.whole_sentences


def test_fork_mark_goes_before_its_audio() -> None:
    """A mark is the exact JSON of the module, and comes in front of its audio."""
    assert fork().send_audio(b"\1\0", "m1") == ['{"type":"mark","data":{"name":"m1"}}', b"\1\0"]


def test_fork_never_ends_on_a_mark() -> None:
    """Without audio behind it a mark would never be reported, so it is not sent."""
    assert fork().send_audio(b"", "m1") == []


def test_fork_reports() -> None:
    """The module's own reports, blanks and all, are marks of the call."""
    core = fork()
    core.send_audio(b"\1\0", "m1")
    core.send_audio(b"\1\0", "m2")
    assert core.receive_text('{"type": "mark", "data": {"name":"m1", "event": "playout"}}') == [LineMark("m1")]
    assert core.flush() == ['{"type":"killAudio"}']
    report = '{"type": "mark", "data": {"name":"m2", "event": "cleared"}}'
    assert core.receive_text(report) == [LineMark("m2", cleared=True)]
    assert core.receive_text(report) == []


@pytest.mark.parametrize(
    "text",
    [
        '{"type":"mark"}',
        '{"type":"mark","data":null}',
        '{"type":"mark","data":"m1"}',
        '{"type":"mark","data":{"name":"other","event":"playout"}}',
        '{"type":"mark","data":{"name":["m1"],"event":"playout"}}',
        '{"type":"mark","data":{"name":"m1"}}',
        '{"type":"mark","data":{"name":"m1","event":"exploded"}}',
    ],
)
def test_fork_wrong_reports_are_counted(text: str) -> None:
    """A report of a mark that is not out, or in no known form, is counted and nothing else."""
    counts: Counter[str] = Counter()
    core = fork(counts=counts)
    core.send_audio(b"\1\0", "m1")
    assert core.receive_text(text) == []
    assert counts == {"mark_unknown": 1}


def test_fork_keeps_no_more_than_30_marks_out() -> None:
    """The 31st mark is left out, its audio is not; a report or a flush makes room again."""
    counts: Counter[str] = Counter()
    core = fork(counts=counts)
    for number in range(MAX_MARKS):
        assert len(core.send_audio(b"\1\0", f"m{number}")) == 2
    assert core.send_audio(b"\1\0", "one too many") == [b"\1\0"]
    assert counts == {"mark_dropped": 1}
    core.receive_text('{"type":"mark","data":{"name":"m9","event":"playout"}}')
    assert all(len(core.send_audio(b"\1\0", f"n{number}")) == 2 for number in range(10))
    assert core.send_audio(b"\1\0", "full again") == [b"\1\0"]
    core.flush()
    assert len(core.send_audio(b"\1\0", "after the flush")) == 2


@given(st.lists(st.integers(-3, 1), min_size=1, max_size=50))
def test_fork_never_sends_minus_one(samples: list[int]) -> None:
    """Samples of -1, which the module may take for marks, go out as 0; all others as they are."""
    pcm = np.array(samples, "<i2").tobytes()
    (sent,) = fork().send_audio(pcm)
    assert isinstance(sent, bytes)
    assert np.frombuffer(sent, "<i2").tolist() == [0 if sample == -1 else sample for sample in samples]


def test_fork_keeps_bytes_that_only_look_like_minus_one() -> None:
    """Two neighbouring samples whose bytes form ff ff across their border are untouched."""
    pcm = b"\x01\xff\xff\x01"
    assert fork().send_audio(pcm) == [pcm]


@pytest.mark.parametrize("core", [fork(), fork_json(), stream()], ids=["fork", "fork-json", "stream"])
def test_half_samples_are_our_mistake(core: ForkCore | ForkJsonCore | StreamCore) -> None:
    """Audio to send must be whole samples."""
    with pytest.raises(MisuseError):
        core.send_audio(b"\1\2\3")


@pytest.mark.parametrize("core", [fork(), fork_json()], ids=["fork", "fork-json"])
def test_transfer_is_told(core: ForkCore | ForkJsonCore) -> None:
    """The operator's script is told of a transfer and of nothing else."""
    assert core.notify(ACTION) == ['{"type":"transfer","data":{"to":"reception"}}']
    other = ActionRequested(call_id="c", at=1.0, reply=2, action=Action("hang_up"))
    assert core.notify(other) == []
    assert [core.notify(happening) for happening, _ in TOLD if happening is not ACTION] == [[]] * (len(TOLD) - 1)
    assert core.open() == core.hang_up("goodbye") == []


@pytest.mark.parametrize("rate_hz", [8000, 16000])
def test_play_audio(rate_hz: int) -> None:
    """A sentence to the one-way build is one playAudio whose content type is always there (without it: a crash)."""
    (message,) = fork_json(rate_hz).send_audio(b"\1\0\2\0", "m")
    assert json.loads(message) == {
        "type": "playAudio",
        "data": {"audioContentType": "raw", "sampleRate": rate_hz, "audioContent": "AQACAA==", "textContent": ""},
    }
    assert fork_json().egress.whole_sentences
    assert fork_json().egress.flush_on_yield
    assert fork_json().flush() == ['{"type":"killAudio"}']


@pytest.mark.parametrize("rate_hz", [8000, 16000])
def test_stream_audio(rate_hz: int) -> None:
    """A sentence to mod_audio_stream is one streamAudio; there is no verb to stop it."""
    (message,) = stream(rate_hz).send_audio(b"\1\0\2\0", "m")
    assert json.loads(message) == {
        "type": "streamAudio",
        "data": {"audioDataType": "raw", "sampleRate": rate_hz, "audioData": "AQACAA=="},
    }
    assert stream().egress.whole_sentences
    assert not stream().egress.flush_on_yield
    assert stream().flush() == stream().notify(ACTION) == stream().hang_up("x") == stream().open() == []


def test_long_sentences_become_several_files() -> None:
    """No message grows beyond what the module takes, and no sample is lost between the files."""
    pcm = bytes(range(256)) * 4000
    messages = fork_json().send_audio(pcm)
    assert b"".join(b64decode(json.loads(message)["data"]["audioContent"]) for message in messages) == pcm
    assert max(map(len, messages)) < 650_000
    assert stream().send_audio(b"") == []
