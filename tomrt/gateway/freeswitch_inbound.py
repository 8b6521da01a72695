"""The event socket that we dial: one connection controls many calls, and is dialled again whenever it is lost.

A call's audio does not travel here, so a call outlives the connection; while there is none, only its controls do not
answer. After a reconnect each call is asked for, and those that were parked meanwhile are taken.
"""

from __future__ import annotations

import logging
import random
import re
from collections.abc import Iterator
from functools import partial

import trio

from tomrt.errors import ProtocolError, SwitchError
from tomrt.gateway.call_control import CallControl
from tomrt.gateway.control_link import CALL_EVENTS, MODULE_EVENTS, ControlLink
from tomrt.gateway.doorway import Boundary, Note
from tomrt.gateway.switch_calls import SwitchCalls
from tomrt.settings import Freeswitch
from tomrt.wire import esl_commands
from tomrt.wire.esl_event import EslEvent
from tomrt.wire.json import loads_object

__all__ = ["FreeswitchInbound"]

log = logging.getLogger("tomrt.control")

FIRST_WAIT_S = 0.05
LONGEST_WAIT_S = 10.0
SPREAD = 0.2
"""Waits differ by so much of themselves, so that services that lost one switch do not come back in one moment."""
GOODBYE_S = 3.0
"""When the service is stopped at once, calls are given so long to be hung up."""
LAST_EVENT_S = 2.0
"""A call that we ended says so, with its cause, within milliseconds; one that was handed on says nothing."""
MAX_CHANNELS_BYTES = 1 << 20
MOST_CHANNELS = 500
"""A channel takes about a kilobyte of the list, and a message of the event socket may have a megabyte."""

_TOTAL = re.compile(r"(\d{1,9}) total")


class FreeswitchInbound(Boundary):
    """Keeps the connection, and has the calls that FreeSWITCH parks with the channel variable ``tomrt_media`` set.

    Args:
        settings: Of FreeSWITCH.
        calls: Has them.
        note: Counts what happens: ``inbound``/``connected``, ``lost``, ``failed``, ``vanished`` (a call ended while
            nobody could tell), ``found`` (one was parked meanwhile), ``not_looked`` (there are
            too many channels to look for those).
        chance: Spreads the waits.
    """

    def __init__(
        self, *, settings: Freeswitch, calls: SwitchCalls, note: Note, chance: random.Random | None = None
    ) -> None:
        super().__init__(note)
        self._settings = settings
        self._calls = calls
        self._chance = chance or random.Random()  # noqa: S311 - spreads waits, keeps no secret
        self._controls: dict[str, CallControl] = {}
        self._failed_times = 0
        self._nursery: trio.Nursery
        self._link: ControlLink

    async def run(self) -> None:
        """Keep the connection until cancelled."""
        async with trio.open_nursery() as self._nursery:
            while True:
                failed_before, self._failed_times = self._failed_times, self._failed_times + 1
                await self.guard(partial(self._try, first=not failed_before))
                wait_s = min(FIRST_WAIT_S * 2.0 ** min(self._failed_times - 1, 16), LONGEST_WAIT_S)
                await trio.sleep(wait_s * (1.0 + self._chance.uniform(-SPREAD, SPREAD)))

    async def _try(self, *, first: bool) -> None:
        """Connect and stay so as long as it lasts; only the first failure of an outage is logged."""
        try:
            await self._stay_connected()
        except (OSError, SwitchError, ProtocolError) as error:
            self._note("inbound", "failed")
            if first:
                where = f"{self._settings.inbound_host}:{self._settings.inbound_port}"
                log.error("no event socket at %s: %s; trying again", where, _words(error))

    @property
    def calls(self) -> int:
        """Calls under way."""
        return len(self._controls)

    async def _stay_connected(self) -> None:
        """Connect, and return when the connection is lost.

        Raises:
            OSError: nobody is there.
            SwitchError: FreeSWITCH does not let us in, or does not answer.
        """
        async with await trio.open_tcp_stream(self._settings.inbound_host, self._settings.inbound_port) as stream:
            link = ControlLink(stream, on_event=self._take, note=self._note)
            refused: SwitchError | None = None
            stopping = True
            async with trio.open_nursery() as nursery:
                reading = trio.CancelScope(shield=True)
                nursery.start_soon(_read, link, reading)
                try:
                    await self._begin(link)
                    await link.gone.wait()
                    stopping = False
                except SwitchError as error:
                    refused, stopping = error, False
                finally:
                    if stopping:
                        await self._let_calls_end()
                    reading.cancel()
            if refused is not None and not refused.gone:
                raise refused
        self._note("inbound", "lost")
        log.warning("the event socket was lost; %d calls go on without their controls", len(self._controls))

    async def _let_calls_end(self) -> None:
        """Keep the connection while calls are being hung up: nobody else would end a call that is parked."""
        with trio.move_on_after(GOODBYE_S, shield=True):
            while self._controls:
                await trio.sleep(0.01)

    async def _begin(self, link: ControlLink) -> None:
        await link.greet_inbound(self._settings.inbound_password.reveal())
        self._link = link  # before there are events: the first may be a call
        await link.command(esl_commands.events(*CALL_EVENTS, "CHANNEL_PARK", custom=MODULE_EVENTS))
        self._failed_times = 0
        self._note("inbound", "connected")
        log.info("connected to FreeSWITCH's event socket, %d calls under way", len(self._controls))
        for control in list(self._controls.values()):
            control.link = link
            if await link.api(f"uuid_exists {control.uuid}") == "false":
                self._note("inbound", "vanished")
                control.vanish()
        for channel in await self._parked_meanwhile(link):
            if channel.uuid not in self._controls:
                await self._find(link, channel)

    async def _parked_meanwhile(self, link: ControlLink) -> list[EslEvent]:
        """Return the parked channels; none of a switch with so many that the list would be too long for one message."""
        total = _TOTAL.search(await link.api("show channels count"))
        if total is not None and int(total[1]) > MOST_CHANNELS:
            self._note("inbound", "not_looked")
            log.warning("%s channels are too many to look for calls that were parked meanwhile", total[1])
            return []
        return list(_parked(await link.api("show channels as json")))

    async def _find(self, link: ControlLink, channel: EslEvent) -> None:
        """Take a call that was parked while nobody listened, if it is meant for us."""
        control = CallControl(link, channel.uuid, self._settings)
        try:
            media = await control.get_variable("tomrt_media")
        except SwitchError:
            return  # it has ended
        if media:
            self._note("inbound", "found")
            headers = {**channel.headers, "variable_tomrt_media": media}
            self._start(EslEvent(name=channel.name, uuid=channel.uuid, headers=headers))

    def _take(self, event: EslEvent) -> None:
        control = self._controls.get(event.uuid)
        if control is not None:
            control.take(event)
        elif event.name == "CHANNEL_PARK" and event.variable("tomrt_media"):
            self._start(event)

    def _start(self, channel: EslEvent) -> None:
        if channel.uuid not in self._controls:
            control = self._controls[channel.uuid] = CallControl(self._link, channel.uuid, self._settings)
            self._nursery.start_soon(self.guard, partial(self._have, control, channel))

    async def _have(self, control: CallControl, channel: EslEvent) -> None:
        try:
            await self._calls.take(control, channel, trusted=True)
            with trio.move_on_after(LAST_EVENT_S):
                await control.over.wait()
        finally:
            del self._controls[channel.uuid]


async def _read(link: ControlLink, scope: trio.CancelScope) -> None:
    with scope:
        await link.run()


def _parked(text: str) -> Iterator[EslEvent]:
    """Yield the channels that a parked call has in the answer to ``show channels``, as events about them."""
    try:
        rows = loads_object(text, max_bytes=MAX_CHANNELS_BYTES).get("rows", [])
    except ProtocolError:
        return
    for row in rows if isinstance(rows, list) else ():
        if isinstance(row, dict) and row.get("application") == "park" and isinstance(row.get("uuid"), str):
            headers = {header: str(row.get(column, "")) for header, column in _COLUMNS.items()}
            yield EslEvent(name="CHANNEL_PARK", uuid=row["uuid"], headers=headers)


_COLUMNS = {
    "Caller-Caller-ID-Number": "cid_num",
    "Channel-Read-Codec-Name": "read_codec",
    "Channel-Read-Codec-Rate": "read_rate",
}


def _words(error: Exception) -> str:
    return (error.strerror or str(error)) if isinstance(error, OSError) else str(error)
