"""What the two lanes of a call show: was each turn answered, how soon, and how soon an interruption was heeded."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from attrs import asdict, frozen
from numpy.typing import NDArray

from tomrt.caller.ear import PeerEvent
from tomrt.caller.loudness import audible_samples
from tomrt.caller.plan import CallRecord, Spoken
from tomrt.caller.terminal import printable
from tomrt.events import Dialect

__all__ = ["Report", "TurnReport", "as_json", "as_table", "measure"]

TALKING_S = 0.5
"""The assistant is talking when it was heard this shortly ago: longer than its pauses between words, shorter than
the silence after which the caller takes it to have finished."""
PAUSE_S = 0.3
"""A gap longer than this ends what the assistant was saying when it was interrupted."""


@frozen(kw_only=True)
class TurnReport:
    """One turn as the caller met it; ``None`` where it cannot be known.

    Args:
        said: What the caller said.
        understood: What the service understood (plain dialect only).
        answered: What the service answered, as far as it came (plain dialect only).
        response_ms: From the last audible sample said to the first audible sample heard.
        interrupted: Whether the caller spoke into the assistant's speech.
        onset_to_silence_ms: Of an interruption, from the first audible sample said to the last one heard.
    """

    said: str
    understood: str | None
    answered: str | None
    response_ms: float | None
    interrupted: bool
    onset_to_silence_ms: float | None


@frozen(kw_only=True)
class Report:
    """All turns of a call; ``ok`` when each was answered audibly and the service kept to its dialect."""

    url: str
    dialect: str
    turns: tuple[TurnReport, ...]
    ok: bool


def measure(record: CallRecord) -> Report:
    """Measure every utterance of the plan against what was heard.

    ``response_ms`` of a turn ends where the next turn begins; speech that went on from before the end of the turn is
    no response to it.
    """
    heard = audible_samples(record.heard)
    told = _told(record)
    turns = []
    for number, spoken in enumerate(record.spoken):
        until = record.spoken[number + 1].start if number + 1 < len(record.spoken) else len(record.heard) // 2
        turns.append(_turn(record, spoken, heard, until, told[number]))
    turns += [_never_said(utterance.said) for utterance in record.plan.utterances[len(record.spoken) :]]
    plain = record.plan.dialect is Dialect.PLAIN
    answered = all(turn.response_ms is not None and (turn.answered is not None or not plain) for turn in turns)
    return Report(
        url=record.plan.url,
        dialect=record.plan.dialect.value,
        turns=tuple(turns),
        ok=answered and bool(turns) and not record.faults,
    )


def _never_said(said: str) -> TurnReport:
    return TurnReport(
        said=said, understood=None, answered=None, response_ms=None, interrupted=False, onset_to_silence_ms=None
    )


def _turn(
    record: CallRecord, spoken: Spoken, heard: NDArray[np.intp], until: int, told: tuple[str | None, str | None]
) -> TurnReport:
    rate_hz = record.plan.rate_hz
    loud = audible_samples(spoken.utterance.pcm)
    onset, end = (spoken.start + int(loud[0]), spoken.start + int(loud[-1])) if loud.size else (spoken.start,) * 2
    silent_after = _silent_after(heard, onset, rate_hz)
    stale = _silent_after(heard, end, rate_hz)
    answer = heard[(heard > max(end, stale or 0)) & (heard < until)]
    return TurnReport(
        said=spoken.utterance.said,
        understood=told[0],
        answered=told[1],
        response_ms=round((int(answer[0]) - end) * 1000 / rate_hz, 1) if answer.size else None,
        interrupted=silent_after is not None,
        onset_to_silence_ms=None if silent_after is None else round(max(0, silent_after - onset) * 1000 / rate_hz, 1),
    )


def _silent_after(heard: NDArray[np.intp], at: int, rate_hz: int) -> int | None:
    """Return the last audible sample of the speech that is going on at sample *at*; ``None`` when none is."""
    before = heard[(heard <= at) & (heard > at - TALKING_S * rate_hz)]
    if not before.size:
        return None
    after = heard[heard >= before[-1]]
    pauses = np.flatnonzero(np.diff(after) > PAUSE_S * rate_hz)
    return int(after[pauses[0]] if pauses.size else after[-1])


# --- what the plain dialect tells ------------------------------------------------------------------------------------


def _told(record: CallRecord) -> list[tuple[str | None, str | None]]:
    """Return, for each utterance, what was understood and answered.

    The service counts turns its own way (a pause may split one utterance in two), so each of its turns belongs to the
    utterance that was the latest to begin when the service first spoke of the turn.
    """
    belongs: dict[int, int] = {}
    understood: dict[int, list[str]] = {}
    answered: dict[int, list[str]] = {}
    for event, turn in _turn_events(record.events):
        begun = sum(spoken.start <= event.at for spoken in record.spoken)
        number = belongs.setdefault(turn, begun - 1)
        if event.type == "understood":
            understood.setdefault(number, []).append(_text(event, "text"))
        elif event.type == "answered":
            whole = event.said.get("outcome") == "completed"
            answered.setdefault(number, []).append(_text(event, "text" if whole else "heard"))
    return [(_joined(understood.get(number)), _joined(answered.get(number))) for number in range(len(record.spoken))]


def _turn_events(events: tuple[PeerEvent, ...]) -> Iterator[tuple[PeerEvent, int]]:
    for event in events:
        turn = event.said.get("turn")
        if isinstance(turn, int) and turn > 0:
            yield event, turn


def _text(event: PeerEvent, key: str) -> str:
    value = event.said.get(key)
    return value if isinstance(value, str) else ""


def _joined(texts: list[str] | None) -> str | None:
    return None if texts is None else " ".join(filter(None, texts))


# --- for people and machines -----------------------------------------------------------------------------------------


def as_json(report: Report) -> dict[str, object]:
    """Return *report* in the form of ``--json``: plain objects, ``None`` where unknown."""
    return asdict(report) | {"turns": [asdict(turn) for turn in report.turns]}


def as_table(report: Report) -> list[str]:
    """Return *report* as lines of text for a person, a block for each turn."""
    lines = []
    for number, turn in enumerate(report.turns, 1):
        lines.append(f"turn {number}  said        {printable(turn.said)}")
        if report.dialect == Dialect.PLAIN.value:
            lines.append(f"        understood  {_or_dash(turn.understood)}")
            lines.append(f"        answered    {_or_dash(turn.answered)}")
        sound = "none was heard" if turn.response_ms is None else f"{turn.response_ms:.0f} ms after the end of speech"
        lines.append(f"        response    {sound}")
        if turn.onset_to_silence_ms is not None:
            lines.append(f"        cut in      silent {turn.onset_to_silence_ms:.0f} ms after the caller's first sound")
    return lines


def _or_dash(text: str | None) -> str:
    return printable(text or "") or ("-" if text is None else "(nothing)")
