from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tomrt.errors import ProtocolError
from tomrt.events import Dialect
from tomrt.wire.handshake import choose_subprotocol, is_call_path, read_offer

OFFERED = ("audio.drachtio.org",)


@pytest.mark.parametrize(
    ("query", "subprotocols", "dialect"),
    [
        ("", OFFERED, Dialect.FORK),
        ("", (), Dialect.STREAM),
        ("talk=binary", OFFERED, Dialect.FORK),
        ("talk=binary", (), Dialect.FORK),
        ("talk=json", OFFERED, Dialect.FORK_JSON),
        ("talk=json", ("jambonz",), Dialect.FORK_JSON),
        ("talk=json", (), Dialect.STREAM),
        ("dialect=plain&talk=json", OFFERED, Dialect.PLAIN),
        ("dialect=fork", (), Dialect.FORK),
        ("dialect=fork-json", (), Dialect.FORK_JSON),
        ("dialect=stream&talk=binary", OFFERED, Dialect.STREAM),
    ],
)
def test_dialect(query: str, subprotocols: tuple[str, ...], dialect: Dialect) -> None:
    """The dialect is what the query names, else what talk and the subprotocol situation tell."""
    assert read_offer(query, subprotocols=subprotocols).info("id").dialect is dialect


def test_defaults() -> None:
    """A call that says nothing is 8 kHz mono under a made-up name."""
    offer = read_offer("")
    info = offer.info("made-up")
    assert (info.call_id, info.rate_hz, offer.channels, info.caller, offer.token) == ("made-up", 8000, 1, "", "")


def test_everything_said() -> None:
    """Every parameter of the query arrives, percent-encoding undone and a plus sign kept."""
    offer = read_offer("rate=16000&channels=2&call_id=a%2Db%40c&token=t.o.k&from=+49%20160&x=1&x=2&&y")
    info = offer.info("made-up")
    assert (info.call_id, info.rate_hz, offer.channels, info.caller, offer.token) == (
        "a-b@c",
        16000,
        2,
        "+49 160",
        "t.o.k",
    )


@pytest.mark.parametrize(
    "query",
    [
        "rate=44100",
        "rate=",
        "rate=8k",
        "rate=08000",
        "rate=8000&rate=16000",
        "channels=0",
        "channels=3",
        "channels=mono",
        "dialect=sip",
        "dialect=",
        "talk=both",
        "call_id=",
        "call_id=" + "a" * 129,
        "call_id=" + "a" * 1024,
        "call_id=a%0Ab",
        "call_id=a%0D%0AX-Evil:1",
        "call_id=a%00",
        "call_id=%E2%80%AEabc",
        "call_id=' OR 1=1 --",
        "call_id=%3Cscript%3E",
        "call_id=a/../b",
        "call_id=%ff",
        "call_id=a&call_id=a",
        "token=a&token=b",
        "%ff=1",
        "&".join(f"p{n}=1" for n in range(40)),
    ],
)
def test_wrong_parameters_are_refused_in_one_sentence(query: str) -> None:
    """A parameter we know that is wrong, doubled or not UTF-8 is refused, without quoting it."""
    with pytest.raises(ProtocolError) as caught:
        read_offer(query)
    assert str(caught.value).isascii()
    assert "script" not in str(caught.value)


@pytest.mark.parametrize(
    ("header", "token"),
    [
        ("Bearer a.b.c", "a.b.c"),
        ("bearer  a.b.c ", "a.b.c"),
        ("Basic " + base64.b64encode(b"tomrt:a.b.c").decode(), "a.b.c"),
        ("Basic Ym9iOnMzY3JldA==", "s3cret"),
        ("Basic !!!", ""),
        ("Basic " + base64.b64encode(b"\xff:\xff").decode(), ""),
        ("Digest x", ""),
        ("", ""),
    ],
)
def test_token_in_a_header(header: str, token: str) -> None:
    """A token may come as a bearer or as the password that mod_audio_fork can send; the query's comes first."""
    headers = {"authorization": header}
    assert read_offer("", headers=headers).token == token
    assert read_offer("token=q", headers=headers).token == "q"


def test_secrets_do_not_show() -> None:
    """Neither token nor caller stands in the offer's repr."""
    shown = repr(read_offer("token=topsecret&from=0301234567"))
    assert "topsecret" not in shown
    assert "0301234567" not in shown


def test_metadata_fills_in() -> None:
    """Metadata as seen on the wire names the call and the caller."""
    text = '{"ext":"7001","callid":"fc7d46d5-2518-49ad-91ec-cd57a5bf140c","from":"1000","rate":16000,"talk":"json"}'
    offer, bad = read_offer("").with_metadata(text)
    info = offer.info("made-up")
    assert bad == 0
    assert info.call_id == "fc7d46d5-2518-49ad-91ec-cd57a5bf140c"
    assert (info.rate_hz, info.caller, info.dialect) == (16000, "1000", Dialect.STREAM)


def test_the_query_wins() -> None:
    """Metadata changes nothing that the query has said."""
    offer = read_offer("rate=8000&call_id=q&dialect=plain&talk=json&from=1")
    text = '{"rate":16000,"call_id":"m","callid":"n","uuid":"o","dialect":"fork","talk":"binary","from":"2"}'
    assert offer.with_metadata(text) == (offer, 0)


@pytest.mark.parametrize(
    ("text", "bad"),
    [
        ('c"}', 1),
        ("", 1),
        ("[]", 1),
        ('{"rate":44100}', 1),
        ('{"rate":true,"callid":["x"],"from":{"a":1},"dialect":null,"talk":7}', 5),
        ('{"callid":"a b","uuid":"good"}', 1),
        ('{"unknown":[1,2,{"a":null}]}', 0),
        ("[" * 50_000, 1),
    ],
)
def test_broken_metadata_is_ignored_and_counted(text: str, bad: int) -> None:
    """Fields that cannot be used are counted; the others still are."""
    offer, found = read_offer("").with_metadata(text)
    assert found == bad
    assert offer.call_id == ("good" if "good" in text else None)
    assert offer.info("id").rate_hz == 8000


@given(st.text(max_size=80), st.text(max_size=80))
def test_nothing_but_protocol_errors_from_offers(query: str, metadata: str) -> None:
    """Any query gives an offer or a ProtocolError, and any metadata an offer."""
    try:
        offer = read_offer(query)
    except ProtocolError:
        return
    offer.with_metadata(metadata)


@pytest.mark.parametrize("path", ["/call", "/call/", "/call/a", "/call/a/b-c.d", "/call/~x"])
def test_call_paths(path: str) -> None:
    """Calls are taken at /call and everything under it."""
    assert is_call_path(path)


@pytest.mark.parametrize(
    "path", ["/", "", "/calls", "/x/call", "/call//", "/call/..", "/call/../x", "/call/%00", "/call/%ff", "/call\n"]
)
def test_other_paths(path: str) -> None:
    """Other paths, and what only looks like one of ours, are not."""
    assert not is_call_path(path)


@pytest.mark.parametrize(
    ("offered", "chosen"),
    [((), None), (("x", "audio.drachtio.org"), "audio.drachtio.org"), (("jambonz", "y"), "jambonz")],
)
def test_subprotocol(offered: tuple[str, ...], chosen: str | None) -> None:
    """drachtio's subprotocol is answered where it is offered, else the first one, else none."""
    assert choose_subprotocol(offered) == chosen
