"""What the recogniser and its process tell each other: records as JSON, one to a frame, and audio as it is."""

from __future__ import annotations

from typing import Any, TypeVar, cast

from attrs import asdict, frozen

from tomrt.engines.frames import MAX_FRAME_BYTES
from tomrt.errors import ProtocolError
from tomrt.wire.json import dumps, loads_object

__all__ = ["Answer", "Request", "SetUp", "Stop", "packed", "unpacked"]


@frozen
class SetUp:
    """The first message, answered with an empty :class:`Answer`: all grammars, and words with their phones."""

    grammars: dict[str, str]
    pronunciations: dict[str, str]


@frozen
class Request:
    """Heads an utterance, whose audio is the next frame; answered."""

    number: int
    grammar: str


@frozen
class Stop:
    """The answer to a request is no longer wanted, so an empty one will do; not answered itself."""

    stop: int


@frozen(kw_only=True)
class Answer:
    """A transcript; with a *fault*, why there is none."""

    text: str = ""
    rejected: str = ""
    whole: bool = False
    fault: str = ""


Message = SetUp | Request | Stop | Answer
M = TypeVar("M", bound=Message)


def packed(message: Message) -> bytes:
    """Return the frame of *message*."""
    return dumps(asdict(message)).encode()


def unpacked(frame: bytes, *kinds: type[M]) -> M:
    """Return the message in *frame*, which must be one of *kinds*.

    Raises:
        ProtocolError: it is none.
    """
    values = cast("dict[str, Any]", loads_object(frame, max_bytes=MAX_FRAME_BYTES))
    for kind in kinds:
        try:
            return kind(**values)
        except TypeError:
            continue
    raise ProtocolError("the message is none of those that can come here")
