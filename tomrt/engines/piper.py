"""Piper's neural voices, on the CPU.

Importing this module loads onnxruntime; import it only when the engine is chosen. One thread computes (a second one
was slower whenever the other core was busy), sentence by sentence, and a sentence whose caller is gone is stopped
inside the network. Piper phonemises with an eSpeak NG of its own, which holds the interpreter for 0.5 ms per sentence.
"""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from typing import Any

import onnxruntime
import trio.abc
from onnxruntime.capi import onnxruntime_pybind11_state
from piper import PiperConfig, PiperVoice, SynthesisConfig

from tomrt.engines.pieces import pieces
from tomrt.engines.workers import Ticket, Worker
from tomrt.errors import EngineError
from tomrt.events import Voice, WordStart

__all__ = ["Piper"]

CHUNK_S = 0.1
"""Length of one :class:`~tomrt.events.Voice` item."""

ROOM = 600
"""Items buffered for one piece of text: 60 s of audio, so that a slow consumer does not hold the thread."""

# onnxruntime's exceptions have no common root but Exception.
_RUNTIME_ERRORS: tuple[type[Exception], ...] = tuple(
    value
    for value in vars(onnxruntime_pybind11_state).values()
    if isinstance(value, type) and issubclass(value, Exception)
)
_SYNTHESIS_ERRORS: tuple[type[Exception], ...] = (*_RUNTIME_ERRORS, RuntimeError, ValueError)


class _StoppableSession:
    """Stands where Piper expects its session, and gives each run the options by which it can be stopped."""

    def __init__(self, session: onnxruntime.InferenceSession) -> None:
        self._session = session
        self.options: onnxruntime.RunOptions | None = None

    def run(self, output_names: list[str] | None, feeds: dict[str, Any]) -> Any:
        """Run the network as ``InferenceSession.run`` does."""
        return self._session.run(output_names, feeds, self.options)


class Piper:
    """A Piper voice as a :class:`~tomrt.ports.TextToSpeech`; it tells no word starts.

    Args:
        voice_path: The voice's ``.onnx`` file, with its ``.onnx.json`` beside it.
        volume: Factor on the voice's own level, which is left as it is otherwise: Piper's default of scaling each
            sentence to full scale is too loud for a telephone line and makes short words as loud as long sentences.

    Raises:
        EngineError: a file is missing or is no Piper voice.
    """

    def __init__(self, voice_path: str | Path, *, volume: float = 1.0) -> None:
        path = Path(voice_path)
        config = _read_config(path.with_name(path.name + ".json"))
        self._session = _StoppableSession(_open_session(path))
        self._voice = PiperVoice(session=self._session, config=config)
        self._style = SynthesisConfig(normalize_audio=False, volume=volume)
        self._worker = Worker("piper")

    @property
    def rate_hz(self) -> int:
        """Sample rate of the voice."""
        return int(self._voice.config.sample_rate)

    async def speak(self, text: str, out: trio.abc.SendChannel[Voice | WordStart]) -> None:
        """Voice *text*, at most 4000 characters, into *out*, in pieces of 0.1 s, a sentence at a time.

        Raises:
            EngineError: the text is too long, or the voice failed.
        """
        for _, piece in pieces(text):
            await self._worker.stream(partial(self._synthesise, piece), out, room=ROOM)

    def _synthesise(self, text: str, ticket: Ticket[Voice | WordStart]) -> None:
        options = self._session.options = onnxruntime.RunOptions()
        ticket.on_cancel(partial(setattr, options, "terminate", True))
        chunk_bytes = 2 * round(CHUNK_S * self.rate_hz)
        try:
            for sentence in self._voice.synthesize(text, self._style):
                pcm = sentence.audio_int16_bytes
                for start in range(0, len(pcm), chunk_bytes):
                    if not ticket.put(Voice(pcm[start : start + chunk_bytes], sentence.sample_rate)):
                        return
        except _SYNTHESIS_ERRORS as error:
            raise EngineError(f"Piper could not voice a text: {error}") from error

    async def aclose(self) -> None:
        """End the worker thread."""
        await self._worker.aclose()


def _read_config(path: Path) -> PiperConfig:
    try:
        return PiperConfig.from_dict(json.loads(path.read_text(encoding="utf-8")))
    except OSError as error:
        raise EngineError(f"The Piper voice needs its settings in {path}: {error.strerror}.") from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise EngineError(f"{path} is not a Piper voice's settings: {error!r}.") from error


def _open_session(path: Path) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    # A spinning thread would take a whole core from the calls between two sentences.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.log_severity_level = 3  # errors only; they arrive as exceptions too
    if not path.is_file():
        raise EngineError(f"There is no Piper voice at {path}.")
    try:
        return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except _RUNTIME_ERRORS as error:
        raise EngineError(f"{path} is not a Piper voice: {error}") from error
