"""One thread for one engine, reached from Trio.

The libraries behind the engines hold a model or global state and are not safe in two threads at once. A
:class:`Worker` runs their jobs one after another, urgent ones first, in a thread of its own that ends when
the worker is closed. (Trio's own thread cache keeps idle threads for ten seconds and gives each job another one;
here an engine's state stays in one thread, and a service that stopped has no thread left.)

A job cannot be interrupted inside a C library. When its caller is cancelled the caller leaves at once, the job is
told through its :class:`Ticket`, and whatever it still delivers is dropped.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar, cast

import outcome
import trio
import trio.abc

from tomrt.errors import EngineError

__all__ = ["Ticket", "Worker", "pipe"]

T = TypeVar("T")
R = TypeVar("R")

MAX_WAITING = 64
"""Jobs that may wait for one worker: two for each of 32 calls. A job behind 64 others would be too late anyway."""

CLOSE_S = 2.0
"""How long closing waits for a job under way; a thread stuck in C longer than that is left behind (a daemon)."""


class Ticket(Generic[T]):
    """What a job in the worker's thread knows of its caller: is it still there, and is there room for more.

    Args:
        token: The caller's Trio loop.
        room: How many items may wait for the caller before :meth:`put` blocks.
    """

    def __init__(self, token: trio.lowlevel.TrioToken, room: int) -> None:
        self._token = token
        self._room = room
        self._items: deque[T] = deque()
        self._changed = threading.Condition()
        self._result: outcome.Maybe[object] | None = None
        self._cancelled = False
        self._hooks: list[Callable[[], None]] = []
        self._waiter: trio.Event | None = None

    # --- the thread's side ---

    @property
    def cancelled(self) -> bool:
        """Whether the caller is gone; the job should return as soon as it can."""
        return self._cancelled

    def put(self, item: T) -> bool:
        """Hand *item* to the caller, waiting while its buffer is full; ``False`` when the caller is gone."""
        with self._changed:
            self._changed.wait_for(lambda: self._cancelled or len(self._items) < self._room)
            if self._cancelled:
                return False
            self._items.append(item)
            self._wake()
        return True

    def on_cancel(self, hook: Callable[[], None]) -> None:
        """Have *hook* called once, from the caller's thread, when the caller goes; at once if it is gone already.

        For libraries that can be told to stop from another thread. *hook* must not block or raise.
        """
        with self._changed:
            if not self._cancelled:
                self._hooks.append(hook)
                return
        hook()

    def finish(self, result: outcome.Maybe[object]) -> None:
        """Close the job with its *result*; only the first result counts."""
        with self._changed:
            if self._result is None:
                self._result = result
            self._wake()

    def _wake(self) -> None:
        waiter, self._waiter = self._waiter, None
        if waiter is not None:
            try:
                self._token.run_sync_soon(waiter.set)
            except trio.RunFinishedError:
                self._cancelled = True

    # --- the caller's side ---

    def cancel(self, error: EngineError | None = None) -> None:
        """Tell the job that its caller is gone; what it still puts is dropped, and *error* becomes its result."""
        with self._changed:
            if self._cancelled:
                return
            self._cancelled = True
            self._items.clear()
            hooks = [] if self._result is not None else self._hooks
            if self._result is None and error is not None:
                self._result = outcome.Error(error)
            self._hooks = []
            self._wake()
            self._changed.notify_all()
        for hook in hooks:
            hook()

    async def deliver(self, send: Callable[[T], Awaitable[None]]) -> object:
        """Pass the job's items to *send* as they come; return its result, or raise what it raised."""
        try:
            await trio.lowlevel.checkpoint()
            while True:
                with self._changed:
                    taken = [self._items.popleft()] if self._items else []
                    result = self._result
                    if not taken and result is None:
                        self._waiter = trio.Event()
                    waiter = self._waiter
                    self._changed.notify_all()
                if taken:
                    await send(taken[0])
                elif waiter is not None:
                    await waiter.wait()
                elif result is not None:
                    return result.unwrap()
        finally:
            self.cancel()


_Entry = tuple[Ticket[object], Callable[[], object]]
"""A job that waits, and its caller's ticket."""


class Worker:
    """A named thread that runs the jobs of one engine in order.

    The thread starts with the worker and ends with :meth:`aclose`. A worker may be used from several Trio loops.

    Args:
        name: For the thread's name and for messages.
        max_waiting: Jobs that may wait; another one is refused with a retryable :class:`~tomrt.errors.EngineError`.
    """

    def __init__(self, name: str, *, max_waiting: int = MAX_WAITING) -> None:
        self._name = name
        self._max_waiting = max_waiting
        self._urgent: deque[_Entry] = deque()
        self._queue: deque[_Entry] = deque()
        self._running: Ticket[object] | None = None
        self._closed = False
        self._changed = threading.Condition()
        self._refused = 0
        self._thread = threading.Thread(target=self._work, name=f"tomrt-{name}", daemon=True)
        self._thread.start()

    @property
    def refused(self) -> int:
        """How many jobs found the queue full."""
        return self._refused

    @property
    def waiting(self) -> int:
        """How many jobs wait behind the one under way."""
        return len(self._urgent) + len(self._queue)

    async def run(self, job: Callable[[Ticket[None]], R], *, urgent: bool = False) -> R:
        """Run *job* in the thread and return its result; whatever it raises comes out here.

        Args:
            job: Called with a ticket.
            urgent: It goes before all that are not. For short jobs whose result is soon of no use.

        Raises:
            EngineError: the queue is full (retryable), or the worker is closed.
        """

        async def nothing(_: None) -> None:
            await trio.lowlevel.checkpoint()

        return await self._call(job, nothing, room=1, queue=self._urgent if urgent else self._queue)

    async def stream(self, job: Callable[[Ticket[T]], R], out: trio.abc.SendChannel[T], *, room: int = 16) -> R:
        """Run *job* in the thread and pass what it puts into *out*; return its result.

        Args:
            job: Called with a ticket; its ``put`` blocks once *room* items wait for a slow consumer, and the thread
                with it. Give *room* for all of a result that must not hold the thread.
            out: Where items go; not closed.
            room: Items buffered between thread and *out*.

        Raises:
            EngineError: the queue is full (retryable), or the worker is closed.
        """
        return await self._call(job, out.send, room=room, queue=self._queue)

    async def _call(
        self,
        job: Callable[[Ticket[T]], R],
        send: Callable[[T], Awaitable[None]],
        *,
        room: int,
        queue: deque[_Entry],
    ) -> R:
        ticket: Ticket[T] = Ticket(trio.lowlevel.current_trio_token(), room)
        await trio.lowlevel.checkpoint_if_cancelled()
        entry = (cast("Ticket[object]", ticket), lambda: job(ticket))
        self._enqueue(entry, queue)
        try:
            return cast("R", await ticket.deliver(send))
        finally:
            self._withdraw(entry, queue)

    def _enqueue(self, entry: _Entry, queue: deque[_Entry]) -> None:
        with self._changed:
            if self._closed:
                raise EngineError(f"The {self._name} engine is closed.")
            if self.waiting >= self._max_waiting:
                self._refused += 1
                message = f"The {self._name} engine has {self._max_waiting} jobs waiting and takes no more."
                raise EngineError(message, retryable=True)
            queue.append(entry)
            self._changed.notify()

    def _withdraw(self, entry: _Entry, queue: deque[_Entry]) -> None:
        # A job whose caller left before its turn must not keep a place in the bounded queue.
        with self._changed:
            if entry in queue:
                queue.remove(entry)

    def _work(self) -> None:
        while (entry := self._next()) is not None:
            ticket, job = entry
            if not ticket.cancelled:
                ticket.finish(outcome.capture(job))
            # Between jobs the thread holds on to nothing: a result may be megabytes of audio.
            del entry, ticket, job

    def _next(self) -> _Entry | None:
        with self._changed:
            self._running = None
            self._changed.wait_for(lambda: self._closed or self.waiting)
            if self._closed:
                return None
            entry = (self._urgent or self._queue).popleft()
            self._running = entry[0]
            return entry

    def shut(self) -> None:
        """Refuse new jobs, fail those waiting and the one under way, and let the thread end; does not wait for it."""
        with self._changed:
            self._closed = True
            left = [ticket for queue in (self._urgent, self._queue) for ticket, _ in queue]
            if self._running is not None:
                left.append(self._running)
            self._urgent.clear()
            self._queue.clear()
            self._changed.notify_all()
        for ticket in left:
            ticket.cancel(EngineError(f"The {self._name} engine was closed."))

    async def aclose(self) -> bool:
        """Shut the worker and wait, up to ``CLOSE_S``, for its thread to end; return whether it did."""
        self.shut()
        with trio.CancelScope(shield=True):
            # A thread's end cannot be awaited: look for it on a grid, which costs nothing at a service's end.
            for _ in range(round(CLOSE_S / 0.01)):
                self._thread.join(0.001)
                if not self._thread.is_alive():
                    break
                await trio.sleep(0.009)
        return not self._thread.is_alive()


async def pipe(
    produce: Callable[[trio.abc.SendChannel[T]], Awaitable[None]],
    consume: Callable[[trio.abc.ReceiveChannel[T]], Awaitable[None]],
    *,
    room: int,
) -> None:
    """Run *produce* beside *consume* with a channel of *room* items between them, until the consumer is done.

    Here, because nurseries are opened in few places. The producer is cancelled when the consumer ends first. When
    the producer fails, the consumer still gets what was produced before. Errors come out plain, not in a group.

    Raises:
        EngineError: the first that either side raised.
    """
    failures: list[EngineError | trio.BrokenResourceError] = []
    send, receive = trio.open_memory_channel[T](room)

    async def producing() -> None:
        with send:
            try:
                await produce(send)
            except (EngineError, trio.BrokenResourceError) as error:
                failures.append(error)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(producing)
        with receive:
            try:
                await consume(receive)
            except (EngineError, trio.BrokenResourceError) as error:
                failures.append(error)
            nursery.cancel_scope.cancel()
    if failures:
        raise failures[0]
