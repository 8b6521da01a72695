"""The deploy guard: every cell of stage and event, the split, manual changes, state, status, and bad input."""

import contextlib
import itertools
import json

import pytest
from guard_calls import chances, decision
from hypothesis import given, settings
from hypothesis import strategies as st

from tomrt.rl.errors import InvalidState, LearningError, NotEligible
from tomrt.rl.guard import Guard, Outcome, Stage
from tomrt.rl.rules import DeploymentRules
from tomrt.rl.stage import Event, next_stage

SHADOW, CANARY, ACTIVE, BLACKLISTED = Stage
RULES = DeploymentRules(probation_episodes=5, certain_episodes=8)
NAMES = ("base", "one", "two")


def guard_with(stage, rules=RULES):
    """Return a guard whose variant ``"one"`` has a stage."""
    return Guard(rules, {"base": ACTIVE, "one": stage})


@pytest.mark.parametrize(("stage", "event"), list(itertools.product(Stage, Event)))
def test_every_cell_of_stage_and_finding(stage, event):
    """Harm and breakdown take out what is in use, probation ends once, and nothing else moves."""
    expected = {
        (CANARY, Event.PROBATION_OVER): ACTIVE,
        (CANARY, Event.HARM): BLACKLISTED,
        (CANARY, Event.BREAKDOWN): BLACKLISTED,
        (ACTIVE, Event.HARM): BLACKLISTED,
        (ACTIVE, Event.BREAKDOWN): BLACKLISTED,
    }
    assert next_stage(stage, event) is expected.get((stage, event), stage)


def fine(guard):
    """Twenty good calls of each."""
    for number in range(40):
        arm = ("base", "one")[number % 2]
        yield from guard.report(decision(arm, {"base": 0.5, "one": 0.5}), Outcome(0.5), at=float(number))


def harmful(guard):
    """Forty calls, the variant's without success."""
    for number in range(80):
        arm = ("base", "one")[number % 2]
        outcome = Outcome(1.0 if arm == "base" else -1.0)
        yield from guard.report(decision(arm, {"base": 0.5, "one": 0.5}), outcome, at=float(number))


def broken(guard):
    """Calls of which all the variant's have errors."""
    for number in range(24):
        arm = "one" if number % 4 == 3 else "base"
        outcome = Outcome(0.5, failed=arm == "one")
        yield from guard.report(decision(arm, {"base": 0.75, "one": 0.25}), outcome, at=float(number))


def failing(guard):
    """Good calls of the base, and two of the variant that fail while they are under way."""
    for number in range(20):
        yield from guard.report(decision("base", {"base": 0.9, "one": 0.1}), Outcome(0.5), at=float(number))
    for number in range(20, 22):
        yield from guard.trouble("one", "severe", at=float(number))


@pytest.mark.parametrize(
    ("stage", "events", "after", "by"),
    [
        (SHADOW, fine, SHADOW, None),
        (SHADOW, harmful, SHADOW, None),
        (SHADOW, broken, SHADOW, None),
        (SHADOW, failing, SHADOW, None),
        (CANARY, fine, ACTIVE, "probation"),
        (CANARY, harmful, BLACKLISTED, "statistics"),
        (CANARY, broken, BLACKLISTED, "technical"),
        (CANARY, failing, BLACKLISTED, "technical"),
        (ACTIVE, fine, ACTIVE, None),
        (ACTIVE, harmful, BLACKLISTED, "statistics"),
        (ACTIVE, broken, BLACKLISTED, "technical"),
        (ACTIVE, failing, BLACKLISTED, "technical"),
        (BLACKLISTED, fine, BLACKLISTED, None),
        (BLACKLISTED, harmful, BLACKLISTED, None),
        (BLACKLISTED, broken, BLACKLISTED, None),
        (BLACKLISTED, failing, BLACKLISTED, None),
    ],
)
def test_every_cell_of_stage_and_calls(stage, events, after, by):
    """What calls bring moves a variant as the table says, once, and the version grows with it."""
    guard = guard_with(stage)
    version = guard.version
    changes = list(events(guard))
    assert guard.stage("one") is after
    assert [one.by for one in changes] == ([by] if by else [])
    for change in changes:
        assert (change.variant, change.before, change.after) == ("one", stage, after)
        assert change.why
    assert (guard.version > version) == bool(changes) or events is fine
    assert guard.stage("base") is ACTIVE


@pytest.mark.parametrize(("before", "after"), list(itertools.product(Stage, Stage)))
def test_a_person_may_set_every_stage(before, after):
    """By hand every stage follows every other; the same again changes nothing."""
    guard = guard_with(before)
    changes = guard.set_stage("one", after, at=7.0, by="Ada", why="tried it")
    assert guard.stage("one") is after
    if before is after:
        assert changes == ()
    else:
        (change,) = changes
        assert (change.at, change.variant, change.before, change.after) == (7.0, "one", before, after)
        assert (change.by, change.why) == ("Ada", "tried it")
    assert ("one" in chances(guard)) == (after in {CANARY, ACTIVE})


@pytest.mark.parametrize(("known", "added"), list(itertools.product(Stage, Stage)))
def test_a_known_name_keeps_its_stage(known, added):
    """A variant that is added again stays as it is; nothing comes back from the blacklist unseen."""
    guard = guard_with(known)
    guard.add("one", added, at=1.0)
    assert guard.stage("one") is known
    guard.add("fresh", added, at=1.0)
    assert guard.stage("fresh") is added


def test_the_base_fails_and_stays():
    """The base is never taken out, whatever happens; the status says that it is not well."""
    guard = guard_with(CANARY)
    for number in range(60):
        arm = "one" if number % 4 == 3 else "base"
        outcome = Outcome(-1.0 if arm == "base" else 1.0, failed=arm == "base", severe=arm == "base")
        guard.report(decision(arm, {"base": 0.75, "one": 0.25}), outcome, at=float(number))
        guard.trouble("base", "severe", at=float(number))
    assert guard.stage("base") is ACTIVE
    status = guard.status(at=60.0)
    assert not status.healthy
    assert any("no variant is taken out" in reason for reason in status.reasons)


def test_an_outage_of_everybody_takes_nobody_out():
    """Calls that all fail, of twelve variants, change no stage; the guard is not healthy, and well again afterwards."""
    names = ["base", *(f"v{number}" for number in range(11))]
    guard = Guard(RULES, {name: ACTIVE if name < "v5" else CANARY for name in names})
    for number in range(240):
        table = chances(guard)
        arm = names[number % 12]
        outcome = Outcome(-1.0, failed=True, severe=True, slow=True, hung_up_early=True)
        changes = guard.report(decision(arm, table), outcome, at=float(number))
        assert [one for one in changes if one.after is BLACKLISTED] == []
    status = guard.status(at=240.0)
    assert not status.healthy
    assert len(status.reasons) == 4
    assert guard.status(at=2_000.0).healthy


def test_groups_and_their_shares():
    """New, uncertain and known variants are apart, with the shares of the rules; what is over goes to the known."""
    stages = {"shy": SHADOW, "one": CANARY, "base": CANARY, "two": CANARY, "three": ACTIVE, "bad": BLACKLISTED}
    guard = Guard(DeploymentRules(certain_episodes=2), stages)
    groups = {group.name: (group.share, group.arms) for group in guard.split()}
    assert groups == {
        "active": (pytest.approx(0.85), ("base",)),
        "new": (0.1, ("one", "two")),
        "uncertain": (0.05, ("three",)),
    }
    for second in range(2):
        guard.report(decision("three", chances(guard)), Outcome(1.0), at=float(second))
    groups = {group.name: (group.share, group.arms) for group in guard.split()}
    assert groups == {"active": (pytest.approx(0.9), ("base", "three")), "new": (0.1, ("one", "two"))}
    assert guard.version == 1


def test_a_share_of_nothing_is_no_group():
    """Where new variants may have no calls, there is no group of them."""
    guard = guard_with(CANARY, DeploymentRules(new_share=0.0))
    assert chances(guard) == {"base": 1.0}


OPERATIONS = st.one_of(
    st.tuples(st.just("report"), st.sampled_from(NAMES), st.floats(-1.0, 1.0), st.integers(0, 31)),
    st.tuples(st.just("trouble"), st.sampled_from(NAMES), st.sampled_from(["error", "slow", "severe"])),
    st.tuples(st.just("set"), st.sampled_from(NAMES[1:]), st.sampled_from(list(Stage))),
    st.tuples(st.just("add"), st.sampled_from([*NAMES, "later", "last"]), st.sampled_from(list(Stage))),
)


def apply(guard, operation, at):
    """Do one operation; return what changed."""
    match operation:
        case ("report", arm, reward, bits):
            table = {arm: 0.25, **chances(guard)} if arm not in chances(guard) else chances(guard)
            flags = [bool(bits >> place & 1) for place in range(5)]
            call = decision(arm, table, independent=not flags[4])
            return guard.report(call, Outcome(reward, *flags[:4]), at=at)
        case ("trouble", arm, kind):
            return guard.trouble(arm, kind, at=at)
        case ("set", arm, stage):
            return guard.set_stage(arm, stage, at=at, by="Ada", why="so")
        case ("add", arm, stage):
            return guard.add(arm, stage, at=at)


@settings(max_examples=60, deadline=None)
@given(st.lists(OPERATIONS, max_size=40), st.lists(OPERATIONS, max_size=20))
def test_what_is_saved_goes_on_as_if_it_had_never_stopped(before, after):
    """Whatever happened, a guard read from JSON is the same, and every later change is the same too."""
    guard = Guard(RULES, {"base": ACTIVE, "one": CANARY, "two": ACTIVE})
    for second, operation in enumerate(before):
        apply(guard, operation, float(second))
    again = Guard.from_dict(json.loads(json.dumps(guard.to_dict(), allow_nan=False)), RULES)
    assert again.to_dict() == guard.to_dict()
    assert again.split() == guard.split()
    for second, operation in enumerate(after, len(before)):
        assert apply(again, operation, float(second)) == apply(guard, operation, float(second))
    assert again.to_dict() == guard.to_dict()
    assert str(again.status(at=90.0)) == str(guard.status(at=90.0))


@settings(max_examples=60, deadline=None)
@given(st.lists(OPERATIONS, max_size=40))
def test_the_split_is_always_whole(operations):
    """Shares sum to 1, the base is known, no variant stands in two groups, and the version tells of changes."""
    guard = Guard(RULES, {"base": ACTIVE, "one": CANARY, "two": ACTIVE})
    for second, operation in enumerate(operations):
        split, version = guard.split(), guard.version
        changes = apply(guard, operation, float(second)) or ()
        groups = guard.split()
        assert (split != groups) == (guard.version > version)
        assert sum(group.share for group in groups) == pytest.approx(1.0)
        assert groups[0].name == "active"
        assert "base" in groups[0].arms
        arms = [arm for group in groups for arm in group.arms]
        assert len(arms) == len(set(arms))
        assert all(group.arms and group.share > 0.0 for group in groups)
        assert {guard.stage(arm) for arm in arms} <= {CANARY, ACTIVE}
        assert all(change.before is not change.after and change.variant != "base" for change in changes)


def test_back_from_the_blacklist_it_begins_anew():
    """A variant that a person brings back has no rewards, no evidence and no trouble from before."""
    guard = guard_with(CANARY)
    list(harmful(guard))
    guard.set_stage("one", CANARY, at=100.0, by="Ada", why="repaired")
    status = guard.status(at=100.0).variants[1]
    assert (status.episodes, status.tested, status.calls) == (0, 0, 0)
    assert status.harm == pytest.approx(0.85)


def test_between_other_stages_the_test_goes_on():
    """A canary that is put into shadow and back has not shaken off its evidence."""
    guard = guard_with(CANARY)
    for second in range(6):
        guard.report(decision("one", {"base": 0.9, "one": 0.1}), Outcome(-1.0), at=float(second))
    before = guard.status(at=9.0).variants[1].harm
    for stage in (SHADOW, CANARY):
        guard.set_stage("one", stage, at=9.0, by="Ada", why="paused")
    assert guard.status(at=9.0).variants[1].harm == before > 1.0


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (lambda g: g.report(decision("gone", {"gone": 1.0}), Outcome(0.0), at=0.0), "there is no variant 'gone'"),
        (lambda g: g.report(decision("one", {"base": 1.0}), Outcome(0.0), at=0.0), "'one' has no probability"),
        (lambda g: g.report(decision("one", {"one": 1.0}), Outcome(1.5), at=0.0), "reward 1.5 is not from -1 to 1"),
        (lambda g: g.report(decision("one", {"one": 1.0}), Outcome(float("nan")), at=0.0), "reward nan"),
        (lambda g: g.report(decision("one", {"one": 1.0}), Outcome(0.0), at=float("inf")), "time inf"),
        (lambda g: g.report(decision("one", {"one": 0.5, "base": float("nan")}), Outcome(0.0), at=0.0), "0 to 1"),
        (lambda g: g.report(decision("one", {"one": 1.5, "base": -0.5}), Outcome(0.0), at=0.0), "probability"),
        (lambda g: g.trouble("gone", "error", at=0.0), "there is no variant 'gone'"),
        (lambda g: g.trouble("one", "sad", at=0.0), "'sad' is not one of error, slow, severe"),
        (lambda g: g.set_stage("base", CANARY, at=0.0, by="Ada", why=""), "'base' is always active"),
        (lambda g: g.set_stage("one", ACTIVE, at=0.0, by="", why=""), "by whom"),
        (lambda g: g.set_stage("one", ACTIVE, at=0.0, by="statistics", why=""), "by whom"),
        (lambda g: g.set_stage("one", ACTIVE, at=float("nan"), by="Ada", why=""), "time nan"),
        (lambda g: g.add("fresh", ACTIVE, at=float("nan")), "time nan"),
        (lambda g: g.status(at=float("nan")), "time nan"),
    ],
)
def test_bad_input_is_refused_and_changes_nothing(wrong, said):
    """Each fault is a sentence, and the guard is as before."""
    guard = guard_with(CANARY)
    before = guard.to_dict()
    with pytest.raises(LearningError, match=said):
        wrong(guard)
    assert guard.to_dict() == before


def test_rules_that_cannot_be_are_refused():
    """Without its base, or with nothing left for known variants, there is no guard."""
    with pytest.raises(LearningError, match="base variant 'base' is not among the variants"):
        Guard(RULES, {"one": ACTIVE})
    with pytest.raises(LearningError, match="leave less than 10% of the calls"):
        Guard(DeploymentRules(new_share=0.5, uncertain_share=0.45), {"base": ACTIVE})
    with pytest.raises(NotEligible, match="there is no variant 'x'"):
        guard_with(CANARY).stage("x")


def test_another_base_keeps_the_blacklist():
    """Under rules with another base the stages stay, the old base is tested now, and a blacklisted base is refused."""
    guard = Guard(RULES, {"base": ACTIVE, "one": CANARY, "two": BLACKLISTED})
    again = Guard.from_dict(guard.to_dict(), DeploymentRules(base="one"))
    assert [again.stage(name) for name in NAMES] == [ACTIVE, ACTIVE, BLACKLISTED]
    assert again.status(at=0.0).variants[0].harm is not None
    assert again.status(at=0.0).variants[1].harm is None
    with pytest.raises(InvalidState, match="'two' is not there, or blacklisted"):
        Guard.from_dict(guard.to_dict(), DeploymentRules(base="two"))
    with pytest.raises(InvalidState, match="'none' is not there"):
        Guard.from_dict(guard.to_dict(), DeploymentRules(base="none"))


def paths(state, here=()):
    """Yield the way to every value of a nested table."""
    for key, value in state.items():
        yield (*here, key)
        if isinstance(value, dict):
            yield from paths(value, (*here, key))


def test_every_damaged_field_is_refused_or_harmless():
    """A state with any one value replaced by nonsense, or left out, is refused as such or can be used."""
    guard = guard_with(CANARY)
    list(broken(guard))
    text = json.dumps(guard.to_dict())
    for path in paths(json.loads(text)):
        for nonsense in (None, "x", -1, 1e999, [], {}, {"x": 1}, [None], "left out"):
            state = json.loads(text)
            place = state
            for key in path[:-1]:
                place = place[key]
            if nonsense == "left out":
                del place[path[-1]]
            else:
                place[path[-1]] = nonsense
            with contextlib.suppress(InvalidState):
                Guard.from_dict(state, RULES).status(at=0.0)


def test_status_is_a_table_and_json():
    """The status prints one line for each variant and its health, and is JSON without loss."""
    guard = Guard(RULES, {"base": ACTIVE, "one": CANARY, "two": SHADOW})
    list(broken(guard))
    status = guard.status(at=30.0)
    lines = str(status).splitlines()
    assert lines[0].split()[:3] == ["variant", "stage", "group"]
    assert [line.split()[:2] for line in lines[1:4]] == [["base", "active"], ["one", "blacklisted"], ["two", "shadow"]]
    assert lines[4] == "healthy"
    data = json.loads(json.dumps(status.to_dict(), allow_nan=False))
    assert [row["stage"] for row in data["variants"]] == ["active", "blacklisted", "shadow"]
    assert data["groups"] == [{"name": "active", "share": 1.0, "arms": ["base"]}]
    assert data["healthy"] is True
