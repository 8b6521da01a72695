"""What a jitter buffer counts."""

from __future__ import annotations

from attrs import define

__all__ = ["JitterCounts"]


@define(kw_only=True)
class JitterCounts:
    """What became of the frames, since the buffer was made.

    ``received`` is always ``played + late + duplicate + overflow + discarded`` and what is held.

    Args:
        received: Frames put in.
        played: Frames taken out and played.
        late: Frames that came after their place had been passed.
        duplicate: Frames that had come already.
        overflow: Frames dropped, the oldest first, because the buffer was full.
        discarded: Frames of a stream that ended before they were played, or that belong to no stream.
        lost: Frames given up on and concealed; those of them that came after all are counted as late, too.
        underruns: Pulls for which nothing had arrived; what was made up for them only delays what follows.
        made_up_ms: Sound made up, for underruns and in place of lost frames.
        silent: Pulls, in part or whole, that were silence: before the first frame, and where the sender paused.
        shortened: Samples taken out to lower the delay.
        lengthened: Samples put in to raise it.
        restarts: How often another stream began.
    """

    received: int = 0
    played: int = 0
    late: int = 0
    duplicate: int = 0
    overflow: int = 0
    discarded: int = 0
    lost: int = 0
    underruns: int = 0
    made_up_ms: int = 0
    silent: int = 0
    shortened: int = 0
    lengthened: int = 0
    restarts: int = 0
