"""What the assistant says without being asked."""

from __future__ import annotations

from attrs import frozen

__all__ = ["Prompts"]


@frozen(kw_only=True)
class Prompts:
    """Texts that belong to the call rather than to an answer.

    Args:
        greeting: First words of the call.
        still_there: After the caller was silent, one after the other; then ``goodbye`` and the call ends.
        goodbye: Before we hang up on a silent or overlong call.
        failure: When an answer cannot be had.
        filler: When an answer takes its time; empty for silence.
        looking_up: When a tool takes its time; empty for silence.
        notice: Said before the greeting and not interruptible (what the law wants the caller to hear); may be empty.
    """

    greeting: str
    still_there: tuple[str, ...]
    goodbye: str
    failure: str
    filler: str = ""
    looking_up: str = ""
    notice: str = ""
