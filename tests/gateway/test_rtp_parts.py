"""The parts of the door for RTP: who may send, what payloads mean, its sockets, and our own stream."""

import socket
from itertools import pairwise

import pytest

from tomrt.audio import ulaw_decode
from tomrt.errors import ProtocolError, SettingsError, TomrtError
from tomrt.gateway.rtp_payloads import Payloads
from tomrt.gateway.rtp_peers import read_peers
from tomrt.gateway.rtp_sender import RtpSender
from tomrt.gateway.rtp_sockets import open_rtp_sockets
from tomrt.gateway.rtp_stranger import PacketMeter, Stranger
from tomrt.settings import Rtp
from tomrt.wire.rtp import RtpPacket, parse_rtp, write_rtp

PAYLOADS = Payloads(Rtp())
ULAW = PAYLOADS.codec(0)
L16 = PAYLOADS.codec(118)


@pytest.mark.parametrize(
    ("text", "host", "allowed"),
    [
        ("127.0.0.1", "127.0.0.1", True),
        ("127.0.0.1", "127.0.0.2", False),
        ("10.0.0.0/8 192.0.2.7", "10.255.1.1", True),
        ("10.0.0.0/8, 192.0.2.7", "192.0.2.7", True),
        ("10.0.0.0/8 192.0.2.7", "192.0.2.8", False),
        ("2001:db8::/32", "2001:db8::1", True),
        ("fe80::/10", "fe80::1%eth0", True),
        ("10.0.0.0/8", "::ffff:10.0.0.1", True),
        ("10.0.0.0/8", "::1", False),
        ("0.0.0.0/0", "::1", False),
    ],
)
def test_peers_are_addresses_and_networks(text, host, allowed):
    """A host may send when one of the networks has it; asked again, the answer is the same."""
    peers = read_peers(text)
    assert [peers.allow(host), peers.allow(host)] == [allowed, allowed]


def test_all_faults_in_peers_are_told_at_once():
    """Each word that is no network is a fault with the setting's name; so is an empty list."""
    with pytest.raises(SettingsError) as refused:
        read_peers("asterisk.local 10.0.0.1 10.0.0.1/8 300.1.1.1")
    assert len(refused.value.faults) == 3
    assert all(fault.startswith("rtp.peers: ") for fault in refused.value.faults)
    with pytest.raises(SettingsError):
        read_peers(" , ")


def test_many_addresses_are_not_remembered_for_ever():
    """What is known of addresses is bounded, and forgetting changes no answer."""
    peers = read_peers("10.0.0.0/16")
    assert sum(peers.allow(f"10.{third // 256}.{third % 256}.1") for third in range(3000)) == 256
    assert len(peers._known) <= 1024


@pytest.mark.parametrize("codec", [PAYLOADS.codec(0), PAYLOADS.codec(8), L16], ids=lambda codec: codec.name)
def test_payloads_are_ten_to_sixty_milliseconds(codec):
    """Steps of 10 ms from 10 to 60 are PCM of just that length; any other size is the peer's fault."""
    step = codec.rate_hz // 100 * codec.sample_bytes
    for count in range(1, 7):
        assert len(codec.read(bytes(step * count))) == codec.rate_hz // 100 * 2 * count
    for wrong in (0, 1, step - 1, step + 1, 7 * step, 100 * step):
        with pytest.raises(ProtocolError):
            codec.read(bytes(wrong))


def test_l16_is_in_network_byte_order():
    """The byte that weighs more comes first on the wire, and last in our PCM."""
    assert L16.read(b"\x12\x34" * 160)[:2] == b"\x34\x12"
    assert L16.encode(b"\x34\x12" * 160)[:2] == b"\x12\x34"
    assert L16.rate_hz == 16_000


def test_payload_types_follow_the_settings():
    """L16 and keys have the numbers of the settings, G.711 its own."""
    payloads = Payloads(Rtp(l16_payload=97, dtmf_payload=98))
    assert payloads.codec(97).name == "L16"
    assert payloads.codec(118) is None
    assert [payloads.knows(number) for number in (0, 8, 97, 98, 101, 13)] == [True, True, True, True, False, False]


def test_ports_come_in_pairs():
    """A free pair begins with an even port; the sockets do not block, and closing gives the ports back."""
    sockets = open_rtp_sockets("127.0.0.1", 0)
    port = sockets.address[1]
    assert port % 2 == 0
    assert sockets.rtcp.getsockname()[1] == port + 1
    with pytest.raises(BlockingIOError):
        sockets.rtp.recvfrom(100)
    with pytest.raises(TomrtError, match=f"UDP port {port} is taken by another program: stop it, or set rtp.port"):
        open_rtp_sockets("127.0.0.1", port)
    sockets.close()
    open_rtp_sockets("127.0.0.1", port).close()


def test_a_taken_second_port_is_told():
    """When only the port of RTCP is taken, the sentence names it, and the first one is given back."""
    sockets = open_rtp_sockets("127.0.0.1", 0)
    port = sockets.address[1]
    sockets.rtp.close()
    with pytest.raises(TomrtError, match=str(port + 1)):
        open_rtp_sockets("127.0.0.1", port)
    again = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    again.bind(("127.0.0.1", port))
    again.close()
    sockets.close()


@pytest.mark.parametrize(("host", "port"), [("192.0.2.1", 0), ("no.such.host.invalid", 8086), ("127.0.0.1", 65535)])
def test_ports_that_cannot_be_had(host, port):
    """A foreign address, an unknown name and a pair beyond the last port: one sentence."""
    with pytest.raises(TomrtError) as refused:
        open_rtp_sockets(host, port)
    assert "\n" not in str(refused.value)


# --- our own stream --------------------------------------------------------------------------------------------------


def stream(sender: RtpSender, *times: float, pcm: bytes = bytes(320)) -> list[RtpPacket]:
    """Return the packets of one frame at each of the times."""
    return [parse_rtp(data) for now in times for data in sender.packets_of(pcm, now)]


def test_our_stream_is_steady():
    """Numbers go up by one and timestamps by a frame, modulo their bits, from anywhere; only the first is marked."""
    for _ in range(50):
        sender = RtpSender(ULAW, 0, peer_ssrc=1)
        packets = stream(sender, *(5.0 + 0.02 * index + 0.004 * (index % 3) for index in range(40)))
        assert [packet.marker for packet in packets] == [True] + 39 * [False]
        for before, after in pairwise(packets):
            assert (after.sequence - before.sequence) & 0xFFFF == 1
            assert (after.timestamp - before.timestamp) & 0xFFFFFFFF == 160
        assert {packet.ssrc for packet in packets} == {sender.ssrc}
        assert (sender.packets, sender.octets) == (40, 6400)


def test_streams_begin_at_random():
    """No two streams share SSRC, sequence and timestamp."""
    begun = {
        (packet.ssrc, packet.sequence, packet.timestamp)
        for packet in (stream(RtpSender(ULAW, 0, peer_ssrc=1), 0.0)[0] for _ in range(20))
    }
    assert len(begun) == 20


def test_timestamps_go_on_over_pauses():
    """After a second of silence the timestamp is a second further, the sequence one, and the packet is marked."""
    sender = RtpSender(ULAW, 0, peer_ssrc=1)
    before, after, next_one = stream(sender, 0.0, 1.02, 1.04)
    assert (after.timestamp - before.timestamp) & 0xFFFFFFFF == 160 * 51
    assert (after.sequence - before.sequence) & 0xFFFF == 1
    assert (after.marker, next_one.marker) == (True, False)


@pytest.mark.parametrize("ppm", [-200, 200])
def test_a_clock_that_is_off_is_no_pause(ppm):
    """An hour of frames at the pace of a peer whose clock is off has no marks and no jumps."""
    sender = RtpSender(ULAW, 0, peer_ssrc=1)
    period = 0.02 * (1 + ppm / 1e6)
    first, *_, last = stream(sender, *(index * period for index in range(20_000)))
    assert (last.timestamp - first.timestamp) & 0xFFFFFFFF == 160 * 19_999


def test_long_pcm_is_cut_into_packets():
    """What is handed over in one piece leaves as packets of 20 ms; the samples are those given."""
    pcm = ulaw_decode(bytes(range(256)) * 2)
    packets = stream(RtpSender(ULAW, 0, peer_ssrc=1), 0.0, pcm=pcm)
    assert [len(packet.payload) for packet in packets] == [160, 160, 160, 32]
    assert ulaw_decode(b"".join(packet.payload for packet in packets)) == pcm


def test_the_time_of_reports_is_that_of_the_samples():
    """A report's timestamp is what a sample sent now would have."""
    sender = RtpSender(ULAW, 0, peer_ssrc=1)
    packet = stream(sender, 10.0)[0]
    assert (sender.timestamp_at(10.0) - packet.timestamp) & 0xFFFFFFFF in {0, 0xFFFFFFFF, 1}
    assert (sender.timestamp_at(11.0) - packet.timestamp) & 0xFFFFFFFF in {7999, 8000, 8001}


# --- strangers -------------------------------------------------------------------------------------------------------


def sent(sequence: int, ssrc: int = 5, payload_type: int = 0) -> bytes:
    """Return a packet."""
    return write_rtp(
        RtpPacket(payload_type=payload_type, sequence=sequence & 0xFFFF, timestamp=0, ssrc=ssrc, payload=bytes(160))
    )


def words(stranger: Stranger, *packets: bytes, start: float = 0.0) -> list[str]:
    """Return what becomes of packets that come 20 ms apart; ``call`` for one that makes a call."""
    heard = [stranger.hear(data, start + 0.02 * index, PAYLOADS) for index, data in enumerate(packets)]
    return [word if isinstance(word, str) else "call" for word in heard]


def test_two_packets_in_a_row_make_a_call():
    """Of one source, with successive numbers, also over the wrap; a stray in between begins anew."""
    assert words(Stranger(PacketMeter(0)), sent(0xFFFF), sent(0)) == ["first", "call"]
    assert words(Stranger(PacketMeter(0)), sent(1), sent(3), sent(4)) == ["first", "first", "call"]
    assert words(Stranger(PacketMeter(0)), sent(1), sent(2, ssrc=6), sent(3, ssrc=6)) == ["first", "first", "call"]


def test_audio_makes_a_call_and_keys_alone_do_not():
    """Keys may come first, but the rate is known with audio; unknown payloads are not looked at."""
    assert words(Stranger(PacketMeter(0)), sent(1, payload_type=101), sent(2, payload_type=101), sent(3)) == [
        "first",
        "first",
        "call",
    ]
    assert words(Stranger(PacketMeter(0)), sent(1, payload_type=13), sent(2, payload_type=13)) == 2 * [
        "unknown_payload"
    ]
    assert words(Stranger(PacketMeter(0)), b"", b"\x80" * 11, b"\0" * 12) == 3 * ["malformed"]


def test_a_refused_stranger_is_asked_again_after_a_second():
    """Within the second its packets are not even read."""
    stranger = Stranger(PacketMeter(0))
    assert words(stranger, sent(1), sent(2)) == ["first", "call"]
    stranger.refuse(0.02)
    assert words(stranger, sent(3), sent(4), b"", start=0.04) == 3 * ["refused_again"]
    assert words(stranger, sent(60), sent(61), start=1.03) == ["first", "call"]


def test_deaf_to_what_a_call_leaves_behind():
    """The source of an ended call is not heard until it was silent for 2 s; another source is."""
    assert words(Stranger(PacketMeter(0), deaf_to=5), *(sent(index) for index in range(200))) == 200 * ["after_end"]
    stranger = Stranger(PacketMeter(0), deaf_to=5)
    assert words(stranger, sent(1), sent(2)) == 2 * ["after_end"]
    assert words(stranger, sent(100), sent(101), start=2.03) == ["first", "call"]
    assert words(Stranger(PacketMeter(0), deaf_to=5), sent(1), sent(1, ssrc=6), sent(2, ssrc=6)) == [
        "after_end",
        "first",
        "call",
    ]


def test_the_meter_lets_through_what_it_should():
    """50 and 100 packets a second pass for ever; of 10,000 a second 200 pass each second, after a burst of 200."""
    for rate in (50, 100, 200):
        meter = PacketMeter(0.0)
        assert all(meter.allow(index / rate) for index in range(2000))
    flood = PacketMeter(0.0)
    assert 390 <= sum(flood.allow(index / 10_000) for index in range(10_000)) <= 401
