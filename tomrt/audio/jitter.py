"""Turns frames that arrive as the network pleases into 20 ms of sound every 20 ms."""

from __future__ import annotations

from math import gcd, isfinite

from tomrt._dsp.conceal import Concealer
from tomrt._dsp.stretch import lengthen, shorten
from tomrt.audio.arrival_delay import ArrivalDelay
from tomrt.audio.framing import FRAME_MS
from tomrt.audio.jitter_counts import JitterCounts
from tomrt.audio.stream_order import StreamOrder
from tomrt.errors import MisuseError

__all__ = ["JitterBuffer", "JitterCounts"]

PULL_S = FRAME_MS / 1000
MOST_UNITS = 12
"""The longest frame, in units of 10 ms."""

PAUSE_S = 0.3
"""A stream without headers that was silent for so long has paused; its next frame is not late."""

SLACK_S = 0.005
"""The delay may stay so much below its target before it is raised, so that it does not go up and down."""

HURRY_PULLS = 2
HURRY_S = HURRY_PULLS * PULL_S
"""So much delay too much or too little is corrected at once, at some loss of quality."""

REST_PULLS = 2
"""Between two changes of the delay, unless it hurries."""
LIKE, ROUGHLY_LIKE = 0.85, 0.5
"""Likeness of two periods that allows one to be cut out or put in, at leisure and in a hurry."""


class JitterBuffer:
    """Orders, times and completes one stream of 16-bit mono PCM frames.

    Frames are put in as they come and 20 ms are pulled every 20 ms; the caller says what time it is. The delay follows
    the network: it is raised and lowered by whole pitch periods, and freely while the sender is silent. What is missing
    is concealed; frames that are only late still play, and the delay grows by what had to be made up meanwhile.

    Args:
        rate_hz: Samples per second and ticks per second of the timestamps, 8000 or 16000.
        start_ms: The delay to begin with, relative to the fastest frame.
        least_ms: The delay never aims below this.
        most_ms: At most this much sound is held, 40 to 2000, beyond it the oldest frames are dropped; the delay aims
            for 40 ms less at most.

    Raises:
        MisuseError: an argument is outside these limits, or the delays are not in order.
    """

    def __init__(self, rate_hz: int, *, start_ms: float = 40.0, least_ms: float = 0.0, most_ms: float = 500.0) -> None:
        if not (40 <= most_ms <= 2000 and 0 <= least_ms <= start_ms <= most_ms):
            raise MisuseError(
                "A jitter buffer's delays are 0 <= least <= start <= most, and most is 40 to 2000 ms; "
                f"not {least_ms}, {start_ms} and {most_ms} ms."
            )
        try:
            self._concealer = Concealer(rate_hz)
        except (TypeError, ValueError, OverflowError) as error:
            raise MisuseError(str(error)) from error
        self.rate_hz = rate_hz
        self.counts = JitterCounts()
        self._least_s = least_ms / 1000
        self._most_s = most_ms / 1000 - 2 * PULL_S
        self._most_held = int(most_ms * rate_hz / 1000)
        self._unit = rate_hz // 100
        self._pull = rate_hz // 50
        self._least_change = rate_hz // 400
        self._pull_bytes = 2 * self._pull
        self._silence = bytes(self._pull_bytes)
        self._delay = ArrivalDelay(start_ms / 1000)
        self._queue: dict[int, tuple[int, bytes]] = {}
        self._stray: tuple[int, int, bytes] | None = None
        self._begin()

    def _begin(self) -> None:
        self._held = 0
        self._fifo = b""
        self._playing = False
        self._order = StreamOrder(self.rate_hz)
        self._next = 0
        self._stamp = 0
        self._frame = self.rate_hz // 50
        self._made_up = 0
        self._rest = 0

    @property
    def held(self) -> int:
        """Frames that are waiting."""
        return len(self._queue) + (self._stray is not None)

    @property
    def held_ms(self) -> float:
        """Sound that is waiting, together with what a pull has begun."""
        return (self._held + len(self._fifo) // 2) * 1000 / self.rate_hz

    @property
    def target_ms(self) -> float:
        """The delay that is aimed at, relative to the fastest frame of the last 2 s."""
        return self._target_s() * 1000

    @property
    def position(self) -> int:
        """The sample that the next pull begins with, on the sender's clock without wrap-around.

        Only once it plays; sound that is made up is not on that clock, and moves it by up to 20 ms.
        """
        return self._stamp - len(self._fifo) // 2

    def insert(self, sequence: int, timestamp: int, payload: bytes, now: float) -> None:
        """Take a frame with its RTP header's numbers.

        Args:
            sequence: 16 bits, wraps around. A jump far ahead or back begins another stream, once a second frame
                follows the first.
            timestamp: 32 bits, wraps around, in samples.
            payload: The frame's samples, 10 to 120 ms in steps of 10 ms.
            now: The time of arrival; never goes back.

        Raises:
            MisuseError: a number or the frame's length is outside these limits; nothing was taken.
        """
        if not (type(sequence) is type(timestamp) is int and 0 <= sequence <= 0xFFFF and 0 <= timestamp <= 0xFFFFFFFF):
            raise MisuseError(f"RTP has sequences of 16 and timestamps of 32 bits, not {sequence} and {timestamp}.")
        self._check(payload, now)
        self.counts.received += 1
        place = self._order.place(sequence, timestamp, now)
        if place is None:
            self._suspect(sequence, timestamp, payload, now)
        else:
            self._accept(*place, payload, now)

    def insert_next(self, payload: bytes, now: float) -> None:
        """Take the next frame of a stream without headers, in which nothing is lost or reordered.

        Args:
            payload: As for :meth:`insert`.
            now: The time of arrival; never goes back.

        Raises:
            MisuseError: the frame's length is outside the limits; nothing was taken.
        """
        self._check(payload, now)
        self.counts.received += 1
        order = self._order
        if order.empty:
            self._accept(0, 0, payload, now)
            return
        stamp = order.stamp + self._frame
        pause = now - order.at - self._frame / self.rate_hz
        if pause > PAUSE_S + self._held / self.rate_hz:
            stamp += int(pause * self.rate_hz)
        self._accept(order.number + 1, stamp, payload, now)

    def pull(self, now: float) -> bytes:
        """Return the next 20 ms of sound; to be called every 20 ms.

        Args:
            now: The time; never goes back.

        Raises:
            MisuseError: *now* is no finite number.
        """
        if not isfinite(now):
            raise MisuseError(f"The time cannot be {now}.")
        if not self._playing and not self._start(now):
            self.counts.silent += 1
            return self._silence
        while len(self._fifo) < self._pull_bytes:
            self._take(now)
        if self._rest:
            self._rest -= 1
        else:
            self._adjust(now)
        pulled = self._fifo[: self._pull_bytes]
        self._fifo = self._fifo[self._pull_bytes :]
        return pulled

    def reset(self) -> None:
        """Begin another stream: to be called where the sender changes (another SSRC). What is held is discarded."""
        self.counts.restarts += 1
        self.counts.discarded += len(self._queue)
        if self._stray is not None:
            self.counts.discarded += 1
            self._stray = None
        self._queue.clear()
        self._delay.restart()
        self._begin()

    # --- arrival ------------------------------------------------------------------------------------------------------

    def _check(self, payload: bytes, now: float) -> None:
        if not isinstance(payload, bytes):
            raise MisuseError(f"A frame is bytes, not {type(payload).__name__}.")
        units, rest = divmod(len(payload), 2 * self._unit)
        if rest or not 1 <= units <= MOST_UNITS:
            raise MisuseError(
                f"A frame has 10 to 120 ms in steps of 10 ms, not {len(payload)} bytes at {self.rate_hz} Hz."
            )
        if not isfinite(now):
            raise MisuseError(f"The time cannot be {now}.")

    def _suspect(self, sequence: int, timestamp: int, payload: bytes, now: float) -> None:
        """Hold a frame that belongs to no stream, and change to its stream when the next frame follows it."""
        stray, self._stray = self._stray, None
        if stray is not None and stray[0] == (sequence - 1) & 0xFFFF:
            self.reset()
            self._accept(stray[0], stray[1], stray[2], now)
            self.counts.received -= 1
            self.insert(sequence, timestamp, payload, now)
            return
        if stray is not None:
            self.counts.discarded += 1
        self._stray = (sequence, timestamp, payload)

    def _accept(self, number: int, stamp: int, payload: bytes, now: float) -> None:
        if not self._order.note(number, stamp, now):
            self.counts.duplicate += 1
            return
        self._delay.observe(stamp / self.rate_hz, now)
        if number == self._order.number:
            self._frame = len(payload) // 2
        if self._playing and number < self._next:
            self.counts.late += 1
            return
        self._queue[number] = (stamp, payload)
        self._held += len(payload) // 2
        while self._held > self._most_held:
            self._drop_oldest()

    def _drop_oldest(self) -> None:
        oldest = min(self._queue)
        stamp, payload = self._queue.pop(oldest)
        self._held -= len(payload) // 2
        if self._playing:
            self.counts.lost += oldest - self._next
        self._next, self._stamp = oldest + 1, max(stamp + len(payload) // 2, self._stamp)
        self.counts.overflow += 1

    # --- play-out -----------------------------------------------------------------------------------------------------

    def _target_s(self) -> float:
        return min(max(self._delay.target_s, self._least_s), self._most_s)

    def _delay_of(self, stamp: int, now: float) -> float:
        """Return the delay, relative to the fastest frame, that a sample has when it is played now."""
        return now - stamp / self.rate_hz - self._delay.fastest_s

    def _start(self, now: float) -> bool:
        if not self._queue:
            return False
        first = min(self._queue)
        stamp = self._queue[first][0]
        if self._delay_of(stamp, now) < self._target_s():
            return False
        self._next, self._stamp = first, stamp
        self._playing = True
        return True

    def _take(self, now: float) -> None:
        """Move the next piece into the line that is pulled from."""
        if not self._queue:
            self._underrun()
        elif self._next not in self._queue:
            self._skip(now)
        else:
            stamp, payload = self._queue[self._next]
            if stamp - self._stamp >= self._unit and self._delay_of(stamp, now) < self._target_s() - PULL_S / 2:
                self._wait()
                return
            del self._queue[self._next]
            self._held -= len(payload) // 2
            self._next += 1
            if stamp <= self._stamp - self._unit:  # its number says next, its timestamp says long past
                self.counts.late += 1
                return
            self._fifo += self._concealer.good(payload)
            self._stamp = stamp + len(payload) // 2
            self._made_up = 0
            self.counts.played += 1

    def _underrun(self) -> None:
        """Nothing has arrived: make something up, without giving up on what may still come."""
        self.counts.underruns += 1
        self._make_up(FRAME_MS)
        self._made_up += self._pull

    def _make_up(self, ms: int) -> None:
        self.counts.made_up_ms += ms
        self._fifo += self._concealer.lost(ms)

    def _wait(self) -> None:
        """The sender paused, and its next frame is not due yet; an unfinished pull is filled up to its end."""
        self.counts.silent += 1
        self._concealer.good(self._silence)
        self._fifo += self._silence[len(self._fifo) :]

    def _skip(self, now: float) -> None:
        """The next frame is missing and a later one is here: give it up, with something in its place.

        What was made up for underruns already stands in the place of as many frames.
        """
        first = min(self._queue)
        gap = self._queue[first][0] - self._stamp
        passed = 1
        if gap < self._unit:  # the timestamps leave no place for the missing frames
            passed, gap = first - self._next, max(gap, 0)
        elif self._made_up >= self._frame:
            passed = min(first - self._next, self._made_up // self._frame, max(gap // self._frame, 1))
            self._made_up -= passed * self._frame
        elif self._delay_of(self._stamp, now) < self._target_s() - SLACK_S:
            self._underrun()  # it may still come, and the delay is too short anyway
            return
        else:
            self._make_up(min(gap, self._frame) // self._unit * 10)
        self._stamp += min(gap, passed * self._frame)
        self._next += passed
        self.counts.lost += passed

    def _adjust(self, now: float) -> None:
        """Bring the delay towards its target by one pitch period.

        Frames are needed when they are pulled, so only whole pulls of delay protect from lateness: what the line holds
        beyond the lattice of pulls and frames only delays, and goes first.
        """
        ready = len(self._fifo) // 2 - self._pull
        lattice = gcd(self._frame, self._pull)
        rest = ready % lattice
        needed_in = (1 + ready // self._pull) * PULL_S
        spare = self._delay_of(self._stamp, now) + needed_in - self._target_s()
        if spare < -SLACK_S - (self._pull - lattice) / self.rate_hz:
            pulls = -int(spare // PULL_S)
            self._raise_delay(pulls * self._pull - rest, ROUGHLY_LIKE if spare < -HURRY_S else LIKE)
            return
        pulls = max(int(spare // PULL_S), 0)
        excess = pulls * self._pull + rest
        if excess >= self._least_change:
            self._lower_delay(excess, ROUGHLY_LIKE if pulls >= HURRY_PULLS else LIKE, now)
            self._rest = 0 if pulls >= HURRY_PULLS else REST_PULLS

    def _raise_delay(self, most: int, least_likeness: float) -> None:
        longer = lengthen(self._fifo, self.rate_hz, least_likeness, most)
        self.counts.lengthened += (len(longer) - len(self._fifo)) // 2
        self._fifo = longer
        self._rest = REST_PULLS

    def _lower_delay(self, most: int, least_likeness: float, now: float) -> None:
        following = self._queue.get(self._next)
        if most > self._pull and following is not None and following[0] - self._stamp < self._unit:
            self._take(now)  # two frames give room for long periods
        if not self._queue:
            most = min(most, len(self._fifo) // 2 - self._pull)
        shorter = shorten(self._fifo, self.rate_hz, least_likeness, most)
        self.counts.shortened += (len(self._fifo) - len(shorter)) // 2
        self._fifo = shorter
        while len(self._fifo) < self._pull_bytes:
            self._take(now)
