"""``mod_audio_fork``, as observed on the wire of its two builds.

The jambonz build with its bidirectional stream on (``ForkCore``) plays raw audio itself, through a pre-buffer of
160 ms (80 ms on a 16 kHz call) that it empties in steps of half of that; it reports marks and knows ``killAudio``.
The drachtio build (``ForkJsonCore``) takes speech as ``playAudio`` JSON, writes a file, and leaves playing it to the
operator's script.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from tomrt.errors import MisuseError
from tomrt.events import CallInfo, LineEvent, LineMark
from tomrt.happenings import ActionRequested, Happening
from tomrt.ports import Egress
from tomrt.wire.file_line import FileCore
from tomrt.wire.ingress import Ingress
from tomrt.wire.json import dumps

__all__ = ["MAX_MARKS", "SUBPROTOCOL", "ForkCore", "ForkJsonCore"]

SUBPROTOCOL = "audio.drachtio.org"
MAX_MARKS = 30
"""The module keeps no more marks than this."""

_KILL_AUDIO = '{"type":"killAudio"}'


class ForkCore:
    """The bidirectional build: raw audio both ways.

    Args:
        info: What is known of the call.
        channels: Channels of the switch's audio, 1 or 2.
        count: Called with a word for each thing that was ignored or dropped; besides those of the ingress
            ``mark_dropped`` (30 were outstanding) and ``mark_unknown``.
    """

    egress = Egress(
        lead_s=0.2,
        start_delay_s=0.05,  # 0 to 100 ms after a first burst that fills the pre-buffer at once; marks tell exactly
        tail_pad_s=0.16,
        flush_on_yield=True,
        marks=True,
    )

    def __init__(self, info: CallInfo, *, channels: int, count: Callable[[str], None]) -> None:  # noqa: ARG002 - all cores are made alike
        self._count = count
        self._ingress = Ingress(channels=channels, count=count)
        self._outstanding: dict[str, None] = {}
        self._flushed: dict[str, None] = {}

    def open(self) -> list[bytes | str]:
        """Return nothing: the module expects no greeting."""
        return []

    def receive_binary(self, data: bytes) -> list[LineEvent]:
        """Take one frame of audio."""
        return self._ingress.receive_binary(data)

    def receive_text(self, text: str) -> list[LineEvent]:
        """Take a mark report, a forwarded key press, metadata, or anything else, counted."""
        message = self._ingress.read_text(text)
        if message is None:
            return []
        if message.get("type") == "mark":
            return self._report(message.get("data"))
        return self._ingress.receive_object(message)

    def send_audio(self, pcm: bytes, mark: str | None = None) -> list[bytes | str]:
        """Return *pcm* as one binary message, with *mark* in front of it unless 30 are outstanding.

        While marks are outstanding the module takes samples of value -1 for marks, so none of them is ever sent: they
        go out as 0, which nobody hears. A mark without audio behind it would never be reported, so none is sent.
        """
        if not pcm:
            return []
        audio = _without_minus_one(pcm)
        if mark is None:
            return [audio]
        if len(self._outstanding) >= MAX_MARKS:
            self._count("mark_dropped")
            return [audio]
        self._outstanding[mark] = None
        return [dumps({"type": "mark", "data": {"name": mark}}), audio]

    def flush(self) -> list[bytes | str]:
        """Throw away what the module has queued; it then reports the marks in it as cleared."""
        self._flushed = dict.fromkeys([*self._flushed, *self._outstanding][-MAX_MARKS:])
        self._outstanding.clear()
        return [_KILL_AUDIO]

    def notify(self, happening: Happening) -> list[bytes | str]:
        """Return the ``transfer`` message for a transfer, which the operator's script acts upon."""
        return _transfer(happening)

    def hang_up(self, reason: str) -> list[bytes | str]:  # noqa: ARG002 - the module has no words for it
        """Return nothing: closing the connection is all that the module understands."""
        return []

    def _report(self, data: object) -> list[LineEvent]:
        name = data.get("name") if isinstance(data, dict) else None
        what = data.get("event") if isinstance(data, dict) else None
        if not isinstance(name, str) or what not in {"playout", "cleared"}:
            self._count("mark_unknown")
            return []
        if name in self._flushed:
            del self._flushed[name]
        elif name in self._outstanding:
            self._forget_until(name)
        else:
            self._count("mark_unknown")
            return []
        return [LineMark(name, cleared=what == "cleared")]

    def _forget_until(self, name: str) -> None:
        # Reports come in the order of the marks; one that was passed over would hold its place for ever.
        while self._outstanding:
            oldest = next(iter(self._outstanding))
            del self._outstanding[oldest]
            if oldest == name:
                return


class ForkJsonCore(FileCore):
    """The one-way build: each sentence goes back as ``playAudio``, and ``killAudio`` breaks the one that is playing."""

    egress = Egress(whole_sentences=True, start_delay_s=0.02, lead_s=0.1, flush_on_yield=True)

    def file_message(self, content: str) -> dict[str, object]:
        """Return a ``playAudio``; the content type always stands in it: without it the switch crashes."""
        data = {
            "audioContentType": "raw",
            "sampleRate": self.rate_hz,
            "audioContent": content,
            "textContent": "",
        }
        return {"type": "playAudio", "data": data}

    def flush(self) -> list[bytes | str]:
        """Break the file that is being played."""
        return [_KILL_AUDIO]

    def notify(self, happening: Happening) -> list[bytes | str]:
        """Return the ``transfer`` message for a transfer, which the operator's script acts upon."""
        return _transfer(happening)


def _transfer(happening: Happening) -> list[bytes | str]:
    if isinstance(happening, ActionRequested) and happening.action.name == "transfer":
        return [dumps({"type": "transfer", "data": dict(happening.action.arguments)})]
    return []


def _without_minus_one(pcm: bytes) -> bytes:
    if len(pcm) % 2:
        raise MisuseError("audio to send must be whole 16-bit samples")
    if b"\xff\xff" not in pcm:
        return pcm
    samples = np.frombuffer(pcm, dtype="<i2")
    return np.where(samples == -1, np.int16(0), samples).astype("<i2").tobytes()
