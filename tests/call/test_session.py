"""Whole calls in memory, on a clock that jumps."""

import pytest
import trio
from fakes.calls import PROMPTS, CallBench, run_call
from fakes.engines import SmallSession
from fakes.line import MemoryLine
from fakes.speech import noise, silence, speech

from tomrt.dialogue.prompts import Prompts
from tomrt.errors import EngineError
from tomrt.events import Action, CallInfo, Dialect, LineClosed, LineDigit, Message
from tomrt.happenings import (
    ActionRequested,
    CallEnded,
    ReplyAudible,
    ReplyEnded,
    ReplyOutcome,
    ReplyResumed,
    ReplyYielded,
    StateChanged,
    TurnEnded,
    TurnWithdrawn,
    Understood,
)
from tomrt.ports import Egress

LONG = "one two three four five six seven eight nine ten"
AHEAD = Egress(lead_s=0.2, start_delay_s=0.06, tail_pad_s=0.16, flush_on_yield=True, marks=True)
FRAME_S = 0.020


def bench(*answers, **line) -> CallBench:
    """Return a call whose turns are answered by *answers*."""
    return CallBench(MemoryLine(**line), SmallSession(answers or (("hello", "Hello you.", 0.1),)))


async def quiet(call: CallBench, seconds: float) -> None:
    """Let the caller be silent, with the line noise of a real one."""
    await call.line.speak(noise(seconds, dbfs=-60.0))


async def listen_and_hang_up(call: CallBench) -> None:
    """Say one thing, wait for the answer, hang up."""
    await quiet(call, 2.0)
    await call.line.speak(speech(1.0))
    await quiet(call, 3.0)
    call.line.feed(LineClosed("hangup"))


def outcomes(call: CallBench) -> list[str]:
    """Return how the replies ended."""
    return [ended.outcome.value for ended in call.log.all(ReplyEnded)]


def test_greeting_turn_answer_hang_up():
    """A call is greeted, a turn is understood and answered, and a hang-up ends it in order."""
    call = run_call(listen_and_hang_up, bench())
    assert call.session.said == ["Good day."]
    assert outcomes(call) == ["completed", "completed"]
    states = [changed.state for changed in call.log.all(StateChanged)]
    assert states == ["greeting", "listening", "thinking", "speaking", "listening", "ended"]
    assert call.log.all(CallEnded)[0].reason == "hangup"
    assert call.log.names()[-1] == "CallEnded"
    assert call.line.told == call.log.happened


def test_response_time_is_counted_from_the_last_word():
    """The response time runs from the end of the caller's speech: hang-over, thinking and voice are all in it."""
    call = run_call(listen_and_hang_up, bench())
    (audible,) = [audible for audible in call.log.all(ReplyAudible) if audible.turn]
    ended = call.log.all(TurnEnded)[0]
    assert 1_000 - 80 <= ended.end_ms - ended.start_ms <= 1_000 + 120
    assert 600 + 100 <= audible.response_ms <= 600 + 100 + 60


def test_utterance_reaches_the_engines_whole():
    """The engines get the utterance at 16 kHz with a little before and after it."""
    call = run_call(listen_and_hang_up, bench())
    seconds = len(call.session.turns[0].audio) / 32_000
    assert 1.2 <= seconds <= 1.7


def test_history_grows_turn_by_turn():
    """Each turn brings what was understood and heard before it."""

    async def caller(call: CallBench) -> None:
        await listen_twice(call)

    call = run_call(caller, bench(("hello", "Hello you.", 0.1), ("bye", "Bye.", 0.1)))
    expected = (Message("assistant", "Good day."), Message("user", "hello"), Message("assistant", "Hello you."))
    assert expected == call.session.history_of(2)


async def listen_twice(call: CallBench) -> None:
    """Say two things and hang up."""
    await quiet(call, 2.0)
    for _ in range(2):
        await call.line.speak(speech(1.0))
        await quiet(call, 3.0)
    call.line.feed(LineClosed("hangup"))


def interrupt(seconds: float, *, at: float = 1.0, egress: Egress | None = None, answer: str = LONG) -> tuple:
    """Run a call whose caller speaks for *seconds* over the answer, *at* seconds into it; return it and the onset."""
    onset = []

    async def caller(call: CallBench) -> None:
        await quiet(call, 2.0)
        await call.line.speak(speech(1.0))
        while len(call.log.all(ReplyAudible)) < 2:
            await quiet(call, FRAME_S)
        await quiet(call, at)
        onset.append(trio.current_time())
        await call.line.speak(speech(seconds, seed=3))
        await quiet(call, 6.0)
        call.line.feed(LineClosed("hangup"))

    call = bench(("hello", answer, 0.1), ("stop", "Yes?", 0.1), egress=egress or Egress())
    return run_call(caller, call), onset[0]


@pytest.mark.parametrize("egress", [Egress(), AHEAD], ids=["paced", "ahead"])
def test_interruption_silences_the_bot_within_120_ms(egress):
    """From the first sample of the caller's speech the bot is silent within 120 ms, and the rest is never said."""
    call, onset = interrupt(1.0, egress=egress)
    cut = call.log.all(ReplyEnded)[1]
    assert ReplyOutcome.CUT is cut.outcome
    after = [at for at in call.line.audible(after=onset) if at < onset + 1.0]
    assert all(at - onset <= 0.120 for at in after)
    assert call.line.verbs[0][0] - onset <= (0.120 if egress.flush_on_yield else 0.64)
    assert cut.text == LONG
    assert cut.heard in {"one two three", "one two"}
    history = call.session.history_of(2)
    assert Message("assistant", cut.heard) == history[-1]


@pytest.mark.parametrize("egress", [Egress(), AHEAD], ids=["paced", "ahead"])
def test_backchannel_does_not_stop_the_bot(egress):
    """A short "mhm" makes the bot pause and then go on where it stopped: the whole answer is heard, no turn is made."""
    call, _ = interrupt(0.22, egress=egress)
    assert 1 == len(call.log.all(ReplyYielded)) == len(call.log.all(ReplyResumed))
    assert outcomes(call) == ["completed", "completed"]
    assert len(call.session.turns) == 1
    resumed = call.log.all(ReplyResumed)[0].at - call.log.all(ReplyYielded)[0].at
    assert resumed <= 0.5 + FRAME_S


def test_short_answer_to_a_question_nearly_out_is_an_answer():
    """A short word over the last syllables of the bot is taken as an answer, not as a backchannel."""
    call, _ = interrupt(0.24, at=2.6)
    assert ReplyOutcome.CUT is call.log.all(ReplyEnded)[1].outcome
    assert len(call.session.turns) == 2


def test_caller_who_goes_on_takes_the_turn_back():
    """Speech while the answer is still being made cancels it unheard; both parts become one turn."""

    async def caller(call: CallBench) -> None:
        await quiet(call, 2.0)
        await call.line.speak(speech(0.6))
        await quiet(call, 0.9)
        await call.line.speak(speech(0.6, seed=2))
        await quiet(call, 4.0)
        call.line.feed(LineClosed("hangup"))

    call = run_call(caller, bench(("first", "Never heard.", 1.0), ("both", "Heard.", 0.1)))
    assert outcomes(call) == ["completed", "cancelled", "completed"]
    assert call.log.all(TurnWithdrawn)[0].reason == "the caller went on"
    assert len(call.session.turns[1].audio) / 32_000 > 2.0
    assert Message("user", "first") not in call.session.history_of(2)


def test_silence_and_noise_are_no_turn():
    """Line noise, digital silence and clicks make no turn."""

    async def caller(call: CallBench) -> None:
        await quiet(call, 1.5)
        await call.line.speak(silence(1.0))
        await call.line.speak(noise(0.5, dbfs=-50.0))
        await call.line.speak(speech(0.06) + noise(1.0, dbfs=-60.0))
        call.line.feed(LineClosed("hangup"))

    call = run_call(caller, bench())
    assert call.log.all(TurnEnded) == []


def test_silent_caller_is_asked_and_then_released():
    """After two re-prompts a silent caller hears goodbye and the call ends by itself."""

    async def caller(call: CallBench) -> None:
        await quiet(call, 60.0)

    call = run_call(caller, bench())
    assert call.session.said == ["Good day.", "Are you there?", "Hello?", "Good bye."]
    assert "silence" == call.log.all(CallEnded)[0].reason == call.line.hung_up


def test_hang_up_action_ends_the_call_after_its_words():
    """A reply that asks to hang up is heard to its end first."""
    call = run_call(listen_and_hang_up, bench(("bye", Action("hang_up"), 0.1)))
    assert [ended.heard for ended in call.log.all(ReplyEnded)] == ["Good day.", "Very well."]
    assert "goodbye" == call.log.all(CallEnded)[0].reason == call.line.hung_up


def test_transfer_action_is_told_to_the_peer():
    """A transfer is announced to the line before it is closed."""
    call = run_call(listen_and_hang_up, bench(("a person", Action("transfer", (("to", "desk"),)), 0.1)))
    assert [Action("transfer", (("to", "desk"),))] == [each.action for each in call.log.all(ActionRequested)]
    assert call.log.all(CallEnded)[0].reason == "transferred"


def test_actions_of_a_reply_nobody_heard_are_not_done():
    """What a superseded reply asked for does not happen."""

    async def caller(call: CallBench) -> None:
        await quiet(call, 2.0)
        await call.line.speak(speech(0.6))
        await quiet(call, 0.66)
        await call.line.speak(speech(0.6))
        await quiet(call, 3.0)
        call.line.feed(LineClosed("hangup"))

    call = run_call(caller, bench(("book", Action("book"), 0.2), ("no", "Fine.", 0.1)))
    assert "cancelled" in outcomes(call)
    assert call.log.all(ActionRequested) == []


def test_failed_answer_is_excused_once():
    """When an answer cannot be had the caller is told so; the second time in a row the call ends politely."""
    broken = ("hello", EngineError("no model"), 0.1)

    async def caller(call: CallBench) -> None:
        await listen_twice(call)
        await quiet(call, 5.0)

    call = run_call(caller, bench(broken))
    assert call.session.said == ["Good day.", "I am sorry.", "Good bye."]
    assert call.log.all(CallEnded)[0].reason == "failed"


def test_answer_that_never_comes_is_given_up():
    """A session that is silent for longer than the limit has failed."""
    call = run_call(listen_and_wait, bench(("hello", "Too late.", 30.0)))
    assert outcomes(call) == ["completed", "failed", "completed"]
    assert call.session.said[1] == "I am sorry."


async def listen_and_wait(call: CallBench) -> None:
    """Say one thing and wait long."""
    await quiet(call, 2.0)
    await call.line.speak(speech(1.0))
    await quiet(call, 12.0)
    call.line.feed(LineClosed("hangup"))


def test_crash_in_an_engine_ends_the_call_and_closes_the_line():
    """An unexpected exception ends this call, once, with the line closed."""
    call = run_call(listen_and_wait, bench(("hello", ZeroDivisionError("boom"), 0.1)))
    assert "failed" == call.log.all(CallEnded)[0].reason == call.line.hung_up
    assert len(call.log.all(CallEnded)) == 1


def test_keys_are_an_interruption_and_a_turn():
    """A pressed key silences the bot at once; the keys together are one turn."""

    async def caller(call: CallBench) -> None:
        await quiet(call, 0.3)
        for digit in "12":
            call.line.feed(LineDigit(digit))
            await quiet(call, 0.4)
        await quiet(call, 3.0)
        call.line.feed(LineClosed("hangup"))

    call = run_call(caller, bench())
    assert outcomes(call) == ["cut", "completed"]
    assert call.session.turns[0].digits == "12"
    assert [Understood] == [type(each) for each in call.log.all(Understood)]


def test_notice_is_heard_whole_before_the_greeting():
    """What must be heard cannot be talked over; the greeting follows it."""
    prompts = Prompts(
        greeting="Good day.", still_there=("Hello?",), goodbye="Bye.", failure="Sorry.", notice="This is a machine."
    )

    async def caller(call: CallBench) -> None:
        await quiet(call, 0.2)
        await call.line.speak(speech(1.0))
        await quiet(call, 4.0)
        call.line.feed(LineClosed("hangup"))

    call = bench()
    call.prompts = prompts
    run_call(caller, call)
    assert call.session.said == ["This is a machine.", "Good day."]
    assert call.log.all(ReplyEnded)[0].heard == "This is a machine."


def test_stalled_line_ends_the_turn():
    """A switch that stops sending in mid-word does not leave the caller without an answer."""

    async def caller(call: CallBench) -> None:
        await quiet(call, 2.0)
        await call.line.speak(speech(1.0))
        await trio.sleep(4.0)
        call.line.feed(LineClosed("hangup"))

    call = run_call(caller, bench())
    assert call.log.all(TurnEnded)[0].reason == "stalled"
    assert outcomes(call) == ["completed", "completed"]


def test_peer_that_asks_to_finish_gets_the_last_answer():
    """After "finish and close" the turn under way is still answered, then the line is closed by us."""

    async def caller(call: CallBench) -> None:
        await quiet(call, 2.0)
        await call.line.speak(speech(1.0))
        call.line.feed(LineClosed("finished"))
        await trio.sleep(60.0)

    call = run_call(caller, bench())
    assert outcomes(call) == ["completed", "completed"]
    assert "finished" == call.log.all(CallEnded)[0].reason == call.line.hung_up


def test_longest_call_ends_with_a_goodbye():
    """A call that reaches its longest duration is ended politely, whoever speaks."""
    from attrs import evolve

    async def caller(call: CallBench) -> None:
        await quiet(call, 2.0)
        await call.line.speak(speech(30.0))

    call = bench()
    call.settings = evolve(call.settings, limits=evolve(call.settings.limits, max_call_s=5.0))
    run_call(caller, call)
    assert PROMPTS.goodbye == call.session.said[-1]
    assert call.log.all(CallEnded)[0].reason == "too_long"


def test_cancelled_call_still_closes_its_line():
    """A call that is cancelled from outside (the service drains) hangs up in order."""

    async def cancelled(call: CallBench) -> None:
        with trio.move_on_after(3.0):
            await call.run(lambda each: quiet(each, 30.0))

    call = bench()
    import trio.testing

    trio.run(cancelled, call, clock=trio.testing.MockClock(autojump_threshold=0))
    assert "draining" == call.line.hung_up == call.log.all(CallEnded)[0].reason


def test_wide_band_line():
    """A 16 kHz line works like an 8 kHz one."""

    async def caller(call: CallBench) -> None:
        await call.line.speak(noise(2.0, 16000, dbfs=-60.0))
        await call.line.speak(speech(1.0, 16000))
        await call.line.speak(noise(3.0, 16000, dbfs=-60.0))
        call.line.feed(LineClosed("hangup"))

    call = run_call(caller, bench(info=CallInfo(call_id="w", dialect=Dialect.PLAIN, rate_hz=16000)))
    assert outcomes(call) == ["completed", "completed"]
    assert {640} == {len(pcm) for _, pcm in call.line.sent}


class SlowReader(MemoryLine):
    """A peer that never takes what it is told."""

    async def notify(self, happening):
        """Wait for ever."""
        await trio.sleep_forever()


def test_what_bounded_buffers_dropped_is_reported():
    """A peer that takes no notices holds nothing up, and what could not be kept for it is in the call's last word."""

    async def caller(call: CallBench) -> None:
        for _ in range(40):
            call.line.feed(LineDigit("1"))
            await quiet(call, 2.0)
        call.line.feed(LineClosed("hangup"))

    call = run_call(caller, CallBench(SlowReader(), SmallSession((("one", "Yes.", 0.0),))))
    ended = call.log.all(CallEnded)[0]
    assert ended.reason == "hangup"
    assert dict(ended.dropped)["happenings"] > 100
    assert call.line.hung_up == "hangup"
