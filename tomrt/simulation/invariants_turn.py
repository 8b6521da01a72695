"""Invariants of turns and replies (1 to 9)."""

from __future__ import annotations

from tomrt.simulation.invariant import END, invariant
from tomrt.simulation.record import Entry
from tomrt.simulation.seen import Reply, Seen
from tomrt.turns.endpointing import PRE_ROLL_MS

TICK_S = 0.0005
"""Clock times are sums of floats."""
FRAME_S = 0.020
YIELD_S = 0.120
LINGER_S = 0.6
"""What engines that linger when cancelled may add."""


@invariant(1, "at most one live reply", "ReplyStarted")
def one_live_reply(seen: Seen, entry: Entry) -> str | None:
    """No reply begins before the one before it has ended."""
    if seen.live:
        return f"reply {entry.what.reply} began while reply {seen.live[-1].number} was alive"
    return None


@invariant(2, "every reply ends exactly once", "ReplyEnded", END)
def reply_ends_once(seen: Seen, entry: Entry) -> str | None:
    """Each reply that began ends, and no other does."""
    if entry.kind == END:
        return f"reply {seen.live[0].number} never ended" if seen.live else None
    reply = seen.replies.get(entry.what.reply)
    if reply is None:
        return f"reply {entry.what.reply} ended and had never begun"
    if reply.ended_at is not None:
        return f"reply {reply.number} ended twice: {reply.outcome}, then {entry.what.outcome.value}"
    return None


@invariant(2, "a reply's outcome is what happened", "ReplyEnded")
def outcome_is_true(seen: Seen, entry: Entry) -> str | None:
    """What was cut had been heard, what was cancelled had not, and a held reply is not complete."""
    reply = seen.replies.get(entry.what.reply)
    if reply is None:
        return None
    outcome = entry.what.outcome.value
    if outcome == "cut" and reply.audible_at is None:
        return f"reply {reply.number} was cut and nothing of it had been heard"
    if outcome == "cancelled" and reply.audible_at is not None:
        return f"reply {reply.number} was cancelled and had been heard since {reply.audible_at:.3f} s"
    if outcome == "completed" and seen.is_held(reply):
        return f"reply {reply.number} was completed while it was held"
    if outcome == "completed" and reply.secret:
        return f"reply {reply.number} was completed and never confirmed"
    return None


@invariant(3, "nothing audible of a reply after its end", "line.audio")
def silent_after_end(seen: Seen, entry: Entry) -> str | None:
    """Sound of a reply is sent only while it is alive."""
    for start, _ in entry.what["spots"]:
        request = seen.request_at(start)
        reply = request.reply if request is not None else None
        if reply is not None and reply.ended_at is not None:
            return f"reply {reply.number}, over since {reply.ended_at:.3f} s, is sent"
    return None


@invariant(3, "nothing audible but replies", "line.audio")
def only_replies_sound(seen: Seen, entry: Entry) -> str | None:
    """Each sound sent is a piece of a reply, or the fade at the beginning of a hold, after a cut or when all ends."""
    if not entry.what["audible"] or entry.what["spots"] or not seen.scenario.traceable:
        return None
    now = entry.at
    if 0.0 <= now - seen.closing_at <= _fade_slack_s(seen):
        return None
    for reply in reversed(seen.replies.values()):
        stops = (reply.yielded_at, reply.ended_at, reply.judged_at, reply.keyed_at)
        if any(stop is not None and now - stop <= _fade_slack_s(seen) for stop in stops):
            return None
        if reply.ended_at is not None and now - reply.ended_at > 1.0:
            break
    return "sound was sent that no voice had made"


def _fade_slack_s(seen: Seen) -> float:
    return 0.7 if seen.faults & {"line.slow_send", "line.slow_flush"} else 2.1 * FRAME_S


@invariant(3, "every request of the engines ends with the reply", END)
def all_requests_done(seen: Seen, _: Entry) -> str | None:
    """Nothing that was asked of an engine is still under way when the call is over."""
    left = {name: count for name, count in seen.working.items() if count}
    return f"still under way: {left}" if left else None


@invariant(4, "a turn is open exactly while the caller has it", "TurnOpened", "TurnEnded", "TurnWithdrawn")
def turns_open_and_close(seen: Seen, entry: Entry) -> str | None:
    """Turns are opened one at a time with rising numbers, and ended or withdrawn once."""
    number = entry.what.turn
    turn = seen.turns.get(number)
    if entry.kind == "TurnOpened":
        if seen.open_turn is not None:
            return f"turn {number} was opened while turn {seen.open_turn.number} was open"
        if seen.turns and number <= max(seen.turns):
            return f"turn {number} was opened after turn {max(seen.turns)}"
        return None
    if entry.kind == "TurnEnded":
        by_keys = entry.what.reason == "keys"
        if not by_keys and seen.open_turn is not turn:
            return f"turn {number} ended and was not open"
        return f"turn {number} ended twice" if turn is not None and turn.ended_at is not None else None
    if turn is None:
        return f"turn {number} was withdrawn and had never been opened"
    return f"turn {number} was withdrawn twice" if turn.withdrawn_at is not None else None


@invariant(4, "a cut precedes the new turn's commit", "line.audio", "ReplyEnded", "CallEnded")
def cut_before_commit(seen: Seen, entry: Entry) -> str | None:
    """When a turn is committed, whatever was being said is over."""
    if entry.kind == "CallEnded":
        left = [reply for reply in seen.replies.values() if _outlives_its_turn(reply, entry.at)]
        return f"reply {left[0].number} went on after a newer turn was committed" if left else None
    if entry.kind == "ReplyEnded":
        reply = seen.replies.get(entry.what.reply)
        if reply is not None and reply.doomed_at is not None and entry.what.outcome.value == "completed":
            return f"reply {reply.number} was completed although a newer turn had been committed"
        return None
    for start, _ in entry.what["spots"]:
        request = seen.request_at(start)
        if request is not None and request.reply is not None and request.reply.doomed_at is not None:
            return f"reply {request.reply.number} is sent although a newer turn was committed"
    return None


def _outlives_its_turn(reply: Reply, now: float) -> bool:
    end = reply.ended_at if reply.ended_at is not None else now
    return reply.doomed_at is not None and end - reply.doomed_at > LINGER_S


@invariant(5, "a turn is answered once at most", "ReplyAudible")
def answered_once(seen: Seen, entry: Entry) -> str | None:
    """No turn is answered twice, and no turn that was taken back."""
    number = entry.what.turn
    if not number:
        return None
    turn = seen.turns.get(number)
    if turn is None or turn.ended_at is None:
        return f"turn {number} is answered and was never committed"
    if turn.withdrawn_at is not None:
        return f"turn {number} is answered although it was withdrawn: {turn.withdrawn}"
    for reply in seen.replies.values():
        if reply.turn == number and reply.audible_at is not None:
            return f"turn {number} is answered by reply {entry.what.reply} and was by reply {reply.number}"
    return None


@invariant(5, "a turn is answered, superseded, or the call ended", "CallEnded")
def every_turn_has_an_outcome(seen: Seen, entry: Entry) -> str | None:
    """Work on the answer of each turn that was committed begins at once, unless the caller goes on or the call ends."""
    for turn in seen.turns.values():
        if turn.ended_at is None or turn.withdrawn_at is not None:
            continue
        if any(reply.turn == turn.number for reply in seen.replies.values()):
            continue
        until = turn.ended_at + LINGER_S
        if turn.understanding:  # that was the beginning, and takes its time
            until += seen.scenario.settings.engines.reply_timeout_s
        later = [each.opened_at or each.ended_at for each in seen.turns.values() if each.number > turn.number]
        superseded = any(at is not None and at <= until for at in later)
        if min(entry.at, seen.closing_at) > until and not superseded:
            return f"turn {turn.number}, committed at {turn.ended_at:.3f} s, was never answered"
    return None


@invariant(6, "a reply is based on the newest text", "ReplyStarted", "ReplyConfirmed")
def newest_turn(seen: Seen, entry: Entry) -> str | None:
    """Work begins for the newest turn only, and a draft is confirmed only when its turn is complete."""
    number = entry.what.turn
    if not number:
        return None
    turn = seen.turns.get(number)
    if turn is None or seen.newest_committed > number:
        return f"turn {number} is answered although turn {seen.newest_committed} was committed"
    if entry.kind == "ReplyConfirmed":
        return None if turn.ended_at is not None else f"turn {number} was confirmed before it ended"
    if entry.what.draft:
        return None
    if turn.ended_at is None or turn.withdrawn_at is not None:
        return f"a reply that is no draft began for turn {number}, which is not complete"
    return None


@invariant(6, "a reply is based on the whole turn", "ReplyAudible")
def whole_turn(seen: Seen, entry: Entry) -> str | None:
    """The recogniser was given the turn up to its last word, also where that was before its end was known."""
    turn, reply = seen.turns.get(entry.what.turn), seen.replies.get(entry.what.reply)
    if turn is None or turn.answered_seconds is None or turn.start_ms is None or turn.end_ms is None:
        return None
    if reply is not None and reply.announced_at is not None:
        return None  # what is audible is no answer yet
    whole_s = (turn.end_ms - max(0.0, turn.start_ms - PRE_ROLL_MS)) / 1000.0
    limit_s = seen.scenario.settings.turns.max_utterance_s
    if turn.answered_seconds < min(whole_s, limit_s) - 1.5 * FRAME_S:
        return f"turn {turn.number} lasted {whole_s:.2f} s and was answered by {turn.answered_seconds:.2f} s of it"
    return None


@invariant(6, "a draft is not audible", "line.audio", "ReplyAudible")
def draft_is_secret(seen: Seen, entry: Entry) -> str | None:
    """Nothing of a draft is heard before it is confirmed."""
    if entry.kind == "ReplyAudible":
        reply = seen.replies.get(entry.what.reply)
        return f"the draft {reply.number} is audible" if reply is not None and reply.secret else None
    for start, _ in entry.what["spots"]:
        request = seen.request_at(start)
        if request is not None and request.reply is not None and request.reply.secret:
            return f"sound of the draft {request.reply.number} is sent"
    return None


@invariant(8, "the assistant falls silent within 120 ms", "line.audio")
def yields_in_time(seen: Seen, entry: Entry) -> str | None:
    """Clean speech over an audible reply makes it yield within 120 ms of its first sample at our socket."""
    settings = seen.scenario.settings.turns
    late = entry.at - seen.onset_at - FRAME_S
    if late <= 0.0 or not entry.what["audible"] or not settings.barge_in or "niedrig" in settings.barge_in_sensitivity:
        return None
    if late < YIELD_S + TICK_S or _line_trouble(seen) or seen.open_turn is not None:
        return None
    for reply in seen.live:
        audible_since = reply.audible_at if reply.audible_at is not None else entry.at
        if audible_since > seen.onset_at - 0.1 or is_guarded(seen, reply) or reply.yielded_at is not None:
            continue
        seen.onset_at = float("inf")
        return f"reply {reply.number} is sent {late * 1000:.0f} ms after the caller's speech reached us"
    return None


def is_guarded(seen: Seen, reply: Reply) -> bool:
    """Whether the reply may not be interrupted."""
    prompts = seen.scenario.prompts
    return bool(reply.prompt) and reply.prompt in {prompts.notice, prompts.goodbye}


def _line_trouble(seen: Seen) -> bool:
    troubles = ("line.stall", "line.stall_in_hold", "line.gap", "line.slow_send", "line.slow_flush", "line.pieces")
    return any(trouble in seen.faults for trouble in troubles)


@invariant(8, "a held reply is silent", "line.audio")
def hold_is_silent(seen: Seen, entry: Entry) -> str | None:
    """While a reply is held nothing of it is sent; sound that was on its way may finish its fade."""
    for start, _ in entry.what["spots"]:
        request = seen.request_at(start)
        reply = request.reply if request is not None else None
        if reply is None or not seen.is_held(reply) or reply.yielded_at is None:
            continue
        if entry.at - reply.yielded_at > _fade_slack_s(seen):
            return f"reply {reply.number} is sent {(entry.at - reply.yielded_at) * 1000:.0f} ms after it yielded"
    return None


@invariant(8, "a yield flushes what the line holds", "ReplyResumed", "BargeInJudged")
def yield_flushes(seen: Seen, entry: Entry) -> str | None:
    """A line that holds audio is flushed when a reply yields."""
    reply = seen.replies.get(entry.what.reply)
    if not seen.scenario.egress.flush_on_yield or reply is None or reply.yielded_at is None or _line_trouble(seen):
        return None
    pending = any(starts + (stop - start) / seen.scenario.rate_hz > entry.at + FRAME_S
                  for request in reply.requests for starts, start, stop in request.played)  # fmt: skip
    if pending and seen.flushed_at < reply.yielded_at:
        return f"reply {reply.number} yielded at {reply.yielded_at:.3f} s and the line was not flushed"
    return None


@invariant(9, "a held reply is committed or resumed in time", "ReplyResumed", "BargeInJudged", "CallEnded")
def hold_ends(seen: Seen, entry: Entry) -> str | None:
    """Each yield is judged within the time the settings allow, at most 500 ms."""
    limit = seen.scenario.settings.turns.decide_ms / 1000.0 + TICK_S
    for reply in seen.live:
        if seen.is_held(reply) and reply.yielded_at is not None and entry.at - reply.yielded_at > limit:
            return f"reply {reply.number} was held for {(entry.at - reply.yielded_at) * 1000:.0f} ms"
    return None


@invariant(9, "a yield is judged exactly once", "ReplyYielded", "ReplyResumed", "BargeInJudged", "ReplyEnded")
def judged_once(seen: Seen, entry: Entry) -> str | None:
    """A reply yields when it is audible and not held; it resumes, or is cut, when it is."""
    reply = seen.replies.get(entry.what.reply)
    if reply is None or reply.ended_at is not None:
        return None if entry.kind == "ReplyEnded" else f"reply {entry.what.reply} is not alive: {entry.kind}"
    match entry.kind:
        case "ReplyYielded" if reply.audible_at is None or seen.is_held(reply):
            return f"reply {reply.number} yielded and was not audible"
        case "BargeInJudged" if not seen.is_held(reply):
            return f"reply {reply.number} was judged and had not yielded"
        case "ReplyResumed" if reply.yielded_at is None:
            return f"reply {reply.number} resumed and had not yielded"
        case _:
            return None
