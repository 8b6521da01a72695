"""One set of engines for calls that talk in different ways."""

from __future__ import annotations

import pytest
import trio
from attrs import evolve

from tomrt.engines.assembly import Engines, open_engines
from tomrt.events import Action, Message, Sentence, Signal, Style, Transcript, Turn
from tomrt.settings import Settings

SETTINGS = Settings()
ALWAYS = evolve(SETTINGS, dialogue=evolve(SETTINGS.dialogue, closing_question="always"))


async def no_tools(action: Action) -> str:
    raise AssertionError(action)


async def said(engines: Engines, style: Style, *texts: str) -> list[str]:
    """Return the sentences that answer the last of *texts*, and then the signals."""
    history = tuple(Message("user", text) for text in texts[:-1])
    turn = Turn(number=len(texts), history=history, transcript=Transcript(texts[-1]))
    send, receive = trio.open_memory_channel[object](10_000)
    with send:
        await engines.session_for(style).respond(turn, send, no_tools)
    items = [item async for item in receive]
    assert isinstance(items[0], Transcript)
    signals = [item.value for item in items if isinstance(item, Signal)]
    return [item.text for item in items if isinstance(item, Sentence)] + signals


@pytest.fixture
async def engines():
    opened = await open_engines(ALWAYS)
    yield opened
    await opened.aclose()


async def test_calls_of_several_styles_share_the_engines(engines: Engines):
    """Each style has its own words and greeting; the recogniser and the voice are the same, and loaded once."""
    brief = Style(name="brief", greeting="{name}, hello!", length="short", acknowledge=("Gladly!",))
    address = engines.script.intents["address"]
    assert await said(engines, Style(), "where are you") == [
        address.answer,
        engines.script.wording.anything_else[0],
        "answered",
    ]
    assert await said(engines, brief, "where are you") == ["Gladly!", address.short, "Anything else?", "answered"]
    assert engines.prompts_for(Style()) == engines.script.prompts
    assert engines.prompts_for(brief).greeting == "Green Street Practice, hello!"
    assert engines.session_for(brief).sure_of_words == engines.session.sure_of_words


async def test_a_style_that_changes_nothing_needs_no_session_of_its_own(engines: Engines):
    """The base style, whatever it is called, is answered by the one session there always was."""
    assert engines.session_for(Style()) is engines.session_for(Style(name="plain")) is engines.session
    assert engines.session_for(Style(length="short")) is not engines.session


async def test_the_setting_of_the_closing_question_reaches_every_style(engines: Engines):
    """Where the setting says always, a caller who was answered and says goodbye is asked for a rating."""
    for style in (Style(), Style(closing_question="How was it?")):
        asked = await said(engines, style, "where are you", "goodbye")
        assert asked[-2:] == ["rating_asked", "resolved"]
        assert style.closing_question in {"", asked[0]}


async def test_words_that_the_dialogue_cannot_say_are_told(engines: Engines):
    """Texts with facts that the dialogue does not have can be listed when the service starts."""
    assert engines.faults_of(Style(greeting="{name}!")) == ()
    (fault,) = engines.faults_of(Style(name="x", greeting="{boss}!"))
    assert fault.startswith("variant 'x': greeting: the dialogue has no fact {boss}")
