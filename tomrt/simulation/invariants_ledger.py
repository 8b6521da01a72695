"""Invariants of what was heard (10 to 15)."""

from __future__ import annotations

from typing import Any

from tomrt.simulation.invariant import END, invariant
from tomrt.simulation.record import Entry
from tomrt.simulation.seen import Reply, Request, Seen

FRAME_S = 0.020
LINGER_S = 0.6
AHEAD_S = 8.0
"""How far ahead of its sending audio may be made, before the chunk that fills it up."""
MARK_FAULTS = {"mark.lost", "mark.twice", "mark.late", "mark.cleared", "mark.unknown"}
EAR_FAULTS = MARK_FAULTS | {"line.slow_send", "line.slow_flush", "line.stall", "line.stall_in_hold"}
"""With these the product can only guess what the ear heard."""


@invariant(10, "what was heard is a beginning of what was meant", "ReplyEnded")
def heard_is_prefix(seen: Seen, entry: Entry) -> str | None:
    """The words noted as heard are the first words of the reply; all of them when it was completed."""
    text = entry.what.text
    reply = seen.replies.get(entry.what.reply)
    if reply is not None and entry.what.outcome.value != "completed":
        for request in reply.requests:
            if not request.sounded:  # a sentence for which the voice had no sound was not heard, whatever follows it
                text = text.replace(request.text, "", 1)
    heard, text = entry.what.heard.split(), text.split()
    if heard != text[: len(heard)]:
        return f"heard {entry.what.heard!r} is no beginning of {entry.what.text!r}"
    if entry.what.outcome.value == "completed" and heard != text:
        return f"a completed reply was heard as {entry.what.heard!r} of {entry.what.text!r}"
    return None


@invariant(10, "heard is not more than sent", "ReplyEnded")
def heard_was_sent(seen: Seen, entry: Entry) -> str | None:
    """Of a reply that was not completed no word is noted as heard of which no sample was sent."""
    reply = seen.replies.get(entry.what.reply)
    if reply is None or not seen.scenario.traceable or entry.what.outcome.value == "completed":
        return None
    words = len(entry.what.heard.split())
    sent = sum(_words_begun(request) for request in reply.requests)
    if words > sent:
        return f"{words} words of reply {reply.number} were heard and at most {sent} were sent"
    return None


def _words_begun(request: Request) -> int:
    if not request.sounded:
        return 0
    if request.sent_to >= request.stop or not request.word:
        return request.words if request.sent_to > request.start else 0
    return -(-(request.sent_to - request.start) // request.word)


@invariant(11, "no sample lost or doubled", "line.audio")
def every_sample_once(seen: Seen, entry: Entry) -> str | None:
    """Each sentence is sent from its first sample on without a gap; after a flush it goes on where it was cut off."""
    slack = round(FRAME_S * seen.scenario.rate_hz)
    for start, stop in entry.what["spots"]:
        request = seen.request_at(start)
        if request is None or start == request.sent_to:
            continue
        reply = request.reply
        resumed = reply is not None and reply.resumed_at is not None
        if start > request.sent_to and not (resumed and seen.faults & MARK_FAULTS):
            return f"samples {request.sent_to} to {start} of sentence {request.number} were lost"
        if start < request.sent_to and not resumed:
            return f"samples {start} to {min(stop, request.sent_to)} of sentence {request.number} were sent twice"
        if not seen.scenario.egress.flush_on_yield and request.sent_to - start > slack:
            return f"sentence {request.number} goes on {request.sent_to - start} samples early"
    return None


@invariant(11, "what was flushed is sent again", "line.audio")
def resume_where_cut(seen: Seen, entry: Entry) -> str | None:
    """After a hold on a line that was flushed, speech goes on within a frame of the sample the ear heard last."""
    at = seen.flush_sample
    spots = entry.what["spots"]
    if at is None or not spots or seen.faults & EAR_FAULTS:
        return None
    seen.flush_sample = None
    start = spots[0][0]
    request, flushed = seen.request_at(start), seen.request_at(at)
    if request is None or flushed is None or request.reply is not flushed.reply:
        return None
    slack = round(2.5 * FRAME_S * seen.scenario.rate_hz)
    if seen.scenario.egress.whole_sentences:
        slack = max(slack, flushed.stop - flushed.start)  # a file begins again
    if not at - slack <= start <= at + slack:
        return f"flushed at sample {at}, sent again from {start}"
    return None


@invariant(11, "a completed reply was sent whole", "ReplyEnded")
def completed_was_sent(seen: Seen, entry: Entry) -> str | None:
    """Of a completed reply each sample that was made was sent, and heard."""
    reply = seen.replies.get(entry.what.reply)
    if reply is None or entry.what.outcome.value != "completed" or not seen.scenario.traceable:
        return None
    for request in reply.requests:
        made = request.start + request.voiced
        if request.voiced and request.sent_to < made:
            return f"reply {reply.number} is complete and {made - request.sent_to} samples of it were not sent"
    ends = max((_ends(seen, request) for request in reply.requests), default=0.0)
    if ends > entry.at + FRAME_S and not seen.faults & EAR_FAULTS:
        return f"reply {reply.number} is complete {(ends - entry.at) * 1000:.0f} ms before the caller heard its end"
    return None


def _ends(seen: Seen, request: Request) -> float:
    if not request.played:
        return 0.0
    starts, start, stop = request.played[-1]
    return starts + (stop - start) / seen.scenario.rate_hz


@invariant(12, "the history is what was heard", "ReplyEnded")
def heard_matches_the_ear(seen: Seen, entry: Entry) -> str | None:
    """The words noted as heard are those the ear heard, give or take the one under way."""
    reply = seen.replies.get(entry.what.reply)
    if reply is None or entry.what.outcome.value != "cut" or not _knows_the_ear(seen, reply):
        return None
    words = len(entry.what.heard.split())
    least = sum(_words_played(seen, request, entry.at - 2.5 * FRAME_S, whole=True) for request in reply.requests)
    most = sum(_words_played(seen, request, entry.at + 2.5 * FRAME_S, whole=False) for request in reply.requests)
    if not least <= words <= most:
        return f"of reply {reply.number} {words} words are in the history and the ear heard {least} to {most}"
    return None


def _knows_the_ear(seen: Seen, reply: Reply) -> bool:
    prompts = seen.scenario.prompts
    plain = all(request.word and request.text not in {prompts.filler, prompts.looking_up} for request in reply.requests)
    return plain and seen.scenario.traceable and not seen.faults & EAR_FAULTS and "llm.letters" not in seen.faults


def _words_played(seen: Seen, request: Request, now: float, *, whole: bool) -> int:
    upto = request.start
    for starts, start, stop in request.played:
        played = min(stop, start + round((now - starts) * seen.scenario.rate_hz))
        upto = max(upto, played)
    if not request.word:
        return 0
    if upto >= request.stop:
        return request.words
    begun = upto - request.start
    return max(0, begun // request.word - 1) if whole else -(-begun // request.word)


@invariant(12, "the model is told what was heard", "llm.asked")
def history_is_heard(seen: Seen, entry: Entry) -> str | None:
    """The assistant's messages are what was heard of the replies that ended, in order."""
    said = [text for role, text in entry.what["history"] if role == "assistant"]
    heard = [reply.heard for reply in seen.replies.values() if reply.heard]
    return None if said == heard else f"the model was told {said} and heard was {heard}"


@invariant(13, "a session is not told more than was heard", "session.truncate")
def truncated_to_heard(seen: Seen, entry: Entry) -> str | None:
    """The time at which a session cuts its history is within what was sent."""
    ended = [
        reply for reply in seen.replies.values() if reply.turn == entry.what["turn"] and reply.ended_at is not None
    ]
    if not ended or not seen.scenario.traceable:
        return None if ended else f"turn {entry.what['turn']} was truncated and had no reply"
    sent = sum(request.sent_to - request.start for request in ended[-1].requests)
    if not 0 <= entry.what["heard_ms"] <= sent * 1000 / seen.scenario.rate_hz + 1000 * FRAME_S:
        return f"told {entry.what['heard_ms']} ms, sent {sent * 1000 // seen.scenario.rate_hz} ms"
    return None


@invariant(15, "audio in is what was delivered", "CallEnded", END)
def audio_in_adds_up(seen: Seen, entry: Entry) -> str | None:
    """The samples counted in are those the line delivered."""
    if entry.kind != END or seen.ended is None:
        return None
    delivered: Any = entry.what["delivered"]
    if abs(seen.ended.samples_in - delivered) > FRAME_S * seen.scenario.rate_hz:
        return f"delivered {delivered} samples, counted {seen.ended.samples_in}"
    return None


@invariant(15, "no audio of a turn is consumed twice", "session.respond")
def audio_used_once(seen: Seen, entry: Entry) -> str | None:
    """What is given to the recogniser is not longer than the turn with what stands before and behind it."""
    turn = seen.turns.get(entry.what["turn"])
    if turn is None or turn.start_ms is None or turn.end_ms is None or not entry.what["seconds"]:
        return None
    longest = (turn.end_ms - turn.start_ms) / 1000.0 + 0.6
    if entry.what["seconds"] > longest and turn.ended_at is not None:
        return f"turn {turn.number} lasts {longest - 0.6:.2f} s and {entry.what['seconds']:.2f} s of audio are used"
    return None


@invariant(24, "audio is made ahead within bounds", "tts.voiced")
def made_ahead_is_bounded(seen: Seen, entry: Entry) -> str | None:
    """Not more than 8 s and one chunk of a reply wait to be sent; a line that plays files wants whole sentences."""
    request = seen.requests[entry.what["number"]]
    reply = request.reply
    if reply is None or not seen.scenario.traceable or not seen.live or seen.live[-1] is not reply:
        return None
    if seen.scenario.egress.whole_sentences:
        return None
    waiting = sum(each.voiced - (each.sent_to - each.start) for each in reply.requests) / seen.scenario.rate_hz
    if waiting > AHEAD_S + 0.1:
        return f"{waiting:.1f} s of reply {reply.number} were made ahead"
    return None


@invariant(24, "audio is sent ahead within bounds", "line.audio")
def sent_ahead_is_bounded(seen: Seen, entry: Entry) -> str | None:
    """A line is not given more audio than it asked for."""
    egress = seen.scenario.egress
    if egress.whole_sentences or seen.faults & EAR_FAULTS:
        return None
    most = egress.lead_s + egress.start_delay_s + 3 * FRAME_S + 0.005
    if egress.marks:
        most += egress.start_delay_s
    ahead = entry.what["starts"] - entry.at
    return f"audio was sent {ahead * 1000:.0f} ms ahead" if ahead > most else None
