"""No dead air: the caller is told when an answer or a tool takes its time."""

import pytest
import trio
from attrs import define, evolve, field
from fakes.calls import PROMPTS, CallBench, run_call
from fakes.engines import SmallSession, voice_words
from fakes.line import MemoryLine
from fakes.speech import noise, speech

from tomrt.errors import EngineError
from tomrt.events import Action, LineClosed, Message, Transcript
from tomrt.happenings import (
    Announced,
    ReplyAudible,
    ReplyConfirmed,
    ReplyEnded,
    ToolEnded,
    ToolOutcome,
    ToolStarted,
    TurnEnded,
)

PATIENT = evolve(PROMPTS, filler="One moment.", looking_up="Let me look.")
FIND, BOOK = Action("find"), Action("book")


@define
class Box:
    """Tools that take their time.

    Args:
        takes_s: How long; an exception is raised then.
    """

    takes_s: float = 0.0
    error: Exception | None = None
    used: list = field(factory=list)
    own_limit_s: float | None = None

    def has_effects(self, name):
        """Booking changes the world."""
        return name == "book"

    def time_limit_s(self, name):
        """All alike."""
        return self.own_limit_s

    async def use(self, action):
        """Do it."""
        self.used.append((trio.current_time(), action.name))
        await trio.sleep(self.takes_s)
        if self.error:
            raise self.error
        return "nine"


@define
class User(SmallSession):
    """A session whose answers use a tool first.

    Args:
        action: Which.
        preface: Said before it is used.
    """

    action: Action = FIND
    preface: str = ""
    heard: str = "when"
    results: list = field(factory=list, init=False)

    async def understand(self, turn, *, over_reply=False):
        """Return what was said, unless nothing is to be drafted."""
        await trio.lowlevel.checkpoint()
        return Transcript("" if over_reply else self.heard, rejected="noise" if over_reply else "")

    async def respond(self, turn, out, tools):
        """Use the tool, then answer."""
        self.turns.append(turn)
        await out.send(Transcript("when"))
        if self.preface:
            await voice_words(self.preface, out)
        try:
            self.results.append(await tools(self.action))
        except EngineError as error:
            self.results.append(str(error))
        await voice_words("At nine.", out)


def caller(after: float = 8.0):
    """Return a caller who asks once and waits."""

    async def run(call: CallBench) -> None:
        await call.line.speak(noise(2.0, dbfs=-60.0))
        await call.line.speak(speech(0.8))
        await call.line.speak(noise(after, dbfs=-60.0))
        call.line.feed(LineClosed("hangup"))

    return run


def bench(session, box=None) -> CallBench:
    """Return a call with announcements."""
    return CallBench(MemoryLine(), session, prompts=PATIENT, tools=box or Box())


def kinds(call: CallBench) -> list[str]:
    """Return what was announced."""
    return [announced.kind for announced in call.log.all(Announced)]


def test_slow_answer_is_bridged():
    """After two seconds of silence the filler is said, then the answer; both are what the caller heard."""
    call = run_call(caller(), bench(SmallSession((("when", "At nine.", 4.0),))))
    (announced,) = call.log.all(Announced)
    assert announced.at == pytest.approx(call.log.all(TurnEnded)[0].at + 2.0, abs=0.05)
    assert call.log.all(ReplyEnded)[-1].heard == "One moment. At nine."
    assert [audible.turn for audible in call.log.all(ReplyAudible)] == [0, 1]


def test_quick_answer_needs_no_filler():
    """An answer that comes in time is not preceded by anything."""
    call = run_call(caller(), bench(SmallSession((("when", "At nine.", 1.5),))))
    assert kinds(call) == []


def test_filler_that_is_switched_off_is_not_said():
    """With 0 ms, or without a text, nothing bridges."""
    session = SmallSession((("when", "At nine.", 4.0),))
    assert kinds(run_call(caller(), bench(session).turns(filler_after_ms=0))) == []
    silent = bench(SmallSession((("when", "At nine.", 4.0),)))
    silent.prompts = PROMPTS
    assert kinds(run_call(caller(), silent)) == []


def test_filler_does_not_buy_time():
    """An answer that never comes is given up in time, whatever was said in between."""
    call = run_call(caller(14.0), bench(SmallSession((("when", "Late.", 60.0),))))
    failed = call.log.all(ReplyEnded)[1]
    assert (failed.outcome.value, failed.heard) == ("failed", "One moment.")
    assert failed.at == pytest.approx(call.log.all(TurnEnded)[0].at + 8.0, abs=0.1)


def test_caller_may_interrupt_the_filler():
    """The filler is a part of the reply: speech over it is judged like any other, and ends the reply."""

    async def run(call: CallBench) -> None:
        await call.line.speak(noise(2.0, dbfs=-60.0))
        await call.line.speak(speech(0.8))
        while not call.log.all(Announced):
            await call.line.speak(noise(0.02, dbfs=-60.0))
        await call.line.speak(noise(0.1, dbfs=-60.0))
        await call.line.speak(speech(1.2, seed=2))
        await call.line.speak(noise(4.0, dbfs=-60.0))
        call.line.feed(LineClosed("hangup"))

    session = SmallSession((("when", "Never.", 5.0), ("what", "This.", 0.1)))
    call = run_call(run, bench(session))
    assert [ended.outcome.value for ended in call.log.all(ReplyEnded)] == ["completed", "cut", "completed"]
    assert session.truncated[0][0] == 1
    assert 0 < session.truncated[0][1] < 700


def test_slow_tool_is_announced_once_nothing_is_heard():
    """A tool that takes long is announced after what was being said, and before the rest."""
    call = run_call(caller(), bench(User((), preface="Let us see."), Box(takes_s=4.0)))
    assert kinds(call) == ["tool"]
    assert call.log.all(ReplyEnded)[-1].heard == "Let us see. Let me look. At nine."
    assert [ended.outcome for ended in call.log.all(ToolEnded)] == [ToolOutcome.DONE]


def test_slow_tool_before_any_word_is_announced_as_a_tool():
    """With nothing said yet, the tool's announcement comes when it is due, and the filler is not needed after it."""
    call = run_call(caller(), bench(User(()), Box(takes_s=1.6)))
    assert kinds(call) == ["tool"]
    assert call.log.all(ReplyEnded)[-1].heard == "Let me look. At nine."


def test_tool_that_never_answers_is_late():
    """A tool has a time limit; the model is told, and may say so."""
    session = User(())
    call = run_call(caller(12.0), bench(session, Box(takes_s=99.0)).turns(tool_timeout_s=3.0))
    assert [ended.outcome for ended in call.log.all(ToolEnded)] == [ToolOutcome.LATE]
    assert session.results == ["the tool 'find' took too long"]
    assert call.log.all(ReplyEnded)[-1].outcome.value == "completed"


def test_tool_that_fails_is_told_to_the_model():
    """A failing tool is an answer, too."""
    session = User(())
    call = run_call(caller(), bench(session, Box(error=EngineError("no such day"))))
    assert [ended.outcome for ended in call.log.all(ToolEnded)] == [ToolOutcome.FAILED]
    assert session.results == ["no such day"]


def test_interruption_ends_the_tool():
    """A reply that is cut uses no tool any more: its use ends, cancelled, before the caller has finished."""

    async def run(call: CallBench) -> None:
        await call.line.speak(noise(2.0, dbfs=-60.0))
        await call.line.speak(speech(0.8))
        await call.line.speak(noise(1.6, dbfs=-60.0))
        await call.line.speak(speech(1.2, seed=2))
        await call.line.speak(noise(1.0, dbfs=-60.0))
        call.line.feed(LineClosed("hangup"))

    call = run_call(run, bench(User((), preface="one two three four five six"), Box(takes_s=60.0)))
    (ended, *_) = call.log.all(ToolEnded)
    assert ended.outcome is ToolOutcome.CANCELLED
    assert ended.at < call.log.all(TurnEnded)[1].at


def test_tool_with_effects_waits_for_the_end_of_the_turn():
    """While a turn may go on, a draft looks things up but changes nothing; once it is complete, it may."""
    for action, before in ((FIND, True), (BOOK, False)):
        call = run_call(caller(), bench(User((), action=action, beforehand=True)))
        (confirmed,) = call.log.all(ReplyConfirmed)
        (started,) = call.log.all(ToolStarted)
        assert (started.at < confirmed.at) is before


def test_what_was_announced_is_in_the_history():
    """The assistant knows that it asked for a moment."""

    session = SmallSession((("when", "At nine.", 4.0), ("bye", "Bye.", 0.0)))

    async def twice(call: CallBench) -> None:
        await call.line.speak(noise(2.0, dbfs=-60.0))
        for _ in range(2):
            await call.line.speak(speech(0.8))
            await call.line.speak(noise(7.0, dbfs=-60.0))
        call.line.feed(LineClosed("hangup"))

    run_call(twice, bench(session))
    assert session.history_of(2)[-1] == Message("assistant", "One moment. At nine.")


def test_tools_of_one_answer_have_one_time_limit():
    """A model that tries one hanging tool after the other keeps the caller waiting no longer than one would."""

    class Stubborn(User):
        async def respond(self, turn, out, tools):
            """Try again and again."""
            for _ in range(40):
                try:
                    await tools(FIND)
                except EngineError as error:
                    self.results.append(str(error))
            await voice_words("I cannot.", out)

    call = run_call(caller(12.0), bench(Stubborn(()), Box(takes_s=99.0)).turns(tool_timeout_s=3.0))
    assert len(call.log.all(ToolStarted)) == 1
    assert call.log.all(ReplyEnded)[-1].heard.endswith("I cannot.")


def test_a_tool_that_takes_long_by_its_nature_has_its_own_time_limit():
    """A phone that rings for longer than lookups may take is let ring, up to the limit that the tool declares."""
    call = run_call(caller(12.0), bench(User(()), Box(takes_s=5.0, own_limit_s=6.0)).turns(tool_timeout_s=3.0))
    assert next(ended.outcome for ended in call.log.all(ToolEnded)) is ToolOutcome.DONE
    call = run_call(caller(12.0), bench(User(()), Box(takes_s=99.0, own_limit_s=6.0)).turns(tool_timeout_s=3.0))
    (started, *_), (ended, *_) = call.log.all(ToolStarted), call.log.all(ToolEnded)
    assert ended.outcome is ToolOutcome.LATE
    assert 5.9 < ended.at - started.at < 6.1
