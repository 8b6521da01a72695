"""Free text loses what points at a person, and keeps the rest."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tomrt.rl.pii import LEAST_DIGITS, redact

GERMAN = ["null", "eins", "zwo", "drei", "vier", "fünf", "sechs", "sieben", "acht", "neun"]
ENGLISH = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]
SWEDISH = ["noll", "ett", "två", "tre", "fyra", "fem", "sex", "sju", "åtta", "nio"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0151 12345678", "[phone]"),
        ("+49 (0) 30 / 123 45 67", "[phone]"),
        ("030/1234567-89", "[phone]"),
        ("070-123 45 67", "[phone]"),
        ("0151~1234567", "[phone]"),
        ("01511234567 bitte", "[phone] bitte"),
        ("０１５１ １２３４５６７", "[phone]"),
        ("0151\u200b123\u20114567", "[phone]"),
        ("Tel0151123456", "Tel[phone]"),
        ("max.muster+x@web.de", "[mail]"),
        ("MAX@localhost", "[mail]"),
        ("max＠web.de", "[mail]"),
        ("max punkt muster at gmail punkt com", "[mail]"),
        ("max@web.de, oder moritz@web.de", "[mail], oder [mail]"),
        ("DE89 3704 0044 0532 0130 00", "[iban]"),
        ("de89370400440532013000", "[iban]"),
        ("GB29 NWBK 6016 1331 9268 19", "[iban]"),
        ("NO9386011117947", "[iban]"),
        ("4111 1111 1111 1111", "[card]"),
        ("5500-0000-0000-0004", "[card]"),
        ("19811218-9876", "[personnummer]"),
        ("811218-9876", "[personnummer]"),
        ("am 12.05.1980 geboren", "am [phone] geboren"),
        ("null eins fünf eins dreiundzwanzig fünfundvierzig", "[digits]"),
        ("Null-Eins-Fünf-Eins-Zwei-Drei", "[digits]"),
        ("nulleinsfünfeinszweidrei", "[digits]"),
        ("fu\u0308nf fu\u0308nf fu\u0308nf drei drei drei", "[digits]"),
        ("zero one five one double two three", "[digits]"),
        ("oh seven seventeen twenty three", "[digits]"),
        ("noll sju noll ett två tre fyra", "[digits]"),
        ("null drei null 12 34", "[digits]"),
    ],
)
def test_what_points_at_somebody_goes(text, expected):
    """Numbers and addresses in all the ways people and recognisers write them are replaced by their kind."""
    assert redact(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "Der Termin ist am Dienstag um 14:30.",
        "9-12 und 14-18 Uhr",
        "seit 2026-11-20 und am 21.11.2026",
        "Ich habe 3 Kinder, 2 Autos und 1 Katze",
        "vier von fünf Sternen",
        "eins, zwei, drei, vier, fünf",
        "drei mal vier ist zwölf",
        "siebenundzwanzig und dreißig Euro",
        "one or two, maybe three",
        "at home at ten",
        "Achtung, neunmal kluge Leute",
        "PLZ 12345",
        "",
    ],
)
def test_ordinary_text_stays(text):
    """Times, prices, ratings, recent dates and small numbers are left alone."""
    assert redact(text) == text


GAPS = st.sampled_from(("", " ", "-", "/", ".", ", ", " - ", "\u00a0", "\u2011", " ("))


@given(st.lists(st.integers(0, 9), min_size=LEAST_DIGITS, max_size=15), st.data())
def test_no_grouping_hides_a_number(digits, data):
    """However a number is grouped, and whether digits or words are used, none of it is left."""
    words = data.draw(st.sampled_from((GERMAN, ENGLISH, SWEDISH)))
    parts = [words[digit] if data.draw(st.booleans()) else str(digit) for digit in digits]
    said = parts[0] + "".join(data.draw(GAPS) + part for part in parts[1:])
    left = redact(f"Sie haben {said}: danke")
    assert left.startswith("Sie haben ")
    assert left.endswith(": danke")
    inside = left.removeprefix("Sie haben ").removesuffix(": danke")
    assert inside.strip("+() ").rstrip() in {"[phone]", "[digits]", "[card]", "[personnummer]", "[iban]"} or (
        said[:10].replace("-", "").isdigit() and inside == said  # a recent day, as 2026-11-20
    )


@given(st.text(max_size=200))
def test_any_text_is_read_and_twice_is_once(text):
    """No text makes it fail, and what is clean stays as it is."""
    once = redact(text)
    assert redact(once) == once


@pytest.mark.parametrize("piece", ["a", "1", "1 ", "eins ", "a@", "a.", "a at ", "DE89", "AB12CD", "und ", "(", "a-"])
def test_long_texts_take_time_by_their_length(piece):
    """A text that is made to be slow ends all the same: this test would not."""
    assert isinstance(redact(piece * (20_000 // len(piece))), str)


def test_telephone_networks_of_the_world():
    """Every example number of 245 regions, written in four ways, is found whole."""
    phonenumbers = pytest.importorskip("phonenumbers", reason="the peer that knows all numbering plans")
    ways = [getattr(phonenumbers.PhoneNumberFormat, name) for name in ("E164", "INTERNATIONAL", "NATIONAL", "RFC3966")]
    seen = 0
    for region in phonenumbers.SUPPORTED_REGIONS:
        number = phonenumbers.example_number_for_type(region, phonenumbers.PhoneNumberType.MOBILE)
        for way in ways if number else ():
            written = phonenumbers.format_number(number, way)
            if sum(letter.isdigit() for letter in written) < LEAST_DIGITS:
                continue  # four digits on an island in the Atlantic
            seen += 1
            assert not any(letter.isdigit() for letter in redact(f"Rufen Sie {written} an")), written
    assert seen > 900


def test_random_numbers_of_the_bench_are_found():
    """A thousand random German numbers as they are spoken leave nothing."""
    rng = np.random.default_rng(3)
    for _ in range(1000):
        words = " ".join(GERMAN[digit] for digit in rng.integers(0, 10, 11))
        assert redact(f"Meine Nummer ist {words}, danke") == "Meine Nummer ist [digits], danke"
