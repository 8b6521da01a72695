"""Sentences of eSpeak NG at telephone rates, for tests of what speech is and is not."""

from __future__ import annotations

from functools import cache

import trio

from tomrt.audio import resample
from tomrt.engines.espeak import Espeak
from tomrt.events import Voice

OURS = "We are open from nine in the morning until six in the evening, on every day but Sunday."
THEIRS = "No, wait, that is not what I meant: the bill was paid twice in March, and nobody called me back."


@cache
def spoken(text: str, voice: str = "en-us", rate_hz: int = 8000) -> bytes:
    """Return a sentence as 16-bit PCM."""

    async def speak() -> bytes:
        send, receive = trio.open_memory_channel[object](100_000)
        espeak = Espeak(voice)
        with send:
            await espeak.speak(text, send)
        await espeak.aclose()
        return b"".join([item.pcm async for item in receive if isinstance(item, Voice)])

    return resample(trio.run(speak), 22050, rate_hz)
