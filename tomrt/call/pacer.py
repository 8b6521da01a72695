"""The speak task: sends what playout says is due, on an absolute grid of deadlines."""

from __future__ import annotations

from collections.abc import Callable

import trio
from attrs import define, field

from tomrt.call.playout import AHEAD_S, Chunk, Playout
from tomrt.call.said import Said
from tomrt.ports import Transport

__all__ = ["Pacer"]


@define
class Pacer:
    """Drives one call's playout.

    Args:
        transport: Where the audio goes.
        playout: What decides what is due.
        said: Learns what the line plays, and when.
        first_sample: Called when the first chunk of a reply leaves.
    """

    transport: Transport
    playout: Playout
    said: Said
    first_sample: Callable[[], None]
    _begun: int | None = field(default=None, init=False)
    _wake: trio.Event = field(factory=trio.Event, init=False)
    _moved: trio.Event = field(factory=trio.Event, init=False)

    def wake(self) -> None:
        """Have the task look again now: there is audio, a hold, a cut or a flush."""
        self._wake.set()

    async def run(self) -> None:
        """Pace until cancelled."""
        while True:
            await self._send_what_is_due()
            moved, self._moved = self._moved, trio.Event()
            moved.set()
            with trio.CancelScope(deadline=self.playout.due):
                await self._wake.wait()
            self._wake = trio.Event()

    async def _send_what_is_due(self) -> None:
        while True:
            if self.playout.flush_due:
                self.playout.flush_due = False
                self.said.flushed()
                await self.transport.flush()
            chunk = self.playout.tick(trio.current_time())
            if chunk is None:
                return
            if not chunk.silent:
                self.said.sent(chunk.pcm, chunk.plays_at)
            self._note_first_sample(chunk)
            await self.transport.send_audio(chunk.pcm, mark=chunk.mark)

    async def has_room(self) -> None:
        """Wait until more audio may be made: back-pressure on the voice, and through it on the model."""
        while self.playout.backlog_s >= AHEAD_S and self.playout.can_send:
            await self._moved.wait()

    async def played_out(self) -> None:
        """Wait until the reply was heard to its end."""
        self.wake()
        while not self.playout.is_over(trio.current_time()):
            await self._moved.wait()

    def _note_first_sample(self, chunk: Chunk) -> None:
        if chunk.reply is not None and chunk.reply != self._begun:
            self._begun = chunk.reply
            self.first_sample()
