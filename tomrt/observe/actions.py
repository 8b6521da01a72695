"""Keeps the actions that replies asked for (appointments, call-backs) as JSON lines, where the operator wants them.

They are personal data: nothing is kept unless ``dialogue.actions_file`` is set, and the file is readable by its owner
only. A writer task of its own does the disk's waiting; happenings queue for it, bounded.
"""

from __future__ import annotations

import json
import logging
import os
from datetime import UTC, datetime
from pathlib import Path

import trio
from attrs import define, field

from tomrt.happenings import ActionRequested, Happening

__all__ = ["ActionFile"]

log = logging.getLogger("tomrt.actions")

QUEUE = 256


@define(eq=False)
class ActionFile:
    """A tap that appends actions to a file.

    Args:
        path: The file; made when the first action comes.
    """

    path: Path
    lost: int = field(default=0, init=False)
    _send: trio.MemorySendChannel[str] = field(init=False)
    _receive: trio.MemoryReceiveChannel[str] = field(init=False)

    def __attrs_post_init__(self) -> None:
        self._send, self._receive = trio.open_memory_channel[str](QUEUE)

    def put(self, happening: Happening) -> None:
        """Queue *happening* when it is an action."""
        if not isinstance(happening, ActionRequested):
            return
        action = happening.action
        entry = {
            "at": datetime.now(UTC).isoformat(timespec="seconds"),
            "call": happening.call_id,
            "action": action.name,
            **dict(action.arguments),
        }
        try:
            self._send.send_nowait(json.dumps(entry, ensure_ascii=False) + "\n")
        except trio.WouldBlock:
            self.lost += 1
            log.error("an action was lost: %s is not written fast enough", self.path)

    async def run(self) -> None:
        """Write until ``finish`` was called and all is written."""
        async for line in self._receive:
            try:
                await trio.to_thread.run_sync(self._append, line)
            except OSError as error:
                self.lost += 1
                log.error("an action was lost: cannot write %s: %s", self.path, error.strerror)

    def finish(self) -> None:
        """Take no more; ``run`` returns when the rest is written."""
        self._send.close()

    def _append(self, line: str) -> None:
        descriptor = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        try:
            os.write(descriptor, line.encode())
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
