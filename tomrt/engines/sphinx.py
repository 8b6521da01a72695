"""PocketSphinx with grammars: the embedded recogniser, for English phrases that are known beforehand.

It works in a process of its own (:mod:`~tomrt.engines.sphinx_process`); what it can and cannot do is told in
:mod:`~tomrt.engines.sphinx_decoder`. A thread here carries one request at a time there and back. When the process
dies, the request under way fails and the next one starts another.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from tomrt.dialogue.grammar import OVERLAP
from tomrt.engines.child_process import ChildProcess
from tomrt.engines.sphinx_messages import Answer, Request, SetUp, Stop, packed, unpacked
from tomrt.engines.workers import Ticket, Worker
from tomrt.errors import EngineError, MisuseError, ProtocolError
from tomrt.events import Transcript

__all__ = ["Sphinx"]

MODULE = "tomrt.engines.sphinx_process"

MIN_BYTES = 3200
"""100 ms: less holds no word, and the decoder wants a few frames."""

MAX_BYTES = 120 * 32_000
"""Two minutes: far more than an utterance may last, and few seconds of work."""


class Sphinx:
    """A :class:`~tomrt.ports.SpeechToText` for the phrases of its grammars, US English.

    The same audio gives the same text, whatever was recognised before. A text is always a phrase of the grammar, and a
    whole one unless there is still sound at the end of the audio.

    What is said over a reply (``OVERLAP``) is recognised before everything else, and its text is empty when it is not
    to be trusted: when the sound goes on, or no phrase covers it. ``rejected`` then tells that there was something.
    In ten synthetic voices over mu-law, 149 of 170 backchannels and 301 of 320 other phrases were told apart, 21 and 13
    were taken for the other; of 50 spoken hums ("uh huh", "mhm") only 16 were heard as such. With white noise 15 dB
    below, some two thirds of the backchannels and four fifths of the others were.

    Args:
        grammars: JSGF grammars by name.
        default: Which of them is used without a hint, or with one that names none of them.
        pronunciations: Words that are missing from the CMU dictionary, with their phones (``"t ih1"`` is ``"T IH"``).

    Raises:
        EngineError: the model does not load, or a word of a grammar has no pronunciation.
        MisuseError: *default* is not in *grammars*.
    """

    def __init__(
        self, grammars: Mapping[str, str], default: str, *, pronunciations: Mapping[str, str] | None = None
    ) -> None:
        if default not in grammars:
            raise MisuseError(f"There is no grammar {default!r} to be the default one.")
        self._names = frozenset(grammars)
        self._default = default
        self._set_up = packed(SetUp(dict(grammars), dict(pronunciations or {})))
        self._requests = 0
        self._child = self._started()
        self._worker = Worker("sphinx")

    @property
    def pid(self) -> int:
        """Process id of the process that it works in; another one after that died."""
        return self._child.pid

    sure_of_words = False
    """It has to choose among the few phrases it knows."""

    async def transcribe(self, audio: bytes, *, hint: str | None = None) -> Transcript:
        """Return what is said in *audio* (16 kHz mono PCM).

        Args:
            audio: One utterance with some silence around it.
            hint: Name of the grammar to use.

        Raises:
            EngineError: the decoder failed, or its process died (retryable).
        """
        if len(audio) < MIN_BYTES:
            return Transcript("")
        if len(audio) > MAX_BYTES:
            raise EngineError(f"An utterance of {len(audio) // 32_000} s is too long to recognise.")
        grammar = hint if hint in self._names else self._default
        return await self._worker.run(partial(self._transcribe, audio, str(grammar)), urgent=grammar == OVERLAP)

    async def aclose(self) -> None:
        """End the process and the worker thread."""
        self._worker.shut()
        self._child.shut()
        if await self._worker.aclose():
            await self._child.aclose()

    def _transcribe(self, audio: bytes, grammar: str, ticket: Ticket[None]) -> Transcript:
        if not self._child.alive:
            self._child.kill()
            self._child = self._started()
        self._requests += 1
        stop = packed(Stop(self._requests))
        ticket.on_cancel(partial(self._child.tell, stop))
        answer = self._asked(packed(Request(self._requests, grammar)), audio)
        return Transcript(answer.text, answer.rejected, whole=answer.whole)

    def _started(self) -> ChildProcess:
        """Start the process and have it load everything.

        Raises:
            EngineError: it cannot, which may pass (retryable), or there is a fault in what it is to load.
        """
        try:
            child = ChildProcess(MODULE)
        except OSError as error:
            raise EngineError(f"PocketSphinx cannot be started: {error}", retryable=True) from error
        try:
            fault = unpacked(child.ask(self._set_up), Answer).fault
        except (OSError, ProtocolError) as error:
            child.kill()
            raise EngineError(f"PocketSphinx does not start: {error}", retryable=True) from error
        if fault:
            child.kill()
            raise EngineError(fault)
        return child

    def _asked(self, *request: bytes) -> Answer:
        try:
            answer = unpacked(self._child.ask(*request), Answer)
        except (OSError, ProtocolError) as error:
            self._child.kill()
            raise EngineError(f"PocketSphinx's process is gone: {error}", retryable=True) from error
        if answer.fault:
            raise EngineError(answer.fault)
        return answer
