"""The whole service beside a FreeSWITCH that behaves as observed: every way in, and full control of the call."""

from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import numpy as np
import pytest
import trio
from attrs import evolve
from fakes.freeswitch import fake_switch
from fakes.freeswitch_oddities import Agent
from fakes.service import left_open, loopback_settings, running_service, urls, voiced

from tomrt.engines.espeak import Espeak
from tomrt.events import Action, LineClosed
from tomrt.gateway.admission import Admission
from tomrt.gateway.call_tools import CallTools
from tomrt.gateway.freeswitch_outbound import FreeswitchOutbound
from tomrt.gateway.spoken_files import SpokenFiles
from tomrt.gateway.switch_calls import SwitchCalls
from tomrt.gateway.transfer_targets import read_targets
from tomrt.security.tokens import issue
from tomrt.settings import Limits, Secret

SECRET = "a secret that is at least thirty-two bytes long"
MEDIA = ["unicast", "fork", "fork-json", "stream"]
QUESTION, GOODBYE, PERSON = "what are your opening hours", "goodbye", "I would like to speak to a person please"


def settings_with(*, inbound=0, password="ClueCon", **freeswitch):
    """Return settings for a switch; its event socket is dialled where *inbound* is its port."""
    settings = loopback_settings()
    if inbound:
        freeswitch |= {"inbound_host": "127.0.0.1", "inbound_port": inbound, "inbound_password": Secret(password)}
    return evolve(settings, freeswitch=evolve(settings.freeswitch, **freeswitch))


@asynccontextmanager
async def beside(switch_odd=None, *, inbound=False, auth=None, **freeswitch):
    """Run a switch and a service that knows of it."""
    async with fake_switch(**(switch_odd or {})) as switch:
        settings = settings_with(inbound=switch.inbound_port if inbound else 0, **freeswitch)
        if auth:
            settings = evolve(settings, auth=evolve(settings.auth, secret=Secret(auth)))
        async with running_service(settings) as service:
            yield switch, service


async def hand_over(switch, service, *, inbound=False, **call):
    """Have a call come in, one way or the other."""
    if not inbound:
        return await switch.dial_outbound(service.listeners.outbound[0].socket.getsockname()[1], **call)
    with trio.fail_after(10):
        while not switch.controls or not any(b"CHANNEL_PARK" in raw.encode() for raw in switch.commands):
            await trio.sleep(0.02)
    return switch.park(**call)


async def greeted(call):
    """Wait until the greeting has been heard."""
    await call.until_heard(within_s=20)
    await call.until_silent(within_s=20)


async def at_once(one, kinds):
    """Have one call of each kind, all at the same time."""
    async with trio.open_nursery() as nursery:
        for kind in kinds:
            nursery.start_soon(one, kind)


async def say(call, text):
    (utterance,) = await voiced(text, rate_hz=call.rate_hz)
    call.speak(utterance.pcm)
    await call.spoken()


async def idle(service):
    """Wait until no call is under way."""
    with trio.fail_after(5):
        while service.admission.active:
            await trio.sleep(0.02)


async def metrics(service):
    async with httpx.AsyncClient() as client:
        return (await client.get(f"{urls(service)[1]}/metrics")).text


@pytest.mark.parametrize("inbound", [False, True], ids=["outbound", "inbound"])
async def test_a_call_is_held_whichever_way_it_comes(inbound):
    """Greeting, answer and goodbye are heard, and the assistant ends the call; the switch lives and nothing is left."""
    async with beside(inbound=inbound) as (switch, service):

        async def one(media):
            call = await hand_over(switch, service, inbound=inbound, variables={"tomrt_media": media})
            await greeted(call)
            await say(call, QUESTION)
            await call.until_heard(within_s=10)
            await call.until_silent(within_s=20)
            await say(call, GOODBYE)
            assert await call.over(within_s=20) == "NORMAL_CLEARING", media
            assert call.ended_by == "server", media

        await at_once(one, MEDIA)
        assert not switch.crashed
        await idle(service)
        assert service.admission.admitted == len(MEDIA)
        assert f'tomrt_hangups_total{{cause="NORMAL_CLEARING"}} {len(MEDIA)}.0' in await metrics(service)


async def test_the_caller_who_cuts_in_silences_what_plays():
    """Whoever plays it, the assistant is silent soon after the caller speaks: nothing of it is left in the switch."""
    (utterance,) = await voiced("stop please I have another question", rate_hz=8000)
    async with beside() as (switch, service):

        async def one(media):
            call = await hand_over(switch, service, variables={"tomrt_media": media})
            await call.until_heard(within_s=20)
            await trio.sleep(0.5)
            call.speak(utterance.pcm)
            await call.until_silent(for_s=0.3, within_s=1.5)
            call.hang_up()

        await at_once(one, MEDIA)
        assert not switch.crashed


async def test_the_caller_hangs_up():
    """The cause reaches log and metrics, whatever carries the audio, and the line is free again."""
    async with beside() as (switch, service):

        async def one(media):
            call = await hand_over(switch, service, variables={"tomrt_media": media})
            await call.until_heard(within_s=20)
            call.hang_up("USER_BUSY")

        await at_once(one, MEDIA)
        await idle(service)
        text = await metrics(service)
        assert 'tomrt_hangups_total{cause="USER_BUSY"} 4.0' in text
        assert 'tomrt_calls_ended_total{reason="hangup"} 4.0' in text


async def test_unicast_in_every_codec():
    """The greeting is heard in the call's own codec, or as samples, one packet for each 20 ms and never two."""
    async with beside() as (switch, service):

        async def one(codec):
            call = await hand_over(switch, service, codec=codec, rate_hz=16000 if codec == "G722" else 8000)
            await call.until_heard(within_s=20)
            await trio.sleep(0.6)
            unicast = call.unicast
            call.hang_up()
            assert unicast.wrong_sizes == []
            arrivals = np.array([each.at for each in unicast.arrivals])
            # What counts is that nothing piles up; how punctual it is, a benchmark says.
            assert len(arrivals) > 20
            assert len(arrivals) - 2 <= (arrivals[-1] - arrivals[0]) / 0.02 + 0.5

        await at_once(one, ("PCMU", "PCMA", "G722", "L16"))


async def test_a_codec_that_cannot_be_had_is_refused():
    """A call at 48 kHz ends with a cause, and the next one is taken."""
    async with beside() as (switch, service):
        call = await hand_over(switch, service, codec="opus", rate_hz=48000)
        assert await call.over() == "NORMAL_TEMPORARY_FAILURE"
        other = await hand_over(switch, service)
        await other.until_heard(within_s=20)
        other.hang_up()


async def test_a_ringing_call_is_answered():
    """A dialplan that did not answer leaves that to the assistant."""
    async with beside() as (switch, service):
        call = await hand_over(switch, service, answered=False)
        await call.until_heard(within_s=20)
        assert call.answered
        call.hang_up()


async def test_keys_are_heard():
    """A digit that the switch reports is a turn of the caller's: something is answered."""
    async with beside() as (switch, service):
        call = await hand_over(switch, service)
        await greeted(call)
        call.press("1")
        await call.until_heard(within_s=10)
        call.hang_up()


@pytest.mark.parametrize("inbound", [False, True], ids=["outbound", "inbound"])
async def test_a_caller_is_transferred(inbound):
    """A caller who wants a person is handed to the first of the list, and is not hung up on."""
    async with beside(inbound=inbound, transfers="desk=2000@internal sales=2001") as (switch, service):

        async def one(media):
            call = await hand_over(switch, service, inbound=inbound, variables={"tomrt_media": media})
            await greeted(call)
            await say(call, PERSON)
            with trio.fail_after(20):
                while not call.transferred_to:
                    await trio.sleep(0.02)
            assert call.transferred_to.split() == ["2000", "XML", "internal"]
            await trio.sleep(0.3)
            assert call.ended == ""

        await at_once(one, ("unicast", "fork", "stream"))
        await idle(service)
        assert 'tomrt_calls_ended_total{reason="transferred"} 3.0' in await metrics(service)


async def test_nobody_to_be_transferred_to_ends_the_call():
    """Without a list the caller is not left in silence."""
    async with beside() as (switch, service):
        call = await hand_over(switch, service)
        await greeted(call)
        await say(call, PERSON)
        assert await call.over(within_s=20) == "NORMAL_CLEARING"


async def test_a_hundred_reconnects_lose_no_call():
    """The event socket is cut off again and again; calls on all media go on, are heard, and end under control."""
    async with beside(inbound=True) as (switch, service):
        calls = [
            await hand_over(switch, service, inbound=True, variables={"tomrt_media": media})
            for media in ("unicast", "fork")
        ]
        for call in calls:
            await call.until_heard(within_s=20)
        for _ in range(100):
            with trio.fail_after(30):
                while not switch.controls:
                    await trio.sleep(0.01)
            switch.drop_control()
        with trio.fail_after(30):
            while not switch.controls:
                await trio.sleep(0.01)
        assert switch.control_connections >= 101
        assert [call.ended for call in calls] == ["", ""]
        assert service.admission.active == 2
        for call in calls:
            await call.until_silent(within_s=20)
        for call in calls:
            await say(call, GOODBYE)
        assert [await call.over(within_s=20) for call in calls] == ["NORMAL_CLEARING"] * 2
        assert 'tomrt_door_total{kind="lost",what="inbound"} 100.0' in await metrics(service)


async def test_what_happened_meanwhile_is_found_after_a_reconnect():
    """A call parked while the event socket was away is taken, and one that ended is let go."""
    async with beside(inbound=True) as (switch, service):
        old = await hand_over(switch, service, inbound=True, variables={"tomrt_media": "unicast"})
        await old.until_heard(within_s=20)
        switch.stop_listening()
        switch.drop_control()
        await trio.sleep(0.1)
        old.hang_up()
        new = switch.park(variables={"tomrt_media": "unicast"})
        not_ours = switch.park()
        await switch.listen()
        await new.until_heard(within_s=20)
        assert service.admission.active == 1
        assert not any("unicast" in raw for raw in not_ours.commands)
        new.hang_up()


async def test_tokens_are_asked_for_and_given():
    """With a secret a handed-over call needs a token of its own; a module gets one from us with its URL."""
    async with beside(auth=SECRET) as (switch, service):
        stranger = await hand_over(switch, service)
        assert await stranger.over() == "CALL_REJECTED"
        uuid = "3a6b2d1e-0000-4000-8000-000000000001"
        variables = {"tomrt_token": issue(SECRET, uuid, 60), "tomrt_media": "fork"}
        call = await hand_over(switch, service, call_uuid=uuid, variables=variables)
        await call.until_heard(within_s=20)
        assert any("&token=ey" in raw for raw in call.commands)
        call.hang_up()


async def test_a_full_service_lets_the_dialplan_go_on():
    """With all lines busy a call is refused, and goes on in its dialplan where that is provided for."""
    async with fake_switch() as switch:
        settings = settings_with()
        async with running_service(evolve(settings, gateway=evolve(settings.gateway, max_calls=1))) as service:
            first = await hand_over(switch, service)
            await first.until_heard(within_s=20)
            second = await hand_over(switch, service)
            assert await second.over() == "NORMAL_CIRCUIT_CONGESTION"
            third = await hand_over(switch, service, variables={"socket_resume": "true"})
            await third.until(lambda: third.transferred_to == "resumed dialplan")
            assert first.ended == ""
            first.hang_up()


async def test_a_module_that_is_not_there_is_told():
    """A call whose module is not loaded ends with a cause; it does not stay silent."""
    async with beside({"modules": ("mod_event_socket", "mod_dptools")}) as (switch, service):
        call = await hand_over(switch, service, variables={"tomrt_media": "fork"})
        assert await call.over(within_s=10) == "NORMAL_TEMPORARY_FAILURE"
        await idle(service)


ODDITIES = {
    "joined blocks": {"joined_blocks": True},
    "ff start": {"ff_start": True},
    "no RTP": {"no_rtp": True, "ff_start": True},
    "late metadata": {"late_metadata": True},
    "no metadata": {"no_metadata": True},
    "byte by byte": {"chunks": 1},
    "joined events": {"events_joined": True},
    "slow replies": {"late_replies_s": 0.2},
    "socket kept": {"keeps_socket": True},
}


async def test_the_observed_oddities():
    """What was observed of a real switch is taken as it is: the greeting is heard on every path."""
    async with running_service(settings_with()) as service:
        for oddity, odd in ODDITIES.items():
            async with fake_switch(**odd) as switch:

                async def one(media, switch=switch, oddity=oddity):
                    call = await hand_over(switch, service, variables={"tomrt_media": media})
                    with trio.move_on_after(20):
                        await call.until_heard(within_s=30)
                    assert call.hears_now(), (oddity, media)
                    call.hang_up()

                await at_once(one, MEDIA)
            assert not switch.crashed, oddity


async def test_a_hostile_caller_name_changes_nothing():
    """A name with line ends in it forges neither header nor command."""
    async with beside() as (switch, service):
        name = "Bob\nHangup-Cause: ATTENDED_TRANSFER\n\nexit"
        call = await hand_over(switch, service, caller_name=name, caller="1000\n\nexit")
        await call.until_heard(within_s=20)
        assert not any("exit" in raw for raw in switch.commands)
        call.hang_up()


async def test_connections_that_bring_no_call_end_alone():
    """Whoever dials the event socket's port and speaks nonsense, or nothing, disturbs no call."""
    async with beside() as (switch, service):
        call = await hand_over(switch, service)
        await call.until_heard(within_s=20)
        port = service.listeners.outbound[0].socket.getsockname()[1]
        for words in (
            b"GET / HTTP/1.1\r\n\r\n",
            b"\x00\xff" * 999,
            b"Content-Length: 99999999999\n\n",
            b"a: b\n\n" * 9999,
        ):
            stream = await trio.open_tcp_stream("127.0.0.1", port)
            async with stream:
                with trio.move_on_after(0.3):
                    await stream.send_all(words)
        await trio.sleep(0.2)
        assert call.ended == ""
        await call.until_silent(within_s=20)
        await say(call, QUESTION)
        await call.until_heard(within_s=10)
        call.hang_up()


async def test_attended_transfer_with_a_whispered_summary():
    """The agent is called and told by voice what it is about; then the caller has the agent, and the call goes on."""
    settings = settings_with(transfers="desk=2000").freeswitch
    voice, done = Espeak(), trio.Event()

    async def serve_call(line):
        files = SpokenFiles(voice)
        tools = CallTools(line.control, line.targets, files.speak)
        said = await tools.use(Action("transfer", (("to", "desk"), ("summary", "It is about an appointment."))))
        assert said == "The caller has been put through to desk."
        while not isinstance(event := await line.receive(), LineClosed):
            pass
        assert event.reason == "transferred"
        await files.remove()
        done.set()

    calls = SwitchCalls(
        settings=settings, limits=Limits(), secret=Secret(), admission=Admission(max_calls=4),
        targets=read_targets(settings.transfers), media_url="", serve_call=serve_call, note=lambda *_: None,
    )  # fmt: skip
    async with fake_switch(agents={"2000": Agent(after_s=0.2)}) as switch, trio.open_nursery() as nursery:
        (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
        door = FreeswitchOutbound(settings=settings, calls=calls, note=lambda *_: None)
        await nursery.start(door.serve, [listener])
        call = await switch.dial_outbound(listener.socket.getsockname()[1])
        with trio.fail_after(30):
            await done.wait()
        assert call.state == "bridged"
        assert call.ended == ""
        (played,) = [raw for raw in switch.commands if "execute-app-arg" in raw and ".wav" in raw]
        assert not Path(played.split("execute-app-arg: ")[1].split("\n")[0]).exists()
        call.hang_up()
        nursery.cancel_scope.cancel()
    listener.socket.close()
    await voice.aclose()


def ours():
    """Return what is left open: tasks of the service (those of the fake switch linger), descriptors, threads."""

    def below(task):
        yield task.name
        for nursery in task.child_nurseries:
            for child in nursery.child_tasks:
                yield from below(child)

    tasks = sorted(name for name in below(trio.lowlevel.current_root_task()) if name.startswith("tomrt"))
    return tasks, *left_open()[1:]


async def test_nothing_is_left_behind():
    """After calls on all paths there are as many tasks, sockets and threads as before."""
    async with beside() as (switch, service):
        call = await hand_over(switch, service)
        await call.until_heard(within_s=20)
        call.hang_up()
        await trio.sleep(3.0)  # the last events of a call may take two
        before = ours()
        for media in MEDIA:
            call = await hand_over(switch, service, variables={"tomrt_media": media})
            await call.until_heard(within_s=20)
            call.hang_up()
        with trio.fail_after(10):
            while ours() != before:
                await trio.sleep(0.1)
