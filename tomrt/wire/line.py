"""What every dialect's core offers the gateway."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from tomrt.errors import MisuseError
from tomrt.events import CallInfo, Dialect, LineEvent
from tomrt.happenings import Happening
from tomrt.ports import Egress
from tomrt.wire.audio_fork import ForkCore, ForkJsonCore
from tomrt.wire.audio_stream import StreamCore
from tomrt.wire.plain import PlainCore

__all__ = ["LineCore", "Outgoing", "core_for"]

Outgoing = bytes | str
"""One WebSocket message: bytes are a binary one, text is a text one."""


class LineCore(Protocol):
    """One call's protocol core; it neither waits nor looks at a clock."""

    @property
    def egress(self) -> Egress:
        """What the line does with our audio."""
        ...

    def open(self) -> list[Outgoing]:
        """Return what is sent first."""
        ...

    def receive_binary(self, data: bytes) -> list[LineEvent]:
        """Take one binary message."""
        ...

    def receive_text(self, text: str) -> list[LineEvent]:
        """Take one text message, whatever it is; never raises."""
        ...

    def send_audio(self, pcm: bytes, mark: str | None = None) -> list[Outgoing]:
        """Return the messages that carry *pcm* (mono, line rate, whole samples), with *mark* in front of it."""
        ...

    def flush(self) -> list[Outgoing]:
        """Return what makes the far end throw away what it has not played."""
        ...

    def notify(self, happening: Happening) -> list[Outgoing]:
        """Return what the dialect has to say about *happening*."""
        ...

    def hang_up(self, reason: str) -> list[Outgoing]:
        """Return what is said before the connection is closed."""
        ...


def core_for(info: CallInfo, *, channels: int, count: Callable[[str], None]) -> LineCore:
    """Return the core of the dialect that *info* names.

    Args:
        info: What is known of the call.
        channels: 1, or 2 when the peer sends the caller left and the callee right.
        count: Called with a word for each thing that was ignored or dropped.

    Raises:
        MisuseError: the dialect is none of a WebSocket.
    """
    match info.dialect:
        case Dialect.PLAIN:
            return PlainCore(info, channels=channels, count=count)
        case Dialect.FORK:
            return ForkCore(info, channels=channels, count=count)
        case Dialect.FORK_JSON:
            return ForkJsonCore(info, channels=channels, count=count)
        case Dialect.STREAM:
            return StreamCore(info, channels=channels, count=count)
        case Dialect.UNICAST | Dialect.RTP:
            raise MisuseError(f"{info.dialect.value} comes in packets, not over a WebSocket")
