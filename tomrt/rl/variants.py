"""Reading the files of variants: the built-in twelve, the operator's, and what training proposes."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any, TypeVar

import attrs
from attrs import evolve

from tomrt.rl.catalogue import NAME, NAME_RULE, STAGES, Catalogue, Level, Variant, VariantWording, faults_of
from tomrt.rl.errors import InvalidVariants
from tomrt.rl.feedback import PROFILES
from tomrt.rl.reward import Weights
from tomrt.rl.rules import MOST_FOR_UNKNOWN, BanditRules, DeploymentRules
from tomrt.rl.variant_file import Layer, Layers, Table, laid_over, layer

__all__ = ["STAGES", "Catalogue", "Level", "Variant", "VariantWording", "built_in", "load", "parse_variants"]

BUILT_IN = "built-in"
"""What a file extends, and how the package's own is called in messages."""

SENSITIVITIES = ("sehr_niedrig", "niedrig", "mittel", "hoch")
MAX_FILE_BYTES = 1_048_576
MAX_ACKNOWLEDGEMENTS = 8
MOST_ESCALATE_AFTER = 9

_LANGUAGE = re.compile(r"[a-z]{2}")
_TEXTS = ("greeting", "closing_question", "closing_again", "instructions")
_WORDS = {"length": ("normal", "short"), "inquiry": ("open", "guided"), "sensitivity": SENSITIVITIES}

_Rules = TypeVar("_Rules", BanditRules, DeploymentRules, Weights)


@cache
def built_in() -> Catalogue:
    """Return the twelve variants that come with tomrt."""
    return _catalogue([_built_in_layer()])


def _built_in_layer() -> Layer:
    return layer(resources.files("tomrt.rl").joinpath("variants.toml").read_text("utf-8"), BUILT_IN)


def load(path: Path | None = None, candidates: Path | None = None) -> Catalogue:
    """Return the variants of a file, or the built-in ones, and with them those that training proposed.

    Args:
        path: A file of variants; with ``extends = "built-in"`` it only says what is different.
        candidates: A file of variants in stage shadow; one that does not exist has none.

    Raises:
        InvalidVariants: with every fault, each as ``file:line: variants.name: slot 'slot': what is wrong``.
    """
    catalogue = built_in() if path is None else parse_variants(_text_of(path), str(path))
    if candidates is None or not candidates.exists():
        return catalogue
    return _with_candidates(catalogue, Layers([layer(_text_of(candidates), str(candidates))]))


def _text_of(path: Path) -> str:
    try:
        with path.open("rb") as file:
            data = file.read(MAX_FILE_BYTES + 1)
        if len(data) > MAX_FILE_BYTES:
            raise InvalidVariants(f"{path}: is larger than {MAX_FILE_BYTES} bytes")
        return data.decode()
    except OSError as error:
        raise InvalidVariants(f"{path}: cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise InvalidVariants(f"{path}: is not UTF-8 at byte {error.start}") from error


def parse_variants(text: str, source: str) -> Catalogue:
    """Return the variants of a file's *text*; see :func:`load`.

    Raises:
        InvalidVariants: with every fault.
    """
    above = layer(text, source)
    extends = above.entries.get("extends")
    if extends not in {None, BUILT_IN}:
        raise InvalidVariants(f"{source}: extends: can only be {BUILT_IN!r}, not {extends!r}")
    return _catalogue([above] if extends is None else [_built_in_layer(), above])


def _catalogue(files: list[Layer]) -> Catalogue:
    """Return the variants of *files*, each laid over the one before."""
    layers, entries = Layers(files), dict(files[0].entries)
    for above in files[1:]:
        entries = laid_over(entries, above.entries)
    root = Table(layers, (), entries)
    root.allow(("extends", "profiles", "bandit", "deployment", "reward", "slots", "variants"))
    catalogue = Catalogue(
        variants={},
        levels={slot: _levels(slot, table) for slot, table in root.table("slots").tables()},
        bandit=_rules(root.table("bandit"), BanditRules),
        deployment=_rules(root.table("deployment"), DeploymentRules),
        profiles=_profiles(root),
        reward=_rules(root.table("reward"), Weights),
    )
    variants = root.table("variants")
    catalogue = _with_variants(catalogue, variants, _base_slots(variants, catalogue))
    _check_base(root, catalogue)
    _check_shares(root, catalogue)
    layers.refuse()
    return catalogue


def _with_candidates(catalogue: Catalogue, layers: Layers) -> Catalogue:
    root = Table(layers, (), layers.layers[0].entries)
    root.allow(("variants",))
    variants = root.table("variants")
    for _, table in variants.tables():
        table.allow(("stage", "slots"))
        if table.entries.get("stage", "shadow") != "shadow":
            table.note("stage", "what training proposes begins in stage shadow")
    catalogue = _with_variants(catalogue, variants, {})
    layers.refuse()
    return catalogue


# --- variants --------------------------------------------------------------------------------------------------------


def _base_slots(variants: Table, catalogue: Catalogue) -> Mapping[str, object]:
    """Return the levels of the base variant: they are those of every slot that another variant does not name."""
    table = variants.entries.get(catalogue.deployment.base)
    slots = table.get("slots") if isinstance(table, Mapping) else None
    if isinstance(slots, Mapping):
        return slots
    return {slot: levels[0] for slot, levels in catalogue.slots.items() if levels}  # what is missing is one fault


def _with_variants(catalogue: Catalogue, table: Table, base: Mapping[str, object]) -> Catalogue:
    """Return *catalogue* with the variants of *table*; those that do not fit are noted and left out."""
    for name, each in table.tables():
        variant = _variant(catalogue, name, each, base)
        own = _level(each, beside=("stage", "slots"))
        if own != Level():
            catalogue = evolve(catalogue, own={**catalogue.own, name: own})
        faults = list(faults_of(catalogue, variant))
        for slot, sentence in faults:
            table.layers.note((*each.path, "slots", slot) if slot else each.path, sentence, slot=slot)
        if not faults:
            catalogue = evolve(catalogue, variants={**catalogue.variants, name: variant})
    return catalogue


def _variant(catalogue: Catalogue, name: str, table: Table, base: Mapping[str, object]) -> Variant:
    given = {**base, **table.table("slots").entries}
    order = [*catalogue.levels, *(slot for slot in given if slot not in catalogue.levels)]
    slots = tuple((slot, str(given[slot])) for slot in order if slot in given)
    return Variant(name=name, slots=slots, stage=table.word("stage", STAGES, "shadow"))


def _check_base(root: Table, catalogue: Catalogue) -> None:
    base = catalogue.deployment.base
    if base not in root.table("variants").entries:
        root.table("deployment").note("base", f"there is no variant {base!r}")
    elif base in catalogue.variants and catalogue.variants[base].stage != "active":
        root.table("variants").table(base).note("stage", "the base variant must be active from the start")


def _check_shares(root: Table, catalogue: Catalogue) -> None:
    rules = catalogue.deployment
    if rules.new_share + rules.uncertain_share > MOST_FOR_UNKNOWN:
        sentence = f"with uncertain_share ({rules.uncertain_share:g}) must not be more than {MOST_FOR_UNKNOWN:g}"
        root.table("deployment").note("new_share", sentence)


# --- slots and rules -------------------------------------------------------------------------------------------------


def _profiles(root: Table) -> tuple[str, ...]:
    """Return the kinds of assistant that the file names, the usual ones where it names none."""
    profiles = root.texts("profiles", 64)
    for each in profiles:
        if not NAME.fullmatch(each):
            root.note("profiles", f"{each!r} {NAME_RULE}")
    return profiles or PROFILES


def _rules(table: Table, kind: type[_Rules]) -> _Rules:
    """Return the rules of *table*, each number checked by the field that it is for."""
    fields = attrs.fields_dict(kind)
    table.allow(fields)
    good: dict[str, Any] = {}
    entries: Mapping[str, Any] = table.entries
    for key, value in entries.items():
        default = fields[key].default if key in fields else None
        if default is not None and isinstance(value, bool) != isinstance(default, bool):
            table.note(key, "must be true or false" if isinstance(default, bool) else "must not be true or false")
        elif default is not None:
            try:
                kind(**{key: value})
                good[key] = value
            except (TypeError, ValueError) as error:
                table.note(key, str(error.args[0]))
    return kind(**good)


def _levels(slot: str, table: Table) -> Mapping[str, Level]:
    if not NAME.fullmatch(slot):
        table.note("", f"the slot's name {NAME_RULE}")
    if len(table.entries) < 2:
        table.note("", "has fewer than two levels, so there is nothing to choose")
    for name in table.entries:
        if not NAME.fullmatch(name):
            table.note(name, f"the level's name {NAME_RULE}")
    return {name: _level(each) for name, each in table.tables()}


def _level(table: Table, *, beside: Iterable[str] = ()) -> Level:
    """Read settings and texts; *beside* are keys that are read elsewhere."""
    languages = [key for key in table.entries if _LANGUAGE.fullmatch(key)]
    table.allow((*_WORDS, "escalate_after", *languages, *beside))
    knobs: dict[str, object] = {
        key: table.word(key, words, words[0]) for key, words in _WORDS.items() if key in table.entries
    }
    if (after := table.number("escalate_after", 1, MOST_ESCALATE_AFTER)) is not None:
        knobs["escalate_after"] = after
    return Level(knobs, {language: _said(table.table(language)) for language in languages})


def _said(table: Table) -> Mapping[str, object]:
    table.allow((*_TEXTS, "acknowledge"))
    said: dict[str, object] = {key: table.text(key) for key in _TEXTS if key in table.entries}
    if "acknowledge" in table.entries:
        said["acknowledge"] = table.texts("acknowledge", MAX_ACKNOWLEDGEMENTS)
    return said
