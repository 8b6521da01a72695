"""A WebSocket upgrade request (RFC 6455 §4.2.1), checked by us and written anew for the library.

The library decodes headers in ways that raise foreign errors; it never sees the peer's head, only the one built here
from what was checked.
"""

from __future__ import annotations

import base64
import binascii
import re

from attrs import field, frozen

from tomrt.gateway.head import Head
from tomrt.gateway.refusal import Refusal

__all__ = ["Upgrade", "asks_for_websocket", "read_upgrade"]

MAX_SUBPROTOCOLS = 16
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,128}\Z")


@frozen(kw_only=True)
class Upgrade:
    """What a peer that wants a WebSocket said.

    Args:
        path: As sent, begins with ``/``.
        query: As sent, without the question mark; may hold a token, so it is never logged.
        subprotocols: Offered, in order.
        headers: All header values by lower-case name; of a repeated one the last.
        key: The checked ``Sec-WebSocket-Key``.
    """

    path: str
    query: str = field(default="", repr=False)
    subprotocols: tuple[str, ...] = ()
    headers: dict[str, str] = field(factory=dict, repr=False)
    key: str = field(default="", repr=False)

    def head_for_library(self, subprotocol: str | None) -> bytes:
        """Return a request head that says the same and holds nothing else: no extensions, one subprotocol at most."""
        lines = [
            "GET / HTTP/1.1",
            "Host: localhost",
            "Upgrade: websocket",
            "Connection: Upgrade",
            f"Sec-WebSocket-Key: {self.key}",
            "Sec-WebSocket-Version: 13",
        ]
        if subprotocol is not None:
            lines.append(f"Sec-WebSocket-Protocol: {subprotocol}")
        return "\r\n".join([*lines, "", ""]).encode("ascii")


def asks_for_websocket(head: Head) -> bool:
    """Tell whether *head* wants to become a WebSocket, rightly or wrongly written."""
    return any(token.lower() == "websocket" for token in head.tokens("upgrade"))


def read_upgrade(head: Head) -> Upgrade:
    """Check that *head* is a proper upgrade request.

    Raises:
        Refusal: 400, or 426 for a version other than 13.
    """
    if head.method != "GET":
        raise Refusal(400, "a WebSocket is asked for with GET")
    if "upgrade" not in {token.lower() for token in head.tokens("connection")}:
        raise Refusal(400, "Connection does not say Upgrade")
    if head.values("transfer-encoding") or head.values("content-length") not in ([], ["0"]):
        raise Refusal(400, "a WebSocket upgrade has no body")
    if head.values("sec-websocket-version") != ["13"]:
        raise Refusal(426, "only WebSocket version 13 is spoken here", ("Sec-WebSocket-Version", "13"))
    return Upgrade(
        path=head.path,
        query=head.query,
        subprotocols=_subprotocols(head),
        headers=dict(head.headers),
        key=_key(head),
    )


def _key(head: Head) -> str:
    keys = head.values("sec-websocket-key")
    if len(keys) != 1:
        raise Refusal(400, "the request must have exactly one Sec-WebSocket-Key")
    try:
        if len(keys[0]) == 24 and len(base64.b64decode(keys[0], validate=True)) == 16:
            return keys[0]
    except binascii.Error:
        pass
    raise Refusal(400, "Sec-WebSocket-Key is not 16 bytes of base64")


def _subprotocols(head: Head) -> tuple[str, ...]:
    offered = head.tokens("sec-websocket-protocol")
    if len(offered) > MAX_SUBPROTOCOLS or not all(_TOKEN.match(name) for name in offered):
        raise Refusal(400, "Sec-WebSocket-Protocol is not a list of names")
    return tuple(offered)
