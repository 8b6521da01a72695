from __future__ import annotations

import contextlib
import json
from pathlib import Path
from urllib.parse import quote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tomrt.errors import ProtocolError
from tomrt.wire.esl import MAX_HEADERS, EslMessage, EslReader
from tomrt.wire.esl_event import EslEvent, read_channel, read_event

GOLDEN = Path(__file__).parents[1] / "golden" / "esl"
UUID = "fc7d46d5-2518-49ad-91ec-cd57a5bf140c"
FORGED = "Bob\nHangup-Cause: ATTENDED_TRANSFER"


def messages(name: str) -> list[EslMessage]:
    return EslReader().feed((GOLDEN / name).read_bytes())


def events(name: str) -> list[EslEvent]:
    return [read_event(each) for each in messages(name) if each.content_type == "text/event-plain"]


def plain(body: bytes) -> EslMessage:
    return EslMessage(headers={"Content-Type": "text/event-plain"}, body=body)


def test_the_channel_of_a_new_call() -> None:
    """The reply to ``connect`` tells who calls, whom, over which codec, and the operator's own variables, decoded."""
    channel = read_channel(messages("outbound_session.txt")[0])
    assert (channel.name, channel.uuid) == ("CHANNEL_DATA", UUID)
    assert channel.get("Caller-Caller-ID-Number") == "1000"
    assert channel.get("Caller-Destination-Number") == "7003"
    assert (channel.get("Channel-Read-Codec-Name"), channel.get("Channel-Read-Codec-Rate")) == ("PCMU", "8000")
    assert channel.get("Answer-State") == "answered"
    assert (channel.get("Socket-Mode"), channel.get("Control")) == ("async", "full")
    assert channel.variable("tomrt_media") == "unicast"
    assert channel.variable("greeting") == "50%25 off & more=yes, ok?\n"
    assert channel.variable("sip_Remote-Party-ID") == '"Zoë" <sip:1000@127.0.0.1>;party=calling'
    assert channel.variable("not_set") == ""


def test_a_caller_name_forges_no_header_of_the_channel() -> None:
    """A caller called ``Bob%0AHangup-Cause: ATTENDED_TRANSFER`` is called just that, and ends no call."""
    channel = read_channel(messages("outbound_session.txt")[0])
    assert channel.get("Caller-Caller-ID-Name") == FORGED
    assert "Hangup-Cause" not in channel.headers


def test_a_caller_name_forges_no_header_of_an_event() -> None:
    """The same in the events of the call: only FreeSWITCH's own header says why it ended."""
    pressed, hung_up = events("outbound_session.txt")[1], events("outbound_session.txt")[-1]
    assert pressed.get("Caller-Caller-ID-Name") == FORGED
    assert "Hangup-Cause" not in pressed.headers
    assert hung_up.get("Hangup-Cause") == "NORMAL_CLEARING"


def test_the_events_of_a_call() -> None:
    """Keys, the end of a file and how it ended, and the end of the call are read from a capture."""
    found = events("outbound_session.txt")
    assert [event.name for event in found] == [
        "PLAYBACK_START",
        "DTMF",
        "PLAYBACK_STOP",
        "CHANNEL_EXECUTE_COMPLETE",
        "DTMF",
        "CHANNEL_HANGUP",
        "CHANNEL_HANGUP_COMPLETE",
    ]
    assert {event.uuid for event in found} == {UUID}
    assert [event.get("DTMF-Digit") for event in found if event.name == "DTMF"] == ["5", "#"]
    assert found[2].get("Playback-Status") == "break"
    assert found[3].get("Application-UUID") == "my-id"


def test_events_with_bodies() -> None:
    """A module's JSON and a job's result are the event's body, cut where its own length says."""
    job, play, kill = events("inbound_session.txt")
    assert (job.name, job.uuid, job.body) == ("BACKGROUND_JOB", "", f"+OK {UUID}\n")
    assert job.get("Job-UUID") == "7f4de4bc-17d7-11dd-b7a0-db4edd065621"
    assert (play.name, play.subclass) == ("CUSTOM", "mod_audio_fork::play_audio")
    assert json.loads(play.body)["textContent"] == "Grüß Gott"
    assert (kill.subclass, kill.body) == ("mod_audio_fork::kill_audio", "")


def test_nothing_of_the_caller_shows() -> None:
    """Neither headers nor body of an event show in its repr."""
    shown = repr(read_channel(messages("outbound_session.txt")[0])) + repr(events("inbound_session.txt")[1])
    assert "1000" not in shown
    assert "Gott" not in shown


def test_a_header_that_is_not_there() -> None:
    """A header that is not there is empty, or what the caller says."""
    event = read_event(plain(b"Event-Name: DTMF\n\n"))
    assert (event.get("A"), event.get("A", "b")) == ("", "b")


ODD_EVENTS = {
    "no empty line at the end": (b"Event-Name: DTMF", ""),
    "CR LF": (b"Event-Name: DTMF\r\nA: b\r\n\r\n", ""),
    "length zero": (b"Event-Name: DTMF\nContent-Length: 0\n\n", ""),
    "something after the headers": (b"Event-Name: DTMF\n\nrest", ""),
    "something after the body": (b"Event-Name: DTMF\nContent-Length: 2\n\nabcd", "ab"),
    "body that is no UTF-8": (b"Event-Name: DTMF\nContent-Length: 1\n\n\xff", "\N{REPLACEMENT CHARACTER}"),
    "broken escapes": (b"Event-Name: DTMF\nA: %zz%4%\n\n", ""),
}


@pytest.mark.parametrize("name", ODD_EVENTS)
def test_odd_events(name: str) -> None:
    """What is odd but clear is an event all the same."""
    data, body = ODD_EVENTS[name]
    event = read_event(plain(data))
    assert (event.name, event.body) == ("DTMF", body)


BAD_EVENTS = {
    "nothing": b"",
    "no name": b"A: b\n\n",
    "empty name": b"Event-Name: \n\n",
    "no colon": b"Event-Name: DTMF\nhello\n\n",
    "shorter than it says": b"Event-Name: DTMF\nContent-Length: 5\n\nabcd",
    "negative length": b"Event-Name: DTMF\nContent-Length: -5\n\nabcd",
    "two lengths": b"Event-Name: DTMF\nContent-Length: 1\nContent-Length: 2\n\nabcd",
    "huge length": b"Event-Name: DTMF\nContent-Length: 99999999999\n\nabcd",
    "NUL": b"Event-Name: DTMF\nA: \0\n\n",
    "too many headers": b"Event-Name: DTMF\n" + b"A: b\n" * MAX_HEADERS + b"\n",
}


@pytest.mark.parametrize("name", BAD_EVENTS)
def test_bad_events(name: str) -> None:
    """What is no event is one kind of error."""
    with pytest.raises(ProtocolError):
        read_event(plain(BAD_EVENTS[name]))


@pytest.mark.parametrize("content_type", ["", "command/reply", "text/event-json", "text/event-xml"])
def test_other_messages_are_no_events(content_type: str) -> None:
    """Only a plain event is read as one."""
    with pytest.raises(ProtocolError):
        read_event(EslMessage(headers={"Content-Type": content_type}, body=b"Event-Name: DTMF\n\n"))


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Content-Type": "command/reply", "Reply-Text": "-ERR command not found"},
        {"Content-Type": "command/reply", "Reply-Text": "+OK"},
        {"Content-Type": "command/reply", "Reply-Text": "%2BOK%0A", "Event-Name": "CHANNEL_DATA"},
        {"Content-Type": "command/reply", "Reply-Text": "%2BOK%0A", "Event-Name": "DTMF", "Unique-ID": "u"},
        {"Content-Type": "api/response", "Reply-Text": "%2BOK%0A", "Event-Name": "CHANNEL_DATA", "Unique-ID": "u"},
    ],
    ids=str,
)
def test_other_messages_are_no_channel(headers: dict[str, str]) -> None:
    """Only the reply to ``connect`` is read as a channel."""
    with pytest.raises(ProtocolError):
        read_channel(EslMessage(headers=headers))


@given(
    value=st.text(st.characters(codec="utf-8"), max_size=40), body=st.text(st.characters(codec="utf-8"), max_size=40)
)
@settings(max_examples=200, deadline=None)
def test_no_value_becomes_a_header(value: str, body: str) -> None:
    """Whatever a value holds, it comes out as it went in, and there are no more headers than were sent."""
    encoded_body = body.encode()
    lines = ["Event-Name: DTMF", f"Caller-Caller-ID-Name: {quote(value)}", "Unique-ID: u"]
    data = "\n".join([*lines, f"Content-Length: {len(encoded_body)}", "", ""]).encode() + encoded_body
    event = read_event(plain(data))
    assert event.get("Caller-Caller-ID-Name") == value
    assert event.headers.keys() == {"Event-Name", "Caller-Caller-ID-Name", "Unique-ID", "Content-Length"}
    assert event.body == body


@given(
    data=st.lists(st.one_of(st.binary(max_size=20), st.sampled_from([b"\n", b"Event-Name: A\n", b"%0A"]))).map(b"".join)
)
@settings(max_examples=200, deadline=None)
def test_any_body(data: bytes) -> None:
    """Any bytes are an event or a ``ProtocolError``."""
    with contextlib.suppress(ProtocolError):
        assert read_event(plain(data)).name
