"""The second look at a speech onset: Silero's network, slower than the onset detector and far harder to fool.

The onset detector of the front end answers within a few hops of 10 ms, and takes other people's talk for the caller's.
This stage runs only while that one is up: 0.1 ms of work per 32 ms of one call. The model is the one that comes in the
faster-whisper wheel; faster-whisper itself is not imported.
"""

from __future__ import annotations

from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from tomrt.errors import EngineError, MisuseError

if TYPE_CHECKING:
    from onnxruntime import InferenceSession

__all__ = ["CONFIRM_HOP", "CONFIRM_HZ", "Confirm", "silero_path"]

CONFIRM_HZ = 16000
CONFIRM_HOP = 512
"""Samples of a hop: 32 ms."""

_CONTEXT = 64
"""Samples of the hop before that the model sees again."""

_RELEASE_HOPS = 3
_STATE = (1, 1, 128)

_Floats = NDArray[np.float32]


def silero_path() -> Path:
    """Return where the faster-whisper wheel keeps the model.

    Raises:
        EngineError: the wheel is not installed, or has no such file.
    """
    found = find_spec("faster_whisper")
    if found is None or not found.submodule_search_locations:
        raise EngineError("The confirming voice detector needs the package faster-whisper, which is not installed.")
    path = Path(next(iter(found.submodule_search_locations))) / "assets" / "silero_vad_v6.onnx"
    if not path.is_file():
        raise EngineError(f"The confirming voice detector needs its model, and there is no {path}.")
    return path


@cache
def _session(path: Path) -> InferenceSession:
    """Load a model, once per process: calls share it, their state is their own."""
    try:
        import onnxruntime  # noqa: PLC0415 - half a second, which only calls that confirm should pay
    except ImportError as error:
        raise EngineError(f"The confirming voice detector needs onnxruntime: {error}.") from error
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.enable_cpu_mem_arena = False
    options.log_severity_level = 4
    names = ("Fail", "NoSuchFile", "InvalidArgument", "InvalidProtobuf", "InvalidGraph", "NoModel", "NotImplemented")
    refusals = tuple(getattr(onnxruntime.capi.onnxruntime_pybind11_state, name) for name in names)
    try:
        return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    except refusals as error:
        raise EngineError(f"The model {path} cannot be loaded: {error}.") from error


class Confirm:
    """Silero v6 on one direction of one call, in hops of 32 ms; results do not depend on the pieces.

    Begin with the audio around the onset: the ring of :class:`~tomrt.audio.Ingress` has it. About 100 ms of speech make
    up its mind. :meth:`reset` between one use and the next.

    Args:
        threshold: Probability from which a hop is speech. 0.1 is early and still deaf to stationary noise, 0.5 is the
            model's own default and 100 ms later.
        release: Probability below which a hop is not speech; 96 ms of such hops end the decision. Below *threshold*.
        model: The ONNX file, if it is not the one in the faster-whisper wheel.

    Raises:
        MisuseError: the thresholds are not 0 < *release* <= *threshold* < 1.
        EngineError: the model or onnxruntime is missing or broken.
    """

    def __init__(self, threshold: float = 0.2, release: float = 0.1, *, model: Path | None = None) -> None:
        if not 0.0 < release <= threshold < 1.0:
            raise MisuseError(
                f"A hysteresis needs 0 < release <= threshold < 1, got release {release}, threshold {threshold}."
            )
        self._threshold, self._release = threshold, release
        self._run = _session(silero_path() if model is None else model).run
        self.reset()

    def reset(self) -> None:
        """Forget everything, as for a new onset."""
        self._waiting = b""
        self._window: _Floats = np.zeros((1, _CONTEXT + CONFIRM_HOP), np.float32)
        self._hidden: _Floats = np.zeros(_STATE, np.float32)
        self._cell: _Floats = np.zeros(_STATE, np.float32)
        self._quiet = 0
        self.probability = 0.0
        """How likely the latest hop is speech, 0 to 1."""
        self.speech = False
        """Whether someone speaks, decided with hysteresis."""

    def push(self, pcm: bytes) -> list[float]:
        """Take the next samples, 16-bit mono PCM at 16 kHz; return the probability of each hop they complete.

        Raises:
            MisuseError: *pcm* is not bytes, or an odd number of them; nothing of it was taken.
        """
        if not isinstance(pcm, bytes | bytearray | memoryview):
            raise MisuseError(f"Samples come as bytes, not as {type(pcm).__name__}.")
        if len(pcm) % 2:
            raise MisuseError(f"16-bit PCM has an even number of bytes, and this buffer has {len(pcm)}.")
        data = self._waiting + bytes(pcm)
        size = 2 * CONFIRM_HOP
        whole = len(data) - len(data) % size
        self._waiting = data[whole:]
        return [self._hop(data[at : at + size]) for at in range(0, whole, size)]

    def _hop(self, samples: bytes) -> float:
        window = self._window
        window[0, :_CONTEXT] = window[0, -_CONTEXT:]
        window[0, _CONTEXT:] = np.frombuffer(samples, "<i2")
        window[0, _CONTEXT:] /= 32768.0
        found, self._hidden, self._cell = self._run(None, {"input": window, "h": self._hidden, "c": self._cell})
        self.probability = min(max(float(found[0]), 0.0), 1.0)
        self._decide()
        return self.probability

    def _decide(self) -> None:
        """Begin speech by one hop, end it by several."""
        if self.probability >= self._threshold:
            self.speech, self._quiet = True, 0
        elif self.probability >= self._release:
            self._quiet = 0
        else:
            self._quiet += 1
            self.speech = self.speech and self._quiet < _RELEASE_HOPS
