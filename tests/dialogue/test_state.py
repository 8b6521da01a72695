"""The call's state machine: every phase × event."""

import pytest
from attrs import evolve

from tomrt.dialogue.state import Call, Do, Event, Phase, step

TALKING = (Phase.GREETING, Phase.LISTENING, Phase.THINKING, Phase.SPEAKING)

# (phase, event): (next phase, what to do).  What is not listed changes nothing.
CELLS = {
    (Phase.RINGING, Event.ANSWERED): (Phase.GREETING, Do.SAY_GREETING),
    (Phase.RINGING, Event.CLOSED): (Phase.ENDED, None),
    (Phase.CONSENT, Event.OVER): (Phase.GREETING, Do.SAY_GREETING),
    (Phase.CONSENT, Event.FAILED): (Phase.CLOSING, Do.SAY_GOODBYE),
    (Phase.CONSENT, Event.TOO_LONG): (Phase.CLOSING, Do.SAY_GOODBYE),
    (Phase.CONSENT, Event.CLOSED): (Phase.ENDED, None),
    (Phase.GREETING, Event.OVER): (Phase.LISTENING, None),
    (Phase.THINKING, Event.OVER): (Phase.LISTENING, None),
    (Phase.SPEAKING, Event.OVER): (Phase.LISTENING, None),
    (Phase.THINKING, Event.SERVED): (Phase.LISTENING, None),
    (Phase.SPEAKING, Event.SERVED): (Phase.LISTENING, None),
    (Phase.THINKING, Event.AUDIBLE): (Phase.SPEAKING, None),
    (Phase.LISTENING, Event.AUDIBLE): (Phase.SPEAKING, None),
    (Phase.LISTENING, Event.SILENCE): (Phase.LISTENING, Do.SAY_STILL_THERE),
    (Phase.CLOSING, Event.OVER): (Phase.ENDED, Do.HANG_UP),
    (Phase.CLOSING, Event.FAILED): (Phase.ENDED, Do.HANG_UP),
    (Phase.CLOSING, Event.CLOSED): (Phase.ENDED, None),
    (Phase.TRANSFERRED, Event.CLOSED): (Phase.ENDED, None),
}
for talking in TALKING:
    CELLS |= {
        (talking, Event.CALLER): (Phase.LISTENING, None),
        (talking, Event.COMMITTED): (Phase.THINKING, None),
        (talking, Event.FAILED): (Phase.LISTENING, Do.SAY_FAILURE),
        (talking, Event.TOO_LONG): (Phase.CLOSING, Do.SAY_GOODBYE),
        (talking, Event.GOODBYE): (Phase.CLOSING, Do.HANG_UP),
        (talking, Event.TRANSFER): (Phase.TRANSFERRED, Do.HANG_UP),
        (talking, Event.CLOSED): (Phase.ENDED, None),
    }


@pytest.mark.parametrize("event", Event)
@pytest.mark.parametrize("phase", Phase)
def test_every_cell(phase, event):
    """Each event in each phase leads where the table says, and nowhere where the table is silent."""
    after, do = step(Call(phase=phase), event)
    assert CELLS.get((phase, event), (phase, None)) == (after.phase, do)


def test_notice_comes_before_the_greeting():
    """A call with a notice goes through consent, and only then greets."""
    call, do = step(Call(notice=True), Event.ANSWERED)
    assert (call.phase, do) == (Phase.CONSENT, Do.SAY_NOTICE)
    call, do = step(call, Event.OVER)
    assert (call.phase, do) == (Phase.GREETING, Do.SAY_GREETING)


def test_silent_caller_is_asked_twice_then_goodbye():
    """After the re-prompts the call says goodbye; a caller who speaks starts the count again."""
    call = Call(phase=Phase.LISTENING, reprompts=2)
    said = []
    for _ in range(3):
        call, do = step(call, Event.SILENCE)
        said.append(do)
    assert said == [Do.SAY_STILL_THERE, Do.SAY_STILL_THERE, Do.SAY_GOODBYE]
    spoke, _ = step(Call(phase=Phase.LISTENING, silences=2), Event.CALLER)
    assert spoke.silences == 0


def test_second_failure_in_a_row_ends_the_call():
    """One failed answer is excused, a second one in a row ends the call; an answered turn clears the slate."""
    once, do = step(Call(phase=Phase.THINKING), Event.FAILED)
    assert Do.SAY_FAILURE is do
    assert Do.SAY_GOODBYE is step(evolve(once, phase=Phase.THINKING), Event.FAILED)[1]
    said_sorry, _ = step(evolve(once, phase=Phase.SPEAKING), Event.OVER)
    assert said_sorry.failures == 1
    served, _ = step(evolve(once, phase=Phase.SPEAKING), Event.SERVED)
    assert Do.SAY_FAILURE is step(evolve(served, phase=Phase.THINKING), Event.FAILED)[1]
