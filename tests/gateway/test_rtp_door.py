"""The door for RTP on real sockets: who becomes a call, where answers go, and how calls end."""

from itertools import pairwise

import pytest
import trio
from rtp_world import FRAME_S, Conversation, Peer, RtpWorld, eventually, hears_all, key, packet, received

from tomrt.errors import SettingsError
from tomrt.events import LineAudio, LineDigit
from tomrt.gateway.admission import Admission
from tomrt.gateway.rtp import RtpDoor
from tomrt.gateway.rtp_sockets import RtpSockets
from tomrt.settings import Rtp
from tomrt.wire.rtcp import Goodbye, ReceiverReport, ReportBlock, SenderReport, write_rtcp
from tomrt.wire.rtp_statistics import middle


@pytest.fixture
async def world():
    """A door that echoes."""
    async with RtpWorld().listening() as opened:
        yield opened


@pytest.fixture
async def peer(world):
    """The other side."""
    made = Peer(world)
    yield made
    made.close()


async def test_a_call_is_heard_from_its_first_packet_and_answered(world, peer):
    """Every frame is heard in order, and what we say comes back as one steady stream to where the call came from."""
    await peer.speak(50)
    await eventually(lambda: hears_all(world.calls[0], range(50)))
    await eventually(lambda: len(world.calls[0].heard) >= 320 * 50)
    assert world.calls[0].line.jitter.counts.received == 50
    assert world.admission.active == 1
    heard = peer.heard()
    assert len(heard) >= 45
    assert heard[0].marker
    assert len({one.ssrc for one in heard}) == 1
    assert all((after.sequence - before.sequence) & 0xFFFF == 1 for before, after in pairwise(heard))


async def test_calls_of_two_addresses_do_not_mix(world):
    """Two peers with the same SSRC and numbers are two calls, each with its own voice and its own answers."""
    one, other = Peer(world), Peer(world)
    other.index = 50
    async with trio.open_nursery() as nursery:
        nursery.start_soon(one.speak, 30)
        nursery.start_soon(other.speak, 30)
    await eventually(lambda: len(world.calls) == 2 and all(len(call.tones) >= 30 for call in world.calls))
    first, second = sorted(world.calls, key=lambda call: call.tones[0])
    await eventually(lambda: hears_all(first, range(30)) and hears_all(second, range(50, 80)))
    assert {call.line.jitter.counts.received for call in world.calls} == {30}
    assert len({found.ssrc for found in one.heard()} | {found.ssrc for found in other.heard()}) == 2
    one.close()
    other.close()


async def test_keys_are_heard(world, peer):
    """A press in the midst of speech is one digit."""
    await peer.speak(5)
    for index in range(5):
        peer.send(key(5 + index, 5, 9, 160 * (index + 1), ended=index > 2))
        await trio.sleep(FRAME_S)
    await eventually(lambda: LineDigit("9") in world.calls[0].events)
    await trio.sleep(3 * FRAME_S)
    assert [event for event in world.calls[0].events if isinstance(event, LineDigit)] == [LineDigit("9")]


async def test_the_peers_goodbye_ends_the_call(world, peer):
    """A BYE closes the line as a hang-up, frees it, and tells the tap what it was like."""
    await peer.speak(10)
    peer.report(ReceiverReport(ssrc=peer.ssrc), Goodbye(sources=(peer.ssrc,)))
    await eventually(lambda: world.measured)
    assert world.calls[0].closed == "hangup"
    assert world.admission.active == 0
    assert world.measured[0].call_id == world.calls[0].line.info.call_id
    assert world.measured[0].received == 9
    assert world.measured[0].lost == 0


async def test_our_hanging_up_is_told_and_kept(world, peer):
    """We send a BYE to the peer's reports; what it goes on sending is not heard and makes no other call."""
    await peer.speak(5)
    await world.calls[0].line.hang_up("goodbye")
    await eventually(lambda: world.measured)
    assert any(isinstance(each, Goodbye) for each in peer.reports())
    await peer.speak(10)
    assert len(world.calls) == 1
    assert world.counts["rtp/after_end"] == 10
    peer.ssrc, peer.index = 0xBEEF, 0
    await peer.speak(10)
    await eventually(lambda: len(world.calls) == 2 and hears_all(world.calls[1], range(10)))


async def test_a_silent_peer_is_idle():
    """Without packets for the idle time the call ends, and nothing is sent any more."""
    async with RtpWorld(settings=Rtp(idle_s=1)).listening() as world:
        peer = Peer(world)
        await peer.speak(3)
        await eventually(lambda: world.measured)
        assert world.calls[0].closed == "idle"
        peer.heard()
        await trio.sleep(0.1)
        assert peer.heard() == []
        assert peer.reports() == []
        peer.close()


async def test_a_full_house_is_not_asked_all_the_time():
    """A stranger that finds no line is counted once a second, not with each packet, and gets one when there is one."""
    async with RtpWorld(max_calls=1).listening() as world:
        one, other = Peer(world), Peer(world)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(one.speak, 20)
            await trio.sleep(0.1)
            nursery.start_soon(other.speak, 20)
        assert len(world.calls) == 1
        assert (world.admission.admitted, world.admission.refused) == (1, 1)
        assert other.heard() == []
        await world.calls[0].line.hang_up("ended")
        await trio.sleep(0.9)
        await other.speak(10)
        assert len(world.calls) == 2
        one.close()
        other.close()


async def test_a_draining_service_takes_no_call(world, peer):
    """While the service stops, packets of new addresses begin nothing."""
    world.admission.drain()
    await peer.speak(5)
    assert world.calls == []
    assert world.counts["rtp/refused"] == 1


async def test_reports_both_ways(world, peer):
    """The peer's reports are taken from the port beside its RTP, and the round trip is in what the tap gets."""
    await peer.speak(5)
    line = world.calls[0].line
    line.back.report(line.reports.make(trio.current_time()))
    await eventually(lambda: (found := peer.reports()) and setattr(peer, "found", found) is None)
    ours = peer.found[0]
    assert isinstance(ours, SenderReport)
    assert ours.blocks[0].ssrc == peer.ssrc
    await trio.sleep(0.05)
    peer.report(
        ReceiverReport(ssrc=peer.ssrc, blocks=(ReportBlock(ssrc=ours.ssrc, last_report=middle(ours.time), delay=0),)),
        Goodbye(sources=(peer.ssrc,)),
    )
    await eventually(lambda: world.measured)
    assert 40 <= world.measured[0].round_trip_ms <= 5000


async def test_reports_on_one_port(world, peer):
    """A peer that sends its reports where its RTP goes gets ours there, too (RFC 5761)."""
    await peer.speak(5)
    peer.send(write_rtcp(ReceiverReport(ssrc=peer.ssrc)))
    await trio.sleep(0.05)
    peer.heard()
    line = world.calls[0].line
    line.back.report(line.reports.make(trio.current_time()))
    await trio.sleep(0.05)
    assert peer.reports() == []
    assert any(data[1] == 200 for data in received(peer.sockets.rtp))


async def test_reports_go_nowhere_else(world):
    """Beside an odd port, and where another call is heard from, there is nobody to report to."""
    low, high = Peer(world), Peer(world, ssrc=0xB0B)
    odd = Peer(world, ssrc=0x0DD)
    high.close()
    high.sockets = RtpSockets(low.sockets.rtcp, odd.sockets.rtp)  # heard from where the reports about another would go
    for index in range(3):
        low.send(packet(index))
        high.send(packet(index, ssrc=high.ssrc))
        await trio.sleep(FRAME_S)
    await eventually(lambda: len(world.calls) == 2)
    for call in world.calls:
        call.line.back.report(call.line.reports.make(trio.current_time()))
    await trio.sleep(0.05)
    assert not [data for data in received(low.sockets.rtcp) if data[1] in {200, 201}]
    assert received(odd.sockets.rtp) == received(odd.sockets.rtcp) == []


async def test_a_failing_call_ends_alone():
    """A conversation that fails is counted, its line is said goodbye to and free, and the others do not notice."""
    world = RtpWorld()

    async def serve(line):
        if world.calls:
            await line.receive()
            raise ValueError("planted")
        world.calls.append(Conversation(line, echo=False))
        await world.calls[0].run()

    world.door._serve_call = serve
    async with world.listening():
        good, bad = Peer(world), Peer(world)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(good.speak, 20)
            await trio.sleep(0.1)
            await bad.speak(5)
        assert world.counts["crashed/ValueError"] == 1
        assert world.admission.active == 1
        assert any(isinstance(each, Goodbye) for each in bad.reports())
        await eventually(lambda: hears_all(world.calls[0], range(20)))
        good.close()
        bad.close()


async def test_stopping_says_goodbye_to_all_calls():
    """When the door is closed every call ends with a BYE, its line is free, and the tap has been told."""
    world = RtpWorld()
    reports = []
    async with world.listening():
        for peer in [Peer(world) for _ in range(3)]:
            await peer.speak(3)
            world.at_end.append(lambda peer=peer: reports.extend(peer.reports()))
        assert world.admission.active == 3
    assert world.admission.active == 0
    assert len(world.measured) == 3
    assert sum(isinstance(found, Goodbye) for found in reports) == 3


async def test_frames_come_while_packets_do(world, peer):
    """On a clean stream frames come out as packets go in: none is lost and nothing piles up."""
    await peer.speak(60)
    call = world.calls[0]
    await eventually(lambda: hears_all(call, range(60)))
    assert call.line.jitter.counts.received == 60
    assert call.line.jitter.counts.overflow == 0
    assert call.line.jitter.held_ms <= 100
    assert all(isinstance(event, LineAudio) for event in call.events)


async def test_wrong_peers_are_a_fault_of_the_settings():
    """A door cannot be made with networks that are none."""
    with pytest.raises(SettingsError, match="nobody"):
        RtpDoor(settings=Rtp(peers="nobody"), admission=Admission(max_calls=1), serve_call=None, tap=None, note=None)


async def test_strangers_are_forgotten(world):
    """Addresses that sent one packet and no more are not remembered for long."""
    peers = [Peer(world) for _ in range(5)]
    for each in peers:
        each.send(packet(0))
        each.close()
    await eventually(lambda: world.counts["rtp/first"] == 5)
    assert world.door.strangers == 5
    await eventually(lambda: world.door.strangers == 0)
