"""A few seconds of unicast audio with an echo: what comes is kept, a tone is sent, and its return is timed."""

from __future__ import annotations

import socket
from bisect import bisect_right
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from itertools import accumulate

import trio
from attrs import define, field, frozen

from tomrt.audio import alaw_decode, alaw_encode, ulaw_decode, ulaw_encode
from tomrt.doctor.call_facts import CallFacts, Packet
from tomrt.doctor.tone import find, tone
from tomrt.errors import SwitchError
from tomrt.settings import Freeswitch

__all__ = ["AudioTrial", "Line", "lend_ports"]

FRAME_S = 0.02
FIRST_PACKET_S = 2.0
BEFORE, AFTER = 25, 30
"""Frames of silence around the tone: half a second to see the cadence, 600 ms to wait for the echo."""
MAX_PACKET = 4_096

_ENCODE: dict[str, Callable[[bytes], bytes]] = {"PCMU": ulaw_encode, "PCMA": alaw_encode}
_DECODE: dict[str, Callable[[bytes], bytes]] = {"PCMU": ulaw_decode, "PCMA": alaw_decode}


@frozen(kw_only=True)
class Line:
    """How the audio of a call is written.

    Args:
        codec: FreeSWITCH's name of it.
        rate_hz: Its sample rate.
    """

    codec: str
    rate_hz: int

    @property
    def native(self) -> bool:
        """Whether packets hold the codec's own bytes; else FreeSWITCH is asked for 16-bit samples."""
        return self.codec in {*_ENCODE, "L16"}

    @property
    def frame_bytes(self) -> int:
        """Bytes of a packet that holds 20 ms."""
        samples = round(self.rate_hz * FRAME_S)
        return samples if self.codec in _ENCODE else 2 * samples

    def encode(self, pcm: bytes) -> bytes:
        """Return 16-bit samples as the bytes of a packet."""
        return _ENCODE.get(self.codec, bytes)(pcm)

    def decode(self, data: bytes) -> bytes:
        """Return the samples of a packet; one of another length, as comfort noise has in G.711, is a silent frame."""
        if len(data) != self.frame_bytes:
            return bytes(2 * round(self.rate_hz * FRAME_S))
        return _DECODE.get(self.codec, bytes)(data)


@contextmanager
def lend_ports(settings: Freeswitch) -> Iterator[tuple[socket.socket, tuple[str, int], tuple[str, int]]]:
    """Bind one of the ports that the service uses, from the end that it comes to last.

    Yields:
        Our socket, FreeSWITCH's address and ours.

    Raises:
        SwitchError: no port can be had.
    """
    host, first, last = settings.unicast_host, settings.unicast_first_port, settings.unicast_last_port
    fault = "the range holds no pair"
    for ours in range(last if last % 2 else last - 1, first, -2):
        with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_DGRAM) as udp:
            try:
                udp.bind((host, ours))
            except OSError as error:
                fault = error.strerror or str(error)
                continue
            udp.setblocking(False)
            yield udp, (settings.unicast_switch_host, ours - 1), (host, ours)
            return
    raise SwitchError(f"no UDP port from {first} to {last} can be had at {host}: {fault}")


@define(kw_only=True)
class AudioTrial:
    """One exchange.

    Args:
        udp: Our socket.
        switch: FreeSWITCH's address and port.
        line: How its audio is written.
        facts: Where what was seen is kept.
        tell: Told what is being done.
    """

    udp: socket.socket
    switch: tuple[str, int]
    line: Line
    facts: CallFacts
    tell: Callable[[str], None]
    _heard: list[bytes] = field(factory=list, init=False)

    async def run(self) -> None:
        """Listen, send the tone, look for it; gives up after 2 s when nothing comes."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._hear)
            self.tell("listening for its audio")
            with trio.move_on_after(FIRST_PACKET_S):
                while not self.facts.packets:
                    await trio.sleep(FRAME_S / 2)
            if self.facts.packets:
                self.tell("sending a tone and waiting for its echo")
                self._look_for_tone(await self._say())
            nursery.cancel_scope.cancel()

    async def _hear(self) -> None:
        while True:
            await trio.lowlevel.wait_readable(self.udp)
            with suppress(BlockingIOError, ConnectionRefusedError):
                data, sender = self.udp.recvfrom(MAX_PACKET)
                self.facts.packets.append(Packet(trio.current_time(), len(data)))
                self.facts.senders.add(f"{sender[0]}:{sender[1]}")
                self._heard.append(self.line.decode(data))

    async def _say(self) -> float:
        """Send silence, the tone and silence, a packet every 20 ms; return when the tone began."""
        silence = bytes(2 * round(self.line.rate_hz * FRAME_S))
        wave = tone(self.line.rate_hz)
        frames = [wave[at : at + len(silence)] for at in range(0, len(wave), len(silence))]
        start, began = trio.current_time(), 0.0
        for number, frame in enumerate([*[silence] * BEFORE, *frames, *[silence] * AFTER]):
            await trio.sleep_until(start + number * FRAME_S)
            began = trio.current_time() if number == BEFORE else began
            with suppress(OSError):
                self.udp.sendto(self.line.encode(frame), self.switch)
        self.facts.tone_sent = True
        return began

    def _look_for_tone(self, began: float) -> None:
        """Find the tone in what was heard, and time the packet that it begins in."""
        found = find(b"".join(self._heard), self.line.rate_hz)
        if found is None:
            return
        ends = list(accumulate(len(each) // 2 for each in self._heard))
        packet = bisect_right(ends, found.at)
        into = found.at - (ends[packet - 1] if packet else 0)
        heard_at = self.facts.packets[packet].at + into / self.line.rate_hz
        self.facts.round_trip_ms = 1000 * (heard_at - began)
        self.facts.likeness = min(1.0, found.likeness)
