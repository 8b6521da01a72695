"""What the caller says: WAV files, or texts spoken by a voice, both at the line's rate."""

from __future__ import annotations

from pathlib import Path

import trio

from tomrt.audio import parse_wav, resample
from tomrt.caller.loudness import audible_samples
from tomrt.caller.script import Utterance
from tomrt.errors import MisuseError, ProtocolError, SettingsError
from tomrt.events import Voice, WordStart
from tomrt.ports import TextToSpeech

__all__ = ["MAX_SPEECH_S", "from_wav", "spoken_by"]

MAX_SPEECH_S = 300
MAX_WAV_BYTES = 128 << 20
TAIL_S = 0.1
MAX_PIECES = 20_000
"""Pieces of one spoken text; four minutes, the longest there is, come in 5000."""


def from_wav(path: Path, rate_hz: int) -> Utterance:
    """Return the speech in the WAV file at *path*, its left channel at *rate_hz*.

    Raises:
        SettingsError: there is no such file, it is no WAV file of PCM, or nothing in it is audible; one sentence.
    """
    try:
        with path.open("rb") as file:
            content = file.read(MAX_WAV_BYTES + 1)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise SettingsError(f"{path}: cannot be read: {reason}") from None
    if len(content) > MAX_WAV_BYTES:
        raise SettingsError(f"{path}: is larger than {MAX_WAV_BYTES >> 20} MiB")
    try:
        wav = parse_wav(content, name=str(path), left_only=True)
        return _utterance(path.name, resample(wav.pcm, wav.rate_hz, rate_hz), rate_hz, f"{path}")
    except (ProtocolError, MisuseError) as error:
        raise SettingsError(f"{error}" if str(path) in str(error) else f"{path}: {error}") from None


async def spoken_by(voice: TextToSpeech, text: str, rate_hz: int) -> Utterance:
    """Return *text* as *voice* says it, at *rate_hz*.

    Raises:
        EngineError: the voice failed.
        SettingsError: nothing of the text is audible.
    """
    send, receive = trio.open_memory_channel[Voice | WordStart](MAX_PIECES)
    async with send, receive:
        await voice.speak(text, send)
        await send.aclose()
        pieces = [item async for item in receive if isinstance(item, Voice)]
    pcm = b"".join(piece.pcm for piece in pieces)
    spoken_hz = pieces[0].rate_hz if pieces else rate_hz
    return _utterance(text, resample(pcm, spoken_hz, rate_hz), rate_hz, f"--say {text[:40]!r}")


def _utterance(said: str, pcm: bytes, rate_hz: int, source: str) -> Utterance:
    """Cut the silence behind the last sound, so that the end of the speech is the end of the utterance."""
    loud = audible_samples(pcm)
    if not loud.size:
        raise SettingsError(f"{source}: nothing in it is audible")
    if loud[-1] > MAX_SPEECH_S * rate_hz:
        raise SettingsError(f"{source}: is longer than {MAX_SPEECH_S} s")
    return Utterance(said, pcm[: 2 * (int(loud[-1]) + int(TAIL_S * rate_hz))])
