"""How long this caller pauses within a turn, and so how long a silence must be before it is the end of one.

People leave about 200 ms between turns (S. C. Levinson, F. Torreira, "Timing in turn-taking and its implications for
processing models of language", Frontiers in Psychology 6:731, 2015: modal gaps of 0 to 300 ms), and pauses within a
turn are often longer than that. Which ones a caller makes is learned as LiveKit Agents does it ("dynamic"
endpointing: an exponential average of this caller's pauses, 0.9 of the old and 0.1 of the new), with a spread beside
it as in retransmission timers (V. Jacobson, "Congestion avoidance and control", 1988; RFC 6298), since it is the long
pauses that must be survived.
"""

from __future__ import annotations

from attrs import evolve, frozen

from tomrt.events import Completeness

__all__ = ["Gaps", "Pace"]

KEEP = 0.9
"""Share of the old average that a new pause leaves, once there were enough of them for that."""
SPREADS = 2.0
"""A long pause is the average and this many mean deviations."""
LEAST_SPREAD = 0.2
"""Nobody pauses more evenly than this share of the average, whatever the few pauses so far say."""
TRUST = 3.0
"""So many pauses weigh as much as what the operator set."""
CUT_SHORT_COUNTS = 3
"""A turn that was answered too early counts as this many pauses: speaking over the caller is the worse mistake."""
LONGEST_MS = 2_000.0
"""A longer pause is counted as this long: one moment of thought must not slow down the whole call."""
LEAST_UNKNOWN_MS = 400.0
"""However quick the caller is, words that nobody knows wait at least this long, or what the operator set if less."""


@frozen(kw_only=True)
class Gaps:
    """Pauses of one kind: how many, their average and mean deviation in milliseconds."""

    count: int = 0
    mean_ms: float = 0.0
    deviation_ms: float = 0.0

    def with_one(self, gap_ms: float) -> Gaps:
        """Return these and one more."""
        gap_ms = min(gap_ms, LONGEST_MS)
        count = self.count + 1
        if count == 1:
            return Gaps(count=1, mean_ms=gap_ms, deviation_ms=gap_ms / 2.0)  # as RFC 6298, 2.2
        share = max(1.0 / count, 1.0 - KEEP)
        deviation_ms = self.deviation_ms + share * (abs(gap_ms - self.mean_ms) - self.deviation_ms)
        mean_ms = self.mean_ms + share * (gap_ms - self.mean_ms)
        return Gaps(count=count, mean_ms=mean_ms, deviation_ms=deviation_ms)

    def long_ms(self, default_ms: float) -> float:
        """Return how long a long pause is, drawn towards *default_ms* while few were heard."""
        weight = self.count / (self.count + TRUST)
        spread_ms = max(self.deviation_ms, LEAST_SPREAD * self.mean_ms)
        return default_ms + weight * (self.mean_ms + SPREADS * spread_ms - default_ms)


@frozen(kw_only=True)
class Pace:
    """The caller's pauses within turns.

    Args:
        complete: Those after words that could have stood as they were.
        other: Those after words of which nothing was known.
    """

    complete: Gaps = Gaps()
    other: Gaps = Gaps()

    def paused(self, gap_ms: float, completeness: Completeness) -> Pace:
        """Take a pause of *gap_ms* that turned out not to be the end; one after "and" or "um" says nothing."""
        match completeness:
            case Completeness.COMPLETE:
                return evolve(self, complete=self.complete.with_one(gap_ms))
            case Completeness.UNKNOWN:
                return evolve(self, other=self.other.with_one(gap_ms))
            case Completeness.INCOMPLETE:
                return self

    def cut_short(self, gap_ms: float, completeness: Completeness) -> Pace:
        """Take a pause of *gap_ms* that was taken for the end and was not; after a very long one it was."""
        pace = self
        if gap_ms > LONGEST_MS:
            return pace
        for _ in range(CUT_SHORT_COUNTS):
            pace = pace.paused(gap_ms, completeness)
        return pace

    def hangover_ms(
        self, completeness: Completeness, *, complete_ms: float, silence_ms: float, incomplete_ms: float
    ) -> float:
        """Return how long a silence must be to end a turn.

        Args:
            completeness: What is known of the words.
            complete_ms: Least, and for complete words the default; they wait *silence_ms* at most.
            silence_ms: Default for words that nobody knows.
            incomplete_ms: Most, and what words that break off always wait.
        """
        match completeness:
            case Completeness.COMPLETE:
                return _between(complete_ms, self.complete.long_ms(complete_ms), silence_ms)
            case Completeness.UNKNOWN:
                least_ms = max(complete_ms, min(LEAST_UNKNOWN_MS, silence_ms))
                return _between(least_ms, self.other.long_ms(silence_ms), incomplete_ms)
            case Completeness.INCOMPLETE:
                return incomplete_ms


def _between(low: float, value: float, high: float) -> float:
    return max(low, min(value, high))
