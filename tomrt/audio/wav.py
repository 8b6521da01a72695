"""WAV files: any common one in, 16-bit mono out."""

from __future__ import annotations

import struct
import wave
from collections.abc import Iterator
from os import PathLike
from pathlib import Path
from typing import BinaryIO

import numpy as np
from attrs import field, frozen

from tomrt._dsp.g711 import alaw_decode, ulaw_decode
from tomrt.errors import MisuseError, ProtocolError

__all__ = ["Wav", "parse_wav", "read_wav", "write_wav"]

_PCM, _ALAW, _ULAW, _EXTENSIBLE = 1, 6, 7, 0xFFFE
_LAWS = {_ALAW: alaw_decode, _ULAW: ulaw_decode}


@frozen
class Wav:
    """A sound: 16-bit mono PCM and its rate."""

    pcm: bytes = field(repr=lambda pcm: f"<{len(pcm)} bytes>")
    rate_hz: int

    @property
    def seconds(self) -> float:
        """Length in seconds."""
        return len(self.pcm) / 2 / self.rate_hz


@frozen
class _Format:
    """What the ``fmt`` chunk of a WAV file says."""

    tag: int
    channels: int
    rate_hz: int
    bits: int


def read_wav(path: str | PathLike[str], *, left_only: bool = False) -> Wav:
    """Read a WAV file: PCM of 8, 16, 24 or 32 bits, mu-law or A-law, mono or stereo.

    Args:
        path: The file.
        left_only: Of a stereo file, take the left channel (the caller, in FreeSWITCH's recordings), not the mean.

    Raises:
        ProtocolError: the content is not such a WAV file; says which file and what is wrong.
        OSError: the file cannot be read.
    """
    return parse_wav(Path(path).read_bytes(), name=str(path), left_only=left_only)


def parse_wav(content: bytes, *, name: str = "WAV", left_only: bool = False) -> Wav:
    """Return the sound in the bytes of a WAV file; see :func:`read_wav`.

    Args:
        content: The whole file. A data chunk that claims more than is there (a recording that was cut off, or streamed)
            ends with the file.
        name: What error messages call the file.
        left_only: Of stereo, take the left channel and not the mean of both.

    Raises:
        ProtocolError: the content is not such a WAV file.
    """
    chunks = dict(_chunks(content, name))
    if b"fmt " not in chunks or b"data" not in chunks:
        raise ProtocolError(f"{name} has no {'format' if b'fmt ' not in chunks else 'data'} chunk.")
    layout = _format(chunks[b"fmt "], name)
    samples = _samples(chunks[b"data"], layout)
    if layout.channels == 2:
        left, right = samples[0 : len(samples) - 1 : 2], samples[1::2]
        samples = left if left_only else ((left.astype(np.int32) + right) >> 1).astype("<i2")
    return Wav(samples.tobytes(), layout.rate_hz)


def write_wav(target: str | PathLike[str] | BinaryIO, pcm: bytes, rate_hz: int) -> None:
    """Write 16-bit mono PCM as a WAV file.

    Args:
        target: A path, or a binary file open for writing.
        pcm: Whole samples.
        rate_hz: Samples per second.

    Raises:
        MisuseError: *pcm* has an odd number of bytes, or the rate is not positive.
        OSError: the file cannot be written.
    """
    if len(pcm) % 2 or rate_hz <= 0:
        raise MisuseError(f"{len(pcm)} bytes at {rate_hz} Hz are not 16-bit PCM.")
    with wave.open(str(target) if isinstance(target, PathLike) else target, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate_hz)
        file.writeframes(pcm)


def _chunks(content: bytes, name: str) -> Iterator[tuple[bytes, memoryview]]:
    """Yield the RIFF chunks up to and with the first data chunk."""
    if len(content) < 12 or content[:4] != b"RIFF" or content[8:12] != b"WAVE":
        raise ProtocolError(f"{name} is not a WAV file: it does not begin with RIFF and WAVE.")
    at = 12
    while at + 8 <= len(content):
        kind, size = struct.unpack_from("<4sI", content, at)
        yield kind, memoryview(content)[at + 8 : at + 8 + size]
        if kind == b"data":
            return
        at += 8 + size + size % 2


def _format(chunk: memoryview, name: str) -> _Format:
    """Return what a ``fmt`` chunk says, refusing what cannot be read."""
    if len(chunk) < 16:
        raise ProtocolError(f"{name} has a format chunk of {len(chunk)} bytes; the shortest has 16.")
    tag, channels, rate_hz, _, _, bits = struct.unpack_from("<HHIIHH", chunk)
    if tag == _EXTENSIBLE and len(chunk) >= 26:
        (tag,) = struct.unpack_from("<H", chunk, 24)
    if bits not in {_PCM: (8, 16, 24, 32), _ALAW: (8,), _ULAW: (8,)}.get(tag, ()):
        raise ProtocolError(
            f"{name} has format {tag} with {bits} bits; PCM of 8, 16, 24 or 32 bits, A-law and mu-law can be read."
        )
    if channels not in {1, 2}:
        raise ProtocolError(f"{name} has {channels} channels; one or two can be read.")
    if not 1000 <= rate_hz <= 384_000:
        raise ProtocolError(f"{name} claims {rate_hz} samples per second.")
    return _Format(tag, channels, rate_hz, bits)


def _samples(data: memoryview, layout: _Format) -> np.ndarray[tuple[int], np.dtype[np.int16]]:
    """Return the data chunk as 16-bit samples, all channels, without an unfinished sample at the end."""
    width = layout.bits // 8
    data = data[: len(data) // width * width]
    if layout.tag in _LAWS:
        return np.frombuffer(_LAWS[layout.tag](data), "<i2")
    if width == 1:
        return ((np.frombuffer(data, np.uint8).astype(np.int16) - 128) << 8).astype("<i2")
    if width == 2:
        return np.frombuffer(data, "<i2")
    # Of 24 and 32 bits the upper 16 are kept, rounded to the nearest.
    octets = np.frombuffer(data, np.uint8).reshape(-1, width)
    high = octets[:, -2:].copy().view("<i2")[:, 0].astype(np.int32)
    return np.minimum(high + (octets[:, -3] >> 7), 32767).astype("<i2")
