"""The file of actions."""

import json

import trio

from tomrt.events import Action
from tomrt.happenings import ActionRequested, StateChanged
from tomrt.observe.actions import QUEUE, ActionFile

BOOKED = ActionRequested(call_id="c", at=1.0, reply=1, action=Action("book", (("day", "monday"), ("hour", "10:30"))))


async def test_actions_are_appended_and_private(tmp_path):
    """Each action is one JSON line, in order, in a file that only its owner reads."""
    path = tmp_path / "actions.jsonl"
    keeper = ActionFile(path)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(keeper.run)
        keeper.put(BOOKED)
        keeper.put(StateChanged(call_id="c", at=1.0, state="listening"))
        keeper.put(BOOKED)
        keeper.finish()
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert len(lines) == 2
    assert {"call": "c", "action": "book", "day": "monday", "hour": "10:30"}.items() <= lines[0].items()
    assert path.stat().st_mode & 0o777 == 0o600


async def test_disk_that_fails_is_counted_and_ends_nothing(tmp_path):
    """An action that cannot be written is counted; the writer goes on."""
    keeper = ActionFile(tmp_path / "no such folder" / "actions.jsonl")
    async with trio.open_nursery() as nursery:
        nursery.start_soon(keeper.run)
        keeper.put(BOOKED)
        keeper.finish()
    assert keeper.lost == 1


def test_queue_is_bounded(tmp_path):
    """A writer that never runs does not fill the memory; what does not fit is counted."""
    keeper = ActionFile(tmp_path / "actions.jsonl")
    for _ in range(QUEUE + 5):
        keeper.put(BOOKED)
    assert keeper.lost == 5
