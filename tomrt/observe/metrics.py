"""Prometheus metrics: counted from happenings and from what the door notes. No label takes a value from a peer."""

from __future__ import annotations

from attrs import define, field
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Info

from tomrt.happenings import (
    ActionRequested,
    Announced,
    BargeInJudged,
    CallEnded,
    CallStarted,
    Happening,
    LineMeasured,
    ReplyAudible,
    ReplyConfirmed,
    ReplyEnded,
    ReplyStarted,
    ReplyYielded,
    ToolEnded,
    TurnEnded,
    TurnWithdrawn,
    Understood,
)
from tomrt.observe.learning_metrics import LearningMetrics

__all__ = ["Metrics"]

RESPONSE_BUCKETS_S = (0.2, 0.4, 0.6, 0.8, 1.0, 1.25, 1.5, 2.0, 3.0, 5.0, 8.0)


@define(eq=False)
class Metrics:
    """Every metric of the service, on a registry of its own.

    Args:
        version: The service's version, shown as ``tomrt_build_info``.
    """

    version: str
    registry: CollectorRegistry = field(factory=CollectorRegistry, init=False)
    learning: LearningMetrics = field(init=False)
    _calls: Gauge = field(init=False)
    _ended: Counter = field(init=False)
    _seconds: Histogram = field(init=False)
    _turns: Counter = field(init=False)
    _misheard: Counter = field(init=False)
    _replies: Counter = field(init=False)
    _response: Histogram = field(init=False)
    _hangover: Histogram = field(init=False)
    _drafts: Counter = field(init=False)
    _yields: Counter = field(init=False)
    _judged: Counter = field(init=False)
    _announced: Counter = field(init=False)
    _tools: Counter = field(init=False)
    _actions: Counter = field(init=False)
    _dropped: Counter = field(init=False)
    _door: Counter = field(init=False)
    _hangups: Counter = field(init=False)
    _mos: Histogram = field(init=False)
    _lost: Histogram = field(init=False)

    def __attrs_post_init__(self) -> None:
        registry = self.registry
        Info("tomrt_build", "Version of the service.", registry=registry).info({"version": self.version})
        self.learning = LearningMetrics(registry)
        self._calls = Gauge("tomrt_calls", "Calls under way.", registry=registry)
        self._ended = Counter("tomrt_calls_ended", "Calls ended, by reason.", ["reason"], registry=registry)
        self._seconds = Histogram(
            "tomrt_call_duration_seconds", "Length of calls.", buckets=(5, 15, 30, 60, 120, 300, 600), registry=registry
        )
        self._turns = Counter("tomrt_turns", "The caller's turns, by outcome.", ["outcome"], registry=registry)
        self._misheard = Counter("tomrt_turns_not_understood", "Turns without any words.", registry=registry)
        self._replies = Counter("tomrt_replies", "Replies ended, by outcome.", ["outcome"], registry=registry)
        self._response = Histogram(
            "tomrt_response_seconds",
            "End of the caller's speech to the first sample of the answer.",
            buckets=RESPONSE_BUCKETS_S,
            registry=registry,
        )
        self._hangover = Histogram(
            "tomrt_hangover_seconds",
            "Silence that was waited for at the end of turns.",
            buckets=(0.2, 0.25, 0.3, 0.4, 0.5, 0.6, 0.8, 1.1, 1.5),
            registry=registry,
        )
        self._drafts = Counter("tomrt_drafts", "Answers prepared at pauses, by stage.", ["stage"], registry=registry)
        self._yields = Counter("tomrt_yields", "Times the bot fell silent for the caller.", registry=registry)
        self._judged = Counter(
            "tomrt_barge_ins",
            "What was said over the bot, by what it was taken for.",
            ["kind", "reason"],
            registry=registry,
        )
        self._announced = Counter("tomrt_announced", "Times the caller was asked to wait.", ["kind"], registry=registry)
        self._tools = Counter("tomrt_tool_uses", "Uses of tools, by outcome.", ["outcome"], registry=registry)
        self._actions = Counter("tomrt_actions", "Actions that replies asked for.", registry=registry)
        self._dropped = Counter("tomrt_dropped", "What bounded buffers dropped.", ["buffer"], registry=registry)
        self._hangups = Counter(
            "tomrt_hangups", "Calls under our control that ended, by FreeSWITCH's cause.", ["cause"], registry=registry
        )
        self._mos = Histogram(
            "tomrt_line_mos",
            "Estimated opinion score (ITU-T G.107) of what was heard on packet lines.",
            buckets=(1.0, 2.0, 2.6, 3.1, 3.6, 4.0, 4.3, 4.5),
            registry=registry,
        )
        self._lost = Histogram(
            "tomrt_line_lost_ratio",
            "Share of packets that did not come in time.",
            buckets=(0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0),
            registry=registry,
        )
        self._door = Counter("tomrt_door", "What happened at the front door.", ["what", "kind"], registry=registry)

    def note(self, what: str, kind: str) -> None:
        """Count something at a door or on a line; both words are from the program, never from a peer."""
        if what == "hangup":
            self._hangups.labels(kind).inc()
            return
        self._door.labels(what, kind).inc()

    def put(self, happening: Happening) -> None:
        """Count *happening*."""
        self._count_call(happening)
        self._count_turn(happening)
        self._count_reply(happening)
        self.learning.put(happening)

    def _count_call(self, happening: Happening) -> None:
        match happening:
            case CallStarted():
                self._calls.inc()
            case CallEnded():
                self._call_ended(happening)
            case LineMeasured():
                self._mos.observe(happening.mos)
                self._lost.observe(happening.lost)
            case ActionRequested():
                self._actions.inc()
            case ToolEnded():
                self._tools.labels(happening.outcome.value).inc()

    def _count_turn(self, happening: Happening) -> None:
        match happening:
            case TurnEnded():
                self._turns.labels(happening.reason).inc()
                if happening.hangover_ms is not None:
                    self._hangover.observe(happening.hangover_ms / 1000.0)
            case TurnWithdrawn():
                self._turns.labels("withdrawn").inc()
            case Understood() if not happening.text:
                self._misheard.inc()
            case BargeInJudged():
                kind = "interruption" if happening.interruption else "resumed"
                self._judged.labels(kind, happening.reason).inc()

    def _count_reply(self, happening: Happening) -> None:
        match happening:
            case ReplyStarted() if happening.draft:
                self._drafts.labels("drafted").inc()
            case ReplyConfirmed():
                self._drafts.labels("confirmed").inc()
            case ReplyAudible() if happening.response_ms is not None:
                self._response.observe(happening.response_ms / 1000.0)
            case ReplyYielded():
                self._yields.inc()
            case ReplyEnded() if not happening.draft:
                self._replies.labels(happening.outcome.value).inc()
            case Announced():
                self._announced.labels(happening.kind).inc()

    def _call_ended(self, ended: CallEnded) -> None:
        self._calls.dec()
        self._ended.labels(ended.reason).inc()
        self._seconds.observe(ended.seconds)
        for buffer, count in ended.dropped:
            self._dropped.labels(buffer).inc(count)
