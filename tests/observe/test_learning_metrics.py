"""Metrics of learning count what happened, under the names that dashboards use."""

import shutil
import subprocess

import pytest
from prometheus_client import generate_latest

from tomrt.happenings import FeedbackTaken, LearningFailed, PolicyChanged, VariantChosen
from tomrt.observe.metrics import Metrics

AT = {"at": 1.0}
MUST_BE_CALLED_SO = (b"rl_active_variants_total", b"rl_blacklisted_variants_total")


def some_calls() -> Metrics:
    """Return metrics after three calls, one of which got its rating later."""
    metrics = Metrics("1.2.3")
    for happening in (
        PolicyChanged(call_id="", active=12, blacklisted=0, exploration=0.9, rewards=(), success=(), **AT),
        VariantChosen(call_id="a", variant="base", group="active", propensity=0.9, seconds=0.0001, **AT),
        VariantChosen(call_id="b", variant="warm", group="new", propensity=0.01, seconds=0.004, **AT),
        VariantChosen(call_id="c", variant="base", group="fallback", propensity=1.0, seconds=0.0, **AT),
        FeedbackTaken(call_id="", variant="base", profile="kfz", reward=0.7, rating=5, **AT),
        FeedbackTaken(call_id="", variant="warm", profile="kfz", reward=-0.3, rating=None, **AT),
        FeedbackTaken(call_id="", variant="warm", profile="kfz", reward=-0.1, rating=2, late=True, **AT),
        PolicyChanged(
            call_id="",
            active=11,
            blacklisted=1,
            exploration=0.4,
            rewards=(("base", 0.7), ("warm", -0.1)),
            success=(("base", 1.0), ("warm", 0.0)),
            **AT,
        ),
        LearningFailed(call_id="", where="store", **AT),
    ):
        metrics.put(happening)
    return metrics


@pytest.mark.parametrize(
    ("name", "labels", "value"),
    [
        ("rl_feedback_total", {"profile": "kfz", "kind": "call"}, 2),
        ("rl_feedback_total", {"profile": "kfz", "kind": "late"}, 1),
        ("rl_reward_distribution_count", {}, 2),
        ("rl_reward_distribution_bucket", {"le": "-0.2"}, 1),
        ("rl_policy_mean_reward", {"variant": "warm"}, -0.1),
        ("rl_user_rating_distribution_count", {}, 2),
        ("rl_user_rating_distribution_bucket", {"le": "2.0"}, 1),
        ("rl_policy_pulls_total", {"variant": "base", "group": "active"}, 1),
        ("rl_policy_pulls_total", {"variant": "warm", "group": "new"}, 1),
        ("rl_policy_pulls_total", {"variant": "base", "group": "fallback"}, 1),
        ("rl_policy_success_rate", {"variant": "base"}, 1.0),
        ("rl_policy_success_rate", {"variant": "warm"}, 0.0),
        ("rl_bandit_exploration_rate", {}, 0.4),
        ("rl_active_variants_total", {}, 11),
        ("rl_blacklisted_variants_total", {}, 1),
        ("rl_failures_total", {"where": "store"}, 1),
        ("rl_decision_seconds_count", {}, 3),
    ],
)
def test_everything_is_counted(name, labels, value):
    """Each figure is what happened, no more and no less."""
    assert some_calls().registry.get_sample_value(name, labels) == pytest.approx(value)


def test_promtool_minds_two_names_only():
    """Prometheus's own linter accepts all but two gauges, whose names dashboards were promised."""
    if shutil.which("promtool") is None:
        pytest.skip("promtool (Debian package prometheus) is not installed")
    text = generate_latest(some_calls().registry)
    checked = subprocess.run(["promtool", "check", "metrics"], input=text, capture_output=True, check=False)
    complaints = (checked.stdout + checked.stderr).splitlines()
    assert [line.split()[0] for line in sorted(complaints)] == list(MUST_BE_CALLED_SO)
