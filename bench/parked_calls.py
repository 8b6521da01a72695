"""A minimal switch for one who dials its event socket: parked calls, their audio by unicast, and a socket to drop."""

from __future__ import annotations

import json
import socket
from collections.abc import Mapping

from attrs import define, field

from tomrt.caller.event_socket import SwitchSide

__all__ = ["PASSWORD", "ParkedCalls"]

PASSWORD = "ClueCon"
_END = b"\n\n"


def _reply(text: str) -> bytes:
    return f"Content-Type: command/reply\nReply-Text: {text}\n\n".encode()


def _api(body: str) -> bytes:
    return f"Content-Type: api/response\nContent-Length: {len(body.encode())}\n\n{body}".encode()


@define(eq=False)
class ParkedCalls:
    """Calls that wait for somebody to take them, and the one connection by which they are taken.

    Args:
        sides: The calls by their name.
    """

    sides: Mapping[str, SwitchSide]
    peer: socket.socket | None = field(default=None, init=False)
    listening: bool = field(default=False, init=False)
    connections: int = field(default=0, init=False)
    _parked: bool = field(default=False, init=False)
    _buffer: bytes = field(default=b"", init=False)

    def welcome(self, peer: socket.socket) -> None:
        """Take a connection; what was there before is closed."""
        self.drop()
        peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.peer, self._buffer, self.listening = peer, b"", False
        self.connections += 1
        peer.sendall(b"Content-Type: auth/request\n\n")

    def drop(self) -> None:
        """Drop the connection, without a word."""
        if self.peer is not None:
            self.peer.close()
        self.peer, self.listening = None, False

    def obey(self) -> None:
        """Answer what has come."""
        if self.peer is None:
            return
        try:
            data = self.peer.recv(65536)
            if data:
                self.peer.sendall(self.answer(data))
        except OSError:
            data = b""
        if not data:
            self.drop()

    def answer(self, data: bytes) -> bytes:
        """Return the answers to the commands that are whole with *data*."""
        *commands, self._buffer = (self._buffer + data).split(_END)
        return b"".join(self._answer(command + _END) for command in commands)

    def _answer(self, command: bytes) -> bytes:
        words = command.decode().split()
        match words:
            case ["auth", password, *_]:
                return _reply("+OK accepted" if password == PASSWORD else "-ERR invalid")
            case ["event", *_]:
                self.listening = True
                return _reply("+OK event listener enabled plain")
            case ["api", "show", "channels", *_]:
                return _api(json.dumps(self._channels())) + self._park()
            case ["api", "uuid_getvar", uuid, name, *_] if uuid in self.sides:
                return _api("unicast" if name == "tomrt_media" else "_undef_")
            case ["sendmsg", uuid, *_] if uuid in self.sides:
                return self.sides[uuid].feed(command)
            case ["api" | "bgapi", _, uuid, *_] if uuid in self.sides:
                return self.sides[uuid].feed(command)
        return _reply("+OK")

    def _park(self) -> bytes:
        """Park the calls, once: behind the first answer to who is here, they come as events."""
        if self._parked:
            return b""
        self._parked = True
        for side in self.sides.values():
            side.feed(b"event plain ALL\n\n")
        variable = {"variable_tomrt_media": "unicast"}
        return b"".join(side.event("CHANNEL_PARK", variable) for side in self.sides.values())

    def _channels(self) -> dict[str, object]:
        rows = [
            {
                "uuid": side.uuid,
                "application": "park",
                "cid_num": side.caller,
                "read_codec": side.codec,
                "read_rate": str(side.rate_hz),
            }
            for side in self.sides.values()
            if self._parked and not side.ended
        ]
        return {"row_count": len(rows), "rows": rows}
