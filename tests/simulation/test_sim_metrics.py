"""The metrics are the record, counted."""

from collections import Counter

import pytest

from tomrt.observe.metrics import Metrics
from tomrt.simulation.scenario import draw
from tomrt.simulation.world import run

SEEDS = range(24)


@pytest.fixture(scope="module")
def counted():
    """Run some calls; return the metrics they make and what their records say."""
    metrics, recount = Metrics("0"), Counter()
    for seed in SEEDS:
        for entry in run(draw(seed)).record.entries:
            if isinstance(entry.what, dict):
                continue
            metrics.put(entry.what)
            recount[entry.kind] += 1
            for name in ("outcome", "reason"):
                value = getattr(entry.what, name, None)
                if value is not None:
                    recount[entry.kind, getattr(value, "value", value)] += 1
    return metrics, recount


def total(metrics: Metrics, name: str, **labels: str) -> float:
    """Return the sum of a counter's values with these labels."""
    samples = [sample for family in metrics.registry.collect() for sample in family.samples if sample.name == name]
    return sum(sample.value for sample in samples if labels.items() <= sample.labels.items())


def test_calls_are_recounted(counted):
    """Calls that ended are counted by reason, and none is left under way (invariant 31)."""
    metrics, recount = counted
    assert total(metrics, "tomrt_calls") == 0
    assert total(metrics, "tomrt_calls_ended_total") == recount["CallEnded"] == len(SEEDS)
    for key, count in recount.items():
        if isinstance(key, tuple) and key[0] == "CallEnded":
            assert total(metrics, "tomrt_calls_ended_total", reason=key[1]) == count


def test_turns_and_yields_are_recounted(counted):
    """Turns and yields in the metrics are those of the records."""
    metrics, recount = counted
    assert total(metrics, "tomrt_turns_total", outcome="withdrawn") == recount["TurnWithdrawn"]
    assert total(metrics, "tomrt_turns_total") == recount["TurnWithdrawn"] + recount["TurnEnded"]
    assert total(metrics, "tomrt_yields_total") == recount["ReplyYielded"] > 0
    assert total(metrics, "tomrt_barge_ins_total", kind="resumed") == recount["ReplyResumed"]
    assert total(metrics, "tomrt_barge_ins_total") == recount["BargeInJudged"]


def test_replies_and_tools_are_recounted(counted):
    """Drafts, replies, announcements and uses of tools in the metrics are those of the records."""
    metrics, recount = counted
    assert total(metrics, "tomrt_drafts_total", stage="confirmed") == recount["ReplyConfirmed"] > 0
    assert total(metrics, "tomrt_replies_total", outcome="completed") == recount["ReplyEnded", "completed"]
    assert total(metrics, "tomrt_announced_total") == recount["Announced"]
    assert total(metrics, "tomrt_tool_uses_total") == recount["ToolEnded"]
