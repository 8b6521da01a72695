"""Learning from calls with a real folder: what is chosen, kept, learned, and what happens when something breaks."""

import json
import os
import sqlite3
from contextlib import asynccontextmanager

import numpy as np
import pytest
import trio
from attrs import evolve
from fakes.engines import EventLog

from tomrt.errors import SettingsError
from tomrt.events import Action, CallInfo, Dialect, Signal, Style
from tomrt.happenings import (
    ActionRequested,
    CallEnded,
    FeedbackTaken,
    LearningFailed,
    PolicyChanged,
    ReplyAudible,
    ReplyEnded,
    ReplyOutcome,
    Signalled,
    TurnEnded,
    VariantChosen,
)
from tomrt.learning.archive import Record
from tomrt.learning.opening import open_learning
from tomrt.rl.feedback import FeedbackEvent, Signals
from tomrt.rl.key_ring import KeyRing
from tomrt.rl.learning_folder import AUDIT, CANDIDATES, FEEDBACK, KEYS, POLICY
from tomrt.rl.stage import Stage
from tomrt.rl.store import FeedbackStore
from tomrt.settings import Learning as Settings

CALLER = "+49 30 1234567"
NOW = 1_790_000_000.0


def info(call_id: str = "c1", caller: str = CALLER) -> CallInfo:
    """Return a call."""
    return CallInfo(call_id=call_id, dialect=Dialect.PLAIN, caller=caller)


def whole_call(learning, call_id: str = "c1", *, rating: str = "5", reason: str = "goodbye") -> Style:
    """Have a call that went well."""
    style = learning.router.choose(info(call_id))
    at = {"call_id": call_id, "at": 1.0}
    happenings = [
        ReplyAudible(reply=1, turn=0, response_ms=None, **at),
        TurnEnded(turn=1, start_ms=0.0, end_ms=500.0, reason="silence", **at),
        Signalled(reply=2, signal=Signal.RESOLVED, **at),
        ReplyEnded(reply=2, turn=1, outcome=ReplyOutcome.COMPLETED, text="yes", heard="yes", **at),
    ]
    if rating:
        happenings.append(ActionRequested(reply=3, action=Action("record_rating", (("rating", rating),)), **at))
    for happening in (*happenings, CallEnded(reason=reason, seconds=180.0, samples_in=0, samples_out=0, **at)):
        learning.router.put(happening)
    learning.router.forget(call_id)
    return style


def opened(folder, log=None, **settings):
    """Open learning in *folder*."""
    return open_learning(
        Settings(folder=str(folder), **settings),
        "en",
        EventLog() if log is None else log,
        rng=np.random.default_rng(7),
        clock=lambda: NOW,
    )


def opened_with_own_chance(folder):
    """Open learning as a service does, with chance of its own."""
    return open_learning(Settings(folder=str(folder)), "en", EventLog(), clock=lambda: NOW)


@asynccontextmanager
async def running(learning):
    """Run learning's task; at the end everything is kept."""
    async with trio.open_nursery() as nursery:
        nursery.start_soon(learning.run)
        yield learning
        learning.finish()


async def test_a_call_is_learned_from(tmp_path):
    """A call's variant is chosen with its probability, and its outcome is kept and learned, once."""
    log = EventLog()
    async with running(opened(tmp_path, log)) as learning:
        style = whole_call(learning)
    (chosen,) = log.all(VariantChosen)
    (taken,) = log.all(FeedbackTaken)
    assert chosen.variant == style.name == taken.variant
    assert 0.0 < chosen.propensity <= 1.0
    assert taken.reward == pytest.approx(1.0)
    assert taken.rating == 5
    assert learning.policy.bandit.version == 1
    assert log.all(PolicyChanged)[-1].success == ((style.name, 1.0),)
    assert not log.all(LearningFailed)


async def test_nothing_of_the_caller_is_stored(tmp_path):
    """Neither the caller's number nor the call's name can be found in any file of the folder."""
    async with running(opened(tmp_path)) as learning:
        whole_call(learning, "call-of-mr-smith")
    for path in tmp_path.iterdir():
        data = path.read_bytes()
        for planted in (b"1234567", b"301234567", b"call-of-mr-smith"):
            assert planted not in data, path
        assert path.stat().st_mode & 0o077 == 0, path


async def test_a_restart_knows_what_was_learned(tmp_path):
    """After a restart all that was learned is there, and the probabilities are those of before."""
    async with running(opened(tmp_path)) as learning:
        for number in range(30):
            whole_call(learning, f"c{number}", rating=str(1 + number % 5))
    again = opened(tmp_path)
    assert again.policy.bandit.version == learning.policy.bandit.version == 30
    states = [each.policy.to_dict() for each in (learning, again)]
    for state in states:
        del state["rng"]
    assert json.dumps(states[0]) == json.dumps(states[1])
    decisions = [each.policy.decide({}, at=NOW) for each in (learning, again)]
    assert decisions[0].probabilities == decisions[1].probabilities
    again.archive.close()


async def test_no_decision_has_the_name_of_another(tmp_path):
    """A service that was killed before it saved anything does not draw the same again."""
    names: set[str] = set()
    for _ in range(3):
        learning = opened_with_own_chance(tmp_path)
        for number in range(5):
            whole_call(learning, f"c{number}")
        names |= {job.decision.id for job in learning.router.waiting if isinstance(job, Record)}
        if len(names) == 5:
            learning.archive.save(learning.policy.to_dict(), seq=0, override_seq=0)
        learning.archive.close()
    assert len(names) == 15


async def test_a_lost_state_is_learned_again(tmp_path):
    """Without its saved policy learning begins anew from all outcomes that are kept."""
    async with running(opened(tmp_path)) as learning:
        for number in range(20):
            whole_call(learning, f"c{number}")
    for path in tmp_path.glob(POLICY + "*"):
        path.unlink()
    again = opened(tmp_path)
    assert again.policy.bandit.version == 20
    assert dict(again.policy.mean_rewards()) == pytest.approx(dict(learning.policy.mean_rewards()))
    again.archive.close()


async def test_a_later_rating_replaces_the_reward(tmp_path):
    """A rating that another process adds afterwards is learned in place of what was learned without it."""
    log = EventLog()
    async with running(opened(tmp_path, log)) as learning:
        style = whole_call(learning, rating="")
        with trio.fail_after(10):
            while not log.all(FeedbackTaken):
                await trio.sleep(0.01)
        keys = KeyRing.open(tmp_path / KEYS, NOW)
        other = FeedbackStore.open(tmp_path / FEEDBACK, keys)
        (learnt,) = other.after(0)
        other.collect(
            FeedbackEvent(
                decision_id=learnt.decision.id,
                call_id="c1",
                ts=NOW,
                agent="assistant",
                profile="general",
                variant=style.name,
                signals=Signals(user_rating=1),
            ),
            now=NOW,
        )
        other.close()
        with trio.fail_after(10):
            while len(log.all(FeedbackTaken)) < 2:
                await trio.sleep(0.05)
    first, late = log.all(FeedbackTaken)
    assert (first.late, late.late, late.rating) == (False, True, 1)
    assert late.reward == pytest.approx(first.reward - 0.2)
    assert learning.policy.bandit.version >= 1
    assert dict(learning.policy.mean_rewards())[style.name] == pytest.approx(late.reward)


async def test_a_stage_set_by_hand_is_obeyed(tmp_path):
    """What the command line writes into the folder of a running service counts within seconds, and after a restart."""
    async with running(opened(tmp_path)) as learning:
        victim = next(name for name in learning.router.styles if name != "base")
        keys = KeyRing.open(tmp_path / KEYS, NOW)
        other = FeedbackStore.open(tmp_path / FEEDBACK, keys)
        other.override(victim, "blacklisted", by="an operator", why="complaints", now=NOW)
        other.close()
        with trio.fail_after(10):
            while learning.policy.guard.stage(victim) is not Stage.BLACKLISTED:
                await trio.sleep(0.05)
        assert victim not in learning.policy.decide({}, at=NOW).eligible
    assert "complaints" in (tmp_path / AUDIT).read_text()
    again = opened(tmp_path)
    assert again.policy.guard.stage(victim) is Stage.BLACKLISTED
    again.archive.close()


async def test_an_order_given_to_a_stopped_service_is_audited(tmp_path):
    """What was ordered while no service ran is obeyed at the next start, and stands in the audit log once."""
    async with running(opened(tmp_path)) as learning:
        whole_call(learning)
    keys = KeyRing.open(tmp_path / KEYS, NOW)
    other = FeedbackStore.open(tmp_path / FEEDBACK, keys)
    other.override("warm", "blacklisted", by="an operator", why="complaints", now=NOW)
    other.close()
    for _ in range(2):
        async with running(opened(tmp_path)) as learning:
            assert learning.policy.guard.stage("warm") is Stage.BLACKLISTED
    assert (tmp_path / AUDIT).read_text().count("complaints") == 1


async def test_the_last_order_counts(tmp_path):
    """A variant that was taken out and brought back by hand, both before the service looked, stays back."""
    async with running(opened(tmp_path)) as learning:
        keys = KeyRing.open(tmp_path / KEYS, NOW)
        other = FeedbackStore.open(tmp_path / FEEDBACK, keys)
        for stage in ("blacklisted", "canary"):
            other.override("warm", stage, by="an operator", why="second thoughts", now=NOW)
        with trio.fail_after(10):
            while learning.override_seq < 2:
                await trio.sleep(0.02)
        await trio.sleep(1.5)
        assert learning.policy.guard.stage("warm") is Stage.CANARY
        assert len(list(other.overrides_after(0))) == 2
        other.close()


async def test_what_was_taken_out_stays_out(tmp_path):
    """A variant that the test took out does not come back when the state and the outcomes behind it are gone."""
    own = tmp_path / "variants.toml"
    own.write_text('extends = "built-in"\n[deployment]\nnew_share = 0.5\nharm_alpha = 0.5\n')
    folder = tmp_path / "folder"
    async with running(opened(folder, variants=str(own))) as learning:
        for number in range(1_000):
            name = f"c{number}"
            style = learning.router.choose(info(name))
            at = {"call_id": name, "at": 1.0}
            served = style.name != "warm"
            learning.router.put(ReplyAudible(reply=1, turn=0, response_ms=None, **at))
            learning.router.put(TurnEnded(turn=1, start_ms=0.0, end_ms=500.0, reason="silence", **at))
            learning.router.put(ReplyEnded(reply=2, turn=1, outcome=ReplyOutcome.CUT, text="y", heard="y", **at))
            if served:
                learning.router.put(Signalled(reply=2, signal=Signal.RESOLVED, **at))
            learning.router.put(CallEnded(reason="goodbye", seconds=180.0, samples_in=0, samples_out=0, **at))
            learning.router.forget(name)
            await trio.sleep(0.001)
            if learning.policy.guard.stage("warm") is Stage.BLACKLISTED:
                break
    assert '"statistics"' in (folder / AUDIT).read_text()
    for path in folder.glob(POLICY + "*"):
        path.unlink()
    learning = opened(folder, variants=str(own))
    learning.archive.store.clean_up(before=NOW + 1e6)
    learning.archive.close()
    again = opened(folder, variants=str(own))
    assert again.policy.bandit.version == 0
    assert again.policy.guard.stage("warm") is Stage.BLACKLISTED
    again.archive.close()


async def test_other_weights_are_learned_again(tmp_path):
    """When the operator weighs signals anew, all outcomes that are kept are learned again by the new weights."""
    own = tmp_path / "variants.toml"
    own.write_text('extends = "built-in"\n')
    async with running(opened(tmp_path / "folder", variants=str(own), explore=False)) as learning:
        for number in range(5):
            whole_call(learning, f"c{number}")
    assert dict(learning.policy.mean_rewards())["base"] == pytest.approx(1.0)
    own.write_text('extends = "built-in"\n[reward]\nresolution = 0.1\n')
    again = opened(tmp_path / "folder", variants=str(own))
    assert dict(again.policy.mean_rewards())["base"] == pytest.approx(0.1 + 0.2 + 0.2)
    again.archive.close()


async def test_a_damaged_state_is_learned_again(tmp_path):
    """Where every saved state is damaged, all outcomes that are kept are learned again."""
    async with running(opened(tmp_path)) as learning:
        for number in range(20):
            whole_call(learning, f"c{number}")
    for path in tmp_path.glob(POLICY + "*"):
        path.write_bytes(path.read_bytes()[:-20] + b"0" * 20)
    again = opened(tmp_path)
    assert again.policy.bandit.version == 20
    again.archive.close()


async def test_an_order_for_a_variant_that_comes_later_is_kept(tmp_path):
    """A stage set for a variant that the running service does not know counts once the service knows it."""
    own = tmp_path / "variants.toml"
    own.write_text('extends = "built-in"\n')
    async with running(opened(tmp_path, variants=str(own))) as learning:
        whole_call(learning)
        keys = KeyRing.open(tmp_path / KEYS, NOW)
        other = FeedbackStore.open(tmp_path / FEEDBACK, keys)
        other.override("later", "active", by="an operator", why="trained", now=NOW)
        other.override("base", "shadow", by="an operator", why="a mistake", now=NOW)
        other.close()
        with trio.fail_after(10):
            while learning.override_seq < 2:
                await trio.sleep(0.05)
    own.write_text('extends = "built-in"\n[variants.later]\nstage = "shadow"\nslots = { tone = "formal" }\n')
    again = opened(tmp_path, variants=str(own))
    assert again.policy.guard.stage("later") is Stage.ACTIVE
    assert again.policy.guard.stage("base") is Stage.ACTIVE
    again.archive.close()


async def test_two_calls_of_one_name_teach_nothing(tmp_path):
    """While two calls have one name their happenings cannot be told apart: neither is learned from, the next one is."""
    log = EventLog()
    async with running(opened(tmp_path, log)) as learning:
        learning.router.choose(info("c1"))
        assert whole_call(learning, "c1").name == "base"
        learning.router.put(CallEnded(call_id="c1", at=0.0, reason="goodbye", seconds=1.0, samples_in=0, samples_out=0))
        learning.router.forget("c1")
        whole_call(learning, "c1")
    assert len(log.all(FeedbackTaken)) == 1
    assert [failure.where for failure in log.all(LearningFailed)] == ["twice"]


def test_candidates_that_do_not_fit_are_left_out(tmp_path):
    """A candidate of an older set of variants stops nobody."""
    (tmp_path / CANDIDATES).write_text('[variants.old]\nslots = { tone = "gone" }\n')
    learning = opened(tmp_path)
    assert "old" not in learning.policy.catalogue.variants
    learning.archive.close()


async def test_without_exploring_all_calls_have_the_base(tmp_path):
    """With explore off no other variant is tried; outcomes are learned all the same."""
    async with running(opened(tmp_path, explore=False)) as learning:
        assert {whole_call(learning, f"c{number}").name for number in range(20)} == {"base"}
    assert learning.policy.bandit.version == 20


async def test_calls_that_teach_nothing_are_not_learned(tmp_path):
    """A call that the service itself ended leaves a decision and no outcome."""
    log = EventLog()
    async with running(opened(tmp_path, log)) as learning:
        whole_call(learning, reason="draining")
    assert log.all(VariantChosen)
    assert not log.all(FeedbackTaken)


async def test_a_full_disk_delays_and_loses_nothing(tmp_path):
    """While the database cannot be written calls have their variants; afterwards everything is kept and learned."""
    log = EventLog()
    learning = opened(tmp_path, log)
    blocker = sqlite3.connect(tmp_path / FEEDBACK, isolation_level=None)
    blocker.execute("BEGIN EXCLUSIVE")
    async with running(learning):
        for number in range(5):
            whole_call(learning, f"c{number}")
        with trio.fail_after(30):
            while not log.all(LearningFailed):
                await trio.sleep(0.05)
        assert not log.all(FeedbackTaken)
        blocker.execute("ROLLBACK")
        blocker.close()
        with trio.fail_after(30):
            while len(log.all(FeedbackTaken)) < 5:
                await trio.sleep(0.05)
    assert learning.router.lost == 0


async def test_a_state_that_cannot_be_saved_is_said_once(tmp_path, caplog):
    """While the policy cannot be saved one line says so, not one each second; then it is saved."""
    log = EventLog()
    learning = opened(tmp_path, log)
    target = tmp_path / (POLICY + ".tmp")
    target.mkdir()
    (target / "in the way").write_text("")
    async with running(learning):
        whole_call(learning)
        await trio.sleep(2.5)
        target.rename(tmp_path / "gone")
        with trio.fail_after(10):
            while not (tmp_path / POLICY).exists():
                await trio.sleep(0.05)
    assert [record.message for record in caplog.records if record.levelname == "ERROR"][1:] == []
    assert [failure.where for failure in log.all(LearningFailed)] == ["save"]


async def test_a_fault_of_the_program_ends_nothing(tmp_path):
    """Where learning itself is broken its task goes on, a metric tells, and it ends when it is told to."""
    log = EventLog()
    learning = opened(tmp_path, log)
    learning.router.policy.bandit = None
    with trio.fail_after(20):
        async with running(learning):
            await trio.sleep(0.1)
    assert log.all(LearningFailed)


async def test_a_fault_of_learning_does_not_touch_the_call(tmp_path):
    """Where the policy breaks the call has the base variant, and a metric says so."""
    log = EventLog()
    learning = opened(tmp_path, log)
    learning.router.styles = {"base": evolve(learning.router.styles["base"])}

    class Broken:
        catalogue = learning.policy.catalogue

        def decide(self, *_, **__):
            raise ZeroDivisionError

    learning.router.policy = Broken()
    assert learning.router.choose(info()).name == "base"
    learning.router.forget("c1")
    assert [failure.where for failure in log.all(LearningFailed)] == ["choose"]
    assert log.all(VariantChosen)[0].group == "fallback"
    whole_call(learning)
    learning.archive.close()


async def test_a_call_that_never_began_is_forgotten(tmp_path):
    """A call that did not come to its session leaves nothing behind in memory."""
    async with running(opened(tmp_path)) as learning:
        learning.router.choose(info())
        learning.router.forget("c1")
        learning.router.choose(info())
        learning.router.put(CallEnded(call_id="c1", at=0.0, reason="goodbye", seconds=1.0, samples_in=0, samples_out=0))


async def test_callers_may_keep_their_variant(tmp_path):
    """Where variants are sticky one caller has one; its first call alone counts in tests. The unknown are many."""
    own = tmp_path / "variants.toml"
    own.write_text('extends = "built-in"\n[bandit]\nsticky = true\n[deployment]\nnew_share = 0.5\n')
    learning = opened(tmp_path / "folder", variants=str(own))
    mine, nobodys = set(), set()
    for number in range(60):
        mine.add(learning.router.choose(info(f"a{number}")).name)
        nobodys.add(learning.router.choose(info(f"b{number}", caller="anonymous")).name)
    assert len(mine) == 1
    assert len(nobodys) > 2
    decisions = [job.decision for job in learning.router.waiting if job.call_id.startswith("a")]
    assert [decision.independent for decision in decisions] == [True] + [False] * 59
    learning.archive.close()


async def test_a_variant_that_crashes_before_it_is_heard_is_blamed(tmp_path):
    """Calls that fail before their greeting is audible teach nothing, but take the variant out."""
    log = EventLog()
    own = tmp_path / "variants.toml"
    own.write_text('extends = "built-in"\n[deployment]\nnew_share = 0.5\n')
    async with running(opened(tmp_path / "folder", log, variants=str(own))) as learning:
        for number in range(400):
            style = learning.router.choose(info(f"c{number}"))
            reason = "failed" if style.name == "warm" else "goodbye"
            at = {"call_id": f"c{number}", "at": 1.0}
            if reason == "goodbye":
                learning.router.put(ReplyAudible(reply=1, turn=0, response_ms=None, **at))
            learning.router.put(CallEnded(reason=reason, seconds=9.0, samples_in=0, samples_out=0, **at))
            await trio.sleep(0.002)
        with trio.fail_after(10):
            while learning.policy.guard.stage("warm") is not Stage.BLACKLISTED:
                await trio.sleep(0.05)
    again = opened(tmp_path / "folder", variants=str(own))
    assert again.policy.guard.stage("warm") is Stage.BLACKLISTED
    again.archive.close()


def test_a_folder_has_one_service(tmp_path):
    """A second service on the same folder learns nothing, and says why; its calls are answered."""
    first = opened(tmp_path)
    assert opened(tmp_path) is None
    first.archive.close()
    second = opened(tmp_path)
    assert second is not None
    second.archive.close()


def test_a_folder_that_cannot_be_used(tmp_path):
    """Where the folder is none, learning is off and the service is not."""
    (tmp_path / "file").write_text("")
    assert opened(tmp_path / "file" / "folder") is None


def test_wrong_variants_are_the_operators_fault(tmp_path):
    """A file of variants that is wrong ends the start with each of its faults."""
    path = tmp_path / "variants.toml"
    path.write_text("[variants.base]\ngreeting = 'nonsense'\n")
    with pytest.raises(SettingsError, match=r"learning\.variants: .*base"):
        opened(tmp_path, variants=str(path))
    with pytest.raises(SettingsError, match=r"learning\.profile"):
        opened(tmp_path, profile="fishing")


async def test_the_same_seed_makes_the_same_choices(tmp_path):
    """Two services with one seed and one history choose the same, call for call."""
    names = []
    for place in ("a", "b"):
        async with running(opened(tmp_path / place)) as learning:
            chosen = []
            for number in range(40):
                chosen.append(whole_call(learning, f"c{number}").name)
                while learning.policy.bandit.version <= number:
                    await trio.sleep(0.001)
            names.append(chosen)
    assert names[0] == names[1]
    assert len(set(names[0])) > 1


def test_who_runs_may_read_it(tmp_path):
    """The folder is its owner's alone."""
    learning = opened(tmp_path / "new")
    learning.archive.close()
    assert os.stat(tmp_path / "new").st_mode & 0o077 == 0
