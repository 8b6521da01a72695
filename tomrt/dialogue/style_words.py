"""The words of a way of talking, fitted to a dialogue: its facts put in, what cannot be filled left to the dialogue."""

from __future__ import annotations

import re
from collections.abc import Mapping

from attrs import evolve

from tomrt.dialogue.prompts import Prompts
from tomrt.dialogue.script import Script
from tomrt.events import Style

__all__ = ["fitted", "prompts_in"]

_PLACEHOLDER = re.compile(r"\{([^{}]*)\}")


def fitted(style: Style, script: Script) -> tuple[Style, tuple[str, ...]]:
    """Put the facts of *script* into the texts of *style*.

    Returns:
        The style, in which texts whose facts the dialogue does not have are empty, and a sentence for each of these.
    """
    faults: list[str] = []

    def filled(what: str, text: str) -> str:
        missing = _missing(text, script.facts)
        if not missing:
            return _PLACEHOLDER.sub(lambda match: script.facts[match[1]], text)
        names = ", ".join(f"{{{name}}}" for name in missing)
        faults.append(f"variant {style.name!r}: {what}: the dialogue has no fact {names}; its own words are used")
        return ""

    fits = evolve(
        style,
        greeting=filled("greeting", style.greeting),
        closing_question=filled("closing_question", style.closing_question),
        closing_again=filled("closing_again", style.closing_again),
        acknowledge=tuple(text for text in (filled("acknowledge", each) for each in style.acknowledge) if text),
        instructions=filled("instructions", style.instructions),
    )
    return fits, tuple(faults)


def _missing(text: str, facts: Mapping[str, str]) -> list[str]:
    return [name for name in dict.fromkeys(_PLACEHOLDER.findall(text)) if name not in facts]


def prompts_in(style: Style, script: Script) -> Prompts:
    """Return what the call says of its own accord in *style*."""
    fits, _ = fitted(style, script)
    return evolve(script.prompts, greeting=fits.greeting or script.prompts.greeting)
