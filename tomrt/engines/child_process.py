"""A module of ours in a process of its own, for libraries that hold the interpreter's lock while they work.

Requests go to it one at a time over a socket that is its standard input, and each is answered. It ends when the socket
closes, so also when this process is killed. One thread waits for its end: none is left behind as a zombie.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
from pathlib import Path

import trio

from tomrt.engines.frames import has_news, has_room, read_frame, write_frame
from tomrt.errors import ProtocolError

__all__ = ["ChildProcess"]

PATIENCE_S = 30.0
"""How long an answer may take; a process that is stuck longer counts as dead. Half a minute of speech takes 2 s."""

END_S = 1.0
"""How long it may take to end once it was told to, before it is killed."""


class ChildProcess:
    """``python -m module`` as a child of this process.

    All but :meth:`tell` and :meth:`shut` may be called from one thread at a time only.

    Args:
        module: What it runs; speaks :mod:`~tomrt.engines.frames` on its standard input, both ways.
        patience_s: How long an answer may take.

    Raises:
        OSError: it cannot be started.
    """

    def __init__(self, module: str, *, patience_s: float = PATIENCE_S) -> None:
        ours, theirs = socket.socketpair()
        ours.settimeout(patience_s)
        self._connection = ours
        self._sending = threading.Lock()
        try:
            self._process = subprocess.Popen(  # noqa: S603 - our own interpreter and module
                [sys.executable, "-m", module], stdin=theirs.fileno(), stdout=subprocess.DEVNULL, env=_environment()
            )
        except OSError:
            ours.close()
            raise
        finally:
            theirs.close()
        self._reaper = threading.Thread(target=self._process.wait, name=f"tomrt-{module}", daemon=True)
        self._reaper.start()

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    @property
    def alive(self) -> bool:
        """Whether it runs and waits for a request."""
        return self._reaper.is_alive() and not has_news(self._connection)

    def ask(self, *request: bytes) -> bytes:
        """Send the frames of a *request* and wait for the frame that answers it.

        Raises:
            OSError: it died, or did not answer in time.
            ProtocolError: what it sent is no answer.
        """
        with self._sending:
            write_frame(self._connection, *request)
        if (answer := read_frame(self._connection)) is None:
            raise ProtocolError("it ended without an answer")
        return answer

    def tell(self, message: bytes) -> None:
        """Send a short *message* that is not answered, from any thread and without waiting.

        It may get lost: while a request is being sent, and where the process is stuck or gone.
        """
        if not self._sending.acquire(blocking=False):
            return
        try:
            if has_room(self._connection):
                write_frame(self._connection, message)
        except OSError:
            return
        finally:
            self._sending.release()

    def shut(self) -> None:
        """Have it end, and :meth:`ask` in another thread fail; does not wait."""
        try:
            self._connection.shutdown(socket.SHUT_RDWR)
        except OSError:  # it was closed, or its other end is gone
            return

    def kill(self) -> None:
        """End it at once; returns when it is gone."""
        self._process.kill()
        self._reaper.join()
        with self._sending:
            self._connection.close()

    async def aclose(self) -> None:
        """Have it end, and kill it when it does not within ``END_S``; nobody may be asking it any more."""
        self.shut()
        with trio.CancelScope(shield=True):
            # A thread's end cannot be awaited: look for it on a grid.
            for _ in range(round(END_S / 0.01)):
                self._reaper.join(0.001)
                if not self._reaper.is_alive():
                    break
                await trio.sleep(0.009)
        self.kill()


def _environment() -> dict[str, str]:
    """Return this process's environment, with this very package first on the path and one thread for numpy."""
    here = str(Path(__file__).parents[2])
    path = os.pathsep.join(part for part in (here, os.environ.get("PYTHONPATH", "")) if part)
    return {**os.environ, "PYTHONPATH": path, "OPENBLAS_NUM_THREADS": "1"}
