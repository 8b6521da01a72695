"""The scripted conversation as a pure function: a state and what the caller said give the next state and a reply."""

from __future__ import annotations

from attrs import evolve

from tomrt.dialogue.closing import BEST, WORST, Declined, Rated, parse_rating
from tomrt.dialogue.matching import Matcher
from tomrt.dialogue.script import Intent, Script
from tomrt.dialogue.standing import Reply, State
from tomrt.dialogue.style_words import fitted
from tomrt.events import Action, Signal, Style

__all__ = ["Conversation", "Reply", "State"]


_AT_A_LOSS = frozenset({Signal.MISUNDERSTOOD, Signal.ESCALATED})
"""After these an answer was not what the caller wanted."""


class Conversation:
    """The rules of a scripted conversation.

    Args:
        script: What is understood, asked and answered.
        style: The way of talking.
        closing: When the caller is asked for a rating before the goodbye: ``"never"``, ``"after_actions"`` (of intents
            with ``ask_rating``; a goodbye is then the end at once) or ``"always"``, whenever something was answered.
            Never twice, and never after a handover.
        matcher: Of *script*, where conversations of several styles share it.
    """

    def __init__(
        self,
        script: Script,
        *,
        style: Style = Style(),  # noqa: B008 - frozen
        closing: str = "after_actions",
        matcher: Matcher | None = None,
    ) -> None:
        self.script = script
        self._style, _ = fitted(style, script)
        self._closing = closing
        self._matcher = matcher or Matcher(script)
        self._rating = next((intent for intent in script.intents.values() if intent.meaning == "rating"), None)
        self._rating_slot = _slot_of_five(script, self._rating)
        self._by_action = {intent.action: intent for intent in script.intents.values() if intent.action}

    @property
    def greeting(self) -> str:
        """First words of the call."""
        return self._style.greeting or self.script.prompts.greeting

    def expects(self, state: State) -> str:
        """Return which of ``Script.expectations()`` the caller is expected to give next."""
        if state.asked:
            return "yes_no"
        return self._missing(state) or "any"

    def step(self, state: State, text: str) -> tuple[State, Reply]:
        """Answer the caller.

        Args:
            state: Where the conversation stands; ``State()`` after the greeting.
            text: The caller's words or keys; ``""`` when nothing was understood.
        """
        after, reply = self._answer(evolve(state, pending=False), text)
        if state.pending and Signal.REPEATED in reply.signals:
            after = evolve(after, pending=True)
        elif state.pending and _AT_A_LOSS.isdisjoint(reply.signals):
            reply = evolve(reply, signals=(*reply.signals, Signal.RESOLVED))
        return evolve(after, last=reply.text), reply

    def _answer(self, state: State, text: str) -> tuple[State, Reply]:
        if self._rating_slot and not state.asked and self._missing(state) == self._rating_slot:
            return self._rate(state, text)
        heard = self._matcher.understand(text, self.expects(state))
        meaning = self.script.intents[heard.intent].meaning if heard is not None and heard.intent else ""
        if state.asked == "confirm" and (heard is None or meaning == "no"):
            corrections = self._matcher.slot_values(text, self.script.intents[state.intent].slots)
            if corrections:
                return self._fill(evolve(state, asked="", misses=0), corrections)
        if heard is None:
            return self._pardon(state)
        state = evolve(state, misses=0)
        if not heard.intent:
            return self._fill(state, heard.slots)
        if meaning in {"yes", "no", "repeat", "stop"}:
            return self._about_the_conversation(state, meaning)
        return self._want(state, self.script.intents[heard.intent], heard.slots)

    # --- about the conversation itself -------------------------------------------------------------------------------

    def _about_the_conversation(self, state: State, meaning: str) -> tuple[State, Reply]:
        if meaning == "repeat":
            return state, Reply(state.last or self.greeting, signals=(Signal.REPEATED,))
        if meaning == "yes":
            return self._yes(state)
        if state.leaving:
            return self._farewell(state)
        return self._no(state) if meaning == "no" and state.asked else self._drop(state)

    def _yes(self, state: State) -> tuple[State, Reply]:
        if state.asked == "confirm":
            return self._complete(state)
        if state.asked == "person":
            return self._want(evolve(state, asked=""), self._by_action["transfer"], ())
        state = evolve(state, asked="")
        return state, Reply(self._question(state) or self.script.wording.go_on)

    def _no(self, state: State) -> tuple[State, Reply]:
        if state.asked == "more":
            return self._farewell(evolve(state, asked=""))
        if state.asked == "confirm":
            state = evolve(state, asked="", slots=(), asks=0)
            return state, Reply(_join(self.script.wording.try_again, self._question(state)))
        state = evolve(state, asked="")
        return state, Reply(self._question(state) or self.script.wording.go_on)

    def _drop(self, state: State) -> tuple[State, Reply]:
        text = self.script.wording.stopped if state.intent else self.script.wording.go_on
        return evolve(state, intent="", slots=(), asked="", asks=0), Reply(text)

    def _pardon(self, state: State) -> tuple[State, Reply]:
        """Say that nothing was understood, each time a little differently, and in the end offer a person."""
        if state.leaving and not state.intent:  # goodbye has been said
            return self._farewell(state)
        pardon = self.script.wording.pardon
        state = evolve(state, misses=state.misses + 1, asks=state.asks + 1)
        if state.misses < (self._style.escalate_after or len(pardon) + 1):
            text = pardon[min(state.misses, len(pardon)) - 1]
            return state, Reply(_join(text, self._question(state)), signals=(Signal.MISUNDERSTOOD,))
        if state.leaving:
            return self._farewell(state)
        signals = (Signal.MISUNDERSTOOD, Signal.ESCALATED)
        return evolve(state, asked="person"), Reply(self.script.wording.offer_person, signals=signals)

    # --- the end -----------------------------------------------------------------------------------------------------

    def _farewell(self, state: State) -> tuple[State, Reply]:
        """Ask for the rating that is due, or say goodbye."""
        if self._rating is not None and self._is_rating_due(state):
            state = evolve(state, intent=self._rating.name, slots=(), asked="", asks=0)
            state = evolve(state, rating_due=False, rating_asked=True, leaving=True)
            question = self._style.closing_question or self.script.wording.rate_us
            return state, Reply(question, signals=(Signal.RATING_ASKED,))
        return evolve(state, intent="", slots=()), Reply(self.script.wording.goodbye, (Action("hang_up"),))

    def _is_rating_due(self, state: State) -> bool:
        if self._closing == "never" or state.rating_asked or state.handed_over:
            return False
        return state.rating_due or (self._closing == "always" and state.answers > 0)

    def _rate(self, state: State, text: str) -> tuple[State, Reply]:
        """Take the rating that was asked for, or ask once more; another request is answered first."""
        answer = parse_rating(text, self.script.language)
        state = evolve(state, misses=0)
        if isinstance(answer, Rated):
            return self._fill(state, ((self._rating_slot, str(answer.value)),))
        heard = None if text.strip(" *#").isdigit() else self._matcher.understand(text, self._rating_slot)
        wanted = self.script.intents[heard.intent] if heard is not None and heard.intent else None
        meaning = wanted.meaning if wanted is not None else ""
        if isinstance(answer, Declined) or meaning in {"no", "stop"}:
            return self._without_rating(state, (Signal.RATING_DECLINED,))
        if meaning == "repeat":
            return self._about_the_conversation(state, meaning)
        if heard is not None and wanted is not None and not meaning:
            return self._want(state, wanted, heard.slots)
        if state.asks:
            return self._without_rating(state, ())
        again = self._style.closing_again or self.script.wording.rate_again
        state = evolve(state, asks=1)
        return state, Reply(again or self._question(state))

    def _without_rating(self, state: State, signals: tuple[Signal, ...]) -> tuple[State, Reply]:
        after, reply = self._farewell(state) if state.leaving else self._drop(state)
        return after, evolve(reply, signals=signals)

    # --- what the caller wants ---------------------------------------------------------------------------------------

    def _want(self, state: State, intent: Intent, given: tuple[tuple[str, str], ...]) -> tuple[State, Reply]:
        if intent.action == "hang_up" and self._closing == "always" and self._is_rating_due(state):
            return self._farewell(state)
        polite = self._acknowledgement(state, intent, given)
        after, reply = self._begin(evolve(state, requests=state.requests + 1), intent, given)
        return after, evolve(reply, text=_join(polite, reply.text))

    def _begin(self, state: State, intent: Intent, given: tuple[tuple[str, str], ...]) -> tuple[State, Reply]:
        """Answer at once, or begin to ask for what must be known first."""
        if intent.slots:
            known = state.slots if state.intent == intent.name else ()
            leaving = state.leaving and intent is self._rating
            return self._fill(evolve(state, intent=intent.name, slots=known, asked="", asks=0, leaving=leaving), given)
        answer = self._answer_of(intent, given)
        if intent.action in {"hang_up", "transfer"}:
            handed_over = state.handed_over or intent.action == "transfer"
            signals = (Signal.ESCALATED,) if intent.action == "transfer" else ()
            state = evolve(state, intent="", slots=(), asked="", handed_over=handed_over)
            return state, Reply(answer, (Action(intent.action),), signals)
        actions = (Action(intent.action, given),) if intent.action else ()
        state = evolve(state, answers=state.answers + 1, pending=not intent.action and not intent.aside)
        if not state.intent:
            state = evolve(state, asked="more")
        elif state.asked != "confirm":
            state = evolve(state, asked="")
        return state, Reply(_join(answer, self._question(state)), actions, _answered(intent))

    def _fill(self, state: State, given: tuple[tuple[str, str], ...]) -> tuple[State, Reply]:
        """Take the values that are *given*, then ask for the next one, for a yes, or finish."""
        declined = [self.script.slots[name].refused[value] for name, value in given if self._refuses(name, value)]
        known = dict(state.slots) | {name: value for name, value in given if not self._refuses(name, value)}
        state = evolve(state, slots=tuple(known.items()), asks=0 if given else state.asks)
        if declined:
            missing = evolve(state, slots=tuple((name, known[name]) for name in known if name not in dict(given)))
            state = missing if not self._missing(state) else state
            return state, Reply(_join(*declined, self._question(state)))
        if self._missing(state):
            return state, Reply(self._question(state))
        if self.script.intents[state.intent].confirm:
            state = evolve(state, asked="confirm")
            return state, Reply(self._question(state))
        return self._complete(state)

    def _refuses(self, name: str, value: str) -> bool:
        return value in self.script.slots[name].refused

    def _complete(self, state: State) -> tuple[State, Reply]:
        """Do what was asked for, and say so."""
        intent = self.script.intents[state.intent]
        answer = self._answer_of(intent, state.slots)
        action = (Action(intent.action, state.slots),) if intent.action else ()
        due = (state.rating_due or intent.ask_rating) and intent is not self._rating
        asked = state.rating_asked or intent is self._rating
        done = evolve(state, intent="", slots=(), asks=0, rating_due=due, rating_asked=asked, answers=state.answers + 1)
        signals = () if intent is self._rating else _answered(intent)
        if state.leaving:
            return done, Reply(_join(answer, self.script.wording.goodbye), (*action, Action("hang_up")), signals)
        done = evolve(done, asked="more", pending=not intent.action)
        return done, Reply(_join(answer, self._question(done)), action, signals)

    # --- words -------------------------------------------------------------------------------------------------------

    def _missing(self, state: State) -> str:
        """Return the next slot to ask for, or ``""``."""
        if not state.intent:
            return ""
        known = dict(state.slots)
        return next((name for name in self.script.intents[state.intent].slots if name not in known), "")

    def _question(self, state: State) -> str:
        """Return the question that is open, ``""`` if there is none."""
        wording = self.script.wording
        if state.asked == "confirm":
            return self._filled(self.script.intents[state.intent].confirm, state.slots)
        if state.asked == "more":
            tails = (wording.anything_else_short if self._is_short else ()) or wording.anything_else
            return tails[(state.answers - 1) % len(tails)]
        if state.asked == "person":
            return wording.offer_person
        missing = self._missing(state)
        asks = self._asks_for(state, missing) if missing else ("",)
        return asks[min(state.asks, len(asks) - 1)]

    def _asks_for(self, state: State, missing: str) -> tuple[str, ...]:
        """Return the question for a slot, and how it is put again: with an example at once where style guides."""
        asks = self.script.slots[missing].ask
        if self._style.inquiry != "guided":
            return asks
        intent = self.script.intents[state.intent]
        begins = not {name for name, _ in state.slots} & set(intent.slots)
        return (intent.guide if intent.guide and begins else asks[min(1, len(asks) - 1)], *asks[1:])

    @property
    def _is_short(self) -> bool:
        return self._style.length == "short"

    def _acknowledgement(self, state: State, intent: Intent, given: tuple[tuple[str, str], ...]) -> str:
        """Return what is said before an answer; nothing before a goodbye, thanks or a refusal."""
        said = self._style.acknowledge
        refused = any(self._refuses(name, value) for name, value in given)
        if not said or refused or intent is self._rating or intent.action == "hang_up":
            return ""
        return said[state.requests % len(said)]

    def _answer_of(self, intent: Intent, given: tuple[tuple[str, str], ...]) -> str:
        usual = (intent.short if self._is_short else "") or intent.answer
        special = next((intent.answer_for[value] for _, value in given if value in intent.answer_for), usual)
        return self._filled(special, given)

    def _filled(self, template: str, slots: tuple[tuple[str, str], ...]) -> str:
        for name, value in slots:
            template = template.replace(f"{{{name}}}", self.script.slots[name].spoken(value))
        return template


def _slot_of_five(script: Script, rating: Intent | None) -> str:
    """Return the slot of a rating from 1 to 5, ``""`` where the script has none, or another scale."""
    slot = script.slots[rating.slots[0]] if rating is not None and rating.slots else None
    if slot is None or {known.value for known in slot.values} != {str(value) for value in range(WORST, BEST + 1)}:
        return ""
    return slot.name


def _answered(intent: Intent) -> tuple[Signal, ...]:
    """Return the signals of an answer: what was only told is not yet what the caller wanted, what is done is."""
    return (Signal.ANSWERED, Signal.RESOLVED) if intent.action else (Signal.ANSWERED,)


def _join(*sentences: str) -> str:
    return " ".join(sentence for sentence in sentences if sentence)
