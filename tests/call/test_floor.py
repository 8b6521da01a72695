"""The floor: one reply, one cancel scope."""

import trio

from tomrt.call.floor import Floor


async def test_interrupt_cancels_the_reply_and_nothing_else(autojump_clock):
    """An interrupted reply ends at once; the task that held the floor goes on."""
    floor = Floor()
    async with trio.open_nursery() as nursery:

        async def interrupt() -> None:
            await trio.sleep(1)
            floor.interrupt()

        nursery.start_soon(interrupt)
        assert not await floor.hold(0, trio.sleep_forever)
    assert await floor.hold(floor.generation, trio.lowlevel.checkpoint)


async def test_stale_work_never_begins():
    """What was asked for before an interruption does not run after it."""
    floor, ran = Floor(), []

    async def reply() -> None:
        ran.append(1)

    asked_in = floor.generation
    floor.interrupt()
    assert not await floor.hold(asked_in, reply)
    assert ran == []


async def test_outer_cancellation_passes_through(autojump_clock):
    """Cancelling the call is not mistaken for an interruption of the reply."""
    floor, after = Floor(), []
    with trio.move_on_after(1) as outer:
        await floor.hold(0, trio.sleep_forever)
        after.append("must not be reached")
    assert outer.cancelled_caught
    assert after == []
