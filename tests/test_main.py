"""The command line says what it does, does it, and tells by its exit code how it went."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tomrt.settings import explain

ROOT = Path(__file__).parents[1]
CLEAN = {name: value for name, value in os.environ.items() if not name.startswith("TOMRT_")}


def tomrt(*arguments: str | Path, python: tuple[str, ...] = (), **environ: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *python, "-m", "tomrt", *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        cwd=ROOT,
        env=CLEAN | environ,
    )


@pytest.fixture
def nobody() -> str:
    """A URL at which nobody listens."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        return f"ws://127.0.0.1:{held.getsockname()[1]}/call"


@pytest.mark.parametrize("arguments", [["--help"], ["serve", "--help"], ["call", "--help"]])
def test_help(arguments):
    """Help names the options, the defaults, examples and the exit codes."""
    done = tomrt(*arguments)
    assert (done.returncode, done.stderr) == (0, "")
    assert "examples:" in done.stdout
    assert "exit codes: 0 ok, 1 failed, 2 usage or settings, 3 service not reachable" in done.stdout
    assert "--json" in done.stdout
    assert ("ws://127.0.0.1:8081/call" in done.stdout) == ("call" in arguments)


@pytest.mark.parametrize("arguments", [["--help"], ["--explain-settings"], ["call", "--help"], ["--version"]])
def test_what_needs_no_engine_loads_none(arguments):
    """Help and explanations do not wait for numpy, trio-websocket or a model library."""
    done = tomrt(*arguments, python=("-X", "importtime"))
    loaded = set(re.findall(r"\| +([\w.]+)$", done.stderr, re.MULTILINE))
    assert "tomrt.settings" in loaded
    assert not loaded & {"numpy", "trio", "trio_websocket", "faster_whisper", "cattrs", "starlette", "httpx"}


def test_version():
    """--version prints one line."""
    done = tomrt("--version")
    assert done.returncode == 0
    assert re.fullmatch(r"tomrt \S.*\n", done.stdout)


def test_explain_settings(tmp_path):
    """--explain-settings prints the commented file; with --config, that file's values."""
    assert tomrt("--explain-settings").stdout == explain()
    path = tmp_path / "my.toml"
    path.write_text("[gateway]\nmax_calls = 5\n")
    assert "# Default: 32\nmax_calls = 5\n" in tomrt("--config", path, "--explain-settings").stdout


def test_check(tmp_path):
    """--check lists all faults and exits 2, or says that all is in order; as JSON with --json."""
    path = tmp_path / "my.toml"
    path.write_text("[gateway]\nmax_cals = 5\nhttp_port = 'x'\n")
    faults = [
        f"{path}:2: gateway.max_cals: unknown key; nearest valid key: gateway.max_calls",
        f"{path}:3: gateway.http_port: must be a whole number, not 'x'",
    ]
    done = tomrt("--config", path, "--check")
    assert (done.returncode, done.stdout.splitlines()) == (2, faults)
    done = tomrt("--config", path, "--check", "--json")
    assert (done.returncode, json.loads(done.stdout)) == (2, {"ok": False, "faults": faults})
    done = tomrt("serve", "--check")
    assert (done.returncode, done.stdout) == (0, "settings are in order\n")


def test_serve_refuses_bad_settings(tmp_path):
    """The service does not start with settings at fault: all faults on standard error, exit 2."""
    done = tomrt("--config", tmp_path / "none.toml", TOMRT_GATEWAY__HOST="0.0.0.0")
    assert done.returncode == 2
    assert done.stderr == f"tomrt: {tmp_path}/none.toml: cannot be read: No such file or directory\n"
    done = tomrt(TOMRT_GATEWAY__HOST="0.0.0.0", TOMRT_LOG__LEVEL="loud")
    assert (done.returncode, len(done.stderr.splitlines())) == (2, 2)
    assert done.stdout == ""


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["call"], "tomrt: there is nothing to say: name WAV files, or give --say"),
        (["call", "none.wav"], "tomrt: none.wav: cannot be read: No such file or directory"),
        (["call", "README.md"], "tomrt: README.md is not a WAV file"),
        (["call", "--say", "hi", "--url", "http://x"], "tomrt: --url 'http://x' is no WebSocket URL"),
        (["call", "--say", "hi", "--dialect", "sip"], "invalid choice: 'sip'"),
        (["call", "--say", "hi", "--rate", "44100"], "invalid choice: 44100"),
        (["call", "--say", "hi", "--barge-in-at", "soon"], "invalid number of seconds from 0 to 3600 value: 'soon'"),
        (["call", "--say", "hi", "--out", "/no/such/x.wav"], "tomrt: /no/such/x.wav: there is no folder /no/such"),
        (["call", "--say", " "], "tomrt: --say ' ': nothing in it is audible"),
        (["--bogus"], "unrecognized arguments: --bogus"),
        (["dance"], "unrecognized arguments: dance"),
    ],
)
def test_usage_errors(arguments, told):
    """A mistake in the arguments is told in a sentence on standard error, with exit code 2."""
    done = tomrt(*arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert told in done.stderr
    assert "Traceback" not in done.stderr


def test_an_unknown_voice_fails():
    """A voice that eSpeak does not have is told in one line, exit 1."""
    done = tomrt("call", "--say", "hi", "--voice", "xx-none")
    assert (done.returncode, done.stdout, len(done.stderr.splitlines())) == (1, "", 1)


def test_no_service(nobody):
    """With no server at the URL one line says so, and the exit code is 3."""
    done = tomrt("call", "--say", "hello", "--url", nobody)
    assert (done.returncode, done.stdout) == (3, "")
    assert re.fullmatch(
        rf"tomrt call: No service takes calls at {nobody}: \S+ connection refused\. Start one with: python -m tomrt\n",
        done.stderr,
    )


def test_ctrl_c():
    """Ctrl-C during a call ends it with one line and exit code 1."""
    with socket.socket() as mute:
        mute.bind(("127.0.0.1", 0))
        mute.listen()
        mute.settimeout(30)
        url = f"ws://127.0.0.1:{mute.getsockname()[1]}/call"
        command = [sys.executable, "-m", "tomrt", "call", "--say", "hello", "--url", url]
        with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, cwd=ROOT, env=CLEAN) as process:
            peer, _ = mute.accept()
            with peer:
                peer.recv(4096)
                process.send_signal(signal.SIGINT)
                _, told = process.communicate(timeout=30)
    assert (process.returncode, told) == (1, "tomrt: interrupted\n")


def test_a_reader_that_leaves():
    """Output that nobody reads any more ends the command without a traceback."""
    with subprocess.Popen(
        [sys.executable, "-m", "tomrt", "--explain-settings"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=ROOT
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert b"Traceback" not in process.stderr.read()
