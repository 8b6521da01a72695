"""``mod_audio_stream``, community edition, as observed on the wire: one-way audio, speech back as files."""

from __future__ import annotations

from tomrt.happenings import Happening
from tomrt.ports import Egress
from tomrt.wire.file_line import FileCore

__all__ = ["StreamCore"]


class StreamCore(FileCore):
    """Speech goes back as ``streamAudio``, in short files: there is no verb that stops one, no mark, no transfer."""

    egress = Egress(whole_sentences=True, start_delay_s=0.02, lead_s=0.1, longest_file_s=2.5)

    def file_message(self, content: str) -> dict[str, object]:
        """Return a ``streamAudio``: the module writes a file and the operator's script plays it."""
        data = {"audioDataType": "raw", "sampleRate": self.rate_hz, "audioData": content}
        return {"type": "streamAudio", "data": data}

    def flush(self) -> list[bytes | str]:
        """Return nothing: the module has no such verb; the operator's script breaks the file (``uuid_break``)."""
        return []

    def notify(self, happening: Happening) -> list[bytes | str]:  # noqa: ARG002 - the module has no words for it
        """Return nothing: the module passes unknown texts on as events, and nobody asked for them."""
        return []
