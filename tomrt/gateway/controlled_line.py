"""A call's line together with the controls of the call: the audio travels one way, the call is ended by the other."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Protocol

import trio
from attrs import evolve

from tomrt.errors import SwitchError
from tomrt.events import CallInfo, Dialect, LineClosed, LineDigit, LineEvent
from tomrt.gateway.call_control import CallControl
from tomrt.gateway.doorway import Note
from tomrt.gateway.file_player import FilePlayer
from tomrt.gateway.transfer_targets import Target
from tomrt.happenings import ActionRequested, Happening
from tomrt.ports import Egress, Transport
from tomrt.wire.esl_event import EslEvent
from tomrt.wire.file_line import MAX_FILE_BYTES

__all__ = ["ControlledLine", "MediaLine"]

log = logging.getLogger("tomrt.control")

RELEASE_S = 0.8
"""How long ending or transferring a call may take; FreeSWITCH answers within milliseconds."""
DIGITS = frozenset("0123456789*#ABCD")

_CAUSES = {
    "failed": "NORMAL_TEMPORARY_FAILURE",
    "draining": "NORMAL_TEMPORARY_FAILURE",
    "lost": "NORMAL_TEMPORARY_FAILURE",
}
_FILES = {Dialect.FORK_JSON, Dialect.STREAM}


class MediaLine(Transport, Protocol):
    """A line that may also be told what the event socket knows of its call."""

    def tell(self, event: LineEvent) -> None:
        """Have ``receive`` return *event* next."""
        ...


class ControlledLine:
    """One call's line; see :class:`tomrt.ports.Transport`.

    Args:
        line: Carries the audio.
        control: Ends, transfers and plays; its events are to be given to :meth:`take`.
        targets: Whom the caller may be put through to; the first one where the dialogue names nobody.
        caller: The caller's number, as the switch has it.
        note: Counts ``hangup``/cause, ``transfer``/``done`` or ``failed``, ``control``/``bad_digit``, and what
            :class:`~tomrt.gateway.file_player.FilePlayer` counts.
    """

    def __init__(
        self, line: MediaLine, control: CallControl, *, targets: Mapping[str, Target], caller: str, note: Note
    ) -> None:
        self.control = control
        self.targets = targets
        self._line = line
        self._info = evolve(line.info, caller=caller or line.info.caller)
        self._note = note
        self._files: FilePlayer | None = None
        self._egress = line.egress
        self._wanted: Target | None = None
        self._released = False
        self._counted = False
        if line.info.dialect in _FILES:
            self._files = FilePlayer(control, line.tell, note)
            # With the controls a file can be stopped, and says when it begins.
            self._egress = evolve(line.egress, flush_on_yield=True, marks=True, longest_file_s=0.0)
        control.on_event = self.take
        control.on_connected = self._connected
        control.on_lost = self._lost
        if control.over.is_set():
            self._hung_up()

    @property
    def info(self) -> CallInfo:
        """What is known of the call."""
        return self._info

    @property
    def egress(self) -> Egress:
        """How the line treats our audio."""
        return self._egress

    async def receive(self) -> LineEvent:
        """Wait for the next event of the line or of the event socket."""
        return await self._line.receive()

    async def send_audio(self, pcm: bytes, *, mark: str | None = None) -> None:
        """Send mono PCM at the line's rate."""
        if self._files is not None:
            for start in range(0, len(pcm), MAX_FILE_BYTES):  # a long sentence comes in several files
                self._files.send(None if start else mark)
        await self._line.send_audio(pcm, mark=mark)

    async def flush(self) -> None:
        """Have the line throw away what it has not played."""
        await self._line.flush()
        if self._files is not None:
            await self._files.stop()

    async def notify(self, happening: Happening) -> None:
        """Keep in mind whom the caller wants to be put through to, and tell the peer of all else."""
        if isinstance(happening, ActionRequested) and happening.action.name == "transfer" and self.targets:
            name = dict(happening.action.arguments).get("to", "").lower()
            self._wanted = self.targets.get(name) or next(iter(self.targets.values()))
            await trio.lowlevel.checkpoint()
            return
        await self._line.notify(happening)

    async def hang_up(self, reason: str) -> None:
        """End the call, or hand it over where it is to be transferred, and close the line; again does nothing."""
        if not self._released:
            self._released = True
            with trio.move_on_after(RELEASE_S):
                await self._release(reason)
        await self._line.hang_up(reason)

    async def play_files(self) -> None:
        """Play what the module writes, where it does not do so itself; runs beside the call."""
        if self._files is not None:
            await self._files.run()

    def take(self, event: EslEvent) -> None:
        """Take an event of this call."""
        match event.name:
            case "DTMF":
                digit = event.get("DTMF-Digit").upper()
                if digit in DIGITS:
                    self._line.tell(LineDigit(digit))
                else:
                    self._note("control", "bad_digit")
            case "CHANNEL_HANGUP" | "CHANNEL_HANGUP_COMPLETE":
                self._hung_up()
            case _ if self._files is not None:
                self._files.take(event)

    def _connected(self) -> None:
        """The caller speaks with somebody else now: there is nothing left to do here."""
        self._released = True
        self._line.tell(LineClosed("transferred"))

    def _lost(self) -> None:
        """Nothing is known of the call any more, and nothing can be done for it."""
        self._released = True
        self._line.tell(LineClosed("lost"))

    def _hung_up(self) -> None:
        if not self._counted:
            self._counted = True
            self._note("hangup", self.control.cause)
        self._released = True
        self._line.tell(LineClosed("hangup", self.control.cause))

    async def _release(self, reason: str) -> None:
        if reason == "transferred" and await self._transferred():
            return
        try:
            await self.control.hang_up(_CAUSES.get(reason, "NORMAL_CLEARING"))
        except SwitchError as error:
            log.warning("the call could not be ended: %s", error)

    async def _transferred(self) -> bool:
        if self._wanted is None:
            log.warning("a caller wants to be put through, and freeswitch.transfers names nobody")
            return False
        try:
            await self.control.transfer(self._wanted)
        except SwitchError as error:
            self._note("transfer", "failed")
            log.warning("the call could not be transferred to %s: %s", self._wanted.name, error)
            return False
        self._note("transfer", "done")
        return True
