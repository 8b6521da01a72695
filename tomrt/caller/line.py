"""One call on one connection: speaks on an absolute grid of 20 ms, hears through the module's model."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import trio
from trio_websocket import ConnectionClosed, WebSocketConnection, wrap_client_stream

from tomrt.caller.ear import PlainEar, ear_for
from tomrt.caller.lanes import Lanes, Watch
from tomrt.caller.plan import CallPlan, CallRecord

__all__ = ["CONNECT_S", "Stream", "Watch", "talk", "until_over"]

CONNECT_S = 5.0
HANG_UP_S = 2.0
SEND_WAIT_S = 10.0
"""A service that reads nothing for this long has stopped; the kernel holds some seconds of audio besides."""
MAX_MESSAGE_BYTES = 4 << 20
QUEUED_MESSAGES = 64

Stream = trio.SocketStream | trio.SSLStream[trio.SocketStream]


async def talk(stream: Stream, plan: CallPlan, watch: Watch = lambda _, __: None) -> CallRecord:
    """Hold the call *plan* on *stream* until the script or the service ends it.

    Does the upgrade, the call and the goodbye, and leaves closing *stream* to its owner. What trio-websocket has to say
    of a failed upgrade comes out in an exception group, for it happens in a task.
    """
    async with trio.open_nursery() as nursery:
        with trio.fail_after(CONNECT_S):
            socket = await wrap_client_stream(
                nursery,
                stream,
                plan.address,
                plan.resource,
                subprotocols=plan.subprotocols or None,
                max_message_size=MAX_MESSAGE_BYTES,
                message_queue_size=QUEUED_MESSAGES,
            )
        call = _Call(socket, plan, watch)
        nursery.start_soon(call.listen)
        nursery.start_soon(call.speak)
        await call.lanes.over.wait()
        with trio.move_on_after(HANG_UP_S):
            await socket.aclose(1000, plan.goodbye)
        nursery.cancel_scope.cancel()
    return call.lanes.record()


async def until_over(over: trio.Event, *tasks: Callable[[], Awaitable[None]]) -> None:
    """Run *tasks* beside each other until *over* is set; what is left of them then is cancelled."""
    async with trio.open_nursery() as nursery:
        for task in tasks:
            nursery.start_soon(task)
        await over.wait()
        nursery.cancel_scope.cancel()


class _Call:
    def __init__(self, socket: WebSocketConnection, plan: CallPlan, watch: Watch) -> None:
        self.lanes = Lanes(plan, ear_for(plan.dialect, plan.rate_hz), watch)
        self._socket = socket

    async def listen(self) -> None:
        """Hand each message to the ear, at the sample at which it comes."""
        lanes = self.lanes
        try:
            while True:
                message = await self._socket.get_message()
                if isinstance(message, bytes):
                    lanes.ear.binary(message, lanes.now)
                else:
                    told = len(lanes.ear.events)
                    lanes.ear.text(message, lanes.now)
                    self._tell(told)
        except ConnectionClosed as closed:
            code = closed.reason.code if closed.reason else 1006
            lanes.ear.line_closed(lanes.now)
            lanes.end("the service hung up" if code == 1000 else f"the service closed the line with code {code}")

    async def speak(self) -> None:
        """Send 20 ms every 20 ms, and let the script decide what is in them."""
        frame = 0
        while True:
            frame += 1
            at = await self.lanes.frame_due(frame)
            try:
                with trio.fail_after(SEND_WAIT_S):
                    await self._frame(at)
            except ConnectionClosed:
                return  # the listener tells how
            except trio.TooSlowError:
                self.lanes.end("the service stopped reading")
                return
            if self.lanes.sent(at):
                return

    async def _frame(self, at: int) -> None:
        """Send the 20 ms before sample *at*, behind the reports that are due."""
        for report in self.lanes.ear.advance(at):
            await self._socket.send_message(report)
        await self._socket.send_message(self.lanes.say())

    def _tell(self, told: int) -> None:
        if not isinstance(self.lanes.ear, PlainEar):
            return
        for event in self.lanes.ear.events[told:]:
            if event.type in {"understood", "answered"}:
                self.lanes.tell(event.at, f"{event.type}: {str(event.said.get('text', ''))[:200]}")
