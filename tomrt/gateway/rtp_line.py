"""A call's line over RTP: the port that a call is written against."""

from __future__ import annotations

import uuid
from collections import deque
from collections.abc import Callable

import trio
from attrs import define, field

from tomrt.audio import JitterBuffer
from tomrt.audio.emodel import burst_ratio, mean_opinion_score, rating
from tomrt.audio.slots import PERIOD_S, SlotClock
from tomrt.errors import ProtocolError
from tomrt.events import CallInfo, Dialect, LineAudio, LineClosed, LineDigit, LineEvent
from tomrt.gateway.rtp_payloads import LineCodec, Payloads
from tomrt.gateway.rtp_reports import RtpReports, next_report_in
from tomrt.gateway.rtp_sender import RtpSender
from tomrt.gateway.rtp_sockets import ReturnPath
from tomrt.gateway.rtp_stranger import Heard
from tomrt.happenings import Happening, LineMeasured
from tomrt.ports import Egress
from tomrt.wire.rtp import RtpPacket
from tomrt.wire.rtp_statistics import Reception
from tomrt.wire.telephone_event import KeyPresses, parse_telephone_event

__all__ = ["RtpLine"]

MOST_AT_ONCE = 50
"""Frames delivered together after a stall of ours: a second; what was missed beyond that is left out."""
MOST_KEYS = 64
PUNCTUAL_S = 0.1
"""Only when it was not held up itself does the line judge that the peer has been silent."""
PACKET_MS = 20.0
GRACE_S = 0.006
"""A slot waits so long for a packet that should be there: better than to make something up, which also costs a frame
of delay from then on."""
CALM_S = 5.0
CALM_TARGET_MS = 10.0
EASE_S = 0.009
"""A frame of delay that a hiccup left behind would stay: the jitter buffer does not know that slots wait for packets.
While they all come in time for that, it is told that it is pulled so much later, and lets go of the frame."""


@define
class _Waiting:
    """What the jitter buffer adds, by Little's law: how much sound waits, over time, for each ms that came."""

    _area: float = 0.0
    _came_ms: float = 0.0
    _held_ms: float = 0.0
    _fresh_ms: float = 0.0
    _fresh_at: float = 0.0

    def came(self, ms: float, now: float) -> None:
        self._fresh_ms += ms
        self._fresh_at += ms * now

    def pulled(self, held_ms: float, slot: float) -> None:
        """Take note of a pull, and of what is still held after it."""
        self._area += self._held_ms * PERIOD_S + max(self._fresh_ms * slot - self._fresh_at, 0.0)
        self._came_ms += self._fresh_ms
        self._held_ms, self._fresh_ms, self._fresh_at = held_ms, 0.0, 0.0

    @property
    def mean_ms(self) -> float:
        return 1000 * self._area / self._came_ms if self._came_ms else 0.0


@define(eq=False)
class RtpLine:
    """One call's line; see :class:`tomrt.ports.Transport`.

    The door hands in what arrives (:meth:`take`, :meth:`take_report`); ``receive`` pulls 20 ms out of the jitter buffer
    at each slot of a clock that keeps in step with the arrivals.

    Args:
        first: The packet that the call began with, and when it came; it has to be taken like the others.
        codec: What its payload is in; the line's rate is that of the codec.
        payload_type: Of the codec.
        payloads: All payload types that are taken.
        back: The way to the peer.
        idle_s: Without packets for this long the line is idle.
        note: Counts what happens on the line: ``rtp``/word.
    """

    first: Heard
    codec: LineCodec
    payload_type: int
    payloads: Payloads
    back: ReturnPath
    idle_s: float
    note: Callable[[str, str], None]
    info: CallInfo = field(init=False)
    egress: Egress = field(init=False)
    reports: RtpReports = field(init=False)
    jitter: JitterBuffer = field(init=False)
    _clock: SlotClock = field(init=False)
    _sender: RtpSender = field(init=False)
    _reception: Reception = field(init=False)
    _waiting: _Waiting = field(factory=_Waiting, init=False)
    _presses: KeyPresses = field(factory=KeyPresses, init=False)
    _digits: deque[str] = field(factory=deque, init=False)
    _other: Heard | None = field(default=None, init=False)
    _closed: LineClosed | None = field(default=None, init=False)
    _said_goodbye: bool = field(default=False, init=False)
    _came: trio.Event = field(factory=trio.Event, init=False)
    _pulled_at: float = field(init=False)
    _heard_at: float = field(init=False)
    _missed_slot_at: float = field(init=False)

    def __attrs_post_init__(self) -> None:
        packet, at = self.first
        rate_hz = self.codec.rate_hz
        self.info = CallInfo(call_id=str(uuid.uuid4()), dialect=Dialect.RTP, rate_hz=rate_hz)
        self.jitter = JitterBuffer(rate_hz, start_ms=0.0)
        self._clock = SlotClock(at)
        self.egress = Egress(slots=self._clock.send_at)
        self._sender = RtpSender(self.codec, self.payload_type, peer_ssrc=packet.ssrc)
        self._reception = Reception(packet.ssrc, rate_hz)
        self.reports = RtpReports(self._sender, self._reception)
        self._pulled_at = at - PERIOD_S / 2  # so that the first slot is the first packet's own
        self._heard_at = at
        self._missed_slot_at = at - CALM_S

    @property
    def ssrc(self) -> int:
        """Who is heard."""
        return self._reception.ssrc

    # --- what arrives -------------------------------------------------------------------------------------------------

    def take(self, packet: RtpPacket, now: float) -> None:
        """Take a packet from the peer's address; what is wrong with it is counted, and no more."""
        if self._closed is not None:
            return
        if packet.ssrc == self._reception.ssrc:
            self._other = None
            self._accept(packet, now)
        elif packet.ssrc == self._sender.ssrc:
            self.note("rtp", "looped")
        else:
            self._suspect(packet, now)

    def take_report(self, data: bytes, now: float, *, together: bool) -> None:
        """Take an RTCP datagram of the peer.

        Args:
            data: The datagram.
            now: When it came.
            together: It came on the port of RTP.
        """
        try:
            leaves = self.reports.take(data, now)
        except ProtocolError:
            self.note("rtp", "malformed_report")
            return
        self.back.reports_came(together=together)
        if leaves:
            self._close("hangup")

    def _suspect(self, packet: RtpPacket, now: float) -> None:
        """Change to another source when two packets in a row come of it; one alone is nothing."""
        other, self._other = self._other, (packet, now)
        follows = (
            other is not None and other[0].ssrc == packet.ssrc and (other[0].sequence + 1) & 0xFFFF == packet.sequence
        )
        if other is None or not follows:
            self.note("rtp", "other_source")
            return
        self.note("rtp", "source_changed")
        self._other = None
        self._reception.change(packet.ssrc)
        self._presses.reset()
        self.jitter.reset()
        self._accept(*other)
        self._accept(packet, now)

    def _accept(self, packet: RtpPacket, now: float) -> None:
        belongs = self._reception.take(packet.sequence)
        self._heard_at = now
        codec = self.payloads.codec(packet.payload_type)
        try:
            if codec is not None:
                self._hear(codec, packet, now)
            elif packet.payload_type == self.payloads.keys:
                self._press(packet, belongs=belongs)
            else:
                self.note("rtp", "unknown_payload")
        except ProtocolError:
            self.note("rtp", "malformed_payload")

    def _hear(self, codec: LineCodec, packet: RtpPacket, now: float) -> None:
        if codec.rate_hz != self.info.rate_hz:
            self.note("rtp", "other_rate")
            return
        pcm = codec.read(packet.payload)
        self._sender.codec, self._sender.payload_type = codec, packet.payload_type
        self._reception.arrived(packet.timestamp, now)
        self._clock.arrived(now)
        if PERIOD_S / 2 < self._clock.pull_at(now - PERIOD_S / 2) - now < PERIOD_S - GRACE_S:
            self._missed_slot_at = now
        self._waiting.came(len(pcm) / 2 * 1000 / codec.rate_hz, now)
        self.jitter.insert(packet.sequence, packet.timestamp, pcm, now)
        self._came.set()

    def _press(self, packet: RtpPacket, *, belongs: bool) -> None:
        event = parse_telephone_event(packet.payload)
        if not belongs:
            return
        if key := self._presses.take(packet.timestamp, event):
            if len(self._digits) < MOST_KEYS:
                self._digits.append(key)
            else:
                self.note("rtp", "key_dropped")

    # --- the port -----------------------------------------------------------------------------------------------------

    async def receive(self) -> LineEvent:
        """Wait for the next line event; after ``LineClosed`` return that again."""
        while True:
            if self._digits:
                await trio.lowlevel.checkpoint()
                return LineDigit(self._digits.popleft())
            if self._closed is not None:
                await trio.lowlevel.checkpoint()
                return self._closed
            slot = self._clock.pull_at(self._pulled_at)
            await trio.sleep_until(slot)
            await self._wait_for_packet(slot)
            if self._digits or self._closed is not None:
                continue
            now = trio.current_time()
            if now >= self._heard_at + self.idle_s and now < slot + PUNCTUAL_S:
                self._close("idle")
            elif pcm := self._pull(now):
                return LineAudio(pcm)

    async def send_audio(self, pcm: bytes, *, mark: str | None = None) -> None:  # noqa: ARG002 - RTP has no marks
        """Send mono PCM at the line's rate, in packets of 20 ms."""
        if self._closed is None:
            for packet in self._sender.packets_of(pcm, trio.current_time()):
                self.back.send(packet)
        await trio.lowlevel.checkpoint()

    async def flush(self) -> None:
        """Do nothing: what is sent is played at once."""
        await trio.lowlevel.checkpoint()

    async def notify(self, happening: Happening) -> None:  # noqa: ARG002 - RTP has no words for it
        """Do nothing."""
        await trio.lowlevel.checkpoint()

    async def hang_up(self, reason: str) -> None:  # noqa: ARG002 - a reason would say something about the caller
        """Say goodbye in RTCP; a second call does nothing."""
        self._close("hangup")
        self._say_goodbye()
        await trio.lowlevel.checkpoint()

    async def write_reports(self) -> None:
        """Send a report every few seconds, until the line is closed; runs beside the call."""
        while self._closed is None:
            await trio.sleep(next_report_in())
            if self._closed is None:
                self.back.report(self.reports.make(trio.current_time()))

    def end(self, now: float) -> LineMeasured:
        """Close the line if it is not closed, and return what it was like."""
        self._close("hangup")
        self._say_goodbye()
        return self._measured(now)

    async def _wait_for_packet(self, slot: float) -> None:
        """Wait a little where a packet is overdue, and the peer has not simply paused."""
        if self.jitter.held_ms < PACKET_MS and slot - self._heard_at < 2 * PERIOD_S and self._closed is None:
            self._came = trio.Event()
            with trio.move_on_at(slot + GRACE_S):
                await self._came.wait()

    def _pull(self, now: float) -> bytes:
        """Return 20 ms for each slot until now; what is missing is made up."""
        pulled: list[bytes] = []
        slot = self._clock.pull_at(self._pulled_at)
        while slot <= now:
            if len(pulled) == MOST_AT_ONCE:
                self.note("rtp", "stalled")
                self._pulled_at = now
                break
            calm = slot - self._missed_slot_at > CALM_S and self.jitter.target_ms <= CALM_TARGET_MS
            pulled.append(self.jitter.pull(slot + EASE_S if calm else slot))
            self._waiting.pulled(self.jitter.held_ms, slot)
            self._pulled_at = slot
            slot = self._clock.pull_at(slot)
        return b"".join(pulled)

    def _close(self, reason: str) -> None:
        if self._closed is None:
            self._closed = LineClosed(reason)
            self._said_goodbye = reason == "idle"  # whoever has the address by now is not the peer
            self.note("rtp", reason)

    def _say_goodbye(self) -> None:
        if not self._said_goodbye:
            self._said_goodbye = True
            self.back.report(self.reports.goodbye(trio.current_time()))

    def _measured(self, now: float) -> LineMeasured:
        reception, counts, round_trip_s = self._reception, self.jitter.counts, self.reports.round_trip.seconds
        expected = reception.total_expected
        missing = expected - reception.total_received + counts.duplicate + counts.late + counts.overflow
        lost = min(max(missing / expected, 0.0), 1.0) if expected else 0.0
        way_ms = PACKET_MS + self._waiting.mean_ms + (round_trip_s or 0.0) * 500
        quality = rating(delay_ms=way_ms, loss=lost, burst_ratio=burst_ratio(reception.mean_gap, lost))
        return LineMeasured(
            call_id=self.info.call_id,
            at=now,
            received=reception.total_received,
            lost=lost,
            jitter_ms=reception.mean_jitter * 1000 / self.info.rate_hz,
            delay_ms=self._waiting.mean_ms,
            round_trip_ms=None if round_trip_s is None else round_trip_s * 1000,
            mos=mean_opinion_score(quality),
        )
