"""The door for RTP: one pair of UDP ports for all calls, told apart by the address that sends them."""

from __future__ import annotations

import socket
from collections.abc import Awaitable, Callable
from functools import partial

import trio
from attrs import define

from tomrt.errors import ProtocolError
from tomrt.gateway.admission import Admission
from tomrt.gateway.doorway import Boundary, Note
from tomrt.gateway.refusal import Busy
from tomrt.gateway.rtp_line import RtpLine
from tomrt.gateway.rtp_payloads import Payloads
from tomrt.gateway.rtp_peers import Peers, read_peers
from tomrt.gateway.rtp_sockets import Address, ReturnPath, RtpSockets, Take, open_rtp_sockets, read_datagrams
from tomrt.gateway.rtp_stranger import DEAF_S, Heard, PacketMeter, Stranger
from tomrt.ports import Tap, Transport
from tomrt.settings import Rtp
from tomrt.wire.rtp import looks_like_rtcp, parse_rtp

__all__ = ["RtpDoor", "open_rtp_sockets"]

MOST_STRANGERS = 1024
"""Addresses without a call that are remembered; beyond it the one that was heard first is forgotten."""
TIDY_S = 1.0


@define(eq=False)
class _Call:
    """A call that is on, with what limits its packets."""

    line: RtpLine
    meter: PacketMeter


class RtpDoor(Boundary):
    """Lets calls in that come as plain RTP.

    Asterisk's ExternalMedia, and any switch or border controller, has a port of its own for each call: so the address
    that packets come from is the call. An address of the allowed networks is a call once two packets in a row came from
    it; it is answered there and nowhere else. What comes after the end of a call does not begin another one until the
    address was silent for 2 s or its source changed.

    Args:
        settings: Who may send, payload types, and when a call is idle.
        admission: Counts the calls.
        serve_call: Has the conversation; when it returns, the line is hung up.
        tap: Takes what each line was like, when it ends.
        note: Counts what happens: ``rtp``/word, ``crashed``/class.

    Raises:
        SettingsError: ``rtp.peers`` makes no sense.
    """

    def __init__(
        self,
        *,
        settings: Rtp,
        admission: Admission,
        serve_call: Callable[[Transport], Awaitable[None]],
        tap: Tap,
        note: Note,
    ) -> None:
        super().__init__(note)
        self._idle_s = settings.idle_s
        self._peers: Peers = read_peers(settings.peers)
        self._payloads = Payloads(settings)
        self._admission = admission
        self._serve_call = serve_call
        self._tap = tap
        self._calls: dict[Address, _Call] = {}
        self._reporters: dict[Address, _Call] = {}
        self._strangers: dict[Address, Stranger] = {}

    @property
    def strangers(self) -> int:
        """Addresses without a call that are remembered."""
        return len(self._strangers)

    async def serve(
        self, sockets: RtpSockets, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED
    ) -> None:
        """Take calls until cancelled; the sockets stay open and are the caller's to close."""
        async with trio.open_nursery() as nursery:

            def take_rtp(data: bytes, address: Address, now: float) -> None:
                self._take_rtp(data, address, now, nursery, sockets)

            nursery.start_soon(self._read, sockets.rtp, take_rtp)
            nursery.start_soon(self._read, sockets.rtcp, self._take_rtcp)
            nursery.start_soon(self._tidy)
            task_status.started()

    # --- datagrams ----------------------------------------------------------------------------------------------------

    async def _read(self, opened: socket.socket, take: Take) -> None:
        """Read for ever; should a datagram break something, it is counted, and the next one is read."""
        while True:
            await self.guard(partial(read_datagrams, opened, take, self._note))

    def _take_rtp(self, data: bytes, address: Address, now: float, nursery: trio.Nursery, sockets: RtpSockets) -> None:
        call = self._calls.get(address)
        if call is None:
            self._take_strange(data, address, now, nursery, sockets)
        elif not call.meter.allow(now):
            self._note("rtp", "flood")
        elif looks_like_rtcp(data):
            call.line.take_report(data, now, together=True)
        else:
            try:
                packet = parse_rtp(data)
            except ProtocolError:
                self._note("rtp", "malformed")
            else:
                call.line.take(packet, now)

    def _take_rtcp(self, data: bytes, address: Address, now: float) -> None:
        call = self._reporters.get(address)
        if call is None:
            self._note("rtp", "strange_report")
        elif not call.meter.allow(now):
            self._note("rtp", "flood")
        else:
            call.line.take_report(data, now, together=False)

    def _take_strange(
        self, data: bytes, address: Address, now: float, nursery: trio.Nursery, sockets: RtpSockets
    ) -> None:
        if not self._peers.allow(address[0]):
            self._note("rtp", "not_allowed")
            return
        stranger = self._strangers.get(address)
        if stranger is None:
            stranger = Stranger(PacketMeter(now))
            self._remember(address, stranger)
        heard = stranger.hear(data, now, self._payloads)
        if isinstance(heard, str):
            self._note("rtp", heard)
            return
        try:
            self._admission.admit()
        except Busy:
            stranger.refuse(now)
            self._note("rtp", "refused")
            return
        del self._strangers[address]
        back = ReturnPath(sockets, address, self._calls.__contains__, self._note)
        nursery.start_soon(self._run_call, self._open(heard, back, stranger.meter))

    def _open(self, heard: tuple[Heard, Heard], back: ReturnPath, meter: PacketMeter) -> _Call:
        packet, _ = heard[1]
        codec = self._payloads.codec(packet.payload_type)
        assert codec is not None, "a call begins with audio"
        line = RtpLine(
            first=heard[0],
            codec=codec,
            payload_type=packet.payload_type,
            payloads=self._payloads,
            back=back,
            idle_s=self._idle_s,
            note=self._note,
        )
        for each in heard:
            line.take(*each)
        call = self._calls[back.address] = self._reporters[back.report_address] = _Call(line, meter)
        return call

    # --- calls --------------------------------------------------------------------------------------------------------

    async def _run_call(self, call: _Call) -> None:
        """Have one call to its end; whatever goes wrong in it ends here, and its line is free again."""
        try:
            await self.guard(partial(self._converse, call.line))
        finally:
            self._end(call)

    async def _converse(self, line: RtpLine) -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(line.write_reports)
            await self._serve_call(line)
            nursery.cancel_scope.cancel()

    def _end(self, call: _Call) -> None:
        line, now = call.line, trio.current_time()
        self._tap.put(line.end(now))
        address = line.back.address
        del self._calls[address], self._reporters[line.back.report_address]
        self._remember(address, Stranger(PacketMeter(now), deaf_to=line.ssrc))
        self._admission.release()

    def _remember(self, address: Address, stranger: Stranger) -> None:
        if len(self._strangers) >= MOST_STRANGERS:
            del self._strangers[next(iter(self._strangers))]
            self._note("rtp", "forgotten")
        self._strangers[address] = stranger

    async def _tidy(self) -> None:
        """Forget strangers that have fallen silent."""
        while True:
            await trio.sleep(TIDY_S)
            before = trio.current_time() - DEAF_S - TIDY_S
            for address in [each for each, stranger in self._strangers.items() if stranger.meter.at < before]:
                del self._strangers[address]
