"""The fake mod_audio_stream behaves as observed; each test names an observation."""

import json
from base64 import b64encode
from pathlib import Path

import pytest
import trio
from fakes.freeswitch_media_world import SILENCE, SPEECH, stream, world


async def test_the_handshake_of_mod_audio_stream():
    """No blank after the colon, a lower-case ``upgrade``, the port, no subprotocol, and the operator's headers."""
    extra = {"STREAM_EXTRA_HEADERS": '{"Authorization":"Bearer tok123","X-Test":"abc"}'}
    async with world() as (switch, peer, line):
        call = switch.park(variables=extra)
        await stream(peer, line, call)
        assert (await peer.event("mod_audio_stream::connect")).body == '{"status":"connected"}'
        head = call.modules["audio_stream"].socket.sent_head.split("\r\n")
        assert head[:4] == [
            "GET /path/x?y=1 HTTP/1.1",
            f"Host:127.0.0.1:{line.port}",
            "Upgrade:websocket",
            "Connection:upgrade",
        ]
        assert head[5:9] == [
            "Sec-WebSocket-Version:13",
            f"Origin:http://127.0.0.1:{line.port}",
            "Authorization:Bearer tok123",
            "X-Test:abc",
        ]


@pytest.mark.parametrize(("oddity", "at"), [({}, 0), ({"late_metadata": True}, 2), ({"no_metadata": True}, None)])
async def test_metadata_of_the_stream_comes_first_or_late_or_never(oddity, at):
    """mod_audio_stream sends its metadata first, or after some audio, or not at all."""
    async with world(**oddity) as (switch, peer, line):
        call = switch.park()
        await stream(peer, line, call)
        await call.until(lambda: len(line.audio) > 5)
        assert {len(block) for block in line.audio} == {320}
        places = [place for place, each in enumerate(line.received) if each == '{"ext":"7001"}']
        assert places == ([] if at is None else [at])


async def test_the_stream_gives_a_slow_server_a_second():
    """A connect that takes longer than the limit is a Timeout with code 10, and the call goes on."""
    async with world(connect_limit_s=0.1) as (switch, peer, line):
        line.slow_s = 0.5
        call = switch.park()
        await stream(peer, line, call)
        assert (await peer.event("mod_audio_stream::error")).body == '{"code":10,"error":"Timeout"}'
        assert not call.ended


async def test_stream_audio_is_written_to_a_file():
    """``streamAudio`` becomes a file and a play event; a wrong rate becomes a json event, binary nothing at all."""
    async with world() as (switch, peer, line):
        call = switch.park(variables=SILENCE)
        await stream(peer, line, call)
        await peer.event("mod_audio_stream::connect")
        content = b64encode(SPEECH).decode()
        await line.connection.send_message(SPEECH)
        await line.tell("streamAudio", audioDataType="raw", sampleRate=8000, audioData=content)
        said = json.loads((await peer.event("mod_audio_stream::play")).body)
        assert Path(said.pop("file")).read_bytes() == SPEECH
        assert said == {"audioDataType": "raw", "sampleRate": 8000}
        await line.tell("streamAudio", audioDataType="raw", sampleRate=22050, audioData=content)
        assert "22050" in (await peer.event("mod_audio_stream::json")).body
        assert not any(call.heard)


async def test_the_ends_of_the_stream():
    """A CLOSE of the server keeps the stream attached; a lost connection does not, and stop says Normal closure."""
    async with world() as (switch, peer, line):
        call = switch.park()
        await stream(peer, line, call)
        await peer.event("mod_audio_stream::connect")
        await line.connection.aclose(1000, "bye")
        body = (await peer.event("mod_audio_stream::disconnect")).body
        assert body == '{"status":"disconnected","message":{"code":1000,"reason":"bye"}}'
        assert (await stream(peer, line, call)).startswith("-ERR")
        await peer.api(f"uuid_audio_stream {call.uuid} stop")
        await stream(peer, line, call)
        await peer.event("mod_audio_stream::connect", 2)
        await trio.aclose_forcefully(line.connection._stream)
        assert '"code":1,' in (await peer.event("mod_audio_stream::error")).body
        await stream(peer, line, call)
        await peer.event("mod_audio_stream::connect", 3)
        line.closed = None
        await peer.api(f"uuid_audio_stream {call.uuid} stop")
        await call.until(lambda: line.closed is not None)
        assert line.closed == (1000, "Normal closure")
