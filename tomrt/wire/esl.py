"""FreeSWITCH's event socket, bytes to messages: header lines, an empty line, and a body where a length is given.

Rule 1: lines are parted before anything is decoded. Values stay percent-encoded here (``esl_event`` decodes each one by
itself), so nothing that a caller puts into a name or a number can become a line of its own.

Rule 2: what was fed in which pieces makes no difference, and each byte is looked at once.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import unquote

from attrs import define, field, frozen

from tomrt.errors import ProtocolError

__all__ = ["MAX_HEADERS", "MAX_MESSAGE_BYTES", "EslMessage", "EslReader", "HeaderLines"]

MAX_MESSAGE_BYTES = 1 << 20
"""Head and body of one message; FreeSWITCH's own buffer for a command is just below this."""
MAX_HEADERS = 1_000
"""In one message; a channel with many variables has some 300."""

_LENGTH = re.compile(r"[0-9]{1,9}\Z")


@frozen(kw_only=True)
class EslMessage:
    """One message as it came.

    Args:
        headers: Values by name as on the wire, without the one space after the colon and not decoded; where a header
            came twice, the first one. Not shown, because channel variables tell who calls.
        body: As many bytes as ``Content-Length`` said.
    """

    headers: Mapping[str, str] = field(repr=lambda headers: f"<{len(headers)} headers>")
    body: bytes = field(default=b"", repr=lambda body: f"<{len(body)} bytes>")

    @property
    def content_type(self) -> str:
        """What kind of message it is, as ``command/reply``; ``""`` for none."""
        return unquote(self.headers.get("Content-Type", ""))

    @property
    def reply_text(self) -> str:
        """What FreeSWITCH answered, as ``+OK``; decoded in the reply to ``connect``, which alone is encoded."""
        text = self.headers.get("Reply-Text", "")
        return unquote(text).rstrip("\r\n") if "Event-Name" in self.headers else text


@define
class HeaderLines:
    """Collects the header lines of one block: the head of a message, or that of an event within a body."""

    headers: dict[str, str] = field(factory=dict, init=False)
    length: int | None = field(default=None, init=False)
    """What ``Content-Length`` says, where it was there."""
    _lines: int = field(default=0, init=False)

    def take(self, line: bytes) -> None:
        """Take one line, without its line end.

        Raises:
            ProtocolError: it is no header, one too many, or a wrong length.
        """
        self._lines += 1
        if self._lines > MAX_HEADERS:
            raise ProtocolError(f"an event socket message has more than {MAX_HEADERS} headers")
        if b"\0" in line:
            raise ProtocolError("an event socket header holds a NUL")
        name, colon, value = line.decode("utf-8", "replace").partition(":")
        if not colon or not name:
            raise ProtocolError("an event socket message has a line that is no header")
        value = value.removeprefix(" ")
        if name.lower() == "content-length":
            self._take_length(value)
        self.headers.setdefault(name, value)

    def _take_length(self, value: str) -> None:
        if _LENGTH.match(value) is None or int(value) > MAX_MESSAGE_BYTES:
            raise ProtocolError(f"Content-Length is not a number of 0 to {MAX_MESSAGE_BYTES} bytes")
        if self.length not in {None, int(value)}:
            raise ProtocolError("an event socket message has two different lengths")
        self.length = int(value)


class EslReader:
    """Makes messages of a stream of bytes.

    Holds at most one message that is not yet complete, so never more than ``MAX_MESSAGE_BYTES`` and the last feed.
    """

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._fault: ProtocolError | None = None
        self._begin()

    @property
    def fault(self) -> ProtocolError | None:
        """What was wrong with the bytes; after that nothing is read any more."""
        return self._fault

    def feed(self, data: bytes) -> list[EslMessage]:
        """Take the next bytes and return the messages that are complete now.

        Where messages are followed by a fault within the same bytes, they are returned, and the next call raises; until
        then :attr:`fault` tells.

        Raises:
            ProtocolError: the bytes are no event socket messages; from then on every call raises.
        """
        if self._fault is not None:
            raise self._fault
        self._buffer += data
        messages: list[EslMessage] = []
        try:
            while (message := self._next()) is not None:
                messages.append(message)
        except ProtocolError as error:
            self._fault = error
            self._buffer.clear()
            if not messages:
                raise
            return messages
        self._drop_what_was_read()
        return messages

    def close(self) -> None:
        """Take note that the stream has ended.

        Raises:
            ProtocolError: within a message, or after a fault.
        """
        if self._fault is None and (self._buffer or self._head_bytes):
            self._fault = ProtocolError("the event socket connection ended within a message")
        if self._fault is not None:
            raise self._fault

    def _begin(self) -> None:
        self._lines = HeaderLines()
        self._head_bytes = 0  # of lines taken, with their ends
        self._head_done = False
        self._start = getattr(self, "_start", 0)  # of what is not yet read, within the buffer
        self._searched = self._start  # no line end lies before this

    def _next(self) -> EslMessage | None:
        while not self._head_done:
            if not self._head_bytes:
                self._skip_empty_lines()
            end = self._buffer.find(b"\n", self._searched)
            if self._head_bytes + (len(self._buffer) if end < 0 else end + 1) - self._start > MAX_MESSAGE_BYTES:
                raise ProtocolError(f"an event socket message is longer than {MAX_MESSAGE_BYTES} bytes")
            if end < 0:
                self._searched = len(self._buffer)
                return None
            self._take_line(end)
        return self._body()

    def _skip_empty_lines(self) -> None:
        """Skip what FreeSWITCH sends between messages, as after the reply to ``connect``."""
        while self._start < len(self._buffer) and self._buffer[self._start] in b"\r\n":
            self._start += 1
        self._searched = max(self._searched, self._start)

    def _take_line(self, end: int) -> None:
        line = bytes(self._buffer[self._start : end]).removesuffix(b"\r")
        self._head_bytes += end + 1 - self._start
        self._start = self._searched = end + 1
        if line:
            self._lines.take(line)
            return
        self._head_done = True
        if self._head_bytes + (self._lines.length or 0) > MAX_MESSAGE_BYTES:
            raise ProtocolError(f"an event socket message is longer than {MAX_MESSAGE_BYTES} bytes")

    def _body(self) -> EslMessage | None:
        end = self._start + (self._lines.length or 0)
        if end > len(self._buffer):
            return None
        message = EslMessage(headers=self._lines.headers, body=bytes(self._buffer[self._start : end]))
        self._start = end
        self._begin()
        return message

    def _drop_what_was_read(self) -> None:
        del self._buffer[: self._start]
        self._searched -= self._start
        self._start = 0
