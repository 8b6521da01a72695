"""Each module's ear does with a message what the module was seen to do."""

from __future__ import annotations

import json
from base64 import b64encode

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tomrt.caller.ear import ear_for
from tomrt.events import WEBSOCKET_DIALECTS, Dialect

RATE_HZ = 8000
PCM = (1000).to_bytes(2, "little") * 1600
CONTENT = b64encode(PCM).decode()
PLAY_AUDIO = {"audioContentType": "raw", "sampleRate": 8000, "audioContent": CONTENT, "textContent": ""}
STREAM_AUDIO = {"audioDataType": "raw", "sampleRate": 8000, "audioData": CONTENT}


def message(kind: str, data: object = None) -> str:
    return json.dumps({"type": kind} if data is None else {"type": kind, "data": data})


def heard_samples(ear) -> list[int]:
    ear.advance(100_000)
    return np.flatnonzero(np.frombuffer(bytes(ear.player.heard), dtype="<i2")).tolist()


def test_plain_keeps_events_and_flushes():
    """Events are kept with their sample; flush silences; a reply is open from audible to answered."""
    ear = ear_for(Dialect.PLAIN, RATE_HZ)
    ear.text('{"type":"ready","call_id":"x","rate":8000,"version":1}', 5)
    ear.text('{"type":"audible","reply":1,"turn":0,"response_ms":null}', 10)
    ear.binary(PCM, 10)
    assert ear.open_replies == {1}
    ear.text('{"type":"flush"}', 110)
    ear.text('{"type":"answered","reply":1,"turn":0,"text":"a","heard":"","outcome":"cut"}', 120)
    assert ear.open_replies == set()
    assert heard_samples(ear) == list(range(10, 110))
    assert [(event.at, event.type) for event in ear.events] == [
        (5, "ready"),
        (10, "audible"),
        (110, "flush"),
        (120, "answered"),
    ]
    assert ear.faults == []


def test_fork_reports_marks_in_the_modules_own_spelling():
    """A mark comes back letter for letter as the module writes it."""
    ear = ear_for(Dialect.FORK, RATE_HZ)
    ear.text(message("mark", {"name": "m1"}), 0)
    ear.binary(PCM, 0)
    assert ear.advance(1) == ['{"type": "mark", "data": {"name":"m1", "event": "playout"}}']
    ear.text(message("mark", {"name": "m2"}), 1)
    ear.binary(PCM, 1)
    ear.text(message("killAudio"), 2)
    assert ear.advance(3) == ['{"type": "mark", "data": {"name":"m2", "event": "cleared"}}']
    assert heard_samples(ear)[-1] == 1


@pytest.mark.parametrize(
    ("dialect", "verb", "data"),
    [(Dialect.FORK_JSON, "playAudio", PLAY_AUDIO), (Dialect.STREAM, "streamAudio", STREAM_AUDIO)],
)
def test_files_play(dialect, verb, data):
    """A file sounds 20 ms after it came, and a kill breaks it."""
    ear = ear_for(dialect, RATE_HZ)
    ear.text(message(verb, data), 100)
    ear.text(message("killAudio"), 600)
    assert heard_samples(ear) == list(range(260, 600))
    assert ear.faults == []


def test_files_at_another_rate_are_resampled():
    """The switch plays a file of any of its rates at the line's rate."""
    ear = ear_for(Dialect.STREAM, RATE_HZ)
    ear.text(message("streamAudio", STREAM_AUDIO | {"sampleRate": 16_000}), 0)
    assert 780 <= len(heard_samples(ear)) <= 850


@pytest.mark.parametrize(
    ("dialect", "text", "fault"),
    [
        (Dialect.PLAIN, "hello", "not JSON"),
        (Dialect.PLAIN, "[1]", "not an object"),
        (Dialect.FORK, message("playAudio", PLAY_AUDIO), "knows no message of type 'playAudio'"),
        (Dialect.FORK, message("mark", {}), "has no text 'name'"),
        (Dialect.FORK, message("mark"), "has no text 'name'"),
        (Dialect.FORK_JSON, message("playAudio", {"audioContent": CONTENT}), "has no text 'audioContentType'"),
        (Dialect.FORK_JSON, message("playAudio", PLAY_AUDIO | {"audioContent": "?"}), "is not base64"),
        (Dialect.FORK_JSON, message("playAudio", PLAY_AUDIO | {"sampleRate": 22_050}), "this sampleRate"),
        (
            Dialect.STREAM,
            message("streamAudio", STREAM_AUDIO | {"audioDataType": "wav"}),
            "streamAudio is not a WAV file",
        ),
        (Dialect.STREAM, message("streamAudio", STREAM_AUDIO | {"audioDataType": "mp3"}), "'mp3' is not one"),
    ],
)
def test_what_a_module_does_not_take_is_a_fault(dialect, text, fault):
    """A message that the module would not act upon is kept as a fault of the service."""
    ear = ear_for(dialect, RATE_HZ)
    ear.text(text, 0)
    assert fault in ear.faults[0]
    assert heard_samples(ear) == []


def test_binary_to_a_one_way_module_is_a_fault():
    """A one-way module throws binary audio away."""
    ear = ear_for(Dialect.STREAM, RATE_HZ)
    ear.binary(PCM, 0)
    assert len(ear.faults) == 1
    assert heard_samples(ear) == []


@pytest.mark.parametrize(("dialect", "last"), [(Dialect.PLAIN, 49), (Dialect.FORK, 49)])
def test_audio_ends_with_the_line(dialect, last):
    """When the service hangs up, what the module held is not played."""
    ear = ear_for(dialect, RATE_HZ)
    ear.binary(PCM, 0)
    ear.line_closed(50)
    assert heard_samples(ear)[-1] == last


def test_files_outlive_the_line():
    """When the service hangs up, the switch goes on playing its files."""
    ear = ear_for(Dialect.FORK_JSON, RATE_HZ)
    ear.text(message("playAudio", PLAY_AUDIO), 0)
    ear.line_closed(50)
    assert heard_samples(ear)[-1] == 160 + 1599


@given(
    dialect=st.sampled_from(WEBSOCKET_DIALECTS),
    said=st.lists(st.text(max_size=60) | st.binary(max_size=60), max_size=6),
)
def test_no_message_crashes_the_ear(dialect, said):
    """Whatever the service sends, the ear keeps it as audio, event or fault."""
    ear = ear_for(dialect, RATE_HZ)
    for at, each in enumerate(said):
        if isinstance(each, bytes):
            ear.binary(each, at)
        else:
            ear.text(each, at)
    ear.advance(1000)
    assert len(ear.player.heard) == 2000
