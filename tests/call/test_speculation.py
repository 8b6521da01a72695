"""Answers drafted at pauses: made early, heard only when the turn is complete, dropped without a trace otherwise."""

import pytest
import trio
from attrs import define, evolve, field
from fakes.calls import CallBench, run_call
from fakes.engines import SmallSession
from fakes.line import MemoryLine
from fakes.speech import noise, speech

from tomrt.errors import EngineError
from tomrt.events import Action, LineClosed, LineDigit, Message, Transcript
from tomrt.happenings import (
    ActionRequested,
    ReplyAudible,
    ReplyConfirmed,
    ReplyEnded,
    ReplyStarted,
    TurnEnded,
    Understood,
)


@define
class Eager(SmallSession):
    """A session that tells what a turn says before it answers.

    Args:
        heard: What it understands, question by question; the last one repeats. An exception is raised.
        understand_s: How long that takes.
    """

    heard: tuple = (Transcript("hello", whole=True),)
    understand_s: float = 0.02
    beforehand: bool = True
    asked: list = field(factory=list, init=False)

    async def understand(self, turn, *, over_reply=False):
        """Return what is next in the list."""
        if over_reply:
            return Transcript("", rejected="noise")
        heard = self.heard[min(len(self.asked), len(self.heard) - 1)]
        self.asked.append(trio.current_time())
        await trio.sleep(self.understand_s)
        if isinstance(heard, Exception):
            raise heard
        return heard


def bench(*answers, **session) -> CallBench:
    """Return a call whose turns are understood beforehand."""
    return CallBench(MemoryLine(), Eager(answers or (("hello", "Hello you.", 0.05),), **session))


async def quiet(call: CallBench, seconds: float) -> None:
    """Let the caller be silent on a real line."""
    await call.line.speak(noise(seconds, dbfs=-60.0))


def caller(*parts: float, after: float = 3.0):
    """Return a caller who, once greeted, speaks and pauses in turn for so many seconds, then waits and hangs up."""

    async def run(call: CallBench) -> None:
        await quiet(call, 2.0)
        for index, seconds in enumerate(parts):
            await (quiet(call, seconds) if index % 2 else call.line.speak(speech(seconds, seed=index)))
        await quiet(call, after)
        call.line.feed(LineClosed("hangup"))

    return run


def drafts(call: CallBench) -> list[int]:
    """Return the numbers of the replies that began as drafts."""
    return [started.reply for started in call.log.all(ReplyStarted) if started.draft]


def test_complete_sentence_is_answered_right_after_the_hang_over():
    """The answer to a complete sentence is ready when the hang-over is, and nothing of it was heard before."""
    call = run_call(caller(1.0), bench())
    (ended,) = call.log.all(TurnEnded)
    (audible,) = [each for each in call.log.all(ReplyAudible) if each.turn]
    assert ended.hangover_ms <= 280
    assert audible.response_ms <= ended.hangover_ms + 40
    assert drafts(call) == [confirmed.reply for confirmed in call.log.all(ReplyConfirmed)]
    assert min(call.line.audible(after=3.0)) >= ended.at


def test_without_speculation_nothing_is_asked_beforehand():
    """Switched off, no draft is made and the recogniser hears each turn once."""
    call = run_call(caller(1.0), bench().turns(speculate=False))
    assert drafts(call) == call.session.asked == []
    assert call.log.all(TurnEnded)[0].hangover_ms == pytest.approx(600, abs=30)


def test_caller_who_goes_on_drops_the_draft_unheard():
    """Going on after a pause cancels the draft; the whole turn is answered once, and the draft left no trace."""
    heard = (Transcript("I would like and"), Transcript("I would like and so on", whole=True))
    answers = (("part", "Never heard.", 0.0), ("whole", "Here you are.", 0.0))
    call = run_call(caller(0.6, 0.34, 0.8), bench(*answers, heard=heard))
    ended = call.log.all(ReplyEnded)
    assert [(each.outcome.value, each.draft) for each in ended] == [
        ("completed", False),
        ("cancelled", True),
        ("completed", False),
    ]
    assert [each.text for each in call.log.all(Understood)] == ["I would like and so on"]
    assert [each.heard for each in ended] == ["Good day.", "", "Here you are."]
    assert len(call.session.turns[1].audio) > len(call.session.turns[0].audio)
    assert call.session.truncated == [(1, 0)]


def test_draft_does_nothing_in_the_world():
    """What a dropped draft asked for is not done; what a confirmed one asked for is, once."""
    book = ("book", Action("book"), 0.0)
    heard = (Transcript("book", whole=False), Transcript("book it", whole=True))
    call = run_call(caller(0.6, 0.4, 0.8), bench(book, book, heard=heard))
    assert len(drafts(call)) == 2
    assert len(call.log.all(ActionRequested)) == 1


def test_answer_without_a_word_waits_for_the_end_of_the_turn():
    """A draft that only hangs up does so when the turn is complete, and not before."""

    class Silent(Eager):
        async def respond(self, turn, out, tools):
            """Ask for the end and say nothing."""
            await out.send(turn.transcript)
            await out.send(Action("hang_up"))

    call = run_call(caller(1.0), CallBench(MemoryLine(), Silent([("", "", 0.0)], heard=(Transcript("bye"),))))
    (requested,) = call.log.all(ActionRequested)
    assert requested.at >= call.log.all(TurnEnded)[0].at


@pytest.mark.parametrize("understanding_s", [0.02, 2.0])
def test_failed_recogniser_costs_the_draft_and_not_the_turn(understanding_s):
    """When the look beforehand fails, early or after the turn ended, the turn is answered all the same."""
    call = run_call(
        caller(1.0, after=5.0), bench(heard=(EngineError("no model", retryable=True),), understand_s=understanding_s)
    )
    ends = [ended.outcome.value for ended in call.log.all(ReplyEnded) if not ended.draft]
    assert ends == ["completed", "completed"]


def test_failed_draft_is_tried_again_when_the_turn_is_complete():
    """A draft that fails is nobody's business: the turn is answered anew when it is complete."""
    answers = (("hello", EngineError("busy", retryable=True), 0.0), ("hello", "Hello you.", 0.0))
    call = run_call(caller(1.0), bench(*answers))
    assert [ended.outcome.value for ended in call.log.all(ReplyEnded)] == ["completed", "cancelled", "completed"]
    assert call.session.said == ["Good day."]


def test_slow_model_is_still_confirmed():
    """A draft that has nothing to say yet when the turn ends becomes the answer when it has."""
    call = run_call(caller(1.0), bench(("hello", "Hello you.", 1.0)))
    assert len(drafts(call)) == len(call.log.all(ReplyConfirmed)) == 1
    assert call.log.all(ReplyEnded)[-1].heard == "Hello you."


def test_patience_with_a_draft_begins_when_the_turn_is_complete():
    """The time limit of an answer is counted from the end of the turn, not from the pause at which it was begun."""
    call = bench(("hello", "Hello you.", 0.9), heard=(Transcript("hello and"),))
    call.settings = evolve(call.settings, engines=evolve(call.settings.engines, reply_timeout_s=0.6))
    run_call(caller(1.0), call)
    assert [ended.outcome.value for ended in call.log.all(ReplyEnded)] == ["completed", "completed"]


def test_keys_win_over_a_draft():
    """Keys pressed before the end of a spoken turn belong to it: the draft that knew nothing of them is dropped."""

    async def run(call: CallBench) -> None:
        await quiet(call, 2.0)
        call.line.feed(LineDigit("5"))
        await call.line.speak(speech(0.8))
        await quiet(call, 3.0)
        call.line.feed(LineClosed("hangup"))

    call = run_call(run, bench())
    assert call.log.all(Understood)[-1].text == "5"
    assert call.log.all(ReplyConfirmed) == []


def test_draft_is_answered_from_what_was_heard_of_the_reply_before():
    """The draft sees the same history as the answer would."""
    call = run_call(caller(1.0, 3.0, 1.0), bench(("hello", "Hello you.", 0.05), ("bye", "Bye.", 0.05)))
    expected = (Message("assistant", "Good day."), Message("user", "hello"), Message("assistant", "Hello you."))
    assert call.session.history_of(2) == expected


def test_hang_up_while_a_draft_is_made_leaves_nothing_behind():
    """A caller who hangs up at the pause ends the call; the draft is never heard."""

    async def run(call: CallBench) -> None:
        await quiet(call, 2.0)
        await call.line.speak(speech(0.8))
        await quiet(call, 0.3)
        call.line.feed(LineClosed("hangup"))

    call = run_call(run, bench(("hello", "Hello you.", 0.5), heard=(Transcript("hello and"),)))
    assert drafts(call)
    assert call.log.all(ReplyEnded)[-1].outcome.value == "cancelled"
    assert not call.line.audible(after=2.0)


def test_caller_who_goes_on_over_the_first_words_said_one_thing():
    """Speech that goes on over the very beginning of the answer is one turn with what was answered too early."""
    heard = (Transcript("book a table", whole=True), Transcript("book a table for two", whole=True))
    answers = (("", "one two three four five six", 0.0), ("", "Two it is.", 0.0))
    call = run_call(caller(0.8, 0.5, 1.2), bench(*answers, heard=heard))
    assert [ended.outcome.value for ended in call.log.all(ReplyEnded)] == ["completed", "cut", "completed"]
    assert len(call.session.turns[1].audio) / 32_000 > 2.4
    history = [message for message in call.session.history_of(2) if message.role == "user"]
    assert history == []
