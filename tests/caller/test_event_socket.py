"""The switch's side of an event socket answers as FreeSWITCH was observed to (FREESWITCH.md, D)."""

from __future__ import annotations

from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tomrt.caller.event_socket import TRANSFERRED, SwitchSide, UnicastPorts
from tomrt.errors import ProtocolError

UNICAST = (
    b"sendmsg\ncall-command: unicast\nlocal-ip: 127.0.0.1\nlocal-port: 26000\nremote-ip: 127.0.0.1\n"
    b"remote-port: 26001\ntransport: udp\nflags: native\n\n"
)
PLAYBACK = (
    b"sendmsg\ncall-command: execute\nexecute-app-name: playback\nexecute-app-arg: /a.wav\nEvent-UUID: my-id\n"
    b"event-lock: true\n\n"
)


def switch(**more):
    """Return the switch's side of a call."""
    return SwitchSide(uuid="fc7d46d5-2518", **more)


def told(said: bytes) -> list[tuple[str, str]]:
    """Return content type and all text of each message in *said*."""
    found = []
    while said:
        head, _, said = said.partition(b"\n\n")
        headers = dict(line.split(": ", 1) for line in head.decode().split("\n"))
        size = int(headers.get("Content-Length", 0))
        found.append((headers["Content-Type"], unquote(head.decode() + "\n" + said[:size].decode())))
        said = said[size:]
    return found


def test_connect_is_answered_by_one_block():
    """The channel's data come in one block without a length, every value encoded, the reply's own lines at its end."""
    side = switch(variables={"tomrt_media": "unicast a&b"})
    ((kind, text),) = told(said := side.feed(b"connect\n\n"))
    assert kind == "command/reply"
    assert said.endswith(b"Reply-Text: %2BOK%0A\nSocket-Mode: async\nControl: full\n\n")
    assert b"variable_tomrt_media: unicast%20a%26b\n" in said
    assert b"Content-Length" not in said
    for line in ("Unique-ID: fc7d46d5-2518", "Channel-Read-Codec-Name: PCMU", "Channel-Read-Codec-Rate: 8000",
                 "Caller-Caller-ID-Number: 1000", "Answer-State: answered"):  # fmt: skip
        assert f"{line}\n" in text


@pytest.mark.parametrize(
    ("command", "answer"),
    [
        (b"myevents\n\n", "Reply-Text: +OK Events Enabled"),
        (b"linger\n\n", "Reply-Text: +OK will linger"),
        (b"event plain PLAYBACK_STOP CUSTOM a::b\n\n", "Reply-Text: +OK event listener enabled plain"),
        (b"filter Unique-ID x\n\n", "Reply-Text: +OK filter added."),
        (b"api uuid_setvar x a b\n\n", "+OK"),
        (b"api uuid_exists x\n\n", "true"),
        (b"api nonsense\n\n", "-ERR nonsense command not found!"),
        (b"bgapi uuid_hold x\nJob-UUID: j1\n\n", "Job-UUID: j1"),
        (b"nonsense\n\n", "-ERR command not found"),
        (UNICAST, "Reply-Text: +OK"),
    ],
)
def test_each_command_has_one_reply(command, answer):
    """Every command is answered once, and what does not exist with an error."""
    ((_, text),) = told(switch().feed(command))
    assert answer in text


def test_unicast_ports_are_taken_from_the_command():
    """The ports, both addresses and the form of the packets are what the service asked for."""
    side = switch()
    side.feed(UNICAST)
    assert side.unicast == UnicastPorts(local=("127.0.0.1", 26000), remote=("127.0.0.1", 26001), native=True)
    side.feed(b"sendmsg\ncall-command: unicast\nlocal-port: x\n\n")
    assert side.faults == ["unicast with a port that is no number"]


def test_events_come_to_those_who_subscribed():
    """What an application does is told once events were asked for, playback only to who asked for it by name."""
    side = switch()
    assert len(told(side.feed(PLAYBACK))) == 1
    side.feed(b"myevents\n\n")
    assert [text.split("Event-Name: ")[1].split("\n")[0] for _, text in told(side.feed(PLAYBACK))[1:]] == [
        "CHANNEL_EXECUTE",
        "CHANNEL_EXECUTE_COMPLETE",
    ]
    side.feed(b"event plain PLAYBACK_STOP BACKGROUND_JOB\n\n")
    (_, stop, complete) = told(side.feed(PLAYBACK))[1:]
    assert "Playback-Status: done" in stop[1]
    assert "Application-UUID: my-id" in complete[1]
    assert "DTMF-Digit: 5" in told(side.press("5"))[0][1]
    assert told(side.feed(b"bgapi uuid_exists x\nJob-UUID: j\n\n"))[1][1].endswith("\n\ntrue")


@pytest.mark.parametrize(
    ("command", "ended"),
    [
        (b"sendmsg\ncall-command: hangup\nhangup-cause: USER_BUSY\n\n", "USER_BUSY"),
        (b"sendmsg\ncall-command: execute\nexecute-app-name: hangup\n\n", "NORMAL_CLEARING"),
        (b"api uuid_kill x CALL_REJECTED\n\n", "CALL_REJECTED"),
        (b"bgapi uuid_transfer x 2000 XML default\n\n", TRANSFERRED),
        (b"sendmsg\ncall-command: execute\nexecute-app-name: transfer\nexecute-app-arg: 1\n\n", TRANSFERRED),
        (b"exit\n\n", "NORMAL_CLEARING"),
    ],
)
def test_ways_to_end_a_call(command, ended):
    """A hang-up and a transfer end the service's part once, and its last message is the disconnect-notice."""
    side = switch()
    side.feed(b"myevents\n\nlinger\n\n")
    said = told(side.feed(command))
    assert side.ended == ended
    assert said[-1][0] == "text/disconnect-notice"
    assert "Content-Disposition: linger\nLinger-Time: 5" in said[-1][1]
    assert side.hang_up("NORMAL_CLEARING") == b""


def test_without_linger_the_notice_says_goodbye():
    """A caller who hangs up is told with its cause, and the notice has FreeSWITCH's 67 bytes."""
    side = switch()
    side.feed(b"myevents\n\n")
    said = side.hang_up("NORMAL_CLEARING")
    assert b"Event-Name: CHANNEL_HANGUP\n" in said
    assert b"Hangup-Cause: NORMAL_CLEARING\n" in said
    assert told(said)[-1][1].endswith("http://www.cluecon.com/\n")
    assert b"Content-Length: 67\n" in said


def test_other_media_is_a_fault():
    """A service that asks for a WebSocket module on this call is told no, and it is kept as a fault."""
    side = switch()
    assert "-ERR" in told(side.feed(b"api uuid_audio_fork x start ws://h/ mono 8k\n\n"))[0][1]
    assert "by unicast only" in side.faults[0]


@given(st.lists(st.integers(0, 400), max_size=8))
def test_any_split_gives_the_same_answers(cuts):
    """Replies do not depend on how the commands come."""
    stream = b"connect\n\nmyevents\n\n" + UNICAST + b"sendmsg\ncontent-length: 4\n\nbody" + PLAYBACK + b"linger 3\n\n"
    cuts = sorted(min(cut, len(stream)) for cut in cuts)
    whole, side = switch().feed(stream), switch()
    parts = [side.feed(stream[a:b]) for a, b in zip([0, *cuts], [*cuts, len(stream)], strict=True)]
    assert b"".join(parts) == whole
    assert side.commands == 6


@given(st.lists(st.binary(max_size=80), max_size=8))
def test_nothing_but_a_protocol_error(pieces):
    """Whatever comes, there is an answer or a protocol error."""
    side = switch()
    try:
        for piece in pieces:
            side.feed(piece + b"\n\n")
    except ProtocolError:
        return


def test_a_command_without_end_is_refused():
    """What never ends is not kept for ever."""
    with pytest.raises(ProtocolError, match="longer than"):
        switch().feed(b"x" * 70_000)
    with pytest.raises(ProtocolError, match="Content-Length"):
        switch().feed(b"sendevent X\ncontent-length: -1\n\n")
