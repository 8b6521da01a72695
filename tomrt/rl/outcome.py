"""How a call ended, as far as the guard wants to know."""

from __future__ import annotations

from attrs import frozen

__all__ = ["Outcome"]


@frozen
class Outcome:
    """How one call ended.

    Trouble that was told while the call was under way (``Guard.trouble``) is not told again here.

    Args:
        reward: From -1 to 1.
        failed: There were errors in the call.
        severe: The call ended by our fault.
        hung_up_early: The caller hung up before anything was answered.
        slow: A reply came later than ``slow_response_ms``.
    """

    reward: float
    failed: bool = False
    severe: bool = False
    hung_up_early: bool = False
    slow: bool = False
