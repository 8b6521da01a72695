"""``python -m tomrt doctor freeswitch`` as it is typed: what it prints, and its exit codes."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import trio
from doctor_boxes import PASSWORD, box

from tomrt.doctor.finding import failed, passed, skipped, warned
from tomrt.doctor.report import Report, as_json, lines_of

ROOT = Path(__file__).parents[2]
ALONE = {"TOMRT_FREESWITCH__OUTBOUND": "false", "TOMRT_GATEWAY__MEDIA_PORT": "0"}
"""Settings with which no service is looked for."""


async def doctor(*arguments: object, **environ: str) -> subprocess.CompletedProcess[bytes]:
    """Run the command in a process of its own."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("TOMRT_")}
    with trio.fail_after(60):
        return await trio.run_process(
            [sys.executable, "-m", "tomrt", "doctor", *map(str, arguments)],
            capture_stdout=True,
            capture_stderr=True,
            check=False,
            cwd=ROOT,
            env=clean | ALONE | environ,
        )


async def test_a_healthy_switch(tmp_path):
    """All is told in aligned lines with a sum, the exit code is 0, and the password is nowhere."""
    secret = tmp_path / "password"
    secret.write_text(f"{PASSWORD}\n")
    async with box() as healthy:
        done = await doctor("freeswitch", "--port", healthy.switch.inbound_port, "--password-file", secret)
    lines = done.stdout.decode().splitlines()
    assert (done.returncode, done.stderr) == (0, b"")
    assert all(re.match(r"(ok|warn|fail|skipped) +\S|$|FreeSWITCH at ", line) for line in lines)
    assert re.fullmatch(r"FreeSWITCH at 127\.0\.0\.1:\d+: \d+ in order(, \d+ not checked)?", lines[-1])
    assert PASSWORD.encode() not in done.stdout


async def test_as_json():
    """With --json standard output is one object that holds the same; the settings give address and password."""
    async with box() as healthy:
        done = await doctor(
            "freeswitch",
            "--json",
            "--no-call",
            TOMRT_FREESWITCH__INBOUND_PASSWORD=PASSWORD,
            TOMRT_FREESWITCH__INBOUND_HOST="127.0.0.1",
            TOMRT_FREESWITCH__INBOUND_PORT=str(healthy.switch.inbound_port),
        )
    told = json.loads(done.stdout)
    assert done.returncode == told["exit_code"] == 0
    assert told["where"] == f"127.0.0.1:{healthy.switch.inbound_port}"
    assert {each["id"] for each in told["findings"]} >= {
        "reach",
        "password",
        "password.default",
        "media",
        "call.placed",
    }
    assert PASSWORD not in done.stdout.decode()


async def test_something_wrong():
    """A wrong password is exit code 1, and says what to do."""
    async with box() as strange:
        done = await doctor("freeswitch", "--port", strange.switch.inbound_port, "--password", "guess")
    assert done.returncode == 1
    assert "do: make freeswitch.inbound_password what" in done.stdout.decode()


async def test_not_reachable():
    """Nobody there is exit code 3."""
    done = await doctor("freeswitch", "--port", 1)
    assert done.returncode == 3
    assert "nobody listens at 127.0.0.1:1" in done.stdout.decode()


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ([], "the following arguments are required: subject"),
        (["asterisk"], "invalid choice: 'asterisk'"),
        (["freeswitch", "--port", "0"], "invalid port from 1 to 65535 value: '0'"),
        (["freeswitch", "--password-file", "/no/such"], "tomrt: /no/such: cannot be read: No such file or directory"),
        (["freeswitch", "--password", "a\nb"], "tomrt: a password must be one line of at most 1024 bytes"),
        (["freeswitch", "--config", "/no/such"], "tomrt: /no/such: cannot be read"),
        (["freeswitch", "--password", "a", "--password-file", "b"], "not allowed with argument"),
    ],
)
async def test_mistakes(arguments, told):
    """A mistake in arguments or settings is told in a sentence, with exit code 2."""
    done = await doctor(*arguments)
    assert (done.returncode, done.stdout) == (2, b"")
    assert told in done.stderr.decode()
    assert b"Traceback" not in done.stderr


def test_how_a_finding_reads():
    """Verdict and title stand in columns, and long sentences are wrapped behind them."""
    check = ("x.y", "a check")
    lines = list(lines_of(failed(check, "seen " * 30, why="because", do="this")))
    text = "\n".join(lines).splitlines()
    assert text[0].startswith("fail     a check                    seen seen")
    assert all(line.startswith(" " * 36) and len(line) <= 118 for line in text[1:])
    assert text[-2:] == [" " * 36 + "because", " " * 36 + "do: this"]


def test_the_sum_and_the_exit_code():
    """Warnings are no failure; a failure is 1; nobody there is 3."""
    ok, warn = passed(("a", "a"), "fine"), warned(("b", "b"), "so so", why="w", do="d")
    fail, reach = failed(("c", "c"), "bad", why="w", do="d"), failed(("reach", "r"), "bad", why="w", do="d")
    skip = skipped(("d", "d"), "no way")
    report = Report(where="h:1", findings=(ok, warn, skip))
    assert (report.exit_code, report.summary) == (0, "FreeSWITCH at h:1: 1 in order, 1 to look at, 1 not checked")
    assert Report(where="h:1", findings=(ok, fail)).exit_code == 1
    assert Report(where="h:1", findings=(reach, fail)).exit_code == 3
    assert json.loads(json.dumps(as_json(report)))["findings"][1]["verdict"] == "warn"


@pytest.mark.parametrize("command", ["doctor", "token"])
def test_help_loads_nothing(command):
    """Help names options, examples and exit codes, and does not wait for trio, numpy or a library for tokens."""
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "tomrt", command, "--help"],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        cwd=ROOT,
    )
    assert done.returncode == 0
    assert f"usage: python -m tomrt {command} " in done.stdout
    assert "examples:" in done.stdout
    assert "exit codes: 0 " in done.stdout
    loaded = set(re.findall(r"\| +([\w.]+)$", done.stderr, re.MULTILINE))
    assert not loaded & {"numpy", "trio", "jwt", "cattrs", "trio_websocket"}
