"""What a receiver knows of a stream (RFC 3550, 6.4 and appendix A): loss, jitter and the way there and back."""

from __future__ import annotations

from collections import deque

from attrs import define, field

from tomrt.wire.rtcp import ReportBlock

__all__ = ["Reception", "RoundTrip", "middle", "to_ntp"]

SEQUENCES = 1 << 16
MOST_DROPPED = 3000
MOST_MISORDERED = 100
IN_A_ROW = 2
"""Packets with successive numbers that make a source valid, or a jump a new beginning."""

_MOST_LOST, _LEAST_LOST = (1 << 23) - 1, -(1 << 23)


def to_ntp(now: float) -> int:
    """Return a clock time in seconds as the 64 bits of an NTP timestamp; the clock need not be the wall's (6.4.1)."""
    return int(now * (1 << 32)) & 0xFFFFFFFFFFFFFFFF


def middle(ntp: int) -> int:
    """Return the middle 32 bits of an NTP timestamp, which count 1/65536 s."""
    return ntp >> 16 & 0xFFFFFFFF


@define
class Reception:
    """Statistics of one source's packets, as in appendices A.1, A.3 and A.8.

    Args:
        ssrc: The source.
        rate_hz: Ticks per second of its timestamps.
    """

    ssrc: int
    rate_hz: int
    received: int = field(default=0, init=False)
    """Packets counted since the last beginning; duplicates are counted, too."""
    jitter: float = field(default=0.0, init=False)
    """Interarrival jitter now, in ticks."""
    _probation: int = field(default=IN_A_ROW, init=False)
    _begun: bool = field(default=False, init=False)
    _highest: int = field(default=0, init=False)
    _cycles: int = field(default=0, init=False)
    _base: int = field(default=0, init=False)
    _after_jump: int | None = field(default=None, init=False)
    _expected_before: int = field(default=0, init=False)
    _received_before: int = field(default=0, init=False)
    _transit: int | None = field(default=None, init=False)
    _jitter_sum: float = field(default=0.0, init=False)
    _jitter_count: int = field(default=0, init=False)
    _gaps: int = field(default=0, init=False)
    _in_gaps: int = field(default=0, init=False)
    _ended_expected: int = field(default=0, init=False)
    _ended_received: int = field(default=0, init=False)
    _last_report: int = field(default=0, init=False)
    _last_report_at: float = field(default=0.0, init=False)

    @property
    def highest(self) -> int:
        """The highest sequence number so far, above 16 bits how often it wrapped around."""
        return (self._cycles + self._highest) & 0xFFFFFFFF

    @property
    def expected(self) -> int:
        """Packets that the source has sent since the last beginning."""
        return self._cycles + self._highest - self._base + 1 if self.received else 0

    @property
    def lost(self) -> int:
        """Packets lost since the last beginning, within 24 bits; negative where duplicates outnumber losses."""
        return max(_LEAST_LOST, min(_MOST_LOST, self.expected - self.received))

    @property
    def total_expected(self) -> int:
        """Packets sent over all beginnings."""
        return self._ended_expected + self.expected

    @property
    def total_received(self) -> int:
        """Packets that came over all beginnings."""
        return self._ended_received + self.received

    @property
    def mean_jitter(self) -> float:
        """The mean of the interarrival jitter over all packets, in ticks."""
        return self._jitter_sum / self._jitter_count if self._jitter_count else 0.0

    @property
    def mean_gap(self) -> float:
        """How many packets are missing in a row, on average; 0 where none ever were. Late ones count as missing."""
        return self._in_gaps / self._gaps if self._gaps else 0.0

    def change(self, ssrc: int) -> None:
        """Begin again with another source in the place of this one; only the counts of the whole go on."""
        self._begin(0)
        self.ssrc = ssrc
        self._probation, self._begun = IN_A_ROW, False
        self.jitter, self._last_report = 0.0, 0

    def take(self, sequence: int) -> bool:
        """Take a packet's number; return whether it belongs to the stream (``update_seq`` of A.1).

        It does not before two came in a row, nor far from the stream, unless again two come in a row: then the source
        has begun again, and so do the counts, without those of the whole.
        """
        if self._probation:
            return self._prove(sequence)
        ahead = (sequence - self._highest) % SEQUENCES
        if ahead < MOST_DROPPED:
            self._move_on(sequence, ahead)
        elif ahead <= SEQUENCES - MOST_MISORDERED:
            if sequence != self._after_jump:
                self._after_jump = (sequence + 1) % SEQUENCES
                return False
            self._begin(sequence)
        self.received += 1
        return True

    def arrived(self, timestamp: int, now: float) -> None:
        """Take a packet's timestamp and its time of arrival in seconds: the jitter of A.8."""
        transit = (int(now * self.rate_hz) - timestamp) & 0xFFFFFFFF
        if self._transit is not None:
            difference = ((transit - self._transit + 0x80000000) & 0xFFFFFFFF) - 0x80000000
            self.jitter += (abs(difference) - self.jitter) / 16
            self._jitter_sum += self.jitter
            self._jitter_count += 1
        self._transit = transit

    def sender_reported(self, ntp: int, now: float) -> None:
        """Take note that the source's own report came, with its time in it."""
        self._last_report, self._last_report_at = middle(ntp), now

    def report(self, now: float) -> ReportBlock:
        """Return what to tell the source, and begin another interval (A.3)."""
        expected, received = self.expected - self._expected_before, self.received - self._received_before
        self._expected_before, self._received_before = self.expected, self.received
        lost = expected - received
        fraction = min(lost * 256 // expected, 0xFF) if expected > 0 and lost > 0 else 0
        delay = int((now - self._last_report_at) * 65536) if self._last_report else 0
        return ReportBlock(
            ssrc=self.ssrc,
            fraction_lost=fraction,
            cumulative_lost=self.lost,
            highest_sequence=self.highest,
            jitter=min(int(self.jitter), 0xFFFFFFFF),
            last_report=self._last_report,
            delay=min(max(delay, 0), 0xFFFFFFFF),
        )

    def _prove(self, sequence: int) -> bool:
        follows = self._begun and sequence == (self._highest + 1) % SEQUENCES
        self._begun, self._highest = True, sequence
        self._probation = self._probation - 1 if follows else IN_A_ROW - 1
        if self._probation:
            return False
        self._begin(sequence)
        self.received = 1
        return True

    def _begin(self, sequence: int) -> None:
        self._ended_expected += self.expected
        self._ended_received += self.received
        self._base = self._highest = sequence
        self._after_jump = None
        self._cycles = self.received = self._expected_before = self._received_before = 0
        self._transit = None

    def _move_on(self, sequence: int, ahead: int) -> None:
        if ahead > 1:
            self._gaps += 1
            self._in_gaps += ahead - 1
        if sequence < self._highest:
            self._cycles += SEQUENCES
        self._highest = sequence


@define
class RoundTrip:
    """The time to the peer and back, from what it says of our reports (RFC 3550, 6.4.1)."""

    seconds: float | None = field(default=None, init=False)
    """The last one; ``None`` before the peer has told."""
    _sent: deque[int] = field(factory=lambda: deque(maxlen=8), init=False)

    def sent(self, ntp: int) -> None:
        """Take note of the time in a sender report of ours."""
        self._sent.append(middle(ntp))

    def reported(self, block: ReportBlock, now: float) -> None:
        """Take the peer's block about us; what does not speak of a report of ours, or is not possible, is left out."""
        if block.last_report not in self._sent:
            return
        elapsed = (middle(to_ntp(now)) - block.last_report) & 0xFFFFFFFF
        if elapsed >= block.delay:
            self.seconds = (elapsed - block.delay) / 65536
