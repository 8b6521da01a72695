"""The fake mod_audio_fork treats what the server says as observed; each test names an observation."""

import json
from base64 import b64encode
from pathlib import Path

import pytest
import trio
from fakes.freeswitch import SwitchCrashError, fake_switch
from fakes.freeswitch_media_world import SILENCE, SPEECH, Line, fork, lines, world
from fakes.freeswitch_peer import dialled_in
from fakes.speech import speech


async def test_build_b_plays_behind_its_pre_buffer():
    """Raw audio is heard sample for sample when 160 ms have come, in steps of 80 ms; the rest stays stuck."""
    async with world() as (switch, peer, line):
        call = switch.park(variables=SILENCE)
        await fork(peer, line, call, more="true true 8000")
        await peer.event("mod_audio_fork::connect")
        await line.connection.send_message(SPEECH[:1920])
        await trio.sleep(0.1)
        assert not any(call.heard)
        await line.connection.send_message(SPEECH[1920:5000])
        await call.until(lambda: SPEECH[:3840] in call.heard)
        await trio.sleep(0.1)
        assert SPEECH[:3842] not in call.heard


async def test_nothing_is_heard_on_an_idle_channel():
    """On a channel that nobody writes to, nothing of build B's audio is heard; it waits."""
    async with world() as (switch, peer, line):
        call = switch.park()
        await fork(peer, line, call, more="true true 8000")
        await peer.event("mod_audio_fork::connect")
        await line.connection.send_message(SPEECH)
        await trio.sleep(0.3)
        assert not any(call.heard)
        await peer.api(f"uuid_setvar {call.uuid} send_silence_when_idle -1")
        await call.until_heard()


async def test_without_its_three_arguments_binary_is_swallowed():
    """A fork that was started without the arguments for it plays nothing, and says nothing."""
    async with world() as (switch, peer, line):
        call = switch.park(variables=SILENCE)
        await fork(peer, line, call)
        await peer.event("mod_audio_fork::connect")
        await line.connection.send_message(SPEECH)
        await call.until(lambda: call.modules["tomrt"].discarded == 1)
        assert not any(call.heard)


async def test_kill_audio_dumps_what_is_queued_and_clears_marks():
    """``killAudio`` silences build B at once, and its marks come back as cleared; those that were played as playout."""
    async with world() as (switch, peer, line):
        call = switch.park(variables=SILENCE)
        await fork(peer, line, call, more="true true 8000")
        await peer.event("mod_audio_fork::connect")
        await line.tell("mark", name="m1")
        await line.connection.send_message(speech(2.0))
        await line.tell("mark", name="m2")
        await line.connection.send_message(speech(2.0))
        await call.until(lambda: len(line.texts) == 2)
        await line.tell("killAudio")
        await call.until_silent()
        assert line.texts[1:] == [
            '{"type": "mark", "data": {"name":"m1", "event": "playout"}}',
            '{"type": "mark", "data": {"name":"m2", "event": "cleared"}}',
        ]


async def test_play_audio_is_written_to_a_file_and_not_played():
    """Build A writes a file and tells its name; somebody else has to play it, and ``killAudio`` breaks that."""
    async with world(build="drachtio") as (switch, peer, line):
        call = switch.park()
        await fork(peer, line, call)
        await peer.event("mod_audio_fork::connect")
        content = b64encode(speech(3.0)).decode()
        await line.tell("playAudio", audioContentType="raw", sampleRate=8000, audioContent=content, textContent="hello")
        event = await peer.event("mod_audio_fork::play_audio")
        said = json.loads(event.body)
        assert event.uuid == call.uuid
        assert {**said, "file": ""} == {
            "audioContentType": "raw",
            "sampleRate": 8000,
            "textContent": "hello",
            "file": "",
        }
        assert said["file"].endswith(f"{call.uuid}_0.tmp.r8")
        assert Path(said["file"]).read_bytes() == speech(3.0)
        assert not any(call.heard)
        await peer.api(f"uuid_broadcast {call.uuid} {said['file']} aleg")
        await call.until_heard()
        await line.tell("killAudio")
        assert (await peer.event("PLAYBACK_STOP")).get("Playback-Status") == "break"
        await peer.api(f"uuid_audio_fork {call.uuid} stop tomrt")
        assert not Path(said["file"]).exists()


async def test_play_audio_without_its_content_type_kills_the_switch():
    """``playAudio`` without ``audioContentType`` ends a real FreeSWITCH; the fake dies loudly."""
    with pytest.raises(SwitchCrashError, match="audioContentType"):
        async with fake_switch(build="drachtio") as switch, lines(Line()) as line, dialled_in(switch) as peer:
            call = switch.park()
            await fork(peer, line, call)
            await call.until(lambda: line.connection is not None)
            await line.tell("playAudio", sampleRate=8000, audioContent="AAAA")
            await peer.ended.wait()
            assert call.ended


async def test_play_audio_is_ignored_while_the_stream_is_on():
    """In build B with its stream on, ``playAudio`` gives no event."""
    async with world() as (switch, peer, line):
        call = switch.park(variables=SILENCE)
        await fork(peer, line, call, more="true true 8000")
        await peer.event("mod_audio_fork::connect")
        await line.tell("playAudio", audioContentType="raw", sampleRate=8000, audioContent="AAAA")
        await call.until(lambda: call.modules["tomrt"].faults == ["unsupported msg type playAudio"])
        assert not peer.named("mod_audio_fork::play_audio")


async def test_other_json_of_the_server_becomes_events():
    """``transfer`` transfers nothing, ``disconnect`` hangs nothing up: both are only events."""
    async with world() as (switch, peer, line):
        call = switch.park()
        await fork(peer, line, call)
        await peer.event("mod_audio_fork::connect")
        await line.tell("transfer", to="1")
        assert json.loads((await peer.event("mod_audio_fork::transfer")).body) == {"to": "1"}
        await line.tell("disconnect")
        await peer.event("mod_audio_fork::disconnect")
        await line.connection.send_message('{"event":"x"}')
        assert (await peer.event("mod_audio_fork::json")).body == '{"event":"x"}'
        assert (line.closed, call.ended, call.transferred_to) == (None, "", "")
