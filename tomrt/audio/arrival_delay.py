"""How late frames arrive, and how long a jitter buffer should therefore hold them."""

from __future__ import annotations

from collections import deque

__all__ = ["ArrivalDelay"]

BUCKET_S = 0.005
BUCKETS = 400
QUANTILE = 0.95
FORGET = 0.983
INTERVAL_S = 0.5
FASTEST_WITHIN_S = 2.0
START_WEIGHT = 0.3
"""Of the delay assumed at the start, against 1 for each interval observed: it is outvoted after 3 s."""


class ArrivalDelay:
    """Learns the delay of arriving frames relative to the fastest of the last 2 s.

    The greatest delay of each half second goes into a histogram that forgets with a time constant of 30 s; its 95 %
    quantile is the target. Comparing with the recent fastest frame makes the sender's clock and its drift irrelevant.
    The idea and the constants are those of NetEq, the WebRTC project's jitter buffer; its buckets have 20 ms, these 5.

    Args:
        start_s: The target until arrivals have taught better.
    """

    def __init__(self, start_s: float) -> None:
        self._start_s = start_s
        self._fastest: deque[tuple[float, float]] = deque()
        self._weights = [0.0] * BUCKETS
        # Growing what is added instead of shrinking what is there makes forgetting cost nothing.
        self._step = 1.0
        self._total = 0.0
        self._interval_end = 0.0
        self._interval_worst = -1.0
        self.target_s = start_s
        self._weigh(max(start_s - BUCKET_S / 2, 0.0), START_WEIGHT)

    @property
    def fastest_s(self) -> float:
        """The shortest transit of the last 2 s; transits have the sender's unknown clock in them."""
        return self._fastest[0][1] if self._fastest else 0.0

    def observe(self, sent: float, now: float) -> float:
        """Take note of a frame and return its delay relative to the fastest.

        Args:
            sent: When it was sent, on the sender's clock.
            now: When it arrived, on ours; never goes back.
        """
        transit = now - sent
        fastest = self._fastest
        while fastest and fastest[-1][1] >= transit:
            fastest.pop()
        fastest.append((now, transit))
        while fastest[0][0] < now - FASTEST_WITHIN_S:
            fastest.popleft()
        delay = transit - fastest[0][1]
        if now >= self._interval_end:
            if self._interval_worst >= 0:
                self._learn(self._interval_worst)
            self._interval_end = now + INTERVAL_S
            self._interval_worst = delay
        elif delay > self._interval_worst:
            self._interval_worst = delay
        return delay

    def restart(self) -> None:
        """Forget the sender's clock, not how the network behaves: another stream begins."""
        self._fastest.clear()
        self._interval_worst = -1.0
        self._interval_end = 0.0

    def _weigh(self, delay: float, weight: float) -> None:
        self._weights[min(int(delay / BUCKET_S), BUCKETS - 1)] += weight
        self._total += weight

    def _learn(self, delay: float) -> None:
        self._step /= FORGET
        self._weigh(delay, self._step)
        if self._step > 1e12:
            self._weights = [weight / self._step for weight in self._weights]
            self._total /= self._step
            self._step = 1.0
        beyond = (1 - QUANTILE) * self._total
        bucket = BUCKETS
        while bucket > 0 and beyond >= 0:
            bucket -= 1
            beyond -= self._weights[bucket]
        self.target_s = (bucket + 1) * BUCKET_S
