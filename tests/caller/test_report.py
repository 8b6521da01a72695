"""The report measures what the two lanes show."""

from __future__ import annotations

import json

import pytest
from attrs import evolve

from tomrt.caller.ear import PeerEvent
from tomrt.caller.loudness import AUDIBLE, audible_samples, is_audible
from tomrt.caller.plan import CallPlan, CallRecord, Spoken
from tomrt.caller.report import as_json, as_table, measure
from tomrt.caller.script import Utterance
from tomrt.events import Dialect

RATE_HZ = 8000
URL = "ws://127.0.0.1:8081/call"


def lane(seconds: float, *spans: tuple[float, float], value: int = 5000) -> bytes:
    samples = bytearray(2 * int(seconds * RATE_HZ))
    for begin, end in spans:
        a, b = int(begin * RATE_HZ), int(end * RATE_HZ)
        samples[2 * a : 2 * b] = value.to_bytes(2, "little", signed=True) * (b - a)
    return bytes(samples)


def record(heard: bytes, *spoken: tuple[str, float, bytes], dialect=Dialect.FORK, events=(), faults=()) -> CallRecord:
    utterances = tuple(Utterance(said, pcm) for said, _, pcm in spoken)
    return CallRecord(
        plan=CallPlan(url=URL, utterances=utterances, dialect=dialect),
        spoken=tuple(
            Spoken(utterance=each, start=int(start * RATE_HZ))
            for each, (_, start, _) in zip(utterances, spoken, strict=True)
        ),
        heard=heard,
        events=tuple(PeerEvent(int(at * RATE_HZ), str(said["type"]), said) for at, said in events),
        faults=faults,
        ended="the caller hung up",
    )


def test_response_is_from_last_sound_said_to_first_sound_heard():
    """Silence in front of and behind the speech within the utterance does not count."""
    said = lane(1.5, (0.25, 1.0))
    report = measure(record(lane(10, (0.5, 2.0), (4.75, 6.0)), ("hello", 3.0, said)))
    (turn,) = report.turns
    assert turn.response_ms == pytest.approx(750, abs=0.2)
    assert (turn.interrupted, turn.onset_to_silence_ms) == (False, None)
    assert (turn.understood, turn.answered) == (None, None)
    assert report.ok


def test_an_interruption_is_measured_to_the_last_sound_heard():
    """Onset to silence runs from the caller's first sound to the assistant's last, over its short pauses."""
    heard = lane(10, (2.0, 2.9), (3.0, 3.2), (5.0, 6.0))
    said = lane(1.0, (0.1, 1.0))
    (turn,) = measure(record(heard, ("stop", 3.0, said))).turns
    assert turn.interrupted
    assert turn.onset_to_silence_ms == pytest.approx(100, abs=0.2)
    assert turn.response_ms == pytest.approx(1000, abs=0.2)


def test_an_assistant_that_paused_when_interrupted_was_silent_at_once():
    """Cut into a short pause after which nothing came, the time to silence is 0."""
    (turn,) = measure(record(lane(10, (2.0, 2.9), (5.0, 6.0)), ("stop", 3.0, lane(1.0, (0, 1.0))))).turns
    assert (turn.interrupted, turn.onset_to_silence_ms) == (True, 0)


def test_speech_that_does_not_stop_is_no_response():
    """An assistant that talks on over the caller has not answered."""
    report = measure(record(lane(10, (2.0, 9.0)), ("stop", 3.0, lane(1.0, (0, 1.0)))))
    assert report.turns[0].onset_to_silence_ms == pytest.approx(6000, abs=0.2)
    assert report.turns[0].response_ms is None
    assert not report.ok


def test_a_response_belongs_to_the_turn_before_the_next():
    """What is heard after the next utterance began is not the answer to this one."""
    said = lane(1.0, (0, 1.0))
    report = measure(record(lane(10, (6.0, 7.0)), ("one", 1.0, said), ("two", 4.0, said)))
    assert [turn.response_ms for turn in report.turns] == [None, pytest.approx(1000, abs=0.2)]
    assert not report.ok


def test_what_was_never_said_is_reported_as_unanswered():
    """A call that ends early reports the utterances it did not come to."""
    done = record(lane(10, (3.0, 4.0)), ("one", 1.0, lane(1.0, (0, 1.0))))
    plan = evolve(done.plan, utterances=(*done.plan.utterances, Utterance("two", b"")))
    report = measure(evolve(done, plan=plan))
    assert [turn.said for turn in report.turns] == ["one", "two"]
    assert not report.ok


def test_faults_spoil_the_call():
    """A service that breaks its dialect has not passed, however well it answered."""
    done = record(lane(10, (3.0, 4.0)), ("one", 1.0, lane(1.0, (0, 1.0))))
    assert measure(done).ok
    assert not measure(evolve(done, faults=("x",))).ok


def understood(turn: int, text: str) -> dict[str, object]:
    return {"type": "understood", "turn": turn, "text": text}


def answered(turn: int, text: str, heard: str, outcome: str) -> dict[str, object]:
    return {"type": "answered", "turn": turn, "reply": 9, "text": text, "heard": heard, "outcome": outcome}


def test_events_are_matched_to_utterances_by_turn():
    """The greeting belongs to none, a turn in two parts to one utterance, a cut answer to the turn it answered."""
    said = lane(1.0, (0, 1.0))
    events = [
        (0.9, answered(0, "Hello.", "Hello.", "completed")),
        (1.2, {"type": "speech", "turn": 1}),
        (1.9, understood(1, "what are")),
        (2.2, {"type": "speech", "turn": 2}),
        (2.9, understood(2, "your hours")),
        (4.3, {"type": "speech", "turn": 3}),
        (4.5, answered(2, "We are open all day.", "We are", "cut")),
        (5.9, understood(3, "")),
        (8.0, answered(3, "Pardon?", "Pardon?", "completed")),
    ]
    done = record(
        lane(10, (3.0, 4.2), (7.0, 8.0)), ("one", 1.0, said), ("two", 4.0, said), dialect=Dialect.PLAIN, events=events
    )
    report = measure(done)
    assert [(turn.understood, turn.answered) for turn in report.turns] == [
        ("what are your hours", "We are"),
        ("", "Pardon?"),
    ]
    assert report.ok
    assert not measure(evolve(done, events=done.events[:5])).ok


def test_json_has_the_documented_keys():
    """The JSON form has exactly the documented keys, with null where nothing is known."""
    tree = json.loads(json.dumps(as_json(measure(record(lane(5), ("one", 1.0, lane(1.0, (0, 1.0))))))))
    assert tree == {
        "url": URL,
        "dialect": "fork",
        "turns": [
            {
                "said": "one",
                "understood": None,
                "answered": None,
                "response_ms": None,
                "interrupted": False,
                "onset_to_silence_ms": None,
            }
        ],
        "ok": False,
    }


def test_table_says_it_in_words():
    """The table shows what is known, and nothing of what the dialect cannot tell."""
    heard = lane(10, (2.0, 3.1), (5.0, 6.0))
    lines = as_table(measure(record(heard, ("stop", 3.0, lane(1.0, (0, 1.0))))))
    assert lines == [
        "turn 1  said        stop",
        "        response    1000 ms after the end of speech",
        "        cut in      silent 100 ms after the caller's first sound",
    ]


def test_what_the_service_says_does_not_steer_the_terminal():
    """Control characters in what the service says are left out of the table."""
    events = [(2.5, understood(1, "a\x1b[2J\nb"))]
    done = record(lane(5), ("one\a", 1.0, lane(1.0, (0, 1.0))), dialect=Dialect.PLAIN, events=events)
    lines = as_table(measure(done))
    assert lines[0].endswith("one")
    assert lines[1].endswith("a[2J b")
    assert all(line.isprintable() for line in lines)


def test_minus_one_is_silence():
    """The samples of -1 that FreeSWITCH sends without RTP are inaudible; -50 dBFS is audible, both ways."""
    assert not is_audible(b"\xff\xff" * 100)
    for value in (AUDIBLE, -AUDIBLE, -32768):
        assert audible_samples(b"\0\0" + value.to_bytes(2, "little", signed=True)).tolist() == [1]
    assert not is_audible((AUDIBLE - 1).to_bytes(2, "little"))
