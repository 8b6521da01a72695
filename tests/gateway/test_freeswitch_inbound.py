"""The event socket that we dial: let in or not, lost and found, and one call's fault no other call's."""

import logging
import random
from collections import Counter
from contextlib import asynccontextmanager

import pytest
import trio
from fakes.freeswitch import fake_switch

from tomrt.events import LineClosed
from tomrt.gateway.admission import Admission
from tomrt.gateway.freeswitch_inbound import FreeswitchInbound
from tomrt.gateway.switch_calls import SwitchCalls
from tomrt.settings import Freeswitch, Limits, Secret

UNICAST = {"tomrt_media": "unicast"}


async def listen(line):
    """A call that only listens."""
    while not isinstance(await line.receive(), LineClosed):
        pass


@asynccontextmanager
async def connected(switch, *, password="ClueCon", port=0, serve_call=listen):
    counts = Counter()

    def note(what, kind):
        counts.update([f"{what}/{kind}"])

    settings = Freeswitch(
        inbound_host="127.0.0.1", inbound_port=port or switch.inbound_port, inbound_password=Secret(password)
    )
    admission = Admission(max_calls=9)
    calls = SwitchCalls(
        settings=settings, limits=Limits(), secret=Secret(), admission=admission, targets={}, media_url="",
        serve_call=serve_call, note=note,
    )  # fmt: skip
    inbound = FreeswitchInbound(settings=settings, calls=calls, note=note, chance=random.Random(1))
    inbound.counts, inbound.admission = counts, admission
    async with trio.open_nursery() as nursery:
        nursery.start_soon(inbound.run)
        yield inbound
        nursery.cancel_scope.cancel()


async def until(condition, within_s=10):
    with trio.fail_after(within_s):
        while not condition():
            await trio.sleep(0.01)


@pytest.mark.parametrize(
    ("odd", "password", "words"),
    [
        ({}, "wrong", "FreeSWITCH refused the password of its event socket"),
        ({"rude": True}, "ClueCon", "FreeSWITCH takes no connections from this address"),
    ],
)
async def test_not_being_let_in_is_said_once_and_tried_again(odd, password, words, caplog):
    """The reason is logged in plain words, once for each outage, and the password never."""
    with caplog.at_level(logging.INFO, "tomrt.control"):
        async with fake_switch(**odd) as switch, connected(switch, password=password) as inbound:
            await until(lambda: inbound.counts["inbound/failed"] >= 3)
    assert [words in record.getMessage() for record in caplog.records if record.levelname == "ERROR"] == [True]
    assert password not in caplog.text


async def test_nobody_there_and_then_somebody(caplog):
    """A switch that starts after us is found."""
    async with fake_switch() as switch:
        switch.stop_listening()
        await trio.sleep(0.05)
        with caplog.at_level(logging.INFO, "tomrt.control"):
            async with connected(switch) as inbound:
                await until(lambda: inbound.counts["inbound/failed"] >= 2)
                await switch.listen()
                await until(lambda: inbound.counts["inbound/connected"] == 1)
    assert "no event socket at 127.0.0.1" in caplog.text


async def test_one_connection_has_many_calls():
    """Parked calls that are meant for us are taken, others are left alone, and each ends by itself."""
    async with fake_switch() as switch, connected(switch) as inbound:
        await until(lambda: inbound.counts["inbound/connected"])
        ours = [switch.park(variables=UNICAST) for _ in range(5)]
        switch.park()
        await until(lambda: inbound.admission.active == 5)
        assert inbound.calls == 5
        ours[2].hang_up()
        await until(lambda: inbound.admission.active == 4)
        assert switch.control_connections == 1


async def test_a_call_that_fails_harms_no_other(caplog):
    """A fault of ours in one call is counted and logged, that call ends, and the others go on."""

    async def serve(line):
        if line.info.caller == "666":
            raise ZeroDivisionError
        await listen(line)

    async with fake_switch() as switch, connected(switch, serve_call=serve) as inbound:
        await until(lambda: inbound.counts["inbound/connected"])
        good = switch.park(variables=UNICAST)
        await until(lambda: inbound.admission.active == 1)
        bad = switch.park(variables=UNICAST, caller="666")
        await until(lambda: inbound.counts["crashed/ZeroDivisionError"] == 1)
        assert await bad.over() == "NORMAL_TEMPORARY_FAILURE"
        assert inbound.admission.active == 1
        assert good.ended == ""


async def test_a_call_that_vanished_is_let_go():
    """A call that ended while the connection was down is over after the reconnect, and no port stays lent."""
    async with fake_switch() as switch, connected(switch) as inbound:
        await until(lambda: inbound.counts["inbound/connected"])
        call = switch.park(variables=UNICAST)
        await until(lambda: inbound.admission.active == 1)
        switch.stop_listening()
        switch.drop_control()
        await until(lambda: inbound.counts["inbound/lost"])
        call.hang_up()
        await switch.listen()
        await until(lambda: inbound.admission.active == 0)
        assert inbound.counts["inbound/vanished"] == 1


async def test_stopping_at_once_hangs_up():
    """A parked call is not left alone in silence when the service is ended: it is hung up before the connection is."""

    async def serve(line):
        try:
            await listen(line)
        finally:
            with trio.move_on_after(1, shield=True):
                await line.hang_up("draining")

    async with fake_switch() as switch:
        async with connected(switch, serve_call=serve) as inbound:
            await until(lambda: inbound.counts["inbound/connected"])
            calls = [switch.park(variables=UNICAST) for _ in range(3)]
            await until(lambda: inbound.admission.active == 3)
        assert [call.ended for call in calls] == ["NORMAL_TEMPORARY_FAILURE"] * 3


async def test_a_switch_with_thousands_of_channels_is_not_listed():
    """The list would be longer than a message may be: the connection holds, and new calls are taken."""
    async with fake_switch(other_channels=5_000) as switch:
        switch.park(variables=UNICAST)
        async with connected(switch) as inbound:
            await until(lambda: inbound.counts["inbound/not_looked"])
            switch.park(variables=UNICAST)
            await until(lambda: inbound.admission.active == 1)
            assert not any("as json" in raw for raw in switch.commands)
            assert switch.control_connections == 1
