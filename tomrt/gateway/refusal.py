"""Saying no: one status, one sentence, and the connection is closed."""

from __future__ import annotations

from http import HTTPStatus

from tomrt.errors import AccessDenied, ProtocolError, TomrtError

__all__ = ["RETRY_AFTER_S", "Busy", "Refusal", "refusal_for", "response_bytes"]

RETRY_AFTER_S = 5


class Refusal(ProtocolError):  # noqa: N818 - named after the answer, like AccessDenied
    """A request is refused with this answer.

    Args:
        status: HTTP status.
        sentence: What was wrong, for a person; never anything of the peer's own bytes.
        headers: Further header lines of the answer.
    """

    def __init__(self, status: int, sentence: str, *headers: tuple[str, str]) -> None:
        super().__init__(sentence)
        self.status = status
        self.sentence = sentence
        self.headers = headers


class Busy(TomrtError):  # noqa: N818 - named after the answer, like AccessDenied
    """No more calls are taken at the moment."""


def refusal_for(error: ProtocolError | AccessDenied | Busy) -> Refusal:
    """Return the refusal that tells a peer about *error*."""
    match error:
        case Refusal():
            return error
        case AccessDenied():
            return Refusal(403, "access denied")
        case Busy():
            return Refusal(503, str(error), ("Retry-After", str(RETRY_AFTER_S)))
        case _:
            return Refusal(400, str(error))


def response_bytes(refusal: Refusal) -> bytes:
    """Return *refusal* as a complete HTTP/1.1 response."""
    body = f"{refusal.sentence}\n".encode("ascii", "replace")
    lines = [
        f"HTTP/1.1 {refusal.status} {HTTPStatus(refusal.status).phrase}",
        "Content-Type: text/plain; charset=utf-8",
        f"Content-Length: {len(body)}",
        "Connection: close",
        *(f"{name}: {value}" for name, value in refusal.headers),
    ]
    return "\r\n".join([*lines, "", ""]).encode("ascii") + body
