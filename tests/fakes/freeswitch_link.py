"""One event socket of the fake switch, whoever dialled: reads commands, replies in order, delivers events."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

import trio
from fakes.freeswitch_channel import channel_data
from fakes.freeswitch_sendmsg import send_message
from fakes.freeswitch_subscription import MY_EVENTS, Subscription
from fakes.freeswitch_text import GOODBYE, Command, CommandReader, Event, api_response, channel_block, message, reply

if TYPE_CHECKING:
    from fakes.freeswitch import FakeSwitch
    from fakes.freeswitch_call import FakeCall

__all__ = ["EventLink"]

READ_BYTES = 65536
JOIN_S = 0.02
LINGER_S = 5.0
POLL_S = 0.02


class EventLink:
    """A connection of the event socket.

    Args:
        switch: Whose it is.
        stream: The connection.
        call: The call that the switch dialled out for; ``None`` on a connection that was dialled to 8021.
    """

    def __init__(self, switch: FakeSwitch, stream: trio.SocketStream, call: FakeCall | None = None) -> None:
        self.call = call
        self.commands: list[str] = []
        self.subscription = Subscription()
        self.linger_s: float | None = None
        self.up = True
        self._switch = switch
        self._stream = stream
        self._authorised = call is not None
        self._outgoing = bytearray()
        self._wake = trio.Event()
        self._busy = False
        """Whether a command is being done: what else there is to say waits for its reply."""
        self._between = bytearray()
        self._parts_next = False
        self._ending = False
        self._scope = trio.CancelScope()

    async def run(self) -> str:
        """Serve until either side ends; return ``"exit"``, ``"eof"`` or ``"closed"`` (by the switch)."""
        how = "closed"
        try:
            with self._scope:
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(self._write)
                    if not self._authorised:
                        self.write(message("auth/request"))
                    how = await self._read()
                    if how == "exit":
                        self._part()
                        await trio.sleep_forever()  # until all is written
                    nursery.cancel_scope.cancel()
        finally:
            self.up = False
            await trio.aclose_forcefully(self._stream)
        return how

    def write(self, data: bytes) -> None:
        """Send *data* when the peer reads."""
        self._outgoing += data
        self._wake.set()

    def deliver(self, event: Event) -> None:
        """Send *event* if it was asked for."""
        if self._authorised and self.up and not self._ending and self.subscription.wants(event):
            self._write_between(event.serialise())

    def drop(self) -> None:
        """Break the connection without a word."""
        self.up = False
        self._scope.cancel()

    def call_left(self) -> None:
        """The call is over, or went elsewhere, and nobody asked to linger: the last notice, then the end."""
        if self._busy:
            self._parts_next = True
        elif not self._ending:
            self._part()

    def linger(self) -> None:
        """Tell that the call is over, and stay a while for the last events."""
        headers = self._controlled("linger") | {"Linger-Time": f"{self.linger_s:.0f}"}
        self._write_between(message("text/disconnect-notice", headers, ""))
        self._switch.start(self._linger)

    # --- reading and writing -----------------------------------------------------------------------------------------

    async def _read(self) -> str:
        reader = CommandReader()
        while True:
            try:
                data = await self._stream.receive_some(READ_BYTES)
            except (trio.BrokenResourceError, trio.ClosedResourceError):
                return "eof"
            if not data:
                return "eof"
            for command in reader.feed(data):
                self.commands.append(command.raw)
                self._switch.note(self, command)
                if not self._ending and not await self._do(command):
                    return "exit"

    async def _do(self, command: Command) -> bool:
        """Do one command, then say what waited for its reply; return whether to go on."""
        self._busy = True
        go_on = await self._take(command)
        self._busy = False
        self.write(bytes(self._between))
        self._between.clear()
        if go_on and self._parts_next:
            self._part()
        return go_on

    def _write_between(self, data: bytes) -> None:
        if self._busy:
            self._between += data
        else:
            self.write(data)

    async def _write(self) -> None:
        try:
            while self._outgoing or not self._ending:
                await self._wake.wait()
                self._wake = trio.Event()
                if self._switch.odd.events_joined:
                    await trio.sleep(JOIN_S)
                data, self._outgoing = bytes(self._outgoing), bytearray()
                step = self._switch.odd.chunks or max(1, len(data))
                for start in range(0, len(data), step):
                    await self._stream.send_all(data[start : start + step])
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            if not self._ending:
                return  # the reader finds out
        self._scope.cancel()

    def _part(self) -> None:
        self.write(message("text/disconnect-notice", self._controlled("disconnect") if self.call else None, GOODBYE))
        self._ending = True

    async def _linger(self) -> None:
        await trio.sleep(self.linger_s or LINGER_S)
        self.call_left()

    def _controlled(self, disposition: str) -> dict[str, str]:
        assert self.call is not None
        return {"Controlled-Session-UUID": self.call.uuid, "Content-Disposition": disposition}

    # --- commands ----------------------------------------------------------------------------------------------------

    async def _take(self, command: Command) -> bool:
        """Do *command* and reply; return whether to go on."""
        if command.word == "exit":
            self.write(reply("+OK bye"))
            return False
        if not self._authorised:
            return self._authorise(command)
        match command.word:
            case "connect" if self.call:
                self.write(channel_block(channel_data(self.call), self._switch.odd.socket_modes))
            case "api" | "bgapi" if self._limited("full"):
                self.write(reply("-ERR command not found"))
            case "api":
                self.write(api_response(await self._api(command.rest)))
            case "bgapi":
                self._bgapi(command)
            case "sendmsg":
                done = send_message(self._call_of(command), command)
                while self.call and self._limited("async") and self.call.applications.busy:
                    await trio.sleep(POLL_S)
                self.write(reply(done))
            case _:
                self.write(reply(self._ask(command)))
        return True

    def _limited(self, without: str) -> bool:
        """Whether this is an outbound socket whose dialplan lacks the word *without*."""
        return self.call is not None and without not in self._switch.odd.socket_modes

    def _authorise(self, command: Command) -> bool:
        if command.word != "auth":
            self.write(reply("-ERR command not found"))
            return True
        self._authorised = command.line == f"auth {self._switch.odd.password}"
        self.write(reply("+OK accepted" if self._authorised else "-ERR invalid"))
        return self._authorised

    def _ask(self, command: Command) -> str:
        """Do a command about events, and return what is replied."""
        match command.word:
            case "myevents":
                self.subscription.names |= MY_EVENTS
                self.subscription.only = self.call.uuid if self.call else command.rest
                return "+OK Events Enabled"
            case "event":
                some = self.subscription.add(command.rest)
                return "+OK event listener enabled plain" if some else "-ERR no keywords supplied"
            case "nixevent":
                self.subscription.remove(command.rest)
                return "+OK events nixed"
            case "noevents":
                self.subscription.clear()
                return "+OK no longer listening for events"
            case "filter":
                return self.subscription.filter(command.rest)
            case "linger" if self.call:
                self.linger_s = float(command.rest or LINGER_S)
                return f"+OK will linger {command.rest} seconds" if command.rest else "+OK will linger"
            case "nolinger" if self.call:
                self.linger_s = None
                return "+OK will not linger"
            case "resume" if self.call:
                self.call.variables["socket_resume"] = "true"
                return "+OK"
            case "divert_events" | "nolog" | "log":
                return "+OK"
        return "-ERR command not found"

    def _call_of(self, command: Command) -> FakeCall | None:
        return self._switch.calls.get(command.rest.strip()) if command.rest.strip() else self.call

    async def _api(self, text: str) -> str:
        await trio.sleep(self._switch.odd.late_replies_s)
        return await self._switch.api.run(text, link=self)

    def _bgapi(self, command: Command) -> None:
        job = command.get("job-uuid") or str(uuid.uuid4())
        self.write(reply(f"+OK Job-UUID: {job}", Job_UUID=job))
        self._switch.start(self._do_job, command.rest, job)

    async def _do_job(self, text: str, job: str) -> None:
        body = await self._switch.api.run(text, link=self)
        name, _, argument = text.partition(" ")
        headers = {"Job-UUID": job, "Job-Command": name}
        if argument:
            headers["Job-Command-Arg"] = argument
        if self.call:
            headers["Job-Owner-UUID"] = self.call.uuid
        self._switch.publish("BACKGROUND_JOB", headers, body or "-ERR no reply\n")
