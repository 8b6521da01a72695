"""Calls that come with their controls: whose they are, and in what they are spoken."""

import pytest
import trio
from esl_peer import CALLER, EslPeer, api_response, linked
from fakes.freeswitch import fake_switch

from tomrt.errors import SwitchError
from tomrt.events import LineClosed
from tomrt.gateway.admission import Admission
from tomrt.gateway.call_control import CallControl
from tomrt.gateway.freeswitch_outbound import FreeswitchOutbound
from tomrt.gateway.switch_calls import SwitchCalls, with_codec
from tomrt.settings import Freeswitch, Limits, Secret
from tomrt.wire.esl_event import EslEvent


def ringing(**headers):
    return EslEvent(name="CHANNEL_DATA", uuid=CALLER, headers={"Answer-State": "ringing", **headers})


async def test_the_codec_of_a_call_that_was_ringing(autojump_clock):
    """A call that had no codec before it was answered is asked for it afterwards, as often as it takes."""
    answers = {f"api uuid_getvar {CALLER} read_codec": api_response("_undef_")}
    peer = EslPeer(answers={**answers, f"api uuid_getvar {CALLER} read_rate": api_response("16000")})

    def answered_later(count):
        if count == 4:
            peer.answers[f"api uuid_getvar {CALLER} read_codec"] = api_response("G722")

    peer.on_command = answered_later
    async with linked(peer) as world:
        channel = await with_codec(CallControl(world.link, CALLER, Freeswitch()), ringing())
        assert channel.get("Channel-Read-Codec-Name") == "G722"
        assert channel.get("Channel-Read-Codec-Rate") == "16000"
        assert channel.get("Answer-State") == "ringing"


async def test_a_codec_that_is_known_is_not_asked_for(autojump_clock):
    """What FreeSWITCH told at once is believed."""
    async with linked() as world:
        channel = ringing(**{"Channel-Read-Codec-Name": "PCMU"})
        assert await with_codec(CallControl(world.link, CALLER, Freeswitch()), channel) is channel
        assert world.peer.commands == []


async def test_a_call_that_is_never_answered_is_told(autojump_clock):
    """It ends with one sentence, after two seconds."""
    peer = EslPeer(answers={"api uuid_getvar": api_response("_undef_")})
    async with linked(peer) as world:
        with pytest.raises(SwitchError, match="it was not answered"):
            await with_codec(CallControl(world.link, CALLER, Freeswitch()), ringing())
        assert 1.9 < trio.current_time() < 2.2


async def test_nobody_takes_a_call_that_is_under_way():
    """A second connection that claims the name of a running call is refused, and the call goes on."""
    served = []

    async def serve(line):
        served.append(line)
        while not isinstance(await line.receive(), LineClosed):
            pass

    settings = Freeswitch()
    calls = SwitchCalls(
        settings=settings, limits=Limits(), secret=Secret(), admission=Admission(max_calls=4), targets={},
        media_url="", serve_call=serve, note=lambda *_: None,
    )  # fmt: skip
    async with fake_switch() as switch, fake_switch() as impostor, trio.open_nursery() as nursery:
        (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
        port = listener.socket.getsockname()[1]
        await nursery.start(FreeswitchOutbound(settings=settings, calls=calls, note=lambda *_: None).serve, [listener])
        call = await switch.dial_outbound(port, call_uuid="3a6b2d1e-0000-4000-8000-000000000009")
        with trio.fail_after(10):
            while not served:
                await trio.sleep(0.01)
        other = await impostor.dial_outbound(port, call_uuid=call.uuid)
        assert await other.over() == "CALL_REJECTED"
        assert call.ended == ""
        assert len(served) == 1
        call.hang_up()
        nursery.cancel_scope.cancel()
    listener.socket.close()
