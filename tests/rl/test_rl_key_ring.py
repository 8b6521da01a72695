"""Pseudonyms: the same for one caller, nothing to anybody without the key, nothing at all once it is forgotten."""

import json

import numpy as np
import pytest

from tomrt.rl.errors import InvalidState, LearningError, StoreError
from tomrt.rl.key_ring import KeyRing

DAY = 86_400.0
NOW = 1.79e9


def test_all_ways_to_write_a_number_are_one_caller():
    """International, national, grouped and SIP forms of a number have one pseudonym."""
    keys = KeyRing.in_memory()
    forms = (
        "+4915112345678",
        "004915112345678",
        "015112345678",
        "0151 1234 5678",
        "0151/12345678",
        "+49 (0) 151-12345678",
        "4915112345678",
        "sip:+4915112345678@sip.example.org;user=phone",
        "tel:+49-151-12345678",
        '"Erika Mustermann" <sips:+4915112345678@sip.example.org>',
        "015112345678@10.0.0.1",
    )
    assert len({keys.pseudonym(form) for form in forms}) == 1
    assert keys.pseudonym("+4915112345679") != keys.pseudonym(forms[0])
    assert keys.pseudonym("Alice") == keys.pseudonym(" alice ")
    assert keys.pseudonym("") == ""


@pytest.mark.parametrize("nobody", ["", "  ", "anonymous", "sip:anonymous@anonymous.invalid", "Restricted", "<>"])
def test_withheld_numbers_are_not_one_caller(nobody):
    """Callers who hide their number have no pseudonym, so that none of them gets the calls of all others."""
    keys = KeyRing.in_memory()
    assert keys.pseudonym(nobody) == ""
    assert keys.pseudonyms(nobody) == ()


def test_other_names_stay_apart():
    """Users of two hosts are two callers, and an extension is not a number of the public network."""
    keys = KeyRing.in_memory()
    assert keys.pseudonym("sip:erika@a.example") != keys.pseudonym("sip:erika@b.example")
    assert keys.pseudonym("sip:erika@a.example") == keys.pseudonym("Erika@A.example")
    assert keys.pseudonym("4711") != keys.pseudonym("+4711")


def test_pseudonyms_need_the_key():
    """Another key gives another pseudonym, and the form is the key's name and 64 bits."""
    one, other = KeyRing.in_memory(), KeyRing.in_memory()
    assert one.pseudonym("+4930123456") != other.pseudonym("+4930123456")
    name, _, digest = one.pseudonym("+4930123456").partition(":")
    assert (len(name), len(digest)) == (8, 16)
    assert "123456" not in repr(one)


def test_keys_rotate_and_are_forgotten(tmp_path):
    """After 30 days a new key is used; 90 days later the old one is gone, and with it the way back to the caller."""
    path = tmp_path / "keys.json"
    first = KeyRing.open(path, NOW).pseudonym("0301234567")
    assert KeyRing.open(path, NOW + 29 * DAY).pseudonym("0301234567") == first
    later = KeyRing.open(path, NOW + 31 * DAY)
    assert later.pseudonym("0301234567") != first
    assert later.pseudonyms("0301234567")[-1] == first
    assert later.matches(first, "030 1234567") is True
    assert later.matches(first, "030 1234568") is False
    assert not later.rotate(NOW + 32 * DAY)
    assert later.rotate(NOW + 91 * DAY)
    assert first in later.pseudonyms("0301234567")
    assert later.rotate(NOW + 121 * DAY)
    assert first not in later.pseudonyms("0301234567")
    assert later.matches(first, "0301234567") is None
    assert len(json.loads(path.read_text())["keys"]) == 3


def test_a_running_ring_takes_over_what_another_process_made(tmp_path):
    """Where the command line rotated first, the service does not make a second key."""
    path = tmp_path / "keys.json"
    service = KeyRing.open(path, NOW)
    command = KeyRing.open(path, NOW + 40 * DAY)
    assert service.rotate(NOW + 40 * DAY)
    assert service.pseudonym("x") == command.pseudonym("x") == KeyRing.read(path).pseudonym("x")


def test_the_file_is_its_owners_alone(tmp_path):
    """The file and its folder can be read by nobody else."""
    path = tmp_path / "learning" / "keys.json"
    KeyRing.open(path, NOW)
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[]",
        b"{}",
        b'{"schema": 1, "keys": []}',
        b'{"schema": 1, "keys": [{"name": "abcdef01", "secret": "00ff", "since": 1}]}',
        b'{"schema": 1, "keys": [{"name": "x", "secret": "' + b"00" * 32 + b'", "since": 1}]}',
        b'{"schema": "1", "keys": 3}',
        b"\xff\xfe",
    ],
)
def test_a_damaged_file_is_not_overwritten(tmp_path, content):
    """New keys in place of damaged ones would cut off all older rows, so somebody has to look."""
    path = tmp_path / "keys.json"
    path.write_bytes(content)
    with pytest.raises(InvalidState, match="is damaged"):
        KeyRing.open(path, NOW)
    assert path.read_bytes() == content


def test_faults_are_sentences(tmp_path):
    """A newer file, a missing one, a folder that is none and wrong numbers each say what is the matter."""
    path = tmp_path / "keys.json"
    with pytest.raises(StoreError, match="there is no file of keys"):
        KeyRing.read(path)
    path.write_text('{"schema": 2, "keys": []}')
    with pytest.raises(InvalidState, match="newer version"):
        KeyRing.read(path)
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="cannot be"):
        KeyRing.open(tmp_path / "file" / "keys.json", NOW)
    with pytest.raises(LearningError, match="must be above 0"):
        KeyRing.open(tmp_path / "other.json", NOW, rotate_days=0.0)


def test_a_sticky_draw_is_uniform_and_its_own_for_each_label():
    """One caller has one number for each label; over callers they are uniform, and labels do not hang together."""
    keys = KeyRing.in_memory(np.random.default_rng(4).bytes)
    callers = [f"+49151{number:07d}" for number in range(2000)]
    guard = np.array([keys.uniform(caller, "guard") for caller in callers])
    bandit = np.array([keys.uniform(caller, "bandit") for caller in callers])
    assert keys.uniform("0151 0000000", "guard") == guard[0]
    assert ((guard >= 0) & (guard < 1)).all()
    for decile in range(10):
        assert 140 < ((guard * 10).astype(int) == decile).sum() < 260
    assert abs(np.corrcoef(guard, bandit)[0, 1]) < 0.08
