"""Where a session's reply items become samples of the line."""

from __future__ import annotations

import trio
from attrs import define, field

from tomrt.audio import Resampler
from tomrt.call.pacer import Pacer
from tomrt.call.playout import Playout
from tomrt.call.reporting import Reporter
from tomrt.errors import EngineError
from tomrt.events import Action, ReplyItem, Sentence, Signal, Transcript, Voice, WordStart
from tomrt.happenings import Understood

__all__ = ["MAX_REPLY_S", "Aside", "Voicing"]

MAX_REPLY_S = 180.0
"""A longer reply is a model that does not stop."""
MAX_ACTIONS = 16


@define(eq=False)
class Voicing(trio.abc.SendChannel[ReplyItem]):
    """Takes one reply's items; ``send`` waits while enough audio is made ahead.

    Args:
        playout: Takes the samples.
        pacer: Says when there is room.
        report: Where happenings go.
        turn: The turn being answered.
        timeout_s: When the caller heard all there was and nothing more comes for so long, ``patience`` ends.
        draft: Nothing is told of the reply before :meth:`confirm`, and its patience begins there.
    """

    playout: Playout
    pacer: Pacer
    report: Reporter
    turn: int
    timeout_s: float
    draft: bool
    patience: trio.CancelScope = field(factory=trio.CancelScope, init=False)
    transcript: Transcript | None = field(default=None, init=False)
    actions: list[Action] = field(factory=list, init=False)
    signals: list[Signal] = field(factory=list, init=False)
    is_silent: bool = field(default=True, init=False)
    """Whether nothing of the answer was voiced; what is said aside does not count."""
    turnstile: trio.Lock = field(factory=trio.Lock, init=False)
    """Held while something is said aside: the answer waits, so that sentences do not mix."""
    between_sentences: bool = field(default=True, init=False)
    """Whether no sentence waits for its voice."""
    _over: bool = field(default=False, init=False)
    _resampler: Resampler | None = field(default=None, init=False)
    _rate_hz: int = field(default=0, init=False)

    def __attrs_post_init__(self) -> None:
        self.wait_for_more()

    async def send(self, value: ReplyItem) -> None:
        """Take one item of the answer."""
        if not self.is_silent:
            self.patience.deadline = float("inf")  # it is here; how long it must wait is not the engines' doing
        async with self.turnstile:
            match value:
                case Transcript():
                    self.transcript = value
                    if not self.draft:
                        self._tell_transcript(value)
                case Action():
                    self._add_action(value)
                case Signal():
                    self._add_signal(value)
                case _:
                    await self.speak(value)
                    if self.is_silent and isinstance(value, Voice) and self.playout.ledger.produced:
                        self.is_silent = False
        if not self.is_silent:
            self.wait_for_more()

    async def speak(self, value: ReplyItem) -> None:
        """Voice an item, whoever it comes from; nothing, once the reply is over."""
        if self._over:
            return
        match value:
            case Sentence():
                self.between_sentences = False
                self._drain()
                self.playout.sentence(value.text)
                self.pacer.wake()  # the one before is complete
            case WordStart():
                self.playout.word(value.char, value.offset)
            case Voice():
                self.between_sentences = True
                self._voice(value)
                await self.pacer.has_room()

    async def aclose(self) -> None:
        """Do nothing: the reply ends with its scope, not with its channel."""
        await trio.lowlevel.checkpoint()

    def round_off(self) -> None:
        """Let out all of what was said, up to a whole frame: it may be long before anything follows."""
        self._drain()
        self._add(bytes(2 * self.playout.missing_to_frame))

    def confirm(self) -> None:
        """The turn is complete: what was drafted is the answer."""
        self.draft = False
        self.wait_for_more()
        if self.transcript is not None:
            self._tell_transcript(self.transcript)

    def finish(self) -> None:
        """The session is done: nothing more will come."""
        self._drain()
        self.patience.deadline = float("inf")
        self.playout.finish()
        self.pacer.wake()

    def end(self) -> None:
        """The reply is over: whatever still comes is dropped."""
        self._over = True

    def wait_for_more(self) -> None:
        """Begin to count: what was made will be heard, and then something more should be there."""
        if not self.draft:
            self.patience.deadline = trio.current_time() + self.timeout_s + self.playout.backlog_s

    def wait_for_a_tool(self) -> None:
        """Stop counting: a tool has a limit of its own."""
        self.patience.deadline = float("inf")

    def _tell_transcript(self, transcript: Transcript) -> None:
        self.report.say(Understood, turn=self.turn, text=transcript.text, rejected=transcript.rejected)

    def _add_action(self, action: Action) -> None:
        if len(self.actions) >= MAX_ACTIONS:
            raise EngineError(f"one reply asked for more than {MAX_ACTIONS} actions")
        self.actions.append(action)

    def _add_signal(self, signal: Signal) -> None:
        if signal not in self.signals:
            self.signals.append(signal)

    def _voice(self, voice: Voice) -> None:
        if self._rate_hz != voice.rate_hz:
            self._drain()
            self._rate_hz = voice.rate_hz
            self._resampler = Resampler(voice.rate_hz, self.playout.rate_hz)
        assert self._resampler is not None
        self._add(self._resampler.process(voice.pcm))

    def _drain(self) -> None:
        """Let out what the resampler still holds, so that a sentence ends where the next one begins."""
        if self._resampler is not None:
            self._add(self._resampler.flush())
            self._resampler.reset()

    def _add(self, pcm: bytes) -> None:
        if not pcm:
            return
        self.playout.add(pcm)
        if self.playout.ledger.produced > MAX_REPLY_S * self.playout.rate_hz:
            raise EngineError(f"the reply is longer than {MAX_REPLY_S:g} s")
        self.pacer.wake()


@define(eq=False)
class Aside(trio.abc.SendChannel[ReplyItem]):
    """Takes what is said within a reply without being part of the answer; whoever uses it holds the turnstile."""

    voicing: Voicing

    async def send(self, value: ReplyItem) -> None:
        """Voice one item."""
        await self.voicing.speak(value)
        await trio.lowlevel.checkpoint()

    async def aclose(self) -> None:
        """Do nothing."""
        await trio.lowlevel.checkpoint()
