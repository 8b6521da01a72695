"""A real RTP stack, GStreamer's, on the other side: it speaks, hears itself again, reports, and says goodbye."""

import shutil
import socket
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import trio
from rtp_world import Peer, RtpWorld, eventually

from tomrt.audio import alaw_decode, ulaw_decode

GST = shutil.which("gst-launch-1.0")
FRAMES = 75
TONE_HZ = 440
PIPELINE = """
rtpbin name=rtp
audiotestsrc is-live=true samplesperbuffer={samples} num-buffers={frames} freq={hz} volume=0.5
  ! audio/x-raw,format=S16LE,rate={rate},channels=1 ! {encode} min-ptime=20000000 max-ptime=20000000
  ! rtp.send_rtp_sink_0
rtp.send_rtp_src_0 ! udpsink host=127.0.0.1 port={to_rtp} sync=false async=false
rtp.send_rtcp_src_0 ! udpsink host=127.0.0.1 port={to_rtcp} sync=false async=false
udpsrc address=127.0.0.1 port={at_rtp} caps="application/x-rtp,media=audio,clock-rate={rate},payload={payload},{caps}"
  ! rtp.recv_rtp_sink_0
udpsrc address=127.0.0.1 port={at_rtcp} ! rtp.recv_rtcp_sink_0
rtp. ! {decode} ! filesink buffer-mode=unbuffered location={file} sync=false async=false
"""
CODECS = {
    "PCMU": (8000, 0, "encoding-name=PCMU", "mulawenc ! rtppcmupay", "rtppcmudepay ! audio/x-mulaw", ulaw_decode),
    "PCMA": (8000, 8, "encoding-name=PCMA", "alawenc ! rtppcmapay", "rtppcmadepay ! audio/x-alaw", alaw_decode),
    "L16": (
        16_000,
        118,
        "encoding-name=L16,channels=1",
        "audioconvert ! rtpL16pay pt=118",
        "rtpL16depay ! audio/x-raw,format=S16BE",
        lambda data: np.frombuffer(data, ">i2").astype("<i2").tobytes(),
    ),
}


def elements_missing() -> str:
    """Return why this cannot be tried here, or nothing."""
    return "" if GST else "gst-launch-1.0 is not installed (gstreamer1.0-tools, -plugins-base, -plugins-good)"


def bound() -> socket.socket:
    """Return a socket on a free port."""
    opened = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    opened.bind(("127.0.0.1", 0))
    opened.setblocking(False)
    return opened


def free_port() -> int:
    """Return a port that is free now."""
    with bound() as opened:
        return opened.getsockname()[1]


async def pass_on(source: socket.socket, by: socket.socket, port: int) -> None:
    """Send what comes to *source* on to *port*: GStreamer cannot send from the port at which it receives."""
    while True:
        await trio.lowlevel.wait_readable(source)
        data = source.recv(4096)
        by.sendto(data, ("127.0.0.1", port))


def share_of_tone(pcm: bytes, rate_hz: int) -> float:
    """Return the share of the energy that is within 10 Hz of the tone."""
    samples = np.frombuffer(pcm, "<i2").astype(float)
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples)))) ** 2
    hz = np.fft.rfftfreq(len(samples), 1 / rate_hz)
    return float(spectrum[abs(hz - TONE_HZ) < 10].sum() / spectrum.sum())


@pytest.mark.skipif(bool(elements_missing()), reason=elements_missing())
@pytest.mark.parametrize("codec", CODECS)
async def test_gstreamer_hears_itself_and_is_understood(codec, tmp_path: Path):
    """Its tone is heard by us and comes back to it; its reports are read, and its BYE ends the call."""
    rate_hz, payload, caps, encode, decode, to_pcm = CODECS[codec]
    at_rtp, at_rtcp = free_port(), free_port()
    with bound() as from_rtp, bound() as from_rtcp:
        pipeline = PIPELINE.format(
            frames=FRAMES,
            samples=rate_hz // 50,
            hz=TONE_HZ,
            rate=rate_hz,
            encode=encode,
            decode=decode,
            payload=payload,
            caps=caps,
            to_rtp=from_rtp.getsockname()[1],
            to_rtcp=from_rtcp.getsockname()[1],
            at_rtp=at_rtp,
            at_rtcp=at_rtcp,
            file=tmp_path / "heard",
        )
        async with RtpWorld().listening() as world, trio.open_nursery() as nursery:
            sockets = Peer(world).sockets
            nursery.start_soon(pass_on, from_rtp, sockets.rtp, world.port)
            nursery.start_soon(pass_on, from_rtcp, sockets.rtcp, world.port + 1)
            nursery.start_soon(pass_on, sockets.rtp, from_rtp, at_rtp)
            nursery.start_soon(pass_on, sockets.rtcp, from_rtcp, at_rtcp)
            process = await nursery.start(partial(trio.run_process, [GST, "-q", *pipeline.split()], check=False))
            await eventually(lambda: world.measured)
            process.terminate()
            await process.wait()
            nursery.cancel_scope.cancel()
    call, measured = world.calls[0], world.measured[0]
    assert call.line.info.rate_hz == rate_hz
    assert call.closed == "hangup"
    assert measured.received >= FRAMES * 0.9
    assert measured.lost < 0.1
    assert share_of_tone(bytes(call.heard[:rate_hz]), rate_hz) > 0.9
    back = to_pcm((tmp_path / "heard").read_bytes())
    assert len(back) / 2 / rate_hz > 0.7
    assert share_of_tone(back[:rate_hz], rate_hz) > 0.9
    assert world.counts["rtp/malformed_report"] == world.counts["rtp/malformed"] == 0
