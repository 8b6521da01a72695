"""What each entry of a record tells an outsider."""

from __future__ import annotations

from typing import Any

from tomrt.simulation.record import Entry
from tomrt.simulation.seen import NEVER, Reply, Request, Seen, TurnSeen

__all__ = ["learn"]

STIRS = {"TurnOpened", "TurnEnded", "TurnWithdrawn", "ReplyStarted", "ReplyEnded", "StateChanged", "line.key"}
"""After these the silence of a caller counts anew."""


def learn(seen: Seen, entry: Entry) -> None:
    """Take note of what *entry* says."""
    seen.now = entry.at
    if isinstance(entry.what, dict):
        do = _WORLD.get(entry.kind)
    else:
        seen.happenings.append((entry.kind, entry.at))
        do = _HAPPENED.get(entry.kind)
    if do is not None:
        do(seen, entry.at, entry.what)
    if entry.kind in STIRS:
        seen.idle_since = entry.at


# --- happenings ------------------------------------------------------------------------------------------------------


def _reply_started(seen: Seen, at: float, what: Any) -> None:
    reply = Reply(what.reply, what.turn, at, draft=what.draft, confirmed_at=None if what.draft else at)
    seen.replies[what.reply] = reply
    seen.live.append(reply)


def _reply_ended(seen: Seen, at: float, what: Any) -> None:
    reply = seen.replies.get(what.reply)
    if reply is not None and reply in seen.live:
        seen.live.remove(reply)
        reply.ended_at, reply.outcome, reply.text, reply.heard = at, what.outcome.value, what.text, what.heard


def _reply_audible(seen: Seen, at: float, what: Any) -> None:
    reply = seen.replies[what.reply]
    reply.audible_at = at
    if at >= seen.last_words_at and (what.turn or reply.prompt == seen.scenario.prompts.failure):
        seen.answered_at = at


def _reply_yielded(seen: Seen, at: float, what: Any) -> None:
    reply = seen.replies[what.reply]
    reply.yielded_at, reply.judged_at = at, None
    seen.count_hold()
    reply.yields += 1


def _judged(seen: Seen, at: float, what: Any) -> None:
    seen.replies[what.reply].judged_at = at
    seen.interruptions += what.interruption


def _reply_resumed(seen: Seen, at: float, what: Any) -> None:
    reply = seen.replies[what.reply]
    reply.resumed_at = reply.judged_at = at
    seen.onset_at = NEVER


def _confirmed(seen: Seen, at: float, what: Any) -> None:
    seen.replies[what.reply].confirmed, seen.replies[what.reply].confirmed_at = True, at


def _announced(seen: Seen, at: float, what: Any) -> None:
    seen.replies[what.reply].announced_at = at


def _turn(seen: Seen, number: int) -> TurnSeen:
    return seen.turns.setdefault(number, TurnSeen(number))


def _turn_opened(seen: Seen, at: float, what: Any) -> None:
    seen.open_turn = _turn(seen, what.turn)
    seen.open_turn.opened_at, seen.open_turn.start_ms = at, what.start_ms


def _turn_ended(seen: Seen, at: float, what: Any) -> None:
    turn = _turn(seen, what.turn)
    turn.ended_at, turn.reason, turn.end_ms = at, what.reason, what.end_ms
    if what.start_ms is not None:
        turn.start_ms = what.start_ms
    seen.newest_committed = max(seen.newest_committed, what.turn)
    seen.open_turn = None
    for reply in seen.live:
        if reply.doomed_at is None and not (reply.draft and reply.turn == what.turn):
            reply.doomed_at = at


def _turn_withdrawn(seen: Seen, at: float, what: Any) -> None:
    turn = _turn(seen, what.turn)
    turn.withdrawn, turn.withdrawn_at = what.reason, at
    if seen.open_turn is turn:
        seen.open_turn = None


def _state(seen: Seen, at: float, what: Any) -> None:
    seen.phase = what.state
    if what.state in {"closing", "transferred", "ended"}:
        seen.closing_at = min(at, seen.closing_at)


def _tool_started(seen: Seen, _: float, what: Any) -> None:
    seen.tool_uses[what.reply, what.use] = what.name
    if (reply := seen.replies.get(what.reply)) is not None:
        reply.used_tools = True


def _tool_ended(seen: Seen, _: float, what: Any) -> None:
    seen.tool_uses.pop((what.reply, what.use), None)
    seen.tool_ends += 1


def _signalled(seen: Seen, at: float, what: Any) -> None:
    seen.noticed.append((what.signal, at))


def _call_ended(seen: Seen, at: float, what: Any) -> None:
    seen.ended, seen.ended_at = what, at


_HAPPENED = {
    "ReplyStarted": _reply_started,
    "ReplyEnded": _reply_ended,
    "ReplyAudible": _reply_audible,
    "ReplyYielded": _reply_yielded,
    "ReplyResumed": _reply_resumed,
    "ReplyConfirmed": _confirmed,
    "Announced": _announced,
    "BargeInJudged": _judged,
    "TurnOpened": _turn_opened,
    "TurnEnded": _turn_ended,
    "TurnWithdrawn": _turn_withdrawn,
    "StateChanged": _state,
    "ToolStarted": _tool_started,
    "ToolEnded": _tool_ended,
    "Signalled": _signalled,
    "CallEnded": _call_ended,
}


# --- the world around ------------------------------------------------------------------------------------------------


def _audio(seen: Seen, _: float, what: dict[str, Any]) -> None:
    starts = what["starts"]
    if what["audible"]:
        seen.sounds_until = max(seen.sounds_until, starts + what["samples"] / seen.scenario.rate_hz)
    for start, stop in what["spots"]:
        request = seen.request_at(start)
        if request is not None:
            request.sent_to = max(stop, request.sent_to)
            request.played.append((starts, start, stop))
            starts += (stop - start) / seen.scenario.rate_hz


def _key(seen: Seen, at: float, _: dict[str, Any]) -> None:
    for reply in seen.live:
        if reply.audible_at is not None and reply.keyed_at is None:
            reply.keyed_at = at


def _flushed(seen: Seen, at: float, what: dict[str, Any]) -> None:
    seen.flushed_at, seen.flush_sample = at, what["at_sample"]
    if seen.scenario.egress.longest_file_s:
        return
    for reply in seen.live:
        for request in reply.requests:
            request.played = [_until(piece, at, seen.scenario.rate_hz) for piece in request.played if piece[0] < at]


def _until(piece: tuple[float, int, int], at: float, rate_hz: int) -> tuple[float, int, int]:
    starts, start, stop = piece
    return starts, start, min(stop, start + round((at - starts) * rate_hz))


def _tts_asked(seen: Seen, _: float, what: dict[str, Any]) -> None:
    reply = seen.live[-1] if seen.live else None
    request = seen.requests[what["number"]] = Request(what["number"], what["text"], reply)
    if reply is not None:
        reply.requests.append(request)


def _tts_voices(seen: Seen, _: float, what: dict[str, Any]) -> None:
    request = seen.requests[what["number"]]
    request.word, request.words = what["word"], what["words"]
    request.start = request.sent_to = what["start"]
    request.stop = what["start"] + what["samples"]


def _tts_voiced(seen: Seen, _: float, what: dict[str, Any]) -> None:
    seen.requests[what["number"]].voiced += what["samples"]


def _session_say(seen: Seen, _: float, what: dict[str, Any]) -> None:
    if seen.live and not seen.live[-1].prompt:
        seen.live[-1].prompt = what["text"]
    _begin(seen, "session")


def _session_respond(seen: Seen, _: float, what: dict[str, Any]) -> None:
    _turn(seen, what["turn"]).answered_seconds = None if what["digits"] else what["seconds"]
    _begin(seen, "session")


def _session_understand(seen: Seen, _: float, what: dict[str, Any]) -> None:
    _turn(seen, what["turn"]).understanding = True
    _begin(seen, "session")


def _begin(seen: Seen, what: str) -> None:
    seen.working[what] = seen.working.get(what, 0) + 1


def _closed(seen: Seen, at: float, what: dict[str, Any]) -> None:
    if seen.closed_at is None:
        seen.closed_at, seen.close_reason = at, what["reason"]


def _caller(seen: Seen, at: float, what: dict[str, Any]) -> None:
    match what["does"]:
        case "say" | "interrupt" if at - seen.spoke_until > 0.6 and at > seen.racket_until and what["seconds"] >= 0.6:
            seen.onset_at = at
        case "speaks once more":
            seen.last_words_at = min(at, seen.last_words_at)
        case "racket" | "cough":
            seen.racket_until = at + what["seconds"] + 2.5
    if what["does"] in {"say", "interrupt", "stammer", "murmur", "cough", "racket", "speaks once more"}:
        seen.spoke_until = at + what["seconds"] + 0.7


def _tool_begins(seen: Seen, _: float, what: dict[str, Any]) -> None:
    seen.tools[what["number"]] = what["name"]


def _tool_ends(seen: Seen, _: float, what: dict[str, Any]) -> None:
    seen.tools.pop(what["number"], None)


def _told(seen: Seen, *_: Any) -> None:
    seen.told += 1


def _hung_up(seen: Seen, *_: Any) -> None:
    seen.hung_up += 1


def _returned(seen: Seen, at: float, _: Any) -> None:
    seen.returned_at = at


def _fault(seen: Seen, _: float, what: dict[str, Any]) -> None:
    seen.faults.add(what["of"])


def _begins(name: str) -> Any:
    return lambda seen, *_: _begin(seen, name)


def _is_done(name: str) -> Any:
    return lambda seen, *_: seen.working.__setitem__(name, seen.working.get(name, 0) - 1)


def _both(first: Any, second: Any) -> Any:
    def do(seen: Seen, at: float, what: Any) -> None:
        first(seen, at, what)
        second(seen, at, what)

    return do


_WORLD = {
    "line.audio": _audio,
    "line.flush": _flushed,
    "line.key": _key,
    "line.closed": _closed,
    "line.told": _told,
    "line.hang_up": _hung_up,
    "call.returned": _returned,
    "caller": _caller,
    "fault": _fault,
    "tts.asked": _both(_begins("tts"), _tts_asked),
    "tts.voices": _tts_voices,
    "tts.voiced": _tts_voiced,
    "tts.done": _is_done("tts"),
    "stt.asked": _begins("stt"),
    "stt.done": _is_done("stt"),
    "llm.asked": _begins("llm"),
    "llm.done": _is_done("llm"),
    "tool.begins": _tool_begins,
    "tool.ends": _tool_ends,
    "session.say": _session_say,
    "session.respond": _session_respond,
    "session.understand": _session_understand,
    "session.listen_over": _begins("session"),
    "session.done": _is_done("session"),
}
