"""Log lines: short, on one line, with the call's id and without the caller's words."""

import json
import logging
import sys

from tomrt.events import CallInfo, Dialect
from tomrt.happenings import CallEnded, CallStarted, ReplyAudible, Understood
from tomrt.observe.logs import MAX_LINE, CallLog, _Json, _Text, call_id

AT = {"call_id": "c", "at": 1.0}


def record(message: str, *arguments: object) -> logging.LogRecord:
    """Return a log record."""
    return logging.LogRecord("tomrt.x", logging.INFO, "f.py", 1, message, arguments, None)


def test_line_cannot_be_forged_or_grow():
    """Control characters do not start new lines, and a line has an end."""
    line = _Text().format(record("%s", "a\nERROR forged\x1b[31m" + "x" * 5_000))
    assert len(line.splitlines()) == 1
    assert "\x1b" not in line
    assert len(line) < MAX_LINE + 60


def test_call_id_is_on_the_line():
    """Within a call, every line says which."""
    token = call_id.set("abc")
    try:
        assert _Text().format(record("hello")).endswith("hello call=abc")
        assert json.loads(_Json().format(record("hello")))["call"] == "abc"
    finally:
        call_id.reset(token)
    assert "call=" not in _Text().format(record("hello"))


def test_traceback_stays_whole():
    """Our own faults are logged with their traceback, in both formats."""
    try:
        1 / 0  # noqa: B018 - the division is what fails
    except ZeroDivisionError:
        failed = logging.LogRecord("tomrt.x", logging.ERROR, "f.py", 1, "failed", (), sys.exc_info())
    assert "ZeroDivisionError" in _Text().format(failed)
    assert "ZeroDivisionError" in json.loads(_Json().format(failed))["error"]


def test_words_of_callers_stand_only_at_debug(caplog):
    """At level info a log tells how a call went and not what was said in it."""
    happenings = (
        CallStarted(info=CallInfo(call_id="c", dialect=Dialect.PLAIN, caller="+49 170 1"), **AT),
        Understood(turn=1, text="my secret words", rejected="other words", **AT),
        ReplyAudible(reply=1, turn=1, response_ms=612.0, **AT),
        CallEnded(reason="hangup", seconds=3.0, samples_in=1, samples_out=1, **AT),
    )
    with caplog.at_level(logging.INFO, "tomrt.call"):
        for happening in happenings:
            CallLog("key").put(happening)
    assert "words" not in caplog.text
    assert "+49" not in caplog.text
    assert "answered after 612 ms" in caplog.text
    with caplog.at_level(logging.DEBUG, "tomrt.call"):
        CallLog("key").put(happenings[1])
    assert "my secret words" in caplog.text
