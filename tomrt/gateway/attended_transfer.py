"""Putting a caller through: an agent is called, told what it is about, and only then connected with the caller."""

from __future__ import annotations

import math
import re
import uuid as uuids
from contextlib import suppress
from typing import TYPE_CHECKING

import trio
from attrs import define, field

from tomrt.errors import SwitchError
from tomrt.gateway.control_link import Refused
from tomrt.gateway.transfer_targets import Target
from tomrt.wire import esl_commands
from tomrt.wire.esl_event import EslEvent

if TYPE_CHECKING:
    from tomrt.gateway.call_control import CallControl

__all__ = ["AttendedTransfer"]

SUMMARY_LIMIT_S = 30.0
"""A summary that is still being said is cut short then."""
CLEAN_UP_S = 2.0
PARKED_S = 60
"""An agent who has answered is hung up after so long without a caller, should we be gone by then."""
KILL_TRIES = 10
"""A call that was just asked for may not exist yet; it is tried again every 100 ms."""

_REASONS = {
    "nobody answered": "NO_ANSWER NO_USER_RESPONSE ALLOTTED_TIMEOUT PROGRESS_TIMEOUT ORIGINATOR_CANCEL NO_PICKUP",
    "the line is busy": "USER_BUSY BUSY_EVERYWHERE",
    "the call was declined": "CALL_REJECTED DECLINE REJECT_ALL UNWANTED",
    "nobody can be reached there": "USER_NOT_REGISTERED SUBSCRIBER_ABSENT UNALLOCATED_NUMBER NO_ROUTE_DESTINATION "
    "DESTINATION_OUT_OF_ORDER INVALID_NUMBER_FORMAT DOES_NOT_EXIST_ANYWHERE",
}
_REASON = {cause: reason for reason, causes in _REASONS.items() for cause in causes.split()}
_SHOWN_NUMBER = re.compile(r"\+?[0-9*#]{1,32}\Z")


@define(eq=False)
class AttendedTransfer:
    """One attempt to put one caller through.

    Args:
        control: The caller's controls.
        target: Who is to be called.
    """

    _control: CallControl
    _target: Target
    _agent: str = field(factory=lambda: str(uuids.uuid4()), init=False)
    _meanwhile: trio.CancelScope = field(factory=trio.CancelScope, init=False)  # until one of the two hangs up
    _ringing: bool = field(default=False, init=False)  # or answered: there may be a call that must be ended
    _answered: bool = field(default=False, init=False)
    _agent_over: bool = field(default=False, init=False)
    _connected: bool = field(default=False, init=False)
    _told: trio.Event = field(factory=trio.Event, init=False)

    async def run(self, *, summary: str, whispered: bool) -> None:
        """Put the caller through; see :meth:`tomrt.gateway.call_control.CallControl.attended_transfer`."""
        with self._meanwhile, self._control.until_over(self._meanwhile):
            async with self._control.link.following(self._agent, self._take):
                try:
                    await self._connect(summary, whispered=whispered)
                finally:
                    if not self._connected:
                        await self._give_up()
        if not self._connected:
            raise self._hung_up()

    async def _connect(self, summary: str, *, whispered: bool) -> None:
        await self._control.hold()
        await self._call_agent()
        if summary:
            await self._tell(summary, whispered=whispered)
        await self._control.stop()
        await self._control.bridge(self._agent)
        self._connected = True

    def _take(self, event: EslEvent) -> None:
        match event.name:
            case "PLAYBACK_STOP":
                self._told.set()
            case "CHANNEL_EXECUTE_COMPLETE" if event.get("Application-UUID") == self._agent:
                self._told.set()  # a file that is not there neither starts nor stops
            case "CHANNEL_HANGUP" | "CHANNEL_HANGUP_COMPLETE":
                self._agent_over = True
                if self._answered:  # before that, the result of the job tells more
                    self._meanwhile.cancel()

    async def _call_agent(self) -> None:
        """Call the agent through the dialplan, as any phone would.

        Raises:
            SwitchError: nobody answered.
        """
        timeout_s = self._control.settings.transfer_timeout_s
        command = f"originate {{{await self._variables(timeout_s)}}}{await self._loopback()} &park()"
        self._ringing = True
        try:
            await self._control.link.job(command, timeout_s=timeout_s + 5.0)
        except Refused as error:
            self._ringing = False
            reason = _REASON.get(error.words, "the call could not be put through")
            raise SwitchError(f"{self._target.name} was not reached: {reason}") from None
        self._answered = True
        if self._agent_over:
            raise self._hung_up()

    async def _variables(self, timeout_s: float) -> str:
        variables = {
            "origination_uuid": self._agent,
            "ignore_early_media": "true",
            "originate_timeout": str(math.ceil(timeout_s)),
            "park_timeout": str(PARKED_S),
        }
        number = await self._control.get_variable("caller_id_number")
        if _SHOWN_NUMBER.match(number):  # it is the caller's own word: nothing else may get between the braces
            variables |= {"origination_caller_id_number": number, "origination_caller_id_name": number}
        return ",".join(f"{name}={text}" for name, text in variables.items())

    async def _loopback(self) -> str:
        context = self._target.context or await self._control.get_variable("context") or "default"
        return esl_commands.word(f"loopback/{self._target.extension}/{context}")

    async def _tell(self, summary: str, *, whispered: bool) -> None:
        link = self._control.link
        await link.command(esl_commands.execute("playback", summary, uuid=self._agent, event_uuid=self._agent))
        if not whispered:
            await self._control.stop()
            await self._control.play(summary, event_uuid=self._agent)
        with trio.move_on_after(SUMMARY_LIMIT_S) as scope:
            await self._told.wait()
        if scope.cancelled_caught:
            await link.api(f"uuid_break {self._agent} all")

    def _hung_up(self) -> SwitchError:
        if self._control.over.is_set():
            return SwitchError("the caller hung up", gone=True)
        return SwitchError(f"{self._target.name} hung up before the caller was put through")

    async def _give_up(self) -> None:
        """Take the caller off hold, and leave no phone ringing and nobody waiting, also when we are cancelled."""
        with trio.move_on_after(CLEAN_UP_S, shield=True):
            if not self._control.over.is_set():
                with suppress(SwitchError):
                    await self._control.unhold()
            if self._ringing and not self._agent_over:
                await self._release_agent()

    async def _release_agent(self) -> None:
        for _ in range(KILL_TRIES):
            try:
                await self._control.link.api(f"uuid_kill {self._agent} ORIGINATOR_CANCEL")
            except SwitchError as error:
                if not isinstance(error, Refused):
                    return
                await trio.sleep(0.1)
            else:
                return
