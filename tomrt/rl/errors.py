"""What can go wrong in learning. This room knows nothing of the rest of tomrt, so the tree has a root of its own."""

from __future__ import annotations

__all__ = ["InvalidFeedback", "InvalidState", "InvalidVariants", "LearningError", "NotEligible", "StoreError"]


class LearningError(Exception):
    """Root of everything this room raises.

    Args:
        faults: What is wrong, one sentence each; all that were found, not only the first.
    """

    def __init__(self, *faults: str) -> None:
        super().__init__("; ".join(faults))
        self.faults = faults


class InvalidFeedback(LearningError, ValueError):  # noqa: N818 - the name says what is wrong
    """A feedback event breaks its schema; nothing of it was stored."""


class InvalidVariants(LearningError, ValueError):  # noqa: N818 - the name says what is wrong
    """A file of variants cannot be used; each fault names the variant and the slot."""


class InvalidState(LearningError):  # noqa: N818 - the name says what is wrong
    """A saved state cannot be used: damaged, of a newer version, or of another set of arms."""


class NotEligible(LearningError, ValueError):  # noqa: N818 - the name says what is wrong
    """An arm was asked for that is not among those that may be chosen."""


class StoreError(LearningError):
    """The database cannot be read or written."""
