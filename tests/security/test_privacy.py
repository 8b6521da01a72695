from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tomrt.errors import MisuseError
from tomrt.security.privacy import pseudonym

KEY = "a key of the operator's"


@pytest.mark.parametrize("number", ["+4930123", "004930123", "+49 (30) 123", "0049-30-123", " +49.30/123 "])
def test_one_number_however_it_is_written(number: str) -> None:
    """A number has one pseudonym, however it is written."""
    assert pseudonym(number, KEY) == pseudonym("+4930123", KEY)


def test_different_numbers() -> None:
    """Different numbers, and different keys, have different pseudonyms; an extension is no international number."""
    found = {pseudonym(number, KEY) for number in ("+4930123", "+4930124", "4930123", "030123", "1000")}
    assert len(found | {pseudonym("+4930123", "another")}) == 6


@pytest.mark.parametrize("number", ["", "anonymous", "Anonymous", "+", "00", "unknown@invalid", " - "])
def test_nobody(number: str) -> None:
    """A caller without a number has no pseudonym."""
    assert pseudonym(number, KEY) == ""


def test_known_value() -> None:
    """It is the beginning of the HMAC-SHA-256 of the number with its plus, so that an operator can compute it."""
    assert pseudonym("00491", "key") == "40bae7b53ee7ed34"


def test_no_key() -> None:
    """Without a key nothing is made, since anybody could try all numbers."""
    with pytest.raises(MisuseError):
        pseudonym("+4930123", "")


@given(number=st.text(max_size=40))
def test_any_text(number: str) -> None:
    """Whatever a peer gives for a number, the pseudonym is 16 hexadecimal digits or nothing."""
    made = pseudonym(number, KEY)
    assert made == "" or (len(made) == 16 and set(made) <= set("0123456789abcdef"))
