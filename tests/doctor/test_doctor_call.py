"""The test call: what a healthy one measures, what each broken one says, and that none is left behind."""

from __future__ import annotations

import pytest
import trio
import trio.testing
from attrs import evolve
from doctor_boxes import Box, box, settings_with
from hypothesis import given
from hypothesis import strategies as st

from tomrt.audio import alaw_decode, alaw_encode, ulaw_decode, ulaw_encode
from tomrt.doctor.audio_trial import Line, lend_ports
from tomrt.doctor.call_facts import CALL_CHECKS, CallFacts, Packet, judge_call
from tomrt.doctor.finding import Finding, Verdict
from tomrt.doctor.report import Report
from tomrt.doctor.tone import find, tone
from tomrt.errors import SwitchError

IDS = [check[0] for check in CALL_CHECKS]


@pytest.fixture
def soon() -> trio.testing.MockClock:
    """Let time pass by itself when nothing has come over the sockets for a while."""
    return trio.testing.MockClock(autojump_threshold=0.02)


def of_the_call(report: Report) -> dict[str, Finding]:
    """Return the findings of the call by name; what is wrong explains itself."""
    found = {each.id: each for each in report.findings if each.id in IDS}
    for each in found.values():
        assert each.verdict in {Verdict.OK, Verdict.SKIPPED} or (each.why and each.do)
    return found


def verdicts(found: dict[str, Finding]) -> str:
    """Return the verdicts in order, as words."""
    return " ".join(found[name].verdict.value for name in IDS if name in found)


async def test_a_healthy_call():
    """FreeSWITCH dials us, its audio comes every 20 ms, our tone comes back in time, and the end is told."""
    async with box() as healthy:
        report = await healthy.examined(with_call=True, own_addresses=("127.0.0.2",))
        found = of_the_call(report)
        assert healthy.switch.calls == {}
        (call,) = healthy.switch.all_calls
    assert {each.verdict for each in report.findings} == {Verdict.OK}, report.findings
    assert report.exit_code == 0
    assert len(found) == len(IDS)
    assert found["call.packets"].figures["packets"] >= 50
    assert 18 < found["call.cadence"].figures["gap_p50_ms"] < 22
    assert 20 <= found["call.echo"].figures["round_trip_ms"] < 150
    assert found["call.echo"].figures["likeness"] > 0.99
    assert call.unicasts[0].wrong_sizes == []
    assert any(step.startswith("sending a tone") for step in healthy.steps)


@pytest.mark.parametrize(
    ("cause", "why"),
    [
        ("DESTINATION_OUT_OF_ORDER", "mod_loopback"),
        ("CHAN_NOT_IMPLEMENTED", "mod_loopback"),
        ("NORMAL_TEMPORARY_FAILURE", "full, or paused"),
        ("SOMETHING_ELSE", "log says more"),
    ],
)
async def test_a_call_that_is_not_placed(soon, cause, why):
    """FreeSWITCH's refusal is told with its likely cause."""
    async with box(originate_fails=cause) as broken:
        found = of_the_call(await broken.examined(with_call=True))
    assert verdicts(found) == "fail skipped skipped skipped skipped skipped"
    assert cause in found["call.placed"].seen
    assert why in found["call.placed"].why


async def test_a_call_without_the_command(soon):
    """A switch that does not know originate lacks mod_commands."""
    async with box(answers={"originate": "-ERR originate command not found!\n"}) as broken:
        found = of_the_call(await broken.examined(with_call=True))
    assert "mod_commands" in found["call.placed"].why


async def test_a_call_that_does_not_reach_us(soon):
    """When FreeSWITCH does not dial us within 5 s, a firewall is named and the rest is skipped."""
    async with box(outbound_unreachable=True) as broken:
        found = of_the_call(await broken.examined(with_call=True))
        assert broken.switch.calls == {}
    assert verdicts(found) == "ok fail skipped skipped skipped skipped"
    assert "firewall" in found["call.handed_over"].why


async def test_a_call_without_audio():
    """When no packet comes, both addresses are told, and the settings that hold them."""
    async with box(unicast_silent=True) as broken:
        found = of_the_call(await broken.examined(with_call=True))
        assert broken.switch.calls == {}
    assert verdicts(found) == "ok ok fail skipped skipped ok"
    assert "from 127.0.0.1:" in found["call.packets"].seen
    assert "freeswitch.unicast_switch_host" in found["call.packets"].do


async def test_a_call_that_does_not_hear_us():
    """When the tone does not come back, the way to FreeSWITCH is at fault."""
    async with box() as deaf, trio.open_nursery() as nursery:

        async def stop_echo() -> None:
            while not deaf.switch.all_calls:
                await trio.sleep(0)
            deaf.switch.all_calls[0].echo = False

        nursery.start_soon(stop_echo)
        found = of_the_call(await deaf.examined(with_call=True))
    assert verdicts(found) == "ok ok ok ok fail ok"


@pytest.mark.parametrize("host", ["192.0.2.9", "no address"])
async def test_an_address_that_is_not_ours(soon, host):
    """A unicast address that this machine does not have is found before anything is sent."""
    async with box() as broken:
        broken.settings = settings_with(freeswitch={"unicast_host": host})
        found = of_the_call(await broken.examined(with_call=True))
        assert broken.switch.calls == {}
    assert found["call.handed_over"].verdict is Verdict.FAIL
    assert "no UDP port from 26000 to 27999 can be had" in found["call.handed_over"].seen


async def test_a_name_where_an_address_is_needed(soon):
    """FreeSWITCH takes addresses only, and a name is told before it is sent."""
    async with box() as broken:
        broken.settings = settings_with(freeswitch={"unicast_switch_host": "switch.example"})
        found = of_the_call(await broken.examined(with_call=True))
    assert "addresses, not names" in found["call.handed_over"].seen


# --- nothing is left behind ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("step", ["placing", "listening", "sending"])
async def test_an_interrupted_call_is_killed(step):
    """Interrupted at any step, the doctor leaves no call behind."""
    async with box() as left:
        with trio.CancelScope() as scope:

            def on_step(text: str) -> None:
                if text.startswith(step):
                    scope.cancel()

            left.steps = _Told(on_step)
            await left.examined(with_call=True)
        assert scope.cancelled_caught
        await _gone(left)


async def test_a_call_that_comes_late_is_killed():
    """A call that FreeSWITCH places only after the doctor was interrupted is killed when it comes."""
    async with box() as slow:
        slow.switch.api.late_s["originate"] = 0.3
        with trio.CancelScope() as scope:

            def on_step(text: str) -> None:
                if text.startswith("placing"):
                    scope.deadline = trio.current_time() + 0.1

            slow.steps = _Told(on_step)
            await slow.examined(with_call=True)
        assert scope.cancelled_caught
        assert len(slow.switch.all_calls) == 1
        await _gone(slow)


class _Told(list):
    """A list that tells what is put into it."""

    def __init__(self, tell) -> None:
        super().__init__()
        self._tell = tell

    def append(self, text: str) -> None:
        super().append(text)
        self._tell(text)


async def _gone(left: Box) -> None:
    with trio.fail_after(3):
        while left.switch.calls:
            await trio.sleep(0.01)


# --- what facts mean -------------------------------------------------------------------------------------------------


GOOD = CallFacts(
    dialled="127.0.0.1:40000",
    handed_over=True,
    audio_from="127.0.0.1:27998",
    audio_to="127.0.0.1:27999",
    codec="PCMU 8000 Hz",
    frame_bytes=160,
    packets=[Packet(number * 0.02, 160) for number in range(60)],
    senders={"127.0.0.1:27998"},
    tone_sent=True,
    round_trip_ms=40.0,
    likeness=0.999,
    hung_up=True,
)


def judged(**changed: object) -> dict[str, Finding]:
    """Return the findings of a good call with something changed."""
    findings = list(judge_call(evolve(GOOD, **changed)))
    assert [each.id for each in findings] == IDS
    assert all(each.why and each.do for each in findings if each.verdict in {Verdict.WARN, Verdict.FAIL})
    return {each.id: each for each in findings}


def test_good_facts():
    """A call in which all was well has six findings that say so."""
    assert verdicts(judged()) == "ok ok ok ok ok ok"


def test_packets_of_another_length():
    """Packets that are not one 20 ms frame are told with both sizes."""
    found = judged(packets=[Packet(number * 0.03, 240) for number in range(60)])
    assert verdicts(found) == "ok ok fail skipped skipped ok"
    assert "packets of 240 bytes came, and PCMU 8000 Hz has 160" in found["call.packets"].seen


def test_comfort_noise_is_no_fault():
    """In G.711 FreeSWITCH writes comfort noise with the length of decoded samples."""
    assert verdicts(judged(packets=[*GOOD.packets, Packet(1.2, 320)])) == "ok ok ok ok ok ok"


def test_packets_from_another_address():
    """Audio that the service would not take, because it comes from elsewhere, is told with the setting to change."""
    found = judged(senders={"10.0.0.5:27998"})
    assert verdicts(found) == "ok ok fail skipped skipped ok"
    assert found["call.packets"].do == 'freeswitch.unicast_switch_host = "10.0.0.5"'


@pytest.mark.parametrize(
    ("times", "verdict"),
    [
        ([number * 0.01 for number in range(60)], "fail"),
        ([number * 0.03 for number in range(60)], "fail"),
        ([number * 0.02 + 0.03 * (number % 10 == 0) for number in range(60)], "warn"),
        ([0.0], "skipped"),
    ],
)
def test_the_cadence(times, verdict):
    """Packets in another rhythm are a fault, packets in bursts are told."""
    found = judged(packets=[Packet(at, 160) for at in times])
    assert found["call.cadence"].verdict.value == verdict
    assert found["call.echo"].verdict is Verdict.OK


def test_a_long_way():
    """A round trip of more than 150 ms is told."""
    assert verdicts(judged(round_trip_ms=220.0)) == "ok ok ok ok warn ok"


def test_an_end_that_is_not_told():
    """A hang-up without an event is a fault of its own."""
    assert verdicts(judged(hung_up=False)) == "ok ok ok ok ok fail"


def test_a_control_connection_that_breaks():
    """What went wrong on the control connection is said in its words."""
    found = judged(control="the dialplan must say 'async full'", packets=[], tone_sent=False, hung_up=False)
    assert verdicts(found) == "ok fail skipped skipped skipped fail"


# --- the tone --------------------------------------------------------------------------------------------------------


@given(
    at=st.integers(0, 4000),
    rate_hz=st.sampled_from([8000, 16_000]),
    volume=st.floats(0.2, 1.0),
    law=st.sampled_from([(bytes, bytes), (ulaw_encode, ulaw_decode), (alaw_encode, alaw_decode)]),
)
def test_the_tone_is_found_to_the_sample(at, rate_hz, volume, law):
    """Wherever the tone begins, at whatever volume and through either law, it is found there."""
    import numpy as np

    encode, decode = law
    wave = (np.frombuffer(tone(rate_hz), "<i2") * volume).astype("<i2").tobytes()
    found = find(decode(encode(bytes(2 * at) + wave + bytes(1000))), rate_hz)
    assert found is not None
    assert found.at == at
    assert found.likeness > 0.98


@given(st.binary(max_size=12_000).map(lambda data: data[: len(data) // 2 * 2]))
def test_no_tone_is_found_in_noise(noise):
    """Noise, silence and too little of anything hold no tone."""
    assert find(noise, 8000) is None
    assert find(b"\xff" * 8000, 8000) is None
    assert find(bytes(8000), 8000) is None


@pytest.mark.parametrize(
    ("codec", "rate_hz", "native", "frame_bytes"),
    [("PCMU", 8000, True, 160), ("PCMA", 8000, True, 160), ("L16", 16_000, True, 640), ("opus", 16_000, False, 640)],
)
def test_the_line(codec, rate_hz, native, frame_bytes):
    """A frame is 20 ms of the codec's bytes, or of 16-bit samples; other lengths count as a silent frame."""
    line = Line(codec=codec, rate_hz=rate_hz)
    assert (line.native, line.frame_bytes) == (native, frame_bytes)
    assert len(line.encode(bytes(rate_hz // 25))) == frame_bytes
    assert line.decode(bytes(17)) == bytes(rate_hz // 25)


def test_ports_are_taken_from_the_end():
    """The doctor takes the pair that the service comes to last, and the next where that one is taken."""
    settings = settings_with(freeswitch={"unicast_first_port": 40_000, "unicast_last_port": 40_003}).freeswitch
    with lend_ports(settings) as (_, *first), lend_ports(settings) as (_, *second):
        assert first == [("127.0.0.1", 40_002), ("127.0.0.1", 40_003)]
        assert second == [("127.0.0.1", 40_000), ("127.0.0.1", 40_001)]
        with pytest.raises(SwitchError, match="40000 to 40003"), lend_ports(settings):
            pass
