"""The head of an HTTP/1.1 request, read strictly before any library sees a byte of it.

Stricter than RFC 9112 asks: printable ASCII only, no folded lines, exactly one ``Host``, origin-form targets. What a
lenient reader repairs is what the readers behind it disagree about.
"""

from __future__ import annotations

import re

from attrs import field, frozen

from tomrt.gateway.refusal import Refusal

__all__ = ["MAX_HEADERS", "MAX_HEAD_BYTES", "MAX_TARGET_BYTES", "Head", "HeadBuffer", "parse_head"]

MAX_HEAD_BYTES = 8192
MAX_HEADERS = 100
MAX_TARGET_BYTES = 4096

_END = b"\r\n\r\n"
# A carriage return at the very end may still get its line feed.
_ILLEGAL = re.compile(rb"[^\t\r\n\x20-\x7e]|(?<!\r)\n|\r(?!\n|\Z)")
_REQUEST_LINE = re.compile(r"([!#$%&'*+.^_`|~0-9A-Za-z-]{1,32}) (\S+) (\S+)\Z")
_HEADER_LINE = re.compile(r"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*(.*?)[ \t]*\Z")


@frozen(kw_only=True)
class Head:
    """One request head.

    Args:
        method: As sent, for example ``GET``.
        path: The target up to the question mark, as sent; begins with ``/``.
        query: The target after the question mark, as sent.
        headers: Name in lower case and value, in order.
        raw: The bytes themselves, the empty line included.
    """

    method: str
    path: str
    query: str = field(default="", repr=False)
    headers: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    raw: bytes = field(default=b"", repr=False)

    def values(self, name: str) -> list[str]:
        """Return all values of header *name* (lower case)."""
        return [value for found, value in self.headers if found == name]

    def tokens(self, name: str) -> list[str]:
        """Return the comma-separated parts of header *name*, of all its lines."""
        parts = [part.strip(" \t") for value in self.values(name) for part in value.split(",")]
        return [part for part in parts if part]


class HeadBuffer:
    """Collects bytes until a head is complete, and keeps what came after it."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._seen = 0

    def __len__(self) -> int:
        return len(self._buffer)

    def feed(self, data: bytes) -> Head | None:
        """Take the peer's next bytes (none, to look at what is left) and return the head once it is whole.

        Raises:
            Refusal: it cannot become a head that we take.
        """
        self._buffer += data
        start = max(self._seen - len(_END) + 1, 0)
        end = self._buffer.find(_END, start, MAX_HEAD_BYTES)
        head = bytes(self._buffer[: end + len(_END)] if end >= 0 else self._buffer[: MAX_HEAD_BYTES + 1])
        if _ILLEGAL.search(head, max(start - 1, 0)):
            raise Refusal(400, "the request head holds a byte that is not printable ASCII, or a bare line end")
        if end < 0:
            self._seen = len(self._buffer)
            if self._seen > MAX_HEAD_BYTES:
                raise Refusal(431, f"the request head is longer than {MAX_HEAD_BYTES} bytes")
            return None
        parsed = parse_head(head)
        del self._buffer[: len(head)]
        self._seen = 0
        return parsed

    def put(self, data: bytes) -> None:
        """Keep *data* for later without looking at it."""
        self._buffer += data

    def take(self) -> bytes:
        """Return, and forget, what is kept."""
        rest = bytes(self._buffer)
        self._buffer.clear()
        self._seen = 0
        return rest


def parse_head(raw: bytes) -> Head:
    """Read one complete head: request line, header lines, empty line.

    Raises:
        Refusal: with a sentence that says what is wrong and quotes nothing of it.
    """
    if len(raw) > MAX_HEAD_BYTES:
        raise Refusal(431, f"the request head is longer than {MAX_HEAD_BYTES} bytes")
    if not raw.endswith(_END) or _ILLEGAL.search(raw):
        raise Refusal(400, "the request head holds a byte that is not printable ASCII, or a bare line end")
    request_line, *lines = raw[: -len(_END)].decode("ascii").split("\r\n")
    method, target = _request_line(request_line)
    if len(lines) > MAX_HEADERS:
        raise Refusal(431, f"the request has more than {MAX_HEADERS} header lines")
    head = Head(
        method=method,
        path=target.partition("?")[0],
        query=target.partition("?")[2],
        headers=tuple(_header(line) for line in lines),
        raw=raw,
    )
    _check_host(head)
    _check_length(head)
    return head


def _request_line(line: str) -> tuple[str, str]:
    match = _REQUEST_LINE.match(line)
    if match is None:
        raise Refusal(400, "the request line is not METHOD TARGET HTTP/1.1")
    method, target, version = match.groups()
    if version != "HTTP/1.1":
        raise Refusal(400, "only HTTP/1.1 is spoken here")
    if len(target) > MAX_TARGET_BYTES:
        raise Refusal(400, f"the request target is longer than {MAX_TARGET_BYTES} bytes")
    if not target.startswith("/") or "#" in target:
        raise Refusal(400, "the request target must be a path")
    return method, target


def _header(line: str) -> tuple[str, str]:
    if line[:1] in {" ", "\t"}:
        raise Refusal(400, "a header line is folded")
    match = _HEADER_LINE.match(line)
    if match is None:
        raise Refusal(400, "a header line is not NAME: VALUE")
    return match[1].lower(), match[2]


def _check_host(head: Head) -> None:
    hosts = head.values("host")
    if len(hosts) != 1:
        raise Refusal(400, "the request must have exactly one Host")
    if not hosts[0] or re.search(r"[\s/?#@\\,]", hosts[0]):
        raise Refusal(400, "the Host is not a host")


def _check_length(head: Head) -> None:
    lengths = head.values("content-length")
    if len(lengths) > 1 or (lengths and head.values("transfer-encoding")):
        raise Refusal(400, "the length of the request body is stated twice")
    if lengths and not re.fullmatch(r"[0-9]{1,15}", lengths[0]):
        raise Refusal(400, "Content-Length is not a number")
