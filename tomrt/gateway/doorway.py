"""Where connections come in: each has its own task and its own boundary, and nothing in it ends more than itself."""

from __future__ import annotations

import logging
import traceback
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Iterator, Sequence
from functools import partial

import trio
import trio.abc
from trio_websocket import ConnectionClosed

__all__ = ["Boundary", "Doorway", "Note"]

logger = logging.getLogger("tomrt.gateway")

Note = Callable[[str, str], None]
"""Counts something: what, and of which kind; both are from a small fixed set of words."""

BACK_OFF_S = 0.1


class Boundary:
    """What goes wrong inside ends here, counted by class.

    Args:
        note: Counts ``crashed``/class and ``connection``/``lost``.
    """

    def __init__(self, note: Note) -> None:
        self._note = note

    async def guard(self, work: Callable[[], Awaitable[None]]) -> None:
        """Do *work* to its end, whatever that is."""
        try:
            await work()
        except* Exception as failures:
            # With a star: a failure while the service stops comes in one group with the cancellation, which passes.
            self._failed(failures)

    def _failed(self, error: Exception) -> None:
        causes = list(_leaves(error))
        if all(isinstance(cause, ConnectionClosed) for cause in causes):
            self._note("connection", "lost")
            return
        for cause in causes:
            self._note("crashed", type(cause).__name__)
        # Neither message nor arguments: they may quote the peer.
        logger.error("a connection failed: %s", "; ".join(_where(cause) for cause in causes[:4]))


class Doorway(Boundary, ABC):
    """Accepts connections and serves each within its own boundary.

    Args:
        note: Counts ``crashed``/class, ``connection``/``lost`` or ``too_many``, ``accept``/``failed``.
        max_connections: What comes beyond so many open ones is closed at once.
    """

    def __init__(self, *, note: Note, max_connections: int = 512) -> None:
        super().__init__(note)
        self._max_connections = max_connections
        self._open = 0

    @abstractmethod
    async def converse(self, stream: trio.abc.Stream) -> None:
        """Serve one connection to its end; closing it is done here."""

    @property
    def open_connections(self) -> int:
        """How many connections are open now."""
        return self._open

    async def serve(
        self,
        listeners: Sequence[trio.abc.Listener[trio.abc.Stream]],
        *,
        task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED,
    ) -> None:
        """Accept connections until cancelled; the listeners stay open and are the caller's to close."""
        async with trio.open_nursery() as nursery:
            for listener in listeners:
                nursery.start_soon(self._accept, listener, nursery)
            task_status.started()

    async def handle(self, stream: trio.abc.Stream) -> None:
        """Serve one connection to its end; whatever goes wrong in it ends here, and the stream is closed."""
        self._open += 1
        try:
            await self.guard(partial(self.converse, stream))
        finally:
            self._open -= 1
            await trio.aclose_forcefully(stream)

    async def _accept(self, listener: trio.abc.Listener[trio.abc.Stream], nursery: trio.Nursery) -> None:
        while True:
            try:
                stream = await listener.accept()
            except trio.ClosedResourceError:
                return
            except OSError:
                # Out of descriptors or memory: the waiting peer stays in the backlog, and calls end all the time.
                self._note("accept", "failed")
                await trio.sleep(BACK_OFF_S)
                continue
            if self._open >= self._max_connections:
                self._note("connection", "too_many")
                await trio.aclose_forcefully(stream)
                continue
            nursery.start_soon(self.handle, stream)


def _leaves(error: BaseException) -> Iterator[BaseException]:
    if isinstance(error, BaseExceptionGroup):
        for inner in error.exceptions:
            yield from _leaves(inner)
    else:
        yield error


def _where(error: BaseException) -> str:
    frames = traceback.extract_tb(error.__traceback__)
    place = f"{frames[-1].filename[-60:]}:{frames[-1].lineno}" if frames else "unknown place"
    return f"{type(error).__name__[:40]} at {place}"
