"""Summaries for agents, as files that the switch can read and that do not stay."""

import stat

import pytest
import trio

from tomrt.audio import read_wav
from tomrt.engines.espeak import Espeak
from tomrt.errors import SwitchError
from tomrt.gateway.spoken_files import SpokenFiles


@pytest.fixture
async def voice():
    espeak = Espeak()
    yield espeak
    await espeak.aclose()


async def test_a_text_becomes_a_file_that_is_gone_in_the_end(voice, tmp_path):
    """What is written is the voice's sound, readable by the switch's user under a name nobody can guess."""
    files = SpokenFiles(voice, str(tmp_path))
    first, second = await files.speak("one"), await files.speak("two words more")
    assert first != second
    assert read_wav(second).seconds > read_wav(first).seconds > 0.1
    assert stat.S_IMODE(first.stat().st_mode) == 0o644
    assert stat.S_IMODE(first.parent.stat().st_mode) == 0o711
    await files.remove()
    assert list(tmp_path.iterdir()) == []
    await files.remove()


async def test_a_folder_that_cannot_be_written_is_told(voice, tmp_path):
    """The reason comes as an error of the transfer, in one sentence."""
    files = SpokenFiles(voice, str(tmp_path / "nowhere"))
    with pytest.raises(SwitchError, match="cannot be written for the agent: No such file or directory"):
        await files.speak("one")
    with trio.fail_after(1):
        await files.remove()
