"""Invariants of what a caller may expect (33 on): the simulation's own."""

from __future__ import annotations

from tomrt.simulation.invariant import END, invariant
from tomrt.simulation.invariants_turn import is_guarded
from tomrt.simulation.record import Entry
from tomrt.simulation.seen import Reply, Seen

FRAME_S = 0.020
LINGER_S = 0.7
"""What engines that linger when cancelled may add."""
KEYS_S = 1.5
"""Keys are waited for this long."""


@invariant(33, "no exception of our own", "call.crashed")
def no_crash(_: Seen, entry: Entry) -> str | None:
    """The call's code raises nothing that it does not handle."""
    return f"the call failed: {entry.what['error']}"


@invariant(34, "progress once the world is healed", "caller", END)
def progress(seen: Seen, entry: Entry) -> str | None:
    """The caller's last words are answered, or the call has ended in order."""
    if entry.kind == END:
        return "the call did not end" if entry.what["overrun"] else None
    if entry.what["does"] != "leaves" or seen.answered_at is not None or seen.ended is not None:
        return None
    if seen.phase in {"closing", "transferred", "ended"} or seen.closed_at is not None:
        return None
    return "the caller spoke once more and was not answered"


@invariant(35, "without faults nothing fails", "ReplyEnded", "CallEnded")
def nothing_fails_alone(seen: Seen, entry: Entry) -> str | None:
    """Where nothing goes wrong no reply fails and no call does."""
    if seen.scenario.faults:
        return None
    if entry.kind == "CallEnded":
        return "the call failed" if entry.what.reason == "failed" else None
    failed = entry.what.outcome.value == "failed"
    return f"reply {entry.what.reply} failed" if failed else None


@invariant(36, "a key is always an interruption", "line.audio")
def key_interrupts(seen: Seen, entry: Entry) -> str | None:
    """Nothing is sent of a reply that a key was pressed over, unless it may not be interrupted."""
    if "line.slow_send" in seen.faults:
        return None
    for start, _ in entry.what["spots"]:
        request = seen.request_at(start)
        reply = request.reply if request is not None else None
        if reply is None or reply.keyed_at is None or is_guarded(seen, reply):
            continue
        if entry.at - reply.keyed_at > 2.1 * FRAME_S:
            return f"reply {reply.number} is sent {(entry.at - reply.keyed_at) * 1000:.0f} ms after a key was pressed"
    return None


@invariant(37, "what may not be interrupted is not", "ReplyYielded", "ReplyEnded")
def guarded_is_heard(seen: Seen, entry: Entry) -> str | None:
    """The notice and the goodbye are heard whole, whatever the caller does but hang up."""
    reply = seen.replies.get(entry.what.reply)
    if reply is None or not is_guarded(seen, reply) or seen.closed_at is not None:
        return None
    if entry.kind == "ReplyYielded":
        return f"reply {reply.number} yielded and may not be interrupted"
    overlong = entry.at >= seen.scenario.settings.limits.max_call_s
    if entry.what.outcome.value in {"cut", "cancelled"} and not overlong and seen.phase != "ended":
        return f"reply {reply.number} was {entry.what.outcome.value} and may not be interrupted"
    return None


@invariant(38, "no dead air before a reply", "ReplyAudible", "ReplyEnded")
def something_is_heard(seen: Seen, entry: Entry) -> str | None:
    """A reply that takes its time is announced where there is a filler, and given up in time."""
    reply = seen.replies.get(entry.what.reply)
    if reply is None or reply.audible_at is not None or reply.confirmed_at is None or not reply.turn:
        return None
    turn = seen.turns.get(reply.turn)
    since = reply.confirmed_at if turn is None or turn.ended_at is None else min(reply.confirmed_at, turn.ended_at)
    waited = entry.at - since
    settings = seen.scenario.settings
    made_s = sum(request.voiced for request in reply.requests) / seen.scenario.voice_hz
    limit_s = settings.engines.reply_timeout_s + made_s + LINGER_S  # a line that plays files waits for whole ones
    if reply.used_tools:
        limit_s += settings.turns.tool_timeout_s + settings.engines.reply_timeout_s
    if waited > limit_s:
        return f"nothing was heard of reply {reply.number} for {waited:.2f} s"
    filler_after = settings.turns.filler_after_ms / 1000.0
    if not filler_after or not seen.scenario.prompts.filler or reply.announced_at is not None or reply.requests:
        return None
    if entry.at - max(since, seen.sounds_until) > filler_after + LINGER_S:
        return f"nothing was heard of reply {reply.number} for {waited:.2f} s and no filler was said"
    return None


@invariant(38, "no dead air within a reply", "ReplyEnded", END)
def a_reply_goes_on(seen: Seen, entry: Entry) -> str | None:
    """A reply that falls silent in the middle is given up in time."""
    reply = seen.live[-1] if entry.kind == END and seen.live else None
    if entry.kind == "ReplyEnded":
        reply = seen.replies.get(entry.what.reply)
    if reply is None or reply.audible_at is None or _was_held_lately(reply, entry.at):
        return None
    settings = seen.scenario.settings
    limit = settings.engines.reply_timeout_s + settings.turns.tool_timeout_s + LINGER_S
    silent = entry.at - max(seen.sounds_until, reply.audible_at)
    return f"reply {reply.number} was silent for {silent:.2f} s" if silent > limit else None


def _was_held_lately(reply: Reply, now: float) -> bool:
    return reply.yielded_at is not None and now - reply.yielded_at < 1.0


@invariant(39, "a silent caller is asked again", "StateChanged", "TurnOpened", "CallEnded", "ReplyStarted")
def silence_is_noticed(seen: Seen, entry: Entry) -> str | None:
    """When nobody has said anything for a while, the assistant does."""
    if seen.phase != "listening" or seen.live or seen.open_turn is not None:
        return None
    limit = seen.scenario.settings.turns.reprompt_after_s + KEYS_S
    silent = entry.at - seen.idle_since
    return f"nobody said anything for {silent:.2f} s" if silent > limit else None
