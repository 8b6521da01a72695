"""What an event of FreeSWITCH says: its headers, decoded one by one, and the body that some of them have."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import unquote

from attrs import field, frozen

from tomrt.errors import ProtocolError
from tomrt.wire.esl import EslMessage, HeaderLines

__all__ = ["CALL_EVENTS", "MODULE_EVENTS", "EslEvent", "read_channel", "read_event"]

CALL_EVENTS = (
    "CHANNEL_ANSWER",
    "CHANNEL_BRIDGE",
    "CHANNEL_UNBRIDGE",
    "CHANNEL_EXECUTE_COMPLETE",
    "CHANNEL_HANGUP",
    "CHANNEL_HANGUP_COMPLETE",
    "DTMF",
    "PLAYBACK_START",
    "PLAYBACK_STOP",
    "BACKGROUND_JOB",
)
"""What the control of a call listens to."""

MODULE_EVENTS = (
    "mod_audio_fork::connect",
    "mod_audio_fork::connect_failed",
    "mod_audio_fork::disconnect",
    "mod_audio_fork::buffer_overrun",
    "mod_audio_fork::play_audio",
    "mod_audio_fork::kill_audio",
    "mod_audio_stream::connect",
    "mod_audio_stream::disconnect",
    "mod_audio_stream::error",
    "mod_audio_stream::play",
)
"""The same of the modules that carry audio."""


@frozen(kw_only=True)
class EslEvent:
    """One event.

    Args:
        name: As ``"CHANNEL_ANSWER"``; ``"CUSTOM"`` for those of modules.
        subclass: Which one of a module's, as ``"mod_audio_fork::play_audio"``.
        uuid: The channel it happened on; ``""`` where it is about none.
        headers: Decoded values by name. Not shown, because they tell who calls.
        body: Text that came with it, not shown either.
    """

    name: str
    subclass: str = ""
    uuid: str = ""
    headers: Mapping[str, str] = field(repr=lambda headers: f"<{len(headers)} headers>")
    body: str = field(default="", repr=lambda body: f"<{len(body)} characters>")

    def get(self, name: str, default: str = "") -> str:
        """Return a header's value, *default* where there is none."""
        return self.headers.get(name, default)

    def variable(self, name: str) -> str:
        """Return a channel variable, ``""`` where it is not set."""
        return self.headers.get(f"variable_{name}", "")


def read_event(message: EslMessage) -> EslEvent:
    """Read the event in the body of *message*.

    Raises:
        ProtocolError: it holds none (its type is not ``text/event-plain``), or a broken one.
    """
    if message.content_type != "text/event-plain":
        raise ProtocolError("the event socket message is no plain event")
    lines, rest = _part(message.body)
    event = _event(lines.headers)
    if not event.name:
        raise ProtocolError("an event has no name")
    return event if lines.length is None else _with_body(event, rest, lines.length)


def read_channel(message: EslMessage) -> EslEvent:
    """Read the reply to ``connect``: all that is known of the channel, in one block of encoded headers.

    Raises:
        ProtocolError: *message* is not that reply, or FreeSWITCH refused.
    """
    if message.content_type != "command/reply" or not message.reply_text.startswith("+OK"):
        raise ProtocolError("FreeSWITCH did not answer connect with a channel")
    event = _event(message.headers)
    if event.name != "CHANNEL_DATA" or not event.uuid:
        raise ProtocolError("the reply to connect names no channel")
    return event


def _part(data: bytes) -> tuple[HeaderLines, bytes]:
    """Return the header lines of *data* and what follows the empty line."""
    lines, start = HeaderLines(), 0
    while start < len(data):
        end = data.find(b"\n", start)
        end = len(data) if end < 0 else end
        line, start = data[start:end].removesuffix(b"\r"), end + 1
        if not line:
            break
        lines.take(line)
    return lines, data[start:]


def _event(encoded: Mapping[str, str]) -> EslEvent:
    headers = {name: unquote(value) for name, value in encoded.items()}
    return EslEvent(
        name=headers.get("Event-Name", ""),
        subclass=headers.get("Event-Subclass", ""),
        uuid=headers.get("Unique-ID", ""),
        headers=headers,
    )


def _with_body(event: EslEvent, rest: bytes, length: int) -> EslEvent:
    if length > len(rest):
        raise ProtocolError("an event is shorter than it says")
    body = rest[:length].decode("utf-8", "replace")
    return EslEvent(name=event.name, subclass=event.subclass, uuid=event.uuid, headers=event.headers, body=body)
