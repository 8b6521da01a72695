"""The fake FreeSWITCH speaks the event socket as a real one was observed to; each test names an observation."""

import itertools

import pytest
import trio
from fakes.freeswitch import Agent, fake_switch
from fakes.freeswitch_peer import dialled_in, dialled_out
from fakes.freeswitch_text import CommandReader
from hypothesis import given
from hypothesis import strategies as st

from tomrt.wire import esl_commands
from tomrt.wire.esl_event import read_channel


async def test_connect_is_answered_by_one_encoded_block():
    """The answer to ``connect`` is one block of 175 headers and a few, every value encoded, without a length."""
    name = 'Eve\nHangup-Cause: NORMAL "x" 50%'
    async with fake_switch() as switch, dialled_out(switch, caller_name=name, called="7003") as (call, peer):
        reply = await peer.ask("connect")
        channel = read_channel(reply)
        assert reply.headers["Reply-Text"] == "%2BOK%0A"
        assert "Content-Length" not in reply.headers
        assert len(reply.headers) > 175
        assert channel.uuid == call.uuid
        assert channel.get("Caller-Caller-ID-Name") == name
        assert channel.get("Caller-Destination-Number") == "7003"
        assert channel.get("Socket-Mode") == "async"
        assert channel.get("Channel-Read-Codec-Name") == "PCMU"


async def test_a_filter_keeps_other_calls_out_and_jobs_too():
    """A filter on one call's id lets no other call through, and no BACKGROUND_JOB, which has no such header."""
    async with fake_switch() as switch, dialled_in(switch) as peer:
        one, two = switch.park(), switch.park()
        await peer.ask("event plain DTMF BACKGROUND_JOB")
        await peer.ask(f"filter Unique-ID {one.uuid}")
        two.press("2")
        await peer.ask("bgapi status\nJob-UUID: j1")
        one.press("1")
        await peer.event("DTMF")
        assert [event.get("DTMF-Digit") for event in peer.named("DTMF")] == ["1"]
        assert not peer.named("BACKGROUND_JOB")


async def test_without_linger_the_end_is_a_notice_of_67_bytes():
    """Without ``linger`` a hang-up gives the disconnect notice and the end, and no last events."""
    async with fake_switch() as switch, dialled_out(switch) as (call, peer):
        await peer.ask("connect")
        await peer.ask("myevents")
        call.hang_up()
        await peer.ended.wait()
        notice = peer.messages[-1]
        assert notice.content_type == "text/disconnect-notice"
        assert notice.headers["Content-Disposition"] == "disconnect"
        assert len(notice.body) == 67
        assert not peer.named("CHANNEL_HANGUP_COMPLETE")


async def test_linger_brings_the_last_events():
    """With ``linger`` the notice says so, has no body, and the last events come."""
    async with fake_switch() as switch, dialled_out(switch) as (call, peer):
        await peer.ask("connect")
        await peer.ask("myevents")
        await peer.ask("linger 5")
        call.hang_up("USER_BUSY")
        assert (await peer.event("CHANNEL_HANGUP_COMPLETE")).get("Hangup-Cause") == "USER_BUSY"
        notice = peer.messages[-1]
        assert (notice.headers["Content-Disposition"], notice.headers["Linger-Time"]) == ("linger", "5")
        assert notice.headers["Content-Length"] == "0"
        assert not peer.ended.is_set()
        assert call.ended_by == "caller"


@pytest.mark.parametrize("how", ["exit", "close"])
async def test_the_server_leaving_hangs_up(how):
    """``exit`` and closing the connection hang the call up at once."""
    async with fake_switch() as switch, dialled_out(switch) as (call, peer):
        await peer.ask("connect")
        if how == "exit":
            assert (await peer.ask("exit")).reply_text == "+OK bye"
        else:
            await peer.stream.aclose()
        assert await call.over() == "NORMAL_CLEARING"
        assert call.ended_by == "server"


async def test_socket_resume_lets_the_call_go_on():
    """With ``socket_resume`` set, the call outlives the connection."""
    async with fake_switch() as switch, dialled_out(switch, variables={"socket_resume": "true"}) as (call, peer):
        await peer.ask("connect")
        await peer.stream.aclose()
        await call.until(lambda: call.state == "transferred")
        assert not call.ended


async def test_nobody_listening_ends_the_call():
    """A call whose server does not listen ends at once."""
    async with fake_switch(outbound_unreachable=True) as switch:
        call = await switch.dial_outbound(1)
        await call.over()
        assert call.ended_by == "switch"


async def test_port_8021_wants_a_password():
    """Port 8021 asks for a password, refuses a wrong one and ends; the right one is accepted."""
    async with fake_switch(password="secret") as switch:
        async with dialled_in(switch, password=None) as peer:
            assert peer.messages[0].content_type == "auth/request"
            assert (await peer.ask("auth ClueCon")).reply_text == "-ERR invalid"
            await peer.ended.wait()
        async with dialled_in(switch, password=None) as peer:
            assert (await peer.ask("auth secret")).reply_text == "+OK accepted"
            assert switch.control_connections == 2


async def test_the_access_list_is_rude():
    """An address that is not let in gets a rude rejection and the end."""
    async with fake_switch(rude=True) as switch, dialled_in(switch, password=None) as peer:
        await peer.ended.wait()
        assert peer.messages[0].content_type == "text/rude-rejection"


async def test_calls_outlive_their_control_connection():
    """Connections to port 8021 may break; calls go on, and answer to the next connection."""
    async with fake_switch() as switch:
        call = switch.park()
        for _ in range(3):
            async with dialled_in(switch) as peer:
                assert await peer.api(f"uuid_exists {call.uuid}") == "true"
                assert switch.drop_control() == 1
                await peer.ended.wait()
        assert not call.ended
        assert call.commands == [f"api uuid_exists {call.uuid}"] * 3


async def test_a_job_comes_back_with_its_id():
    """``bgapi`` is answered with the job's id at once, and the result comes as an event with a body of its own."""
    async with fake_switch() as switch, dialled_in(switch) as peer:
        await peer.ask("event plain BACKGROUND_JOB")
        reply = await peer.ask("bgapi version\nJob-UUID: job-7")
        assert reply.reply_text == "+OK Job-UUID: job-7"
        job = await peer.event("BACKGROUND_JOB")
        assert job.get("Job-UUID") == "job-7"
        assert job.body.startswith("FreeSWITCH Version 1.11.3-dev")


async def test_what_it_does_not_know_is_not_found():
    """An unknown command, and one of a module that is not loaded, is said not to be found."""
    async with fake_switch(modules=("mod_commands",)) as switch, dialled_in(switch) as peer:
        call = switch.park()
        assert await peer.api("uuid_nonsense 1") == "-ERR uuid_nonsense command not found!\n"
        assert "not found" in await peer.api(f"uuid_audio_fork {call.uuid} stop")
        assert (await peer.ask("dance")).reply_text == "-ERR command not found"
        assert await peer.api("uuid_kill nobody") == "-ERR No such channel!\n"
        assert '"mod_commands"' in await peer.api("show modules as json")


async def test_variables_are_set_and_read():
    """A variable that was never set reads ``_undef_``."""
    async with fake_switch() as switch, dialled_in(switch) as peer:
        call = switch.park(variables={"a": "1"})
        assert await peer.api(f"uuid_getvar {call.uuid} b") == "_undef_"
        assert await peer.api(f"uuid_setvar {call.uuid} b x y") == "+OK\n"
        assert await peer.api(f"uuid_getvar {call.uuid} b") == "x y"


async def test_an_agent_answers_or_does_not():
    """``originate`` gives the new call's id when somebody answers, and the cause when nobody does."""
    agents = {"2001": Agent(cause="USER_BUSY"), "2002": Agent(after_s=30)}
    async with fake_switch(agents=agents) as switch, dialled_in(switch) as peer:
        assert await peer.api("originate loopback/2001/default &park()") == "-ERR USER_BUSY\n"
        assert await peer.api("originate {originate_timeout=0.1}loopback/2002/default &park()") == "-ERR NO_ANSWER\n"
        said = await peer.api("originate {origination_uuid=u-1,ignore_early_media=true}loopback/2003/default &park()")
        assert said == "+OK u-1\n"
        caller = switch.park()
        assert await peer.api(f"uuid_bridge {caller.uuid} u-1") == "+OK u-1\n"
        assert caller.bridged_to is switch.calls["u-1"]
        caller.hang_up()
        assert "u-1" not in switch.calls


async def test_a_ringing_call_is_answered_and_told_the_rest():
    """A call may ring until it is answered; digits, recordings and other applications are kept for the test."""
    async with fake_switch() as switch, dialled_in(switch) as peer:
        call = switch.park(answered=False)
        await peer.ask("event plain CHANNEL_ANSWER")
        await peer.ask(esl_commands.execute("answer", uuid=call.uuid))
        assert (await peer.event("CHANNEL_ANSWER")).get("Answer-State") == "answered"
        await peer.api(f"uuid_send_dtmf {call.uuid} 12@100")
        await peer.api(f"uuid_record {call.uuid} start /tmp/x.wav")
        await peer.ask(esl_commands.execute("set", "a=b", uuid=call.uuid))
        await call.until(lambda: call.variables.get("a") == "b")
        assert (call.dtmf_sent, call.recordings) == ("12", [("start", "/tmp/x.wav")])
        assert call.applied == [("answer", ""), ("set", "a=b")]


@given(st.data())
def test_commands_are_read_in_any_pieces(data):
    """However the bytes of commands are cut, the same commands are read; empty lines between them mean nothing."""
    commands = ["connect", "api status", "sendmsg u\ncall-command: execute\ncontent-length: 4\n\nab\n\n", "exit"]
    stream = "".join(command if "length" in command else f"{command}\n\n\n" for command in commands).encode()
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=6)))
    reader = CommandReader()
    read = [each for a, b in itertools.pairwise([0, *cuts, len(stream)]) for each in reader.feed(stream[a:b])]
    assert [each.word for each in read] == ["connect", "api", "sendmsg", "exit"]
    assert (read[2].rest, read[2].get("Call-Command"), read[2].body) == ("u", "execute", "ab\n\n")


async def test_a_transfer_ends_the_socket_but_not_the_call():
    """A transferred call leaves the socket application, whose connection ends; the call goes on."""
    async with fake_switch() as switch, dialled_out(switch) as (call, peer):
        await peer.ask("connect")
        assert await peer.api(f"uuid_transfer {call.uuid} 1000 XML default") == "+OK\n"
        await peer.ended.wait()
        assert (call.state, call.transferred_to) == ("transferred", "1000 XML default")


@pytest.mark.parametrize("oddity", [{"chunks": 1}, {"events_joined": True}])
async def test_segments_tell_nothing(oddity):
    """Messages come byte by byte or several in one segment, and mean the same."""
    async with fake_switch(**oddity) as switch, dialled_out(switch) as (call, peer):
        read_channel(await peer.ask("connect"))
        await peer.ask("myevents")
        call.press("123")
        await peer.event("DTMF", 3)
        assert [event.get("DTMF-Digit") for event in peer.named("DTMF")] == ["1", "2", "3"]
        if "events_joined" in oddity:
            assert any(segment.count(b"text/event-plain") == 3 for segment in peer.segments)


async def test_hanging_up_by_sendmsg():
    """The server's hang-up has its cause, and a call that is gone is no valid session."""
    async with fake_switch() as switch, dialled_in(switch) as peer:
        call = switch.park()
        await peer.ask(esl_commands.hang_up("CALL_REJECTED", uuid=call.uuid))
        assert (call.ended, call.ended_by) == ("CALL_REJECTED", "server")
        reply = await peer.ask(esl_commands.hang_up("NORMAL_CLEARING", uuid=call.uuid))
        assert reply.reply_text.startswith("-ERR invalid session id")


async def test_the_loopback_call_of_the_doctor_echoes():
    """``loopback/app=echo &socket(...)`` dials out as a call with the id asked for, whose far end echoes."""
    async with fake_switch() as switch, dialled_in(switch) as inbound:
        (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
        async with listener:
            port = listener.socket.getsockname()[1]
            where = f"&socket('127.0.0.1:{port} async full')"
            await inbound.ask(f"bgapi originate {{origination_uuid=u-9}}loopback/app=echo {where}")
            with trio.fail_after(5):
                stream = await listener.accept()
            async with stream:
                await stream.send_all(b"connect\n\n")
                assert b"Unique-ID: u-9\n" in await stream.receive_some()
                assert switch.calls["u-9"].echo
