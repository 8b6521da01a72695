"""One call on one connection: speaks on an absolute grid of 20 ms, hears through the module's model."""

from __future__ import annotations

from collections.abc import Callable

import trio
from trio_websocket import ConnectionClosed, WebSocketConnection, wrap_client_stream

from tomrt.caller.ear import PlainEar, ear_for
from tomrt.caller.loudness import is_audible
from tomrt.caller.plan import CallPlan, CallRecord, Spoken
from tomrt.caller.script import HangUp, Script

__all__ = ["CONNECT_S", "FRAME_S", "Watch", "talk"]

FRAME_S = 0.02
CONNECT_S = 5.0
HANG_UP_S = 2.0
SEND_WAIT_S = 10.0
"""A service that reads nothing for this long has stopped; the kernel holds some seconds of audio besides."""
MAX_MESSAGE_BYTES = 4 << 20
QUEUED_MESSAGES = 64

Watch = Callable[[float, str], None]
"""Told what happens, in words for a person: seconds into the call, and a line of text."""

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
        await call.over.wait()
        with trio.move_on_after(HANG_UP_S):
            await socket.aclose(1000, plan.goodbye)
        nursery.cancel_scope.cancel()
    return call.record()


class _Call:
    def __init__(self, socket: WebSocketConnection, plan: CallPlan, watch: Watch) -> None:
        self.over = trio.Event()
        self._socket = socket
        self._plan = plan
        self._watch = watch
        self._ear = ear_for(plan.dialect, plan.rate_hz)
        self._script = Script(
            utterances=plan.utterances,
            rate_hz=plan.rate_hz,
            settle_s=plan.settle_s,
            barge_in_at_s=plan.barge_in_at_s,
            answer_wait_s=plan.answer_wait_s,
        )
        self._frame_samples = plan.rate_hz // 50
        self._began = trio.current_time()
        self._to_say = memoryview(b"")
        self._spoken: list[Spoken] = []
        self._ended = ""

    async def listen(self) -> None:
        """Hand each message to the ear, at the sample at which it comes."""
        try:
            while True:
                message = await self._socket.get_message()
                at = self._now()
                if isinstance(message, bytes):
                    self._ear.binary(message, at)
                else:
                    told = len(self._ear.events)
                    self._ear.text(message, at)
                    self._tell(told)
        except ConnectionClosed as closed:
            code = closed.reason.code if closed.reason else 1006
            self._ear.line_closed(self._now())
            self._end("the service hung up" if code == 1000 else f"the service closed the line with code {code}")

    async def speak(self) -> None:
        """Send 20 ms every 20 ms, and let the script decide what is in them."""
        frame = 0
        while True:
            frame += 1
            await trio.sleep_until(self._began + frame * FRAME_S)
            try:
                with trio.fail_after(SEND_WAIT_S):
                    done = await self._frame(frame * self._frame_samples)
            except ConnectionClosed:
                return  # the listener tells how
            except trio.TooSlowError:
                self._end("the service stopped reading")
                return
            if done:
                self._end("the caller hung up")
                return

    async def _frame(self, at: int) -> bool:
        """Send the 20 ms before sample *at*; return whether the call is over."""
        for report in self._ear.advance(at):
            await self._socket.send_message(report)
        size = 2 * self._frame_samples
        said, self._to_say = bytes(self._to_say[:size]), self._to_say[size:]
        await self._socket.send_message(said + self._plan.silence[len(said) :])
        heard = self._ear.player.heard[2 * (at - self._frame_samples) : 2 * at]
        step = self._script.step(at, audible=is_audible(heard), busy=bool(self._ear.open_replies))
        if isinstance(step, HangUp):
            return True
        if step is not None:
            self._to_say = memoryview(step.pcm)
            self._spoken.append(Spoken(utterance=step, start=at))
            self._watch(at / self._plan.rate_hz, f"says: {step.said}")
        return False

    def record(self) -> CallRecord:
        """Return what took place."""
        self._ear.player.drain()
        return CallRecord(
            plan=self._plan,
            spoken=tuple(self._spoken),
            heard=bytes(self._ear.player.heard),
            events=tuple(self._ear.events),
            faults=tuple(self._ear.faults),
            ended=self._ended,
        )

    def _now(self) -> int:
        return int((trio.current_time() - self._began) * self._plan.rate_hz)

    def _end(self, how: str) -> None:
        self._ended = self._ended or how
        self.over.set()

    def _tell(self, told: int) -> None:
        if not isinstance(self._ear, PlainEar):
            return
        for event in self._ear.events[told:]:
            if event.type in {"understood", "answered"}:
                self._watch(event.at / self._plan.rate_hz, f"{event.type}: {str(event.said.get('text', ''))[:200]}")
