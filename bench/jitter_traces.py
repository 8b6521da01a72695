"""Synthetic networks, jitter buffers run on them, and the fixed delay that a clairvoyant would have chosen.

Delays are relative to the fastest frame. The clairvoyant knows the whole trace and chooses the one delay at which as
many frames come too late as the buffer under test had to make up; no pull grid holds it.
"""

from __future__ import annotations

import ctypes
import ctypes.util
from collections.abc import Callable, Iterator

import numpy as np
from attrs import frozen
from numpy.typing import NDArray

from tomrt.audio.jitter import JitterBuffer

__all__ = ["Outcome", "run_ours", "run_speex", "traces"]

Delays = NDArray[np.float64]
FRAME_S = 0.02


def _gaussian(count: int, rng: np.random.Generator) -> Delays:
    return np.maximum(0.05 + rng.normal(0, 0.01, count), 0.01)


def _stalls(delays: Delays, every: float, length: Callable[[], float], rng: np.random.Generator) -> Delays:
    """Add stalls after which the frames held up come all at once."""
    at = int(rng.exponential(every))
    while at < len(delays):
        stall = length()
        held_up = np.arange(at, min(at + int(stall / FRAME_S) + 1, len(delays)))
        delays[held_up] += np.maximum(stall - (held_up - at) * FRAME_S, 0)
        at += 1 + int(rng.exponential(every))
    return delays


def _gamma_bursts(count: int, rng: np.random.Generator) -> Delays:
    return _stalls(0.04 + rng.gamma(1, 0.003, count), 150, lambda: rng.gamma(2, 0.03), rng)


def _wifi(count: int, rng: np.random.Generator) -> Delays:
    quiet = 0.02 + np.abs(rng.normal(0, 0.002, count))
    return _stalls(quiet, 50, lambda: rng.choice([0.03, 0.06, 0.12, 0.2], p=[0.5, 0.3, 0.15, 0.05]), rng)


def _level_shifts(count: int, rng: np.random.Generator) -> Delays:
    levels = rng.choice([0.0, 0.04, 0.08], size=count // 1500 + 1).repeat(1500)[:count]
    return 0.03 + levels + np.abs(rng.normal(0, 0.004, count))


def traces(count: int, rng: np.random.Generator) -> Iterator[tuple[str, Delays]]:
    """Yield four networks, each as the delays in seconds of *count* frames of 20 ms."""
    for name, make in (
        ("Gaussian, 10 ms", _gaussian),
        ("gamma bursts", _gamma_bursts),
        ("Wi-Fi spikes", _wifi),
        ("level shifts", _level_shifts),
    ):
        yield name, make(count, rng)


@frozen(kw_only=True)
class Outcome:
    """What a buffer made of a trace.

    Args:
        mean_ms: Mean delay of what was played.
        late: Share of the frames that something else was played for.
        clairvoyant_ms: The fixed delay at which just as many frames come too late.
    """

    mean_ms: float
    late: float
    clairvoyant_ms: float

    @property
    def added_ms(self) -> float:
        """The delay beyond the clairvoyant's."""
        return self.mean_ms - self.clairvoyant_ms

    @property
    def late_percent(self) -> float:
        """The share that was late, in per cent."""
        return 100 * self.late


def _outcome(delays: Delays, played: list[float], late: float) -> Outcome:
    fastest = float(delays.min())
    return Outcome(
        mean_ms=1000 * (float(np.mean(played)) - fastest),
        late=late,
        clairvoyant_ms=1000 * (float(np.quantile(delays, 1 - min(late, 1.0))) - fastest),
    )


def _ticks(delays: Delays, phase: float) -> Iterator[tuple[float, list[tuple[float, int]]]]:
    """Yield pulls every 20 ms, each with the frames that came before it."""
    arrivals = delays + FRAME_S * np.arange(len(delays))
    order = np.argsort(arrivals, kind="stable").tolist()
    times, taken, now = arrivals.tolist(), 0, float(arrivals.min()) + phase
    while taken < len(order):
        begun = taken
        while taken < len(order) and times[order[taken]] <= now:
            taken += 1
        yield now, [(times[frame], frame) for frame in order[begun:taken]]
        now += FRAME_S


def run_ours(delays: Delays, frames: list[bytes], phase: float) -> Outcome:
    """Run our jitter buffer with its defaults."""
    buffer, played = JitterBuffer(8000), []
    for now, arrived in _ticks(delays, phase):
        for at, frame in arrived:
            buffer.insert(frame & 0xFFFF, frame * 160 & 0xFFFFFFFF, frames[frame % len(frames)], at)
        before = buffer.counts.played
        buffer.pull(now)
        if buffer.counts.played > before:
            played.append(now - (buffer.position - 160) / 8000)
    return _outcome(delays, played, buffer.counts.made_up_ms / 20 / len(delays))


class _Packet(ctypes.Structure):
    """``JitterBufferPacket`` of ``speex/speex_jitter.h``, speexdsp 1.2."""

    _fields_ = (
        ("data", ctypes.c_char_p),
        ("len", ctypes.c_uint32),
        ("timestamp", ctypes.c_uint32),
        ("span", ctypes.c_uint32),
        ("sequence", ctypes.c_uint16),
        ("user_data", ctypes.c_uint32),
    )


def run_speex(delays: Delays, phase: float) -> Outcome | None:
    """Run Debian's libspeexdsp1's jitter buffer with its defaults; ``None`` where it is not installed."""
    name = ctypes.util.find_library("speexdsp")
    if name is None:
        return None
    library = ctypes.CDLL(name)
    library.jitter_buffer_init.restype = ctypes.c_void_p
    state = ctypes.c_void_p(library.jitter_buffer_init(160))
    room, offset, played, missing, begun = ctypes.create_string_buffer(320), ctypes.c_int32(), [], 0, False
    for now, arrived in _ticks(delays, phase):
        for _, frame in arrived:
            packet = _Packet(bytes(320), 320, frame * 160, 160, frame & 0xFFFF, 0)
            library.jitter_buffer_put(state, ctypes.byref(packet))
        got = _Packet(ctypes.cast(room, ctypes.c_char_p), 320, 0, 0, 0, 0)
        if library.jitter_buffer_get(state, ctypes.byref(got), 160, ctypes.byref(offset)) == 0:
            played.append(now - got.timestamp / 8000)
            begun = True
        elif begun:
            missing += 1
        library.jitter_buffer_tick(state)
    library.jitter_buffer_destroy(state)
    return _outcome(delays, played, missing / len(delays))
