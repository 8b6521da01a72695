"""The controls of one call, as FreeSWITCH really works them.

What runs within the call (playing a file) goes as a message to its session, queued behind what is running. What must
work at once whatever runs (stopping, hanging up, transferring) goes as an API command: a message would wait for the end
of the music.
"""

from __future__ import annotations

import re
import uuid as uuids
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import trio
from attrs import define, field

from tomrt.errors import AccessDenied, MisuseError, SwitchError
from tomrt.gateway.attended_transfer import AttendedTransfer
from tomrt.gateway.control_link import ControlLink, Refused
from tomrt.gateway.transfer_targets import Target
from tomrt.settings import Freeswitch
from tomrt.wire import esl_commands
from tomrt.wire.esl_commands import CAUSES, cause_word, word
from tomrt.wire.esl_event import EslEvent

__all__ = ["BUG_NAME", "CallControl"]

BUG_NAME = "tomrt"
"""By which a module knows the audio that it carries for us, among others on the same call."""

_DIGITS = re.compile(r"[0-9*#A-D]{1,64}\Z")
_VARIABLE = re.compile(r"[A-Za-z0-9_.-]{1,128}\Z")
_FILE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*(?:\.[A-Za-z0-9_-]+)*\Z")
_MEDIA_URL = re.compile(r"wss?://[^\s'\\\"]+\Z")
_METADATA = re.compile(r"[^\s'\\]*\Z")
_RATES = {8000: "8k", 16000: "16k"}


def _nobody_listens(event: EslEvent) -> None:
    pass


def _nobody_minds() -> None:
    pass


@define(eq=False)
class CallControl:
    """The controls of one call.

    Every command raises ``SwitchError`` when FreeSWITCH refuses or does not answer, with ``gone`` when there is no such
    call any more.

    Args:
        link: The connection to give commands over; may be replaced after a reconnect.
        uuid: FreeSWITCH's name of the call.
        settings: Hold music, recordings, how long agents' phones ring.
        on_event: Told of each event of the call, after what follows from it has been noted here.
    """

    link: ControlLink
    uuid: str
    settings: Freeswitch
    on_event: Callable[[EslEvent], None] = _nobody_listens
    on_connected: Callable[[], None] = _nobody_minds
    """Told when the caller has been put through: the call is no longer ours."""
    on_lost: Callable[[], None] = _nobody_minds
    """Told when the call can no longer be known of."""
    resumes: bool = False
    """Whether the dialplan goes on when the socket application ends (``socket_resume``)."""
    over: trio.Event = field(factory=trio.Event, init=False)
    """Set when the call has ended."""
    cause: str = field(default="", init=False)
    """Why it ended: one of ``CAUSES``, ``"OTHER"``, or ``""`` while it has not."""
    bridged: bool = field(default=False, init=False)
    """Whether the caller is connected to somebody else."""
    held: bool = field(default=False, init=False)
    """Whether the caller hears the hold music."""
    _recording: str = field(default="", init=False)
    _media: str = field(default="", init=False)
    _transferring: bool = field(default=False, init=False)
    _until_over: list[trio.CancelScope] = field(factory=list, init=False)

    def take(self, event: EslEvent) -> None:
        """Take note of an event of this call."""
        match event.name:
            case "CHANNEL_BRIDGE":
                self.bridged = True
                if not self._transferring:  # else what is left to do for the transfer is done first
                    self.on_connected()
            case "CHANNEL_UNBRIDGE":
                self.bridged = False
            case "CHANNEL_HANGUP" | "CHANNEL_HANGUP_COMPLETE":
                self._end(event.get("Hangup-Cause"))
        self.on_event(event)

    def vanish(self) -> None:
        """The call has ended while nobody could tell why."""
        self._end("")
        self.on_lost()

    def lose(self, *, handed_on: bool) -> None:
        """The connection that was the call's life has ended, because the call went elsewhere or for no known reason."""
        if self.over.is_set():
            return
        self._end("")
        if handed_on:
            self.on_connected()
        else:
            self.on_lost()

    def _end(self, cause: str) -> None:
        self.cause = self.cause or cause_word(cause)
        self.over.set()
        for scope in self._until_over:
            scope.cancel()

    @contextmanager
    def until_over(self, scope: trio.CancelScope) -> Iterator[None]:
        """Cancel *scope*, within the context, when the call ends, or has ended already."""
        if self.over.is_set():
            scope.cancel()
        self._until_over.append(scope)
        try:
            yield
        finally:
            self._until_over.remove(scope)

    # --- beginning and end ---

    async def answer(self) -> None:
        """Answer the call; one that is answered stays so."""
        await self.link.command(esl_commands.execute("answer", uuid=self.uuid, lock=False))

    async def hang_up(self, cause: str = "NORMAL_CLEARING") -> None:
        """End the call, whatever is running in it; one that has ended stays so.

        Raises:
            MisuseError: *cause* is none of ``CAUSES``.
        """
        if cause not in CAUSES:
            raise MisuseError("a call is hung up for a cause that FreeSWITCH has a name for")
        try:
            await self._api("uuid_kill", cause)
        except Refused as error:
            if not error.gone:
                raise

    async def transfer(self, target: Target) -> None:
        """Hand the caller over to *target*, whoever answers there, and be out of it (a blind transfer)."""
        if self.resumes:  # else it would go on there instead of where it is transferred to
            await self.set_variable("socket_resume", "false")
        await self._api("uuid_transfer", target.extension, "XML", *([target.context] if target.context else []))
        self.on_connected()

    async def attended_transfer(
        self, target: Target, *, summary: Path | str | None = None, whispered: bool = True
    ) -> None:
        """Put the caller through to *target* once somebody there has answered; meanwhile the caller hears music.

        Cancelling it, or the caller's hanging up, leaves no phone ringing.

        Args:
            target: Who is called.
            summary: A file that tells what the caller wants.
            whispered: Whether only the agent hears it; else both do.

        Raises:
            SwitchError: nobody was reached, for a reason that it says in plain words; the caller is off hold again.
        """
        if self._transferring:
            raise SwitchError("the call is already being put through")
        self._transferring = True
        try:
            await AttendedTransfer(self, target).run(
                summary="" if summary is None else str(summary), whispered=whispered
            )
        finally:
            self._transferring = False
        self.on_connected()

    async def bridge(self, other_uuid: str) -> None:
        """Connect the caller with another call."""
        await self._api("uuid_bridge", other_uuid)
        self.held = False

    # --- what the caller hears ---

    async def hold(self) -> None:
        """Have the caller hear the hold music, instead of whatever is playing."""
        if not self.held:
            await self.stop()
            self.held = True  # said before it is so: whoever is cancelled in between must know what to stop
            await self.play(self.settings.hold_music, event_uuid=str(uuids.uuid4()))

    async def unhold(self) -> None:
        """Stop the hold music."""
        if self.held:
            await self.stop()

    async def play(self, file: str, *, event_uuid: str) -> None:
        """Play a file that FreeSWITCH can read, after those that are playing or queued.

        Its end is the event ``PLAYBACK_STOP``, whose ``Playback-Status`` is ``done`` or ``break``; then comes
        ``CHANNEL_EXECUTE_COMPLETE`` with *event_uuid* as ``Application-UUID``, also for a file that is not there.
        """
        await self.link.command(esl_commands.execute("playback", file, uuid=self.uuid, event_uuid=event_uuid))

    async def stop(self) -> None:
        """Stop what is playing and forget what is queued; of the latter no event tells."""
        await self._api("uuid_break", "all")
        self.held = False

    async def send_dtmf(self, digits: str) -> None:
        """Press keys towards the caller.

        Raises:
            MisuseError: *digits* are not 1 to 64 of ``0123456789*#ABCD``.
        """
        if _DIGITS.match(digits) is None:
            raise MisuseError("keys are 1 to 64 of 0123456789*#ABCD")
        await self._api("uuid_send_dtmf", digits)

    # --- variables ---

    async def set_variable(self, name: str, text: str) -> None:
        """Set a channel variable; an empty *text* removes it."""
        await self.link.api(" ".join(filter(None, ["uuid_setvar", word(self.uuid), _variable(name), text])))

    async def get_variable(self, name: str) -> str:
        """Return a channel variable, ``""`` where it is not set."""
        text = await self._api("uuid_getvar", _variable(name))
        return "" if text == "_undef_" else text

    # --- recording ---

    async def record(self, file: str, *, consent: bool) -> None:
        """Record the call to *file* in the folder for recordings.

        Args:
            file: A bare name, as ``"2026-11-21-1.wav"``.
            consent: Whether the caller has agreed.

        Raises:
            AccessDenied: the caller has not, or the operator has set no folder.
            MisuseError: *file* is a path.
        """
        if not consent:
            raise AccessDenied("a call is recorded only when the caller has agreed")
        if not self.settings.recordings_dir:
            raise AccessDenied("calls are not recorded here: freeswitch.recordings_dir is not set")
        if len(file) > 128 or _FILE_NAME.match(file) is None:
            raise MisuseError("a recording has a bare file name of letters, digits, - _ and dots between them")
        if self._recording:
            raise SwitchError("the call is already being recorded")
        path = f"{self.settings.recordings_dir.rstrip('/')}/{file}"
        self._recording = path
        try:
            await self._api("uuid_record", "start", path)
        except Refused:
            self._recording = ""
            raise

    async def stop_recording(self) -> None:
        """End the recording, if there is one."""
        if self._recording:
            await self._api("uuid_record", "stop", self._recording)
            self._recording = ""

    # --- media ---

    async def unicast(self, local: tuple[str, int], remote: tuple[str, int], native: bool) -> None:
        """Have the call's audio carried in UDP packets between FreeSWITCH's *local* and our *remote* address.

        FreeSWITCH says yes to everything; that packets come is the only proof.
        """
        await self.link.command(esl_commands.unicast(local, remote, native=native, uuid=self.uuid))

    async def start_fork(self, url: str, *, rate_hz: int = 8000, two_way: bool = True, metadata: str = "{}") -> None:
        """Have ``mod_audio_fork`` carry the call's audio to *url*.

        Args:
            url: A WebSocket, ``ws://`` or ``wss://``.
            rate_hz: 8000 or 16000, in both directions.
            two_way: Whether it takes raw audio back, as only the jambonz build can.
            metadata: Its first message; without blanks, quotes ``'`` and backslashes, which would not arrive.

        Raises:
            MisuseError: *url*, *metadata* or *rate_hz* cannot be given to the module.
        """
        arguments = _media_arguments(url, rate_hz, metadata, BUG_NAME)
        if two_way:
            # Its audio is mixed into what the channel is sent, so something must always be sent.
            await self.set_variable("send_silence_when_idle", "-1")
            arguments += ["true", "true", str(rate_hz)]
        await self._start_media(f"uuid_audio_fork {word(self.uuid)}", arguments, BUG_NAME)

    async def start_stream(self, url: str, *, rate_hz: int = 8000, metadata: str = "{}") -> None:
        """Have ``mod_audio_stream`` carry the call's audio to *url*; see :meth:`start_fork`."""
        await self._start_media(f"uuid_audio_stream {word(self.uuid)}", _media_arguments(url, rate_hz, metadata))

    async def stop_media(self) -> None:
        """Have the module that was started let go of the call, if it has not by itself."""
        if self._media:
            with suppress(Refused):  # it stops by itself when its connection ends
                await self.link.api(self._media)
            self._media = ""

    async def _start_media(self, command: str, arguments: list[str], *bug_name: str) -> None:
        self._media = " ".join([command, "stop", *bug_name])
        try:
            await self.link.api(" ".join([command, "start", *arguments]))
        except Refused:
            self._media = ""
            raise

    async def _api(self, verb: str, *words: str) -> str:
        return await self.link.api(" ".join([verb, word(self.uuid), *(word(each) for each in words)]))


def _variable(name: str) -> str:
    if _VARIABLE.match(name) is None:
        raise MisuseError("a channel variable's name is made of letters, digits and _.-")
    return name


def _media_arguments(url: str, rate_hz: int, metadata: str, *bug_name: str) -> list[str]:
    """Return what both modules are started with; their command line is split at blanks, and quotes are eaten."""
    if rate_hz not in _RATES:
        raise MisuseError("a module carries audio at 8000 or 16000 Hz")
    if _MEDIA_URL.match(url) is None:
        raise MisuseError("a module needs a URL of a WebSocket, without blanks and quotes")
    if _METADATA.match(metadata) is None:
        raise MisuseError("metadata with blanks, quotes ' or backslashes would not arrive")
    return [url, "mono", _RATES[rate_hz], *bug_name, *([metadata] if metadata else [])]
