"""Metrics count what happened, under names that Prometheus likes."""

import shutil
import subprocess

import pytest
from prometheus_client import generate_latest

from tomrt.events import Action, CallInfo, Dialect
from tomrt.happenings import (
    ActionRequested,
    Announced,
    BargeInJudged,
    CallEnded,
    CallStarted,
    ReplyAudible,
    ReplyConfirmed,
    ReplyEnded,
    ReplyOutcome,
    ReplyResumed,
    ReplyStarted,
    ReplyYielded,
    StateChanged,
    ToolEnded,
    ToolOutcome,
    ToolStarted,
    TurnEnded,
    TurnWithdrawn,
    Understood,
)
from tomrt.observe.metrics import Metrics

AT = {"call_id": "c", "at": 1.0}


def one_call() -> Metrics:
    """Return metrics after one call in which everything happened once."""
    metrics = Metrics("1.2.3")
    for happening in (
        CallStarted(info=CallInfo(call_id="c", dialect=Dialect.PLAIN), **AT),
        StateChanged(state="greeting", **AT),
        TurnEnded(turn=1, start_ms=0, end_ms=500, reason="silence", hangover_ms=260.0, **AT),
        TurnWithdrawn(turn=2, reason="too_short", **AT),
        Understood(turn=1, text="", **AT),
        ReplyAudible(reply=1, turn=0, response_ms=None, **AT),
        ReplyAudible(reply=2, turn=1, response_ms=750.0, **AT),
        ReplyYielded(reply=2, **AT),
        BargeInJudged(reply=2, turn=2, interruption=False, reason="hum", after_ms=220.0, **AT),
        ReplyResumed(reply=2, **AT),
        BargeInJudged(reply=2, turn=3, interruption=True, reason="words", after_ms=180.0, **AT),
        ReplyStarted(reply=2, turn=1, draft=True, **AT),
        ReplyStarted(reply=3, turn=1, **AT),
        ReplyConfirmed(reply=2, turn=1, **AT),
        ReplyEnded(reply=4, turn=1, outcome=ReplyOutcome.CANCELLED, text="t", heard="", draft=True, **AT),
        Announced(reply=2, turn=1, kind="filler", **AT),
        ToolStarted(reply=2, use=1, name="find", **AT),
        ToolEnded(reply=2, use=1, name="find", outcome=ToolOutcome.LATE, **AT),
        ReplyEnded(reply=2, turn=1, outcome=ReplyOutcome.COMPLETED, text="t", heard="t", **AT),
        ActionRequested(reply=2, action=Action("book"), **AT),
        CallEnded(reason="hangup", seconds=12.0, samples_in=1, samples_out=1, dropped=(("happenings", 3),), **AT),
    ):
        metrics.put(happening)
    metrics.note("refused", "400")
    return metrics


@pytest.mark.parametrize(
    ("name", "labels", "value"),
    [
        ("tomrt_calls", {}, 0),
        ("tomrt_calls_ended_total", {"reason": "hangup"}, 1),
        ("tomrt_turns_total", {"outcome": "silence"}, 1),
        ("tomrt_turns_total", {"outcome": "withdrawn"}, 1),
        ("tomrt_turns_not_understood_total", {}, 1),
        ("tomrt_replies_total", {"outcome": "completed"}, 1),
        ("tomrt_response_seconds_count", {}, 1),
        ("tomrt_response_seconds_sum", {}, 0.75),
        ("tomrt_replies_total", {"outcome": "cancelled"}, None),
        ("tomrt_hangover_seconds_sum", {}, 0.26),
        ("tomrt_drafts_total", {"stage": "drafted"}, 1),
        ("tomrt_drafts_total", {"stage": "confirmed"}, 1),
        ("tomrt_yields_total", {}, 1),
        ("tomrt_barge_ins_total", {"kind": "resumed", "reason": "hum"}, 1),
        ("tomrt_barge_ins_total", {"kind": "interruption", "reason": "words"}, 1),
        ("tomrt_announced_total", {"kind": "filler"}, 1),
        ("tomrt_tool_uses_total", {"outcome": "late"}, 1),
        ("tomrt_actions_total", {}, 1),
        ("tomrt_dropped_total", {"buffer": "happenings"}, 3),
        ("tomrt_door_total", {"what": "refused", "kind": "400"}, 1),
        ("tomrt_build_info", {"version": "1.2.3"}, 1),
    ],
)
def test_everything_is_counted(name, labels, value):
    """Each figure is what happened, no more and no less."""
    assert value == one_call().registry.get_sample_value(name, labels)


def test_promtool_finds_no_fault():
    """Prometheus's own linter accepts every name and unit."""
    if shutil.which("promtool") is None:
        pytest.skip("promtool (Debian package prometheus) is not installed")
    text = generate_latest(one_call().registry)
    checked = subprocess.run(["promtool", "check", "metrics"], input=text, capture_output=True, check=False)
    complaints = [line for line in (checked.stdout + checked.stderr).splitlines() if not line.startswith(b"rl_")]
    assert complaints == []  # those of learning have a test of their own
