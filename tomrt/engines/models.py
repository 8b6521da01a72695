"""Which engines are used, and why, said in words for the banner.

:func:`look` gathers what is installed and what the settings name; :func:`choose` decides from that alone. The packages
are not imported: some take a second and hundreds of megabytes.
"""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Literal

from attrs import frozen

from tomrt.errors import SettingsError

__all__ = ["Choice", "Facts", "choose", "look", "missing_files"]

Kind = Literal["stt", "llm", "tts"]

_PREFERENCE: dict[Kind, tuple[str, ...]] = {
    "stt": ("whisper", "sphinx"),
    "llm": ("scripted",),
    "tts": ("piper", "espeak"),
}
_ROLE: dict[Kind, str] = {"stt": "recogniser", "llm": "source of answers", "tts": "voice"}

_PACKAGES: dict[str, tuple[tuple[str, str], ...]] = {
    "whisper": (("faster_whisper", "faster-whisper"), ("ctranslate2", "ctranslate2")),
    "sphinx": (("pocketsphinx", "pocketsphinx"),),
    "scripted": (),
    "piper": (("piper", "piper-tts"), ("onnxruntime", "onnxruntime")),
    "espeak": (("espeakng_loader", "espeakng-loader"),),
}
"""What each engine imports, and the name under which that is installed."""

_FALLBACK = {
    "sphinx": "pocketsphinx (embedded fallback, English menu phrases only)",
    "espeak": "eSpeak NG (embedded fallback, a robotic voice)",
}


@frozen(kw_only=True)
class Facts:
    """What a choice is made from.

    Args:
        packages: Import names of the engines' packages that are installed.
        whisper_model: The setting ``engines.whisper_model``.
        whisper_fault: Why that is no usable model; empty when it is one, or none is set.
        piper_voice: The setting ``engines.piper_voice``.
        piper_fault: Why that is no usable voice; empty when it is one, or none is set.
    """

    packages: frozenset[str]
    whisper_model: str = ""
    whisper_fault: str = ""
    piper_voice: str = ""
    piper_fault: str = ""


@frozen
class Choice:
    """One engine, and why it was taken: a clause for the banner, without a full stop."""

    kind: Kind
    engine: str
    why: str


def choose(kind: Kind, wanted: str, facts: Facts) -> Choice:
    """Choose the engine for *kind*: the one *wanted*, or for ``"auto"`` the best that *facts* allow.

    Raises:
        SettingsError: the engine wanted cannot be used, or none can; says why in one sentence.
    """
    names = _PREFERENCE[kind]
    if wanted != "auto":
        if wanted not in names:
            raise SettingsError(f"engines.{kind} is {wanted!r}; it may be auto, {' or '.join(names)}.")
        if fault := _fault(wanted, facts):
            raise SettingsError(f"engines.{kind} is {wanted!r}, but {fault}.")
        return Choice(kind, wanted, _why(wanted, facts, f"engines.{kind} asks for it"))
    faults: list[str] = []
    for name in names:
        fault = _fault(name, facts)
        if not fault:
            return Choice(kind, name, _why(name, facts, "; ".join(faults)))
        faults.append(fault)
    raise SettingsError(f"No {_ROLE[kind]} can be used: {'; '.join(faults)}.")


def _fault(engine: str, facts: Facts) -> str:
    """Say why *engine* cannot be used, or nothing."""
    for module, package in _PACKAGES[engine]:
        if module not in facts.packages:
            return f"the package {package} is not installed"
    if engine == "whisper":
        unset = "no Whisper model is set; set engines.whisper_model to a CTranslate2 model directory"
        return facts.whisper_fault if facts.whisper_model else unset
    if engine == "piper":
        unset = "no Piper voice is set; set engines.piper_voice to a voice's .onnx file"
        return facts.piper_fault if facts.piper_voice else unset
    return ""


def _why(engine: str, facts: Facts, reason: str) -> str:
    if engine == "whisper":
        return f"faster-whisper with the model in {facts.whisper_model}"
    if engine == "piper":
        return f"Piper with the voice {facts.piper_voice}"
    if engine == "scripted":
        return "scripted dialogue: answers come from the dialogue file, no language model is needed"
    return f"{_FALLBACK[engine]}: {reason}"


def look(*, whisper_model: str = "", piper_voice: str = "") -> Facts:
    """Gather what is installed and whether the files that the settings name are there; imports and loads nothing."""
    modules = {module for packages in _PACKAGES.values() for module, _ in packages}
    return Facts(
        packages=frozenset(module for module in modules if find_spec(module) is not None),
        whisper_model=whisper_model,
        whisper_fault=_whisper_fault(Path(whisper_model)) if whisper_model else "",
        piper_voice=piper_voice,
        piper_fault=_piper_fault(Path(piper_voice)) if piper_voice else "",
    )


def missing_files(model_dir: Path) -> list[str]:
    """Return the files that a CTranslate2 Whisper model needs and *model_dir* lacks."""
    missing = [name for name in ("model.bin", "config.json", "tokenizer.json") if not (model_dir / name).is_file()]
    if not any((model_dir / name).is_file() for name in ("vocabulary.json", "vocabulary.txt")):
        missing.append("vocabulary.json")
    return missing


def _whisper_fault(model_dir: Path) -> str:
    if not model_dir.is_dir():
        return f"engines.whisper_model names {model_dir}, which is no directory"
    missing = " and ".join(missing_files(model_dir))
    return f"the Whisper model in {model_dir} lacks {missing}" if missing else ""


def _piper_fault(voice_path: Path) -> str:
    for path in (voice_path, voice_path.with_name(voice_path.name + ".json")):
        if not path.is_file():
            return f"engines.piper_voice needs {path}, which is not there"
    return ""
