"""The confirming stage: Silero's own answers, kept across pieces, with hysteresis."""

from __future__ import annotations

import subprocess
import sys
import wave
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tomrt.audio.confirm import CONFIRM_HOP, Confirm, silero_path
from tomrt.errors import EngineError, MisuseError

pytest.importorskip("onnxruntime", reason="needs onnxruntime")
pytest.importorskip("faster_whisper.vad", reason="needs the model in faster-whisper")
JFK = Path(__file__).parents[3] / "shared" / "speech" / "jfk_16k.wav"


def recording() -> bytes:
    """Return five seconds of real speech at 16 kHz, or skip."""
    if not JFK.exists():
        pytest.skip(f"needs the recording {JFK.name} in the folder shared/speech beside the checkout")
    with wave.open(str(JFK)) as file:
        return file.readframes(5 * 16000)


def hiss(seconds: float, dbfs: float, seed: int = 1) -> bytes:
    """Return white noise at 16 kHz."""
    random = np.random.default_rng(seed)
    return random.normal(0, 32768 * 10 ** (dbfs / 20), int(16000 * seconds)).astype("<i2").tobytes()


def test_probabilities_are_the_models():
    """Hop by hop, with state and context carried, come the numbers that faster-whisper gets for the whole signal."""
    from faster_whisper.vad import get_vad_model

    data = recording()
    data = data[: len(data) // (2 * CONFIRM_HOP) * 2 * CONFIRM_HOP]
    expected = get_vad_model()(np.frombuffer(data, "<i2").astype(np.float32) / 32768)
    # Of the last hop faster-whisper blanks the end, on its way to the first hop's context.
    assert np.allclose(Confirm().push(data)[:-1], expected[:-1], atol=2e-3)


def test_speech_is_confirmed():
    """Real speech is confirmed soon, and again after a reset, with the same numbers."""
    confirm = Confirm()
    data = recording()
    first = confirm.push(data)
    assert max(first) > 0.8
    confirm.push(b"\1\0" * 99)
    confirm.reset()
    assert not confirm.speech
    assert first == confirm.push(data)


@pytest.mark.parametrize("dbfs", [-60, -40, -20])
def test_noise_is_not(dbfs):
    """White noise, digital silence and direct current are not speech."""
    confirm = Confirm()
    for data in (hiss(4.0, dbfs), bytes(32000), b"\xff\xff" * 16000, b"\0\x20" * 16000):
        confirm.reset()
        assert max(confirm.push(data)) < 0.2
        assert not confirm.speech


def test_release():
    """Speech ends within 320 ms of silence, and not in a gap of 64 ms."""
    confirm = Confirm()
    data, size = recording(), 2 * CONFIRM_HOP
    while data and confirm.probability < 0.8:
        confirm.push(data[:size])
        data = data[size:]
    confirm.push(bytes(2 * 2 * CONFIRM_HOP))
    assert confirm.speech
    confirm.push(bytes(8 * 2 * CONFIRM_HOP))
    assert not confirm.speech


@settings(max_examples=15, deadline=None)
@given(st.lists(st.integers(0, 4000).map(lambda count: 2 * count), max_size=8))
def test_chunked_equals_whole(sizes):
    """The pieces do not matter."""
    data = hiss(0.4, -30)
    whole, cut, at, found = Confirm(), Confirm(), 0, []
    for size in [*sizes, len(data)]:
        found += cut.push(data[at : at + size])
        at += size
    assert found == whole.push(data)
    assert (whole.speech, whole.probability) == (cut.speech, cut.probability)


@pytest.mark.parametrize("wrong", [b"\0", "text", None, [1, 2]])
def test_what_is_no_audio(wrong):
    """Half a sample and what is not bytes are refused, and nothing of them is kept."""
    confirm = Confirm()
    with pytest.raises(MisuseError, match=r"even number|as bytes"):
        confirm.push(wrong)
    assert len(confirm.push(bytes(2 * CONFIRM_HOP))) == 1


@pytest.mark.parametrize(("threshold", "release"), [(0.0, 0.0), (0.2, 0.3), (1.0, 0.5), (float("nan"), 0.1)])
def test_thresholds(threshold, release):
    """Thresholds that make no hysteresis are refused."""
    with pytest.raises(MisuseError, match="hysteresis"):
        Confirm(threshold, release)


def test_a_model_that_is_not_there(tmp_path):
    """A missing or broken model is the engine's fault, in one sentence."""
    with pytest.raises(EngineError, match="cannot be loaded"):
        Confirm(model=tmp_path / "none.onnx")
    (tmp_path / "broken.onnx").write_bytes(b"not a model")
    with pytest.raises(EngineError, match="cannot be loaded"):
        Confirm(model=tmp_path / "broken.onnx")


def test_import_is_cheap():
    """Importing the module, and finding the model, loads neither onnxruntime nor faster-whisper."""
    code = (
        "import sys, tomrt.audio.confirm as c; c.silero_path(); "
        "sys.exit(bool({'onnxruntime', 'faster_whisper'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False, cwd=Path(__file__).parents[2]).returncode == 0
    assert silero_path().name == "silero_vad_v6.onnx"
