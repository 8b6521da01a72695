"""The state file: whole or not at all, older generations behind it, one writer."""

import json
import resource
import subprocess
import sys

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tomrt.rl.errors import InvalidState, LearningError, StoreError
from tomrt.rl.state_file import StateFile

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=12,
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=30, deadline=None)
@given(st.dictionaries(st.text(max_size=5), JSON, max_size=5))
def test_what_was_saved_is_loaded(tmp_path, data):
    """Any state of JSON comes back as it was, to the last bit of each number."""
    file = StateFile(tmp_path / "policy.json")
    file.save(data)
    assert file.load() == data
    assert (file.source, file.faults) == (tmp_path / "policy.json", ())


def test_the_file_is_json_for_people_too(tmp_path):
    """The file is one JSON document, with its owner's rights alone, and nothing else is left in the folder."""
    file = StateFile(tmp_path / "learning" / "policy.json", generations=1)
    assert file.load() is None
    file.save({"seq": 3})
    file.save({"seq": 4})
    document = json.loads(file.path.read_text())
    assert (document["schema"], document["data"]) == (1, {"seq": 4})
    assert [path.name for path in file.path.parent.iterdir()] == ["policy.json"]
    assert file.path.stat().st_mode & 0o777 == 0o600


def damage(path, how):
    """Spoil a file as disks and editors do."""
    content = path.read_bytes()
    path.write_bytes(
        {
            "cut": content[: len(content) // 2],
            "empty": b"",
            "zeros": bytes(len(content)),
            "a digit": content.replace(b'"seq": ', b'"seq": 1'),
            "more": content + b" ",
            "a list": b"[1, 2]",
        }[how]
    )


@pytest.mark.parametrize("how", ["cut", "empty", "zeros", "a digit", "more", "a list"])
def test_a_damaged_file_gives_way_to_the_one_before(tmp_path, how):
    """A file that is not whole is passed by, and it is said which one was taken instead and why."""
    file = StateFile(tmp_path / "policy.json")
    for seq in (1, 2, 3, 4):
        file.save({"seq": seq})
    damage(file.path, how)
    assert file.load() == {"seq": 3}
    assert file.source == tmp_path / "policy.json.1"
    assert file.faults == (f"{file.path} is damaged: its checksum does not fit",)
    damage(tmp_path / "policy.json.1", how)
    assert file.load() == {"seq": 2}
    damage(tmp_path / "policy.json.2", how)
    with pytest.raises(InvalidState, match="is damaged") as caught:
        file.load()
    assert len(caught.value.faults) == 3


def test_a_rename_that_was_cut_short(tmp_path):
    """Between the two renames of a save the state before is found."""
    file = StateFile(tmp_path / "policy.json")
    file.save({"seq": 1})
    file.path.rename(tmp_path / "policy.json.1")
    assert file.load() == {"seq": 1}
    file.save({"seq": 2})
    assert file.load() == {"seq": 2}


def test_a_newer_version_is_not_taken_for_damaged(tmp_path):
    """After a step back to an older program the newer state is not overwritten by older generations."""
    file = StateFile(tmp_path / "policy.json")
    file.save({"seq": 1})
    file.path.write_text('{"schema": 2, "sum": "", "data": {}}\n')
    with pytest.raises(InvalidState, match="newer version"):
        file.load()


@pytest.mark.parametrize("data", [{"a": float("nan")}, {"a": float("inf")}, {"a": {1, 2}}, {"a": b""}, {(1, 2): 1}])
def test_what_is_no_json_is_not_written(tmp_path, data):
    """A state that cannot be read again is refused, and the present one stays."""
    file = StateFile(tmp_path / "policy.json")
    file.save({"seq": 1})
    with pytest.raises(InvalidState, match="cannot be written as JSON"):
        file.save(data)
    assert file.load() == {"seq": 1}


def test_a_full_disk_leaves_the_present_state(tmp_path):
    """Where the disk takes no more, one sentence says so, and the present state can still be loaded."""
    file = StateFile(tmp_path / "policy.json")
    file.save({"seq": 1})
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, limits[1]))
    try:
        with pytest.raises(StoreError, match="cannot be written: File too large"):
            file.save({"seq": "2" * 10_000})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert file.load() == {"seq": 1}
    file.save({"seq": 3})
    assert file.load() == {"seq": 3}


def test_faults_are_sentences(tmp_path):
    """A folder that is a file and a state that is a folder are told in one sentence each."""
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="cannot be written"):
        StateFile(tmp_path / "file" / "policy.json").save({})
    with pytest.raises(StoreError, match="the lock"):
        StateFile(tmp_path / "file" / "policy.json").lock()
    (tmp_path / "policy.json").mkdir()
    with pytest.raises(StoreError, match="cannot be read"):
        StateFile(tmp_path / "policy.json").load()
    with pytest.raises(LearningError, match="at least one generation"):
        StateFile(tmp_path / "x", generations=0)


def test_one_service_for_each_folder(tmp_path):
    """A second service is refused and told whom it would disturb; when the first ends, the lock is free."""
    held = (
        "import sys, pathlib; from tomrt.rl.state_file import StateFile\n"
        "file = StateFile(pathlib.Path(sys.argv[1])); file.lock(); print('locked', flush=True); sys.stdin.read()"
    )
    path = tmp_path / "policy.json"
    with subprocess.Popen(
        [sys.executable, "-c", held, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout.readline() == "locked\n"
        with pytest.raises(LearningError, match=rf"another service uses the folder {tmp_path} \(process {other.pid}\)"):
            StateFile(path).lock()
        other.kill()
    file = StateFile(path)
    file.lock()
    with pytest.raises(LearningError, match="another service"):
        StateFile(path).lock()
    file.unlock()
    file.unlock()
    StateFile(path).lock()
