"""What one caller of the load does, frame by frame: wait until the assistant talks, make a sound, see what comes of it.

Plain code that is told the time; the sockets are in :mod:`bench.call_load`.
"""

from __future__ import annotations

from collections import deque
from enum import Enum

import numpy as np
from attrs import define, field, frozen

from bench.barge_in_clocks import FRAME, FRAME_S, audible

__all__ = ["CallerScript", "Kind", "Played", "Trial"]

TALKS = 50
"""So many audible frames, one second, since the assistant last began or went on, before a trial begins."""

FRESH_S = 0.06
"""The assistant talks when an audible frame came within so long."""

SETTLED_S = 0.4
"""After the end of a reply it is the caller's turn so much later."""

STARVED_S = 40.0
"""The assistant said nothing for so long: something is broken."""

GIVE_UP_S = 12.0
"""When the assistant cannot talk for a second in what is around the caller, the trial ends before its sound."""

ECHO_FRAMES = 6
"""120 ms to the loudspeaker and back, besides what the player's grid adds."""

ECHO_GAIN = 10 ** (-25 / 20)


class Kind(Enum):
    """What ought to come of a trial."""

    INTERRUPTION = "interruption"
    """The assistant falls silent, and the floor is the caller's."""
    SHORT = "short"
    """A backchannel, a cough, a click: the assistant may pause and must go on."""
    ASIDE = "aside"
    """Speech that is not meant for the assistant: reported only."""
    NOISE = "noise"
    """Nobody speaks: each pause of the assistant is a false one."""


@frozen(kw_only=True)
class Trial:
    """One sound over the assistant's voice.

    Args:
        situation: Which group it belongs to.
        kind: What ought to come of it.
        what: The words, or what the sound is.
        by: Whose sound it is.
        pcm: The caller's line while it lasts, whole frames at 8 kHz, with what is before and behind the sound.
        onset: Sample of the first sound that counts; of noise, the first that is at its full level.
        end: Sample behind the last one.
        wait_s: How long the assistant must have talked, beyond a second, and what is around the caller must have been
            there, beyond its loop: no two trials meet the assistant at the same word.
        after_s: How long to listen behind the last frame.
        echo: The assistant's own voice comes back, too.
        loop: Frames of its noise, first and behind the last, that are repeated until the assistant talks: what is
            around the caller does not begin with the caller's words. Without it the trial begins with its sound.
    """

    situation: str
    kind: Kind
    what: str
    by: str
    pcm: bytes = field(repr=False)
    onset: int
    end: int
    wait_s: float = 0.0
    after_s: float = 1.0
    echo: bool = False
    loop: tuple[int, int] = (0, 0)


@define
class Played:
    """When a trial took place, in seconds of CLOCK_MONOTONIC.

    Args:
        trial: Its number in the line's list.
        begun_at: Its first frame was sent.
        released_at: What was around the caller had been there long enough, and the assistant talked.
        onset_at: The frame with the onset was sent; ``nan`` before that.
        end_at: The frame with the last sample was sent.
        done_at: The next one may begin.
        spoken: Audible frames of the reply under way that had come by the onset.
    """

    trial: int
    begun_at: float
    released_at: float = float("nan")
    onset_at: float = float("nan")
    end_at: float = float("nan")
    done_at: float = float("nan")
    spoken: int = 0


@define
class CallerScript:
    """One caller.

    Args:
        trials: What it does, in order; without any it only listens.
        floor: The line when nothing happens, whole frames, in a loop: never digitally silent.
        in_turn: Trials begin when the assistant has finished, instead of over its voice.
    """

    trials: tuple[Trial, ...]
    floor: bytes = field(repr=False)
    in_turn: bool = False
    played: list[Played] = field(factory=list, init=False)
    failed: str = field(default="", init=False)
    _now: Played | None = field(default=None, init=False)
    _at: int = field(default=0, init=False)
    _idle: int = field(default=0, init=False)
    _talks: int = field(default=0, init=False)
    _loud_at: float = field(default=float("-inf"), init=False)
    _since: float = field(default=float("-inf"), init=False)
    _held: bool = field(default=False, init=False)
    _answered: bool = field(default=False, init=False)
    _player: deque[bytes] = field(factory=deque, init=False)
    _echo: deque[bytes] = field(factory=lambda: deque([b""] * ECHO_FRAMES, ECHO_FRAMES + 1), init=False)

    @property
    def finished(self) -> bool:
        """Whether all trials are done; a caller that only listens is never."""
        return bool(self.trials) and self._now is None and len(self.played) >= len(self.trials)

    def hear(self, pcm: bytes, now: float) -> bool:
        """Take a frame of the assistant; return whether it is audible."""
        loud = audible(pcm)
        if loud:
            self._loud_at = now
            self._talks += 1
        if len(self._player) < 2 * ECHO_FRAMES:
            self._player.append(pcm)
        return loud

    def told(self, kind: str) -> None:
        """Take a message of the service."""
        if kind == "hold":
            self._held, self._talks = True, 0
        elif kind in {"resume", "flush", "answered"}:
            self._held, self._talks = False, 0
            self._answered = kind == "answered"

    def frame(self, now: float) -> bytes:
        """Return the 20 ms that are sent now."""
        played_out = self._player.popleft() if self._player else b""
        self._echo.append(played_out)
        self._begin_or_end(now)
        current = self._now
        if current is None or current.done_at == current.done_at:
            return self._floor_frame()
        trial = self.trials[current.trial]
        if not self._let_go(trial, current, now):
            return self._floor_frame()
        start = self._at * FRAME
        pcm = trial.pcm[2 * start : 2 * (start + FRAME)]
        if start <= trial.onset < start + FRAME:
            current.onset_at, current.spoken = now, self._talks
        if start < trial.end <= start + FRAME:
            current.end_at = now
        self._at += 1
        if 2 * self._at * FRAME >= len(trial.pcm):
            current.done_at = now + trial.after_s
        return self._with_echo(pcm) if trial.echo else pcm

    def _let_go(self, trial: Trial, current: Played, now: float) -> bool:
        """Go round in the noise until the caller may speak, then leave it; return whether the trial goes on."""
        first, behind = trial.loop
        if current.released_at == current.released_at:
            return True
        here_s = now - current.begun_at
        if not behind or (here_s >= (behind - first) * FRAME_S + trial.wait_s and self._may_begin(trial, now)):
            current.released_at, self._at = now, behind
        elif here_s > GIVE_UP_S + 2 * trial.wait_s:
            current.done_at = now
            return False
        elif self._at >= behind:
            self._at = first
        return True

    def _begin_or_end(self, now: float) -> None:
        if self._since == float("-inf"):
            self._since = now
        if self._now is not None:
            if now >= self._now.done_at and not self._held:  # not true of a time that is not known yet
                self._now, self._since = None, now
            return
        if len(self.played) >= len(self.trials):
            return
        trial = self.trials[len(self.played)]
        if trial.loop[1] or self._may_begin(trial, now):
            self._answered = False
            self._now = Played(len(self.played), now)
            self.played.append(self._now)
            self._at = 0
        else:
            self._starve(now)

    def _starve(self, now: float) -> None:
        if now - max(self._since, self._loud_at) > STARVED_S:
            self.failed = f"the assistant said nothing for {STARVED_S:g} s"

    def _may_begin(self, trial: Trial, now: float) -> bool:
        if self.in_turn:
            return self._answered and now - self._loud_at >= SETTLED_S + trial.wait_s
        talks = now - self._loud_at <= FRESH_S and self._talks >= TALKS + trial.wait_s / FRAME_S
        return talks and not self._held

    def _floor_frame(self) -> bytes:
        self._idle = (self._idle + 1) % (len(self.floor) // (2 * FRAME))
        return self.floor[2 * FRAME * self._idle : 2 * FRAME * (self._idle + 1)]

    def _with_echo(self, pcm: bytes) -> bytes:
        echo = self._echo[0]
        if not echo or len(echo) != len(pcm):
            return pcm
        mixed = np.frombuffer(pcm, "<i2") + ECHO_GAIN * np.frombuffer(echo, "<i2")
        return bytes(np.clip(mixed, -32768, 32767).astype("<i2").tobytes())
