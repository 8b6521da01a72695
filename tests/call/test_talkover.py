"""The words said over a held reply, and what the call makes of them."""

import pytest
import trio
from attrs import define, field
from fakes.calls import CallBench, run_call
from fakes.engines import SmallSession
from fakes.line import MemoryLine
from fakes.speech import noise, speech

from tomrt.call.talkover import TalkOver
from tomrt.dialogue.lexicon import load
from tomrt.errors import EngineError
from tomrt.events import LineClosed, Transcript, Turn
from tomrt.happenings import ReplyAudible, ReplyEnded
from tomrt.turns.barge_in import Words

LONG = "one two three four five six seven eight nine ten"


@define
class Listener(SmallSession):
    """A session that understands what is said over a reply in its own way.

    Args:
        over: What; an exception is raised.
        takes_s: How long it takes.
    """

    over: object = None
    takes_s: float = 0.02
    beforehand: bool = True
    asked: list = field(factory=list, init=False)

    async def understand(self, turn, *, over_reply=False):
        """Tell what is said over a reply, and nothing else."""
        if not over_reply:
            return Transcript(self._next()[0])
        self.asked.append(turn)
        await trio.sleep(self.takes_s)
        if isinstance(self.over, Exception):
            raise self.over
        return self.over


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (EngineError("no model"), Words.UNKNOWN),
        (Transcript(""), Words.NOTHING),
        (Transcript("", rejected="fish"), Words.UNKNOWN),
        (Transcript("Yeah."), Words.BACKCHANNEL),
        (Transcript("wait a second"), Words.FLOOR),
        (Transcript("yes but"), Words.FLOOR),
    ],
)
async def test_words_are_sorted(autojump_clock, answer, words):
    """An answer is a backchannel, something else, nothing, or unknown when there is none or none that can be used."""
    told = []
    over = TalkOver(Listener((("", "", 0.0),), over=answer), load("en"), lambda turn, kind: told.append((turn, kind)))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(over.run)
        over.ask(Turn(number=4))
        await trio.sleep(0.1)
        nursery.cancel_scope.cancel()
    assert told == [(4, words)]


async def test_session_that_cannot_tell_beforehand_is_not_asked(autojump_clock):
    """Without a recogniser that works alone the sound decides."""
    session = Listener((("", "", 0.0),), over=Transcript("stop"), beforehand=False)
    over = TalkOver(session, load("en"), lambda turn, kind: None)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(over.run)
        over.ask(Turn(number=1))
        await trio.sleep(0.1)
        nursery.cancel_scope.cancel()
    assert session.asked == []


async def test_recogniser_that_hangs_is_left_behind(autojump_clock):
    """No answer within half a second is none, and the next question is asked all the same."""
    told = []
    session = Listener((("", "", 0.0),), over=Transcript("stop"), takes_s=60.0)
    over = TalkOver(session, load("en"), lambda turn, kind: told.append((turn, kind)))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(over.run)
        over.ask(Turn(number=1))
        await trio.sleep(1.0)
        session.takes_s = 0.02
        over.ask(Turn(number=2))
        await trio.sleep(1.0)
        nursery.cancel_scope.cancel()
    assert told == [(2, Words.FLOOR)]


def talk_over(seconds: float, over: Transcript) -> CallBench:
    """Run a call in which *over* is said over the answer within *seconds*."""

    async def caller(call: CallBench) -> None:
        await call.line.speak(noise(2.0, dbfs=-60.0))
        await call.line.speak(speech(1.0))
        while len(call.log.all(ReplyAudible)) < 2:
            await call.line.speak(noise(0.02, dbfs=-60.0))
        await call.line.speak(noise(0.6, dbfs=-60.0))
        await call.line.speak(speech(seconds, seed=3))
        await call.line.speak(noise(5.0, dbfs=-60.0))
        call.line.feed(LineClosed("hangup"))

    session = Listener((("hello", LONG, 0.1), ("stop", "Yes?", 0.1)), over=over)
    return run_call(caller, CallBench(MemoryLine(), session))


def test_short_word_that_takes_the_floor_interrupts():
    """A "stop" of a quarter of a second ends the reply, though its length alone would not."""
    call = talk_over(0.26, Transcript("stop"))
    assert [ended.outcome.value for ended in call.log.all(ReplyEnded)] == ["completed", "cut", "completed"]
    assert 0.2 < len(call.session.asked[0].audio) / 32_000 < 1.0


def test_backchannel_is_known_by_its_words():
    """A drawn-out "all right" of which the recogniser is sure does not end the reply."""
    call = talk_over(0.36, Transcript("all right"))
    assert [ended.outcome.value for ended in call.log.all(ReplyEnded)] == ["completed", "completed"]
