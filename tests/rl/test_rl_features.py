"""Features: effect codes, frozen scales, hashing that means the same in every process."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tomrt.rl.errors import InvalidState, LearningError
from tomrt.rl.features import ContextFeatures, SlotFeatures, effects

LEVELS = {"tone": ("neutral", "friendly", "formal"), "length": ("normal", "short"), "voice": ("only",)}


def contexts(n: int = 420) -> list[dict[str, str]]:
    """Return contexts of all kinds: few levels, many levels, numbers, and rare ones."""
    return [
        {
            "daytime": ("morning", "noon", "evening")[row % 3],
            "branch": f"b{row % 20 % 13}",
            "queue_s": str(row % 7),
            "one": "same",
            **({"rare": "x"} if row == 0 else {}),
        }
        for row in range(n)
    ]


def test_effects_sum_to_zero():
    """The codes of all levels of a slot sum to zero, so coefficients are deviations from the average variant."""
    assert np.sum([effects(each, LEVELS["tone"]) for each in LEVELS["tone"]], axis=0) == pytest.approx([0.0, 0.0])
    assert effects("unheard of", LEVELS["tone"]).tolist() == [0.0, 0.0]


def test_rows_of_slots():
    """A combination's row has the codes of its levels; a slot with one level has no column."""
    features = SlotFeatures.of(LEVELS)
    assert features.names == ("tone=neutral", "tone=friendly", "length=normal")
    assert features.row({"tone": "formal", "length": "normal", "voice": "only"}).tolist() == [-1.0, -1.0, 1.0]
    assert features.only("length", "short").tolist() == [0.0, 0.0, -1.0]


def test_all_faults_of_a_combination_are_told():
    """Unknown slots, unknown levels and missing slots are told together."""
    with pytest.raises(LearningError) as refused:
        SlotFeatures.of(LEVELS).row({"tone": "frendly", "mood": "good", "voice": "only"})
    assert refused.value.faults == (
        "slot 'mood' is not known; there are tone, length, voice",
        "slot 'tone': there is no level 'frendly' (one of neutral, friendly, formal)",
        "slot 'length': there is no level None (one of normal, short)",
    )


def test_contexts_have_one_scale():
    """Each column has mean 0 and deviation 1 over the calls it was fitted to; what never varies has none."""
    seen = contexts()
    features = ContextFeatures.fit(seen, numbers=["queue_s"])
    rows = features.rows(seen)
    varied = rows.std(axis=0) > 0
    assert rows.mean(axis=0) == pytest.approx(np.zeros(rows.shape[1]), abs=1e-12)
    assert rows.std(axis=0)[varied] == pytest.approx(np.ones(int(varied.sum())))
    assert features.hashed == ("branch",)
    assert not any(name.startswith(("one", "rare")) for name in features.names)


def test_scales_are_frozen():
    """Other calls are brought to the scale of those that were fitted, not to their own."""
    features = ContextFeatures.fit(contexts(), numbers=["queue_s"])
    place = features.names.index("queue_s")
    mean, deviation = float(np.mean(np.arange(420) % 7)), float(np.std(np.arange(420) % 7))
    assert features.rows([{"queue_s": "100"}])[0, place] == pytest.approx((100 - mean) / deviation)


def test_what_is_not_known_is_average():
    """Unknown levels, missing names and numbers that are none change nothing."""
    features = ContextFeatures.fit(contexts(), numbers=["queue_s"])
    for context in ({}, {"daytime": "midnight", "queue_s": "soon"}, {"other": "x"}):
        assert features.rows([context]).tolist() == [[0.0] * len(features.names)]


def test_hashes_are_the_same_everywhere():
    """The column of a hashed level is by CRC-32, with its sign: the same in every process and version."""
    features = ContextFeatures.fit(contexts())
    raw = features.raw([{"branch": "b3"}])[0]
    place = int(np.flatnonzero(np.abs(np.nan_to_num(raw)) == 1.0)[0])
    assert (features.names[place], raw[place]) == ("branch#11", 1.0)
    assert 0.0 <= features.collisions("branch", [f"b{each}" for each in range(13)]) <= 1.0
    assert features.collisions("branch", ["b1"]) == 0.0


@given(st.lists(st.dictionaries(st.sampled_from(["a", "b"]), st.text(max_size=3)), min_size=1, max_size=40))
def test_any_contexts_fit_and_come_back(seen):
    """Whatever the contexts are, the features are finite, and survive JSON unchanged."""
    features = ContextFeatures.fit(seen)
    rows = features.rows(seen)
    again = ContextFeatures.from_dict(json.loads(json.dumps(features.to_dict(), allow_nan=False)))
    assert np.isfinite(rows).all()
    assert np.array_equal(again.rows(seen), rows)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"schema": 2}, "schema 2 cannot be read"),
        ({"levels": None}, "damaged"),
        ({"mean": [0.0]}, "scales for 1"),
    ],
)
def test_damaged_features_are_refused(changes, told):
    """Features of another schema, or with parts missing, are told and not used."""
    with pytest.raises(InvalidState, match=told):
        ContextFeatures.from_dict({**ContextFeatures.fit(contexts()).to_dict(), **changes})
