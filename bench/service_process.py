"""A service in a process of its own, started as an operator starts it, watched, and always ended."""

from __future__ import annotations

import json
import multiprocessing
import os
import select
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from pathlib import Path

from attrs import define, field, frozen

from bench.call_load import Load, LoadRecord, run_in_process
from bench.report import BenchmarkError

__all__ = ["ROOT", "Cost", "ServiceProcess", "service", "setting"]

ROOT = Path(__file__).parents[1]
START_S = 60.0
END_S = 10.0
PATIENCE_S = 20.0
"""Over its own limit, before a load generator counts as hung."""
TICK_S = 1.0
LAST_LINES = 6


@frozen(kw_only=True)
class Cost:
    """What a load cost the service.

    Args:
        cpu_s: Processor time, in all threads.
        seconds: In so long.
        idle_mb: Resident memory before the first call, megabytes.
        peak_mb: The most of it while the load ran.
        machine_s: Processor time of everything on the machine.
    """

    cpu_s: float
    seconds: float
    idle_mb: float
    peak_mb: float
    machine_s: float = 0.0


@define(eq=False)
class ServiceProcess:
    """A running service.

    Args:
        process: Its process.
        banner: What it said of itself.
        log: The file of its log lines.
    """

    process: subprocess.Popen[bytes]
    banner: Mapping[str, object]
    log: Path
    idle_mb: float = field(init=False)

    def __attrs_post_init__(self) -> None:
        self.idle_mb = self._resident_mb()

    @property
    def port(self) -> int:
        """Where calls are taken."""
        return int(str(self.banner["media_url"]).split(":")[2].partition("/")[0])

    def under(self, load: Load) -> tuple[LoadRecord, Cost]:
        """Put *load* on the service; return what the callers saw, and what it cost.

        Raises:
            BenchmarkError: the service refused, hung or died, or the generator did.
        """
        context = multiprocessing.get_context("spawn")
        mine, its = context.Pipe(duplex=False)
        generator = context.Process(target=run_in_process, args=(load, its), daemon=True)
        begun, cpu, machine = time.monotonic(), self._cpu_s(), _machine_s()
        generator.start()
        its.close()
        peak = self.idle_mb
        try:
            while not mine.poll(TICK_S):
                peak = max(peak, self._resident_mb())
                if time.monotonic() - begun > load.longest_s + PATIENCE_S:
                    raise BenchmarkError("The load generator hung.")
                if self.process.poll() is not None:
                    raise self._died()
            cost = Cost(
                cpu_s=self._cpu_s() - cpu,
                seconds=time.monotonic() - begun,
                idle_mb=self.idle_mb,
                peak_mb=peak,
                machine_s=_machine_s() - machine,
            )
            found = mine.recv()
        except EOFError:
            raise BenchmarkError("The load generator died.") from None
        finally:
            generator.kill()
            generator.join(END_S)
            mine.close()
        if isinstance(found, str):
            if self.process.poll() is not None:
                raise self._died()
            raise BenchmarkError(f"The benchmark ended early: {found}. The service's last words: {self._last_words()}")
        return found, cost

    def _died(self) -> BenchmarkError:
        return BenchmarkError(
            f"The service ended with exit code {self.process.returncode}. Its last words: {self._last_words()}"
        )

    def _last_words(self) -> str:
        lines = self.log.read_text(encoding="utf-8", errors="replace").splitlines()[-LAST_LINES:]
        return " | ".join(lines) or "none"

    def _cpu_s(self) -> float:
        fields = self._proc("stat").rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK") if fields else 0.0

    def _resident_mb(self) -> float:
        for line in self._proc("status").splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) / 1024
        return 0.0

    def _proc(self, name: str) -> str:
        try:
            return Path(f"/proc/{self.process.pid}/{name}").read_text(encoding="utf-8")
        except OSError:
            return ""


@contextmanager
def service(
    settings: Mapping[str, object], *, config: Path | None = None, tree: Path = ROOT
) -> Iterator[ServiceProcess]:
    """Start ``python -m tomrt`` on free ports; it is ended, whatever happens.

    Args:
        settings: By name as ``turns.barge_in``; they stand above *config*.
        config: A settings file.
        tree: The source tree whose tomrt is run; another one than this to compare with it.

    Raises:
        BenchmarkError: it did not start.
    """
    environ = {f"TOMRT_{name.replace('.', '__').upper()}": _text(value) for name, value in settings.items()}
    command = [sys.executable, "-m", "tomrt", "--json", *(["--config", str(config.resolve())] if config else [])]
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "service.log"
        with log.open("wb") as stderr:
            process = subprocess.Popen(
                command, stdout=subprocess.PIPE, stderr=stderr, env={**os.environ, **environ}, cwd=tree
            )
        before = signal.signal(signal.SIGTERM, _leave)
        try:
            yield ServiceProcess(process, _banner(process, log), log)
        finally:
            signal.signal(signal.SIGTERM, before)
            process.terminate()
            try:
                process.wait(END_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait(END_S)
            if process.stdout is not None:
                process.stdout.close()


def _machine_s() -> float:
    """Return the processor time that everything on the machine has used."""
    busy = Path("/proc/stat").read_text(encoding="utf-8").split()[1:9]
    user, nice, system, _, _, irq, softirq, steal = (int(ticks) for ticks in busy)
    return (user + nice + system + irq + softirq + steal) / os.sysconf("SC_CLK_TCK")


def _leave(number: int, _: object) -> None:
    raise SystemExit(128 + number)  # so that what was started is ended, too


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _banner(process: subprocess.Popen[bytes], log: Path) -> Mapping[str, object]:
    assert process.stdout is not None
    line, until = b"", time.monotonic() + START_S
    while not line.endswith(b"\n"):
        ready, _, _ = select.select([process.stdout], [], [], max(0.0, until - time.monotonic()))
        data = os.read(process.stdout.fileno(), 65536) if ready else b""
        if not data:
            why = "did not start" if process.poll() is not None or ready else f"did not start within {START_S:g} s"
            raise BenchmarkError(f"The service {why}: {log.read_text(encoding='utf-8', errors='replace')[-800:]}")
        line += data
    banner = json.loads(line)
    assert isinstance(banner, dict)
    return banner


@cache
def _explained(tree: Path) -> str:
    command = [sys.executable, "-m", "tomrt", "--explain-settings"]
    found = subprocess.run(command, capture_output=True, text=True, timeout=START_S, cwd=tree, check=False)
    return found.stdout


def setting(name: str, *, tree: Path = ROOT) -> str | None:
    """Return the default of the setting *name*, as ``turns.speculate``, or ``None`` where *tree* has no such one."""
    section, _, key = name.partition(".")
    inside = ""
    for line in _explained(tree).splitlines():
        if line.startswith("["):
            inside = line.strip("[]")
        elif inside == section and line.partition("=")[0].strip("# ") == key:
            return line.partition("=")[2].strip()
    return None
