"""Looking at other processes through /proc, for tests of those that we start."""

import os
import threading
from collections.abc import Callable
from pathlib import Path

import trio

__all__ = ["busy_s", "children", "descriptors", "ended", "gone", "settled", "threads"]

LIMIT_S = 20.0


def gone(pid: int) -> bool:
    """Whether there is no such process, not even a zombie."""
    return not Path(f"/proc/{pid}").exists()


def ended(pid: int) -> bool:
    """Whether the process is gone, or is a zombie because whoever inherited it has not looked."""
    fields = _stat(pid)
    return not fields or fields[0] == "Z"


def busy_s(pid: int) -> float:
    """Return the processor time that the process has used in its own code, in seconds."""
    fields = _stat(pid)
    return int(fields[11]) / os.sysconf("SC_CLK_TCK") if fields else 0.0


def children(pid: int) -> list[int]:
    """Return the processes that the process has started."""
    others = (int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit())
    return [other for other in others if (fields := _stat(other)) and int(fields[1]) == pid]


def threads(name: str = "") -> int:
    """Return how many threads this process has, or those called *name*.

    Trio's idle ones are its cache, and come and go by themselves.
    """
    names = [thread.name for thread in threading.enumerate()]
    return names.count(name) if name else sum(not each.startswith("Trio thread") for each in names)


def descriptors() -> int:
    """Return how many descriptors this process has open."""
    return len(os.listdir("/proc/self/fd"))


async def settled(condition: Callable[[], bool]) -> bool:
    """Wait until *condition* holds, within reason, and return whether it does."""
    with trio.move_on_after(LIMIT_S):
        while not condition():
            await trio.sleep(0.005)
    return condition()


def _stat(pid: int) -> list[str]:
    """Return the fields of proc(5)'s stat behind the name, from the state on; none when there is no such process."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return []
