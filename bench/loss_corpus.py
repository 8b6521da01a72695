"""Speech to lose frames of, and which frames are lost.

eSpeak NG is always there; the recording beside the checkout and Debian's ``asterisk-core-sounds-en-wav`` are used where
they are present.
"""

from __future__ import annotations

import wave
from pathlib import Path

import numpy as np
import trio
from numpy.typing import NDArray

from tomrt.audio import resample, ulaw_decode, ulaw_encode
from tomrt.engines.espeak import Espeak
from tomrt.events import Voice

__all__ = ["FRAME", "Signal", "clips", "losses"]

Signal = NDArray[np.float64]

FRAME = 160
PROMPTS = Path("/usr/share/asterisk/sounds/en")
RECORDING = Path(__file__).parents[2] / "shared" / "speech" / "jfk_8k.wav"
LONGEST_S = 9
ACTIVE_DBFS = -22.0
SENTENCES = (
    ("en-us", "The train to the airport leaves at half past seven from platform nine. Please remember your ticket."),
    ("en+f3", "I would like to change my appointment from Tuesday morning to Thursday afternoon, if possible."),
    ("de+m3", "Guten Tag, ich möchte gerne einen Tisch für vier Personen am Freitagabend um acht Uhr reservieren."),
    ("en+f2", "We are open from nine in the morning until six in the evening, on every day of the week but Sunday."),
)


async def _spoken(voice: str, text: str) -> bytes:
    send, receive = trio.open_memory_channel[object](100_000)
    espeak = Espeak(voice)
    with send:
        await espeak.speak(text, send)
    await espeak.aclose()
    pieces: list[bytes] = [item.pcm async for item in receive if isinstance(item, Voice)]
    return b"".join(pieces)


def _recorded(path: Path) -> bytes:
    with wave.open(str(path)) as file:
        return bytes(file.readframes(LONGEST_S * 8000))


def _levelled(pcm: bytes) -> Signal:
    """Return whole frames at -22 dBFS where someone speaks, as a mu-law line carries them."""
    signal = np.frombuffer(pcm, "<i2").astype(np.float64)
    signal = signal[: len(signal) // FRAME * FRAME]
    power = np.mean(signal.reshape(-1, FRAME) ** 2, axis=1)
    active = np.mean(power[power > power.max() / 1000])
    loud = np.clip(np.round(signal * 32768 * 10 ** (ACTIVE_DBFS / 20) / np.sqrt(active)), -32768, 32767)
    return np.frombuffer(ulaw_decode(ulaw_encode(loud.astype("<i2").tobytes())), "<i2").astype(np.float64)


def clips(most: int) -> list[Signal]:
    """Return at most *most* clips at 8 kHz: synthetic, recorded and studio speech in turn."""
    spoken = [resample(trio.run(_spoken, voice, text), 22050, 8000) for voice, text in SENTENCES]
    recorded = [_recorded(RECORDING)] if RECORDING.exists() else []
    longest_first = sorted(PROMPTS.glob("*.wav"), key=lambda path: (-path.stat().st_size, path.name))
    prompts = [_recorded(path) for path in longest_first[:12]]
    pieces = recorded + [piece for pair in zip(prompts, spoken, strict=False) for piece in pair]
    pieces += prompts[len(spoken) :] + spoken[len(prompts) :]
    return [_levelled(piece) for piece in pieces[:most]]


def losses(count: int, share: float, mean_burst: float, rng: np.random.Generator) -> NDArray[np.bool_]:
    """Return which of *count* frames are lost (Gilbert's model); the first five are not."""
    lost, bad = np.zeros(count, dtype=np.bool_), False
    into_burst = share / mean_burst / (1 - share)
    for index in range(5, count):
        bad = bool(rng.random() >= 1 / mean_burst) if bad else bool(rng.random() < into_burst)
        lost[index] = bad
    return lost
