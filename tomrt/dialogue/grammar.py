"""From the dialogue script to the recogniser's grammars, one for each thing that can be expected next.

Written in JSGF (Java Speech Grammar Format, W3C note of 5 June 2000). Each grammar accepts what was asked for and
everything else the caller may want at any time. The one for what is said over a reply has backchannels and words that
take the floor instead of an answer; the intents stand beside them, so that each is heard only where it fits best.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from tomrt.dialogue.phrases import Choice, Phrase, SlotName, Word, slots_in
from tomrt.dialogue.script import Intent, Script, Slot
from tomrt.dialogue.spoken_form import DIGIT_WORDS

__all__ = ["BACKCHANNELS", "FLOOR_TAKERS", "HUM_PRONUNCIATIONS", "OVERLAP", "jsgf_grammars"]

OVERLAP = "overlap"
"""Name of the grammar for what is said over a reply."""

BACKCHANNELS: Mapping[str, tuple[str, ...]] = {
    "en": (
        *("yeah", "yes", "yep", "okay", "right", "sure", "mhm", "uh huh", "aha", "i see", "all right", "got it"),
        *("exactly", "fine", "good", "great", "of course", "really", "true", "oh", "hm", "mm"),
    )
}
"""By language. All are such to the dialogue's lexicon too, and in the recogniser's dictionary."""

FLOOR_TAKERS: Mapping[str, tuple[str, ...]] = {
    "en": (
        *("stop", "stop it", "please stop", "wait", "wait a (second|minute|moment)", "hold on", "hang on", "listen"),
        *("no", "no no", "no wait", "but", "what", "repeat", "excuse me", "hello", "sorry", "help", "be quiet"),
        *("(one|just a) (moment|second|minute)", "a person", "i have a question", "can i say something"),
        "let me (speak|talk)",
    )
}
"""By language, in JSGF."""

HUM_PRONUNCIATIONS: Mapping[str, str] = {"mhm(2)": "m hh m", "mm(2)": "m m"}
"""How some hums are said other than the recogniser's dictionary has them."""

_OR = "\n    | "


def jsgf_grammars(script: Script) -> dict[str, str]:
    """Return the JSGF grammar of each of ``script.expectations()``, and ``OVERLAP``, by its name."""
    return {name: _grammar(script, name) for name in script.expectations()} | {OVERLAP: _overlap(script)}


def _grammar(script: Script, expectation: str) -> str:
    asked = script.slots.get(expectation)
    phrases = [*asked.phrases, *asked.also_heard] if asked else []
    phrases += [phrase for intent in _intents(script, expectation) for phrase in intent.phrases]
    return _jsgf_grammar(script, expectation, phrases)


def _overlap(script: Script) -> str:
    language = script.language[:2].lower()
    small = (*BACKCHANNELS.get(language, ()), *FLOOR_TAKERS.get(language, ()))
    return _jsgf_grammar(
        script, OVERLAP, [phrase for each in script.intents.values() for phrase in each.phrases], small
    )


def _jsgf_grammar(script: Script, name: str, phrases: list[Phrase], more: tuple[str, ...] = ()) -> str:
    used = dict.fromkeys(slot for phrase in phrases for slot in slots_in(phrase))
    rules = [f"public <utterance> = {_OR.join((*more, _choice(phrases)))};"]
    rules += [f"<{slot}> = {_slot_rule(script.slots[slot])};" for slot in used]
    return "\n".join(["#JSGF V1.0;", f"grammar {name};", *rules, ""])


def _intents(script: Script, expectation: str) -> Iterator[Intent]:
    """Yield the intents that can be heard.

    Yes and no, which noise is easily taken for, only after a question. While a rating is asked for, what belongs to
    that question only: five is easily taken for bye, and the caller has said what there was to say.
    """
    closing = any(intent.meaning == "rating" and expectation in intent.slots for intent in script.intents.values())
    for intent in script.intents.values():
        if closing and not intent.meaning and intent.action != "transfer":
            continue
        if expectation != "any" or intent.meaning not in {"yes", "no"}:
            yield intent


def _slot_rule(slot: Slot) -> str:
    if slot.digits:
        return f"({' | '.join(DIGIT_WORDS)})+"
    return _choice(phrase for value in slot.values for phrase in value.phrases)


def _choice(phrases: Iterable[Phrase]) -> str:
    return _OR.join(_jsgf(phrase) for phrase in phrases)


def _jsgf(phrase: Phrase) -> str:
    if isinstance(phrase, Word):
        return phrase.text
    if isinstance(phrase, SlotName):
        return f"<{phrase.name}>"
    if isinstance(phrase, Choice):
        options = " | ".join(_jsgf(option) for option in phrase.options)
        return f"[{options}]" if phrase.optional else f"({options})"
    return " ".join(_jsgf(part) for part in phrase.parts)
