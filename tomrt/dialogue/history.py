"""The conversation so far: what the caller was understood to say, and what the caller heard of the answers."""

from __future__ import annotations

from collections import deque

from attrs import define, field

from tomrt.events import Message

__all__ = ["MAX_MESSAGES", "History"]

MAX_MESSAGES = 400
"""Messages kept; an hour's call has fewer. Older ones are forgotten and counted."""


@define
class History:
    """The messages of one call, oldest first.

    An answer that was cut off stands here only as far as it was heard: the assistant must not believe it said more.
    """

    forgotten: int = 0
    _messages: deque[Message] = field(factory=deque, init=False)

    def caller_said(self, text: str) -> None:
        """Add the caller's words; ``""`` stands for something that was not understood."""
        self._add(Message("user", text))

    def caller_heard(self, text: str) -> None:
        """Add what was heard of an answer; nothing when nothing was."""
        if text:
            self._add(Message("assistant", text))

    def snapshot(self) -> tuple[Message, ...]:
        """Return the messages as they are now."""
        return tuple(self._messages)

    def _add(self, message: Message) -> None:
        self._messages.append(message)
        if len(self._messages) > MAX_MESSAGES:
            self._messages.popleft()
            self.forgotten += 1
