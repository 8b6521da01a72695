"""What the media modules of the fake switch have in common: their audio out, their files, and the JSON they read."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from base64 import b64decode
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import trio
from attrs import frozen
from fakes.freeswitch_websocket import ConnectError, ModuleSocket

from tomrt.audio import Resampler

if TYPE_CHECKING:
    from fakes.freeswitch import FakeSwitch
    from fakes.freeswitch_call import FakeCall

__all__ = ["MediaModule", "Tapping", "object_in", "rate_in"]

START_BLOCKS = 4
RAW_RATES_HZ = frozenset({8000, 16000, 24000, 32000, 48000, 64000})


@frozen
class Tapping:
    """What is sent of a call: ``mono``, ``mixed`` or ``stereo``, at a rate."""

    mix: str
    rate_hz: int


class MediaModule(ABC):
    """One module on one call.

    Args:
        switch: Whose call it is.
        call: The call.
        name: Its bug name: a call may have several modules.
        tapping: What it sends.
        event_prefix: Of the subclasses of its events.
    """

    def __init__(self, switch: FakeSwitch, call: FakeCall, *, name: str, tapping: Tapping, event_prefix: str) -> None:
        self.name = name
        self.heard = bytearray()
        self.received_binary: list[int] = []
        """Sizes of the binary messages of the server."""
        self.received_text: list[str] = []
        self.blocks_sent: list[int] = []
        """Sizes of the frames sent."""
        self.faults: list[str] = []
        """What the server sent that the module cannot make use of."""
        self.connected = False
        self.paused = False
        self.over = ""
        """How the connection ended, ``""`` while it is up."""
        self.socket: ModuleSocket | None = None
        self._switch = switch
        self._call = call
        self._tapping = tapping
        self._prefix = event_prefix
        self._resampler = Resampler(call.rate_hz, tapping.rate_hz) if tapping.rate_hz != call.rate_hz else None
        self._blocks = 0
        self._files = 0

    # --- to be filled in by a module ---------------------------------------------------------------------------------

    @abstractmethod
    def block(self, pcm: bytes) -> None:
        """Take 20 ms to send."""

    @abstractmethod
    def message(self, message: str | bytes) -> None:
        """Take a message of the server."""

    @abstractmethod
    def ended(self, how: str) -> None:
        """Take the end of the connection."""

    # --- the same for all --------------------------------------------------------------------------------------------

    @property
    def in_use(self) -> bool:
        """Whether it holds on to the call: a new ``start`` is refused."""
        attached: object = self._call.modules.get(self.name)
        return attached is self

    def tick(self, frame: bytes, at: int, *, written: bool) -> None:
        """Take the caller's *frame*."""
        self.heard += bytes(max(0, 2 * at - len(self.heard)))
        if self.paused or self.over:
            return
        self._blocks += 1
        if self._switch.odd.no_rtp or (self._switch.odd.ff_start and self._blocks <= START_BLOCKS):
            frame = b"\xff" * len(frame)
        if self._tapping.mix != "mono" and not written and self._switch.odd.silent_idle:
            return  # stereo and mixed need frames to the caller, and an idle channel has none
        self.block(self._mixed(frame))

    def abort(self) -> None:
        """Break the connection."""
        if self.socket:
            self.socket.abort()

    def leave(self) -> None:
        """Let go of the call."""
        if self.in_use:
            del self._call.modules[self.name]
        for path in self._switch.folder.glob(f"{self._call.uuid}_*"):
            path.unlink()

    def event(self, what: str, body: str = "") -> None:
        """Fire a CUSTOM event."""
        self._call.fire("CUSTOM", {"Event-Subclass": f"{self._prefix}::{what}"}, body)

    def write_file(self, content: bytes, suffix: str) -> str:
        """Write a file that somebody else may play, and return its name."""
        path = self._switch.folder / f"{self._call.uuid}_{self._files}.tmp.{suffix}"
        self._files += 1
        path.write_bytes(content)
        return str(path)

    async def connect(self, socket: ModuleSocket, limit_s: float) -> str:
        """Connect; return what went wrong, or nothing."""
        self.socket = socket
        failed = "Timeout"
        try:
            with trio.move_on_after(limit_s):
                await socket.connect()
                failed = ""
        except ConnectError as error:
            failed = str(error)
        finally:
            if failed:
                await socket.aclose()
        self.connected = not failed
        return failed

    async def exchange(self) -> None:
        """Exchange messages until the connection ends."""
        assert self.socket is not None
        self.over = await self.socket.run(self._take)
        self.ended(self.over)

    def _take(self, message: str | bytes) -> None:
        if isinstance(message, bytes):
            self.received_binary.append(len(message))
        else:
            self.received_text.append(message)
        self.message(message)

    def _mixed(self, frame: bytes) -> bytes:
        pcm = self._resampler.process(frame) if self._resampler else frame
        if self._tapping.mix != "stereo":
            return pcm
        left = np.frombuffer(pcm, "<i2")
        return np.column_stack([left, np.zeros_like(left)]).astype("<i2").tobytes()


def rate_in(word: str) -> int:
    """Return the rate that a start argument names, such as ``8k`` or ``16000``; 0 for none."""
    number = word.lower().removesuffix("k")
    return int(number) * (1000 if word.lower().endswith("k") else 1) if number.isdigit() else 0


def object_in(text: str) -> Mapping[str, object] | None:
    """Return the JSON object in *text*, if that is what it is."""
    try:
        found = json.loads(text)
    except ValueError:
        return None
    return found if isinstance(found, dict) else None


def file_of(content: object, kind: object, rate_hz: object) -> tuple[bytes, str]:
    """Return the bytes and the ending of a file that was sent as base64; what is no raw rate counts as 16 kHz."""
    data = b64decode(str(content))
    if kind in {"wav", "wave"}:
        return data, "wav"
    known = rate_hz if isinstance(rate_hz, int) and rate_hz in RAW_RATES_HZ else 16000
    return data, f"r{known // 1000}"
