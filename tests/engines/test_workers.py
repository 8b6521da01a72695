from __future__ import annotations

import threading
from functools import partial

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from tomrt.engines.workers import Ticket, Worker, pipe
from tomrt.errors import EngineError

LIMIT_S = 10.0
"""How long a test's thread waits for its cue before it gives up: never reached on a working machine."""


@pytest.fixture
async def worker():
    worker = Worker("test")
    yield worker
    await worker.aclose()


class Occupied:
    """A job that holds its worker, deaf to cancellation, until it is let go."""

    def __init__(self) -> None:
        self._started, self._gate = threading.Event(), threading.Event()

    def __call__(self, ticket: Ticket[int]) -> str:
        self._started.set()
        self._gate.wait(LIMIT_S)
        ticket.put(1)
        return "late"

    async def started(self) -> None:
        await wait_all_tasks_blocked()
        assert self._started.wait(LIMIT_S)

    def let_go(self) -> None:
        self._gate.set()


async def test_result_comes_back(worker):
    """A job's return value is the call's."""
    assert await worker.run(lambda ticket: 6 * 7) == 42


async def test_jobs_share_one_thread(worker):
    """Every job of a worker runs in the same thread, which is not Trio's."""
    names = {await worker.run(lambda ticket: threading.current_thread().name) for _ in range(3)}
    assert names == {"tomrt-test"}


async def test_exception_comes_back(worker):
    """What a job raises comes out of the call, and the worker goes on."""

    def fail(ticket):
        raise ZeroDivisionError("really")

    with pytest.raises(ZeroDivisionError, match="really"):
        await worker.run(fail)
    assert await worker.run(lambda ticket: "still here") == "still here"


async def test_first_come_first_served(worker):
    """Ten calls queued behind a long one are served in the order in which they came."""
    occupied, order = Occupied(), []
    async with trio.open_nursery() as nursery:
        nursery.start_soon(worker.run, occupied)
        for n in range(10):
            nursery.start_soon(worker.run, lambda ticket, n=n: order.append(n))
            await wait_all_tasks_blocked()
        occupied.let_go()
    assert order == list(range(10))


async def test_full_queue_refuses():
    """A job more than may wait is refused at once, with an error that says it may be tried again."""
    worker, occupied = Worker("small", max_waiting=2), Occupied()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(worker.run, occupied)
        await occupied.started()
        for _ in range(2):
            nursery.start_soon(worker.run, lambda ticket: None)
        await wait_all_tasks_blocked()
        with pytest.raises(EngineError, match="small engine has 2 jobs waiting") as caught:
            await worker.run(lambda ticket: None)
        assert caught.value.retryable
        assert worker.refused == 1
        occupied.let_go()
    assert await worker.aclose()


async def test_stream_in_order(worker):
    """Items put by a job arrive in order, all of them before the call returns its result."""
    send, receive = trio.open_memory_channel(100)

    def job(ticket: Ticket[int]) -> str:
        return "kept" if all(ticket.put(n) for n in range(50)) else "lost"

    with send:
        assert await worker.stream(job, send, room=3) == "kept"
    assert [n async for n in receive] == list(range(50))


async def test_stream_blocks_on_slow_consumer(worker):
    """A job that makes more than its room waits for the consumer: never more than room + 1 items are ahead of it."""
    send, receive = trio.open_memory_channel(0)
    made: list[int] = []

    def job(ticket: Ticket[int]) -> None:
        made.extend(n for n in range(20) if ticket.put(n))

    async with trio.open_nursery() as nursery:

        async def run():
            with send:
                await worker.stream(job, send, room=4)

        nursery.start_soon(run)
        taken = 0
        async for _ in receive:
            taken += 1
            await wait_all_tasks_blocked()
            assert len(made) <= taken + 1 + 4
    assert taken == 20


async def test_items_before_failure(worker):
    """What a job put before it failed is delivered, then its error is raised."""
    send, receive = trio.open_memory_channel(10)

    def job(ticket: Ticket[str]) -> None:
        ticket.put("first")
        raise LookupError

    with pytest.raises(LookupError):
        await worker.stream(job, send)
    assert receive.receive_nowait() == "first"


async def test_cancelled_stream_stops_job(worker):
    """A job whose caller was cancelled gets False from put, and its worker is free for the next."""
    send, receive = trio.open_memory_channel(0)
    ended = threading.Event()

    def endless(ticket: Ticket[int]) -> None:
        while ticket.put(0):
            pass
        ended.set()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(worker.stream, endless, send)
        await receive.receive()
        nursery.cancel_scope.cancel()
    assert await worker.run(lambda ticket: ended.is_set())


async def test_stuck_job_is_abandoned(worker):
    """The caller of a job that hears nothing leaves at once; the late result is dropped and the next job runs."""
    occupied = Occupied()
    with trio.CancelScope() as scope:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(worker.run, occupied)
            await occupied.started()
            scope.cancel()
    assert scope.cancelled_caught
    occupied.let_go()
    assert await worker.run(lambda ticket: "next") == "next"


async def test_cancelled_while_waiting_never_runs(worker):
    """A job whose caller leaves before its turn is not run and keeps no place in the queue."""
    occupied, ran = Occupied(), []
    async with trio.open_nursery() as nursery:
        nursery.start_soon(worker.run, occupied)
        await occupied.started()
        with trio.CancelScope() as scope:
            async with trio.open_nursery() as inner:
                inner.start_soon(worker.run, lambda ticket: ran.append(1))
                await wait_all_tasks_blocked()
                scope.cancel()
        assert worker.waiting == 0
        occupied.let_go()
    assert await worker.run(lambda ticket: list(ran)) == []


async def test_urgent_jobs_go_first(worker):
    """Urgent jobs run before all that wait, in their own order, and count among those that wait."""
    occupied, ran = Occupied(), []
    async with trio.open_nursery() as nursery:
        nursery.start_soon(worker.run, occupied)
        await occupied.started()
        for name, urgent in (("late", False), ("soon", True), ("later", False), ("then", True)):
            nursery.start_soon(partial(worker.run, lambda ticket, name=name: ran.append(name), urgent=urgent))
            await wait_all_tasks_blocked()
        assert worker.waiting == 4
        occupied.let_go()
    assert ran == ["soon", "then", "late", "later"]


async def test_hook_is_called_on_cancel(worker):
    """A library's stop switch hung on the ticket is thrown when the caller leaves, and only then."""
    stop, never, started = threading.Event(), threading.Event(), threading.Event()

    def job(ticket: Ticket[None]) -> None:
        ticket.on_cancel(stop.set)
        started.set()
        stop.wait(LIMIT_S)

    with trio.CancelScope() as scope:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(worker.run, job)
            await wait_all_tasks_blocked()
            assert started.wait(LIMIT_S)
            scope.cancel()
    assert stop.is_set()
    await worker.run(lambda ticket: ticket.on_cancel(never.set))
    assert not never.is_set()


async def test_close_ends_the_thread():
    """Closing brings the thread count back to where it was, also with a job under way and others waiting."""
    before = threading.active_count()
    worker, failures, started = Worker("closing"), [], threading.Event()

    def until_cancelled(ticket: Ticket[None]) -> None:
        gone = threading.Event()
        ticket.on_cancel(gone.set)
        started.set()
        gone.wait(LIMIT_S)

    async def call() -> None:
        try:
            await worker.run(until_cancelled)
        except EngineError as error:
            failures.append(str(error))

    async with trio.open_nursery() as nursery:
        for _ in range(3):
            nursery.start_soon(call)
        await wait_all_tasks_blocked()
        assert started.wait(LIMIT_S)
        assert await worker.aclose()
    assert failures == ["The closing engine was closed."] * 3
    assert threading.active_count() == before
    with pytest.raises(EngineError, match="is closed"):
        await worker.run(lambda ticket: None)


async def test_close_is_bounded(autojump_clock):
    """Closing does not wait forever for a thread that is stuck in C; it says that the thread was left."""
    worker, occupied = Worker("stuck"), Occupied()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(worker.run, occupied)
        await occupied.started()
        nursery.cancel_scope.cancel()
    assert not await worker.aclose()
    occupied.let_go()
    assert await worker.aclose()


def test_worker_survives_its_loops():
    """One worker serves one Trio loop after another, and a job that outlives its loop harms neither."""
    worker, occupied = Worker("loops"), Occupied()

    async def abandon() -> None:
        send, _ = trio.open_memory_channel[int](1)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(worker.stream, occupied, send)
            await occupied.started()
            nursery.cancel_scope.cancel()

    async def use() -> None:
        assert await worker.run(lambda ticket: 5) == 5
        assert await worker.aclose()

    trio.run(abandon)
    occupied.let_go()
    trio.run(use)


async def collect(receive, into):
    async for item in receive:
        into.append(item)


async def test_pipe_delivers_everything():
    """What is produced is consumed, through a channel smaller than it."""
    got: list[int] = []

    async def produce(send):
        for n in range(10):
            await send.send(n)

    await pipe(produce, lambda receive: collect(receive, got), room=2)
    assert got == list(range(10))


async def test_pipe_producer_error_is_plain():
    """An engine's error in the producer comes out ungrouped, after the consumer had what came before it."""
    got: list[int] = []

    async def produce(send):
        await send.send(1)
        raise EngineError("no more")

    with pytest.raises(EngineError, match="no more"):
        await pipe(produce, lambda receive: collect(receive, got), room=2)
    assert got == [1]


async def test_pipe_consumer_error_stops_producer():
    """An engine's error in the consumer comes out ungrouped and ends the producer."""

    async def produce(send):
        while True:
            await send.send(1)

    async def consume(receive):
        await receive.receive()
        raise EngineError("mute")

    with pytest.raises(EngineError, match="mute"):
        await pipe(produce, consume, room=2)


async def test_pipe_is_cancellable(autojump_clock):
    """Cancelling a pipe ends both sides."""
    with trio.move_on_after(1) as scope:
        await pipe(lambda send: trio.sleep_forever(), lambda receive: collect(receive, []), room=1)
    assert scope.cancelled_caught
