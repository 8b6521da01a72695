"""DTMF and the echo reference: time per frame, and how well each tells what it is for from speech."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from ctypes.util import find_library
from functools import cache
from typing import Any

import numpy as np
import trio

from bench.report import Row, generator, interleaved
from tomrt._dsp.dtmf import DtmfDetector, dtmf
from tomrt._dsp.echo import EchoReference
from tomrt._dsp.g711 import ulaw_decode, ulaw_encode
from tomrt.audio import resample
from tomrt.engines.espeak import Espeak
from tomrt.events import Voice

RATE_HZ = 8000
FRAME = 320
KEYS = "123A456B789C*0#D"
VOICES = ("en-us", "de", "fr", "es", "it", "en-us+f3", "de+f2", "en-us+m7")
SENTENCES = (
    "We are open from nine in the morning until six in the evening, on every day but Sunday.",
    "No, wait, that is not what I meant: the bill was paid twice in March, and nobody called me back.",
    "The quick brown fox jumps over the lazy dog, while eleven benevolent elephants sing along.",
)
Signal = np.ndarray[Any, np.dtype[np.float64]]


def rows(quick: bool) -> list[Row]:
    """Measure both on eSpeak's voices over a mu-law line, 8 kHz."""
    voices = VOICES[:4] if quick else VOICES
    return [*dtmf_rows(quick, voices), *echo_rows(quick, voices)]


@cache
def spoken(text: str, voice: str) -> bytes:
    """Return a sentence at 8 kHz, -22 dBFS."""

    async def speak() -> bytes:
        send, receive = trio.open_memory_channel[object](100_000)
        espeak = Espeak(voice)
        with send:
            await espeak.speak(text, send)
        await espeak.aclose()
        return b"".join([item.pcm async for item in receive if isinstance(item, Voice)])

    signal = samples(resample(trio.run(speak), 22050, RATE_HZ))
    return pcm(signal * 32768 * 10 ** (-22 / 20) / np.sqrt(np.mean(signal[np.abs(signal) > 300] ** 2)))


def samples(data: bytes) -> Signal:
    """Return 16-bit PCM as floats."""
    return np.frombuffer(data, "<i2").astype(np.float64)


def pcm(signal: Signal) -> bytes:
    """Return floats as 16-bit PCM."""
    return np.clip(np.round(signal), -32768, 32767).astype("<i2").tobytes()


def frames(data: bytes) -> list[bytes]:
    """Cut PCM into whole frames of 20 ms."""
    return [data[at : at + FRAME] for at in range(0, len(data) - FRAME + 1, FRAME)]


def turns(call: Callable[[bytes], object], pieces: list[bytes]) -> Callable[[], object]:
    """Return a callable that gives the pieces to *call*, one each time, round and round."""
    state = [0]

    def step() -> object:
        state[0] = (state[0] + 1) % len(pieces)
        return call(pieces[state[0]])

    return step


def dtmf_rows(quick: bool, voices: tuple[str, ...]) -> list[Row]:
    """Digits of 40 ms at 15 dB, talk-off, and time per frame beside spandsp."""
    digits = KEYS * (4 if quick else 16)
    clean = samples(dtmf(digits, RATE_HZ, 40, 40, -17.0))
    noisy = clean + generator().normal(0, 32768 * 10 ** (-32 / 20), len(clean))
    line = ulaw_decode(ulaw_encode(pcm(noisy)))
    heard = "".join(key for key, _ in DtmfDetector(RATE_HZ).push(line))
    speech = b"".join(spoken(text, voice) for voice in voices for text in SENTENCES)
    invented = len(DtmfDetector(RATE_HZ).push(speech))
    candidates = {"tomrt": turns(DtmfDetector(RATE_HZ).push, frames(speech))}
    spandsp = load_spandsp()
    theirs_heard = theirs_invented = None
    if spandsp:
        theirs_heard, theirs_invented = spandsp(line), len(spandsp(speech))
        candidates["spandsp"] = turns(spandsp, frames(speech))
    times = interleaved(candidates, repeats=5 if quick else 15, inner=2000)
    theirs = times.get("spandsp")
    peer = "spandsp (ctypes)"
    return [
        Row("DTMF per frame", times["tomrt"] * 1e6, "µs", peer=peer, peer_value=theirs and theirs * 1e6),
        Row(
            "DTMF of 40 ms at 15 dB: digits wrong",
            wrong(heard, digits),
            f"of {len(digits)}",
            peer=peer,
            peer_value=None if theirs_heard is None else wrong(theirs_heard, digits),
            bound=0,
            compare="value",
        ),
        Row(
            "DTMF in speech: digits heard",
            invented,
            f"in {len(speech) // 2 // RATE_HZ} s",
            peer=peer,
            peer_value=theirs_invented,
            bound=0,
            compare="value",
        ),
    ]


def wrong(heard: str, sent: str) -> int:
    """Return how many digits were lost, changed or made up; those in order are right (longest common subsequence)."""
    best = [0] * (len(sent) + 1)
    for key in heard:
        before = 0
        for at, other in enumerate(sent, 1):
            before, best[at] = best[at], before + 1 if key == other else max(best[at], best[at - 1])
    return len(sent) + len(heard) - 2 * best[-1]


def load_spandsp() -> Callable[[bytes], str] | None:
    """Return a function that gives PCM to spandsp's receiver and returns the digits; ``None`` where it is missing."""
    name = find_library("spandsp")
    if name is None:
        return None
    library = ctypes.CDLL(name)
    library.dtmf_rx_init.restype = ctypes.c_void_p
    library.dtmf_rx_init.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p]
    library.dtmf_rx.argtypes = [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_int]
    library.dtmf_rx_get.argtypes = [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_int]
    library.dtmf_rx_get.restype = ctypes.c_size_t
    state = library.dtmf_rx_init(None, None, None)
    digits = ctypes.create_string_buffer(129)

    def hear(data: bytes) -> str:
        heard = []
        for at in range(0, len(data), 10 * FRAME):  # its list of digits is short
            piece = data[at : at + 10 * FRAME]
            library.dtmf_rx(state, piece, len(piece) // 2)
            count = library.dtmf_rx_get(state, digits, 128)
            heard.append(digits.raw[:count].decode())
        return "".join(heard)

    return hear


def telephone(signal: Signal) -> Signal:
    """Return a signal through a band-pass from 300 to 3400 Hz with the phase of a telephone, and mu-law."""
    hz = np.fft.rfftfreq(len(signal), 1 / RATE_HZ)
    low, high = 1j * hz / 300, 1j * hz / 3400
    return samples(
        ulaw_decode(ulaw_encode(pcm(np.fft.irfft(np.fft.rfft(signal) * (low / (1 + low)) ** 2 / (1 + high) ** 2))))
    )


def compared(out: bytes, back: bytes) -> tuple[Signal, Signal]:
    """Return the scores and lags of the frames of *back* that can be heard."""
    reference, found = EchoReference(RATE_HZ), []
    for ours, theirs in zip(frames(out), frames(back), strict=False):
        reference.sent(ours)
        likeness = reference.similarity(theirs)
        if samples(theirs).std() > 18:  # -65 dBFS
            found.append(likeness)
    table = np.array(found)
    return table[:, 0], table[:, 1]


def echo_rows(quick: bool, voices: tuple[str, ...]) -> list[Row]:
    """Time per frame, and how often an echo stands out from all that other voices score."""
    ours = [spoken(SENTENCES[0], voice) for voice in voices]
    echoes: list[np.ndarray[Any, Any]] = []
    near: list[np.ndarray[Any, Any]] = []
    others: list[Signal] = []
    for number, out in enumerate(ours):
        for delay_ms, gain_db in ((60, -12), (180, -25), (330, -40)):
            delayed = np.concatenate([np.zeros(delay_ms * 8), samples(out)])[: len(out) // 2] * 10 ** (gain_db / 20)
            found, lags = compared(out, pcm(telephone(delayed[: len(delayed) // 2 * 2])))
            echoes.append(found[10:])
            near.append(np.abs(lags[10:] - delay_ms) < 2.5)
        for voice in voices:
            back = pcm(telephone(samples(spoken(SENTENCES[1 + number % 2], voice))[: len(out) // 4 * 2]))
            others.append(compared(out, back)[0])
    limit = float(np.quantile(np.concatenate(others), 0.99))
    reference, again = EchoReference(RATE_HZ), frames(ours[0])

    def both(frame: bytes) -> None:
        reference.sent(frame)
        reference.similarity(frame)

    times = interleaved({"tomrt": turns(both, again)}, repeats=5 if quick else 15, inner=500)
    return [
        Row("echo reference per frame (sent and compared)", times["tomrt"] * 1e6, "µs", bound=15),
        Row("echo score that 99 % of other speech stays below", limit, "", bound=0.65),
        Row("echo frames above that score", percent(echoes, limit), "%", better="higher", bound=85),
        Row("echo frames with the right lag ± 2.5 ms", percent(near, 0.5), "%", better="higher", bound=85),
    ]


def percent(values: list[np.ndarray[Any, Any]], limit: float) -> float:
    """Return how many of the values are over a limit, in per cent."""
    return 100 * float(np.mean(np.concatenate(values) > limit))
