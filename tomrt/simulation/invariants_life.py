"""Invariants of engines, tools and the call's life (16 to 24)."""

from __future__ import annotations

from tomrt.simulation.invariant import END, invariant
from tomrt.simulation.record import Entry
from tomrt.simulation.seen import Seen
from tomrt.simulation.toolbox import EFFECTS

TEARDOWN_S = 2.0
LINGER_S = 0.6
FINISH_S = 20.0


@invariant(16, "the first audible sample decides", "ReplyAudible")
def audible_once(seen: Seen, entry: Entry) -> str | None:
    """A reply becomes audible once, while it is alive."""
    reply = seen.replies.get(entry.what.reply)
    if reply is None or reply.ended_at is not None:
        return f"reply {entry.what.reply} became audible and was not alive"
    return f"reply {reply.number} became audible twice" if reply.audible_at is not None else None


@invariant(17, "late results change nothing", "Understood", "ToolStarted", "Announced", "ActionRequested")
def no_late_results(seen: Seen, entry: Entry) -> str | None:
    """Nothing happens for a turn that was withdrawn or a reply that is over."""
    if entry.kind == "Understood":
        turn = seen.turns.get(entry.what.turn)
        late = turn is None or (turn.withdrawn_at is not None and turn.withdrawn_at < entry.at)
        return f"turn {entry.what.turn} was understood and is no turn any more" if late else None
    reply = seen.replies.get(entry.what.reply)
    if entry.kind == "ActionRequested":
        if reply is None or reply.outcome not in {"completed", "cut"}:
            return f"reply {entry.what.reply} asked for {entry.what.action.name} and was not heard"
        return None
    return f"{entry.kind} of reply {entry.what.reply}, which is over" if reply not in seen.live else None


@invariant(18, "effects only for committed turns", "tool.begins")
def effects_are_committed(seen: Seen, entry: Entry) -> str | None:
    """A tool runs for a living reply only, one with effects for a complete turn only, none after the hang-up."""
    if not seen.live:
        return f"{entry.what['name']} ran for no reply"
    reply = seen.live[-1]
    if seen.ended is not None or _is_closed(seen):
        return f"{entry.what['name']} ran after the hang-up"
    if entry.what["name"] not in EFFECTS:
        return None
    turn = seen.turns.get(reply.turn)
    if reply.secret or turn is None or turn.ended_at is None or turn.withdrawn_at is not None:
        return f"{entry.what['name']} ran for turn {reply.turn}, which was not complete"
    return None


@invariant(18, "each use of a tool ends exactly once", "ToolStarted", "ToolEnded", "ReplyEnded", END)
def tools_end_once(seen: Seen, entry: Entry) -> str | None:
    """Each use that began ends, before its reply does, and no other ends."""
    if entry.kind == END:
        return (
            f"uses never ended: {sorted(seen.tool_uses)}, at work: {sorted(seen.tools)}"
            if (seen.tool_uses or seen.tools)
            else None
        )
    if entry.kind == "ReplyEnded":
        left = [use for reply, use in seen.tool_uses if reply == entry.what.reply]
        return f"reply {entry.what.reply} ended and its tool use {left[0]} did not" if left else None
    known = (entry.what.reply, entry.what.use) in seen.tool_uses
    if entry.kind == "ToolStarted":
        return f"use {entry.what.use} of reply {entry.what.reply} began twice" if known else None
    return None if known else f"use {entry.what.use} of reply {entry.what.reply} ended and had not begun"


@invariant(21, "nothing is said or done after the hang-up", "line.audio", "line.flush", "tool.begins", "session.say",
           "session.respond", "session.understand", "stt.asked", "llm.asked", "tts.asked")  # fmt: skip
def silence_after_hang_up(seen: Seen, entry: Entry) -> str | None:
    """When the line has closed, or the call has ended, nothing is sent, asked or used any more."""
    if seen.ended is not None:
        return f"{entry.kind} after the call ended"
    if not _is_closed(seen) or (entry.at == seen.closed_at and entry.kind not in _AT_ONCE):
        return None  # what begins in the same moment is cancelled before it has done anything
    return f"{entry.kind} after the line closed: {seen.close_reason}"


_AT_ONCE = {"tool.begins"}


def _is_closed(seen: Seen) -> bool:
    return seen.closed_at is not None and seen.close_reason != "finished"


@invariant(22, "nothing outlives the call", END)
def nothing_is_left(_: Seen, entry: Entry) -> str | None:
    """Tasks and engines' work are as before the call."""
    left = {name: count for name, count in entry.what["left"].items() if count}
    return f"left behind: {left}" if left else None


@invariant(23, "a closed line ends the call within 2 s", "CallEnded", "call.returned")
def teardown_is_quick(seen: Seen, entry: Entry) -> str | None:
    """From the closed line to the end, and from the end to the last task, it takes 2 s at most."""
    if entry.kind == "CallEnded":
        if seen.closed_at is None:
            return None
        limit = FINISH_S if seen.close_reason == "finished" else 0.0
        late = entry.at - seen.closed_at - limit
        return f"{late:.3f} s from the closed line to the end" if late > LINGER_S else None
    late = entry.at - (seen.ended_at if seen.ended_at is not None else entry.at)
    return f"teardown took {late:.3f} s" if late > TEARDOWN_S + 0.001 else None


@invariant(23, "the call ends once", "CallEnded", "line.hang_up", END)
def ends_once(seen: Seen, entry: Entry) -> str | None:
    """A call ends once, and hangs up once."""
    if entry.kind == "CallEnded":
        return "the call ended twice" if seen.ended is not None else None
    if entry.kind == END:
        if seen.ended is None:
            return "the call never ended"
        return "the line was never hung up" if seen.hung_up == 0 else None
    return "the line was hung up twice" if seen.hung_up else None


@invariant(24, "the peer is told in order, and drops are counted", "line.told", END)
def told_in_order(seen: Seen, entry: Entry) -> str | None:
    """Happenings reach the peer in their order; those that do not are counted."""
    if entry.kind == END:
        if "line.deaf" in seen.faults or "line.slow_send" in seen.faults or seen.ended is None:
            return None
        dropped = dict(seen.ended.dropped).get("happenings", 0)
        missing = len(seen.happenings) - seen.told - dropped
        return f"{missing} happenings were neither told nor counted as dropped" if missing else None
    if seen.told >= len(seen.happenings):
        return "the peer was told what had not happened"
    dropped_some = seen.ended is not None and bool(seen.ended.dropped)
    kind, at = seen.happenings[seen.told]
    if (
        (entry.what["kind"], entry.what["happened"]) != (kind, at)
        and not dropped_some
        and "line.deaf" not in seen.faults
    ):
        return f"the peer was told of {entry.what['kind']} and {kind} came first"
    return None
