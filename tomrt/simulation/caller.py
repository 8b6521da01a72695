"""The caller at the far end of a simulated line: an iterator of what the line delivers, block by block.

Synchronous: each block is decided when the one before it has left, from what the caller hears at that moment (and,
to act at awkward moments, from what happens inside the call).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import trio
from attrs import define, field

from tomrt.events import LineAudio, LineClosed, LineDigit, LineEvent
from tomrt.simulation import sound
from tomrt.simulation.far_end import FarEnd
from tomrt.simulation.record import Record
from tomrt.simulation.scenario import Act, Scenario

__all__ = ["Caller"]

SETTLING_S = 1.0
"""The world is healed: the caller waits until the assistant was silent for so long before speaking once more."""
PATIENCE_S = 30.0
"""How long the caller hears the assistant out before that: a model may write a long answer."""
LAST_WORDS_S = 1.0
ANSWER_S = 7.0
"""How long the caller then waits for an answer."""
TRIES = 3
LAST_BLOCKS_S = 0.1


@define(eq=False)
class Caller:
    """Acts out a scenario.

    Args:
        scenario: The plan.
        far_end: What the caller hears.
        record: Takes down what the caller does.
        is_moment: Tells whether the call is in a named state.
    """

    scenario: Scenario
    far_end: FarEnd
    record: Record
    is_moment: Callable[[str], bool]
    _line_s: float = field(default=0.0, init=False)
    _block_s: float = field(init=False)
    _begun: float = field(factory=trio.current_time, init=False)

    def __attrs_post_init__(self) -> None:
        self._block_s = self.scenario.block_ms / 1000.0

    def events(self) -> Iterator[LineEvent]:
        """Yield what the line delivers; each piece of audio takes its own length."""
        yield from self._quiet(0.3)
        heal_at = self.scenario.heal_at
        for act in self.scenario.acts:
            if trio.current_time() >= heal_at:
                break
            yield from self._wait(act)
            self.record.note("caller", does=act.what, seconds=act.seconds, detail=act.detail)
            yield from self._act(act)
        while trio.current_time() < heal_at:
            yield from self._quiet(0.1)
        yield from self._once_more()

    def _once_more(self) -> Iterator[LineEvent]:
        """Speak once more, and wait for an answer; a caller who was not understood says it again."""
        self.record.note("caller", does="waits to speak once more")
        self._block_s = LAST_BLOCKS_S
        yield from self._quiet(SETTLING_S)
        for _ in range(TRIES):
            patience = trio.current_time() + PATIENCE_S
            while self.far_end.quiet_for(trio.current_time()) < SETTLING_S and trio.current_time() < patience:
                yield from self._quiet(0.1)
            self.record.note("caller", does="speaks once more", seconds=LAST_WORDS_S)
            yield from self._sound(sound.talk(LAST_WORDS_S, self.scenario.rate_hz, voice=1))
            answered_by = trio.current_time() + ANSWER_S
            while not self.is_moment("answered") and trio.current_time() < answered_by:
                yield from self._quiet(0.1)
            if self.is_moment("answered"):
                break
        yield from self._quiet(0.3)
        self.record.note("caller", does="leaves")
        yield LineClosed("hangup")

    def _wait(self, act: Act) -> Iterator[LineEvent]:
        if act.when != "now":
            until = min(trio.current_time() + act.patience_s, self.scenario.heal_at)
            while trio.current_time() < until and not self._is(act.when):
                yield self._silence(0.02 if act.when in {"held", "tool", "draft", "thinking"} else self._block_s)
        yield from self._quiet(act.after_s)

    def _is(self, moment: str) -> bool:
        now = trio.current_time()
        match moment:
            case "bot":
                return self.far_end.sounding(now)
            case "quiet":
                return self.far_end.quiet_for(now) >= 0.4
            case "greeting":
                return now - self._begun < 3.0 and self.far_end.sounding(now)
            case _:
                return self.is_moment(moment)

    def _act(self, act: Act) -> Iterator[LineEvent]:
        rate_hz = self.scenario.rate_hz
        match act.what:
            case "say" | "interrupt":
                yield from self._sound(sound.talk(act.seconds, rate_hz, voice=act.voice))
            case "stammer":
                pcm = sound.talk(act.seconds, rate_hz, voice=act.voice)
                half = len(pcm) // 4 * 2
                yield from self._sound(pcm[:half])
                yield from self._quiet(0.14 + act.voice % 7 * 0.08)
                yield from self._sound(pcm[half:])
            case "murmur":
                yield from self._sound(sound.hum(act.seconds, rate_hz))
            case "cough":
                yield from self._sound(sound.cough(act.seconds, rate_hz))
            case "racket":
                yield from self._sound(sound.racket(act.seconds, rate_hz))
            case "key":
                for digit in act.detail:
                    yield LineDigit(digit)
                    yield from self._quiet(0.12)
            case "silence":
                yield from self._quiet(act.seconds)
            case "leave":
                yield LineClosed(act.detail)

    # --- what the line delivers --------------------------------------------------------------------------------------

    def _sound(self, pcm: bytes) -> Iterator[LineEvent]:
        size = self.scenario.rate_hz // 50 * 2
        for at in range(0, len(pcm), size):
            self._line_s += 0.02
            yield LineAudio(pcm[at : at + size].ljust(size, b"\0"))

    def _quiet(self, seconds: float) -> Iterator[LineEvent]:
        until = self._line_s + seconds - 1e-6
        while self._line_s < until:
            yield self._silence(min(self._block_s, max(0.02, round(until - self._line_s, 2))))

    def _silence(self, seconds: float) -> LineAudio:
        start, self._line_s = self._line_s, self._line_s + seconds
        return LineAudio(sound.quiet(seconds, self.scenario.rate_hz, start_s=start))
