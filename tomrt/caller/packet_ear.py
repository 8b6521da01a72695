"""The ear of a phone behind a line of packets: each is unpacked, and played as a phone plays it."""

from __future__ import annotations

from tomrt.caller.ear import Ear
from tomrt.caller.packet_form import PacketForm
from tomrt.caller.packet_player import MAX_FRAMES, PacketPlayer
from tomrt.errors import ProtocolError

__all__ = ["PacketEar"]


class PacketEar(Ear):
    """Hears packets; what the service understood or answered in words it is not told.

    Args:
        rate_hz: Sample rate of the line.
        form: What the packets look like.
    """

    player: PacketPlayer

    def __init__(self, rate_hz: int, form: PacketForm) -> None:
        super().__init__(PacketPlayer(rate_hz=rate_hz))
        self.form = form
        self.packets = 0

    def binary(self, data: bytes, at: int) -> None:
        """Take a packet that arrives at sample *at*."""
        self.packets += 1
        try:
            pcm = self.form.unpack(data)
        except ProtocolError as error:
            self.fault(str(error))
            return
        if not pcm:
            return
        dropped = self.player.dropped_samples
        self.player.play(pcm, at)
        if self.player.dropped_samples > dropped == 0:
            self.fault(f"packets came in bursts: more than {MAX_FRAMES} of them waited, and a phone holds no more")

    def line_closed(self, at: int) -> None:
        """Play on: what has come is with the phone."""
        self.player.advance(at)
