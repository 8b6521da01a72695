"""Both lanes of a call on one grid of samples: what the caller says 20 ms by 20 ms, and what the caller hears.

Knows neither socket nor dialect: a line asks for the frame that is due, sends it, and says that it was sent.
"""

from __future__ import annotations

from collections.abc import Callable

import trio

from tomrt.caller.ear import Ear
from tomrt.caller.loudness import is_audible
from tomrt.caller.plan import CallPlan, CallRecord, Spoken
from tomrt.caller.script import HangUp, Script

__all__ = ["FRAME_S", "Lanes", "Watch"]

FRAME_S = 0.02
CALLER_HUNG_UP = "the caller hung up"

Watch = Callable[[float, str], None]
"""Told what happens, in words for a person: seconds into the call, and a line of text."""


class Lanes:
    """One call as its caller meets it.

    Args:
        plan: What to say.
        ear: What becomes of the service's audio.
        watch: Told what is said.
    """

    def __init__(self, plan: CallPlan, ear: Ear, watch: Watch) -> None:
        self.ear = ear
        self.over = trio.Event()
        self.ended = ""
        self._plan = plan
        self._watch = watch
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

    def begin(self) -> None:
        """Let the call begin now: sample 0 of both lanes."""
        self._began = trio.current_time()

    @property
    def now(self) -> int:
        """The sample that is now."""
        return int((trio.current_time() - self._began) * self._plan.rate_hz)

    async def frame_due(self, number: int) -> int:
        """Wait until frame *number*, counted from 1, is over; return the sample behind it."""
        await trio.sleep_until(self._began + number * FRAME_S)
        return number * self._frame_samples

    def say(self) -> bytes:
        """Return the next 20 ms of the caller, mono PCM."""
        size = 2 * self._frame_samples
        said, self._to_say = bytes(self._to_say[:size]), self._to_say[size:]
        return said + self._plan.silence[len(said) :]

    def sent(self, at: int) -> bool:
        """Take note that the 20 ms before sample *at* were sent; return whether the caller hangs up now."""
        heard = self.ear.player.heard[2 * (at - self._frame_samples) : 2 * at]
        step = self._script.step(at, audible=is_audible(heard), busy=bool(self.ear.open_replies))
        if isinstance(step, HangUp):
            self.end(CALLER_HUNG_UP)
            return True
        if step is not None:
            self._to_say = memoryview(step.pcm)
            self._spoken.append(Spoken(utterance=step, start=at))
            self.tell(at, f"says: {step.said}")
        return False

    def tell(self, at: int, text: str) -> None:
        """Tell whoever watches what happened at sample *at*."""
        self._watch(at / self._plan.rate_hz, text)

    def end(self, how: str) -> None:
        """End the call; the first reason stands."""
        self.ended = self.ended or how
        self.over.set()

    def record(self) -> CallRecord:
        """Return what took place."""
        self.ear.player.drain()
        return CallRecord(
            plan=self._plan,
            spoken=tuple(self._spoken),
            heard=bytes(self.ear.player.heard),
            events=tuple(self.ear.events),
            faults=tuple(self.ear.faults),
            ended=self.ended,
        )
