"""The scripted conversation as a pure function: a state and what the caller said give the next state and a reply."""

from __future__ import annotations

from typing import Literal

from attrs import evolve, frozen

from tomrt.dialogue.matching import Matcher
from tomrt.dialogue.script import Intent, Script
from tomrt.events import Action

__all__ = ["Conversation", "Reply", "State"]


@frozen(kw_only=True)
class State:
    """Where a conversation stands.

    Args:
        intent: The intent whose slots are being collected, or ``""``.
        slots: What is known of them.
        asked: A question that yes or no answers: to confirm the intent, whether there is anything else, whether to
            put the caller through; ``""`` when none is open.
        misses: How often in a row the caller was not understood.
        asks: How often the open question of a slot has been put.
        answers: How many requests have been answered.
        rating_due: A rating is to be asked for before the goodbye.
        leaving: The goodbye follows as soon as the rating is known.
        last: What was said last; ``""`` is the greeting.
    """

    intent: str = ""
    slots: tuple[tuple[str, str], ...] = ()
    asked: Literal["", "confirm", "more", "person"] = ""
    misses: int = 0
    asks: int = 0
    answers: int = 0
    rating_due: bool = False
    leaving: bool = False
    last: str = ""


@frozen
class Reply:
    """What is said, and what is then to be done."""

    text: str
    actions: tuple[Action, ...] = ()


class Conversation:
    """The rules of a scripted conversation.

    Args:
        script: What is understood, asked and answered.
    """

    def __init__(self, script: Script) -> None:
        self.script = script
        self._matcher = Matcher(script)
        self._rating = next((intent for intent in script.intents.values() if intent.meaning == "rating"), None)
        self._by_action = {intent.action: intent for intent in script.intents.values() if intent.action}

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
        after, reply = self._answer(state, text)
        return evolve(after, last=reply.text), reply

    def _answer(self, state: State, text: str) -> tuple[State, Reply]:
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
            return state, Reply(state.last or self.script.prompts.greeting)
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

    def _farewell(self, state: State) -> tuple[State, Reply]:
        """Ask for the rating that is due, or say goodbye."""
        if state.rating_due and self._rating is not None:
            state = evolve(state, intent=self._rating.name, slots=(), asks=0, rating_due=False, leaving=True)
            return state, Reply(self.script.wording.rate_us)
        return evolve(state, intent="", slots=()), Reply(self.script.wording.goodbye, (Action("hang_up"),))

    def _pardon(self, state: State) -> tuple[State, Reply]:
        """Say that nothing was understood, each time a little differently, and in the end offer a person."""
        wording = self.script.wording
        state = evolve(state, misses=state.misses + 1, asks=state.asks + 1)
        if state.misses <= len(wording.pardon):
            return state, Reply(_join(wording.pardon[state.misses - 1], self._question(state)))
        if state.leaving:
            return self._farewell(state)
        return evolve(state, asked="person"), Reply(wording.offer_person)

    # --- what the caller wants ---------------------------------------------------------------------------------------

    def _want(self, state: State, intent: Intent, given: tuple[tuple[str, str], ...]) -> tuple[State, Reply]:
        if intent.slots:
            known = state.slots if state.intent == intent.name else ()
            leaving = state.leaving and intent is self._rating
            return self._fill(evolve(state, intent=intent.name, slots=known, asked="", asks=0, leaving=leaving), given)
        answer = self._answer_of(intent, given)
        if intent.action in {"hang_up", "transfer"}:
            return evolve(state, intent="", slots=(), asked=""), Reply(answer, (Action(intent.action),))
        actions = (Action(intent.action, given),) if intent.action else ()
        state = evolve(state, answers=state.answers + 1)
        if not state.intent:
            state = evolve(state, asked="more")
        elif state.asked != "confirm":
            state = evolve(state, asked="")
        return state, Reply(_join(answer, self._question(state)), actions)

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
        done = evolve(state, intent="", slots=(), asks=0, rating_due=due, answers=state.answers + 1)
        if state.leaving:
            return done, Reply(_join(answer, self.script.wording.goodbye), (*action, Action("hang_up")))
        done = evolve(done, asked="more")
        return done, Reply(_join(answer, self._question(done)), action)

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
            return wording.anything_else[(state.answers - 1) % len(wording.anything_else)]
        if state.asked == "person":
            return wording.offer_person
        missing = self._missing(state)
        asks = self.script.slots[missing].ask if missing else ("",)
        return asks[min(state.asks, len(asks) - 1)]

    def _answer_of(self, intent: Intent, given: tuple[tuple[str, str], ...]) -> str:
        special = next((intent.answer_for[value] for _, value in given if value in intent.answer_for), intent.answer)
        return self._filled(special, given)

    def _filled(self, template: str, slots: tuple[tuple[str, str], ...]) -> str:
        for name, value in slots:
            template = template.replace(f"{{{name}}}", self.script.slots[name].spoken(value))
        return template


def _join(*sentences: str) -> str:
    return " ".join(sentence for sentence in sentences if sentence)
