"""A whole service that learns: real calls, a real folder, the command line beside it."""

import httpx
import trio
from attrs import evolve
from fakes.service import loopback_settings, place, running_service, urls

from tomrt.caller.report import measure
from tomrt.rl.store import FeedbackStore
from tomrt.settings import Settings


def learning_settings(folder, *, variants: str = "", closing: str = "always") -> Settings:
    """Return settings of a service that learns in *folder*."""
    settings = loopback_settings()
    return evolve(
        settings,
        learning=evolve(settings.learning, folder=str(folder), variants=variants),
        dialogue=evolve(settings.dialogue, closing_question=closing),
    )


async def metric(service, name: str) -> float:
    """Return one figure of /metrics, summed over its labels."""
    async with httpx.AsyncClient() as client:
        text = (await client.get(urls(service)[1] + "/metrics")).text
    lines = [line for line in text.splitlines() if line.startswith((name + " ", name + "{"))]
    return sum(float(line.rsplit(" ", 1)[1]) for line in lines)


async def test_a_call_teaches(tmp_path):
    """A caller asks, says goodbye, is asked how it was and gives four: that is learned, and nothing else is kept."""
    async with running_service(learning_settings(tmp_path / "learned")) as service:
        record = await place(urls(service)[0], "what are your opening hours", "goodbye", "I would say four stars")
        report = measure(record)
        assert "one to five" in report.turns[1].answered.lower()
        assert "four star" in report.turns[2].understood
        with trio.fail_after(10):
            while not await metric(service, "rl_feedback_total"):
                await trio.sleep(0.1)
        assert await metric(service, "rl_user_rating_distribution_count") == 1
        assert await metric(service, "rl_policy_pulls_total") == 1
        assert await metric(service, "rl_failures_total") == 0
    (episode,) = FeedbackStore.read_only(tmp_path / "learned" / "feedback.db").episodes()
    assert episode.signals.user_rating == 4
    assert episode.signals.resolution == 1.0


async def test_a_variant_is_what_the_caller_hears(tmp_path):
    """A file of variants whose base has another greeting is what callers hear first."""
    variants = tmp_path / "variants.toml"
    variants.write_text(
        """\
[slots.greeting.plain]

[slots.greeting.parrot.en]
greeting = "Ahoy there, what shall it be?"

[variants.base]
stage = "active"
slots = { greeting = "parrot" }
"""
    )
    async with running_service(learning_settings(tmp_path / "learned", variants=str(variants))) as service:
        record = await place(urls(service)[0], "what are your opening hours")
    spoken = [event.said["heard"] for event in record.events if event.type == "answered"]
    assert spoken[0] == "Ahoy there, what shall it be?"
    assert measure(record).ok


async def test_a_folder_that_cannot_be_used_stops_nobody(tmp_path):
    """Where the folder is a file the calls are answered all the same, and a metric tells."""
    (tmp_path / "learned").write_text("")
    async with running_service(learning_settings(tmp_path / "learned")) as service:
        assert measure(await place(urls(service)[0], "what are your opening hours")).ok
        assert await metric(service, "rl_failures_total") == 1
        assert await metric(service, "rl_policy_pulls_total") == 0
