"""Named situations that simulated calls must get into: a simulation that never gets there proves nothing about them.

Each is a condition on the call as it was before an entry of the record, and the entry. A call counts once for each.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from attrs import define, field, frozen

from tomrt.simulation.invariants_turn import is_guarded
from tomrt.simulation.record import Entry
from tomrt.simulation.seen import Reply, Seen
from tomrt.simulation.toolbox import EFFECTS

__all__ = ["LEAST_PER_1000", "SITUATIONS", "Situation", "Witness"]

LEAST_PER_1000 = 10
"""Calls of 1,000 that must get into each situation."""

Condition = Callable[[Seen, Any], bool]


@frozen
class Situation:
    """One of them."""

    name: str
    kinds: tuple[str, ...]
    holds: Condition


def _on(name: str, kinds: str, holds: Condition) -> Situation:
    return Situation(name, tuple(kinds.split()), holds)


def _reply(seen: Seen, what: Any) -> Reply | None:
    return seen.replies.get(what.reply)


def _held(seen: Seen) -> bool:
    return seen.is_moment("held")


def _drafting(seen: Seen) -> bool:
    return seen.is_moment("draft")


def _audible(seen: Seen) -> bool:
    return any(reply.audible_at is not None and not seen.is_held(reply) for reply in seen.live)


def _thinking(seen: Seen) -> bool:
    return seen.is_moment("thinking")


def _greeting(seen: Seen) -> bool:
    return any(reply.prompt == seen.scenario.prompts.greeting for reply in seen.live)


def _guarded(seen: Seen) -> bool:
    return any(is_guarded(seen, reply) and reply.audible_at is not None for reply in seen.live)


def _speaks(what: dict[str, Any]) -> bool:
    return what["does"] in {"say", "interrupt", "stammer"}


def _answer_is_ready(seen: Seen, what: Any) -> bool:
    reply = _reply(seen, what)
    return reply is not None and any(request.voiced for request in reply.requests)


def _is(reason: str) -> Condition:
    return lambda _, what: what.reason == reason


def _struck(*kinds: str) -> Condition:
    return lambda _, what: what["of"] in kinds


def _lingers(_: Seen, what: dict[str, Any]) -> bool:
    return str(what["of"]).endswith("lingers")


SITUATIONS = (
    # Barge-in.
    _on("the caller cuts in", "BargeInJudged", lambda _, what: what.interruption),
    _on("a sound over the assistant is let pass", "BargeInJudged", lambda _, what: not what.interruption),
    _on("barge-in is decided at the deadline", "BargeInJudged",
        lambda seen, what: what.after_ms >= seen.scenario.settings.turns.decide_ms - 1),
    _on("barge-in is decided by words", "BargeInJudged", _is("words")),
    _on("barge-in is decided by length", "BargeInJudged", _is("speech")),
    _on("barge-in is an early answer", "BargeInJudged", _is("answer")),
    _on("a short sound is let pass", "BargeInJudged", _is("too_short")),
    _on("a backchannel is let pass", "BargeInJudged", lambda _, what: what.reason in {"backchannel", "hum"}),
    _on("barge-in during hold", "caller", lambda seen, what: _held(seen) and what["does"] in {"interrupt", "murmur"}),
    _on("key pressed during hold", "line.key", lambda seen, _: _held(seen)),
    _on("hang-up during hold", "line.closed", lambda seen, _: _held(seen)),
    _on("line stalls while held", "line.stalls", lambda seen, _: _held(seen)),
    _on("a reply yields twice", "ReplyYielded", lambda seen, what: seen.replies[what.reply].yields >= 1),
    _on("a reply is cut after it was resumed", "ReplyEnded",
        lambda seen, what: what.outcome.value == "cut" and seen.replies[what.reply].resumed_at is not None),
    _on("the greeting is cut", "BargeInJudged", lambda seen, what: what.interruption and _greeting(seen)),
    _on("speech over what may not be interrupted", "caller", lambda seen, what: _guarded(seen) and _speaks(what)),
    _on("speech with barge-in switched off", "caller",
        lambda seen, what: _audible(seen) and _speaks(what) and not seen.scenario.settings.turns.barge_in),
    _on("key pressed over a reply", "line.key", lambda seen, _: _audible(seen)),
    _on("key pressed while thinking", "line.key", lambda seen, _: _thinking(seen)),
    _on("a mark is lost before a hold", "ReplyYielded", lambda seen, _: "mark.lost" in seen.faults),
    _on("a mark is late before a hold", "ReplyYielded", lambda seen, _: "mark.late" in seen.faults),
    _on("audio is flushed from the line", "line.flush", lambda _, what: what["at_sample"] is not None),
    # Turns and drafts.
    _on("draft confirmed", "ReplyConfirmed", lambda *_: True),
    _on("the answer is ready when the turn ends", "ReplyConfirmed", _answer_is_ready),
    _on("draft cancelled because the caller went on", "ReplyEnded",
        lambda seen, what: seen.replies[what.reply].secret and seen.open_turn is not None and seen.closed_at is None),
    _on("hang-up during a draft", "line.closed", lambda seen, _: _drafting(seen)),
    _on("key pressed during a draft", "line.key", lambda seen, _: _drafting(seen)),
    _on("an engine fails under a draft", "fault",
        lambda seen, what: _drafting(seen) and what["of"].endswith(("error", "breaks_off"))),
    _on("an engine hangs under a draft", "fault",
        lambda seen, what: _drafting(seen) and what["of"] in {"llm.hang", "tts.hang", "llm.hangs_midway"}),
    _on("the recogniser fails at a pause", "fault",
        lambda seen, what: what["of"] in {"stt.error", "stt.hang"} and seen.open_turn is not None),
    _on("a turn is taken back", "TurnWithdrawn", _is("the caller went on")),
    _on("a turn is too short", "TurnWithdrawn", _is("too_short")),
    _on("a turn of keys", "TurnEnded", _is("keys")),
    _on("a turn ends because the line stalls", "TurnEnded", _is("stalled")),
    _on("a turn is too long", "TurnEnded", _is("too_long")),
    _on("nothing was understood", "Understood", lambda _, what: not what.text),
    # Replies.
    _on("a reply fails", "ReplyEnded", lambda _, what: what.outcome.value == "failed"),
    _on("a reply fails when part of it was heard", "ReplyEnded",
        lambda _, what: what.outcome.value == "failed" and what.heard != ""),
    _on("an engine hangs and the reply is given up", "ReplyEnded",
        lambda seen, what: what.outcome.value == "failed" and bool(seen.faults & {"llm.hang", "tts.hang", "stt.hang"})),
    _on("the second failure ends the call", "CallEnded", _is("failed")),
    _on("a filler is said", "Announced", lambda _, what: what.kind == "filler"),
    _on("the caller is asked again", "session.say",
        lambda seen, what: what["text"] in seen.scenario.prompts.still_there),
    _on("silence ends the call", "CallEnded", _is("silence")),
    _on("the call is too long", "CallEnded", _is("too_long")),
    _on("the assistant hangs up", "CallEnded", _is("goodbye")),
    _on("the assistant transfers", "CallEnded", _is("transferred")),
    _on("a cancelled engine lingers", "fault", _lingers),
    # Tools.
    _on("a tool is used", "ToolEnded", lambda _, what: what.outcome.value == "done"),
    _on("a draft uses a tool without effects", "tool.begins",
        lambda seen, what: _drafting(seen) and what["name"] not in EFFECTS),
    _on("a draft wants a tool with effects", "llm.wants",
        lambda seen, what: _drafting(seen) and what["name"] in EFFECTS),
    _on("hang-up inside a tool", "line.closed", lambda seen, _: bool(seen.tools)),
    _on("a tool is cancelled", "ToolEnded", lambda _, what: what.outcome.value == "cancelled"),
    _on("a tool fails", "ToolEnded", lambda _, what: what.outcome.value == "failed"),
    _on("a tool is late", "ToolEnded", lambda _, what: what.outcome.value == "late"),
    _on("a tool is announced", "Announced", lambda _, what: what.kind == "tool"),
    # The line.
    _on("hang-up while thinking", "line.closed", lambda seen, _: _thinking(seen)),
    _on("hang-up while the assistant speaks", "line.closed", lambda seen, _: _audible(seen)),
    _on("hang-up while the caller speaks", "line.closed", lambda seen, _: seen.open_turn is not None),
    _on("caller vanishes during greeting", "line.closed", lambda seen, _: _greeting(seen)),
    _on("the line is lost", "line.closed", lambda _, what: what["reason"] == "lost"),
    _on("the peer breaks the rules", "line.closed", lambda _, what: what["reason"] == "protocol"),
    _on("the peer asks to finish while a reply is made", "line.closed",
        lambda seen, what: what["reason"] == "finished" and bool(seen.live)),
    _on("line stalls while the caller speaks", "line.stalls", lambda seen, _: seen.open_turn is not None),
    _on("line stalls while the assistant speaks", "line.stalls", lambda seen, _: _audible(seen)),
    _on("audio is missing from the line", "line.gap", lambda *_: True),
    _on("the peer does not read", "fault", _struck("line.slow_send")),
    _on("the peer takes no messages", "fault", _struck("line.deaf")),
    _on("the line does not close", "CallEnded",
        lambda seen, _: any(fault.kind == "line.stuck_close" for fault in seen.scenario.faults)),
)  # fmt: skip


@define(eq=False)
class Witness:
    """Notes which situations one call gets into.

    Args:
        seen: What is known of the call; the witness must look before it takes the entry.
    """

    seen: Seen
    met: set[str] = field(factory=set)

    def look(self, entry: Entry) -> None:
        """Look at the call before *entry*."""
        for situation in _BY_KIND.get(entry.kind, ()):
            if situation.name not in self.met and situation.holds(self.seen, entry.what):
                self.met.add(situation.name)


_BY_KIND: dict[str, list[Situation]] = {}
for _each in SITUATIONS:
    for _kind in _each.kinds:
        _BY_KIND.setdefault(_kind, []).append(_each)
