from __future__ import annotations

import contextlib
import json as python_json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tomrt.errors import MisuseError, ProtocolError
from tomrt.wire.json import MAX_DEPTH, dumps, loads, loads_object

MUST_FAIL = [
    b"",
    b" ",
    b"{",
    b"}",
    b"[1,]",
    b"{'a':1}",
    b'{"a":1,}',
    b'{"a" 1}',
    b"nul",
    b"NaN",
    b"-NaN",
    b"Infinity",
    b"-Infinity",
    b"[Infinity]",
    b"1e999",
    b"[-1e999999]",
    b"01",
    b"+1",
    b".5",
    b"1.",
    b"0x10",
    b'"\x01"',
    b'"\\x00"',
    b'"\\u12"',
    b'"\\ud800"',
    b'"\\udc00\\ud800"',
    b'{"\\udfff":1}',
    b'{"a":1,"a":2}',
    b'{"a":{"b":1,"b":1}}',
    b"\xef\xbb\xbf{}",
    b"\xff\xfe{\x00}\x00",
    b'"\xff"',
    b'"\xc0\xaf"',
    b'"\xed\xa0\x80"',
    b"[" * 33 + b"]" * 33,
    b"[" * 65_000,
    b'{"a":' * 12_000,
    b"[" * 32_000 + b"]" * 32_000,
    b'"' + b"x" * 65_536 + b'"',
    b"1" * 5_000,
    b"{}{}",
    b"[1] x",
    b'"unterminated',
    b'"' * 60_001 + b"[" * 40,
    b"\x00",
]


@pytest.mark.parametrize("text", MUST_FAIL, ids=range(len(MUST_FAIL)))
def test_whatever_is_wrong_is_one_protocol_error(text: bytes) -> None:
    """Every malformed, oversized or ambiguous document is a ProtocolError of one sentence that quotes nothing."""
    with pytest.raises(ProtocolError) as caught:
        loads(text)
    assert len(str(caught.value)) < 120
    assert "\n" not in str(caught.value)


def test_lone_surrogates_in_text_are_refused() -> None:
    """Half of a surrogate pair is refused also where it comes unescaped in a str."""
    with pytest.raises(ProtocolError):
        loads('"\ud800"')


def test_text_is_measured_in_bytes() -> None:
    """The bound counts bytes of UTF-8, not characters."""
    with pytest.raises(ProtocolError):
        loads('"' + "ä" * 40 + '"', max_bytes=80)


@pytest.mark.parametrize("text", ["[]", "1", '"a"', "null", "true"])
def test_an_object_is_asked_for(text: str) -> None:
    """loads_object refuses every other kind of document."""
    loads(text)
    with pytest.raises(ProtocolError):
        loads_object(text)


def test_depth_is_counted_in_brackets_and_not_in_strings() -> None:
    """Depth 32 is taken, and brackets within strings do not count."""
    assert loads("[" * MAX_DEPTH + "]" * MAX_DEPTH) is not None
    assert loads('["' + "[" * 100 + '\\"{{{{"]') == ["[" * 100 + '"{{{{']
    assert loads("[" + "[]," * 100 + "[]]") == [[]] * 101


def test_pairs_of_surrogates_are_text() -> None:
    """An escaped surrogate pair is the one character that it stands for."""
    assert loads('"\\ud83d\\ude00"') == "\N{GRINNING FACE}"


JSON_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"]), max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text("abcdefgh", max_size=5), inner, max_size=4),
    max_leaves=20,
)


@given(JSON_VALUES)
def test_what_is_written_is_read_again(value: object) -> None:
    """dumps and loads are inverse, and dumps puts no blanks between the parts."""
    assert loads(dumps(value)) == value
    assert python_json.loads(dumps(value)) == value


@given(st.binary(max_size=200) | st.text('[]{}",:\\u0d8ef12.-+ntr ', max_size=200))
def test_nothing_but_protocol_errors(text: bytes | str) -> None:
    """Any bytes and any text give a value or a ProtocolError."""
    with contextlib.suppress(ProtocolError):
        loads(text)


@pytest.mark.parametrize("value", [float("nan"), {1, 2}, b"x"], ids=repr)
def test_what_has_no_json_form_is_our_mistake(value: object) -> None:
    """dumps raises MisuseError for what JSON cannot say."""
    with pytest.raises(MisuseError):
        dumps(value)
