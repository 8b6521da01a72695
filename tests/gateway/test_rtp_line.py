"""A call's line over RTP under a virtual clock: what it hears, says, counts, and how it ends."""

from itertools import pairwise

import pytest
import trio
import trio.testing
from fakes.speech import speech
from hypothesis import given, settings
from hypothesis import strategies as st
from rtp_world import FRAME_S, key, packet, tones_in

from tomrt.audio import ulaw_decode, ulaw_encode
from tomrt.events import Dialect, LineAudio, LineClosed, LineDigit
from tomrt.gateway.rtp_line import RtpLine
from tomrt.gateway.rtp_payloads import Payloads
from tomrt.settings import Rtp
from tomrt.wire.rtcp import (
    Goodbye,
    ReceiverReport,
    ReportBlock,
    SenderReport,
    SourceDescription,
    parse_rtcp,
    write_rtcp,
)
from tomrt.wire.rtp import RtpPacket, parse_rtp
from tomrt.wire.rtp_statistics import middle

SSRC = 0xCA11


class Back:
    """The way to the peer, ending in lists."""

    def __init__(self) -> None:
        self.sent: list[RtpPacket] = []
        self.reports: list[bytes] = []
        self.together: list[bool] = []

    def send(self, data: bytes) -> None:
        self.sent.append(parse_rtp(data))

    def report(self, data: bytes) -> None:
        self.reports.append(data)

    def reports_came(self, *, together: bool) -> None:
        self.together.append(together)


class Ear:
    """A line and what was heard on it, with times since its first packet."""

    def __init__(self, *, idle_s: float = 1.0, payload_type: int = 0, first: bytes | None = None) -> None:
        payloads = Payloads(Rtp())
        self.back = Back()
        self.counts: list[str] = []
        self.start = trio.current_time()
        self.events: list[tuple[float, object]] = []
        self.line = RtpLine(
            first=(parse_rtp(first or packet(0)), self.start),
            codec=payloads.codec(payload_type),
            payload_type=payload_type,
            payloads=payloads,
            back=self.back,
            idle_s=idle_s,
            note=lambda what, kind: self.counts.append(f"{what}/{kind}"),
        )

    def take(self, data: bytes) -> None:
        self.line.take(parse_rtp(data), trio.current_time())

    async def feed(self, packets: list[tuple[float, bytes]]) -> None:
        for at, data in packets:
            await trio.sleep_until(self.start + at)
            self.take(data)

    async def hear(self) -> None:
        while True:
            event = await self.line.receive()
            self.events.append((trio.current_time() - self.start, event))
            if isinstance(event, LineClosed):
                return

    async def run(self, packets: list[tuple[float, bytes]]) -> None:
        """Feed *packets* at their times and hear until the line closes."""
        self.take(packets[0][1])
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self.feed, packets[1:])
            await self.hear()

    @property
    def pcm(self) -> bytes:
        return b"".join(event.pcm for _, event in self.events if isinstance(event, LineAudio))

    @property
    def digits(self) -> str:
        return "".join(event.digit for _, event in self.events if isinstance(event, LineDigit))

    @property
    def closed(self) -> LineClosed:
        return self.events[-1][1]


def steady(frames: int, start: int = 0) -> list[tuple[float, bytes]]:
    """Return packets 20 ms apart."""
    return [(FRAME_S * index, packet(index)) for index in range(start, start + frames)]


async def test_a_clean_stream_is_heard_as_it_was_said(autojump_clock):
    """Every sample in order, from the first packet on, and each within 5 ms of its arrival: no frame is added."""
    ear = Ear()
    sound = ulaw_encode(speech(2.0))
    frames = [sound[at : at + 160] for at in range(0, len(sound), 160)]
    await ear.run([(FRAME_S * index, packet(index, frame)) for index, frame in enumerate(frames)])
    assert ear.pcm[: 2 * len(sound)] == ulaw_decode(sound)
    delivered = [at for at, event in ear.events if isinstance(event, LineAudio)]
    waits = [at - FRAME_S * index for index, at in enumerate(delivered[: len(frames)])]
    assert max(waits) <= 0.005
    assert ear.line.info.dialect is Dialect.RTP
    assert ear.line.egress.slots(ear.start + 1.0) - ear.start == pytest.approx(1.003)  # 1 ms after a pull
    assert not ear.line.egress.marks
    assert len(ear.line.info.call_id) == 36


async def test_audio_never_stops_until_the_line_is_idle(autojump_clock):
    """When packets stop there is still a frame every 20 ms; after the idle time the line closes, and stays closed."""
    ear = Ear(idle_s=1.5)
    await ear.run(steady(10))
    assert ear.closed == LineClosed("idle")
    assert 1.5 <= ear.events[-1][0] - 0.18 <= 1.53
    assert len(ear.pcm) // 320 in {84, 85}
    assert await ear.line.receive() == LineClosed("idle")
    await ear.line.send_audio(bytes(320))
    ear.line.end(trio.current_time())
    assert (ear.back.sent, ear.back.reports) == ([], [])


async def test_loss_is_filled_and_measured(autojump_clock):
    """Frames that never came are made up in place; the line tells the share of them, and a score below the best."""
    ear = Ear()
    missing = set(range(10, 190, 20))
    await ear.run([each for index, each in enumerate(steady(200)) if index not in missing])
    heard = tones_in(ear.pcm)
    assert set(range(100)) - {10, 30, 50, 70, 90} <= set(heard)
    assert len(ear.pcm) // 320 >= 200
    measured = ear.line.end(trio.current_time())
    assert measured.received == 190  # the first of all is not counted by the RFC's rules
    assert measured.lost == pytest.approx(9 / 199)
    assert 3.0 < measured.mos < 4.3


async def test_late_frames_count_as_lost(autojump_clock):
    """A packet that comes after its place was passed has come and was not heard."""
    ear = Ear()
    packets = [(at + (0.15 if index == 100 else 0), data) for index, (at, data) in enumerate(steady(200))]
    await ear.run(sorted(packets))
    measured = ear.line.end(trio.current_time())
    assert ear.line.jitter.counts.late == 1
    assert measured.lost == pytest.approx(1 / 199)


async def test_the_delay_is_what_frames_wait(autojump_clock):
    """A clean stream waits for the clock's guard time alone, 2 ms, and that is what is told."""
    ear = Ear()
    await ear.run(steady(300))
    measured = ear.line.end(trio.current_time())
    assert measured.delay_ms == pytest.approx(2.0, abs=1.0)
    assert measured.jitter_ms < 0.1
    assert measured.mos == pytest.approx(4.41, abs=0.01)
    assert measured.round_trip_ms is None


async def test_a_packet_a_little_late_is_waited_for(autojump_clock):
    """Packets up to 7 ms late are heard as they are: nothing is made up, and nothing waits longer for it."""
    ear = Ear()
    packets = [(at + (0.007 if index % 7 == 3 else 0), data) for index, (at, data) in enumerate(steady(500))]
    await ear.run(packets)
    counts = ear.line.jitter.counts
    assert counts.played == 500
    assert counts.underruns <= 52  # those after the last packet
    measured = ear.line.end(trio.current_time())
    assert (measured.lost, measured.received) == (0, 499)
    assert measured.delay_ms < 10


async def test_a_hiccup_of_the_network_leaves_no_delay_behind(autojump_clock):
    """After packets that were late, frames wait a while longer; on a network that is clean again they do not."""
    ear = Ear()
    sound = ulaw_encode(speech(16.0))
    packets = [
        (
            FRAME_S * index + (0.03 if index in {50, 51, 52} else 0),
            packet(index, sound[160 * index : 160 * index + 160]),
        )
        for index in range(800)
    ]
    held = []
    await ear.feed(sorted(packets)[:1])
    async with trio.open_nursery() as nursery:
        nursery.start_soon(ear.feed, sorted(packets)[1:])
        nursery.start_soon(ear.hear)
        for _ in range(160):
            await trio.sleep(0.1)
            held.append(ear.line.jitter.held_ms)
    assert max(held[10:30]) >= 20
    assert ear.line.jitter.counts.shortened > 0
    assert max(held[140:150]) < 5


@settings(max_examples=25, deadline=None)
@given(st.randoms(use_true_random=False), st.floats(0, 0.1), st.floats(0, 0.1), st.integers(0, 30))
def test_what_is_heard_is_in_order_and_complete(dice, loss, doubled, jitter_ms):
    """Under loss, repetition and jitter there is a frame for each slot, and no packet is lost track of."""

    async def scene() -> None:
        ear = Ear()
        packets = []
        for index in range(100):
            if index < 2 or dice.random() >= loss:
                copies = 1 + (dice.random() < doubled)
                packets += [(FRAME_S * index + dice.random() * jitter_ms / 1000, packet(index)) for _ in range(copies)]
        await ear.run(sorted(packets))
        counts = ear.line.jitter.counts
        assert counts.received == len(packets)
        assert counts.restarts == counts.overflow == 0
        assert counts.played + counts.late + counts.duplicate == len(packets)
        seconds = ear.events[-1][0]
        assert abs(len(ear.pcm) / 16_000 - seconds) < 0.05
        measured = ear.line.end(trio.current_time())
        assert 0 <= measured.lost <= loss + 0.5
        assert 1 <= measured.mos <= 4.5

    trio.run(scene, clock=trio.testing.MockClock(autojump_threshold=0))


@pytest.mark.parametrize("frames", [1, 2, 3, 4, 5, 6])
async def test_packets_of_other_lengths(autojump_clock, frames):
    """10 to 60 ms in a packet make the same 20 ms frames."""
    sound = ulaw_encode(speech(1.2))
    size = 80 * frames
    pieces = [sound[at : at + size] for at in range(0, len(sound) - size, size)]
    stamps = (0.01 * frames * index for index in range(len(pieces)))
    first = packet(0, pieces[0])
    ear = Ear(first=first)
    await ear.run(
        [
            (at, packet(index, piece, timestamp=(0xFFFFF000 + size * index) & 0xFFFFFFFF))
            for index, (at, piece) in enumerate(zip(stamps, pieces, strict=True))
        ]
    )
    assert ear.line.jitter.counts.played == len(pieces)
    assert len({len(event.pcm) for _, event in ear.events if isinstance(event, LineAudio)}) == 1


async def test_l16_is_heard_and_answered_at_16_khz(autojump_clock):
    """A line of L16 has 16 kHz both ways."""
    first = packet(0, bytes(640), payload_type=118)
    ear = Ear(payload_type=118, first=first)
    assert ear.line.info.rate_hz == 16_000
    sound = speech(0.4, 16_000)
    wire = Payloads(Rtp()).codec(118).encode(sound)
    packets = [
        (FRAME_S * index, packet(index, wire[640 * index : 640 * index + 640], payload_type=118, timestamp=320 * index))
        for index in range(20)
    ]
    await ear.run(packets)
    assert ear.pcm[: len(sound)] == sound
    ear = Ear(payload_type=118, first=first)
    await ear.line.send_audio(sound[:640])
    assert (ear.back.sent[0].payload_type, ear.back.sent[0].payload) == (118, wire[:640])


async def test_answers_are_in_what_the_peer_speaks(autojump_clock):
    """When the peer changes from mu-law to A-law, so do we; another rate within the call is left out."""
    ear = Ear()
    await ear.line.send_audio(bytes(320))
    ear.take(packet(0))
    ear.take(packet(1, b"\xd5" * 160, payload_type=8))
    await ear.line.send_audio(bytes(320))
    ear.take(packet(2, bytes(640), payload_type=118))
    await ear.line.send_audio(bytes(320))
    assert [sent.payload_type for sent in ear.back.sent] == [0, 8, 8]
    assert [sent.payload[:1] for sent in ear.back.sent] == [b"\xff", b"\xd5", b"\xd5"]
    assert ear.counts == ["rtp/other_rate"]


def pressing(event: int, at: int, frames: int, sequence: int) -> list[tuple[float, bytes]]:
    """Return the packets of a press at frame *at*: one a frame, three at its end."""
    packets = [(FRAME_S * (at + frame), key(sequence + frame, at, event, 160 * (frame + 1))) for frame in range(frames)]
    end = FRAME_S * (at + frames)
    more = [
        (end + 0.001 * copy, key(sequence + frames + copy, at, event, 160 * frames, ended=True)) for copy in range(3)
    ]
    return packets + more


async def test_keys_are_digits_and_cost_the_sound_nothing(autojump_clock):
    """A press is one digit at its first packet; the voice goes on without added delay, and nothing is lost."""
    ear = Ear()
    before = steady(20)
    pressed = pressing(11, 20, 8, 20)
    after = [(FRAME_S * (29 + index), packet(31 + index, timestamp=(0xFFFFF000 + 160 * (29 + index)) & 0xFFFFFFFF))
             for index in range(50)]  # fmt: skip
    await ear.run(before + pressed + after)
    assert ear.digits == "#"
    told = next(at for at, event in ear.events if isinstance(event, LineDigit))
    assert FRAME_S * 20 <= told <= FRAME_S * 21.5
    assert ear.line.jitter.counts.played == 70
    assert ear.line.jitter.held_ms == 0
    measured = ear.line.end(trio.current_time())
    assert measured.lost == 0
    assert measured.delay_ms < 5


async def test_keys_of_packets_lost_and_doubled(autojump_clock):
    """Whatever of a press comes, it is one digit."""
    ear = Ear()
    presses = (
        pressing(1, 5, 5, 5) + pressing(2, 15, 5, 13)[2:5] + pressing(2, 25, 5, 21)[-1:] + 2 * pressing(3, 35, 5, 29)
    )
    await ear.run(sorted([*steady(5), *presses]))
    assert ear.digits == "1223"


async def test_keys_that_nobody_reads_are_bounded(autojump_clock):
    """A peer that presses keys faster than anybody reads loses them, counted."""
    ear = Ear()
    ear.take(packet(0))
    for index in range(1, 101):
        ear.take(key(index, index, 5, 160))
    assert ear.counts.count("rtp/key_dropped") == 36


async def test_another_source_takes_over_after_two_packets(autojump_clock):
    """One packet of another source is nothing; two in a row go on as the same call, with all their sound."""
    ear = Ear()
    packets = steady(10)
    packets.insert(5, (FRAME_S * 4.5, packet(77, ssrc=99)))
    other = [
        (FRAME_S * index, packet(index, sequence=5000 + index, timestamp=160 * index, ssrc=99))
        for index in range(10, 40)
    ]
    await ear.run(packets + other)
    assert ear.counts.count("rtp/source_changed") == 1
    assert ear.line.ssrc == 99
    heard = tones_in(ear.pcm)
    assert [number for number in heard if number in range(12, 40)] == list(range(12, 40))
    assert ear.line.jitter.counts.received == 40


async def test_our_own_packets_coming_back_are_not_heard(autojump_clock):
    """A peer that sends back what we send makes no call with itself."""
    ear = Ear()
    ear.take(packet(0))
    for _ in range(5):
        await ear.line.send_audio(bytes(320))
    for sent in ear.back.sent:
        ear.line.take(sent, trio.current_time())
    assert ear.counts == 5 * ["rtp/looped"]
    assert ear.line.ssrc == SSRC


async def test_frames_missed_in_a_stall_come_together(autojump_clock):
    """Who comes late gets all the slots that passed, a second at most; what is beyond is counted."""
    ear = Ear(idle_s=60)
    for index in range(5):
        ear.take(packet(index))
    await trio.sleep(0.5)
    event = await ear.line.receive()
    assert len(event.pcm) // 320 in {25, 26}
    await trio.sleep(3.0)
    event = await ear.line.receive()
    assert len(event.pcm) // 320 == 50
    assert ear.counts == ["rtp/stalled"]
    assert len((await ear.line.receive()).pcm) == 320


async def test_a_stall_of_ours_is_not_the_peers_silence(autojump_clock):
    """Held up for longer than the idle time, the line looks again before it is closed."""
    ear = Ear(idle_s=1.0)
    ear.take(packet(0))
    await ear.line.receive()
    await trio.sleep(2.0)
    assert isinstance(await ear.line.receive(), LineAudio)
    ear.take(packet(1, sequence=0xFFF1))
    assert isinstance(await ear.line.receive(), LineAudio)


# --- reports ---------------------------------------------------------------------------------------------------------


async def test_a_goodbye_of_the_peer_ends_the_call(autojump_clock):
    """A BYE that names the source is a hang-up; one that names another is nothing."""
    ear = Ear()
    ear.take(packet(0))
    report = ReceiverReport(ssrc=SSRC)
    ear.line.take_report(write_rtcp(report, Goodbye(sources=(1, 2))), ear.start, together=False)
    assert isinstance(await ear.line.receive(), LineAudio)
    ear.line.take_report(write_rtcp(report, Goodbye(sources=(1, SSRC))), ear.start, together=True)
    assert await ear.line.receive() == LineClosed("hangup")
    assert ear.back.together == [False, True]


async def test_hanging_up_says_goodbye_once(autojump_clock):
    """Hanging up twice, and the end of the call, send one BYE with our own source, after a report and a name."""
    ear = Ear()
    for index in range(2):
        ear.take(packet(index))
    await ear.line.send_audio(bytes(320))
    await ear.line.hang_up("ended")
    await ear.line.hang_up("ended")
    ear.line.end(trio.current_time())
    assert len(ear.back.reports) == 1
    report, name, goodbye = parse_rtcp(ear.back.reports[0])
    ours = ear.back.sent[0].ssrc
    assert isinstance(report, SenderReport)
    assert (report.ssrc, report.packets, report.octets) == (ours, 1, 160)
    assert name.names[0][0] == ours
    assert goodbye == Goodbye(sources=(ours,))
    assert await ear.line.receive() == LineClosed("hangup")


async def test_reports_are_sent_every_few_seconds(autojump_clock):
    """Between 2.5 and 7.5 s apart, a sender's while we speak and a receiver's while we do not, always with our name."""
    ear = Ear(idle_s=100)
    for index in range(2):
        ear.take(packet(index))
    times = []
    async with trio.open_nursery() as nursery:
        nursery.start_soon(ear.line.write_reports)
        for second in range(60):
            if second < 30:
                await ear.line.send_audio(bytes(320))
            await trio.sleep(1)
            times += [second] * (len(ear.back.reports) - len(times))
        ear.line.end(trio.current_time())
    *reports, last = (parse_rtcp(data) for data in ear.back.reports)
    assert 8 <= len(reports) <= 24
    assert all(2 <= after - before <= 8 for before, after in pairwise(times))
    kinds = [type(report[0]) for report in reports]
    assert kinds[0] is SenderReport
    assert kinds[-1] is ReceiverReport
    assert len({report[1].names for report in reports}) == 1
    assert isinstance(reports[0][1], SourceDescription)
    assert reports[0][0].blocks[0].ssrc == SSRC
    assert isinstance(last[-1], Goodbye)


async def test_the_round_trip_is_measured(autojump_clock):
    """The peer's block about our report gives the round trip and its loss, which the score of the call knows."""
    ear = Ear()
    for index in range(2):
        ear.take(packet(index))
    await ear.line.send_audio(bytes(320))
    ours = parse_rtcp(ear.line.reports.make(trio.current_time()))[0]
    await trio.sleep(1.3)
    block = ReportBlock(ssrc=ours.ssrc, fraction_lost=64, last_report=middle(ours.time), delay=65536)
    stranger = ReportBlock(ssrc=ours.ssrc + 1, fraction_lost=255, last_report=middle(ours.time), delay=0)
    ear.line.take_report(
        write_rtcp(ReceiverReport(ssrc=SSRC, blocks=(block, stranger))), trio.current_time(), together=False
    )
    assert ear.line.reports.far_loss == 0.25
    measured = ear.line.end(trio.current_time())
    assert measured.round_trip_ms == pytest.approx(300, abs=1)
    assert measured.mos < 4.41


async def test_the_peers_report_is_answered(autojump_clock):
    """Our next report tells the peer's time of its own and how long ago it came."""
    ear = Ear()
    for index in range(2):
        ear.take(packet(index))
    theirs = SenderReport(ssrc=SSRC, time=0x1122334455667788, timestamp=0, packets=2, octets=320)
    ear.line.take_report(write_rtcp(theirs), trio.current_time(), together=False)
    await trio.sleep(0.5)
    block = parse_rtcp(ear.line.reports.make(trio.current_time()))[0].blocks[0]
    assert (block.last_report, block.delay) == (0x33445566, 0x8000)


@given(st.lists(st.binary(max_size=80), max_size=20), st.lists(st.binary(max_size=200), max_size=20))
def test_no_bytes_break_a_line(reports, payloads):
    """Whatever the peer puts into reports and payloads, the line counts it and goes on."""

    async def scene() -> None:
        ear = Ear()
        for index, payload in enumerate(payloads):
            ear.take(packet(index, payload))
            ear.take(packet(index, payload, payload_type=101))
            ear.take(packet(index, payload, payload_type=118))
        for data in reports:
            ear.line.take_report(data, trio.current_time(), together=False)
        while isinstance(event := await ear.line.receive(), LineDigit):
            pass
        assert isinstance(event, LineAudio)

    trio.run(scene, clock=trio.testing.MockClock(autojump_threshold=0))
