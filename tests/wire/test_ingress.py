from __future__ import annotations

import itertools
from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tomrt.events import WEBSOCKET_DIALECTS, CallInfo, Dialect, LineAudio, LineClosed, LineDigit
from tomrt.wire.line import LineCore, core_for

DIALECTS = list(WEBSOCKET_DIALECTS)


def make(dialect: Dialect, *, channels: int = 1) -> tuple[LineCore, Counter[str]]:
    counts: Counter[str] = Counter()
    info = CallInfo(call_id="c1", dialect=dialect)
    return core_for(info, channels=channels, count=lambda word: counts.update([word])), counts


def heard(core: LineCore, frames: list[bytes]) -> bytes:
    events = [event for frame in frames for event in core.receive_binary(frame)]
    return b"".join(event.pcm for event in events if isinstance(event, LineAudio))


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("channels", [1, 2])
@given(data=st.data())
def test_framing_does_not_matter(dialect: Dialect, channels: int, data: st.DataObject) -> None:
    """However the byte stream is cut into frames, the call hears the same samples."""
    stream = data.draw(st.binary(max_size=400))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=12)))
    edges = [0, *cuts, len(stream)]
    frames = [stream[a:b] for a, b in itertools.pairwise(edges) if b > a]
    core, _ = make(dialect, channels=channels)
    unit = 2 * channels
    whole = stream[: len(stream) - len(stream) % unit]
    expected = np.frombuffer(whole, "<i2").reshape(-1, channels)[:, 0].tobytes()
    assert heard(core, frames) == expected


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("size", [640, 960, 1280, 1600, 1920, 304, 320, 2])
def test_sizes_seen_on_the_wire(dialect: Dialect, size: int) -> None:
    """Every frame size that FreeSWITCH was seen to send is heard whole."""
    core, counts = make(dialect)
    assert core.receive_binary(b"\xff\xff" * (size // 2)) == [LineAudio(b"\xff\xff" * (size // 2))]
    assert not counts


@pytest.mark.parametrize("dialect", DIALECTS)
def test_one_byte_makes_no_event(dialect: Dialect) -> None:
    """An odd byte waits for the other half of its sample."""
    core, _ = make(dialect)
    assert core.receive_binary(b"\x01") == []
    assert core.receive_binary(b"\x02\x03\x04") == [LineAudio(b"\x01\x02\x03\x04")]


@pytest.mark.parametrize("dialect", DIALECTS)
def test_empty_frame_finishes(dialect: Dialect) -> None:
    """A zero-length binary frame asks us to finish; the repeats and audio after it are dropped and counted."""
    core, counts = make(dialect)
    assert core.receive_binary(b"") == [LineClosed("finished")]
    assert core.receive_binary(b"") == []
    assert core.receive_binary(b"\0" * 320) == []
    assert counts == {"audio_after_end": 2}


ODD_TEXTS = [
    ('c"}', "text_not_json"),
    ("", "text_not_json"),
    ("hello", "text_not_json"),
    ("[1]", "text_not_json"),
    ("null", "text_not_json"),
    ("[" * 1000, "text_not_json"),
    ('{"type":"what"}', "text_unknown"),
    ('{"type":7}', "text_unknown"),
    ('{"type":["dtmf"]}', "text_unknown"),
    ('{"type":{"a":1}}', "text_unknown"),
    ('{"event":"x"}', "text_unknown"),
    ('{"ext":"7001","callid":"fc7d46d5-2518-49ad-91ec-cd57a5bf140c","from":"1000"}', "metadata"),
    ('{"type":"metadata","rate":8000}', "metadata"),
    ("{}", "metadata"),
    ('{"type":"dtmf"}', "digit_bad"),
    ('{"type":"dtmf","digit":"x"}', "digit_bad"),
    ('{"type":"dtmf","digit":"12"}', "digit_bad"),
    ('{"type":"dtmf","digit":""}', "digit_bad"),
    ('{"type":"dtmf","digit":10}', "digit_bad"),
    ('{"type":"dtmf","digit":-1}', "digit_bad"),
    ('{"type":"dtmf","digit":true}', "digit_bad"),
    ('{"type":"dtmf","digit":null}', "digit_bad"),
    ('{"type":"dtmf","digit":["5"]}', "digit_bad"),
    ('{"type":"dtmf","digit":5.0}', "digit_bad"),
]


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize(("text", "word"), ODD_TEXTS)
def test_odd_texts_are_counted_and_the_call_goes_on(dialect: Dialect, text: str, word: str) -> None:
    """Text without a meaning here makes no event, is counted, and the next audio is heard."""
    core, counts = make(dialect)
    assert core.receive_text(text) == []
    assert counts == {word: 1}
    assert core.receive_binary(b"\1\2") == [LineAudio(b"\1\2")]


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize(
    ("text", "digit"),
    [
        ('{"event":"dtmf","digit":"5"}', "5"),
        ('{"type":"dtmf","digit":"5"}', "5"),
        ('{"type":"dtmf","digit":"#","duration":1600}', "#"),
        ('{"type":"dtmf","digit":"*"}', "*"),
        ('{"type":"dtmf","digit":"d"}', "D"),
        ('{"type":"dtmf","digit":7}', "7"),
        ('{"type":"dtmf","digit":0}', "0"),
    ],
)
def test_forwarded_key_presses(dialect: Dialect, text: str, digit: str) -> None:
    """A key press that the operator forwards as text is a digit of the call."""
    core, counts = make(dialect)
    assert core.receive_text(text) == [LineDigit(digit)]
    assert not counts


@pytest.mark.parametrize("dialect", DIALECTS)
def test_metadata_five_times(dialect: Dialect) -> None:
    """Metadata may come late and often; it is counted and disturbs nothing."""
    core, counts = make(dialect)
    for _ in range(5):
        assert core.receive_binary(b"\1") == []
        assert core.receive_text('{"callid":"x"}') == []
        assert core.receive_binary(b"\2") == [LineAudio(b"\1\2")]
    assert counts == {"metadata": 5}


@pytest.mark.parametrize("dialect", DIALECTS)
@given(
    text=st.text(max_size=100)
    | st.dictionaries(st.sampled_from(["type", "event", "data", "digit"]), st.text()).map(str)
)
def test_no_text_raises(dialect: Dialect, text: str) -> None:
    """No text whatever raises."""
    make(dialect)[0].receive_text(text)
