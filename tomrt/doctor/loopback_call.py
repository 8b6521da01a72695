"""The test call: FreeSWITCH calls its own echo, hands the call over to us, and is spoken to.

Whatever happens, nothing of it stays: the call is killed by its name at the end, also when the doctor is interrupted,
and the connection that it hangs on is closed, which ends it as well.
"""

from __future__ import annotations

import math
import uuid
from collections.abc import Callable

import trio
from attrs import define, field

from tomrt.doctor.audio_trial import AudioTrial, Line, lend_ports
from tomrt.doctor.call_facts import CallFacts
from tomrt.errors import SwitchError, TomrtError
from tomrt.gateway.control_link import ControlLink, Refused
from tomrt.settings import Freeswitch
from tomrt.wire import esl_commands
from tomrt.wire.esl_event import EslEvent

__all__ = ["LoopbackCall"]

CONNECT_S = 5.0
HANG_UP_S = 3.0
CLEAN_UP_S = 1.0
LOOK_AGAIN_S = 0.1
DEFAULT_RATE_HZ = 8_000


@define(kw_only=True)
class LoopbackCall:
    """One test call.

    Args:
        link: A connection to FreeSWITCH, logged in, that has asked for ``BACKGROUND_JOB`` events.
        ours: Our address, as FreeSWITCH reaches it.
        settings: Where unicast audio comes from and goes to.
        tell: Told what is being done.
    """

    link: ControlLink
    ours: str
    settings: Freeswitch
    tell: Callable[[str], None]
    facts: CallFacts = field(factory=CallFacts, init=False)
    _uuid: str = field(factory=lambda: str(uuid.uuid4()), init=False)
    _asked_for: bool = field(default=False, init=False)
    _settled: bool = field(default=False, init=False)
    _ended: trio.Event = field(factory=trio.Event, init=False)

    async def run(self) -> CallFacts:
        """Place the call, have the conversation, hang up; return what was seen. Takes some 3 s, 12 s at most."""
        (listener,) = await trio.open_tcp_listeners(0, host=self.ours)
        self.facts.dialled = f"{self.ours}:{listener.socket.getsockname()[1]}"
        try:
            async with listener, trio.open_nursery() as nursery:
                self.tell("placing a call to FreeSWITCH's own echo")
                with trio.CancelScope(deadline=trio.current_time() + CONNECT_S) as waiting:
                    nursery.start_soon(self._originate, waiting)
                    stream = await listener.accept()
                    waiting.deadline = math.inf
                    await self._serve(stream)
                nursery.cancel_scope.cancel()
        finally:
            await self._leave_nothing()
        return self.facts

    async def _originate(self, waiting: trio.CancelScope) -> None:
        # Without ignore_early_media: the echo only pre-answers, and an originate that waits for more never ends.
        variables = f"{{origination_uuid={self._uuid}}}"
        self._asked_for = True
        try:
            where = self.facts.dialled
            await self.link.job(f"originate {variables}loopback/app=echo &socket('{where} async full')")
            self._settled = True
        except SwitchError as error:
            self._settled = isinstance(error, Refused)
            if not self.facts.handed_over:
                self.facts.refused = error.words if isinstance(error, Refused) else str(error)
                waiting.cancel()

    async def _serve(self, stream: trio.SocketStream) -> None:
        """Be to this call what tomrt is to its calls."""
        async with stream, trio.open_nursery() as nursery:
            control = ControlLink(stream, on_event=self._take, note=lambda *_: None)
            nursery.start_soon(control.run)
            try:
                channel = await control.greet_outbound()
                self.facts.handed_over = True
                await self._talk(control, channel)
                await self._hang_up(control)
            except TomrtError as error:
                self.facts.control = str(error)
            nursery.cancel_scope.cancel()

    def _take(self, event: EslEvent) -> None:
        if event.uuid == self._uuid and event.name in {"CHANNEL_HANGUP", "CHANNEL_HANGUP_COMPLETE"}:
            self._ended.set()

    async def _talk(self, control: ControlLink, channel: EslEvent) -> None:
        rate = channel.get("Channel-Read-Codec-Rate")
        line = Line(
            codec=channel.get("Channel-Read-Codec-Name"),
            rate_hz=int(rate) if rate in {"8000", "16000"} else DEFAULT_RATE_HZ,
        )
        self.facts.codec, self.facts.frame_bytes = f"{line.codec} {line.rate_hz} Hz", line.frame_bytes
        with lend_ports(self.settings) as (udp, switch, ours):
            self.facts.audio_from, self.facts.audio_to = f"{switch[0]}:{switch[1]}", f"{ours[0]}:{ours[1]}"
            await control.command(esl_commands.unicast(switch, ours, native=line.native))
            await AudioTrial(udp=udp, switch=switch, line=line, facts=self.facts, tell=self.tell).run()

    async def _hang_up(self, control: ControlLink) -> None:
        self.tell("hanging up")
        await control.command(esl_commands.hang_up("NORMAL_CLEARING"))
        with trio.move_on_after(HANG_UP_S):
            await self._ended.wait()
        self.facts.hung_up = self._ended.is_set()

    async def _leave_nothing(self) -> None:
        """Kill the call, and wait for one that was asked for and is not there yet."""
        with trio.move_on_after(CLEAN_UP_S, shield=True):
            while self._asked_for and not self._ended.is_set() and not await self._killed():
                await trio.sleep(LOOK_AGAIN_S)

    async def _killed(self) -> bool:
        """Kill the call; return whether there is nothing left to wait for."""
        try:
            await self.link.api(f"uuid_kill {self._uuid}")
        except SwitchError as error:
            return not error.gone or self._settled or self.link.gone.is_set()
        return True
