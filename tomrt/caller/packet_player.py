"""What a phone does with packets that a switch passes on one by one: a model of its play-out, frame by frame."""

from __future__ import annotations

from attrs import Factory, define

from tomrt.caller.player import Player

__all__ = ["MAX_FRAMES", "PacketPlayer"]

MAX_FRAMES = 10
"""A phone's jitter buffer holds some 200 ms; what comes on top of that is thrown away."""
EMPTY_FRAMES = 5
"""After so many frames without a packet the next one begins anew, at once."""


@define(kw_only=True)
class PacketPlayer(Player):
    """Plays one packet in each frame of 20 ms, in the order in which they come.

    Modelled: FreeSWITCH and Asterisk pass each packet on at once, as one frame, without a buffer of their own (seen:
    FREESWITCH.md, E). The phone begins to play with the first packet, on a grid of 20 ms from its arrival on; a frame
    whose packet has not come when it begins is silent, and the packet is then played in the next one, so that the
    buffer grows by a frame. Ten wait at most. Not modelled: concealment of what is missing, and the phone's shrinking
    its buffer again.
    """

    late_frames: int = 0
    """Frames that were silent because their packet had not come, between others that had."""
    _frame: bytearray = Factory(bytearray)
    _empty: int = EMPTY_FRAMES

    def advance(self, to: int) -> None:
        """Play until sample *to*, silence where no packet came in time."""
        missing = 2 * (to - self.position)
        while missing > 0:
            if not self._frame:
                self._frame = self._next_frame()
            taken = min(missing, len(self._frame))
            self.heard += self._frame[:taken]
            del self._frame[:taken]
            missing -= taken

    def drain(self) -> None:
        """Play what is left, in no time."""
        while self._queue:
            self.advance(self.position + self.rate_hz // 50)
        self.advance(self.position + len(self._frame) // 2)

    def _take(self, pcm: bytes) -> None:
        if len(self._queue) >= MAX_FRAMES:
            self.dropped_samples += len(pcm) // 2
            return
        if self._empty >= EMPTY_FRAMES:
            self._frame = bytearray()
        elif self._empty:
            self.late_frames += self._empty
        self._empty = 0
        self._queue.append(bytearray(pcm))

    def _next_frame(self) -> bytearray:
        if self._queue:
            self._empty = 0
            return self._queue.popleft()
        self._empty += 1
        return bytearray(2 * self.rate_hz // 50)
