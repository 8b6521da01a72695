"""Playout: the reply's samples on their way to the line, with hold, resume and cut.

Synchronous and without a clock: the pacer calls ``tick(now)`` until nothing is due, sending each chunk before it asks
for the next. How far ahead of its play-out audio is sent, and what must be flushed, follows from the line's ``Egress``.
"""

from __future__ import annotations

from collections.abc import Callable
from math import ceil

from attrs import define, field, frozen

from tomrt.audio import fade_in, fade_out
from tomrt.call.ledger import Ledger
from tomrt.call.spoken import Spoken
from tomrt.errors import MisuseError
from tomrt.ports import Egress

__all__ = ["AHEAD_S", "Chunk", "Playout"]

FRAME_MS = 20
SLACK_S = 0.060
"""After a stall, so much is caught up at once (three frames); the rest of the stall is heard as a gap."""
LATE_S = 0.010
"""A frame for a slot that is over by more than half of it would stand too close to the next."""
AHEAD_S = 8.0
"""Audio made ahead of its sending; more makes the producer wait. Bounds a reply's memory to 128 kB at 8 kHz."""
FRAMES_PER_MARK = 5
NEVER = float("inf")
EPSILON_S = 1e-6
"""Clock times are floats that were added up."""


@frozen
class Chunk:
    """Bytes to send now.

    Args:
        pcm: The samples.
        plays_at: Clock time at which the line plays them.
        reply: Whose voice they are; ``None`` for a fade or silence that belongs to no reply any more.
        mark: Goes in front of them.
        silent: They are what a line is sent while there is nothing to say.
    """

    pcm: bytes
    plays_at: float
    reply: int | None = None
    mark: str | None = None
    silent: bool = False


@define
class Playout:
    """What the assistant says on one line; one reply at a time.

    Args:
        rate_hz: Rate of the line.
        egress: How the line treats our audio.
        fade_ms: Over so long the voice fades out and in: one that stops within a sample clicks.
    """

    rate_hz: int
    egress: Egress
    fade_ms: int = 8
    reply: int | None = field(default=None, init=False)
    held: bool = field(default=False, init=False)
    gated: bool = field(default=False, init=False)
    samples_sent: int = field(default=0, init=False)
    flush_due: bool = field(default=False, init=False)
    ledger: Ledger = field(init=False)
    spoken: Spoken = field(init=False)
    _pcm: bytearray = field(factory=bytearray, init=False, repr=False)
    _base: int = field(default=0, init=False)
    _cursor: int = field(default=0, init=False)
    _finished: bool = field(default=False, init=False)
    _play_end: float = field(default=float("-inf"), init=False)
    _dry: bool = field(default=True, init=False)
    _pad_due: bool = field(default=False, init=False)
    _line_free: float = field(default=float("-inf"), init=False)
    _fade: bytes = field(default=b"", init=False, repr=False)
    _fade_in: bool = field(default=False, init=False)
    _slot: float = field(default=float("-inf"), init=False)
    _silence: bytes = field(init=False, repr=False)

    def __attrs_post_init__(self) -> None:
        self._silence = bytes(2 * self._frame)
        self._forget()

    # --- the producer's side -----------------------------------------------------------------------------------------

    def open(self, reply: int, *, gated: bool = False) -> None:
        """Begin a reply; nothing of a gated one is sent before :meth:`ungate`."""
        if self.reply is not None:
            raise MisuseError(f"reply {reply} was opened while reply {self.reply} is under way")
        self._forget()
        self.reply, self.gated = reply, gated

    def ungate(self) -> None:
        """Let the reply be heard."""
        self.gated = False

    def sentence(self, text: str) -> None:
        """Begin a sentence; the audio added next is its."""
        self.spoken.sentence(text)

    def word(self, char: int, offset: float) -> None:
        """Note that the word at *char* of the sentence begins *offset* seconds after the sentence."""
        self.spoken.word(char, round(offset * self.rate_hz))

    def add(self, pcm: bytes) -> None:
        """Add the reply's next samples."""
        self._pcm += pcm
        self.ledger.produced += len(pcm) // 2
        self.spoken.length = self.ledger.produced

    def finish(self) -> None:
        """Take note that nothing more will be added to this reply."""
        self._finished = True

    @property
    def backlog_s(self) -> float:
        """Seconds of audio made and not yet sent."""
        return (self.ledger.produced - self._cursor) / self.rate_hz

    @property
    def missing_to_frame(self) -> int:
        """Samples that are missing to a whole number of frames; only whole ones leave before the end of the reply."""
        return -self.ledger.produced % self._frame

    @property
    def can_send(self) -> bool:
        """Whether there is a whole chunk: a line that plays files wants a whole sentence, however long."""
        return self._next_length() > 0

    # --- the floor's side --------------------------------------------------------------------------------------------

    def hold(self, now: float) -> None:
        """Fall silent now, and throw nothing away."""
        if self.held or self.reply is None:
            return
        self.held = True
        self._stop(now)

    def resume(self) -> None:
        """Go on from the sample where it stopped."""
        self.held = False
        if self._fade:  # the fade has not left yet: nothing was interrupted
            self._fade = b""
            return
        self._fade_in = True
        self._dry = True

    def cut(self, now: float) -> None:
        """Fall silent now and forget the rest; the ledger and the spoken text stay readable until the next reply."""
        if self.reply is None:
            return
        if not self.held:
            self._stop(now)
        self.flush_due = self.flush_due or (not self.egress.flush_on_yield and self.ledger.sent > 0)
        self.reply, self.held, self.gated = None, False, False
        self._pcm.clear()

    def close(self, now: float) -> None:
        """End a reply that was heard to its end."""
        self.ledger.advance(now)
        self.reply, self.held, self.gated = None, False, False
        self._pcm.clear()

    def is_dry(self, now: float) -> bool:
        """Whether the caller hears nothing because nothing is made yet."""
        return not (self.held or self.gated or self._next_length()) and now >= self._play_end - EPSILON_S

    def is_over(self, now: float) -> bool:
        """Whether the reply was heard to its end."""
        return (
            self._finished
            and not (self.held or self.gated)
            and self._cursor >= self.ledger.produced
            and now >= self._play_end - EPSILON_S
        )

    def remaining_ms(self, now: float) -> float:
        """What is left to be heard; infinity while the reply is still being made."""
        if self.reply is None:
            return 0.0
        if not self._finished:
            return NEVER
        return (self.ledger.produced - self.ledger.advance(now)) * 1000.0 / self.rate_hz

    def marked(self, name: str, now: float) -> None:
        """The line reached our mark *name*."""
        reply, _, sample = name.partition(":")
        if reply == str(self.reply) and sample.isdecimal():
            self._play_end += self.ledger.reached(int(sample), now)

    # --- the line's side ---------------------------------------------------------------------------------------------

    @property
    def due(self) -> float:
        """Clock time at which ``tick`` has something to do; infinity when only new audio changes that."""
        if self.egress.slots is not None:
            return self._slot
        if self._fade:
            return float("-inf")
        if self.reply is None or self.held or self.gated:
            return NEVER
        if self._next_length():
            return self._play_end - self._horizon_s
        return self._play_end if self._finished else NEVER

    def tick(self, now: float) -> Chunk | None:
        """Return the next chunk that is due at clock time *now*, or ``None``."""
        self.ledger.advance(now)
        if self.egress.slots is not None:
            return self._tick_slot(now, self.egress.slots)
        if self._fade:
            return self._take_fade(now)
        if self.reply is None or self.held or self.gated:
            return None
        length = self._next_length()
        if not length:
            self._dry = True
            return self._take_pad()
        self._anchor(now)
        if self._play_end - now > self._horizon_s + EPSILON_S:
            return None
        self._trim()
        return self._take(length)

    # --- inside ------------------------------------------------------------------------------------------------------

    @property
    def _horizon_s(self) -> float:
        return self.egress.lead_s + self.egress.start_delay_s

    @property
    def _frame(self) -> int:
        return self.rate_hz * FRAME_MS // 1000

    def _tick_slot(self, now: float, slots: Callable[[float], float]) -> Chunk | None:
        """Return the one frame of the slot that is due; slots that a stall has passed over are not made good.

        Sent in a burst, what was missed would be played later than now for the rest of the call.
        """
        if now < self._slot - EPSILON_S:
            return None
        if now > self._slot + LATE_S:
            self._slot = slots(now)
            if now < self._slot - EPSILON_S:
                return None
        at, self._slot = self._slot, slots(self._slot + FRAME_MS / 2000)
        if self._fade:
            return self._take_fade(at)
        length = 0 if self.reply is None or self.held or self.gated else self._next_length()
        if not length:
            self._dry = True
            self.samples_sent += self._frame
            return Chunk(self._silence, at, silent=True)
        self._play_end, self._dry = at, False
        self._trim()
        return self._take(length)

    def _forget(self) -> None:
        self.ledger = Ledger(self.rate_hz)
        self.spoken = Spoken()
        self._pcm.clear()
        self._base = self._cursor = 0
        self._finished = self._fade_in = self.held = False
        self._dry = True

    def _anchor(self, now: float) -> None:
        """Put the play-out clock right: an idle line begins now, a late tick catches up a little."""
        if self._dry:
            self._play_end = max(self._play_end, self._line_free)
            if self._play_end <= now:
                self._play_end = now + self.egress.start_delay_s
            self._dry = False
        self._play_end = max(self._play_end, now - SLACK_S)

    def _next_length(self) -> int:
        """Samples of the next chunk; 0 when it is not complete yet."""
        left = self.ledger.produced - self._cursor
        if self.egress.whole_sentences:
            return self._next_file(left)
        if left >= self._frame:
            return self._frame
        return left if self._finished else 0

    def _next_file(self, left: int) -> int:
        ends = [start for start in self.spoken.starts if start > self._cursor]
        length = (ends[0] - self._cursor) if ends else (left if self._finished else 0)
        longest = round(self.egress.longest_file_s * self.rate_hz)
        if not longest or length <= longest:
            return length
        even = length // ceil(length / longest)  # rather two pieces alike than a long one and a scrap
        return self.spoken.word_start(self._cursor, self._cursor + even) - self._cursor

    def _take(self, length: int) -> Chunk:
        start, stop = self._cursor, self._cursor + length
        pcm = self._samples(start, stop)
        mark = None
        if self.egress.marks and (self.egress.whole_sentences or (start // self._frame) % FRAMES_PER_MARK == 0):
            mark = f"{self.reply}:{start}"
            self.ledger.marked(start, self._play_end)
        if self._fade_in:
            pcm = fade_in(pcm, self.rate_hz * self.fade_ms // 1000)
            self._fade_in = False
        if not self.egress.whole_sentences:
            length = self._frame
            pcm = pcm.ljust(2 * length, b"\0")  # only whole frames leave
        plays_at = self._play_end
        self.ledger.was_sent(start, stop, plays_at)
        self._cursor = stop
        self._play_end += length / self.rate_hz
        self.samples_sent += length
        self._pad_due = True
        return Chunk(pcm, plays_at, self.reply, mark)

    def _take_pad(self) -> Chunk | None:
        """Push out what sits in the line's pre-buffer, once, when the reply's last sample has been sent."""
        if not (self._pad_due and self._finished):
            return None
        self._pad_due = False
        samples = round(self.egress.tail_pad_s * self.rate_hz)
        plays_at = self._play_end
        self._line_free = plays_at + self.egress.tail_pad_s
        self.samples_sent += samples
        return Chunk(bytes(2 * samples), plays_at) if samples else None

    def _stop(self, now: float) -> None:
        heard = self.ledger.advance(now)
        if self.egress.flush_on_yield:
            if self.ledger.sent > heard:
                self.flush_due = True
            self.ledger.flushed()
            self._cursor = max(self._base, heard - heard % self._frame)
            self._play_end = self._line_free = now
        elif not self._dry and self._cursor < self.ledger.produced and not self.egress.whole_sentences:
            ahead = self._samples(self._cursor, min(self._cursor + self._frame, self.ledger.produced))
            self._fade = fade_out(ahead, self.rate_hz * self.fade_ms // 1000).ljust(2 * self._frame, b"\0")

    def _take_fade(self, now: float) -> Chunk:
        """The last frame does not wait for its place on the grid: nothing follows it, so it cannot pile up."""
        fade, self._fade = self._fade, b""
        plays_at = max(self._play_end, now)
        self._play_end = plays_at + FRAME_MS / 1000
        self.samples_sent += self._frame
        return Chunk(fade, plays_at)

    def _samples(self, start: int, stop: int) -> bytes:
        return bytes(self._pcm[2 * (start - self._base) : 2 * (stop - self._base)])

    def _trim(self) -> None:
        """Let go of what can no longer be asked for: everything that was heard."""
        keep = min(self.ledger.heard, self._cursor)
        keep -= keep % self._frame
        if keep - self._base >= self.rate_hz:
            del self._pcm[: 2 * (keep - self._base)]
            self._base = keep
