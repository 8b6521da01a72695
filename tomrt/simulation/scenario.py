"""What one seed stands for: the line, the settings, the caller's plan and the faults."""

from __future__ import annotations

from math import ceil

from attrs import evolve, field, frozen

from tomrt.dialogue.prompts import Prompts
from tomrt.ports import Egress
from tomrt.settings import Engines, Limits, Settings, Turns
from tomrt.simulation.dice import Dice
from tomrt.simulation.faults import Fault, draw_faults

__all__ = ["LINES", "Act", "Scenario", "draw"]


def _slot(after: float) -> float:
    """Return the first time on a grid of 20 ms at or after *after*."""
    return ceil(after / 0.020 - 1e-6) * 0.020


LINES = {
    "plain": Egress(),
    "fork": Egress(lead_s=0.2, start_delay_s=0.05, tail_pad_s=0.16, flush_on_yield=True, marks=True),
    "files": Egress(whole_sentences=True, start_delay_s=0.02, lead_s=0.1, flush_on_yield=True),
    "stubborn files": Egress(whole_sentences=True, start_delay_s=0.02, lead_s=0.1, longest_file_s=2.5),
    "packets": Egress(slots=_slot),
}
"""The kinds of lines there are, as ``tomrt.wire`` describes them."""

WAYS_OUT = ("hangup", "hangup", "lost", "finished", "finished", "protocol", "idle")


@frozen(kw_only=True)
class Act:
    """One thing the caller does.

    Args:
        what: ``say``, ``stammer`` (a pause within), ``interrupt``, ``murmur``, ``cough``, ``racket``, ``key``,
            ``silence`` or ``leave``.
        when: The moment waited for, for at most *patience_s*: ``now``, ``bot`` and ``quiet`` (what is heard), or what
            goes on inside the call: ``thinking``, ``tool``, ``held``, ``draft``, ``greeting``, ``resumed``.
        after_s: How long after that moment.
        seconds: How long it takes.
        detail: The keys, the way out.
        voice: Which voice, and which pause.
    """

    what: str
    when: str = "now"
    after_s: float = 0.0
    seconds: float = 0.0
    detail: str = ""
    voice: int = 0
    patience_s: float = 3.0


@frozen(kw_only=True)
class Scenario:
    """One call, in all that chance decides beforehand.

    Args:
        seed: What it was drawn from; the components' own chance comes from it, too.
        line: Kind of line, a key of ``LINES``.
        rate_hz: The line's rate.
        voice_hz: The voice's rate; where it is the line's, each sample sent can be told from every other.
        word_s: How long the voice takes for a word.
        block_ms: In what blocks the line delivers silence.
        sure_of_words: Whether the recogniser is to be believed about single words.
        settings: The service's.
        prompts: What is said unasked.
        acts: What the caller does, until the world is healed.
        faults: What may go wrong before.
        heal_at: Clock time at which all faults end and progress is demanded.
    """

    seed: int
    line: str
    rate_hz: int
    voice_hz: int
    word_s: float
    block_ms: int
    sure_of_words: bool
    settings: Settings = field(repr=False)
    prompts: Prompts = field(repr=False)
    acts: tuple[Act, ...]
    faults: tuple[Fault, ...]
    heal_at: float

    @property
    def egress(self) -> Egress:
        """What the line does with audio."""
        return LINES[self.line]

    @property
    def traceable(self) -> bool:
        """Whether each sample sent can be found on the tape."""
        return self.voice_hz == self.rate_hz

    def describe(self) -> list[str]:
        """Return it in lines for people."""
        turns, faults = self.settings.turns, ", ".join(f"{fault.kind} {fault.rate:g}" for fault in self.faults)
        line = f"{self.line} line at {self.rate_hz} Hz, voice at {self.voice_hz} Hz, silence by {self.block_ms} ms"
        barge_in = turns.barge_in_sensitivity if turns.barge_in else "off"
        patience = f"reply_timeout_s={self.settings.engines.reply_timeout_s:g} notice={bool(self.prompts.notice)}"
        lines = [
            f"seed {self.seed}: {line}, healed at {self.heal_at:g} s",
            f"  settings: speculate={turns.speculate} barge_in={barge_in} decide_ms={turns.decide_ms} {patience}",
            f"  faults: {faults or 'none'}",
        ]
        for act in self.acts:
            moment = "" if act.when == "now" else f" when {act.when}"
            length = f" for {act.seconds:g} s" if act.seconds else ""
            lines.append(f"  caller: {act.what}{length}{moment} after {act.after_s:g} s {act.detail}".rstrip())
        return lines


def draw(seed: int) -> Scenario:
    """Return the scenario of a seed."""
    dice = Dice(seed, "line")
    rate_hz = dice.one_of((8000, 8000, 16000))
    line = dice.one_of(("plain", "plain", "packets", "packets", "fork", "fork", "fork", "files", "stubborn files"))
    acts = _draw_acts(Dice(seed, "caller"))
    return Scenario(
        seed=seed,
        line=line,
        rate_hz=rate_hz,
        voice_hz=rate_hz if dice.chance(0.8) else dice.one_of((22050, 16000, 24000)),
        word_s=dice.one_of((0.16, 0.24, 0.3)),
        block_ms=dice.one_of((20, 100)),
        sure_of_words=dice.chance(0.6),
        settings=_draw_settings(Dice(seed, "settings")),
        prompts=_draw_prompts(Dice(seed, "prompts")),
        acts=acts,
        faults=draw_faults(seed, marks=LINES[line].marks),
        heal_at=Dice(seed, "healing").between(7.0, 11.0),
    )


def _draw_settings(dice: Dice) -> Settings:
    turns = Turns(
        speculate=dice.chance(0.8),
        barge_in=dice.chance(0.88),
        barge_in_sensitivity=dice.one_of(("sehr_niedrig", "niedrig", "mittel", "mittel", "mittel", "hoch")),
        endpoint_adapt=dice.chance(0.8),
        confirm_voice=dice.chance(0.1),
        decide_ms=dice.one_of((500, 500, 500, 460)),
        filler_after_ms=dice.one_of((0, 700, 1_200)),
        tool_announce_after_ms=dice.one_of((0, 300, 600)),
        tool_timeout_s=dice.one_of((1.0, 2.0)),
        reprompt_after_s=dice.one_of((2.5, 4.0, 8.0)),
        reprompts=dice.whole(0, 2),
        max_utterance_s=dice.one_of((2.0, 30.0, 30.0)),
    )
    engines = Engines(reply_timeout_s=dice.one_of((2.5, 3.0, 4.0)))
    return Settings(turns=turns, engines=engines, limits=Limits(max_call_s=9.0 if dice.chance(0.08) else 60.0))


def _draw_prompts(dice: Dice) -> Prompts:
    return Prompts(
        greeting="Good day to you.",
        still_there=("Are you there?", "Hello?"),
        goodbye="Good bye.",
        failure="I am sorry.",
        filler="One moment." if dice.chance(0.8) else "",
        looking_up="Let me look." if dice.chance(0.8) else "",
        notice="This call is recorded." if dice.chance(0.3) else "",
    )


def _draw_acts(dice: Dice) -> tuple[Act, ...]:
    acts: list[Act] = []
    for _ in range(dice.whole(2, 6)):
        acts += _draw_pair(dice) if dice.chance(0.2) else [_draw_act(dice)]
    if dice.chance(0.35):
        at = dice.whole(0, len(acts))
        acts[at:at] = _draw_exit(dice)
    return tuple(acts)


def _draw_pair(dice: Dice) -> list[Act]:
    """A sound, and something else at an awkward moment that comes of it."""
    if dice.chance(0.35):
        key = Act(what="key", when="draft", after_s=dice.one_of((0.0, 0.02, 0.06)), detail="7")
        return [_question(dice), evolve(key, patience_s=0.8)]
    what = dice.one_of(("interrupt", "murmur", "key", "key"))
    second = Act(
        what=what,
        when="held",
        after_s=dice.one_of((0.0, 0.0, 0.04, 0.1)),
        seconds=0.0 if what == "key" else dice.between(0.2, 1.2),
        detail="7" if what == "key" else "",
        voice=dice.whole(0, 99),
        patience_s=0.2,
    )
    return [_murmur(dice), second]


def _murmur(dice: Dice) -> Act:
    return Act(what="murmur", when="bot", after_s=dice.between(0.0, 0.8), seconds=dice.between(0.2, 0.34))


def _question(dice: Dice) -> Act:
    return Act(what="say", when="quiet", seconds=dice.between(0.8, 2.0), voice=dice.whole(0, 99))


def _draw_exit(dice: Dice) -> list[Act]:
    """The caller's end of the call, at any moment and rather at an awkward one."""
    moment = dice.one_of(
        ("now", "bot", "quiet", "thinking", "tool", "tool", "draft", "draft", "held", "held", "held", "greeting")
    )
    leave = Act(what="leave", when=moment, after_s=dice.between(0.0, 0.3), detail=dice.one_of(WAYS_OUT), patience_s=4.0)
    if moment == "held":
        return [_murmur(dice), evolve(leave, after_s=dice.one_of((0.0, 0.04)), patience_s=0.2)]
    if moment in {"thinking", "tool", "draft"}:
        return [_question(dice), evolve(leave, after_s=dice.one_of((0.0, 0.02, 0.1)))]
    return [leave]


def _draw_act(dice: Dice) -> Act:
    what = dice.one_of(_WHATS)
    when = dice.one_of(_WHENS[what])
    low, high = _SECONDS.get(what, (0.0, 0.0))
    return Act(
        what=what,
        when=when,
        after_s=dice.between(0.0, 0.2 if when in {"held", "tool", "draft", "thinking"} else 0.8),
        seconds=dice.between(low, high),
        detail=dice.one_of(("1", "5#", "42", "123#", "#")) if what == "key" else "",
        voice=dice.whole(0, 99),
    )


_WHATS = ("say", "say", "say", "say", "stammer", "stammer", "interrupt", "interrupt", "murmur", "murmur", "cough",
          "racket", "key", "silence")  # fmt: skip
_WHENS = {
    "say": ("now", "quiet", "quiet", "quiet", "thinking", "draft"),
    "stammer": ("quiet", "quiet", "now"),
    "interrupt": ("bot", "bot", "bot", "held", "greeting", "thinking", "tool", "resumed", "draft"),
    "murmur": ("bot", "bot", "held", "thinking", "quiet", "resumed"),
    "cough": ("bot", "quiet", "thinking"),
    "racket": ("bot", "quiet"),
    "key": ("bot", "quiet", "thinking", "thinking", "tool", "draft", "draft", "now"),
    "silence": ("now",),
}
_SECONDS = {
    "say": (0.3, 2.5),
    "stammer": (0.6, 2.0),
    "interrupt": (0.6, 1.6),
    "murmur": (0.12, 0.34),
    "cough": (0.1, 0.4),
    "racket": (0.3, 1.5),
    "silence": (1.0, 6.0),
}
