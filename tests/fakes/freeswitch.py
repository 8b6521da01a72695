"""A FreeSWITCH for tests, on real sockets of 127.0.0.1: it behaves as a real one was observed to (FREESWITCH.md).

::

    async with fake_switch(joined_blocks=True) as switch:
        call = await switch.dial_outbound(port, caller="1000", called="7000")
        call.speak(pcm)
        await call.until_heard()
        call.press("5")
        call.hang_up()

What belongs to one call is in ``freeswitch_call``, what can be set up wrong or oddly in ``freeswitch_oddities``.
"""

from __future__ import annotations

import tempfile
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import trio
from fakes.freeswitch_api import Api
from fakes.freeswitch_call import FakeCall
from fakes.freeswitch_link import EventLink
from fakes.freeswitch_oddities import MODULES, Agent, Oddities
from fakes.freeswitch_text import Command, Event, message

__all__ = ["MODULES", "Agent", "FakeCall", "FakeSwitch", "Oddities", "SwitchCrashError", "fake_switch"]

REJECTION = "Access Denied, go away.\n"


class SwitchCrashError(AssertionError):
    """A real FreeSWITCH would have died of what it was sent."""


class FakeSwitch:
    """The switch; made by :func:`fake_switch`."""

    def __init__(self, nursery: trio.Nursery, folder: Path, odd: Oddities) -> None:
        self.odd = odd
        self.folder = folder
        """Where the files of ``playAudio`` and ``streamAudio`` are written."""
        self.calls: dict[str, FakeCall] = {}
        self.all_calls: list[FakeCall] = []
        self.commands: list[str] = []
        """Every command received on any event socket, as it came."""
        self.events: list[Event] = []
        """Every event fired, delivered or not."""
        self.log: list[str] = []
        """What a real switch would only have written to its log."""
        self.crashed = ""
        """What the switch died of, or ``""``."""
        self.control_connections = 0
        """How often port 8021 was dialled."""
        self.core_uuid = str(uuid.uuid4())
        self.inbound_port = 0
        self.api = Api(self)
        self._nursery = nursery
        self._links: list[EventLink] = []
        self._listening: trio.CancelScope | None = None

    # --- calls -------------------------------------------------------------------------------------------------------

    async def dial_outbound(self, port: int, *, host: str = "127.0.0.1", **call: object) -> FakeCall:
        """Take a call as :meth:`hand_over`, and wait until the server is connected or the call has ended."""
        taken = self.hand_over(port, host=host, **call)
        await taken.until(lambda: bool(taken.link or taken.ended))
        return taken

    def hand_over(self, port: int, *, host: str = "127.0.0.1", **call: object) -> FakeCall:
        """Take a call whose dialplan says ``socket host:port async full``; the keywords are those of FakeCall."""
        taken = self.adopt(FakeCall(self, **call))  # type: ignore[arg-type]
        self.start(self.serve_outbound, taken, host, port)
        return taken

    def park(self, **call: object) -> FakeCall:
        """Take a call whose dialplan parks it, for whoever watches port 8021; the keywords are those of FakeCall."""
        taken = self.adopt(FakeCall(self, **call))  # type: ignore[arg-type]
        if taken.answered:
            taken.fire("CHANNEL_ANSWER")
        taken.fire("CHANNEL_PARK")
        return taken

    def adopt(self, call: FakeCall) -> FakeCall:
        """Start the clock of a new call."""
        self.calls[call.uuid] = call
        self.all_calls.append(call)
        call.fire("CHANNEL_CREATE")
        self.start(call.run)
        return call

    def forget(self, call: FakeCall) -> None:
        """The call has ended; ``all_calls`` keeps it."""
        self.calls.pop(call.uuid, None)

    async def serve_outbound(self, call: FakeCall, host: str, port: int) -> None:
        """Be the ``socket`` application: dial out, obey, and end the call when the server goes."""
        stream = await self._dial(host, port)
        if stream is None:
            call.end("NORMAL_CLEARING", by="switch")
            return
        call.link = EventLink(self, stream, call)
        how = await self._serve(call.link)
        if how == "closed" or call.state not in {"parked", "ringing"}:
            return
        if call.variables.get("socket_resume") == "true":
            call.transfer("resumed dialplan")
        else:
            call.end("NORMAL_CLEARING", by="server")

    async def _dial(self, host: str, port: int) -> trio.SocketStream | None:
        try:
            return None if self.odd.outbound_unreachable else await trio.open_tcp_stream(host, port)
        except OSError as error:
            self.log.append(f"socket {host}:{port}: {error}")
            return None

    # --- port 8021 ---------------------------------------------------------------------------------------------------

    async def listen(self) -> None:
        """Listen where ``inbound_port`` says, on a free port the first time."""
        (listener,) = await trio.open_tcp_listeners(self.inbound_port, host="127.0.0.1")
        self.inbound_port = listener.socket.getsockname()[1]
        self._listening = trio.CancelScope()
        self.start(self._accept, listener, self._listening)

    def stop_listening(self) -> None:
        """Refuse new connections to port 8021, until :meth:`listen`."""
        if self._listening is not None:
            self._listening.cancel()

    def drop_control(self) -> int:
        """Break all connections to port 8021 without a word, and return how many; calls go on."""
        inbound = [link for link in self._links if link.call is None]
        for link in inbound:
            link.drop()
        return len(inbound)

    @property
    def controls(self) -> list[EventLink]:
        """The connections to port 8021 that are up."""
        return [link for link in self._links if link.call is None and link.up]

    async def _accept(self, listener: trio.SocketListener, scope: trio.CancelScope) -> None:
        with scope:
            async with listener:
                while True:
                    self.start(self._serve_inbound, await listener.accept())

    async def _serve_inbound(self, stream: trio.SocketStream) -> None:
        self.control_connections += 1
        if self.odd.rude:
            async with stream:
                await stream.send_all(message("text/rude-rejection", body=REJECTION))
            return
        await self._serve(EventLink(self, stream))

    async def _serve(self, link: EventLink) -> str:
        self._links.append(link)
        try:
            return await link.run()
        finally:
            self._links.remove(link)

    # --- events and commands -----------------------------------------------------------------------------------------

    def publish(self, name: str, headers: Mapping[str, str], body: str = "") -> Event:
        """Fire an event: every event socket that asked for it gets it."""
        core = {
            "Core-UUID": self.core_uuid,
            "FreeSWITCH-Hostname": "fake",
            "FreeSWITCH-Version": self.odd.version,
            "Event-Date-Timestamp": str(time.time_ns() // 1000),
            "Event-Sequence": str(len(self.events)),
        }
        event = Event(name, core | dict(headers), body)
        self.events.append(event)
        for link in list(self._links):
            link.deliver(event)
        return event

    def note(self, link: EventLink, command: Command) -> None:
        """Keep *command*, with the call too that it is about."""
        self.commands.append(command.raw)
        for call in self.all_calls:
            if link.call is call or call.uuid in command.raw:
                call.commands.append(command.raw)

    def start(self, work: Callable[..., Awaitable[object]], *arguments: object) -> None:
        """Run *work* beside everything else, as long as the switch runs."""
        self._nursery.start_soon(work, *arguments)

    # --- ends --------------------------------------------------------------------------------------------------------

    def crash(self, why: str) -> None:
        """Die, as a real switch would: everything is closed, and whoever made the switch gets SwitchCrashError."""
        self.crashed = self.crashed or why
        self.stop_listening()
        for link in list(self._links):
            link.drop()
        for call in list(self.calls.values()):
            call.cut_off()

    async def shut_down(self) -> None:
        """End in an orderly way: calls are hung up, and what that says is written."""
        for call in list(self.calls.values()):
            call.end("MANAGER_REQUEST", by="switch")
        with trio.move_on_after(1):
            while self._links:
                await trio.sleep(0.01)


@asynccontextmanager
async def fake_switch(**oddities: object) -> AsyncIterator[FakeSwitch]:
    """Run a switch; the keywords are those of :class:`Oddities`.

    Raises:
        SwitchCrashError: at the end, when it was sent what kills a real one.
    """
    switch = None
    with tempfile.TemporaryDirectory(prefix="fake-switch-") as folder:
        try:
            async with trio.open_nursery() as nursery:
                switch = FakeSwitch(nursery, Path(folder), Oddities(**oddities))  # type: ignore[arg-type]
                await switch.listen()
                yield switch
                nursery.cancel_scope.cancel()
        finally:
            if switch is not None and switch.crashed:
                raise SwitchCrashError(switch.crashed)
