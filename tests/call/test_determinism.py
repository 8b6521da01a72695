"""The same call twice is the same call."""

from fakes.calls import CallBench, run_call, run_calls
from fakes.engines import SmallSession
from fakes.line import MemoryLine
from fakes.speech import noise, speech

from tomrt.events import LineClosed
from tomrt.happenings import CallEnded, ReplyAudible


async def talkative(call: CallBench) -> None:
    """Ask, interrupt, murmur, ask again, hang up."""
    await call.line.speak(noise(2.0, dbfs=-60.0))
    await call.line.speak(speech(0.8))
    while len(call.log.all(ReplyAudible)) < 2:
        await call.line.speak(noise(0.02, dbfs=-60.0))
    await call.line.speak(noise(0.7, dbfs=-60.0, seed=1))
    await call.line.speak(speech(0.2, seed=1) + noise(1.5, dbfs=-60.0, seed=2))
    await call.line.speak(speech(1.1, seed=2) + noise(4.0, dbfs=-60.0, seed=3))
    call.line.feed(LineClosed("hangup"))


def bench() -> CallBench:
    """Return a call of three answers."""
    answers = (("hours", "one two three four five six seven eight nine", 0.2), ("bye", "Good bye.", 0.1))
    return CallBench(MemoryLine(), SmallSession(answers))


def conversation() -> CallBench:
    """Run it."""
    return run_call(talkative, bench())


def test_same_seed_same_event_log():
    """Two runs of a whole conversation with barge-in give identical event logs and identical audio."""
    first, second = conversation(), conversation()
    assert first.log.happened == second.log.happened
    assert first.line.sent == second.line.sent
    assert {"ReplyYielded", "ReplyResumed", "ReplyEnded", "TurnWithdrawn"} <= set(first.log.names())


def test_crash_of_one_call_is_one_log_record_and_touches_no_other(caplog):
    """A call whose engine crashes ends with one record in the log; its neighbour's events and audio are as if alone."""
    crashing = CallBench(MemoryLine(), SmallSession((("hours", ZeroDivisionError("boom"), 0.1),)))
    neighbour = bench()
    run_calls((talkative, crashing), (talkative, neighbour))
    alone = conversation()
    assert crashing.log.all(CallEnded)[0].reason == "failed"
    assert len(caplog.records) == 1
    assert alone.log.happened == neighbour.log.happened
    assert alone.line.sent == neighbour.line.sent
