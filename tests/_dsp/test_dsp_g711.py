"""G.711 against the tables of the recommendation."""

from __future__ import annotations

import hashlib
import warnings
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tomrt._dsp.g711 import alaw_decode, alaw_encode, ulaw_decode, ulaw_encode

GOLDEN = Path(__file__).parents[1] / "golden"
ALL_CODES = bytes(range(256))
ALL_SAMPLES = np.arange(-32768, 32768)
ALL_PCM = ALL_SAMPLES.astype("<i2").tobytes()
SHA256 = {
    ulaw_encode: "90c29de505fb68e766118303bd552a16005dcf810873698bee1d8f3b247ce28c",
    alaw_encode: "38488f6fd710f4686360edc4d38639f96c491595ef93f8eb8d62d5e07ca6ce7b",
}


def table(law):
    """Return the golden sample of each of the 256 codes."""
    lines = (GOLDEN / f"g711_{law}_decoded.txt").read_text().splitlines()
    return [int(value) for line in lines if not line.startswith("#") for value in line.split()]


def decision_values(steps):
    """Return the decision values x1, x2, … of G.711 tables 1 and 2, from the step size of each of their intervals."""
    return np.cumsum(steps)


def intervals_of(decisions):
    """Return the interval of each 16-bit sample; of a negative one the one's complement counts, as in G.191."""
    magnitudes = np.where(ALL_SAMPLES < 0, ~ALL_SAMPLES, ALL_SAMPLES)
    return np.searchsorted(decisions, magnitudes, side="right")


def audioop():
    """Return the module that CPython had until 3.12, or skip."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        return pytest.importorskip("audioop", reason="CPython 3.13 has no audioop")


@pytest.mark.parametrize(("law", "decode"), [("ulaw", ulaw_decode), ("alaw", alaw_decode)])
def test_decoder_golden(law, decode):
    """Each of the 256 codes decodes to the sample of the recommendation's table."""
    assert table(law) == np.frombuffer(decode(ALL_CODES), "<i2").tolist()


def test_ulaw_encoder_by_decision_values():
    """All 65,536 samples get the mu-law code of the interval of table 2 that they lie in."""
    steps = [1] + 15 * [2] + [2 ** (segment + 2) for segment in range(7) for _ in range(16)]
    interval = intervals_of(4 * decision_values(steps)[:127])
    assert (np.where(ALL_SAMPLES < 0, 0x7F, 0xFF) - interval).astype(np.uint8).tobytes() == ulaw_encode(ALL_PCM)


def test_alaw_encoder_by_decision_values():
    """All 65,536 samples get the A-law code of the interval of table 1 that they lie in, even bits inverted."""
    steps = 16 * [2] + [2 ** (segment + 1) for segment in range(7) for _ in range(16)]
    interval = intervals_of(8 * decision_values(steps)[:127])
    codes = (interval | np.where(ALL_SAMPLES < 0, 0, 0x80)) ^ 0x55
    assert codes.astype(np.uint8).tobytes() == alaw_encode(ALL_PCM)


@pytest.mark.parametrize("encode", SHA256, ids=["ulaw", "alaw"])
def test_encoder_golden(encode):
    """The codes of all 65,536 samples are the ones they have always been."""
    assert SHA256[encode] == hashlib.sha256(encode(ALL_PCM)).hexdigest()


@pytest.mark.parametrize(("encode", "decode"), [(ulaw_encode, ulaw_decode), (alaw_encode, alaw_decode)])
def test_codes_survive(encode, decode):
    """Decoding and encoding again gives the code, but for mu-law's negative zero, whose sample is plain zero."""
    expected = ALL_CODES.replace(b"\x7f", b"\xff") if encode is ulaw_encode else ALL_CODES
    assert expected == encode(decode(ALL_CODES))


def test_audioop_agrees_but_for_its_defect():
    """CPython's late audioop agrees, but for the 508 mu-law codes that it got wrong."""
    old = audioop()
    assert old.ulaw2lin(ALL_CODES, 2) == ulaw_decode(ALL_CODES)
    assert old.alaw2lin(ALL_CODES, 2) == alaw_decode(ALL_CODES)
    assert old.lin2alaw(ALL_PCM, 2) == alaw_encode(ALL_PCM)
    ours, theirs = (np.frombuffer(codes, np.uint8) for codes in (ulaw_encode(ALL_PCM), old.lin2ulaw(ALL_PCM, 2)))
    differ = ALL_SAMPLES[ours != theirs]
    assert len(differ) == 508
    assert (differ < 0).all()
    assert -31612 in differ


def test_digital_silence():
    """Mu-law's idle code is silence; the seed's decoder made a bang of it."""
    assert bytes(2) == ulaw_decode(b"\xff")
    assert ulaw_encode(bytes(2)) + alaw_encode(bytes(2)) == b"\xff\xd5"


@given(st.binary(max_size=999))
def test_any_codes(codes):
    """Any bytes are codes, and each code is decoded by itself."""
    for decode in (ulaw_decode, alaw_decode):
        assert decode(codes) == b"".join(decode(codes[at : at + 1]) for at in range(len(codes)))
