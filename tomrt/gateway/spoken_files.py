"""What an agent is told of a caller, spoken into files that FreeSWITCH plays and that are gone when the call is."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

import trio
from attrs import define, field

from tomrt.audio import write_wav
from tomrt.errors import SwitchError
from tomrt.events import Voice, WordStart
from tomrt.ports import TextToSpeech

__all__ = ["SpokenFiles"]

READABLE, PASSABLE = 0o644, 0o711
"""FreeSWITCH is another user as a rule. The folder can be passed and not listed, and its name cannot be guessed."""


@define(eq=False)
class SpokenFiles:
    """Speaks texts into files, one call's.

    Args:
        voice: Speaks.
        folder: Where files are made; ``""`` for the temporary folder.
    """

    voice: TextToSpeech
    folder: str = ""
    _own: Path | None = field(default=None, init=False)
    _made: int = field(default=0, init=False)

    async def speak(self, text: str) -> Path:
        """Return a WAV file in which *text* is said.

        Raises:
            EngineError: the voice failed.
            SwitchError: the file cannot be written.
        """
        pcm, rate_hz = await self._samples(text)
        self._made += 1
        try:
            return await trio.to_thread.run_sync(self._write, f"{self._made}.wav", pcm, rate_hz)
        except OSError as error:
            raise SwitchError(f"a summary cannot be written for the agent: {error.strerror}") from error

    async def remove(self) -> None:
        """Remove all of them."""
        if self._own is not None:
            await trio.to_thread.run_sync(shutil.rmtree, self._own, True)

    async def _samples(self, text: str) -> tuple[bytes, int]:
        send, receive = trio.open_memory_channel[Voice | WordStart](float("inf"))
        async with send, receive:
            await self.voice.speak(text, send)
            send.close()
            voices = [item async for item in receive if isinstance(item, Voice)]
        return b"".join(voice.pcm for voice in voices), voices[0].rate_hz if voices else 8000

    def _write(self, name: str, pcm: bytes, rate_hz: int) -> Path:
        if self._own is None:
            self._own = Path(tempfile.mkdtemp(prefix="tomrt-", dir=self.folder or None))
            self._own.chmod(PASSABLE)
        path = self._own / name
        write_wav(path, pcm, rate_hz)
        path.chmod(READABLE)
        return path
