"""Unicast of the fake FreeSWITCH behaves as observed: bare samples over UDP, a packet a frame, nothing forgiven."""

import pytest
import trio
import trio.testing
from fakes.freeswitch import fake_switch
from fakes.freeswitch_peer import dialled_in, dialled_out
from fakes.speech import speech

from tomrt.audio import alaw_decode, alaw_encode, ulaw_decode, ulaw_encode
from tomrt.wire import esl_commands

SPEECH = speech(0.2)


class Server:
    """A UDP socket to which the switch sends, and the local port that the switch is told to take."""

    def __init__(self) -> None:
        self.socket = trio.socket.socket(trio.socket.AF_INET, trio.socket.SOCK_DGRAM)
        spare = trio.socket.socket(trio.socket.AF_INET, trio.socket.SOCK_DGRAM)
        self._spare = spare
        self.local = ("127.0.0.1", 0)
        self.packets: list[bytes] = []

    async def start(self, peer, call, *, native: bool) -> str:
        await self.socket.bind(("127.0.0.1", 0))
        with self._spare as spare:
            await spare.bind(("127.0.0.1", 0))
            self.local = spare.getsockname()
        here = self.socket.getsockname()
        command = esl_commands.unicast(self.local, here, native=native, uuid="" if call.link else call.uuid)
        return (await peer.ask(command)).reply_text

    async def read(self, count: int) -> list[bytes]:
        with trio.fail_after(5):
            return [await self.socket.recv(4096) for _ in range(count)]

    async def send(self, *packets: bytes, every_s: float = 0.02) -> None:
        start = trio.current_time()
        for index, packet in enumerate(packets):
            await trio.sleep_until(start + index * every_s)
            await self.socket.sendto(packet, self.local)


@pytest.fixture
async def server():
    """The server's end of unicast."""
    made = Server()
    with made.socket:
        yield made


def cut(data: bytes, size: int) -> list[bytes]:
    return [data[at : at + size] for at in range(0, len(data), size)]


@pytest.mark.parametrize(
    ("call", "native", "size"),
    [
        ({"codec": "PCMU"}, True, 160),
        ({"codec": "PCMA"}, True, 160),
        ({"codec": "PCMU"}, False, 320),
        ({"codec": "G722", "rate_hz": 16000}, False, 640),
    ],
)
async def test_the_caller_comes_as_a_packet_a_frame(server, call, native, size):
    """Native packets hold 160 bytes of the codec, others 320 or 640 of L16, and what the caller says is in them."""
    async with fake_switch() as switch, dialled_out(switch, **call) as (taken, peer):
        await peer.ask("connect")
        assert await server.start(peer, taken, native=native) == "+OK"
        taken.speak(SPEECH)
        packets = await server.read(25)
        assert {len(packet) for packet in packets} == {size}
        decode = {("PCMU", True): ulaw_decode, ("PCMA", True): alaw_decode}.get((taken.codec, native), bytes)
        encode = {("PCMU", True): ulaw_encode, ("PCMA", True): alaw_encode}.get((taken.codec, native), bytes)
        assert decode(encode(SPEECH[-1600:])) in b"".join(map(decode, packets))


async def test_frames_of_the_right_size_are_heard(server):
    """What comes back is heard sample for sample when each packet is one frame."""
    async with fake_switch() as switch, dialled_in(switch) as peer:
        call = switch.park()
        await server.start(peer, call, native=True)
        codes = ulaw_encode(SPEECH)
        await server.send(*cut(codes, 160))
        await call.until(lambda: len(call.unicast.arrivals) == 10)
        await call.until(lambda: ulaw_decode(codes) in call.heard)
        assert len(call.unicast.grid_errors_ms) == 10


@pytest.mark.parametrize("size", [160, 640, 1600])
async def test_wrong_sizes_are_not_heard(server, size):
    """L16 packets of 10, 40 and 100 ms are counted, and not heard."""
    async with fake_switch() as switch, dialled_in(switch) as peer:
        call = switch.park()
        await server.start(peer, call, native=False)
        await server.send(*cut(SPEECH, size))
        await call.until(lambda: len(call.unicast.wrong_sizes) == len(SPEECH) // size)
        assert not any(call.heard)


async def test_a_burst_is_passed_on_as_a_burst(server):
    """Packets that come at once are counted as a burst: there is no pacing inside."""
    async with fake_switch() as switch, dialled_in(switch) as peer:
        call = switch.park()
        await server.start(peer, call, native=False)
        await server.send(*cut(SPEECH, 320), every_s=0)
        await call.until(lambda: len(call.unicast.arrivals) == 10)
        assert call.unicast.bursts > 0


async def test_a_file_stops_the_callers_audio(server):
    """While a file plays no packet of the caller comes."""
    async with fake_switch() as switch, dialled_out(switch) as (call, peer):
        await peer.ask("connect")
        await server.start(peer, call, native=True)
        await server.read(3)
        await peer.ask(esl_commands.execute("playback", "local_stream://moh"))
        await call.until(lambda: bool(call.applications.playing))
        known = len(call.unicast.sent)
        await trio.sleep(0.2)
        assert len(call.unicast.sent) == known
        await peer.api(f"uuid_break {call.uuid}")
        await call.until(lambda: len(call.unicast.sent) > known)


async def test_it_ends_with_the_call_and_says_nothing(server):
    """After a hang-up no packet comes, and the switch's port is free again."""
    async with fake_switch() as switch, dialled_in(switch) as peer:
        call = switch.park()
        await server.start(peer, call, native=True)
        await server.read(2)
        call.hang_up()
        await trio.testing.wait_all_tasks_blocked()
        with trio.socket.socket(trio.socket.AF_INET, trio.socket.SOCK_DGRAM) as again:
            await again.bind(server.local)


async def test_a_port_that_is_taken_is_only_in_the_log(server):
    """The command says ``+OK`` even when the port cannot be had; the failure is in the switch's log."""
    async with fake_switch() as switch, dialled_in(switch) as peer:
        one, two = switch.park(), switch.park()
        assert await server.start(peer, one, native=True) == "+OK"
        await one.until(lambda: one.unicast is not None)
        command = esl_commands.unicast(server.local, server.local, native=True, uuid=two.uuid)
        assert (await peer.ask(command)).reply_text == "+OK"
        await two.until(lambda: bool(switch.log))
        assert two.unicast is None


async def test_silent_unicast_is_taken_and_never_sends(server):
    """A switch whose unicast is broken says ``+OK`` all the same."""
    async with fake_switch(unicast_silent=True) as switch, dialled_in(switch) as peer:
        call = switch.park()
        assert await server.start(peer, call, native=True) == "+OK"
        with trio.move_on_after(0.15) as scope:
            await server.read(1)
        assert scope.cancelled_caught


async def test_an_echo_call_says_what_it_hears(server):
    """The far end of the doctor's call gives back what it is sent."""
    async with fake_switch() as switch, dialled_in(switch) as peer:
        call = switch.park(echo=True)
        await server.start(peer, call, native=False)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(server.send, *cut(SPEECH, 320))
            packets = await server.read(25)
        assert SPEECH in b"".join(packets)
