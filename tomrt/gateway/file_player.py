"""What a one-way module has written to files, played over the event socket, and broken off when the caller cuts in.

The module writes a file for each message and says so in an event; playing it is ours. FreeSWITCH says when one begins,
which is how the ledger learns where the caller is in it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

import trio
from attrs import define, field

from tomrt.errors import ProtocolError, SwitchError
from tomrt.events import LineEvent, LineMark
from tomrt.gateway.call_control import CallControl
from tomrt.gateway.doorway import Note
from tomrt.wire.esl_event import EslEvent
from tomrt.wire.json import loads_object

__all__ = ["FilePlayer"]

STOP_S = 1.0
"""FreeSWITCH stops a file within 20 ms of the command; a link that is just being dialled again does not hold us up."""
MAX_FILES = 256


@define(eq=False)
class _File:
    """A piece of a reply on its way: a message, then a file, then sound."""

    mark: str | None
    path: str = ""


@define(eq=False)
class FilePlayer:
    """Plays one call's files, in the order in which their messages were sent.

    Args:
        control: The call's controls.
        tell: Told of each mark when its file begins.
        note: Counts ``files``/``bad`` (an event without a file), ``unasked``, ``unwritten`` (the module is far behind),
            ``unplayed`` (FreeSWITCH refused) and
            ``unstopped``.
    """

    control: CallControl
    tell: Callable[[LineEvent], None]
    note: Note
    _sent: deque[_File] = field(factory=deque, init=False)
    _stale: int = field(default=0, init=False)
    _written: deque[_File] = field(factory=deque, init=False)
    _begun: deque[_File] = field(factory=lambda: deque(maxlen=MAX_FILES), init=False)
    _wake: trio.Event = field(factory=trio.Event, init=False)

    def send(self, mark: str | None) -> None:
        """Take note of a message that the module will make a file of."""
        if len(self._sent) < MAX_FILES:
            self._sent.append(_File(mark))
        else:
            self.note("files", "unwritten")

    def take(self, event: EslEvent) -> None:
        """Take an event: a file was written, or begins to play."""
        match event.name, event.subclass:
            case "CUSTOM", "mod_audio_fork::play_audio" | "mod_audio_stream::play":
                self._take_file(event.body)
            case "PLAYBACK_START", _:
                self._take_start(event.get("Playback-File-Path"))

    async def stop(self) -> None:
        """Stop what plays, and forget what was written or will be of what was sent so far."""
        self._stale = len(self._sent)
        self._written.clear()
        self._begun.clear()
        with trio.move_on_after(STOP_S):
            try:
                await self.control.stop()
            except SwitchError:
                self.note("files", "unstopped")

    async def run(self) -> None:
        """Play until cancelled."""
        while True:
            while self._written:
                file = self._written.popleft()
                self._begun.append(file)
                try:
                    await self.control.play(file.path, event_uuid=f"tomrt-{self.control.uuid}")
                except SwitchError:
                    self.note("files", "unplayed")
            await self._wake.wait()
            self._wake = trio.Event()

    def _take_file(self, body: str) -> None:
        if not self._sent:
            self.note("files", "unasked")
            return
        file = self._sent.popleft()
        if self._stale:
            self._stale -= 1
            return
        try:
            path = loads_object(body).get("file")
        except ProtocolError:
            path = None
        if not isinstance(path, str) or not path:
            self.note("files", "bad")
            return
        file.path = path
        self._written.append(file)
        self._wake.set()

    def _take_start(self, path: str) -> None:
        """Take note that a file begins: the one of that name, or where none is named the next one."""
        if path and path not in {file.path for file in self._begun}:
            return  # one that was stopped in the moment in which it began
        while self._begun:
            file = self._begun.popleft()
            if not path or file.path == path:
                if file.mark is not None:
                    self.tell(LineMark(file.mark))
                return
