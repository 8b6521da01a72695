"""The client's half of RFC 6455 in plain code, as cheap as Python gets: a load generator must not be the load.

Only what a call needs: the opening handshake, masked frames out, unmasked frames in, whole or in pieces.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator

__all__ = ["BINARY", "CLOSE", "PING", "PONG", "TEXT", "Frames", "Masker", "accepted", "request"]

TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10
_MAGIC = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_KEY = base64.b64encode(b"bench of barge i")
"""The key has no secret in it: it proves that the peer speaks WebSocket (section 4.1)."""


def request(host: str, port: int, path: str, *, protocol: str = "") -> bytes:
    """Return the head of the opening handshake."""
    lines = [
        f"GET {path} HTTP/1.1",
        f"Host: {host}:{port}",
        "Upgrade: websocket",
        "Connection: Upgrade",
        f"Sec-WebSocket-Key: {_KEY.decode()}",
        "Sec-WebSocket-Version: 13",
        *([f"Sec-WebSocket-Protocol: {protocol}"] if protocol else []),
        "\r\n",
    ]
    return "\r\n".join(lines).encode("ascii")


def accepted(head: bytes) -> str:
    """Return why the response *head* is no acceptance of our upgrade; ``""`` when it is one."""
    status, _, rest = head.partition(b"\r\n")
    if not status.startswith(b"HTTP/1.1 101"):
        return f"it answered {status[:60].decode('latin-1')!r}"
    proof = base64.b64encode(hashlib.sha1(_KEY + _MAGIC, usedforsecurity=False).digest()).lower()
    if b"sec-websocket-accept: " + proof not in rest.lower():
        return "it did not prove that it speaks WebSocket"
    return ""


class Masker:
    """Makes masked frames of one size cheaply, and of any size correctly.

    Args:
        mask: The masking key, 4 bytes; one for a connection (section 5.3 asks for a new one each, which guards
            proxies against scripts in browsers; here is neither).
        size: The payload size that is to be fast.
    """

    def __init__(self, mask: bytes, size: int) -> None:
        self._mask = mask
        self._size = size
        self._pad = int.from_bytes(mask * (size // 4 + 1), "little") & ((1 << 8 * size) - 1)
        self._head = _head(BINARY, size) + mask

    def audio(self, pcm: bytes) -> bytes:
        """Return the binary frame of *pcm*, which has the fast size."""
        return self._head + (int.from_bytes(pcm, "little") ^ self._pad).to_bytes(self._size, "little")

    def frame(self, opcode: int, payload: bytes) -> bytes:
        """Return a frame of *payload*."""
        masked = bytes(byte ^ self._mask[at % 4] for at, byte in enumerate(payload))
        return _head(opcode, len(payload)) + self._mask + masked


def _head(opcode: int, size: int) -> bytes:
    """Return the first bytes of a masked, final frame, without the mask."""
    if size < 126:
        return bytes((0x80 | opcode, 0x80 | size))
    if size < 65536:
        return bytes((0x80 | opcode, 0x80 | 126)) + size.to_bytes(2, "big")
    return bytes((0x80 | opcode, 0x80 | 127)) + size.to_bytes(8, "big")


class Frames:
    """Cuts the server's bytes into messages; the result does not depend on how the bytes came."""

    def __init__(self) -> None:
        self._rest = b""
        self._opcode = 0
        self._parts: list[bytes] = []

    def feed(self, data: bytes) -> Iterator[tuple[int, bytes]]:
        """Yield (opcode, payload) of each message that is complete with *data*."""
        data = self._rest + data if self._rest else data
        at, end = 0, len(data)
        while end - at >= 2:
            size, start = data[at + 1] & 0x7F, at + 2
            if size >= 126:
                width = 2 if size == 126 else 8
                if end - start < width:
                    break
                size, start = int.from_bytes(data[start : start + width], "big"), start + width
            if end - start < size:
                break
            first, payload = data[at], data[start : start + size]
            at = start + size
            message = self._whole(first, payload)
            if message is not None:
                yield message
        self._rest = data[at:]

    def _whole(self, first: int, payload: bytes) -> tuple[int, bytes] | None:
        opcode, final = first & 0x0F, first & 0x80
        if opcode >= CLOSE:
            return opcode, payload
        if opcode:
            if final:
                return opcode, payload
            self._opcode, self._parts = opcode, [payload]
            return None
        self._parts.append(payload)
        return (self._opcode, b"".join(self._parts)) if final else None
