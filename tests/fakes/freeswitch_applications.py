"""The applications of one channel: queued, one inside the other, broken off, as FreeSWITCH's own thread does it."""

from __future__ import annotations

import uuid
from collections import deque
from collections.abc import Callable, Mapping

from attrs import define, field, frozen
from fakes.freeswitch_sounds import FileLane, Sound, open_sound

__all__ = ["Applications", "Execute", "Playing"]

START_S = 0.015
"""With the tick that follows, 21 ms in the middle."""
BREAK_S = 0.01
PLAYBACKS = frozenset({"playback", "endless_playback"})


@frozen(kw_only=True)
class Execute:
    """An application to execute.

    Args:
        due: Trio time from which it may start.
        event_uuid: What its events call it.
        lock: Whether what comes after it waits for its end.
    """

    app: str
    arg: str
    due: float
    event_uuid: str = field(factory=lambda: str(uuid.uuid4()))
    lock: bool = False


@define
class Playing:
    """A file that is playing, or was interrupted."""

    what: Execute
    sound: Sound


@define(kw_only=True)
class Applications:
    """What a channel executes.

    Args:
        rate_hz: Of the call.
        fire: Takes the name of an event and the headers that it has besides the call's.
        act: Does what an application other than playing a file does.
    """

    rate_hz: int
    fire: Callable[[str, Mapping[str, str]], None]
    act: Callable[[str, str], None]
    lane: FileLane = field(factory=FileLane)
    executed: list[Execute] = field(factory=list)
    """All that began, in order."""
    _waiting: deque[Execute] = field(factory=deque)
    _playing: list[Playing] = field(factory=list)
    _breaks: deque[tuple[float, bool]] = field(factory=deque)

    @property
    def playing(self) -> list[str]:
        """The files that are playing; the last one is heard, the others go on behind it."""
        return [each.what.arg for each in self._playing]

    @property
    def busy(self) -> bool:
        """Whether something is playing or waits."""
        return bool(self._playing or self._waiting)

    def execute(self, what: Execute) -> None:
        """Queue *what*."""
        if what.app == "break":
            self.stop(at=what.due)
        else:
            self._waiting.append(what)

    def stop(self, *, at: float, everything: bool = False) -> None:
        """Break off the file that is playing at *at*, and with *everything* empty the queue."""
        if self._playing or everything:
            self._breaks.append((at + BREAK_S, everything))

    def step(self, now: float, at: int) -> None:
        """Do what is due at Trio time *now*, which is sample *at* of the call."""
        self.lane.advance(at)
        while self._breaks and self._breaks[0][0] <= now:
            _, everything = self._breaks.popleft()
            if everything:
                self._waiting.clear()
            if self._playing:
                self._finish("break")
        while self._playing and self._playing[-1].sound.over:
            self._finish("done")
        while self._may_start(now):
            self._start(self._waiting.popleft())

    def end(self) -> None:
        """The channel is gone: what was playing ends, which FreeSWITCH calls done, and what waited gives no events."""
        self._waiting.clear()
        while self._playing:
            self._finish("done")

    def _may_start(self, now: float) -> bool:
        locked = any(each.what.lock for each in self._playing)
        return bool(self._waiting) and self._waiting[0].due <= now and not locked

    def _start(self, what: Execute) -> None:
        self.executed.append(what)
        self.fire("CHANNEL_EXECUTE", _named(what))
        if what.app not in PLAYBACKS:
            self.act(what.app, what.arg)
            self.fire("CHANNEL_EXECUTE_COMPLETE", {**_named(what), "Application-Response": "_none_"})
            return
        sound = open_sound(what.arg, self.rate_hz)
        if sound is None:
            self.fire("CHANNEL_EXECUTE_COMPLETE", {**_named(what), "Application-Response": "FILE NOT FOUND"})
            return
        sound.endless |= what.app == "endless_playback"
        self._playing.append(Playing(what, sound))
        self.lane.sounds.append(sound)
        self.fire("PLAYBACK_START", {"Playback-File-Path": what.arg, "Playback-File-Type": _type_of(what.arg)})

    def _finish(self, status: str) -> None:
        ended = self._playing.pop()
        self.lane.sounds.remove(ended.sound)
        what = ended.what
        path = {"Playback-File-Path": what.arg, "Playback-File-Type": _type_of(what.arg)}
        self.fire("PLAYBACK_STOP", {**path, "Playback-Status": status})
        self.fire("CHANNEL_EXECUTE_COMPLETE", {**_named(what), "Application-Response": "FILE PLAYED"})


def _named(what: Execute) -> dict[str, str]:
    return {"Application": what.app, "Application-Data": what.arg, "Application-UUID": what.event_uuid}


def _type_of(name: str) -> str:
    return name.partition("://")[0] if "://" in name else name.rpartition(".")[2]
