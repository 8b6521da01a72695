from __future__ import annotations

from contextlib import suppress

import pytest
from hostile_requests import BAD, BAD_UPGRADES, HOST, request
from hypothesis import given
from hypothesis import strategies as st

from tomrt.gateway.head import MAX_HEAD_BYTES, Head, HeadBuffer, parse_head
from tomrt.gateway.refusal import Refusal
from tomrt.gateway.upgrade import asks_for_websocket, read_upgrade

FORK = (
    b"GET /call/agent?x=1&y=2 HTTP/1.1\r\nPragma: no-cache\r\nCache-Control: no-cache\r\nHost: 127.0.0.1\r\n"
    b"Origin: http://127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: KeW9rIvfqGGpcLROSnCg8w==\r\nSec-WebSocket-Protocol: audio.drachtio.org\r\n"
    b"Sec-WebSocket-Version: 13\r\nauthorization: Basic Ym9iOnMzY3JldA==\r\n\r\n"
)
STREAM = (
    b"GET /call?y=1 HTTP/1.1\r\nHost:127.0.0.1:8080\r\nUpgrade:websocket\r\nConnection:upgrade\r\n"
    b"Sec-WebSocket-Key:fAMLGSgD5oSZ24CdBFIeUw==\r\nSec-WebSocket-Version:13\r\nOrigin:http://127.0.0.1:8080\r\n"
    b"Authorization:Bearer tok123\r\nX-Test:abc\r\n\r\n"
)


def test_the_head_of_mod_audio_fork() -> None:
    """The complete handshake seen from mod_audio_fork is read."""
    upgrade = read_upgrade(parse_head(FORK))
    assert (upgrade.path, upgrade.query, upgrade.subprotocols) == ("/call/agent", "x=1&y=2", ("audio.drachtio.org",))
    assert upgrade.headers["authorization"] == "Basic Ym9iOnMzY3JldA=="


def test_the_head_of_mod_audio_stream() -> None:
    """The handshake of mod_audio_stream, without blanks and in lower case, is read as well."""
    head = parse_head(STREAM)
    assert asks_for_websocket(head)
    upgrade = read_upgrade(head)
    assert (upgrade.path, upgrade.query, upgrade.subprotocols) == ("/call", "y=1", ())
    assert upgrade.headers["authorization"] == "Bearer tok123"


def test_the_library_sees_only_what_was_checked() -> None:
    """The head for the library holds the key and one subprotocol, and nothing else of the peer's."""
    head = read_upgrade(parse_head(FORK)).head_for_library("audio.drachtio.org")
    assert parse_head(head).values("sec-websocket-key") == ["KeW9rIvfqGGpcLROSnCg8w=="]
    assert b"Origin" not in head
    assert b"agent" not in head


@given(st.lists(st.integers(1, 40), max_size=60))
def test_splitting_does_not_matter(sizes: list[int]) -> None:
    """However a head and what follows arrive, the head is the same and what follows is kept."""
    stream = FORK + b"\x82\x80rest"
    pieces, start = [], 0
    for size in sizes:
        pieces.append(stream[start : start + size])
        start += size
    pieces.append(stream[start:])
    buffer = HeadBuffer()
    head: Head | None = None
    for piece in pieces:
        if head is None:
            head = buffer.feed(piece)
        else:
            buffer.put(piece)
    assert head == parse_head(FORK)
    assert buffer.take() == b"\x82\x80rest"


def feed_all(raw: bytes, size: int) -> None:
    buffer = HeadBuffer()
    for start in range(0, len(raw), size):
        buffer.feed(raw[start : start + size])


@pytest.mark.parametrize(("status", "raw"), BAD.values(), ids=BAD)
@pytest.mark.parametrize("size", [1, 4096])
def test_bad_heads(status: int, raw: bytes, size: int) -> None:
    """Every malformed head is refused with its status and a sentence, whole or byte by byte."""
    with pytest.raises(Refusal) as caught:
        feed_all(raw, size)
    assert caught.value.status == status
    assert caught.value.sentence.isprintable()
    assert len(caught.value.sentence) < 120


@pytest.mark.parametrize(
    "start", [b"\x16\x03\x01\x02\x00", b"\x80\x00\x12\x34", b"\0", b"GET / HTTP/1.1\n", b"GET\r\0"]
)
def test_other_protocols_are_refused_at_once(start: bytes) -> None:
    """A TLS hello, an RTP packet, or a bare line end does not wait for the head's end."""
    with pytest.raises(Refusal):
        HeadBuffer().feed(start)


def test_no_end_in_sight() -> None:
    """A head that does not end is refused when it is too long, and not kept any longer."""
    with pytest.raises(Refusal) as caught:
        feed_all(b"a" * 10_000, 100)
    assert caught.value.status == 431


def test_a_hundred_headers_and_8192_bytes_are_taken() -> None:
    """The limits themselves are still allowed."""
    assert len(parse_head(request(HOST, *[b"X: y"] * 99)).headers) == 100
    pad = MAX_HEAD_BYTES - len(request(HOST, b"X: "))
    assert parse_head(request(HOST, b"X: " + b"y" * pad)).values("x") == ["y" * pad]


@pytest.mark.parametrize(("status", "raw"), BAD_UPGRADES.values(), ids=BAD_UPGRADES)
def test_bad_upgrades(status: int, raw: bytes) -> None:
    """Every upgrade that RFC 6455 does not allow is refused with its status."""
    head = parse_head(raw)
    assert asks_for_websocket(head)
    with pytest.raises(Refusal) as caught:
        read_upgrade(head)
    assert caught.value.status == status


@given(st.binary(max_size=300) | st.text("GET / HTTP1.\r\n:Hosta \t", max_size=300).map(str.encode))
def test_nothing_but_refusals(data: bytes) -> None:
    """Any bytes are a head, not yet a head, or a refusal."""
    with suppress(Refusal):
        HeadBuffer().feed(data)


HEADER = st.tuples(
    st.text("abcXYZ-", min_size=1, max_size=10),
    st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=30),
)


@given(st.lists(HEADER, max_size=20))
def test_what_is_read_is_what_was_sent(headers: list[tuple[str, str]]) -> None:
    """Names come in lower case and values without the blanks around them, in order."""
    raw = request(HOST, *[f"{name}: {value}".encode() for name, value in headers])
    expected = [(name.lower(), value.strip(" ")) for name, value in headers]
    assert list(parse_head(raw).headers[1:]) == expected
