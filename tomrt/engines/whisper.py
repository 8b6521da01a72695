"""Whisper through faster-whisper and CTranslate2: the recogniser for free speech in any language.

Importing this module loads CTranslate2; import it only when the engine is chosen. Nothing is ever fetched: the model
is a directory, looked at file by file before the library sees it. The network is run step by step (features, encoder,
decoder) instead of through ``WhisperModel.transcribe``, because that one always encodes 30 s: its cost grows faster
than the window (base model, one thread: 30 s 850 ms, 10 s 120 ms, 5 s 50 ms), and a cancelled turn stops between steps.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Literal

import ctranslate2
import numpy as np
from faster_whisper import WhisperModel
from faster_whisper.audio import pad_or_trim
from faster_whisper.tokenizer import Tokenizer
from faster_whisper.transcribe import get_compression_ratio, get_suppressed_tokens

from tomrt.dialogue.grammar import OVERLAP
from tomrt.engines.models import missing_files
from tomrt.engines.workers import Ticket, Worker
from tomrt.errors import EngineError, MisuseError
from tomrt.events import Transcript

__all__ = ["Whisper"]

RATE_HZ = 16000
FRAMES_PER_S = 100
WHOLE_WINDOW_S = 30
SHORT_WINDOWS_S = (5, 10, 15, WHOLE_WINDOW_S)
MARGIN_S = 3.0
"""Silence a short window keeps behind the speech; without it Whisper tends to repeat itself (whisper.cpp #1951)."""

MAX_TOKENS_PER_S, SPARE_TOKENS = 8, 10
"""Cap on the answer's length: twice what fast speech needs; what runs on is repetition."""
MOST_TOKENS = 448 // 2
"""Whisper's decoder holds 448 tokens, and CTranslate2 writes at most half of its ``max_length``."""

NO_SPEECH_PROBABILITY, NO_SPEECH_LOG_PROBABILITY = 0.6, -1.0
MAX_COMPRESSION = 2.4
"""OpenAI's thresholds (whisper/transcribe.py): noise taken for words, and words repeated over and over."""

MIN_SAMPLES = RATE_HZ // 10
"""100 ms: less holds no word."""


class Whisper:
    """A Whisper model as a :class:`~tomrt.ports.SpeechToText`.

    Args:
        model_dir: A CTranslate2 model directory.
        language: The callers' language, two letters; an English-only model takes ``"en"`` alone.
        device: ``"auto"`` takes the GPU if CTranslate2 sees one.
        compute_type: CTranslate2's name of a number format, or ``"default"``: int8 on the CPU, float16 on a GPU.
        window: ``"30"`` encodes 30 s as in training; ``"auto"`` the speech and 3 s more, rounded up to 5, 10, 15 or
            30 s, and again with 30 s if the result looks repeated or runs into the cap.

    Raises:
        EngineError: a file is missing, the model does not load, or does not know the language.
        MisuseError: *window* is neither.
    """

    def __init__(
        self,
        model_dir: str | Path,
        language: str = "en",
        *,
        device: Literal["auto", "cpu", "cuda"] = "auto",
        compute_type: str = "default",
        window: str = "30",
    ) -> None:
        if window not in {"auto", "30"}:
            raise MisuseError(f"Whisper's window is 'auto' or '30', not {window!r}.")
        if device == "auto":
            device = "cuda" if ctranslate2.get_cuda_device_count() else "cpu"
        self._model = _load(Path(model_dir), device, compute_type)
        self._short_windows = window == "auto"
        self._tokenizer = _tokenizer(self._model, language)
        self._suppressed = list(get_suppressed_tokens(self._tokenizer, [-1]))
        self._worker = Worker("whisper")

    sure_of_words = True
    """It may answer with any word, or none."""

    async def transcribe(self, audio: bytes, *, hint: str | None = None) -> Transcript:
        """Return what is said in *audio* (16 kHz mono PCM).

        Args:
            audio: One utterance.
            hint: Of use only for what is said over a reply (``OVERLAP``): that is looked at once, with the shortest
                window that holds it, before everything else that waits, and any doubt rejects it.

        Raises:
            EngineError: the model failed.
        """
        over_reply = hint == OVERLAP
        job = self._glance if over_reply else self._transcribe
        return await self._worker.run(partial(job, audio), urgent=over_reply)

    def _glance(self, audio: bytes, ticket: Ticket[None]) -> Transcript:
        """Transcribe a few words in a hurry."""
        longest = int((WHOLE_WINDOW_S - MARGIN_S) * RATE_HZ)
        samples = _samples(audio)[-longest:]
        if samples.size < MIN_SAMPLES:
            return Transcript("")
        speech_s = samples.size / RATE_HZ
        window_s = _fitting_window(speech_s)
        try:
            # Padded as audio, as in training: of a window with one word in it nearly all is padding.
            features = self._model.feature_extractor(np.pad(samples, (0, window_s * RATE_HZ - samples.size)))
            transcript, plausible = self._decode(features, window_s, speech_s, ticket, strict=True)
        except (RuntimeError, ValueError) as error:
            raise EngineError(f"Whisper could not transcribe: {error}") from error
        return transcript if plausible else Transcript("", transcript.text)

    def _transcribe(self, audio: bytes, ticket: Ticket[None]) -> Transcript:
        samples = _samples(audio)
        if not samples.size:
            return Transcript("")
        try:
            features = self._model.feature_extractor(samples)
            heard = [self._read(piece, ticket) for piece in _windows(features)]
        except (RuntimeError, ValueError) as error:
            raise EngineError(f"Whisper could not transcribe: {error}") from error
        text = " ".join(transcript.text for transcript in heard if transcript.text)
        return Transcript(text, " ".join(transcript.rejected for transcript in heard if transcript.rejected))

    def _read(self, features: np.ndarray, ticket: Ticket[None]) -> Transcript:
        """Transcribe up to 30 s of log-mel *features*, shape (mels, frames)."""
        speech_s = features.shape[-1] / FRAMES_PER_S
        window_s = _fitting_window(speech_s) if self._short_windows else WHOLE_WINDOW_S
        transcript, plausible = self._decode(features, window_s, speech_s, ticket)
        if not plausible and window_s < WHOLE_WINDOW_S:
            transcript, plausible = self._decode(features, WHOLE_WINDOW_S, speech_s, ticket)
        return transcript if plausible else Transcript("", transcript.text)

    def _decode(
        self, features: np.ndarray, window_s: int, speech_s: float, ticket: Ticket[None], *, strict: bool = False
    ) -> tuple[Transcript, bool]:
        """Run the network once; return what it wrote and whether it is plausible as speech.

        Words in noise are rejected when the model doubts both that there was speech and its own words; where it is
        *strict*, when it doubts one of them.
        """
        if ticket.cancelled:
            return Transcript(""), True
        cap = min(round(speech_s * MAX_TOKENS_PER_S) + SPARE_TOKENS, MOST_TOKENS)
        encoded = self._model.encode(pad_or_trim(features, window_s * FRAMES_PER_S))
        if ticket.cancelled:
            return Transcript(""), True
        prompt = self._model.get_prompt(self._tokenizer, [], without_timestamps=True)
        result = self._model.model.generate(
            encoded,
            [prompt],
            beam_size=1,
            max_length=2 * cap,
            return_scores=True,
            return_no_speech_prob=True,
            suppress_tokens=self._suppressed,
        )[0]
        tokens = result.sequences_ids[0]
        text = self._tokenizer.decode(tokens).strip()
        doubts = (result.no_speech_prob > NO_SPEECH_PROBABILITY, result.scores[0] < NO_SPEECH_LOG_PROBABILITY)
        if any(doubts) if strict else all(doubts):
            return Transcript("", text), True
        return Transcript(text), len(tokens) < cap and get_compression_ratio(text) <= MAX_COMPRESSION

    async def aclose(self) -> None:
        """End the worker thread and free the model."""
        if await self._worker.aclose():
            self._model.model.unload_model()


def _load(model_dir: Path, device: str, compute_type: str) -> WhisperModel:
    if not model_dir.is_dir():
        raise EngineError(f"There is no Whisper model directory at {model_dir}.")
    if missing := missing_files(model_dir):
        raise EngineError(f"The Whisper model in {model_dir} lacks {' and '.join(missing)}.")
    if compute_type == "default":
        compute_type = "float16" if device == "cuda" else "int8"
    try:
        # One thread: two take both cores of a small machine from the calls, for a third less latency.
        return WhisperModel(
            str(model_dir), device=device, compute_type=compute_type, cpu_threads=1, local_files_only=True
        )
    except (RuntimeError, ValueError, KeyError, TypeError) as error:
        raise EngineError(f"The Whisper model in {model_dir} does not load: {error}") from error


def _tokenizer(model: WhisperModel, language: str) -> Tokenizer:
    if language not in model.supported_languages:
        known = "only 'en'" if not model.model.is_multilingual else "no such language"
        raise EngineError(f"The Whisper model cannot transcribe {language!r}: it knows {known}.")
    return Tokenizer(model.hf_tokenizer, model.model.is_multilingual, task="transcribe", language=language)


def _samples(audio: bytes) -> np.ndarray:
    return np.frombuffer(audio, dtype="<i2", count=len(audio) // 2).astype(np.float32) / 32768


def _fitting_window(speech_s: float) -> int:
    """Return the shortest window, in seconds, that holds the speech and its margin."""
    return next((window_s for window_s in SHORT_WINDOWS_S if window_s >= speech_s + MARGIN_S), WHOLE_WINDOW_S)


def _windows(features: np.ndarray) -> Iterator[np.ndarray]:
    # The extractor pads 10 ms, which must not make a second window of 30 s exactly.
    frames = max(1, features.shape[-1] - 1)
    for start in range(0, frames, WHOLE_WINDOW_S * FRAMES_PER_S):
        yield features[:, start : min(start + WHOLE_WINDOW_S * FRAMES_PER_S, frames)]
