"""``python -m tomrt.engines.sphinx_process``: PocketSphinx for a parent process that must not be held up by it.

PocketSphinx holds the interpreter's lock while it works: in the calls' own process, every call's audio waited for it.
The standard input is a socket, with :mod:`~tomrt.engines.sphinx_messages` both ways: first the set-up, then requests,
one at a time. While one is worked on, a stop for it may come. The process ends when the socket closes.
"""

from __future__ import annotations

import os
import signal
import socket

from tomrt.engines.frames import has_news, read_frame, write_frame
from tomrt.engines.sphinx_decoder import GrammarDecoder
from tomrt.engines.sphinx_messages import Answer, Request, SetUp, Stop, packed, unpacked
from tomrt.errors import EngineError, ProtocolError

__all__ = ["Desk", "main"]

NICENESS = 5
"""Calls come first: a transcription that takes a little longer is not heard, a late frame is. Not while it loads: after
the death of another process, everybody waits for that."""


class Desk:
    """Takes requests from a connection, one after another, and answers them; after :meth:`set_up`.

    Args:
        connection: To the process that asks.
    """

    _decoder: GrammarDecoder

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._current = 0
        self._stopped = 0
        self._closed = False

    def set_up(self) -> bool:
        """Wait for the set-up and load what it asks for; return whether requests can follow.

        Raises:
            ProtocolError: the other side does not keep to the messages.
            OSError: it ended without waiting for the answer.
        """
        if (set_up := read_frame(self._connection)) is None:
            return False
        wanted, fault = unpacked(set_up, SetUp), ""
        try:
            self._decoder = GrammarDecoder(wanted.grammars, wanted.pronunciations)
        except EngineError as error:
            fault = str(error)
        write_frame(self._connection, packed(Answer(fault=fault)))
        return not fault

    def serve(self) -> None:
        """Answer requests until the connection closes.

        Raises:
            ProtocolError: the other side does not keep to the messages.
            OSError: it ended without waiting for an answer.
        """
        while (request := self._next()) is not None:
            if (audio := read_frame(self._connection)) is None:
                return
            write_frame(self._connection, packed(self._answer(request, audio)))

    def _answer(self, request: Request, audio: bytes) -> Answer:
        self._current = request.number
        try:
            heard = self._decoder.transcribe(audio, request.grammar, self._unwanted)
        except EngineError as error:
            return Answer(fault=str(error))
        return Answer(text=heard.text, rejected=heard.rejected, whole=heard.whole)

    def _next(self) -> Request | None:
        """Wait for the next request; note stops that came too late or too early."""
        while not self._closed and (frame := read_frame(self._connection)) is not None:
            message = unpacked(frame, Request, Stop)
            if isinstance(message, Request):
                return message
            if isinstance(message, Stop):
                self._stopped = message.stop
        return None

    def _unwanted(self) -> bool:
        """Whether the request under way was stopped, or nobody is there any more."""
        while not self._closed and has_news(self._connection):
            if (frame := read_frame(self._connection)) is None:
                self._closed = True
            else:
                self._stopped = unpacked(frame, Stop).stop
        return self._closed or self._stopped == self._current


def main() -> None:
    """Serve the parent process on the standard input."""
    # Both are sent to whole groups of processes; the parent may take its calls to their end and needs this one.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    with socket.socket(fileno=os.dup(0)) as connection:
        desk = Desk(connection)
        try:
            if desk.set_up():
                os.nice(NICENESS)
                desk.serve()
        except (OSError, ProtocolError):  # the parent is gone
            return


if __name__ == "__main__":
    main()
