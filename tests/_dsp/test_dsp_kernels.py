"""What holds for every kernel."""

from __future__ import annotations

import importlib
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import tomrt._dsp
from tomrt._dsp.conceal import Concealer
from tomrt._dsp.dtmf import DtmfDetector
from tomrt._dsp.echo import EchoReference
from tomrt._dsp.fade import fade_in, fade_out, gain
from tomrt._dsp.front_end import FrontEnd
from tomrt._dsp.g711 import alaw_encode, ulaw_encode
from tomrt._dsp.meter import Meter, measure
from tomrt._dsp.resample import Resampler
from tomrt._dsp.spectrum import spectrum
from tomrt._dsp.vad import Vad

SOURCES = sorted(Path(tomrt._dsp.__file__).parent.glob("*.pyx"))
TAKERS = {
    "ulaw_encode": ulaw_encode,
    "alaw_encode": alaw_encode,
    "measure": measure,
    "Meter.push": Meter().push,
    "fade_in": lambda data: fade_in(data, 5),
    "fade_out": lambda data: fade_out(data, 5),
    "gain": lambda data: gain(data, 5, 1.0, 0.5),
    "Resampler.process": Resampler(8000, 16000).process,
    "Resampler.process, equal rates": Resampler(8000, 8000).process,
    "Vad.push": Vad(8000).push,
    "FrontEnd.push": FrontEnd(16000).push,
    "spectrum": spectrum,
    "Concealer.good": Concealer(8000).good,
    "DtmfDetector.push": DtmfDetector(8000).push,
    "EchoReference.sent": EchoReference(8000).sent,
}


@pytest.mark.parametrize("source", SOURCES, ids=lambda source: source.stem)
def test_compiled(source):
    """Every kernel runs as a compiled extension and has a stub."""
    module = importlib.import_module(f"tomrt._dsp.{source.stem}")
    assert module.__file__.endswith(tuple(EXTENSION_SUFFIXES))
    assert source.with_suffix(".pyi").exists()


def test_sources_are_there():
    """The package's folder has the kernels it is documented to have."""
    speaking = {"conceal", "pitch", "spectrum", "stretch", "vad"}
    kernels = {"dtmf", "echo", "fade", "front_end", "g711", "lowpass", "meter", "resample", *speaking}
    assert kernels <= {source.stem for source in SOURCES}


@pytest.mark.parametrize("taker", TAKERS.values(), ids=TAKERS)
@pytest.mark.parametrize("length", [1, 3, 321])
def test_odd_length(taker, length):
    """Half a sample is refused in one sentence."""
    with pytest.raises(ValueError, match=f"even number of bytes, and this buffer has {length}\\."):
        taker(bytes(length))


@pytest.mark.parametrize("taker", TAKERS.values(), ids=TAKERS)
@pytest.mark.parametrize("wrong", ["text", None, 3, [1, 2]])
def test_wrong_type(taker, wrong):
    """What is not bytes-like is refused as such."""
    with pytest.raises(TypeError):
        taker(wrong)


@given(st.binary(min_size=256, max_size=256))
def test_any_buffer(data):
    """Bytes, a bytearray, a memoryview and one that begins at an odd address are the same signal."""
    takers = (ulaw_encode, alaw_encode, lambda pcm: repr(measure(pcm)), lambda pcm: fade_in(pcm, 9), spectrum)
    for taker in takers:
        expected = taker(data)
        assert expected == taker(bytearray(data)) == taker(memoryview(data)) == taker(memoryview(b"\0" + data)[1:])


@given(st.lists(st.binary(max_size=400), max_size=20), st.sampled_from([8000, 16000]))
def test_any_bytes(chunks, rate_hz):
    """Whatever bytes come, a stateful kernel takes whole samples, refuses odd pieces, and goes on."""
    front_end, resampler, taken = FrontEnd(rate_hz, 0.1), Resampler(rate_hz, 11025), 0
    for chunk in chunks:
        if len(chunk) % 2:
            for take in (front_end.push, resampler.process):
                with pytest.raises(ValueError, match="even number"):
                    take(chunk)
        else:
            front_end.push(chunk)
            resampler.process(chunk)
            taken += len(chunk) // 2
    assert front_end.frames == taken // (rate_hz // 50)
