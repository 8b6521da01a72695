"""The text of the event socket as FreeSWITCH writes and reads it: commands in, messages out."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import quote

from attrs import define, field, frozen

__all__ = ["GOODBYE", "Command", "CommandReader", "Event", "api_response", "channel_block", "message", "reply"]

GOODBYE = "Disconnected, goodbye.\nSee you at ClueCon! http://www.cluecon.com/\n"
"""Body of the notice before the end, 67 bytes."""


@frozen
class Command:
    """One command as it came: its first line, the header lines behind it, the body they announce."""

    line: str
    headers: Mapping[str, str]
    raw: str
    body: str = ""

    @property
    def word(self) -> str:
        """The first word, in small letters."""
        return self.line.split(" ", 1)[0].lower()

    @property
    def rest(self) -> str:
        """What stands behind the first word."""
        return self.line.partition(" ")[2]

    def get(self, name: str, default: str = "") -> str:
        """Return a header, its name in any spelling."""
        return self.headers.get(name.lower(), default)


@define
class CommandReader:
    """Cuts what the server sends into commands; empty lines between them are skipped, as FreeSWITCH does."""

    _buffer: bytes = b""

    def feed(self, data: bytes) -> list[Command]:
        """Take *data* and return the commands that are complete."""
        self._buffer += data
        found = []
        while (command := self._next()) is not None:
            found.append(command)
        return found

    def _next(self) -> Command | None:
        self._buffer = self._buffer.lstrip(b"\r\n")
        head, gap, rest = self._buffer.replace(b"\r\n", b"\n").partition(b"\n\n")
        if not gap:
            return None
        first, *lines = head.decode("utf-8", "replace").split("\n")
        headers = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        length = int(headers.get("content-length", "0") or 0)
        if len(rest) < length:
            return None
        body, self._buffer = rest[:length], rest[length:]
        return Command(first.strip(), headers, head.decode("utf-8", "replace"), body.decode("utf-8", "replace"))


@frozen
class Event:
    """An event before it is written down: plain values, in order."""

    name: str
    headers: Mapping[str, str] = field(factory=dict)
    body: str = ""

    def get(self, name: str, default: str = "") -> str:
        """Return a header."""
        return self.headers.get(name, default)

    def serialise(self) -> bytes:
        """Return it as a ``text/event-plain`` message: headers within a body, with a second length for its own body."""
        lines = [f"Event-Name: {self.name}"]
        lines += [f"{name}: {encoded(value)}" for name, value in self.headers.items()]
        body = self.body.encode()
        if body:
            lines.append(f"Content-Length: {len(body)}")
        inner = "\n".join([*lines, "", ""]).encode() + body
        return f"Content-Length: {len(inner)}\nContent-Type: text/event-plain\n\n".encode() + inner


def encoded(value: str) -> str:
    """Return *value* as FreeSWITCH %-encodes header values."""
    return quote(value, safe="!$'()*,-./_~")


def message(content_type: str, headers: Mapping[str, str] | None = None, body: str | None = None) -> bytes:
    """Return a message; its length stands in it when there is a body, even an empty one."""
    lines = [f"Content-Type: {content_type}", *(f"{name}: {value}" for name, value in (headers or {}).items())]
    data = (body or "").encode()
    if body is not None:
        lines.append(f"Content-Length: {len(data)}")
    return "\n".join([*lines, "", ""]).encode() + data


def reply(text: str, **headers: str) -> bytes:
    """Return the reply to a command; underscores in header names stand for dashes."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return message("command/reply", {"Reply-Text": text, **named})


def api_response(body: str) -> bytes:
    """Return the reply to ``api``."""
    return message("api/response", body=body or "-ERR no reply\n")


def channel_block(headers: Mapping[str, str], modes: str) -> bytes:
    """Return the reply to ``connect``: one block without a length, every value %-encoded, its own status too."""
    said = {
        "Event-Name": "CHANNEL_DATA",
        **headers,
        "Content-Type": "command/reply",
        "Reply-Text": "+OK\n",
        "Socket-Mode": "async" if "async" in modes else "static",
        "Control": "full" if "full" in modes else "single-channel",
    }
    return "\n".join([*(f"{name}: {encoded(value)}" for name, value in said.items()), "", ""]).encode()
