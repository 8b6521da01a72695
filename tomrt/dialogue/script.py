"""The dialogue file: what the assistant understands, asks and answers, as one frozen record.

Everything that can be wrong with a file is found here, at once, so that a dialogue that loads also runs.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from importlib import resources

from attrs import fields, frozen

from tomrt.dialogue.phrases import Phrase, PhraseFault, parse_phrase, plainest, slots_in, words_in
from tomrt.dialogue.prompts import Prompts
from tomrt.dialogue.toml_table import Faults, Table
from tomrt.errors import SettingsError

__all__ = ["Intent", "Script", "Slot", "SlotValue", "Wording", "built_in_script", "parse_script"]

MEANINGS = ("yes", "no", "repeat", "stop", "rating")
RESERVED = frozenset({"any", "yes_no", "overlap"})
"""Names of grammars that are not a slot's."""

_PLACEHOLDER = re.compile(r"\{([^{}]*)\}")


@frozen(kw_only=True)
class SlotValue:
    """One value a slot can have, and the phrases that mean it; ``spoken`` is how it is said back."""

    value: str
    phrases: tuple[Phrase, ...]
    spoken: str


@frozen(kw_only=True)
class Slot:
    """Something the caller can choose.

    Args:
        name: How phrases and answers refer to it.
        ask: The question, and how it is put again.
        phrases: The ways of answering that question.
        values: What can be chosen; empty for digits.
        refused: Values that are understood but declined, each with the sentence that declines it.
        digits: The value is a string of *least* to *most* digits instead of one of *values*.
        least: Fewest digits.
        most: Most digits.
        also_heard: Other answers to the question that the recogniser is to know; only where the conversation itself
            makes sense of them: in the slot of a rating.
    """

    name: str
    ask: tuple[str, ...]
    phrases: tuple[Phrase, ...]
    values: tuple[SlotValue, ...] = ()
    refused: Mapping[str, str] = {}
    digits: bool = False
    least: int = 1
    most: int = 1
    also_heard: tuple[Phrase, ...] = ()

    def spoken(self, value: str) -> str:
        """Return how *value* is said back."""
        if self.digits:
            return " ".join(value)
        return next((known.spoken for known in self.values if known.value == value), value)


@frozen(kw_only=True)
class Intent:
    """Something the caller may want.

    Args:
        name: Its name in the file.
        phrases: The ways of saying it.
        keywords: Words that point at it in free text.
        answer: What is answered, once all *slots* are known.
        answer_for: Other answers, by the value of any slot that was said.
        slots: What must be known first; asked for where it was not said.
        confirm: The question before *action* is done; ``""`` asks none.
        action: What is then to be done; ``""`` is nothing.
        meaning: One of ``yes``, ``no``, ``repeat``, ``stop``, ``rating`` for an intent the conversation must know.
        ask_rating: Whether the caller is asked for a rating before the goodbye.
        short: The answer of a call whose style is short; ``""`` is *answer*.
        guide: The first question of a call whose style is guided: what is needed, all of it, perhaps with an example.
        aside: The answer is not what anybody calls for, so that giving it resolves nothing.
    """

    name: str
    phrases: tuple[Phrase, ...]
    keywords: tuple[str, ...] = ()
    answer: str = ""
    answer_for: Mapping[str, str] = {}
    slots: tuple[str, ...] = ()
    confirm: str = ""
    action: str = ""
    meaning: str = ""
    ask_rating: bool = False
    short: str = ""
    guide: str = ""
    aside: bool = False


@frozen(kw_only=True)
class Wording:
    """What the conversation says apart from answers; lists go from the first time to the last."""

    goodbye: str
    go_on: str
    stopped: str
    try_again: str
    offer_person: str
    rate_us: str
    anything_else: tuple[str, ...]
    pardon: tuple[str, ...]
    rate_again: str = ""
    anything_else_short: tuple[str, ...] = ()


@frozen(kw_only=True)
class Script:
    """A whole dialogue.

    Args:
        language: BCP 47 tag of the language it is in.
        prompts: What the call says of its own accord; the consent text is its notice.
        wording: What the conversation says apart from answers.
        slots: What can be chosen, by name.
        intents: What can be wanted, by name and in the file's order: the first that fits is taken.
        keys: Telephone keys and the intents they stand for.
        pronunciations: Words for the recogniser's dictionary and their phones.
        facts: What texts are filled with; the script's own are already.
    """

    language: str
    prompts: Prompts
    wording: Wording
    slots: Mapping[str, Slot]
    intents: Mapping[str, Intent]
    keys: Mapping[str, str]
    pronunciations: Mapping[str, str]
    facts: Mapping[str, str] = {}

    def expectations(self) -> tuple[str, ...]:
        """Return the names of all that can be expected next: ``any``, ``yes_no`` and the slots'."""
        return ("any", "yes_no", *self.slots)

    def words(self) -> frozenset[str]:
        """Return every word that a phrase of the script can contain, digits included where a slot takes them."""
        trees = [phrase for intent in self.intents.values() for phrase in intent.phrases]
        for slot in self.slots.values():
            trees += [*slot.phrases, *slot.also_heard, *(phrase for value in slot.values for phrase in value.phrases)]
        return frozenset(word for tree in trees for word in words_in(tree))


def built_in_script() -> Script:
    """Return the receptionist that comes with tomrt."""
    name = "receptionist.toml"
    return parse_script(resources.files("tomrt.dialogue").joinpath(name).read_text("utf-8"), name)


def parse_script(text: str, source: str) -> Script:
    """Parse a dialogue file.

    Args:
        text: The file's text, TOML 1.0.
        source: The file's name, for messages.

    Raises:
        SettingsError: with every fault of the file, each as ``file:line: key: what is wrong``.
    """
    try:
        entries = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(f"{source}: is not TOML: {error}") from None
    faults = Faults(source, text)
    script = _script(Table(faults, (), entries))
    if faults.found:
        raise SettingsError(*faults.found)
    return script


def _script(root: Table) -> Script:
    root.allow(("language", "facts", "prompts", "keys", "pronunciations", "slots", "intents"))
    facts = dict(root.table("facts").text_pairs())
    slots = {name: _slot(name, table, facts) for name, table in root.table("slots").tables()}
    intents = {
        name: _intent(name, table, facts, slots) for name, table in root.table("intents", required=True).tables()
    }
    for name in RESERVED & set(slots):
        root.note("slots", f"no slot may be called {name!r}")
    prompts, wording = _prompts(root.table("prompts", required=True), facts)
    script = Script(
        language=root.text("language", "en"),
        prompts=prompts,
        wording=wording,
        slots=slots,
        intents=intents,
        keys=_keys(root.table("keys"), intents),
        pronunciations=dict(root.table("pronunciations").text_pairs()),
        facts=facts,
    )
    _check_references(root, script)
    return script


def _prompts(table: Table, facts: Mapping[str, str]) -> tuple[Prompts, Wording]:
    own = ("greeting", "consent", "failure", "filler", "looking_up", "still_there")
    table.allow((*own, *(field.name for field in fields(Wording))))

    def one(key: str, default: str | None = None) -> str:
        return _template(table, key, table.text(key, default), facts)

    def several(key: str, *, required: bool = True) -> tuple[str, ...]:
        return tuple(_template(table, key, text, facts) for text in table.texts(key, required=required))

    goodbye = one("goodbye")
    prompts = Prompts(
        greeting=one("greeting"),
        still_there=several("still_there"),
        goodbye=goodbye,
        failure=one("failure"),
        filler=one("filler", ""),
        looking_up=one("looking_up", ""),
        notice=one("consent"),
    )
    wording = Wording(
        goodbye=goodbye,
        go_on=one("go_on"),
        stopped=one("stopped"),
        try_again=one("try_again"),
        offer_person=one("offer_person"),
        rate_us=one("rate_us"),
        anything_else=several("anything_else"),
        pardon=several("pardon"),
        rate_again=one("rate_again", ""),
        anything_else_short=several("anything_else_short", required=False),
    )
    return prompts, wording


def _keys(table: Table, intents: Mapping[str, Intent]) -> Mapping[str, str]:
    keys = dict(table.text_pairs())
    for key, intent in keys.items():
        if len(key) != 1 or key not in "0123456789*#":
            table.note(key, "is not a key of a telephone")
        if intent not in intents:
            table.note(key, f"there is no intent {intent!r}")
    return keys


def _slot(name: str, table: Table, facts: Mapping[str, str]) -> Slot:
    table.allow(("ask", "phrases", "values", "said", "refused", "kind", "least", "most", "also_heard"))
    kind = table.text("kind", "choice")
    if kind not in {"choice", "digits"}:
        table.note("kind", f"must be 'choice' or 'digits', not {kind!r}")
    listed = table.table("values")
    said = _by_value(table.table("said"), set(listed.entries), facts)
    values = tuple(_slot_value(value, listed, said.get(value, "")) for value in listed.entries)
    if (kind == "digits") == bool(values):
        table.note("values", "has no place in a slot of digits" if values else "has no entry")
    least, most = table.number("least", 1), table.number("most", 20)
    if least > most:
        table.note("least", "is more than 'most'")
    return Slot(
        name=name,
        ask=tuple(_template(table, "ask", text, facts) for text in table.texts("ask")),
        phrases=_phrases(table, "phrases"),
        values=values,
        refused=_by_value(table.table("refused"), {value.value for value in values}, facts),
        digits=kind == "digits",
        least=least,
        most=most,
        also_heard=_phrases(table, "also_heard") if "also_heard" in table.entries else (),
    )


def _slot_value(value: str, table: Table, said: str) -> SlotValue:
    phrases = _phrases(table, value)
    if any(True for phrase in phrases for _ in slots_in(phrase)):
        table.note(value, "a value's phrase cannot contain a slot")
    return SlotValue(value=value, phrases=phrases, spoken=said or (plainest(phrases[0]) if phrases else ""))


def _intent(name: str, table: Table, facts: Mapping[str, str], slots: Mapping[str, Slot]) -> Intent:
    table.allow(field.name for field in fields(Intent) if field.name != "name")
    asked = table.texts("slots", required=False)
    for slot in asked:
        if slot not in slots:
            table.note("slots", f"there is no slot {slot!r}")
    meaning = table.text("meaning", "none")
    if meaning not in {*MEANINGS, "none"}:
        table.note("meaning", f"must be one of {', '.join(MEANINGS)}, not {meaning!r}")
    values = {value.value for slot in slots.values() for value in slot.values}
    return Intent(
        name=name,
        phrases=_phrases(table, "phrases"),
        keywords=table.texts("keywords", required=False),
        answer=_template(table, "answer", table.text("answer", "" if meaning != "none" else None), facts, asked),
        answer_for=_by_value(table.table("answer_for"), values, facts),
        slots=asked,
        confirm=_template(table, "confirm", table.text("confirm", ""), facts, asked),
        action=table.text("action", ""),
        meaning="" if meaning == "none" else meaning,
        ask_rating=table.flag("ask_rating"),
        short=_template(table, "short", table.text("short", ""), facts, asked),
        guide=_template(table, "guide", table.text("guide", ""), facts),
        aside=table.flag("aside"),
    )


def _by_value(table: Table, values: set[str], facts: Mapping[str, str]) -> Mapping[str, str]:
    for value in table.entries:
        if value not in values:
            table.note(value, "is not a value of a slot")
    return {value: _template(table, value, text, facts) for value, text in table.text_pairs()}


def _phrases(table: Table, key: str) -> tuple[Phrase, ...]:
    phrases = []
    for number, text in enumerate(table.texts(key), start=1):
        try:
            phrases.append(parse_phrase(text))
        except PhraseFault as fault:
            table.note(key, f"phrase {number}, {text!r}: {fault}")
    return tuple(phrases)


def _template(table: Table, key: str, text: str, facts: Mapping[str, str], slots: tuple[str, ...] = ()) -> str:
    """Return *text* with its facts put in; what remains in braces are names of *slots*."""

    def fact(match: re.Match[str]) -> str:
        if match[1] not in facts and match[1] not in slots:
            table.note(key, f"{match[0]} is neither a fact nor one of its slots")
        return facts.get(match[1], match[0])

    return _PLACEHOLDER.sub(fact, text)


def _check_references(root: Table, script: Script) -> None:
    """Note phrases that name a slot that does not exist, and conversations that could not go on."""
    owners = [("slots", slot.name, (*slot.phrases, *slot.also_heard)) for slot in script.slots.values()]
    owners += [("intents", intent.name, intent.phrases) for intent in script.intents.values()]
    for room, name, phrases in owners:
        for slot in {slot for phrase in phrases for slot in slots_in(phrase)} - set(script.slots):
            root.table(room).table(name).note("phrases", f"there is no slot {slot!r}")
    rated = {slot for intent in script.intents.values() if intent.meaning == "rating" for slot in intent.slots}
    for asked in script.slots.values():
        if asked.also_heard and asked.name not in rated:
            root.table("slots").table(asked.name).note("also_heard", "has a place only in the slot of a rating")
    meanings = {intent.meaning for intent in script.intents.values()}
    actions = {intent.action for intent in script.intents.values()}
    for meaning in {"yes", "no"} - meanings:
        root.note("intents", f"no intent has meaning = {meaning!r}, so nothing can be confirmed")
    if "rating" not in meanings and any(intent.ask_rating for intent in script.intents.values()):
        root.note("intents", "an intent asks for a rating, but none has meaning = 'rating'")
    for action in {"hang_up", "transfer"} - actions:
        root.note("intents", f"no intent has action = {action!r}")
