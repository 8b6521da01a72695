"""From the dialogue script to the recogniser's grammars, one for each thing that can be expected next.

Written in JSGF (Java Speech Grammar Format, W3C note of 5 June 2000). Each grammar accepts what was asked for and
everything else the caller may want at any time.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from tomrt.dialogue.phrases import Choice, Phrase, SlotName, Word, slots_in
from tomrt.dialogue.script import Intent, Script, Slot
from tomrt.dialogue.spoken_form import DIGIT_WORDS

__all__ = ["jsgf_grammars"]


def jsgf_grammars(script: Script) -> dict[str, str]:
    """Return the JSGF grammar of each of ``script.expectations()``, by its name."""
    return {name: _grammar(script, name) for name in script.expectations()}


def _grammar(script: Script, expectation: str) -> str:
    asked = script.slots.get(expectation)
    phrases = list(asked.phrases) if asked else []
    phrases += [phrase for intent in _intents(script, expectation) for phrase in intent.phrases]
    used = dict.fromkeys(slot for phrase in phrases for slot in slots_in(phrase))
    rules = [f"public <utterance> = {_choice(phrases)};"]
    rules += [f"<{name}> = {_slot_rule(script.slots[name])};" for name in used]
    return "\n".join(["#JSGF V1.0;", f"grammar {expectation};", *rules, ""])


def _intents(script: Script, expectation: str) -> Iterator[Intent]:
    """Yield the intents that can be heard: yes and no, which noise is easily taken for, only after a question."""
    for intent in script.intents.values():
        if expectation != "any" or intent.meaning not in {"yes", "no"}:
            yield intent


def _slot_rule(slot: Slot) -> str:
    if slot.digits:
        return f"({' | '.join(DIGIT_WORDS)})+"
    return _choice(phrase for value in slot.values for phrase in value.phrases)


def _choice(phrases: Iterable[Phrase]) -> str:
    return "\n    | ".join(_jsgf(phrase) for phrase in phrases)


def _jsgf(phrase: Phrase) -> str:
    if isinstance(phrase, Word):
        return phrase.text
    if isinstance(phrase, SlotName):
        return f"<{phrase.name}>"
    if isinstance(phrase, Choice):
        options = " | ".join(_jsgf(option) for option in phrase.options)
        return f"[{options}]" if phrase.optional else f"({options})"
    return " ".join(_jsgf(part) for part in phrase.parts)
