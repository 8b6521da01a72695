"""The resampler's filters: designed once for each ratio, then shared by all streams."""

from typing import final

@final
class LowPass:
    """The filter of one ratio of rates; a part of :class:`tomrt._dsp.resample.Resampler`.

    Args:
        up: Output samples ...
        down: ... for so many input samples, in lowest terms.
    """

    def __init__(self, up: int, down: int) -> None: ...
    @property
    def up(self) -> int:
        """Phases of the filter."""

    @property
    def down(self) -> int:
        """Input samples between two outputs of a phase."""

    @property
    def reach(self) -> int:
        """Input samples on either side of an output that take part in it."""
