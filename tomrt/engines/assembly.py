"""Opens the engines that the settings ask for, or the best there are, and closes them again."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Protocol

import trio
from attrs import define, evolve

from tomrt.dialogue.grammar import HUM_PRONUNCIATIONS, jsgf_grammars
from tomrt.dialogue.matching import Matcher
from tomrt.dialogue.prompts import Prompts
from tomrt.dialogue.script import Script, built_in_script, parse_script
from tomrt.dialogue.style_words import fitted, prompts_in
from tomrt.engines.cascade import Cascade
from tomrt.engines.models import Choice, choose, look
from tomrt.engines.scripted import ScriptedDialogue
from tomrt.errors import EngineError, SettingsError
from tomrt.events import Style
from tomrt.ports import RealtimeSession, SpeechToText, TextToSpeech
from tomrt.settings import Settings

__all__ = ["Engines", "open_engines"]

MAX_DIALOGUE_BYTES = 1_048_576
PLAIN = Style()
"""The way of talking that changes nothing."""


@define(eq=False)
class Engines:
    """The engines of one service, shared by its calls.

    Args:
        session: Answers turns.
        script: The dialogue.
        choices: Which engines these are, and why.
        voice: Speaks, for what is not said to the caller.
        closers: What ends their threads, in the order in which they were opened.
        talking: Makes the session of a way of talking, out of the same recogniser, dialogue and voice.
    """

    session: RealtimeSession
    script: Script
    choices: tuple[Choice, ...]
    voice: TextToSpeech
    closers: list[Callable[[], Awaitable[object]]]
    talking: Callable[[Style], RealtimeSession]

    def session_for(self, style: Style) -> RealtimeSession:
        """Return what answers the turns of a call that talks in *style*; made in microseconds, nothing is loaded."""
        return self.session if evolve(style, name=PLAIN.name) == PLAIN else self.talking(style)

    def prompts_for(self, style: Style) -> Prompts:
        """Return what a call that talks in *style* says of its own accord."""
        return prompts_in(style, self.script)

    def faults_of(self, style: Style) -> tuple[str, ...]:
        """Return which words of *style* this dialogue cannot say, one sentence each; it uses its own instead."""
        return fitted(style, self.script)[1]

    async def aclose(self) -> None:
        """End the engines' threads."""
        for close in reversed(self.closers):
            await close()


async def open_engines(settings: Settings) -> Engines:
    """Choose and load the engines; models load in a thread.

    Raises:
        SettingsError: an engine asked for cannot be used, or the dialogue file is wrong.
    """
    wanted = settings.engines
    script = _script(settings.dialogue.file)
    facts = look(whisper_model=wanted.whisper_model, piper_voice=wanted.piper_voice)
    stt, llm, tts = (
        choose("stt", wanted.stt, facts),
        choose("llm", wanted.llm, facts),
        choose("tts", wanted.tts, facts),
    )
    closers: list[Callable[[], Awaitable[object]]] = []
    try:
        recogniser = await trio.to_thread.run_sync(_recogniser, stt.engine, settings, script)
        closers.append(recogniser.aclose)
        voice = await trio.to_thread.run_sync(_voice, tts.engine, settings)
        closers.append(voice.aclose)
    except EngineError as error:
        for close in closers:
            await close()
        raise SettingsError(f"engines: {error}") from error
    matcher = Matcher(script)

    def talking(style: Style) -> RealtimeSession:
        closing = settings.dialogue.closing_question
        dialogue = ScriptedDialogue(script, style=style, closing=closing, matcher=matcher)
        return Cascade(recogniser, dialogue, voice, language=settings.dialogue.language)

    return Engines(talking(PLAIN), script, (stt, llm, tts), voice, closers, talking)


def _script(file: str) -> Script:
    if not file:
        return built_in_script()
    try:
        data = Path(file).read_bytes()
        if len(data) > MAX_DIALOGUE_BYTES:
            raise SettingsError(f"dialogue.file: {file} is larger than {MAX_DIALOGUE_BYTES} bytes")
        return parse_script(data.decode(), file)
    except OSError as error:
        raise SettingsError(f"dialogue.file: {file} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise SettingsError(f"dialogue.file: {file} is not UTF-8 at byte {error.start}") from error


class _Recogniser(SpeechToText, Protocol):
    async def aclose(self) -> object: ...


class _Speaker(TextToSpeech, Protocol):
    async def aclose(self) -> object: ...


def _recogniser(engine: str, settings: Settings, script: Script) -> _Recogniser:
    if engine == "whisper":
        from tomrt.engines.whisper import Whisper  # noqa: PLC0415 - takes a second to import, and is not always used

        return Whisper(settings.engines.whisper_model, settings.dialogue.language)
    from tomrt.engines.sphinx import Sphinx  # noqa: PLC0415 - like the other

    return Sphinx(jsgf_grammars(script), "any", pronunciations={**HUM_PRONUNCIATIONS, **script.pronunciations})


def _voice(engine: str, settings: Settings) -> _Speaker:
    if engine == "piper":
        from tomrt.engines.piper import Piper  # noqa: PLC0415 - takes a second to import, and is not always used

        return Piper(settings.engines.piper_voice)
    from tomrt.engines.espeak import Espeak  # noqa: PLC0415 - like the other

    return Espeak(settings.engines.espeak_voice, settings.engines.espeak_wpm)
