"""Synthetic voices for training and trying the onset detector: eSpeak NG in many languages, variants and speeds."""

from __future__ import annotations

import math

import numpy as np
import trio
from attrs import frozen

from tomrt.engines.espeak import Espeak
from tomrt.events import Voice, WordStart
from tools.onset_sounds import RATE_HZ, Sound

__all__ = ["TRAINING", "TRIAL", "Cast", "babble", "labels", "utterances"]

HOP = RATE_HZ // 100
ACTIVE_DB = 30.0
"""A hop is speech if it is no further than this below the loud parts of its utterance."""

TEXTS = {
    "en-us": (
        "Hello?", "Yes.", "No, not that one.", "Stop, stop.", "I would like to book a table for four, please.",
        "Sorry, can you say that again?", "What are your opening hours on Saturday?", "Seven, three, nine, zero.",
        "She had your dark suit in greasy wash water all year.", "Okay.", "Four fifty five, Third Avenue.",
    ),
    "en": (
        "Hang on a second.", "Perhaps we should meet at half past six.", "Is anyone there?", "Thank you very much.",
        "The quick brown fox jumps over the lazy dog.", "Excuse me, that is wrong.", "Five.", "How much is it?",
    ),
    "de": (
        "Ja, bitte.", "Nein.", "Ich möchte einen Termin am Freitag.", "Wie spät ist es?", "Fünfundzwanzig.",
        "Schicken Sie mir das bitte zu.", "Können Sie das wiederholen?", "Zwölf Boxkämpfer jagen Viktor.",
    ),
    "es": ("Sí.", "¿Quién habla?", "Quisiera hablar con una persona.", "Fuera de servicio.", "Ocho, siete, dos.",
           "Necesito cambiar la fecha de mi cita.", "Perfecto, gracias."),
    "fr": ("Oui.", "Allô, bonjour.", "Je voudrais réserver une chambre.", "C'est combien ?", "Quatre-vingt-seize.",
           "Pouvez-vous parler plus fort ?", "Attendez, s'il vous plaît."),
    "it": ("Pronto?", "Sì, certo.", "Vorrei sapere quanto costa.", "Sette, otto, nove.", "Scusi, non ho capito.",
           "Che ore sono adesso?"),
    "pl": ("Tak.", "Proszę powtórzyć.", "Chciałbym zamówić taksówkę.", "Dziękuję bardzo.", "Sześć, trzy, cztery."),
    "nl": ("Ja hoor.", "Ik wil graag een afspraak maken.", "Hoe laat begint het?", "Vijf, zes, zeven."),
    "sv": ("Hej.", "Kan jag få prata med någon?", "Sju, åtta, nio.", "Det var inte det jag menade."),
    "tr": ("Evet.", "Bir dakika lütfen.", "Şimdi ne yapmam gerekiyor?"),
    "pt": ("Sim.", "Quero falar com o atendimento.", "Fica para sexta-feira.", "Três, seis, quatro, um."),
    "fi": ("Hei.", "Voisitteko toistaa?", "Seitsemän, kahdeksan.", "Haluaisin varata ajan."),
    "cs": ("Dobrý den.", "Potřebuji pomoc s účtem.", "Čtyři sta třicet tři."),
}  # fmt: skip


@frozen
class Cast:
    """Who speaks: every language with every variant."""

    languages: tuple[str, ...]
    variants: tuple[str, ...]


TRAINING = Cast(
    ("en-us", "en", "de", "es", "fr", "it", "pl", "nl", "sv", "tr"),
    ("", "f1", "f2", "f3", "f5", "m1", "m3", "m4", "m7", "m8", "Andy", "Alicia", "Mike", "linda", "steph", "adam",
     "belinda", "caleb", "david", "grandpa", "Jacky", "Denis", "paul", "klatt3", "anika", "edward"),
)  # fmt: skip
TRIAL = Cast(("en-us", "de", "pt", "fi", "cs"), ("f4", "m2", "m5", "Annie", "Michael", "Marco", "zac", "shelby"))
"""Voices and languages that training never hears."""


async def _speak(voice: str, wpm: int, text: str) -> tuple[bytes, int]:
    engine = Espeak(voice, wpm)
    out: trio.MemorySendChannel[Voice | WordStart]
    out, heard = trio.open_memory_channel(math.inf)
    try:
        await engine.speak(text, out)
        out.close()
        pcm = b"".join([item.pcm async for item in heard if isinstance(item, Voice)])
    finally:
        await engine.aclose()
    return pcm, engine.rate_hz


def _resampled(sound: Sound, factor: float) -> Sound:
    """Return *sound* with *factor* times as many samples, through its spectrum."""
    count = int(len(sound) * factor)
    return np.asarray(np.fft.irfft(np.fft.rfft(sound)[: count // 2 + 1], count) * factor)


async def _utterances(cast: Cast, count: int, random: np.random.Generator) -> list[Sound]:
    spoken = []
    for _ in range(count):
        language = cast.languages[random.integers(len(cast.languages))]
        variant = cast.variants[random.integers(len(cast.variants))]
        text = TEXTS[language][random.integers(len(TEXTS[language]))]
        pcm, rate_hz = await _speak(f"{language}+{variant}".rstrip("+"), int(random.integers(110, 260)), text)
        sound = np.frombuffer(pcm, "<i2").astype(float)
        voiced = np.flatnonzero(np.abs(sound) > 30)
        if len(voiced) > rate_hz // 10:
            sound = sound[voiced[0] : voiced[-1] + 1]
            spoken.append(_resampled(sound, RATE_HZ / rate_hz * random.uniform(0.88, 1.15)))
    return spoken


def utterances(cast: Cast, count: int, random: np.random.Generator) -> list[Sound]:
    """Return about *count* utterances of random voices of *cast*, trimmed, each with a throat of its own size."""
    return trio.run(_utterances, cast, count, random)


def babble(spoken: list[Sound], voices: int, count: int, random: np.random.Generator) -> Sound:
    """Return *count* samples of so many people who talk at once, without a pause, with an RMS of 1."""
    total = np.zeros(count)
    for _ in range(voices):
        line = np.concatenate([spoken[random.integers(len(spoken))] for _ in range(count // RATE_HZ + 2)])
        line = np.tile(line, count // len(line) + 1)
        total += np.roll(line, random.integers(len(line)))[:count] / line.std() * random.uniform(0.5, 1.0)
    return total / total.std()


def labels(clean: Sound) -> np.ndarray:
    """Return for each 10 ms of a clean utterance whether it is speech: within 30 dB of the loud parts."""
    power = np.mean(clean[: len(clean) // HOP * HOP].reshape(-1, HOP) ** 2, axis=1)
    return np.asarray(power > np.percentile(power, 95) / 10 ** (ACTIVE_DB / 10))
