"""The files of variants: what comes with the package, what an operator writes, what training proposes."""

from __future__ import annotations

import re
from itertools import product

import numpy as np
import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from tomrt.rl.errors import InvalidVariants, NotEligible
from tomrt.rl.variants import STAGES, Variant, VariantWording, built_in, load, parse_variants

SMALL = """\
profiles = ["sales"]
[bandit]
floor = 0.01
[deployment]
base = "plain"
new_share = 0.2
[slots.tone.neutral]
[slots.tone.friendly.de]
acknowledge = ["Gern!"]
instructions = "Freundlich."
[slots.tone.friendly.en]
acknowledge = "Gladly!"
[slots.patience.long]
[slots.patience.little]
escalate_after = 1
[slots.patience.little.de]
instructions = "Ungeduldig."
[variants.plain]
stage = "active"
slots = { tone = "neutral", patience = "long" }
[variants.warm_short]
stage = "canary"
slots = { tone = "friendly" }
[variants.hasty]
slots = { tone = "friendly", patience = "little" }
"""


def faults_of(text: str, source: str = "my.toml") -> list[str]:
    with pytest.raises(InvalidVariants) as refused:
        parse_variants(text, source)
    return list(refused.value.faults)


# --- what comes with the package -------------------------------------------------------------------------------------


def test_twelve_variants_in_two_languages():
    """There are twelve variants over the six slots, all different from each other in German and in English."""
    catalogue = built_in()
    assert len(catalogue.variants) == 12
    assert set(catalogue.slots) == {
        *("greeting", "tone", "length", "inquiry_mode", "barge_in_sensitivity", "escalation_threshold"),
    }
    for language in ("de", "en"):
        wordings = {catalogue.wording(name, language) for name in catalogue.variants}
        assert len(wordings) == 12


def test_the_base_changes_nothing():
    """The base variant has no words and no settings of its own, and is the only one that is active at first."""
    catalogue = built_in()
    for language in ("de", "en", "sv"):
        assert catalogue.wording("base", language) == VariantWording()
    assert [name for name, each in catalogue.variants.items() if each.stage == "active"] == ["base"]
    assert catalogue.deployment.base == "base"


def test_every_text_stands_in_both_languages():
    """What a level says in German it says in English too, and something else."""
    for levels in built_in().levels.values():
        for level in levels.values():
            german, english = level.texts.get("de", {}), level.texts.get("en", {})
            assert set(german) == set(english)
            assert all(german[key] != english[key] for key in german)


def test_every_level_is_worn():
    """Each level of each slot is in at least a quarter of a fair share of the variants, so that it can be learned."""
    levels = built_in().slot_levels()
    for slot, names in built_in().slots.items():
        worn = [levels[name][slot] for name in levels]
        assert all(worn.count(name) >= 12 / len(names) / 1.5 for name in names), slot


def test_the_main_effects_can_be_told_apart():
    """The twelve are within 5 % of the information on main effects that all combinations give (D-efficiency)."""
    slots = built_in().slots

    def coded(levels: dict[str, str]) -> list[float]:
        row = [1.0]
        for slot, names in slots.items():
            at = names.index(levels[slot])
            row += [1.0 if at == n else -1.0 if at == 0 else 0.0 for n in range(1, len(names))]
        return row

    chosen = np.array([coded(dict(each)) for each in built_in().slot_levels().values()])
    everything = np.array([coded(dict(zip(slots, each, strict=True))) for each in product(*slots.values())])
    information = np.linalg.slogdet(chosen.T @ chosen / len(chosen))[1]
    most = np.linalg.slogdet(everything.T @ everything / len(everything))[1]
    assert np.exp((information - most) / chosen.shape[1]) > 0.95


def test_german_callers_are_told_which_end_of_the_scale_is_good():
    """Every closing question of a variant says that five is the best: one is, in German schools."""
    for language, best in (("de", r"[Ff]ünf"), ("en", r"[Ff]ive")):
        for name in built_in().variants:
            wording = built_in().wording(name, language)
            for text in (wording.closing_question, wording.closing_again):
                assert not text or len(re.findall(best, text)) >= 2, text


def test_german_texts_address_people_politely():
    """The German texts use the polite form, and nobody is called du."""
    for name in built_in().variants:
        wording = built_in().wording(name, "de")
        said = f"{wording.greeting} {wording.closing_question} {wording.closing_again} {wording.instructions}"
        assert not re.search(r"\b(du|dich|dir|dein\w*)\b", said, re.IGNORECASE)


# --- wording ---------------------------------------------------------------------------------------------------------


def test_levels_add_up_to_a_wording():
    """A variant says what its levels say; instructions are said one after the other."""
    catalogue = parse_variants(SMALL, "my.toml")
    wording = catalogue.wording("hasty", "de-AT")
    assert wording == VariantWording(acknowledge=("Gern!",), escalate_after=1, instructions="Freundlich. Ungeduldig.")
    assert catalogue.wording("hasty", "EN").acknowledge == ("Gladly!",)


def test_another_language_has_the_settings_without_the_texts():
    """In a language without texts a variant still changes what is no text."""
    assert parse_variants(SMALL, "my.toml").wording("hasty", "fr") == VariantWording(escalate_after=1)


def test_a_variant_may_have_words_of_its_own():
    """Texts beside the slots of one variant stand above those of its levels, and make it differ from its twin."""
    text = (
        SMALL + '[variants.own]\nslots = { tone = "friendly" }\nlength = "short"\n[variants.own.de]\ngreeting = "Na?"\n'
    )
    wording = parse_variants(text, "my.toml").wording("own", "de")
    assert (wording.greeting, wording.length, wording.acknowledge) == ("Na?", "short", ("Gern!",))


def test_an_unknown_variant_has_no_wording():
    """Asking for a variant that does not exist names those that do."""
    with pytest.raises(NotEligible, match=r"there is no variant 'nobody' .*base"):
        built_in().wording("nobody", "de")


# --- files of operators ----------------------------------------------------------------------------------------------


def test_reads_a_file_of_its_own():
    """A file that extends nothing stands alone, with its numbers; a slot left out has the base's level."""
    catalogue = parse_variants(SMALL, "my.toml")
    assert catalogue.slot_levels()["warm_short"] == {"tone": "friendly", "patience": "long"}
    assert [each.stage for each in catalogue.variants.values()] == ["active", "canary", "shadow"]
    assert (catalogue.bandit.floor, catalogue.deployment.new_share, catalogue.profiles) == (0.01, 0.2, ("sales",))


def test_a_file_that_extends_says_only_what_is_different():
    """With extends, the built-in variants are there too, changed where the file says so."""
    text = (
        'extends = "built-in"\nprofiles = ["hotel"]\n[variants.warm]\nstage = "blacklisted"\n'
        '[slots.greeting.warm.de]\ngreeting = "Moin!"\n[variants.quiet]\nslots = { length = "short" }\n'
    )
    catalogue = parse_variants(text, "my.toml")
    assert len(catalogue.variants) == 13
    assert catalogue.variants["warm"].stage == "blacklisted"
    assert catalogue.wording("warm", "de").greeting == "Moin!"
    assert catalogue.wording("warm", "en") == built_in().wording("warm", "en")
    assert (catalogue.profiles, built_in().profiles[0]) == (("hotel",), "kfz")


def test_all_faults_at_once_with_variant_and_slot():
    """Every fault of a file is told, each with file and line, the variant and the slot."""
    text = SMALL.replace('tone = "friendly" }', 'tone = "frendly", volume = "loud" }').replace('"canary"', '"cannary"')
    text = text.replace("escalate_after = 1", "escalate_after = 0").replace("floor = 0.01", "flor = 0.01")
    assert faults_of(text) == [
        "my.toml:15: slots.patience.little.escalate_after: must be a whole number from 1 to 9",
        "my.toml:3: bandit.flor: is not a known key; did you mean 'floor'?",
        "my.toml:22: variants.warm_short.stage: must be one of shadow, canary, active, blacklisted, not 'cannary'",
        "my.toml:23: variants.warm_short: slot 'tone': there is no level 'frendly' (one of neutral, friendly)",
        "my.toml:23: variants.warm_short: slot 'volume': there is no such slot (there are tone, patience)",
    ]


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ('acknowledge = ["Gern!"]', "acknowledge = []", "slots.tone.friendly.de.acknowledge: must be a list of one to"),
        ('acknowledge = ["Gern!"]', "acknowledge = [3]", "acknowledge: text 1: must be a text that is not empty"),
        ('"Freundlich."', '"  "', "slots.tone.friendly.de.instructions: must be a text that is not empty"),
        ('"Freundlich."', '"a\\nb"', "has a line break"),
        ('"Freundlich."', '"{name"', "has a brace that is not part of a fact's name"),
        ('"Freundlich."', f'"{"a" * 401}"', "has 401 characters; 400 are the most"),
        ("escalate_after = 1", "escalate_after = true", "must be a whole number"),
        (
            "escalate_after = 1",
            'sensitivity = "laut"',
            "must be one of sehr_niedrig, niedrig, mittel, hoch, not 'laut'",
        ),
        ("escalate_after = 1", 'length = "lang"', "must be one of normal, short"),
        ("escalate_after = 1", "escalate = 1", "is not a known key; did you mean 'escalate_after'?"),
        ("[slots.patience.little.de]", "[slots.patience.little.german]", "is not a known key"),
        ("[slots.tone.neutral]\n", "", "variants.plain: slot 'tone': there is no level 'neutral' (one of friendly)"),
        ("[slots.tone.neutral]\n", "", "slots.tone: has fewer than two levels"),
        ("[slots.tone.neutral]\n", '[slots.tone."a b"]\n', "the level's name must be letters"),
        ("[variants.hasty]", '[variants."so hasty"]', "variants.so hasty: the variant's name must be letters"),
        (', patience = "little" }', " }", "variants.hasty: has the same level in every slot as 'warm_short'"),
        ('tone = "neutral", patience = "long"', 'tone = "neutral"', "variants.plain: slot 'patience': has no level"),
        ('base = "plain"', 'base = "plane"', "my.toml:5: deployment.base: there is no variant 'plane'"),
        ('stage = "active"', 'stage = "canary"', "variants.plain.stage: the base variant must be active"),
        ("floor = 0.01", "floor = 2", "my.toml:3: bandit.floor: 'floor' must be <= 0.05: 2"),
        ("floor = 0.01", "sticky = 1", "bandit.sticky: must be true or false"),
        ("floor = 0.01", "draws = true", "bandit.draws: must not be true or false"),
        ("floor = 0.01", 'algorithm = "luck"', "bandit.algorithm: 'algorithm' must be in"),
        ('profiles = ["sales"]', 'profiles = ["sa les"]', "profiles: 'sa les' must be letters"),
        ('profiles = ["sales"]', "profile = 3", "profile: is not a known key; did you mean 'profiles'?"),
        ("[variants.hasty]", "[variants]\nhasty2 = 3\n[variants.hasty]", "variants.hasty2: must be a table"),
        ("[variants.hasty]", "[variants.plain]", "is not TOML"),
    ],
)
def test_names_the_fault(old: str, new: str, told: str):
    """Each way of writing a file wrongly has its own sentence."""
    assert old in SMALL
    faults = faults_of(SMALL.replace(old, new, 1))
    assert any(told in fault for fault in faults), faults
    assert all(fault.startswith("my.toml:") for fault in faults)


@pytest.mark.parametrize(
    "text", ["", "variants = 3", "slots = []", "[variants]\nx = 3", "[slots]\nx = 3", "bandit = 1"]
)
def test_something_else_where_a_table_should_be_is_a_fault(text: str):
    """A file of another shape is refused with sentences, not with a crash."""
    assert faults_of(text)


def test_faults_of_an_extension_are_told_where_they_are_written():
    """A fault that the operator's file makes in a built-in variant is told with the operator's file and line."""
    (fault,) = faults_of('extends = "built-in"\n\n[variants.warm.slots]\ntone = "loud"\n')
    assert fault.startswith("my.toml:4: variants.warm: slot 'tone': there is no level 'loud' (one of neutral, ")
    assert faults_of('extends = "something"')[0].startswith("my.toml: extends: can only be 'built-in'")


@given(st.lists(st.sampled_from(SMALL.splitlines()), max_size=30).map("\n".join))
def test_scrambled_files_are_refused_or_read(text: str):
    """Any selection of lines either loads, or is refused with sentences that name the file."""
    faults = ["my.toml:"]
    try:
        catalogue = parse_variants(text, "my.toml")
        assert catalogue.deployment.base in catalogue.variants
    except InvalidVariants as error:
        faults = list(error.faults)
    assert faults
    assert all(fault.startswith("my.toml:") for fault in faults)


# --- files on disk, candidates ---------------------------------------------------------------------------------------


def test_loads_files_and_candidates(tmp_path):
    """Without a file the built-in variants are loaded; candidates come to them in stage shadow."""
    assert load(None) is built_in()
    assert load(None, tmp_path / "candidates.toml") is built_in()
    slots = {**built_in().slot_levels()["base"], "length": "short"}
    more = built_in().with_variant(Variant(name="trained-0123abcd", slots=tuple(slots.items())))
    (tmp_path / "candidates.toml").write_text(more.to_toml("trained-0123abcd"))
    catalogue = load(None, tmp_path / "candidates.toml")
    assert list(catalogue.variants)[:-1] == list(built_in().variants)
    assert catalogue.variants["trained-0123abcd"] == more.variants["trained-0123abcd"]
    assert catalogue.variants["trained-0123abcd"].stage == "shadow"
    (tmp_path / "mine.toml").write_text(SMALL)
    assert "hasty" in load(tmp_path / "mine.toml").variants


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('[variants.x]\nslots = { tone = "loud" }', "variants.x: slot 'tone': there is no level 'loud'"),
        ('[variants.x]\nslots = { tone = "formal" }', "variants.x: slot 'greeting': has no level"),
        ("[variants.warm]\nslots = {}", "variants.warm: there is a variant of this name already"),
        (
            '[variants.x]\nstage = "active"\nslots = {}',
            "variants.x.stage: what training proposes begins in stage shadow",
        ),
        ("[slots.tone.loud]", "slots: is not a known key"),
        ('[variants.x.de]\ngreeting = "Hi"', "variants.x.de: is not a known key"),
        ("[", "is not TOML"),
    ],
)
def test_candidates_are_only_new_combinations_in_shadow(tmp_path, text: str, told: str):
    """What training proposes can change nothing that is there, and begins where nobody hears it."""
    path = tmp_path / "candidates.toml"
    path.write_text(text)
    with pytest.raises(InvalidVariants) as refused:
        load(None, path)
    assert any(told in fault for fault in refused.value.faults), refused.value.faults


def test_files_that_cannot_be_read_are_refused(tmp_path):
    """A file that is missing, too large or not UTF-8 is refused with its name and the reason."""
    (tmp_path / "latin.toml").write_bytes(b"# \xe4")
    (tmp_path / "large.toml").write_bytes(b"#" * 1_048_577)
    for name, told in (("none.toml", "No such file"), ("latin.toml", "not UTF-8 at byte 2"), ("large.toml", "larger")):
        with pytest.raises(InvalidVariants, match=f"{name}: .*{told}"):
            load(tmp_path / name)


def test_a_whole_catalogue_can_be_written_and_read_again():
    """The variants that a catalogue writes are those that are read from it."""
    text = SMALL[: SMALL.index("[variants.plain]")] + parse_variants(SMALL, "my.toml").to_toml()
    assert parse_variants(text, "again.toml").variants == parse_variants(SMALL, "my.toml").variants


@given(
    st.text(max_size=50),
    st.sampled_from([*STAGES, "canari"]),
    st.dictionaries(
        st.sampled_from(["tone", "patience", "x"]), st.sampled_from(["neutral", "friendly", "little", "y"])
    ),
)
def test_a_variant_is_added_whole_or_not_at_all(name: str, stage: str, slots: dict[str, str]):
    """Whatever is added either has one known level in every slot afterwards, or is refused by its name."""
    catalogue = parse_variants(SMALL, "my.toml")
    after, faults = None, ()
    try:
        after = catalogue.with_variant(Variant(name=name, slots=tuple(slots.items()), stage=stage))
    except InvalidVariants as error:
        faults = error.faults
    if after is None:
        assert faults
        assert all(fault.startswith(f"variants.{name}: ") for fault in faults)
        return
    assert list(after.slot_levels()[name]) == list(catalogue.slots)
    assert all(level in catalogue.slots[slot] for slot, level in after.slot_levels()[name].items())
    assert name not in catalogue.variants
    assert parse_variants(SMALL + after.to_toml(name), "more.toml").variants[name] == evolve(after.variants[name])


def test_shares_that_leave_nothing_for_what_is_known():
    """Canaries and uncertain variants cannot have nearly all calls between them."""
    with pytest.raises(InvalidVariants, match=r"deployment\.new_share: with uncertain_share \(0\.5\)"):
        parse_variants('extends = "built-in"\n[deployment]\nnew_share = 0.5\nuncertain_share = 0.5\n', "own.toml")


def test_a_file_that_names_no_profiles_has_the_usual_ones():
    """A file that stands alone may leave out the kinds of assistant."""
    slots = '[slots.tone.neutral]\n[slots.tone.warm.en]\ngreeting = "Hi."\n'
    alone = parse_variants(slots + '[variants.base]\nstage = "active"\nslots = { tone = "neutral" }\n', "own.toml")
    assert alone.profiles == built_in().profiles


def test_weights_of_the_reward_are_the_operators():
    """A file sets what counts how much; a number out of its range is told with its place."""
    own = parse_variants('extends = "built-in"\n[reward]\nhandover = 0.5\n', "own.toml").reward
    assert (own.handover, own.resolution) == (0.5, 0.6)
    assert own.version != built_in().reward.version == "1"
    with pytest.raises(InvalidVariants, match=r"own\.toml:3: reward\.handover"):
        parse_variants('extends = "built-in"\n[reward]\nhandover = -1\n', "own.toml")
