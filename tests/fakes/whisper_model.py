"""A real CTranslate2 Whisper model of half a megabyte that always says the same words: the engine is the real one.

The decoder's residual branches are zero and tokens are rows of a Hadamard matrix (zero mean, so that layer norm keeps
them); the projection row of a token is the code of the one it follows. So the decoder walks a fixed chain of tokens,
whatever the audio is.
"""

from __future__ import annotations

import itertools
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import tokenizers
from ctranslate2.specs import whisper_spec
from faster_whisper.tokenizer import _LANGUAGE_CODES

WIDTH, HEADS, MELS = 32, 2, 80
END = "<|endoftext|>"


SURE = 20.0
"""Logit of the token that comes next; all others have 0."""


def build_model(
    folder: Path, words: tuple[str, ...], *, language: str = "en", endless: bool = False, sure: float = SURE
) -> Path:
    """Write a model to *folder* that says *words*, over and over when *endless*; not ``"en"`` makes it multilingual.

    With *sure* below 7 its words have probabilities below one half.
    """
    folder.mkdir(parents=True, exist_ok=True)
    text = sorted(tokenizers.pre_tokenizers.ByteLevel.alphabet()) + [f"Ġ{word}" for word in words]
    if language != "en":
        text.append("")  # by this token CTranslate2 tells a multilingual vocabulary
    names = [END, "<|startoftranscript|>", *(f"<|{code}|>" for code in _LANGUAGE_CODES[:99])]
    names += [f"<|{name}|>" for name in ("translate", "transcribe", "startoflm", "startofprev", "nospeech")]
    names.append("<|notimestamps|>")
    vocabulary = text + names + [f"<|{step * 0.02:.2f}|>" for step in range(1501)]
    spec = _encoder_and_blocks()
    _write_chain(spec, vocabulary, _chain(words, endless=endless), sure)
    spec.register_vocabulary(vocabulary)
    spec.config.suppress_ids, spec.config.suppress_ids_begin = [], []
    spec.config.lang_ids = [vocabulary.index(f"<|{code}|>") for code in _LANGUAGE_CODES[:99]]
    spec.config.alignment_heads = [[0, head] for head in range(HEADS)]
    spec.validate()
    spec.optimize(quantization="int8")
    spec.save(str(folder))
    _write_tokenizer(text, names, folder / "tokenizer.json")
    return folder


def _chain(words: tuple[str, ...], *, endless: bool) -> list[tuple[str, str]]:
    said = [f"Ġ{word}" for word in words]
    return [("<|notimestamps|>", said[0]), *itertools.pairwise(said), (said[-1], said[0] if endless else END)]


def _write_chain(spec: Any, vocabulary: list[str], chain: list[tuple[str, str]], sure: float) -> None:
    hadamard = np.array([[1.0]])
    while len(hadamard) < WIDTH:
        hadamard = np.block([[hadamard, hadamard], [hadamard, -hadamard]])
    states = dict.fromkeys(before for before, _ in chain)
    embeddings, projection = (np.zeros((len(vocabulary), WIDTH), np.float32) for _ in range(2))
    for state, code in zip(states, hadamard[1:], strict=False):
        embeddings[vocabulary.index(state)] = code
    for before, after in chain:
        projection[vocabulary.index(after)] += sure * embeddings[vocabulary.index(before)] / WIDTH
    spec.decoder.embeddings.weight = embeddings
    spec.decoder.projection.weight = projection
    spec.decoder.projection.bias = np.zeros(len(vocabulary), np.float32)


def _encoder_and_blocks() -> Any:
    spec = whisper_spec.WhisperSpec(1, HEADS, 1, HEADS)
    random = np.random.default_rng(0)
    encoder, decoder = spec.encoder, spec.decoder
    for conv, channels in ((encoder.conv1, MELS), (encoder.conv2, WIDTH)):
        conv.weight = _weights(random, WIDTH, channels, 3)
        conv.bias = np.zeros(WIDTH, np.float32)
    encoder.position_encodings.encodings = _positions(1500)
    decoder.position_encodings.encodings = np.zeros((448, WIDTH), np.float32)
    for stack, zero in ((encoder, False), (decoder, True)):
        _norm(stack.layer_norm)
        for layer in stack.layer:
            _attention(random, layer.self_attention, (3, 1), zero=zero)
            if zero:
                _attention(random, layer.attention, (1, 2, 1), zero=True)
            _norm(layer.ffn.layer_norm)
            _linear(random, layer.ffn.linear_0, 4 * WIDTH, WIDTH)
            _linear(random, layer.ffn.linear_1, WIDTH, 4 * WIDTH, zero=zero)
    return spec


def _weights(random: np.random.Generator, *shape: int) -> np.ndarray:
    return (random.standard_normal(shape) * 0.02).astype(np.float32)


def _norm(norm: Any) -> None:
    norm.gamma, norm.beta = np.ones(WIDTH, np.float32), np.zeros(WIDTH, np.float32)


def _linear(random: np.random.Generator, linear: Any, outputs: int, inputs: int, *, zero: bool = False) -> None:
    linear.weight = np.zeros((outputs, inputs), np.float32) if zero else _weights(random, outputs, inputs)
    linear.bias = np.zeros(outputs, np.float32)


def _attention(random: np.random.Generator, attention: Any, widths: tuple[int, ...], *, zero: bool) -> None:
    _norm(attention.layer_norm)
    for index, width in enumerate(widths):
        last = index == len(widths) - 1
        _linear(random, attention.linear[index], width * WIDTH, WIDTH, zero=zero and last)


def _positions(length: int) -> np.ndarray:
    step = math.log(10000) / (WIDTH // 2 - 1)
    angles = np.arange(length)[:, None] * np.exp(-step * np.arange(WIDTH // 2))[None]
    return np.concatenate([np.sin(angles), np.cos(angles)], 1).astype(np.float32)


def _write_tokenizer(text: list[str], names: list[str], path: Path) -> None:
    vocabulary = {token: index for index, token in enumerate(text)}
    tokenizer = tokenizers.Tokenizer(tokenizers.models.BPE(vocab=vocabulary, merges=[]))
    tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = tokenizers.decoders.ByteLevel()
    tokenizer.add_special_tokens(names)  # their ids continue behind the vocabulary's, in order
    tokenizer.save(str(path))
    assert json.loads(path.read_text(encoding="utf-8"))["model"]["type"] == "BPE"
