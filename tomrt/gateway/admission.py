"""How many calls are taken at once."""

from __future__ import annotations

from attrs import define

from tomrt.errors import MisuseError
from tomrt.gateway.refusal import Busy

__all__ = ["Admission"]


@define(kw_only=True)
class Admission:
    """Counts calls in and out; admitted calls are never shed, and admitted + refused = offered.

    Args:
        max_calls: Calls at the same time.
        active: Calls that are in now.
        admitted: Calls let in since the start.
        refused: Calls turned away since the start.
        draining: Whether the service is about to stop and takes no new calls.
    """

    max_calls: int
    active: int = 0
    admitted: int = 0
    refused: int = 0
    draining: bool = False

    @property
    def offered(self) -> int:
        """All calls that asked since the start."""
        return self.admitted + self.refused

    def admit(self) -> None:
        """Let one call in.

        Raises:
            Busy: no more calls are taken.
        """
        if self.draining or self.active >= self.max_calls:
            self.refused += 1
            raise Busy("the service is shutting down" if self.draining else "all lines are busy")
        self.admitted += 1
        self.active += 1

    def release(self) -> None:
        """One call has ended."""
        if self.active == 0:
            raise MisuseError("a call was released that was never admitted")
        self.active -= 1

    def drain(self) -> None:
        """Take no new calls from now on."""
        self.draining = True
