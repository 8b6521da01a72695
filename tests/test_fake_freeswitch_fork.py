"""The fake mod_audio_fork hands over the caller as observed; each test names an observation."""

import json
import re
from base64 import b64encode
from functools import partial
from hashlib import sha1

import pytest
import trio
from fakes.freeswitch_media_world import SILENCE, SPEECH, fork, world


async def test_the_handshake_of_mod_audio_fork():
    """The upgrade is spelt as observed: no port in Host, a subprotocol, ``authorization`` when both variables stand."""
    login = {"MOD_AUDIO_BASIC_AUTH_USERNAME": "bob", "MOD_AUDIO_BASIC_AUTH_PASSWORD": "s3cret"}
    async with world() as (switch, peer, line):
        call = switch.park(variables=login)
        assert await fork(peer, line, call) == "+OK Success\n"
        await peer.event("mod_audio_fork::connect")
        head = call.modules["tomrt"].socket.sent_head.split("\r\n")
        assert head[:7] == [
            "GET /agent?x=1&y=2 HTTP/1.1",
            "Pragma: no-cache",
            "Cache-Control: no-cache",
            "Host: 127.0.0.1",
            "Origin: http://127.0.0.1",
            "Upgrade: websocket",
            "Connection: Upgrade",
        ]
        assert head[8:11] == [
            "Sec-WebSocket-Protocol: audio.drachtio.org",
            "Sec-WebSocket-Version: 13",
            "authorization: Basic Ym9iOnMzY3JldA==",
        ]


async def test_no_subprotocol_is_fine():
    """A server may leave the subprotocol out."""
    async with world() as (switch, peer, line):
        line.answer = None
        await fork(peer, line, switch.park())
        await peer.event("mod_audio_fork::connect")


@pytest.mark.parametrize(
    ("status", "why"),
    [
        ("101 Switching\r\nSec-WebSocket-Protocol: other", "HS: PROTOCOL malformed"),
        ("403 Forbidden", "HS: ws upgrade response not 101"),
    ],
)
async def test_a_fork_is_refused(status, why):
    """Another subprotocol than the one offered, and any answer but 101, fail the connect; the call goes on."""

    async def answer(stream: trio.SocketStream) -> None:
        request = await stream.receive_some()
        key = re.search(rb"Sec-WebSocket-Key: (\S+)", request)[1]
        accept = b64encode(sha1(key + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest()).decode()
        await stream.send_all(f"HTTP/1.1 {status}\r\nSec-WebSocket-Accept: {accept}\r\n\r\n".encode())
        await stream.receive_some()

    async with world() as (switch, peer, line), trio.open_nursery() as nursery:
        (listener,) = await nursery.start(partial(trio.serve_tcp, answer, 0, host="127.0.0.1"))
        line.port = listener.socket.getsockname()[1]
        call = switch.park()
        await fork(peer, line, call)
        assert json.loads((await peer.event("mod_audio_fork::connect_failed")).body) == {"reason": why}
        assert not call.ended
        nursery.cancel_scope.cancel()


async def test_nothing_listening():
    """Nothing listening gives one event, no retry, and the call goes on."""
    async with world() as (switch, peer, line):
        call = switch.park()
        line.port = 1
        assert await fork(peer, line, call) == "+OK Success\n"
        assert (await peer.event("mod_audio_fork::connect_failed")).body == '{"reason":"Unable to connect"}'
        assert not call.ended


async def test_the_fork_sends_metadata_first_and_then_the_caller():
    """The metadata is the first frame, verbatim; then 320 bytes every 20 ms, sample for sample."""
    async with world() as (switch, peer, line):
        call = switch.park()
        await fork(peer, line, call, metadata='{"ext":"7001"}')
        await peer.event("mod_audio_fork::connect")
        call.speak(SPEECH)
        await call.until(lambda: SPEECH in b"".join(line.audio))
        assert line.received[0] == '{"ext":"7001"}'
        assert {len(block) for block in line.audio} == {320}


async def test_metadata_with_a_blank_needs_single_quotes():
    """The command line is split at blanks unless single quotes stand around."""
    async with world() as (switch, peer, line):
        url = f"ws://127.0.0.1:{line.port}/"
        first, second = switch.park(), switch.park()
        await peer.api(f'uuid_audio_fork {first.uuid} start {url} mono 8k {{"a":"b c"}}')
        await first.until(lambda: bool(line.texts))
        await peer.api(f'uuid_audio_fork {second.uuid} start {url} mono 8k x \'{{"a":"b c"}}\'')
        await first.until(lambda: len(line.texts) == 2)
        assert line.texts == ['c"}', '{"a":"b c"}']


async def test_blocks_may_be_joined():
    """Several blocks may come in one frame, up to 1920 bytes; none is lost."""
    async with world(joined_blocks=True) as (switch, peer, line):
        call = switch.park()
        await fork(peer, line, call)
        await peer.event("mod_audio_fork::connect")
        call.speak(SPEECH)
        await call.until(lambda: {len(block) for block in line.audio} >= {320, 640, 960})
        await call.until(lambda: SPEECH in b"".join(line.audio))
        assert max(len(block) for block in line.audio) <= 1920


async def test_the_first_blocks_are_ff():
    """The first blocks hold samples of -1, before the caller's RTP comes."""
    async with world(ff_start=True) as (switch, peer, line):
        call = switch.park()
        await fork(peer, line, call)
        await call.until(lambda: len(line.audio) > 5)
        assert line.audio[0] == b"\xff" * 320
        assert line.audio[5] == bytes(320)


@pytest.mark.parametrize("mix", ["stereo 8000", "mixed 8000"])
async def test_stereo_is_silent_on_an_idle_channel(mix):
    """Stereo and mixed deliver nothing on an idle channel, only the metadata; with silence written to it they do."""
    async with world() as (switch, peer, line):
        idle = switch.park()
        await fork(peer, line, idle, mix=mix)
        await peer.event("mod_audio_fork::connect")
        await trio.sleep(0.1)
        assert line.received == ["{}"]
        await fork(peer, line, switch.park(variables=SILENCE), mix=mix)
        await idle.until(lambda: bool(line.audio))
        assert len(line.audio[0]) == (640 if "stereo" in mix else 320)


async def test_wideband_is_640_bytes():
    """A narrow-band call is upsampled when 16 kHz are asked for."""
    async with world() as (switch, peer, line):
        call = switch.park()
        await fork(peer, line, call, mix="mono 16k")
        await call.until(lambda: len(line.audio) > 3)
        assert len(line.audio[3]) == 640


async def test_hanging_up_closes_with_1000():
    """The fork says CLOSE 1000 without a reason when the caller hangs up."""
    async with world() as (switch, peer, line):
        call = switch.park()
        await fork(peer, line, call)
        await peer.event("mod_audio_fork::connect")
        call.hang_up()
        await call.until(lambda: line.closed is not None)
        assert line.closed == (1000, None)


async def test_after_a_close_of_the_server_the_fork_stays_attached():
    """The server's CLOSE gives a disconnect without a body; a new start fails until stop."""
    async with world() as (switch, peer, line):
        call = switch.park()
        await fork(peer, line, call)
        await peer.event("mod_audio_fork::connect")
        await line.connection.aclose(1000)
        assert (await peer.event("mod_audio_fork::disconnect")).body == ""
        assert (await fork(peer, line, call)).startswith("-ERR")
        assert (await peer.api(f"uuid_audio_fork {call.uuid} stop tomrt")).startswith("+OK")
        assert (await fork(peer, line, call)).startswith("+OK")
        await peer.event("mod_audio_fork::connect", 2)
        assert not call.ended


async def test_graceful_shutdown_is_an_empty_frame():
    """``graceful-shutdown`` sends an empty frame and no more audio; closing is the server's business."""
    async with world() as (switch, peer, line):
        call = switch.park()
        await fork(peer, line, call)
        await peer.event("mod_audio_fork::connect")
        await peer.api(f"uuid_audio_fork {call.uuid} graceful-shutdown tomrt")
        await call.until(lambda: b"" in line.audio)
        call.hang_up()
        await trio.sleep(0.1)
        assert line.audio[-1] == b""
        assert line.closed is None


async def test_pausing_drops_and_send_text_goes_between():
    """Audio during a pause is dropped; ``send_text`` arrives as a text frame."""
    async with world() as (switch, peer, line):
        call = switch.park()
        await fork(peer, line, call)
        await peer.event("mod_audio_fork::connect")
        await peer.api(f"uuid_audio_fork {call.uuid} pause tomrt")
        call.speak(SPEECH)
        await call.spoken()
        await peer.api(f"uuid_audio_fork {call.uuid} resume tomrt")
        known = len(line.audio)
        await peer.api(f'uuid_audio_fork {call.uuid} send_text tomrt {{"event":"x"}}')
        await call.until(lambda: len(line.audio) > known + 2)
        assert line.texts[-1] == '{"event":"x"}'
        assert not any(b"".join(line.audio))
