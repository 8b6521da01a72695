"""FreeSWITCH's side of an outbound event socket: commands come in, replies and events go out, as observed.

Plain code over bytes, after FREESWITCH.md, D. It is as lenient as FreeSWITCH with commands it does not know, answers
those of the ``uuid_`` family with ``+OK`` without doing anything but ending the call, and keeps as a fault what this
caller cannot be asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from urllib.parse import quote

from attrs import Factory, define, frozen

from tomrt.errors import ProtocolError

__all__ = ["TRANSFERRED", "SwitchSide", "UnicastPorts"]

MAX_COMMAND_BYTES = 1 << 16
MAX_FAULTS = 20
LINGER_S = 5
CHANNEL_EVENTS = ("DTMF", "TALK", "NOTALK", "DETECTED_SPEECH")
TRANSFERRED = "transferred"
_GOODBYE = "Disconnected, goodbye.\nSee you at ClueCon! http://www.cluecon.com/\n"
_MEDIA = ("uuid_audio_fork", "uuid_audio_stream")
_PRINTED = {"uuid_exists": "true", "uuid_getvar": "_undef_"}


@frozen(kw_only=True)
class UnicastPorts:
    """What a ``unicast`` command asks for.

    Args:
        local: FreeSWITCH's address.
        remote: The service's.
        native: Packets carry the call codec's own bytes.
    """

    local: tuple[str, int]
    remote: tuple[str, int]
    native: bool


@define(kw_only=True)
class SwitchSide:
    """One answered call, handed over by ``socket HOST:PORT async full``.

    Args:
        uuid: The channel's.
        caller: Number of the caller.
        called: Number that was called.
        codec: Of the call: ``PCMU``, or ``G722`` at 16 kHz.
        rate_hz: Sample rate of the call.
        variables: Channel variables besides.
    """

    uuid: str
    caller: str = "1000"
    called: str = "7000"
    codec: str = "PCMU"
    rate_hz: int = 8000
    variables: Mapping[str, str] = Factory(dict)
    unicast: UnicastPorts | None = None
    """What the service asked for, once it did."""
    ended: str = ""
    """Why the call has ended: a cause of hang-up, or ``TRANSFERRED``."""
    commands: int = 0
    faults: list[str] = Factory(list)
    _buffer: bytes = b""
    _subscribed: set[str] = Factory(set)
    _linger: bool = False
    _job: int = 0

    def feed(self, data: bytes) -> bytes:
        """Take bytes of the service; return what FreeSWITCH answers.

        Raises:
            ProtocolError: they are not commands of an event socket.
        """
        self._buffer += data
        said = b""
        while (command := self._command()) is not None:
            self.commands += 1
            said += self._answer(command)
        if len(self._buffer) > MAX_COMMAND_BYTES:
            raise ProtocolError(f"a command is longer than {MAX_COMMAND_BYTES} bytes")
        return said

    def hang_up(self, cause: str) -> bytes:
        """End the call for *cause*, once; return the events that tell the service."""
        if self.ended:
            return b""
        self.ended = cause
        told = {"Hangup-Cause": cause, "Channel-State": "CS_HANGUP", "Channel-Call-State": "HANGUP"}
        events = self.event("CHANNEL_HANGUP", told) + self.event("CHANNEL_HANGUP_COMPLETE", told)
        return events + self._notice()

    # --- what comes --------------------------------------------------------------------------------------------------

    def _command(self) -> list[str] | None:
        """Take the next whole command off the buffer: its lines."""
        head, end, rest = self._buffer.lstrip(b"\n").partition(b"\n\n")
        if not end:
            return None
        lines = head.decode("utf-8", "replace").split("\n")
        size = _headers(lines[1:]).get("content-length", "0")
        if not size.isdecimal():
            raise ProtocolError(f"a command has a Content-Length of {size[:20]!r}")
        if len(rest) < int(size):
            return None
        self._buffer = rest[int(size) :]
        return lines

    def _answer(self, lines: list[str]) -> bytes:
        verb, _, rest = lines[0].strip().partition(" ")
        verbs: dict[str, Callable[[str], bytes]] = {
            "connect": lambda _: self._channel_data(),
            "myevents": self._my_events,
            "linger": self._lingering,
            "event": self._more_events,
            "api": lambda text: self._asked(text, lambda said: _with_body("api/response", said)),
            "bgapi": lambda text: self._background(text, lines),
            "filter": lambda text: _reply(f"+OK filter added. [{text}]"),
            "sendmsg": lambda _: self._message(_headers(lines[1:])),
            "exit": lambda _: _reply("+OK bye") + self.hang_up("NORMAL_CLEARING"),
        }
        plain = {"nolinger", "noevents", "nixevent", "divert_events", "resume", "sendevent", "log", "nolog"}
        if verb in verbs:
            return verbs[verb](rest.strip())
        return _reply("+OK" if verb in plain else "-ERR command not found")

    def _my_events(self, _: str) -> bytes:
        self._subscribed |= {*CHANNEL_EVENTS, "CHANNEL_"}
        return _reply("+OK Events Enabled")

    def _lingering(self, _: str) -> bytes:
        self._linger = True
        return _reply("+OK will linger")

    def _more_events(self, text: str) -> bytes:
        form, _, names = text.partition(" ")
        if form != "plain":
            self._fault(f"events were asked for as {form[:20]!r}; only plain is told here")
        self._subscribed |= set(names.split())
        return _reply("+OK event listener enabled plain")

    def _message(self, told: Mapping[str, str]) -> bytes:
        match told.get("call-command", ""):
            case "unicast":
                self._open_unicast(told)
                return _reply("+OK")
            case "hangup":
                return _reply("+OK") + self.hang_up(told.get("hangup-cause") or "NORMAL_CLEARING")
            case "execute":
                return _reply("+OK") + self._execute(told)
            case other:
                self._fault(f"sendmsg with the call-command {other[:40]!r}")
                return _reply("+OK")

    def _open_unicast(self, told: Mapping[str, str]) -> None:
        try:
            self.unicast = UnicastPorts(
                local=(told.get("local-ip") or "127.0.0.1", int(told.get("local-port") or 8025)),
                remote=(told.get("remote-ip") or "127.0.0.1", int(told.get("remote-port") or 8026)),
                native="native" in told.get("flags", ""),
            )
        except ValueError:
            self._fault("unicast with a port that is no number")

    def _execute(self, told: Mapping[str, str]) -> bytes:
        app, arg = told.get("execute-app-name", ""), told.get("execute-app-arg", "")
        uuid = told.get("event-uuid", "")
        names = {"Application": app, "Application-Data": arg, "Application-UUID": uuid}
        said = self.event("CHANNEL_EXECUTE", names)
        match app:
            case "hangup":
                return said + self.hang_up(arg or "NORMAL_CLEARING")
            case "transfer" | "bridge":
                return said + self._leave()
            case "playback":
                said += self.event("PLAYBACK_START", names)
                said += self.event("PLAYBACK_STOP", names | {"Playback-Status": "done"})
                names = names | {"Application-Response": "FILE PLAYED"}
        return said + self.event("CHANNEL_EXECUTE_COMPLETE", names)

    def _asked(self, text: str, wrap: Callable[[str], bytes]) -> bytes:
        """Answer an ``api`` command in the wrapping of how it was asked; what it brings about follows."""
        verb, _, rest = text.partition(" ")
        if verb in _MEDIA:
            self._fault(f"{verb} was asked for; a call to esl:// carries audio by unicast only: use ws://")
            return wrap("-ERR Operation Failed\n")
        if verb == "uuid_kill":
            return wrap("+OK\n") + self.hang_up(rest.partition(" ")[2].strip() or "NORMAL_CLEARING")
        if verb in {"uuid_transfer", "uuid_bridge"}:
            return wrap("+OK\n") + self._leave()
        return wrap(_PRINTED.get(verb, "+OK\n" if verb.startswith("uuid_") else f"-ERR {verb} command not found!\n"))

    def _background(self, text: str, lines: list[str]) -> bytes:
        self._job += 1
        job = _headers(lines[1:]).get("job-uuid") or f"job-{self._job}"
        reply = _reply(f"+OK Job-UUID: {job}", {"Job-UUID": job})
        return reply + self._asked(text, lambda said: self.event("BACKGROUND_JOB", {"Job-UUID": job}, said))

    def _leave(self) -> bytes:
        """The channel goes elsewhere: the ``socket`` application has ended, the call has not."""
        if self.ended:
            return b""
        self.ended = TRANSFERRED
        return self._notice()

    # --- what goes -------------------------------------------------------------------------------------------------

    def press(self, digit: str) -> bytes:
        """Return what tells the service that the caller pressed *digit*."""
        return self.event("DTMF", {"DTMF-Digit": digit, "DTMF-Duration": "1600"})

    def _channel(self) -> dict[str, str]:
        return {
            "Channel-State": "CS_EXECUTE",
            "Channel-Call-State": "ACTIVE",
            "Channel-Name": f"sofia/internal/{self.caller}@127.0.0.1",
            "Unique-ID": self.uuid,
            "Call-Direction": "inbound",
            "Channel-Call-UUID": self.uuid,
            "Answer-State": "answered",
            "Channel-Read-Codec-Name": self.codec,
            "Channel-Read-Codec-Rate": str(self.rate_hz),
            "Channel-Write-Codec-Name": self.codec,
            "Channel-Write-Codec-Rate": str(self.rate_hz),
            "Caller-Direction": "inbound",
            "Caller-Username": self.caller,
            "Caller-Dialplan": "XML",
            "Caller-Caller-ID-Name": self.caller,
            "Caller-Caller-ID-Number": self.caller,
            "Caller-Destination-Number": self.called,
            "Caller-Context": "default",
            "Caller-Unique-ID": self.uuid,
        }

    def _channel_data(self) -> bytes:
        """Return the reply to ``connect``: one block, every value of it encoded, and no length."""
        told = {"Event-Name": "CHANNEL_DATA", "Core-UUID": f"core-{self.uuid[:8]}", **self._channel()}
        told |= {f"variable_{name}": value for name, value in {"uuid": self.uuid, **self.variables}.items()}
        last = {"Content-Type": "command/reply", "Reply-Text": "+OK\n", "Socket-Mode": "async", "Control": "full"}
        return f"{_encoded(told | last)}\n".encode()

    def event(self, name: str, told: Mapping[str, str], body: str = "") -> bytes:
        """Return the event *name* where the service has subscribed to it."""
        kind = "CHANNEL_" if name.startswith("CHANNEL_") else name
        if not self._subscribed & {name, kind, "ALL", "all"}:
            return b""
        text = _encoded({"Event-Name": name, **self._channel(), **told})
        text += f"Content-Length: {len(body.encode())}\n\n{body}" if body else "\n"
        return _with_body("text/event-plain", text)

    def _notice(self) -> bytes:
        """Return the disconnect-notice; a server that asked for it may linger."""
        head = f"Content-Type: text/disconnect-notice\nControlled-Session-UUID: {self.uuid}\n"
        if self._linger:
            return f"{head}Content-Disposition: linger\nLinger-Time: {LINGER_S}\nContent-Length: 0\n\n".encode()
        return f"{head}Content-Disposition: disconnect\nContent-Length: {len(_GOODBYE)}\n\n{_GOODBYE}".encode()

    def _fault(self, sentence: str) -> None:
        if len(self.faults) < MAX_FAULTS:
            self.faults.append(sentence)


def _headers(lines: list[str]) -> dict[str, str]:
    pairs = (line.partition(":") for line in lines)
    return {name.strip().lower(): value.strip() for name, _, value in pairs}


def _encoded(headers: Mapping[str, str]) -> str:
    return "".join(f"{name}: {quote(value, safe='/_-.~()!*$,')}\n" for name, value in headers.items())


def _reply(text: str, more: Mapping[str, str] | None = None) -> bytes:
    lines = [f"{name}: {value}\n" for name, value in (more or {}).items()]
    return f"Content-Type: command/reply\nReply-Text: {text}\n{''.join(lines)}\n".encode()


def _with_body(kind: str, body: str) -> bytes:
    return f"Content-Length: {len(body.encode())}\nContent-Type: {kind}\n\n{body}".encode()
