"""Knocking at an event socket: who answers, and whether a password opens."""

from __future__ import annotations

import errno
from enum import Enum

import trio
from attrs import frozen

from tomrt.errors import ProtocolError
from tomrt.wire.esl import EslMessage, EslReader
from tomrt.wire.esl_commands import auth

__all__ = ["Answer", "Knock", "knock"]

LIMIT_S = 3.0
RECEIVE_BYTES = 65_536
SHOWN_CHARS = 60


class Answer(Enum):
    """Who answers at an address."""

    ASKS = "asks for a password"
    OPENS = "takes the password"
    REFUSES = "refuses the password"
    REJECTS = "takes no connections from here"
    OTHER = "is no event socket"
    SILENT = "says nothing"
    CLOSED = "refuses the connection"
    UNREACHABLE = "cannot be reached"


@frozen(kw_only=True)
class Knock:
    """What came of it.

    Args:
        answer: Who answers.
        said: What it said, printable and short, where that explains something.
        ours: The address of our end of the connection, ``""`` where there was none.
        theirs: The address of the other end.
    """

    answer: Answer
    said: str = ""
    ours: str = ""
    theirs: str = ""


async def knock(host: str, port: int, password: str | None = None) -> Knock:
    """Connect, wait to be asked, and say *password* if there is one; then go away. Takes 6 s at most.

    Raises:
        ProtocolError: *password* cannot be sent: it holds a control character or is too long.
    """
    try:
        with trio.fail_after(LIMIT_S):
            stream = await trio.open_tcp_stream(host, port)
    except trio.TooSlowError:
        return Knock(answer=Answer.UNREACHABLE, said=f"no answer within {LIMIT_S:g} s")
    except OSError as error:
        return _not_connected(error)
    async with stream:
        ours, theirs = stream.socket.getsockname()[0], stream.socket.getpeername()[0]
        answer, said = await _converse(stream, password)
    return Knock(answer=answer, said=said, ours=ours, theirs=theirs)


def _not_connected(error: OSError) -> Knock:
    causes = [each for each in _leaves(error) if isinstance(each, OSError)]
    if causes and all(each.errno == errno.ECONNREFUSED for each in causes):
        return Knock(answer=Answer.CLOSED)
    told = next((each.strerror for each in causes if each.strerror), "") or str(error)
    return Knock(answer=Answer.UNREACHABLE, said=_shown(told))


def _leaves(error: BaseException) -> list[BaseException]:
    """Return what is behind an error: Trio keeps one for each address of a name."""
    if isinstance(error, BaseExceptionGroup):
        return [leaf for inner in error.exceptions for leaf in _leaves(inner)]
    return _leaves(error.__cause__) if error.__cause__ else [error]


async def _converse(stream: trio.SocketStream, password: str | None) -> tuple[Answer, str]:
    reader = EslReader()
    raw = bytearray()
    try:
        greeting = await _next(stream, reader, raw)
        if greeting is None:
            return Answer.SILENT if not raw else Answer.OTHER, _shown(raw.decode("utf-8", "replace"))
        if greeting.content_type == "text/rude-rejection":
            return Answer.REJECTS, _shown(greeting.body.decode("utf-8", "replace"))
        if greeting.content_type != "auth/request":
            return Answer.OTHER, _shown(raw.decode("utf-8", "replace"))
        if password is None:
            return Answer.ASKS, ""
        await stream.send_all(auth(password))
        reply = await _next(stream, reader, raw)
    except (trio.BrokenResourceError, trio.ClosedResourceError):
        return Answer.SILENT, "the connection was cut"
    except ProtocolError:
        return Answer.OTHER, _shown(raw.decode("utf-8", "replace"))
    accepted = reply is not None and reply.reply_text.startswith("+OK")
    return (Answer.OPENS if accepted else Answer.REFUSES), ""


async def _next(stream: trio.SocketStream, reader: EslReader, raw: bytearray) -> EslMessage | None:
    with trio.move_on_after(LIMIT_S):
        while data := await stream.receive_some(RECEIVE_BYTES):
            raw += data[:SHOWN_CHARS]
            if messages := reader.feed(bytes(data)):
                return messages[0]
    return None


def _shown(text: str) -> str:
    return "".join(each for each in " ".join(text.split()) if each.isprintable())[:SHOWN_CHARS]
