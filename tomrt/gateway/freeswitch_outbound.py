"""The event socket that FreeSWITCH dials: ``socket host:port async full`` in a dialplan hands one call over.

The connection is the life of the call: FreeSWITCH hangs up when we close it, so it is closed when the call is over.
"""

from __future__ import annotations

import logging

import trio
import trio.abc

from tomrt.errors import ProtocolError, SwitchError
from tomrt.gateway.call_control import CallControl
from tomrt.gateway.control_link import ControlLink
from tomrt.gateway.doorway import Doorway, Note
from tomrt.gateway.switch_calls import SwitchCalls
from tomrt.settings import Freeswitch
from tomrt.wire.esl_event import EslEvent

__all__ = ["FreeswitchOutbound"]

log = logging.getLogger("tomrt.control")

GOODBYE_S = 30.0
"""A call that was handed on may keep its connection for a while; closing it too early would hang up on the caller."""


class FreeswitchOutbound(Doorway):
    """Accepts calls that FreeSWITCH hands over.

    Args:
        settings: Of FreeSWITCH.
        calls: Has them.
        note: Counts what happens; besides those of the doorway ``outbound``/``no_call`` (whoever dialled did not hand
            over a call) and ``control``/``stranger`` (an event of another call).
    """

    def __init__(self, *, settings: Freeswitch, calls: SwitchCalls, note: Note) -> None:
        super().__init__(note=note)
        self._settings = settings
        self._calls = calls

    async def converse(self, stream: trio.abc.Stream) -> None:
        """Have the call that comes with one connection."""
        one = _OneCall(self._settings, self._calls, stream, self._note)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(one.read)
            await one.hold()
            nursery.cancel_scope.cancel()


class _OneCall:
    def __init__(self, settings: Freeswitch, calls: SwitchCalls, stream: trio.abc.Stream, note: Note) -> None:
        self._settings = settings
        self._calls = calls
        self._note = note
        self._link = ControlLink(stream, on_event=self._take, note=note)
        self._control: CallControl | None = None

    async def read(self) -> None:
        """Read until the connection ends; a call that has not ended before is lost."""
        reason = await self._link.run()
        if self._control is not None:
            if not self._control.over.is_set() and reason != "disconnected":
                log.warning("the event socket of a call was lost: %s", reason)
            self._control.lose(handed_on=reason == "disconnected")

    async def hold(self) -> None:
        """Have the call."""
        try:
            channel = await self._link.greet_outbound()
        except (SwitchError, ProtocolError) as error:
            self._note("outbound", "no_call")
            log.warning("a connection to the outbound event socket brought no call: %s", error)
            return
        self._control = CallControl(self._link, channel.uuid, self._settings)
        if not await self._calls.take(self._control, channel):
            return
        with trio.move_on_after(GOODBYE_S):
            await self._link.gone.wait()

    def _take(self, event: EslEvent) -> None:
        if self._control is not None and event.uuid == self._control.uuid:
            self._control.take(event)
        else:
            self._note("control", "stranger")
