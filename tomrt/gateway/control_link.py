"""One connection to FreeSWITCH's event socket: commands out, replies and events in, whoever dialled.

FreeSWITCH answers every command once, in the order in which they came, and sends events in between. So whoever asks
stands in a queue, and stays in it when it stops waiting: the late answer is then nobody's, instead of the next one's.
"""

from __future__ import annotations

import re
import uuid
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import trio
import trio.abc
from attrs import define, field

from tomrt.errors import ProtocolError, SwitchError
from tomrt.gateway.doorway import Note
from tomrt.wire import esl_commands
from tomrt.wire.esl import EslMessage, EslReader
from tomrt.wire.esl_event import CALL_EVENTS, MODULE_EVENTS, EslEvent, read_channel, read_event

__all__ = ["CALL_EVENTS", "LINGER_S", "MODULE_EVENTS", "ControlLink", "Refused"]

MOST_WAITING = 64
"""Commands without an answer; whoever comes then waits for one of them."""
WRITE_LIMIT_S = 5.0
GREETING_LIMIT_S = 5.0
LINGER_S = 10
"""How long FreeSWITCH may keep the connection for the last events of a call that has ended."""
LAST_EVENTS_S = 2.0
"""How long we wait for those, since an open connection holds up things on its side."""
CLEAN_UP_S = 1.0
RECEIVE_BYTES = 65_536

_GONE = re.compile(
    r"no such (?:channel|session|call)|invalid session|cannot locate session|unknown channel", re.IGNORECASE
)


class Refused(SwitchError):  # noqa: N818 - named after the answer, like AccessDenied
    """FreeSWITCH answered, and what it said is no.

    Args:
        words: What it said, without ``-ERR``; may name the call.
    """

    def __init__(self, words: str) -> None:
        self.words = "".join(each for each in words if each.isprintable())[:200]
        super().__init__(f"FreeSWITCH refused: {self.words}", gone=_GONE.search(words) is not None)


@define(eq=False)
class _Awaited:
    """An answer or an event that somebody waits for."""

    done: trio.Event = field(factory=trio.Event)
    reply: EslMessage | None = None
    event: EslEvent | None = None


class ControlLink:
    """One event socket connection.

    Somebody runs :meth:`run` for as long as the link is used; any task may then ask.

    Args:
        stream: The connection; closing it stays with whoever opened it.
        on_event: Told of every event that nothing here waits for. Must neither block nor raise.
        note: Counts ``control``/``ignored`` (a message of no use here) and ``control``/``bad_event``.
    """

    def __init__(self, stream: trio.abc.Stream, *, on_event: Callable[[EslEvent], None], note: Note) -> None:
        self.gone = trio.Event()
        """Set when :meth:`run` has ended."""
        self._stream = stream
        self._on_event = on_event
        self._note = note
        self._writing = trio.Lock()
        self._free = trio.Semaphore(MOST_WAITING, max_value=MOST_WAITING)
        self._waiting: deque[_Awaited] = deque()
        self._jobs: dict[str, _Awaited] = {}
        self._followed: dict[str, Callable[[EslEvent], None]] = {}
        self._asked_in = trio.Event()  # the other end said something that begins a conversation, or went away
        self._rejected = False
        self._call = ""  # whose connection this is, where FreeSWITCH opened it
        self._call_over = False
        self._notice = ""
        self._reading = trio.CancelScope()
        self._reason = "closed"

    async def run(self) -> str:
        """Read until the connection ends, and return why: what waits for an answer then fails.

        Returns:
            ``"closed"``, ``"disconnected"`` (FreeSWITCH said goodbye: the call is over, or it shuts down),
            ``"stalled"`` (it takes no more of our bytes) or ``"protocol: "`` and a sentence.
        """
        try:
            with self._reading:
                self._reason = await self._read()
        except ProtocolError as error:
            self._reason = f"protocol: {error}"
        finally:
            self._end()
        return self._reason

    async def command(self, data: bytes, *, timeout_s: float = 5.0) -> EslMessage:
        """Send a command of ``esl_commands`` and return the reply.

        Raises:
            Refused: the reply is ``-ERR``.
            SwitchError: no reply came in time, or the connection is gone.
        """
        reply = await self._ask(data, timeout_s)
        _check(reply.reply_text)
        return reply

    async def api(self, command: str, *, timeout_s: float = 5.0) -> str:
        """Run an API command that is quick, and return its result without the line end.

        Raises:
            Refused: the result is ``-ERR`` or ``-USAGE``.
            SwitchError: none came in time, or the connection is gone.
        """
        reply = await self.command(esl_commands.api(command), timeout_s=timeout_s)
        return _check(reply.body.decode("utf-8", "replace").strip())

    async def job(self, command: str, *, timeout_s: float = 35.0) -> str:
        """Run an API command in the background and wait for its result, as :meth:`api` for what takes long.

        Cancelling it, or its time-out, does not stop the job.
        """
        job_uuid = str(uuid.uuid4())
        awaited = self._jobs[job_uuid] = _Awaited()
        try:
            async with self._let_through("Job-UUID", job_uuid):
                with trio.move_on_after(timeout_s):
                    await self.command(esl_commands.bgapi(command, job_uuid), timeout_s=timeout_s)
                    await awaited.done.wait()
        finally:
            del self._jobs[job_uuid]
            self._end_when_done()
        if awaited.event is None:
            raise self._silence(timeout_s)
        return _check(awaited.event.body.strip())

    @asynccontextmanager
    async def following(self, channel: str, take: Callable[[EslEvent], None]) -> AsyncIterator[None]:
        """Have *take* told of the events of another *channel* while the context is open, instead of the owner."""
        self._followed[channel] = take
        try:
            async with self._let_through("Unique-ID", channel):
                yield
        finally:
            del self._followed[channel]
            self._end_when_done()

    async def greet_inbound(self, password: str) -> None:
        """Log in, on a connection that we opened.

        Raises:
            SwitchError: FreeSWITCH does not let us in, or says nothing.
        """
        with trio.move_on_after(GREETING_LIMIT_S):
            await self._asked_in.wait()
        if self._rejected:
            raise SwitchError("FreeSWITCH takes no connections from this address (the access list of its event socket)")
        if not self._asked_in.is_set():
            raise SwitchError(f"nobody asked for a password within {GREETING_LIMIT_S:g} s: is this an event socket?")
        try:
            await self.command(esl_commands.auth(password))
        except Refused:
            raise SwitchError("FreeSWITCH refused the password of its event socket") from None

    async def greet_outbound(self) -> EslEvent:
        """Ask who calls, on a connection that FreeSWITCH opened, and subscribe to the call's events.

        Not by ``myevents``: that would keep out the events of an agent who is being called for this caller.

        Returns:
            The channel, with its variables.

        Raises:
            SwitchError: FreeSWITCH refused or is silent, or the dialplan lacks ``async full``.
            ProtocolError: the reply names no channel.
        """
        channel = read_channel(await self._ask(esl_commands.connect(), GREETING_LIMIT_S))
        if (channel.get("Socket-Mode"), channel.get("Control")) != ("async", "full"):
            raise SwitchError("the dialplan must say 'async full' behind the address in its socket application")
        self._call = channel.uuid
        await self.command(esl_commands.linger(LINGER_S))
        await self.command(esl_commands.filter_on("Unique-ID", channel.uuid))
        await self.command(esl_commands.events(*CALL_EVENTS, custom=MODULE_EVENTS))
        return channel

    # --- asking ---

    async def _ask(self, data: bytes, timeout_s: float) -> EslMessage:
        awaited = _Awaited()
        with trio.move_on_after(timeout_s):
            await self._send(data, awaited)
            await awaited.done.wait()
        if awaited.reply is None:
            raise self._silence(timeout_s)
        return awaited.reply

    async def _send(self, data: bytes, awaited: _Awaited) -> None:
        await self._free.acquire()  # freed when the answer has come, whoever still waits for it
        queued = False
        try:
            async with self._writing:
                self._fail_if_gone()
                self._waiting.append(awaited)
                queued = True
                await self._write(data)
        finally:
            if not queued:
                self._free.release()

    async def _write(self, data: bytes) -> None:
        """Write a whole command: half of one would spoil all that follow, so nobody's cancellation cuts it short."""
        try:
            with trio.move_on_after(WRITE_LIMIT_S, shield=True) as scope:
                await self._stream.send_all(data)
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            raise _gone() from None
        if scope.cancelled_caught:
            self._reason = "stalled"
            self._reading.cancel()
            raise _gone()

    def _fail_if_gone(self) -> None:
        if self.gone.is_set() or self._reading.cancel_called:
            raise _gone()

    def _silence(self, timeout_s: float) -> SwitchError:
        if self.gone.is_set():
            return _gone()
        return SwitchError(f"FreeSWITCH did not answer within {timeout_s:g} s")

    @asynccontextmanager
    async def _let_through(self, header: str, text: str) -> AsyncIterator[None]:
        """On the connection of one call, whose filter keeps out all others' events, let some of them through."""
        if not self._call:
            yield
            return
        await self.command(esl_commands.filter_on(header, text))
        try:
            yield
        finally:
            await self._close_again(header, text)

    async def _close_again(self, header: str, text: str) -> None:
        with trio.move_on_after(CLEAN_UP_S, shield=True):
            try:
                await self.command(esl_commands.filter_off(header, text))
            except SwitchError:
                self._note("control", "ignored")  # the filter goes with the connection

    # --- reading ---

    async def _read(self) -> str:
        reader = EslReader()
        while True:
            try:
                data = await self._stream.receive_some(RECEIVE_BYTES)
            except (trio.BrokenResourceError, trio.ClosedResourceError):
                data = b""
            if not data:
                return "disconnected" if self._notice else "closed"
            for message in reader.feed(bytes(data)):
                self._take(message)
            if reader.fault is not None:
                raise reader.fault
            if self._is_done():
                return "disconnected"

    def _is_done(self) -> bool:
        """Whether all has been said; whoever is still cleaning up after the call is let finish."""
        if self._notice != "linger":
            return bool(self._notice)
        return self._call_over and not (self._waiting or self._jobs or self._followed)

    def _end_when_done(self) -> None:
        if self._is_done():
            self._reading.cancel()

    def _take(self, message: EslMessage) -> None:
        match message.content_type:
            case "command/reply" | "api/response":
                self._take_reply(message)
            case "text/event-plain":
                self._take_event(message)
            case "text/disconnect-notice":
                self._take_notice(message)
            case "auth/request":
                self._asked_in.set()
            case "text/rude-rejection":
                self._rejected = True
                self._asked_in.set()
            case _:
                self._note("control", "ignored")

    def _take_reply(self, message: EslMessage) -> None:
        if not self._waiting:
            raise ProtocolError("FreeSWITCH answered what nobody asked")
        awaited = self._waiting.popleft()
        awaited.reply = message
        awaited.done.set()
        self._free.release()

    def _take_event(self, message: EslMessage) -> None:
        try:
            event = read_event(message)
        except ProtocolError:
            self._note("control", "bad_event")  # its frame was whole, so the next message is none the worse
            return
        if event.name == "BACKGROUND_JOB":
            self._take_result(event)
            return
        if self._call and event.uuid == self._call and event.name == "CHANNEL_HANGUP_COMPLETE":
            self._call_over = True
        self._followed.get(event.uuid, self._on_event)(event)

    def _take_result(self, event: EslEvent) -> None:
        awaited = self._jobs.get(event.get("Job-UUID"))
        if awaited is not None:
            awaited.event = event
            awaited.done.set()

    def _take_notice(self, message: EslMessage) -> None:
        self._notice = message.headers.get("Content-Disposition", "disconnect")
        if self._notice == "linger":
            self._reason = "disconnected"
            self._reading.deadline = trio.current_time() + LAST_EVENTS_S

    def _end(self) -> None:
        self.gone.set()
        self._asked_in.set()
        for awaited in (*self._waiting, *self._jobs.values()):
            awaited.done.set()
        for _ in self._waiting:
            self._free.release()
        self._waiting.clear()


def _check(words: str) -> str:
    if words.startswith(("-ERR", "-USAGE")):
        raise Refused(words.removeprefix("-ERR").strip())
    return words


def _gone() -> SwitchError:
    return SwitchError("the connection to FreeSWITCH is gone", gone=True)
