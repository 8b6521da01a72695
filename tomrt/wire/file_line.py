"""What the one-way modules have in common: speech goes back as files in JSON, which the operator's script plays."""

from __future__ import annotations

from abc import ABC, abstractmethod
from base64 import b64encode
from collections.abc import Callable

from tomrt.errors import MisuseError
from tomrt.events import CallInfo, LineEvent
from tomrt.happenings import Happening
from tomrt.ports import Egress
from tomrt.wire.ingress import Ingress
from tomrt.wire.json import dumps

__all__ = ["FileCore"]

MAX_FILE_BYTES = 480_000
"""Audio of one message: 640 kB as base64, what the modules were seen to take in one frame and in several."""


class FileCore(ABC):
    """A line whose far end plays files.

    Args:
        info: What is known of the call.
        channels: Channels of the switch's audio, 1 or 2.
        count: Called with a word for each thing that was ignored or dropped.
    """

    egress: Egress

    def __init__(self, info: CallInfo, *, channels: int, count: Callable[[str], None]) -> None:
        self.rate_hz = info.rate_hz
        self._ingress = Ingress(channels=channels, count=count)

    @abstractmethod
    def file_message(self, content: str) -> dict[str, object]:
        """Return the module's message for a file with *content*, base64 of 16-bit samples at ``rate_hz``."""

    @abstractmethod
    def flush(self) -> list[bytes | str]:
        """Return what stops the file that is being played, if the module has a verb for it."""

    @abstractmethod
    def notify(self, happening: Happening) -> list[bytes | str]:
        """Return what the module has to be told of *happening*."""

    def open(self) -> list[bytes | str]:
        """Return nothing: the module expects no greeting."""
        return []

    def receive_binary(self, data: bytes) -> list[LineEvent]:
        """Take one frame of audio."""
        return self._ingress.receive_binary(data)

    def receive_text(self, text: str) -> list[LineEvent]:
        """Take a forwarded key press, metadata, or anything else, counted."""
        message = self._ingress.read_text(text)
        return [] if message is None else self._ingress.receive_object(message)

    def send_audio(self, pcm: bytes, mark: str | None = None) -> list[bytes | str]:  # noqa: ARG002 - has no marks
        """Return *pcm* as one message, or as several where it is too long for one.

        Raises:
            MisuseError: *pcm* ends within a sample.
        """
        if len(pcm) % 2:
            raise MisuseError("audio to send must be whole 16-bit samples")
        files = [pcm[start : start + MAX_FILE_BYTES] for start in range(0, len(pcm), MAX_FILE_BYTES)]
        return [dumps(self.file_message(b64encode(file).decode("ascii"))) for file in files]

    def hang_up(self, reason: str) -> list[bytes | str]:  # noqa: ARG002 - the module has no words for it
        """Return nothing: closing the connection is all that the module understands."""
        return []
