"""Log lines: one a happening that an operator wants to see, with the call's id on every line of the call.

What callers say is personal: at level ``info`` a line tells that a turn was understood and how it went; the words
themselves stand only at ``debug``.
"""

from __future__ import annotations

import json
import logging
import sys
import time
from contextvars import ContextVar
from typing import Any

from tomrt.happenings import (
    ActionRequested,
    BargeInJudged,
    CallEnded,
    CallStarted,
    FeedbackTaken,
    Happening,
    LineMeasured,
    ReplyAudible,
    ReplyEnded,
    ReplyOutcome,
    ToolEnded,
    Understood,
    VariantChosen,
)
from tomrt.security.privacy import pseudonym

__all__ = ["CallLog", "call_id", "set_up"]

MAX_LINE = 500
"""Longest line; a peer must not be able to fill the disk with one message. Tracebacks are our own and stay whole."""

call_id: ContextVar[str] = ContextVar("call_id", default="")
"""The call this task belongs to; Trio hands it on to the tasks of the call's nursery."""

log = logging.getLogger("tomrt.call")


class _Text(logging.Formatter):
    converter = staticmethod(time.gmtime)

    def format(self, record: logging.LogRecord) -> str:
        call = call_id.get()
        stamp = self.formatTime(record, "%Y-%m-%dT%H:%M:%S") + f".{int(record.msecs):03d}Z"
        line = f"{stamp} {record.levelname.lower():7} {_one_line(record)}" + (f" call={call}" if call else "")
        return f"{line}\n{self.formatException(record.exc_info)}" if record.exc_info else line


class _Json(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        entry: dict[str, Any] = {
            "at": round(record.created, 3),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": _one_line(record),
        }
        if call := call_id.get():
            entry["call"] = call
        if record.exc_info:
            entry["error"] = self.formatException(record.exc_info)
        return json.dumps(entry)


def _one_line(record: logging.LogRecord) -> str:
    text = record.getMessage()
    safe = "".join(letter if letter.isprintable() else "?" for letter in text[:MAX_LINE])
    return safe + "…" if len(text) > MAX_LINE else safe


def set_up(level: str, style: str) -> None:
    """Send log lines to standard error.

    Args:
        level: ``debug``, ``info``, ``warning`` or ``error``.
        style: ``text`` or ``json``.
    """
    stream = logging.StreamHandler(sys.stderr)
    stream.setFormatter(_Json() if style == "json" else _Text())
    root = logging.getLogger()
    root.handlers[:] = [stream]
    root.setLevel(logging.WARNING)
    logging.getLogger("tomrt").setLevel(level.upper())
    logging.getLogger("trio-websocket").setLevel(logging.CRITICAL)  # it logs what peers do wrong; the door counts that


class CallLog:
    """Writes the log lines of calls.

    Args:
        caller_key: Key of the pseudonyms that stand for callers' numbers.
    """

    def __init__(self, caller_key: str) -> None:
        self._caller_key = caller_key

    def put(self, happening: Happening) -> None:
        """Log *happening*."""
        match happening:
            case CallStarted():
                info = happening.info
                who = pseudonym(info.caller, self._caller_key) or "unknown"
                log.info("call started dialect=%s rate=%d caller=%s", info.dialect.value, info.rate_hz, who)
            case CallEnded():
                cause = f" cause={happening.cause}" if happening.cause else ""
                log.info("call ended reason=%s%s seconds=%.1f", happening.reason, cause, happening.seconds)
            case LineMeasured():
                log.info(
                    "line packets=%d lost=%.2f%% jitter=%.1f ms mos=%.2f",
                    happening.received, 100 * happening.lost, happening.jitter_ms, happening.mos,
                )  # fmt: skip
            case ReplyAudible() if happening.response_ms is not None:
                log.info("turn %d answered after %.0f ms", happening.turn, happening.response_ms)
            case BargeInJudged():
                kind = "interruption" if happening.interruption else "no interruption"
                log.info("turn %d %s: %s after %.0f ms", happening.turn, kind, happening.reason, happening.after_ms)
            case ToolEnded():
                log.info("tool %s %s", happening.name, happening.outcome.value)
            case ReplyEnded() if happening.outcome in {ReplyOutcome.CUT, ReplyOutcome.FAILED}:
                log.info("reply %d %s", happening.reply, happening.outcome.value)
            case Understood():
                if not happening.text:
                    log.info("turn %d not understood", happening.turn)
                log.debug("turn %d text=%r rejected=%r", happening.turn, happening.text, happening.rejected)
            case VariantChosen() | FeedbackTaken():
                log.info("variant %s", _of_variant(happening))
            case ActionRequested():
                log.info("action %s", happening.action.name)
                log.debug("action %s", happening.action)
            case _:
                log.debug("%s", happening)


def _of_variant(happening: VariantChosen | FeedbackTaken) -> str:
    match happening:
        case VariantChosen():
            return f"{happening.variant} group={happening.group} propensity={happening.propensity:.4f}"
        case _:
            rating = "" if happening.rating is None else f" rating={happening.rating}"
            return f"{happening.variant} earned {happening.reward:+.3f}{rating}"
