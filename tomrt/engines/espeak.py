"""The embedded voice: eSpeak NG through ctypes.

The library has one global state per process, so there is one :class:`_Library` with one worker thread, shared by all
:class:`Espeak` instances; each utterance sets its own voice and rate. It synthesises about 1000 times faster than
real time and calls back every 60 ms of audio, first after 0.2 ms, with at most 30 ms of silence in front: nothing
needs trimming.

A slow consumer must not hold the shared thread. Text is therefore cut into pieces of at most 300 characters, each
is one job, and a job's buffer holds a whole one (``ROOM``, 60 s of audio), so the thread never waits for play-out.
"""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Iterator
from functools import cache, partial

import espeakng_loader
import trio.abc
from attrs import define, field, frozen

from tomrt.engines.pieces import pieces
from tomrt.engines.workers import Ticket, Worker
from tomrt.errors import EngineError, MisuseError
from tomrt.events import Voice, WordStart

__all__ = ["Espeak"]

CHUNK_MS = 60
"""Audio per callback; the library does not go lower."""

ROOM = 1200
"""Items buffered for one piece: 60 s of audio at 60 ms and the starts of 200 words. More would wait for room."""

SLOWEST_WPM, FASTEST_WPM = 80, 450
"""Range of ``espeakRATE`` in which the library changes speed without a second signal-processing stage."""

BUSY_S = 5.0
"""How long the check of a new voice waits for a piece under way, which takes some 30 ms."""

# From espeak-ng/speak_lib.h, eSpeak NG 1.52.
AUDIO_OUTPUT_SYNCHRONOUS = 2
INITIALIZE_DONT_EXIT = 0x8000
CHARS_UTF8 = 1
POS_CHARACTER = 1
RATE = 1
EVENT_LIST_TERMINATED = 0
EVENT_WORD = 1


class _EventId(ctypes.Union):
    _fields_ = (("number", ctypes.c_int), ("name", ctypes.c_char_p), ("string", ctypes.c_char * 8))


class _Event(ctypes.Structure):
    _fields_ = (
        ("type", ctypes.c_int),
        ("unique_identifier", ctypes.c_uint),
        ("text_position", ctypes.c_int),
        ("length", ctypes.c_int),
        ("audio_position", ctypes.c_int),
        ("sample", ctypes.c_int),
        ("user_data", ctypes.c_void_p),
        ("id", _EventId),
    )


_SynthCallback = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_int, ctypes.POINTER(_Event))


@frozen
class _Style:
    voice: str
    wpm: int


@define(kw_only=True)
class _Piece:
    """One job's text, where it stands in the whole text, and how much audio it has made so far."""

    text: str
    first_char: int
    first_sample: int
    rate_hz: int
    ticket: Ticket[Voice | WordStart]
    samples: int = 0

    def take(self, pcm: bytes, words: list[tuple[int, int]]) -> bool:
        """Pass on the library's next samples and the (character, sample) of words in them; ``False`` to stop."""
        for char, sample in words:
            offset = (self.first_sample + sample) / self.rate_hz
            if not self.ticket.put(WordStart(self.first_char + char, offset)):
                return False
        self.samples += len(pcm) // 2
        return not self.ticket.cancelled if not pcm else self.ticket.put(Voice(pcm, self.rate_hz))


@define(eq=False)
class _Library:
    """The loaded library, started once per process, and its worker, which lives while anyone uses it."""

    lib: ctypes.CDLL
    rate_hz: int
    _worker: Worker | None = None
    _users: int = 0
    _style: _Style | None = None
    _piece: _Piece | None = None
    _busy: threading.Lock = field(factory=threading.Lock)
    _callback: object = field(init=False)

    def __attrs_post_init__(self) -> None:
        self._callback = _SynthCallback(self._on_audio)  # kept here: the library only has its address
        self.lib.espeak_SetSynthCallback(self._callback)

    def join(self) -> Worker:
        """Add a user and return the worker, made for the first one; under ``_library_lock``."""
        if self._worker is None:
            self._worker = Worker("espeak")
        self._users += 1
        return self._worker

    def leave(self) -> bool:
        """Drop a user; whether it was the last and the worker must be closed; under ``_library_lock``."""
        self._users -= 1
        if self._users == 0:
            self._worker = None
        return self._worker is None

    def check(self, style: _Style) -> None:
        """Raise EngineError unless the library knows the voice of *style*."""
        if not self._busy.acquire(timeout=BUSY_S):
            raise EngineError("eSpeak NG is busy.", retryable=True)
        try:
            self._set_style(style)
        finally:
            self._busy.release()

    def _set_style(self, style: _Style) -> None:
        if style == self._style:
            return
        self._style = None
        if self.lib.espeak_SetVoiceByName(style.voice.encode("utf-8", "replace")) != 0:
            raise EngineError(f"eSpeak NG has no voice named {style.voice!r}.")
        self.lib.espeak_SetParameter(RATE, style.wpm, 0)
        self._style = style

    def synthesise(self, piece: _Piece, style: _Style) -> int:
        """Voice *piece* in the worker's thread; return how many samples it made."""
        data = piece.text.encode("utf-8", "replace")
        with self._busy:
            self._set_style(style)
            self._piece = piece
            code = self.lib.espeak_Synth(data, len(data) + 1, 0, POS_CHARACTER, 0, CHARS_UTF8, None, None)
            self._piece = None
        if code != 0:
            raise EngineError(f"eSpeak NG could not voice a text (error {code}).")
        return piece.samples

    def _on_audio(self, wav: int | None, samples: int, events: ctypes.Array[_Event]) -> int:
        """Take the library's next samples; a result of 1 tells it to stop."""
        piece = self._piece
        pcm = ctypes.string_at(wav, 2 * samples) if wav and samples > 0 else b""
        return 0 if piece is not None and piece.take(pcm, list(_words(events))) else 1


def _words(events: ctypes.Array[_Event]) -> Iterator[tuple[int, int]]:
    index = 0
    while (event := events[index]).type != EVENT_LIST_TERMINATED:
        if event.type == EVENT_WORD:
            yield max(0, event.text_position - 1), event.sample  # the library counts characters from 1
        index += 1


_library_lock = threading.Lock()


@cache
def _load() -> _Library:
    try:
        # RTLD_LOCAL, ctypes' default: with RTLD_GLOBAL its symbols shadow those of Piper's own copy, which crashes.
        lib = ctypes.CDLL(espeakng_loader.get_library_path())
        data_path = str(espeakng_loader.get_data_path())
    except (OSError, RuntimeError) as error:
        raise EngineError(f"eSpeak NG cannot be loaded: {error}.") from error
    rate_hz = lib.espeak_Initialize(AUDIO_OUTPUT_SYNCHRONOUS, CHUNK_MS, data_path.encode(), INITIALIZE_DONT_EXIT)
    if rate_hz <= 0:
        raise EngineError(f"eSpeak NG cannot start with its data in {data_path} (error {rate_hz}).")
    return _Library(lib, rate_hz)


class Espeak:
    """eSpeak NG as a :class:`~tomrt.ports.TextToSpeech`: 22 050 Hz, robotic, in about 140 languages.

    Args:
        voice: eSpeak's name of a voice: ``"en-us"``, ``"en"`` (British), ``"de"``, ``"sv"``, with a variant if
            wanted (``"en-us+f2"``). Regional names such as ``"de-DE"`` are not known to it.
        wpm: Speed in words per minute, 80 to 450.

    Raises:
        EngineError: the library cannot be loaded, or does not know the voice.
        MisuseError: the speed is out of range.
    """

    def __init__(self, voice: str = "en-us", wpm: int = 165) -> None:
        if not SLOWEST_WPM <= wpm <= FASTEST_WPM:
            raise MisuseError(f"eSpeak's speed must be {SLOWEST_WPM} to {FASTEST_WPM} words per minute, not {wpm}.")
        self._style = _Style(voice, wpm)
        with _library_lock:
            self._library = _load()
            self._worker = self._library.join()
        self._closed = False
        try:
            self._library.check(self._style)
        except EngineError:
            self.close()
            raise

    @property
    def rate_hz(self) -> int:
        """Sample rate of the voice."""
        return self._library.rate_hz

    async def speak(self, text: str, out: trio.abc.SendChannel[Voice | WordStart]) -> None:
        """Voice *text*, at most 4000 characters, into *out*: pieces of 60 ms, each after the words that begin in it.

        Raises:
            EngineError: the text is too long, or the library failed.
        """
        if self._closed:
            raise EngineError("The espeak engine is closed.")
        first_sample = 0
        for first_char, piece in pieces(text):
            job = partial(self._synthesise, piece, first_char, first_sample)
            first_sample += await self._worker.stream(job, out, room=ROOM)

    def _synthesise(self, text: str, first_char: int, first_sample: int, ticket: Ticket[Voice | WordStart]) -> int:
        piece = _Piece(text=text, first_char=first_char, first_sample=first_sample, rate_hz=self.rate_hz, ticket=ticket)
        return self._library.synthesise(piece, self._style)

    def close(self) -> None:
        """Give up the voice; the worker thread ends, soon, with the last voice of the process."""
        if self._leave():
            self._worker.shut()

    async def aclose(self) -> None:
        """Give up the voice and, if it was the process's last, wait for the worker thread to end."""
        if self._leave():
            await self._worker.aclose()

    def _leave(self) -> bool:
        with _library_lock:
            closed, self._closed = self._closed, True
            return not closed and self._library.leave()
