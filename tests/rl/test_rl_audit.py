"""The audit log: lines are only added, and a torn one costs only itself."""

import stat

import pytest

from tomrt.rl.audit import AuditLog
from tomrt.rl.errors import StoreError
from tomrt.rl.stage import Change, Stage


def change(number=0, **fields):
    given = {
        "at": 1.5e9 + number,
        "variant": "warm_short",
        "before": Stage.CANARY,
        "after": Stage.BLACKLISTED,
        "why": "schlechter als die Grundfassung\nzweite Zeile",
        "by": "statistics",
        "evidence": (("harm", 21.5), ("episodes", 33.0)),
    }
    return Change(**{**given, **fields})


def test_what_is_written_is_read(tmp_path):
    """Changes come back whole and in order, also to a reader of its own."""
    path = tmp_path / "audit.jsonl"
    changes = [change(number, evidence=() if number == 1 else (("harm", float(number)),)) for number in range(3)]
    for one in changes:
        AuditLog(path).write(one)
    assert list(AuditLog(path).read()) == changes


def test_only_the_owner_may_read(tmp_path):
    """The file is made with the rights 0600."""
    path = tmp_path / "audit.jsonl"
    AuditLog(path).write(change())
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_no_file_is_an_empty_log(tmp_path):
    """Before the first change there is nothing to read."""
    assert list(AuditLog(tmp_path / "audit.jsonl").read()) == []


def test_every_torn_last_line_is_passed_over(tmp_path):
    """Wherever a power cut ends the last line, the lines before stay, and the next one written is whole."""
    path = tmp_path / "audit.jsonl"
    log = AuditLog(path)
    log.write(change(0))
    first = path.stat().st_size
    log.write(change(1))
    whole = path.read_bytes()
    for length in range(first, len(whole) - 1):
        path.write_bytes(whole[:length])
        assert list(log.read()) == [change(0)]
        log.write(change(2))
        assert list(log.read()) == [change(0), change(2)]


@pytest.mark.parametrize(
    "line",
    [
        b"{}",
        b"[1]",
        b"\xff\xfe",
        b'{"at":',
        b"[" * 100_000,
        b'{"at": 1, "variant": "a", "before": "canary", "after": "gone", "why": "", "by": "x", "evidence": {}}',
        b'{"at": null, "variant": "a", "before": "canary", "after": "active", "why": "", "by": "x", "evidence": {}}',
        b'{"at": 1, "variant": 7, "before": "canary", "after": "active", "why": "", "by": "x", "evidence": {"a": "b"}}',
    ],
)
def test_a_strange_line_is_passed_over(tmp_path, line):
    """Whatever stands in a line, the others are read."""
    path = tmp_path / "audit.jsonl"
    log = AuditLog(path)
    log.write(change(0))
    path.write_bytes(path.read_bytes() + line + b"\n")
    log.write(change(1))
    assert list(log.read()) == [change(0), change(1)]


def test_a_folder_that_is_not_there_is_said(tmp_path):
    """A log that cannot be written or read says so in a sentence."""
    with pytest.raises(StoreError, match=r"audit log .*cannot be written: No such file"):
        AuditLog(tmp_path / "gone" / "audit.jsonl").write(change())
    with pytest.raises(StoreError, match=r"audit log .*cannot be read: Is a directory"):
        list(AuditLog(tmp_path).read())


def test_figures_that_json_cannot_hold_are_refused(tmp_path):
    """Nothing is written of a change whose evidence is not finite."""
    with pytest.raises(StoreError, match="a change of 'warm_short' is no JSON"):
        AuditLog(tmp_path / "audit.jsonl").write(change(evidence=(("harm", float("inf")),)))
    assert not (tmp_path / "audit.jsonl").exists()
