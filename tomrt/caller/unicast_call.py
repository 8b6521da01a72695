"""A call as stock FreeSWITCH hands it over: an event socket to the service, and the audio beside it by unicast."""

from __future__ import annotations

import trio

from tomrt.caller.event_socket import TRANSFERRED, SwitchSide, UnicastPorts
from tomrt.caller.lanes import CALLER_HUNG_UP, Lanes, Watch
from tomrt.caller.line import CONNECT_S, Stream, until_over
from tomrt.caller.packet_ear import PacketEar
from tomrt.caller.packet_form import BarePackets, bare_l16, bare_pcmu
from tomrt.caller.packet_line import FIRST_PACKET_S, PacketLine, open_socket
from tomrt.caller.plan import CallPlan, CallRecord
from tomrt.errors import ProtocolError

__all__ = ["talk_by_unicast"]

FAREWELL_S = 1.0
"""A service that lingers has so long to take note of the hang-up."""
READ_BYTES = 65_536
WIDEBAND_CODEC = "G722"


async def talk_by_unicast(stream: Stream, plan: CallPlan, watch: Watch = lambda _, __: None) -> CallRecord:
    """Hold the call *plan*, handed over on the connected *stream*, until the script or the service ends it.

    Raises:
        TooSlowError: the service gave no command within five seconds, or never asked for audio (in a group).
        ProtocolError: what it says are no commands (in a group).
    """
    call = _Call(stream, plan, watch)
    await until_over(call.lanes.over, call.obey, call.carry)
    with trio.move_on_after(FAREWELL_S):
        await call.part()
    return call.lanes.record()


class _Call:
    def __init__(self, stream: Stream, plan: CallPlan, watch: Watch) -> None:
        self._stream = stream
        narrow = plan.rate_hz == 8000
        self._side = SwitchSide(
            uuid=plan.call_id,
            codec="PCMU" if narrow else WIDEBAND_CODEC,
            rate_hz=plan.rate_hz,
            variables={"tomrt_token": plan.token} if plan.token else {},
        )
        self._rate_hz = plan.rate_hz
        self._ear = PacketEar(plan.rate_hz, bare_pcmu() if narrow else bare_l16(plan.rate_hz))
        self._asked = trio.Event()
        self._commanded = trio.Event()
        self.lanes = Lanes(plan, self._ear, watch)

    async def obey(self) -> None:
        """Answer the service's commands until it ends the call, or the connection, which ends the call, too."""
        try:
            while data := await self._stream.receive_some(READ_BYTES):
                self._commanded.set()
                await self._answer(bytes(data))
                if self._side.unicast:
                    self._asked.set()
                if self._side.ended:
                    self._end(self._side.ended)
        except trio.BrokenResourceError:
            pass
        self._end("it closed the connection")

    async def carry(self) -> None:
        """Wait for the command to carry audio, and carry it."""
        with trio.fail_after(CONNECT_S):
            await self._asked.wait()
        ports = self._side.unicast
        assert ports is not None
        self._ear.form = self._form(ports)
        try:
            socket = await open_socket(ports.local)
        except OSError as error:
            # FreeSWITCH says +OK all the same, and the call goes on without a sound.
            self._ear.fault(f"unicast cannot have {ports.local[0]}:{ports.local[1]}: {error.strerror or error}")
            return
        with socket:
            await trio.sleep(FIRST_PACKET_S)
            self.lanes.begin()
            line = PacketLine(self.lanes, self._ear, socket, lambda packet: socket.sendto(packet, ports.remote))
            await until_over(self.lanes.over, line.speak, line.listen)

    async def part(self) -> None:
        """Hang up where the service has not, and wait until it closes the connection."""
        for fault in self._side.faults:
            self._ear.fault(fault)
        if self.lanes.ended != CALLER_HUNG_UP:
            return
        try:
            await self._stream.send_all(self._side.hang_up("NORMAL_CLEARING"))
            while data := await self._stream.receive_some(READ_BYTES):
                await self._answer(bytes(data))
        except trio.BrokenResourceError:
            return

    async def _answer(self, data: bytes) -> None:
        if said := self._side.feed(data):
            await self._stream.send_all(said)

    def _form(self, ports: UnicastPorts) -> BarePackets:
        if not ports.native:
            return bare_l16(self._rate_hz)
        if self._rate_hz != 8000:
            raise ProtocolError(f"native {WIDEBAND_CODEC} was asked for, which this caller does not speak")
        return bare_pcmu()

    def _end(self, why: str) -> None:
        how = "put the caller through" if why == TRANSFERRED else "hung up"
        self.lanes.end(f"the service {how}" + (f" ({why})" if why not in {TRANSFERRED, "NORMAL_CLEARING"} else ""))
        self._ear.line_closed(self.lanes.now)
