"""Prometheus metrics of learning. Variants and profiles are the operator's own names, so they may be labels."""

from __future__ import annotations

from attrs import define, field
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from tomrt.happenings import FeedbackTaken, Happening, LearningFailed, PolicyChanged, VariantChosen

__all__ = ["LearningMetrics"]


@define(eq=False)
class LearningMetrics:
    """What calls have, how they go, and what is made of it.

    Args:
        registry: Where the metrics are.
    """

    registry: CollectorRegistry
    _feedback: Counter = field(init=False)
    _reward: Histogram = field(init=False)
    _rating: Histogram = field(init=False)
    _pulls: Counter = field(init=False)
    _success: Gauge = field(init=False)
    _mean: Gauge = field(init=False)
    _exploration: Gauge = field(init=False)
    _active: Gauge = field(init=False)
    _blacklisted: Gauge = field(init=False)
    _failures: Counter = field(init=False)
    _deciding: Histogram = field(init=False)

    def __attrs_post_init__(self) -> None:
        registry = self.registry
        self._feedback = Counter(
            "rl_feedback", "Calls whose outcome was learned from.", ["profile", "kind"], registry=registry
        )
        self._reward = Histogram(
            "rl_reward_distribution",
            "Rewards of calls, -1 to 1.",
            buckets=(-0.8, -0.6, -0.4, -0.2, 0.0, 0.2, 0.4, 0.6, 0.8, 1.0),
            registry=registry,
        )
        self._rating = Histogram(
            "rl_user_rating_distribution", "What callers gave, 1 to 5.", buckets=(1, 2, 3, 4, 5), registry=registry
        )
        self._pulls = Counter("rl_policy_pulls", "Calls by variant.", ["variant", "group"], registry=registry)
        self._success = Gauge(
            "rl_policy_success_rate", "Share of calls with a reward above 0.", ["variant"], registry=registry
        )
        self._mean = Gauge("rl_policy_mean_reward", "Mean reward of calls.", ["variant"], registry=registry)
        self._exploration = Gauge(
            "rl_bandit_exploration_rate",
            "Probability that the next call does not have the likeliest variant.",
            registry=registry,
        )
        self._active = Gauge("rl_active_variants_total", "Variants that calls may have.", registry=registry)
        self._blacklisted = Gauge(
            "rl_blacklisted_variants_total", "Variants that no call has any more.", registry=registry
        )
        self._failures = Counter(
            "rl_failures", "What went wrong in learning; no call was touched.", ["where"], registry=registry
        )
        self._deciding = Histogram(
            "rl_decision_seconds",
            "What choosing the variant took at the start of calls.",
            buckets=(0.00005, 0.0001, 0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.05),
            registry=registry,
        )

    def put(self, happening: Happening) -> None:
        """Count *happening*."""
        match happening:
            case VariantChosen():
                self._pulls.labels(happening.variant, happening.group).inc()
                self._deciding.observe(happening.seconds)
            case FeedbackTaken():
                self._took(happening)
            case PolicyChanged():
                self._active.set(happening.active)
                self._blacklisted.set(happening.blacklisted)
                self._exploration.set(happening.exploration)
                for variant, rate in happening.success:
                    self._success.labels(variant).set(rate)
                for variant, mean in happening.rewards:
                    self._mean.labels(variant).set(mean)
            case LearningFailed():
                self._failures.labels(happening.where).inc()

    def _took(self, feedback: FeedbackTaken) -> None:
        self._feedback.labels(feedback.profile, "late" if feedback.late else "call").inc()
        if not feedback.late:  # else the call's reward is in the distribution already
            self._reward.observe(feedback.reward)
        if feedback.rating is not None:
            self._rating.observe(feedback.rating)
