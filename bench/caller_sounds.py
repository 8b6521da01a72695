"""What callers do to a line, made at run time: voices, backchannels, coughs, noise, and the line they come over.

Speech is eSpeak NG's in several languages, Flite's where its program is installed, and people's where Debian's
Asterisk prompts are. Every sound begins at its true onset: the first sample whose next 10 ms are within 30 dB of the
loud parts (the 95th percentile) of the clean utterance.
"""

from __future__ import annotations

import math
import shutil
import subprocess
import tempfile
import wave
from pathlib import Path

import numpy as np
import trio
from attrs import evolve, frozen
from numpy.typing import NDArray

from tomrt.audio import resample, ulaw_decode, ulaw_encode
from tomrt.engines.espeak import Espeak
from tomrt.errors import EngineError
from tomrt.events import Voice, WordStart

__all__ = [
    "RATE_HZ", "Said", "Sound", "Texts", "at_level", "babble", "espeak", "line_band", "mu_law", "people", "spoken",
    "trimmed",
]  # fmt: skip

RATE_HZ = 8000
HOP = RATE_HZ // 100
ONSET_DB = 30.0
FULL_SCALE = 32768.0

Sound = NDArray[np.float64]
Texts = dict[str, tuple[str, ...]]

PROMPTS = Path("/usr/share/asterisk/sounds")
SPEAKERS = ("en_US_f_Allison", "ru_RU_f_IvrvoiceRU", "it_IT_f_Menardi", "es_MX_f_Allison", "it_IT_m_Carlo")
FLITE_VOICES = ("slt", "awb", "rms", "kal")
FLITE_S = 10.0
NO_SPEECH = ("tone", "beep", "silence", "monkeys", "letters", "phonetic", "digits")


@frozen(kw_only=True)
class Said:
    """A sound that a caller makes: trimmed, in the telephone's band, at any level.

    Args:
        what: The words, or what it is.
        by: Who or what made it.
        sound: 8 kHz samples.
    """

    what: str
    by: str
    sound: Sound

    @property
    def ms(self) -> float:
        """Its length."""
        return len(self.sound) * 1000 / RATE_HZ


def _window_power(sound: Sound) -> Sound:
    """Return for each sample the mean power of the 10 ms that begin with it."""
    total = np.concatenate([[0.0], np.cumsum(np.concatenate([sound, np.zeros(HOP - 1)]) ** 2)])
    return np.asarray((total[HOP:] - total[:-HOP]) / HOP)


def trimmed(sound: Sound) -> Sound:
    """Return *sound* from its true onset to its true end; empty where there is no sound in it."""
    power = _window_power(sound)
    loud = float(np.percentile(power, 95)) if len(power) else 0.0
    over = np.flatnonzero(power > loud / 10 ** (ONSET_DB / 10))
    return sound[over[0] : over[-1] + HOP] if loud and over.size else sound[:0]


def active_rms(sound: Sound) -> float:
    """Return the RMS of those 10 ms that are within 30 dB of the loud ones: pauses do not make speech quiet."""
    power = _window_power(sound)
    return float(np.sqrt(np.mean(power[power > np.percentile(power, 95) / 10 ** (ONSET_DB / 10)])))


def at_level(sound: Sound, dbfs: float) -> Sound:
    """Return *sound* with an active RMS of *dbfs*."""
    return sound * (FULL_SCALE * 10 ** (dbfs / 20) / max(active_rms(sound), 1e-9))


def line_band(sound: Sound) -> Sound:
    """Return *sound* in the telephone's band, 200 to 3400 Hz at -3 dB, falling by 12 and by 72 dB per octave."""
    hz = np.maximum(np.fft.rfftfreq(len(sound) + RATE_HZ, 1 / RATE_HZ), 1.0)
    gain = 1 / np.sqrt(1 + (200.0 / hz) ** 4) / np.sqrt(1 + (hz / 3400.0) ** 24)
    return np.asarray(np.fft.irfft(np.fft.rfft(sound, len(sound) + RATE_HZ) * gain)[: len(sound)])


def mu_law(sound: Sound) -> bytes:
    """Return *sound* as 16-bit samples that went through mu-law."""
    samples = np.clip(np.round(sound), -32767, 32767).astype("<i2")
    return ulaw_decode(ulaw_encode(samples.tobytes()))


def _finished(what: str, by: str, sound: Sound) -> Said:
    said = trimmed(line_band(sound)) if len(sound) else sound
    return Said(what=what, by=by, sound=said)


# --- voices ----------------------------------------------------------------------------------------------------------


async def _espeak_all(jobs: list[tuple[str, int, str]]) -> list[Said]:
    made = []
    for voice, wpm, text in jobs:
        try:
            engine = Espeak(voice, wpm)
        except EngineError:
            continue  # a build of eSpeak without this variant
        out: trio.MemorySendChannel[Voice | WordStart]
        out, heard = trio.open_memory_channel(math.inf)
        try:
            await engine.speak(text, out)
            out.close()
            pcm = b"".join([item.pcm async for item in heard if isinstance(item, Voice)])
        finally:
            await engine.aclose()
        sound = np.frombuffer(resample(pcm, engine.rate_hz, RATE_HZ), "<i2").astype(float)
        made.append(_finished(text, f"eSpeak {voice}", sound))
    return made


def espeak(jobs: list[tuple[str, int, str]]) -> list[Said]:
    """Return what eSpeak says, for each (voice, words per minute, text); voices that it has not are left out."""
    return trio.run(_espeak_all, jobs)


def _flite(voice: str, text: str, stretch: float) -> Said | None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "said.wav"
        command = ["flite", "-voice", voice, "--setf", f"duration_stretch={stretch:.2f}", "-t", text, "-o", str(path)]
        try:
            subprocess.run(command, check=True, timeout=FLITE_S, capture_output=True)
            return _finished(text, f"Flite {voice}", _read(path))
        except (OSError, subprocess.SubprocessError, wave.Error):
            return None


def _read(path: Path) -> Sound:
    with wave.open(str(path)) as file:
        pcm, rate_hz = file.readframes(file.getnframes()), file.getframerate()
    return np.frombuffer(resample(pcm, rate_hz, RATE_HZ), "<i2").astype(float)


def spoken(
    texts: Texts,
    variants: tuple[str, ...],
    wpm: tuple[int, int],
    shortest_ms: float,
    longest_ms: float,
    count: int,
    random: np.random.Generator,
) -> list[Said]:
    """Return up to *count* utterances of synthetic voices within the given lengths.

    Args:
        texts: What is said, by eSpeak's name of the language.
        variants: eSpeak's voices; Flite speaks a quarter of the English texts where it is installed.
        wpm: Slowest and fastest words per minute.
        shortest_ms: Shorter ones are left out.
        longest_ms: Longer ones are left out.
        count: How many.
        random: Chooses.
    """
    flite = shutil.which("flite") is not None
    languages = tuple(texts)
    jobs: list[tuple[str, int, str]] = []
    made: list[Said | None] = []
    for number in range(2 * count):
        language = languages[number % len(languages)]
        text = texts[language][random.integers(len(texts[language]))]
        if flite and language.startswith("en") and random.random() < 0.5 and len(made) < count // 4:
            voice = FLITE_VOICES[random.integers(len(FLITE_VOICES))]
            made.append(_flite(voice, text, float(random.uniform(0.8, 1.1))))
        else:
            voice = f"{language}+{variants[random.integers(len(variants))]}"
            jobs.append((voice, int(random.integers(*wpm)), text))
    found = [said for said in made if said is not None] + espeak(jobs)
    fitting = [said for said in found if shortest_ms <= said.ms <= longest_ms]
    return [fitting[at] for at in random.permutation(len(fitting))[:count]]


def people(shortest_ms: float, longest_ms: float, count: int, random: np.random.Generator) -> list[Said]:
    """Return up to *count* recordings of people within the given lengths; none where none are installed."""
    found: list[Said] = []
    for speaker in SPEAKERS:
        paths = sorted(
            path
            for path in (PROMPTS / speaker).rglob("*.wav")
            if not any(word in str(path.relative_to(PROMPTS)) for word in NO_SPEECH)
            and shortest_ms * 16 < path.stat().st_size < 2 * longest_ms * 16
        )
        share = count // len(SPEAKERS) + 1
        for at in random.permutation(len(paths))[: 2 * share]:
            said = _finished(paths[at].stem, speaker, _read(paths[at]))
            if shortest_ms <= said.ms <= longest_ms:
                found.append(evolve(said, by=f"recording {speaker}"))
    return [found[at] for at in random.permutation(len(found))[:count]]


def babble(voices: list[Said], count: int, random: np.random.Generator) -> Sound:
    """Return *count* samples of six people who talk at once, without a pause, with an RMS of 1."""
    total = np.zeros(count)
    for _ in range(6):
        line = np.concatenate([at_level(voices[random.integers(len(voices))].sound, -20.0) for _ in range(8)])
        total += np.resize(np.roll(line, random.integers(len(line))), count) * random.uniform(0.5, 1.0)
    return np.asarray(total / total.std())
