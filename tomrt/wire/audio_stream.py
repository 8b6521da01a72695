"""``mod_audio_stream``, community edition, as observed on the wire: one-way audio, speech back as files."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable

from tomrt.events import CallInfo, Happening, LineEvent
from tomrt.ports import Egress
from tomrt.wire.audio_fork import pieces
from tomrt.wire.ingress import Ingress
from tomrt.wire.json import dumps

__all__ = ["StreamCore"]


class StreamCore:
    """Each sentence goes back as ``streamAudio``; there is no verb that stops it, no mark, no transfer.

    Args:
        info: What is known of the call.
        channels: Channels of the switch's audio, 1 or 2.
        count: Called with a word for each thing that was ignored or dropped.
    """

    egress = Egress(whole_sentences=True, start_delay_s=0.02, lead_s=0.1, longest_file_s=2.5)

    def __init__(self, info: CallInfo, *, channels: int, count: Callable[[str], None]) -> None:
        self._rate_hz = info.rate_hz
        self._ingress = Ingress(channels=channels, count=count)

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
        """Return *pcm* as ``streamAudio``: the module writes a file and the operator's script plays it."""
        return [
            dumps(
                {
                    "type": "streamAudio",
                    "data": {
                        "audioDataType": "raw",
                        "sampleRate": self._rate_hz,
                        "audioData": b64encode(piece).decode("ascii"),
                    },
                }
            )
            for piece in pieces(pcm)
        ]

    def flush(self) -> list[bytes | str]:
        """Return nothing: the module has no such verb; the operator's script breaks the file (``uuid_break``)."""
        return []

    def notify(self, happening: Happening) -> list[bytes | str]:  # noqa: ARG002 - the module has no words for it
        """Return nothing: the module passes unknown texts on as events, and nobody asked for them."""
        return []

    def hang_up(self, reason: str) -> list[bytes | str]:  # noqa: ARG002 - the module has no words for it
        """Return nothing: closing the connection is all that the module understands."""
        return []
