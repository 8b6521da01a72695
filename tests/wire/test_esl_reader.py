from __future__ import annotations

import itertools
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tomrt.errors import ProtocolError
from tomrt.wire.esl import MAX_HEADERS, MAX_MESSAGE_BYTES, EslMessage, EslReader

GOLDEN = Path(__file__).parents[1] / "golden" / "esl"
CAPTURES = sorted(GOLDEN.glob("*.txt"))
OUTBOUND = (GOLDEN / "outbound_session.txt").read_bytes()
INBOUND = (GOLDEN / "inbound_session.txt").read_bytes()


def read(*pieces: bytes) -> list[EslMessage]:
    reader = EslReader()
    messages = [message for piece in pieces for message in reader.feed(piece)]
    reader.close()
    return messages


def cut(data: bytes, places: list[int]) -> list[bytes]:
    return [data[start:end] for start, end in itertools.pairwise([0, *sorted(places), len(data)])]


def types(messages: list[EslMessage]) -> list[str]:
    return [message.content_type for message in messages]


def test_a_whole_call_over_the_outbound_socket() -> None:
    """A captured call gives its messages in order: the channel, replies, events, and the notice with no body."""
    messages = read(OUTBOUND)
    replies, event = ["command/reply"] * 5, "text/event-plain"
    assert types(messages) == [
        *replies,
        "command/reply",
        event,
        event,
        "api/response",
        *[event] * 4,
        "text/disconnect-notice",
        event,
    ]
    assert messages[1].reply_text == "+OK will linger 10 seconds"
    assert messages[8].body == b"+OK Message sent\n"
    assert messages[-2].headers["Content-Disposition"] == "linger"
    assert messages[-2].body == b""


def test_the_reply_to_connect_is_one_block() -> None:
    """The reply to ``connect`` is one message of some 175 headers, and its encoded reply text is read rightly."""
    channel = read(OUTBOUND)[0]
    assert 170 <= len(channel.headers) <= 180
    assert channel.reply_text == "+OK"
    assert channel.headers["Reply-Text"] == "%2BOK%0A"
    assert channel.headers["Socket-Mode"] == "async"


def test_a_session_over_the_inbound_socket() -> None:
    """A captured session that we opened gives its messages, each with its whole body."""
    messages = read(INBOUND)
    assert types(messages)[0] == "auth/request"
    assert messages[3].headers["Job-UUID"] == "7f4de4bc-17d7-11dd-b7a0-db4edd065621"
    assert messages[-3].body == b"-ERR No such channel!\n"
    assert messages[-2].reply_text == "-ERR invalid session id [none]"
    assert len(messages[-1].body) == 67


@pytest.mark.parametrize("capture", CAPTURES, ids=lambda path: path.stem)
def test_every_split_in_two(capture: Path) -> None:
    """Cut in two at any byte, a captured session gives the same messages."""
    data = capture.read_bytes()
    whole = read(data)
    step = 1 if len(data) < 5_000 else 7
    for place in range(0, len(data), step):
        assert read(data[:place], data[place:]) == whole


@pytest.mark.parametrize("capture", CAPTURES, ids=lambda path: path.stem)
@pytest.mark.parametrize("size", [1, 2, 3, 1_448])
def test_pieces_of_one_size(capture: Path, size: int) -> None:
    """Byte by byte, or in TCP segments, a captured session gives the same messages."""
    data = capture.read_bytes()
    assert read(*(data[start : start + size] for start in range(0, len(data), size))) == read(data)


@given(places=st.lists(st.integers(0, len(OUTBOUND)), max_size=60))
@settings(max_examples=60, deadline=None)
def test_any_cuts(places: list[int]) -> None:
    """However a captured session is cut, it gives the same messages."""
    assert read(*cut(OUTBOUND, places)) == read(OUTBOUND)


@pytest.mark.parametrize("capture", CAPTURES, ids=lambda path: path.stem)
def test_other_line_ends(capture: Path) -> None:
    """A reader that is given CR LF between headers reads the same ones."""
    whole = read(capture.read_bytes())
    head = b"Content-Type: command/reply\r\nReply-Text: +OK\r\n\r\n"
    assert read(head) == [EslMessage(headers={"Content-Type": "command/reply", "Reply-Text": "+OK"})]
    assert read(head + capture.read_bytes())[1:] == whole


GOOD = b"Content-Type: command/reply\nReply-Text: +OK\n\n"

TOLERATED = {
    "empty lines before": (b"\n\n\r\n" + GOOD, 1),
    "empty lines between": (GOOD + b"\n\n" + GOOD, 2),
    "empty lines after": (GOOD + b"\n\n\n", 1),
    "only empty lines": (b"\n\r\n\n", 0),
    "nothing": (b"", 0),
    "no space after the colon": (b"Content-Type:command/reply\n\n", 1),
    "empty value": (b"Content-Type: command/reply\nReply-Text:\n\n", 1),
    "colons in the value": (b"A: b:c: d\n\n", 1),
    "length zero": (b"Content-Type: api/response\nContent-Length: 0\n\n" + GOOD, 2),
    "the same length twice": (b"Content-Length: 2\nContent-Length: 2\n\nab" + GOOD, 2),
    "a length in other letters": (b"content-length: 2\n\nab" + GOOD, 2),
    "a body of line ends": (b"Content-Length: 3\n\n\n\n\n" + GOOD, 2),
    "a body that looks like a message": (b"Content-Length: 46\n\n" + GOOD[:46].ljust(46) + GOOD, 2),
    "a broken percent escape": (b"A: %zz%4\n\n", 1),
    "bytes that are no UTF-8": (b"A: \xff\xfe\n\n", 1),
    "a name twice": (b"A: 1\nA: 2\n\n", 1),
    "an unknown type": (b"Content-Type: x/y\n\n", 1),
    "no type": (b"A: b\n\n", 1),
    "a NUL in a body": (b"Content-Length: 1\n\n\0" + GOOD, 2),
}


@pytest.mark.parametrize("name", TOLERATED)
def test_tolerated(name: str) -> None:
    """What is odd but clear gives as many messages as it holds, in one piece and byte by byte."""
    data, count = TOLERATED[name]
    assert len(read(data)) == count
    assert read(*(bytes([byte]) for byte in data)) == read(data)


HOSTILE = {
    "length -1": b"Content-Length: -1\n\n",
    "length +5": b"Content-Length: +5\n\nabcde",
    "length 10^12": b"Content-Length: 1000000000000\n\n",
    "length 1e3": b"Content-Length: 1e3\n\n",
    "length 0x10": b"Content-Length: 0x10\n\n",
    "length 1.5": b"Content-Length: 1.5\n\n",
    "length in other digits": "Content-Length: ١٢\n\n".encode(),
    "no length after the name": b"Content-Length:\n\n",
    "length with a tail": b"Content-Length: 5 6\n\n",
    "one more than the most": f"Content-Length: {MAX_MESSAGE_BYTES + 1}\n\n".encode(),
    "head and body beyond the most": f"A: b\nContent-Length: {MAX_MESSAGE_BYTES}\n\n".encode(),
    "two different lengths": b"Content-Length: 2\nContent-Length: 3\n\nabc",
    "no colon": b"Content-Type: a\nhello\n\n",
    "no colon in the first line": b"HTTP/1.1 400 Bad Request\r\n\r\n",
    "no name": b": value\n\n",
    "NUL in a name": b"A\0: b\n\n",
    "NUL in a value": b"A: b\0\n\n",
    "a megabyte of a line": b"A: " + b"x" * MAX_MESSAGE_BYTES,
    "a megabyte of a line, ended": b"A: " + b"x" * MAX_MESSAGE_BYTES + b"\n\n",
    "a megabyte of lines": (b"A" * 1_000 + b": " + b"x" * 200 + b"\n") * 900 + b"B: " + b"x" * 200_000,
    "too many headers": b"".join(b"H%d: x\n" % number for number in range(MAX_HEADERS + 1)) + b"\n",
    "the same header too often": b"A: b\n" * (MAX_HEADERS + 1) + b"\n",
    "TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\n\n",
    "a WebSocket frame": b"\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58\n",
    "RTP": b"\x80\x00\x12\x34" + b"\xff" * 168 + b"\n",
    "XML": b"<xml>\n</xml>\n\n",
    "JSON": b'{"a"\n}\n\n',
    "blanks for a line": b"A: b\n \n\n",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile(name: str) -> None:
    """What is no message of an event socket is one kind of error, and the reader stays broken."""
    reader = EslReader()
    with pytest.raises(ProtocolError):
        reader.feed(HOSTILE[name])
    assert reader.fault is not None
    with pytest.raises(ProtocolError):
        reader.feed(GOOD)
    with pytest.raises(ProtocolError):
        reader.close()


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_in_pieces(name: str) -> None:
    """In pieces it is the same error."""
    data, reader = HOSTILE[name], EslReader()
    size = 1 if len(data) < 10_000 else 4_096
    with pytest.raises(ProtocolError):
        for start in range(0, len(data), size):
            reader.feed(data[start : start + size])


@pytest.mark.parametrize("name", HOSTILE)
def test_messages_before_a_fault(name: str) -> None:
    """Messages that came before a fault, within the same bytes, are not lost with it."""
    reader = EslReader()
    assert len(reader.feed(GOOD + GOOD + HOSTILE[name])) == 2
    assert reader.fault is not None
    with pytest.raises(ProtocolError):
        reader.feed(b"")


@pytest.mark.parametrize(
    "data", [GOOD[:10], GOOD[:-1], b"Content-Length: 5\n\nabcd", b"Content-Length: 5\n\n", b"A: b\n"], ids=repr
)
def test_the_end_within_a_message(data: bytes) -> None:
    """A connection that ends within a message is a fault; one that ends between two is none."""
    reader = EslReader()
    assert reader.feed(GOOD + data) == read(GOOD)
    with pytest.raises(ProtocolError):
        reader.close()


def test_the_longest_message() -> None:
    """A message of exactly a mebibyte is taken."""
    head = b"Content-Length: %d\n\n"
    size = MAX_MESSAGE_BYTES - len(head % MAX_MESSAGE_BYTES)
    (message,) = read(head % size + b"x" * size)
    assert len(message.body) == size
    with pytest.raises(ProtocolError):
        EslReader().feed(head % (size + 20))


def test_nothing_of_the_caller_shows() -> None:
    """Neither headers nor body of a message show in its repr, since they tell who calls."""
    assert "1000" not in repr(read(OUTBOUND)[0])
    assert "5: " not in repr(read(OUTBOUND)[7])


def test_byte_by_byte_costs_no_more_memory() -> None:
    """A mebibyte of message, one small piece at a time, is held about once."""
    data = b"Content-Length: %d\n\n" % (MAX_MESSAGE_BYTES - 100) + b"x" * (MAX_MESSAGE_BYTES - 200)
    reader = EslReader()
    tracemalloc.start()
    for start in range(0, len(data), 1_000):
        assert reader.feed(data[start : start + 1_000]) == []
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 4 * MAX_MESSAGE_BYTES


def outcome(pieces: list[bytes]) -> tuple[list[EslMessage], bool]:
    reader, messages = EslReader(), []
    try:
        for piece in pieces:
            messages += reader.feed(piece)
        reader.close()
    except ProtocolError:
        return messages, False
    return messages, True


PIECES = st.sampled_from(
    [
        b"\n",
        b"\r\n",
        b"\r",
        b": ",
        b":",
        b"A: b\n",
        b"Content-Length: ",
        b"Content-Length: 3\n",
        b"12",
        b"\0",
        b"%0A",
        GOOD,
    ]
)
NOISE = st.lists(st.one_of(PIECES, st.binary(max_size=12)), max_size=20).map(b"".join)


@given(data=NOISE, places=st.lists(st.integers(0, 200), max_size=8))
@settings(max_examples=400, deadline=None)
def test_anything_at_all(data: bytes, places: list[int]) -> None:
    """Any bytes give messages or a ``ProtocolError``, and the same ones however they are cut."""
    assert outcome(cut(data, [min(place, len(data)) for place in places])) == outcome([data])


HEADER = st.tuples(
    st.from_regex(r"X-[A-Za-z0-9_-]{1,12}", fullmatch=True),
    st.text(st.characters(codec="utf-8", exclude_characters="\r\n\0"), max_size=30),
)


@given(headers=st.lists(HEADER, max_size=8, unique_by=lambda pair: pair[0]), body=st.none() | st.binary(max_size=80))
@settings(max_examples=150, deadline=None)
def test_what_is_written_is_read(headers: list[tuple[str, str]], body: bytes | None) -> None:
    """Whatever values and body a message has, they are read as they were written, and the next message as well."""
    lines = [f"{name}: {text}" for name, text in [("Content-Type", "x/y"), *headers]]
    if body is not None:
        lines.append(f"Content-Length: {len(body)}")
    first, second = read("\n".join([*lines, "", ""]).encode() + (body or b"") + GOOD)
    assert [first.headers[name] for name, _ in headers] == [text for _, text in headers]
    assert first.body == (body or b"")
    assert second.reply_text == "+OK"
