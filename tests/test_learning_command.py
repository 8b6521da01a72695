"""``python -m tomrt rl``: what calls have taught, seen and steered from outside."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
from fakes.rl_world import START, fill

from tomrt.__main__ import main
from tomrt.rl.audit import AuditLog
from tomrt.rl.learning_folder import LearningFolder
from tomrt.rl.outcome import Outcome
from tomrt.rl.stage import Change, Stage
from tomrt.rl.state_file import StateFile
from tomrt.rl.variants import built_in, load

CALLER = "+49300000003"


@pytest.fixture(scope="module")
def full(tmp_path_factory) -> Path:
    """Return the folder of a service that has learned from 400 calls."""
    folder = tmp_path_factory.mktemp("learning")
    fill(folder, 400, 1)
    change = Change(START, "warm", Stage.CANARY, Stage.BLACKLISTED, "too slow", "technical", (("rate", 0.5),))
    AuditLog(folder / "audit.jsonl").write(change)
    return folder


@pytest.fixture
def folder(full, tmp_path) -> Path:
    """Return a copy of the folder, to be changed."""
    return Path(shutil.copytree(full, tmp_path / "learning"))


def told(capsys, *arguments: object) -> tuple[int, str, str]:
    """Run the command; return its exit code and what it said."""
    capsys.readouterr()
    code = main(["rl", *map(str, arguments)])
    said = capsys.readouterr()
    return code, said.out, said.err


# --- looking ---------------------------------------------------------------------------------------------------------


def test_status(capsys, full):
    """Status shows each variant, its stage and evidence, whether all is well, and the latest changes with their why."""
    code, out, err = told(capsys, "status", "--folder", full)
    assert (code, err) == (0, "")
    assert all(name in out for name in built_in().variants)
    assert "healthy" in out
    assert "2023-11-14 22:13 UTC  warm: canary -> blacklisted, by technical: too slow" in out


def test_status_for_machines(capsys, full):
    """With --json one line holds the same."""
    code, out, _ = told(capsys, "status", "--folder", full, "--json")
    (line,) = out.splitlines()
    data = json.loads(line)
    assert code == 0
    assert data["healthy"] is True
    assert [each["variant"] for each in data["variants"]] == [*built_in().variants]
    assert data["changes"][0]["after"] == "blacklisted"
    assert data["pending"] == []


def test_variants_without_a_folder(capsys):
    """The variants are listed with their slots and first stages, also where nothing was ever learned."""
    code, out, _ = told(capsys, "variants", "--json")
    data = json.loads(out)
    assert code == 0
    assert data["base"]["stage"] == "active"
    assert data["warm"]["slots"]["greeting"] == "warm"
    code, out, _ = told(capsys, "variants")
    assert out.splitlines()[0].split()[:3] == ["variant", "stage", "greeting"]


def test_variants_with_their_present_stages(capsys, full):
    """With a folder the stages are those that the guard knows."""
    _, out, _ = told(capsys, "variants", "--folder", full, "--json")
    known = {each.variant: each.stage.value for each in LearningFolder(full).status().variants}
    assert {name: each["stage"] for name, each in json.loads(out).items()} == known


def test_explain(capsys, full):
    """Explain shows what the bandit believes, as a table and as JSON."""
    code, out, _ = told(capsys, "explain", "--folder", full)
    assert code == 0
    assert "bandit 'slots': explores with" in out
    data = json.loads(told(capsys, "explain", "--folder", full, "--json")[1])
    assert sum(each["pulls"] for each in data["arms"]) == 400
    assert sum(each["p_best"] for each in data["arms"]) == pytest.approx(1.0)


def test_stats(capsys, full):
    """Stats counts what is stored."""
    code, out, _ = told(capsys, "stats", "--folder", full)
    assert code == 0
    assert "400 decisions, 400 with feedback" in out
    assert json.loads(told(capsys, "stats", "--folder", full, "--json")[1])["decisions"] == 400


def test_schema(capsys):
    """The schema of feedback events is printed for whoever sends them."""
    code, out, _ = told(capsys, "schema")
    assert code == 0
    assert json.loads(out)["$schema"].startswith("https://json-schema.org/")


def test_the_folder_of_the_settings(capsys, full, tmp_path):
    """With --config the folder is that of the settings."""
    settings = tmp_path / "tomrt.toml"
    settings.write_text(f'[learning]\nfolder = "{full}"\n')
    assert told(capsys, "stats", "--config", settings)[0] == 0


def test_an_unwell_service(capsys, tmp_path):
    """When there is trouble that the guard cannot end, the exit code is 1, and the reason is said."""
    policy = fill(tmp_path, 30, 2)
    for each in range(10):
        decision = policy.only_base({}, at=time.time())
        policy.guard.report(decision, Outcome(reward=-0.5, failed=True), at=time.time() + each / 10)
    StateFile(tmp_path / "policy.json").save({"policy": policy.to_dict(), "seq": 30, "override_seq": 0})
    code, out, _ = told(capsys, "status", "--folder", tmp_path)
    assert code == 1
    assert "not healthy: " in out


def test_a_damaged_state(capsys, folder):
    """A state that is damaged is told with exit code 1."""
    assert LearningFolder(folder).snapshot().at == pytest.approx(time.time(), abs=3_600)
    (folder / "policy.json").write_text("{}")
    code, _, err = told(capsys, "status", "--folder", folder)
    assert code == 1
    assert "policy.json is damaged" in err


# --- ordering --------------------------------------------------------------------------------------------------------


def test_a_stage_is_ordered(capsys, folder):
    """An order is stored for the service with who and why; status shows it until it is carried out."""
    arguments = ("stage", "friendly_guided", "blacklisted", "--why", "callers find it too long", "--folder", folder)
    code, out, _ = told(capsys, *arguments, "--by", "anna")
    assert (code, out.split(":")[0]) == (0, "order 1")
    (order,) = LearningFolder(folder).pending()
    assert (order.variant, order.stage, order.by, order.why) == (
        "friendly_guided",
        "blacklisted",
        "anna",
        "callers find it too long",
    )
    assert "not done yet: friendly_guided -> blacklisted, by anna" in told(capsys, "status", "--folder", folder)[1]
    data = json.loads(told(capsys, *arguments, "--json")[1])
    assert data["order"] == 2


@pytest.mark.parametrize(
    ("variant", "stage", "said"),
    [
        ("friendly", "active", "there is no variant 'friendly' (there are base, "),
        ("base", "shadow", "'base' is the base variant"),
    ],
)
def test_orders_that_cannot_be(capsys, folder, variant, stage, said):
    """An unknown variant, and the base leaving traffic, are refused at once; nothing is stored."""
    code, _, err = told(capsys, "stage", variant, stage, "--why", "x", "--folder", folder)
    assert code == 1
    assert said in err
    assert LearningFolder(folder).pending() == ()


def test_what_is_stored_of_a_caller(capsys, folder):
    """Export prints all calls of a caller, however the number is written, without the number itself."""
    code, out, _ = told(capsys, "export", "0049 30 000 00 03", "--folder", folder)
    calls = json.loads(out)
    assert code == 0
    assert len(calls) == 8
    assert {"hour", "variant", "feedback"} <= set(calls[0])
    assert CALLER not in out
    assert json.loads(told(capsys, "export", "+49 30 9999999", "--folder", folder)[1]) == []


def test_erasing_a_caller(capsys, folder):
    """Erase tells first what would go, deletes with --yes, and finds nothing the second time."""
    code, out, _ = told(capsys, "erase", CALLER, "--folder", folder)
    assert (code, out) == (1, "8 calls would be deleted; nothing is deleted without --yes\n")
    assert told(capsys, "erase", CALLER, "--folder", folder, "--yes")[:2] == (0, "8 calls are deleted\n")
    assert json.loads(told(capsys, "export", CALLER, "--folder", folder)[1]) == []
    code, out, _ = told(capsys, "erase", CALLER, "--folder", folder, "--yes", "--json")
    assert (code, json.loads(out)["deleted"]) == (0, 0)


def test_a_number_from_standard_input(folder):
    """A caller's number may come by standard input, where no list of processes shows it."""
    command = [sys.executable, "-m", "tomrt", "rl", "export", "-", "--json", "--folder", str(folder)]
    done = subprocess.run(command, input=f"{CALLER}\n", capture_output=True, text=True, check=True, timeout=60)
    assert len(json.loads(done.stdout)) == 8


# --- training --------------------------------------------------------------------------------------------------------


def test_training(capsys, folder):
    """Training reports, writes what it proposes as shadow candidates, and proposes nothing twice."""
    arguments = ("train-policy", "--folder", folder, "--candidates", "10")
    code, out, err = told(capsys, *arguments, "--json")
    data = json.loads(out)
    assert (code, err, data["calls"]) == (0, "", 400)
    assert [each["name"] for each in data["candidates"]] == data["added"]
    assert data["added"], "these calls promise more from some combination"
    variants = json.loads(told(capsys, "variants", "--folder", folder, "--json")[1])
    assert {variants[name]["stage"] for name in data["added"]} == {"shadow"}
    assert told(capsys, "status", "--folder", folder)[0] == 0
    code, out, _ = told(capsys, "stage", data["added"][0], "canary", "--why", "worth a try", "--folder", folder)
    assert (code, "note: trained-" in out) == (0, True)
    again = json.loads(told(capsys, *arguments, "--json")[1])
    assert not set(again["added"]) & set(data["added"])


def test_a_dry_run_writes_nothing(capsys, folder):
    """With --dry-run the report says what would be proposed, and no file is made."""
    code, out, _ = told(capsys, "train-policy", "--folder", folder, "--candidates", "3", "--dry-run")
    assert code == 0
    assert "proposed: trained-" in out
    assert "written to" not in out
    assert not (folder / "candidates.toml").exists()


def test_training_refuses(capsys, folder):
    """With too few calls training is refused with exit code 1, and says how many are needed."""
    code, out, err = told(capsys, "train-policy", "--folder", folder, "--least-calls", "1000")
    assert (code, out) == (1, "")
    assert err == "tomrt: 400 usable calls are too few to learn from; at least 1000 are needed\n"
    code, out, _ = told(capsys, "train-policy", "--folder", folder, "--least-calls", "1000", "--json")
    assert json.loads(out)["ok"] is False
    code, _, err = told(capsys, "train-policy", "--folder", folder, "--days", "1")
    assert (code, err.split(" usable")[0]) == (1, "tomrt: 0")


def test_progress_is_shown_to_who_watches(folder):
    """On a terminal one line tells what is being done and is wiped off at the end; elsewhere nothing is said."""
    watching, terminal = os.openpty()
    command = [sys.executable, "-m", "tomrt", "rl", "train-policy", "--folder", str(folder), "--dry-run"]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=terminal, check=True, timeout=60)
    os.close(terminal)
    told_there = os.read(watching, 4_096)
    os.close(watching)
    assert b"judging combinations by 400 calls ..." in told_there
    assert told_there.endswith(b"\r\x1b[K")
    assert b"judging" not in done.stdout


# --- wrong use -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "the following arguments are required: COMMAND"),
        (["dance"], "invalid choice: 'dance'"),
        (["stage", "warm"], "the following arguments are required: STAGE, --why"),
        (["stage", "warm", "retired", "--why", "x"], "invalid choice: 'retired'"),
        (["stage", "warm", "shadow", "--why", " "], "argument --why: invalid text value"),
        (["erase"], "the following arguments are required: CALLER"),
        (["train-policy", "--candidates", "99"], "invalid number from 0 to 10 value: '99'"),
        (["train-policy", "--days", "0"], "invalid number of days from 1 to 3650 value: '0'"),
        (["train-policy", "--least-calls", "3"], "invalid number from 20 to 1000000"),
    ],
)
def test_mistakes(capsys, arguments, said):
    """A mistake in the arguments is told with exit code 2."""
    with pytest.raises(SystemExit) as left:
        main(["rl", *arguments])
    assert left.value.code == 2
    assert said in capsys.readouterr().err


def test_no_folder_in_the_settings(capsys):
    """Without a folder in the settings it is told where to name one, with exit code 2."""
    code, _, err = told(capsys, "status")
    assert code == 2
    assert "learning.folder is not set" in err


def test_the_folder_of_somebody_else(capsys, folder):
    """Root leaves no files behind that the service cannot read: it is told as which user to run this."""
    if os.geteuid() != 0:
        pytest.skip("only root can give a folder away")
    os.chown(folder, 12_345, 12_345)
    code, _, err = told(capsys, "stats", "--folder", folder)
    assert code == 2
    assert "belongs to #12345: run this as that user" in err


def test_the_example_of_the_documentation(tmp_path):
    """The file of variants that the documentation shows can be used as it stands there."""
    page = (Path(__file__).parents[1] / "docs" / "learning.md").read_text()
    (example,) = [each for each in re.findall(r"```toml\n(.*?)```", page, re.DOTALL) if "extends" in each]
    (tmp_path / "variants.toml").write_text(example)
    assert dict(load(tmp_path / "variants.toml").variants["moin"].slots)["greeting"] == "regional"


def test_an_empty_caller(capsys, full):
    """An empty name of a caller is told, not looked up."""
    code, _, err = told(capsys, "export", " ", "--folder", full)
    assert code == 2
    assert "CALLER is empty" in err


def test_nothing_there(capsys, tmp_path):
    """Where no service has kept anything the exit code is 3, and it says what is missing."""
    for arguments in (("status",), ("stats",), ("explain",), ("train-policy",), ("export", CALLER)):
        code, _, err = told(capsys, *arguments, "--folder", tmp_path)
        assert code == 3, arguments
        assert f"there is no {tmp_path}/" in err
    code, _, err = told(capsys, "stats", "--folder", tmp_path / "nowhere")
    assert (code, "there is no folder" in err) == (3, True)


def test_faulty_variants(capsys, full, tmp_path):
    """All faults of a file of variants are told, with exit code 2."""
    variants, settings = tmp_path / "variants.toml", tmp_path / "tomrt.toml"
    variants.write_text('extends = "built-in"\n[variants.odd]\nslots = { tone = "frendly" }\n')
    settings.write_text(f'[learning]\nvariants = "{variants}"\n')
    code, _, err = told(capsys, "variants", "--config", settings)
    assert code == 2
    assert "there is no level 'frendly'" in err


def test_help_is_quick_to_read(capsys):
    """Help names all commands, examples and exit codes."""
    with pytest.raises(SystemExit) as left:
        main(["rl", "--help"])
    said = capsys.readouterr().out
    assert left.value.code == 0
    assert "exit codes: 0 ok" in said
    assert all(name in said for name in ("status", "train-policy", "erase", "schema"))
