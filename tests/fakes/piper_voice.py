"""A real Piper voice of about one kilobyte: the engine is the real one, only the sound is a test's.

Each phoneme id becomes ``HOP`` samples (times the length scale) of a tone whose pitch follows the id; the padding id is
silent. So length follows text and speed, and equal texts give equal samples. The ONNX file is encoded here by hand
(protobuf needs only varints and lengths), because the ``onnx`` package is 30 MB for this one file.
"""

from __future__ import annotations

import json
import math
import struct
from pathlib import Path

from piper.phoneme_ids import DEFAULT_PHONEME_ID_MAP

HOP = 512
SIDE = 1000
FLOAT, INT64 = 1, 7


def build_voice(path: Path, *, rate_hz: int = 22050, language: str = "en-us", slow: int = 0) -> Path:
    """Write a voice to *path* and its settings beside it; *slow* is how often a sentence squares a matrix of SIDE."""
    path.write_bytes(_model(rate_hz, slow))
    settings = {
        "audio": {"sample_rate": rate_hz},
        "espeak": {"voice": language},
        "inference": {"noise_scale": 0.667, "length_scale": 1.0, "noise_w": 0.8},
        "phoneme_type": "espeak",
        "phoneme_id_map": DEFAULT_PHONEME_ID_MAP,
        "num_symbols": 256,
        "num_speakers": 1,
        "speaker_id_map": {},
        "hop_length": HOP,
    }
    path.with_name(path.name + ".json").write_text(json.dumps(settings), encoding="utf-8")
    return path


def _varint(number: int) -> bytes:
    groups = [number & 0x7F]
    while number := number >> 7:
        groups.append(number & 0x7F)
    return bytes([group | 0x80 for group in groups[:-1]] + groups[-1:])


def _number(field: int, value: int) -> bytes:
    return _varint(field << 3) + _varint(value)


def _block(field: int, data: bytes | str) -> bytes:
    data = data.encode() if isinstance(data, str) else data
    return _varint(field << 3 | 2) + _varint(len(data)) + data


def _tensor(name: str, kind: int, values: list[float], *dims: int) -> bytes:
    raw = struct.pack(f"<{len(values)}{'f' if kind == FLOAT else 'q'}", *values)
    shape = b"".join(_number(1, dim) for dim in dims)
    return _block(5, shape + _number(2, kind) + _block(8, name) + _block(9, raw))


def _value(field: int, name: str, kind: int, *dims: str) -> bytes:
    shape = b"".join(_block(1, _block(2, dim)) for dim in dims)
    return _block(field, _block(1, name) + _block(2, _block(1, _number(1, kind) + _block(2, shape))))


def _node(kind: str, inputs: str, output: str, *, to: int | None = None) -> bytes:
    names = b"".join(_block(1, name) for name in inputs.split())
    attribute = b"" if to is None else _block(5, _block(1, "to") + _number(3, to) + _number(20, 2))
    return _block(1, names + _block(2, output) + _block(4, kind) + attribute)


def _model(rate_hz: int, slow: int) -> bytes:
    constants = [
        _tensor("one", INT64, [1]),
        _tensor("zero", INT64, [0]),
        _tensor("first", INT64, [0], 1),
        _tensor("column", INT64, [-1, 1], 2),
        _tensor("output_shape", INT64, [1, 1, 1, -1], 4),
        _tensor("hop", FLOAT, [HOP]),
        _tensor("pitch_step", FLOAT, [2 * math.pi * 7 / rate_hz]),
        _tensor("loudness", FLOAT, [0.3]),
        _tensor("unit", FLOAT, [1.0]),
        _tensor("nothing", FLOAT, [0.0]),
    ]
    nodes = [
        _node("Gather", "scales one", "length_scale"),
        _node("Mul", "hop length_scale", "samples_f"),
        _node("Cast", "samples_f", "samples", to=INT64),
        _node("Range", "zero samples one", "times_i"),
        _node("Cast", "times_i", "times", to=FLOAT),
        _node("Unsqueeze", "times first", "row"),
        _node("Reshape", "input column", "ids_i"),
        _node("Cast", "ids_i", "ids", to=FLOAT),
        _node("Mul", "ids pitch_step", "pitch"),
        _node("Mul", "pitch row", "phase"),
        _node("Sin", "phase", "tone"),
        _node("Min", "ids unit", "audible"),
        _node("Mul", "audible loudness", "volume"),
        _node("Mul", "tone volume", "waves"),
    ]
    voiced = "waves"
    if slow:
        constants += [_tensor("square", INT64, [SIDE, SIDE], 2), _tensor("shrink", FLOAT, [1 / SIDE])]
        # From an input of the graph, so that it is not worked out once when the model is loaded.
        nodes += [_node("Mul", "length_scale shrink", "small"), _node("Expand", "small square", "m0")]
        nodes += [_node("MatMul", f"m{n} m{n}", f"m{n + 1}") for n in range(slow)]
        nodes += [_node("ReduceMax", f"m{slow}", "m"), _node("Mul", "m nothing", "m_zero")]
        nodes += [_node("Add", "waves m_zero", "waves_late")]
        voiced = "waves_late"
    nodes.append(_node("Reshape", f"{voiced} output_shape", "output"))
    graph = b"".join(nodes) + _block(2, "voice") + b"".join(constants)
    graph += _value(11, "input", INT64, "batch", "phonemes") + _value(11, "input_lengths", INT64, "batch")
    graph += _value(11, "scales", FLOAT, "three") + _value(12, "output", FLOAT, "batch", "a", "b", "time")
    return _number(1, 8) + _block(8, _block(1, "") + _number(2, 15)) + _block(7, graph)
