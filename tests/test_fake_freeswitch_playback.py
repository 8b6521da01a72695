"""The fake FreeSWITCH plays files as a real one was observed to; each test names an observation."""

from pathlib import Path

import pytest
from fakes.freeswitch import fake_switch
from fakes.freeswitch_peer import dialled_out
from fakes.speech import speech

from tomrt.audio import write_wav
from tomrt.wire import esl_commands
from tomrt.wire.esl_event import read_channel


@pytest.fixture
def files(tmp_path: Path) -> tuple[str, str]:
    """Two short files."""
    names = tmp_path / "one.wav", tmp_path / "two.wav"
    for name in names:
        write_wav(name, speech(0.3), 8000)
    return str(names[0]), str(names[1])


def playback(file: str, event_uuid: str, *, lock: bool = True) -> bytes:
    return esl_commands.execute("playback", file, event_uuid=event_uuid, lock=lock)


async def test_locked_files_play_in_order_and_a_break_stops_one(files):
    """With event-lock files queue; a break stops the first, the second follows; both say FILE PLAYED."""
    async with fake_switch() as switch, dialled_out(switch) as (call, peer):
        await peer.ask("connect")
        await peer.ask("myevents")
        await peer.ask("event plain PLAYBACK_START PLAYBACK_STOP")
        await peer.ask(playback("local_stream://moh", "a"))
        await peer.ask(playback(files[1], "b"))
        await peer.event("PLAYBACK_START")
        assert call.applications.playing == ["local_stream://moh"]
        assert await peer.api(f"uuid_break {call.uuid}") == "+OK\n"
        await peer.event("CHANNEL_EXECUTE_COMPLETE", 2)
        stops = [stop.get("Playback-Status") for stop in peer.named("PLAYBACK_STOP")]
        completes = peer.named("CHANNEL_EXECUTE_COMPLETE")
        assert stops == ["break", "done"]
        assert [each.get("Application-UUID") for each in completes] == ["a", "b"]
        assert {each.get("Application-Response") for each in completes} == {"FILE PLAYED"}


async def test_without_lock_a_second_file_starts_inside_the_first(files):
    """Without event-lock the second file interrupts the first, which goes on afterwards."""
    async with fake_switch() as switch, dialled_out(switch) as (_, peer):
        await peer.ask("connect")
        await peer.ask("event plain CHANNEL_EXECUTE_COMPLETE PLAYBACK_START")
        await peer.ask(playback(files[0], "outer", lock=False))
        await peer.event("PLAYBACK_START")
        await peer.ask(playback(files[1], "inner", lock=False))
        await peer.event("CHANNEL_EXECUTE_COMPLETE", 2)
        done = peer.named("CHANNEL_EXECUTE_COMPLETE")
        assert [each.get("Application-UUID") for each in done] == ["inner", "outer"]


async def test_break_all_empties_the_queue_silently(files):
    """``uuid_break all`` stops the file, and what was queued gives no events; an idle break does no harm."""
    async with fake_switch() as switch, dialled_out(switch) as (call, peer):
        await peer.ask("connect")
        await peer.ask("event plain CHANNEL_EXECUTE_COMPLETE PLAYBACK_START PLAYBACK_STOP")
        await peer.api(f"uuid_break {call.uuid}")
        await peer.ask(playback("local_stream://moh", "a"))
        await peer.ask(playback(files[0], "b"))
        await peer.event("PLAYBACK_START")
        await peer.api(f"uuid_break {call.uuid} all")
        await peer.event("CHANNEL_EXECUTE_COMPLETE")
        await peer.ask(playback(files[1], "c"))
        await peer.event("CHANNEL_EXECUTE_COMPLETE", 2)
        done = peer.named("CHANNEL_EXECUTE_COMPLETE")
        assert [each.get("Application-UUID") for each in done] == ["a", "c"]


async def test_a_missing_file_says_so():
    """A file that is not there is FILE NOT FOUND, and nothing starts or stops."""
    async with fake_switch() as switch, dialled_out(switch) as (_, peer):
        await peer.ask("connect")
        await peer.ask("event plain ALL")
        await peer.ask(playback("/nowhere.wav", "a"))
        assert (await peer.event("CHANNEL_EXECUTE_COMPLETE")).get("Application-Response") == "FILE NOT FOUND"
        assert not peer.named("PLAYBACK_START")


async def test_what_is_played_is_heard(files):
    """The caller hears the samples of a file, once."""
    async with fake_switch() as switch, dialled_out(switch) as (call, peer):
        await peer.ask("connect")
        await peer.ask("event plain PLAYBACK_STOP")
        await peer.ask(playback(files[0], "a"))
        await peer.event("PLAYBACK_STOP")
        assert call.heard.count(speech(0.3)) == 1


async def test_the_default_mode_has_no_api_and_replies_late(files):
    """Without ``async full`` there is no ``api``, and the reply to a playback comes when it has finished."""
    async with fake_switch(socket_modes="") as switch, dialled_out(switch) as (call, peer):
        channel = read_channel(await peer.ask("connect"))
        assert (channel.get("Socket-Mode"), channel.get("Control")) == ("static", "single-channel")
        assert (await peer.ask("api status")).reply_text == "-ERR command not found"
        await peer.ask(playback(files[0], "a"))
        assert not call.applications.busy
        assert [each.get("Playback-Status") for each in call.events if each.name == "PLAYBACK_STOP"] == ["done"]


async def test_myevents_leaves_out_playback_and_custom(files):
    """``myevents`` covers DTMF and the channel, but PLAYBACK_STOP only comes when asked for."""
    async with fake_switch() as switch, dialled_out(switch) as (call, peer):
        await peer.ask("connect")
        assert (await peer.ask("myevents")).reply_text == "+OK Events Enabled"
        call.press("5")
        assert (await peer.event("DTMF")).get("DTMF-Digit") == "5"
        assert peer.named("DTMF")[0].get("DTMF-Duration") == "1600"
        await peer.ask(playback(files[0], "a"))
        await peer.event("CHANNEL_EXECUTE_COMPLETE")
        assert not peer.named("PLAYBACK_STOP")
        await peer.ask("event plain PLAYBACK_START PLAYBACK_STOP")
        await peer.ask(playback(files[0], "b"))
        assert (await peer.event("PLAYBACK_STOP")).get("Playback-Status") == "done"
