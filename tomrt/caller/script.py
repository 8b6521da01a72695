"""When the caller speaks: after the assistant has finished, or into its speech.

Decided from what the caller hears alone, so that every dialect is treated alike; pure code over sample positions.
"""

from __future__ import annotations

from attrs import define, field, frozen

__all__ = ["HANG_UP", "HangUp", "Script", "Utterance"]

STALE_GAP_S = 0.2
"""Silence that ends what the assistant was still saying when the caller had finished."""


@frozen
class Utterance:
    """One thing the caller says.

    Args:
        said: What to call it: its text, or the name of its file.
        pcm: Mono PCM at the line's rate.
    """

    said: str
    pcm: bytes = field(repr=lambda pcm: f"<{len(pcm)} bytes>")


@frozen
class HangUp:
    """The caller has nothing more to say."""


HANG_UP = HangUp()


@define(kw_only=True)
class Script:
    """Says what comes next, 20 ms by 20 ms.

    The first utterance waits until the greeting is over, each other until the answer before it is over: heard, and then
    silent for ``settle_s``. With ``barge_in_at_s`` every utterance but the first is spoken that long after the answer
    before it began to sound; a single utterance is spoken into the greeting. An answer that is over sooner is waited
    for as usual.

    Args:
        utterances: What to say, in order.
        rate_hz: Sample rate of the line.
        settle_s: Silence after which the assistant has finished.
        barge_in_at_s: How long after the assistant began to speak to cut in; ``None`` never.
        greeting_wait_s: How long to wait for a greeting to begin.
        answer_wait_s: How long to wait for an answer to begin; the next utterance is spoken then.
        longest_answer_s: How long to listen to one answer.
    """

    utterances: tuple[Utterance, ...]
    rate_hz: int
    settle_s: float = 0.8
    barge_in_at_s: float | None = None
    greeting_wait_s: float = 5.0
    answer_wait_s: float = 15.0
    longest_answer_s: float = 60.0
    spoken: int = 0
    """How many utterances were begun."""
    _own_end: int = 0
    _bot_since: int | None = None
    _bot_last: int = 0
    _stale: bool = False

    def step(self, at: int, *, audible: bool, busy: bool = False) -> Utterance | HangUp | None:
        """Decide at sample *at*.

        Args:
            at: Samples since the call began; grows by 20 ms.
            audible: Whether the 20 ms before it were audible.
            busy: Whether a reply is known to be under way, heard or not.

        Returns:
            What to begin to say now, ``HANG_UP``, or ``None`` to go on as before.
        """
        self._listen(at, audible=audible)
        if at < self._own_end or not self._may_go_on(at, busy=busy):
            return None
        if self.spoken == len(self.utterances):
            return HANG_UP
        utterance = self.utterances[self.spoken]
        self.spoken += 1
        self._own_end = at + len(utterance.pcm) // 2
        self._bot_since, self._stale = None, True
        return utterance

    def _listen(self, at: int, *, audible: bool) -> None:
        if audible:
            self._bot_last = at
        if at < self._own_end:
            return
        if self._stale:  # what began before the caller had finished answers nothing of what was said
            self._stale = at - self._bot_last < STALE_GAP_S * self.rate_hz
        elif audible and self._bot_since is None:
            self._bot_since = at

    def _may_go_on(self, at: int, *, busy: bool) -> bool:
        waited_s = (at - self._own_end) / self.rate_hz
        if waited_s >= self.longest_answer_s:
            return True
        if self._bot_since is None:
            return waited_s >= (self.answer_wait_s if self.spoken else self.greeting_wait_s)
        silent_s = (at - self._bot_last) / self.rate_hz
        over = silent_s >= (self.answer_wait_s if busy else self.settle_s)
        return over or self._cuts_in(at)

    def _cuts_in(self, at: int) -> bool:
        if self.barge_in_at_s is None or self._bot_since is None or self.spoken == len(self.utterances):
            return False
        if self.spoken == 0 and len(self.utterances) > 1:
            return False
        return at - self._bot_since >= self.barge_in_at_s * self.rate_hz
