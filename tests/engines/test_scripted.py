from __future__ import annotations

import trio

from tomrt.dialogue.script import built_in_script
from tomrt.engines.scripted import ScriptedDialogue
from tomrt.events import Action, Message, Signal, Style

DIALOGUE = ScriptedDialogue(built_in_script())


async def no_tools(action: Action) -> str:
    raise AssertionError(action)


async def pieces(*history: Message, dialogue: ScriptedDialogue = DIALOGUE) -> list[str | Action | Signal]:
    send, receive = trio.open_memory_channel(16)
    with send:
        await dialogue.answer(history, send, no_tools)
    return [piece async for piece in receive]


async def answered(*history: Message) -> list[str | Action | Signal]:
    return [piece for piece in await pieces(*history) if not isinstance(piece, Signal)]


async def test_answers_the_last_message():
    """The answer is to what the caller said last, text first and actions after it."""
    (hours,) = await answered(Message("user", "What are your opening hours?"))
    assert "We are open Monday to Friday" in hours
    text, action = await answered(Message("user", "goodbye"))
    assert (text, action) == ("Thank you for calling. Goodbye.", Action("hang_up"))


async def test_the_history_is_all_it_knows():
    """Two conversations through one engine do not touch, and what was cut off in between does not matter."""
    booking = [Message("user", "book an appointment"), Message("assistant", "On wh"), Message("user", "Monday")]
    assert await answered(*booking) == ["At what time?"]
    await answered(Message("user", "goodbye"))
    assert await answered(*booking) == ["At what time?"]


async def test_silence_is_pardoned():
    """An empty message of the caller gets a pardon."""
    assert await answered(Message("user", "")) == ["I am sorry, I did not get that."]


def test_hint_names_what_is_expected():
    """The hint follows the conversation and is always the name of an expectation."""
    said = ["book an appointment", "Monday", "half past two", "yes", "call me back", "a bill", "5551234"]
    hints = [DIALOGUE.hint([Message("user", text) for text in said[:n]]) for n in range(len(said) + 1)]
    assert hints == ["any", "day", "hour", "yes_no", "yes_no", "topic", "number", "yes_no"]


async def test_what_was_noticed_comes_after_the_actions():
    """Signals follow the text and the actions of the answer that they are about."""
    done = [Message("user", text) for text in ("cancel my appointment", "Monday", "yes")]
    text, action, *signals = await pieces(*done)
    assert (
        text
        == "I have taken down that your appointment on Monday is cancelled. Is there anything else I can do for you?"
    )
    assert action == Action("cancel_appointment", (("day", "monday"),))
    assert signals == [Signal.ANSWERED, Signal.RESOLVED]


async def test_talks_in_the_style_of_the_call():
    """A dialogue of a style answers in it; of the base style it is the plain one."""
    short = ScriptedDialogue(built_in_script(), style=Style(length="short", greeting="Yes?"))
    assert (await pieces(Message("user", "where are you"), dialogue=short))[0].endswith("Anything else?")
    assert (await pieces(Message("user", "repeat that please"), dialogue=short))[0] == "Yes?"
    plain = ScriptedDialogue(built_in_script(), style=Style(name="base"), closing="after_actions")
    history = Message("user", "where are you")
    assert await pieces(history, dialogue=plain) == await pieces(history)
