"""UDP ports for calls, lent in pairs: the even one is the switch's, the odd one is ours."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager

from attrs import frozen

from tomrt.gateway.refusal import Busy

__all__ = ["PortPair", "PortPairs"]


@frozen(kw_only=True)
class PortPair:
    """The ports of one call.

    Args:
        switch: Where the switch sends from and listens.
        ours: Where we do.
    """

    switch: int
    ours: int


class PortPairs:
    """Lends pairs of ports, the one that was given back longest ago first.

    A late packet of an old call then finds nobody: 500 pairs and 50 calls of a minute leave a pair alone for ten.

    Args:
        first: The first port.
        last: The last port.
    """

    def __init__(self, first: int, last: int) -> None:
        begin = first + first % 2
        self._free = deque(PortPair(switch=port, ours=port + 1) for port in range(begin, last, 2))

    @property
    def free(self) -> int:
        """Pairs that are not lent."""
        return len(self._free)

    @contextmanager
    def lend(self) -> Iterator[PortPair]:
        """Lend a pair until the block is left.

        Raises:
            Busy: all are lent.
        """
        if not self._free:
            raise Busy("all UDP ports of freeswitch.unicast_first_port to unicast_last_port are in use")
        pair = self._free.popleft()
        try:
            yield pair
        finally:
            self._free.append(pair)
