from __future__ import annotations

import subprocess
import sys

import pytest
from attrs import evolve

from tomrt.engines.models import Facts, choose, look
from tomrt.errors import SettingsError

ALL = frozenset({"faster_whisper", "ctranslate2", "pocketsphinx", "piper", "onnxruntime", "espeakng_loader"})
BARE = Facts(packages=ALL)
FULL = Facts(packages=ALL, whisper_model="/m", piper_voice="/v.onnx")


def test_bare_machine_gets_the_embedded_engines():
    """With no model set, auto takes the fallbacks, says what they are and how to get better ones."""
    recogniser = choose("stt", "auto", BARE)
    assert recogniser.engine == "sphinx"
    assert recogniser.why == (
        "pocketsphinx (embedded fallback, English menu phrases only): no Whisper model is set; "
        "set engines.whisper_model to a CTranslate2 model directory"
    )
    voice = choose("tts", "auto", BARE)
    assert voice.engine == "espeak"
    assert voice.why.endswith("no Piper voice is set; set engines.piper_voice to a voice's .onnx file")
    assert choose("llm", "auto", BARE).engine == "scripted"


def test_models_that_are_there_are_taken():
    """With usable models set, auto takes the engines that run them and names the files."""
    assert choose("stt", "auto", FULL).engine == "whisper"
    assert choose("stt", "auto", FULL).why == "faster-whisper with the model in /m"
    assert choose("tts", "auto", FULL).engine == "piper"
    assert choose("tts", "auto", FULL).why == "Piper with the voice /v.onnx"


def test_auto_says_why_a_set_model_is_not_used():
    """A model that is set but unusable is passed over by auto, and the reason is told."""
    choice = choose("stt", "auto", evolve(FULL, whisper_fault="the Whisper model in /m lacks model.bin"))
    assert choice.engine == "sphinx"
    assert choice.why.endswith("the Whisper model in /m lacks model.bin")


def test_explicit_choice():
    """An engine asked for by name is taken although a better one is there."""
    choice = choose("tts", "espeak", FULL)
    assert choice.engine == "espeak"
    assert choice.why.endswith("engines.tts asks for it")


@pytest.mark.parametrize(
    ("kind", "wanted", "facts", "fault"),
    [
        ("stt", "whisper", BARE, "engines.stt is 'whisper', but no Whisper model is set"),
        ("stt", "whisper", evolve(FULL, packages=ALL - {"ctranslate2"}), "the package ctranslate2 is not installed"),
        ("tts", "piper", evolve(FULL, piper_fault="it is gone"), "engines.tts is 'piper', but it is gone"),
        ("tts", "espeak", evolve(FULL, packages=frozenset()), "the package espeakng-loader is not installed"),
        ("stt", "siri", FULL, "engines.stt is 'siri'; it may be auto, whisper or sphinx"),
        ("stt", "auto", Facts(packages=frozenset()), "No recogniser can be used: the package faster-whisper is not"),
    ],
)
def test_unusable_choice(kind, wanted, facts, fault):
    """An engine that cannot be used is one sentence that says what is wrong."""
    with pytest.raises(SettingsError) as caught:
        choose(kind, wanted, facts)
    assert len(caught.value.faults) == 1
    assert fault in caught.value.faults[0]
    assert caught.value.faults[0].endswith(".")


def test_look_at_files(tmp_path):
    """What the settings name is looked at, and the first missing file is told."""
    assert look().whisper_fault == look().piper_fault == ""
    assert "which is no directory" in look(whisper_model=str(tmp_path / "none")).whisper_fault
    for name in ("model.bin", "config.json", "tokenizer.json"):
        (tmp_path / name).touch()
    assert look(whisper_model=str(tmp_path)).whisper_fault.endswith("lacks vocabulary.json")
    (tmp_path / "vocabulary.txt").touch()
    assert look(whisper_model=str(tmp_path)).whisper_fault == ""
    voice = tmp_path / "v.onnx"
    assert f"needs {voice}, which" in look(piper_voice=str(voice)).piper_fault
    voice.touch()
    assert f"needs {voice}.json, which" in look(piper_voice=str(voice)).piper_fault
    (tmp_path / "v.onnx.json").touch()
    assert look(piper_voice=str(voice)).piper_fault == ""


def test_looking_imports_no_engine():
    """Looking what is installed does not load it."""
    code = (
        "import sys; from tomrt.engines.models import look; packages = look().packages; "
        "print(sorted(packages & set(sys.modules)))"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"
