"""The ways of talking: slots with their levels, variants as combinations of levels, and the texts that they mean."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from attrs import evolve, field, frozen

from tomrt.rl.errors import InvalidVariants, NotEligible
from tomrt.rl.reward import Weights
from tomrt.rl.rules import BanditRules, DeploymentRules

__all__ = ["NAME", "STAGES", "Catalogue", "Level", "Variant", "VariantWording", "faults_of", "twin_of"]

STAGES = ("shadow", "canary", "active", "blacklisted")

NAME = re.compile(r"[A-Za-z0-9_-]{1,48}")
"""What variants, slots, levels and profiles may be called: they stand in metrics and in files."""

NAME_RULE = "must be letters, digits, '_' and '-', 48 at most"


@frozen(kw_only=True)
class Variant:
    """One way of talking.

    Args:
        name: Letters, digits, ``_`` and ``-``.
        slots: Slot and level, in the catalogue's order of slots; every slot once.
        stage: In which it comes into traffic first: one of ``STAGES``.
    """

    name: str
    slots: tuple[tuple[str, str], ...]
    stage: str = "shadow"


@frozen(kw_only=True)
class VariantWording:
    """What a variant says and how, in one language; what is empty is as the dialogue and the settings have it.

    Texts may contain facts of the dialogue in braces, as ``{name}``.

    Args:
        greeting: First words of the call.
        closing_question: Asks for a rating from 1 to 5 before the goodbye.
        closing_again: Asks once more when the answer was none.
        acknowledge: Said before answers, in turn.
        length: ``"short"`` or ``"normal"`` answers.
        inquiry: ``"open"`` asks for one thing after the other, ``"guided"`` tells at once what is needed.
        sensitivity: One of ``sehr_niedrig``, ``niedrig``, ``mittel``, ``hoch``, or ``""``.
        escalate_after: So often in a row the caller is not understood before a person is offered, or ``None``.
        instructions: The way of talking in words, for a language model that writes its answers itself.
    """

    greeting: str = ""
    closing_question: str = ""
    closing_again: str = ""
    acknowledge: tuple[str, ...] = ()
    length: str = "normal"
    inquiry: str = "open"
    sensitivity: str = ""
    escalate_after: int | None = None
    instructions: str = ""


@frozen
class Level:
    """What one level of a slot means: settings, and texts by language (``"de"``)."""

    knobs: Mapping[str, object] = {}
    texts: Mapping[str, Mapping[str, object]] = {}

    def says(self, language: str) -> Mapping[str, object]:
        """Return its settings and what it says in *language*."""
        return {**self.knobs, **self.texts.get(language, {})}


@frozen(kw_only=True, eq=False)
class Catalogue:
    """All variants there are.

    Args:
        variants: By name, in the order of the file.
        levels: What each level of each slot means.
        own: What single variants say on top of their levels.
        bandit: How the bandit learns about them.
        deployment: How they come into traffic and out of it.
        profiles: The kinds of assistant that feedback is told apart by.
        reward: What counts how much in how a call went.
    """

    variants: Mapping[str, Variant]
    levels: Mapping[str, Mapping[str, Level]] = field(repr=False)
    own: Mapping[str, Level] = field(factory=dict, repr=False)
    bandit: BanditRules = field(factory=BanditRules)
    deployment: DeploymentRules = field(factory=DeploymentRules)
    profiles: tuple[str, ...] = ()
    reward: Weights = field(factory=Weights)

    @property
    def slots(self) -> Mapping[str, tuple[str, ...]]:
        """The levels of each slot."""
        return {slot: tuple(levels) for slot, levels in self.levels.items()}

    def slot_levels(self) -> Mapping[str, Mapping[str, str]]:
        """Return the level of each slot, by variant."""
        return {name: dict(variant.slots) for name, variant in self.variants.items()}

    def wording(self, variant: str, language: str) -> VariantWording:
        """Return what *variant* says and how.

        Where two slots say the same thing, the later slot is heard; instructions are said one after the other.

        Args:
            variant: Its name.
            language: A BCP 47 tag of which the first two letters count; one without texts has none of them changed.

        Raises:
            NotEligible: there is no such variant.
        """
        if variant not in self.variants:
            raise NotEligible(f"there is no variant {variant!r} (there are {', '.join(self.variants)})")
        parts = [self.levels[slot][level] for slot, level in self.variants[variant].slots]
        parts.append(self.own.get(variant, Level()))
        said: dict[str, Any] = {}
        for part in parts:
            for key, value in part.says(language[:2].lower()).items():
                said[key] = f"{said[key]} {value}" if key == "instructions" and key in said else value
        return VariantWording(**said)

    def with_variant(self, variant: Variant) -> Catalogue:
        """Return this with one more *variant*, its slots in the catalogue's order.

        Raises:
            InvalidVariants: with all that is wrong with it.
        """
        faults = [sentence if not slot else f"slot {slot!r}: {sentence}" for slot, sentence in faults_of(self, variant)]
        if faults:
            raise InvalidVariants(*(f"variants.{variant.name}: {fault}" for fault in faults))
        given = dict(variant.slots)
        placed = evolve(variant, slots=tuple((slot, given[slot]) for slot in self.levels))
        return evolve(self, variants={**self.variants, variant.name: placed})

    def to_toml(self, *names: str) -> str:
        """Return the variants *names*, or all of them, as tables of a file; what their slots mean is not in it."""
        return "\n".join(_toml(self.variants[name]) for name in names or self.variants)


def faults_of(catalogue: Catalogue, variant: Variant) -> Iterator[tuple[str, str]]:
    """Yield what hinders *variant* from being added to *catalogue*, each with the slot that it is about or ``""``."""
    if not NAME.fullmatch(variant.name):
        yield "", f"the variant's name {NAME_RULE}"
    if variant.name in catalogue.variants:
        yield "", "there is a variant of this name already"
    if variant.stage not in STAGES:
        yield "", f"the stage must be one of {', '.join(STAGES)}, not {variant.stage!r}"
    given = dict(variant.slots)
    for slot, level in given.items():
        if slot not in catalogue.levels:
            yield slot, f"there is no such slot (there are {', '.join(catalogue.levels)})"
        elif level not in catalogue.levels[slot]:
            yield slot, f"there is no level {level!r} (one of {', '.join(catalogue.levels[slot])})"
    for slot in catalogue.levels:
        if slot not in given:
            yield slot, "has no level"
    if twin := twin_of(catalogue, variant):
        yield "", f"has the same level in every slot as {twin!r}, so nothing can tell them apart"


def twin_of(catalogue: Catalogue, variant: Variant) -> str:
    """Return the name of a variant before *variant* that has the same levels and no texts of its own, else ``""``."""
    if variant.name in catalogue.own:
        return ""
    same = (
        name
        for name, other in catalogue.variants.items()
        if name != variant.name and name not in catalogue.own and dict(other.slots) == dict(variant.slots)
    )
    return next(same, "")


def _toml(variant: Variant) -> str:
    slots = ", ".join(f'{slot} = "{level}"' for slot, level in variant.slots)
    return f'[variants.{variant.name}]\nstage = "{variant.stage}"\nslots = {{ {slots} }}\n'
