"""The whole service: real sockets, real engines, real calls."""

import signal
import socket

import httpx
import pytest
import trio
from attrs import evolve
from fakes.service import left_open, loopback_settings, place, running_process, running_service, urls, voiced
from trio_websocket import open_websocket_url

import tomrt.audio.confirm as confirm
import tomrt.dialogue.lexicon as lexicon
from tomrt.caller.dial import dial
from tomrt.caller.plan import CallPlan, CallRecord, NotPlaced
from tomrt.caller.report import measure
from tomrt.events import WEBSOCKET_DIALECTS, Dialect
from tomrt.security.tokens import issue
from tomrt.settings import Secret

SECRET = "a secret that is at least thirty-two bytes long"


async def test_calls_are_answered_in_every_dialect():
    """A question and a goodbye are answered with speech, whichever way the switch frames them, at either rate."""
    records: dict[tuple[Dialect, int], CallRecord] = {}
    async with running_service() as service, trio.open_nursery() as nursery:

        async def one(dialect: Dialect, rate_hz: int) -> None:
            records[dialect, rate_hz] = await place(
                urls(service)[0], "what is your address", "goodbye", dialect=dialect, rate_hz=rate_hz
            )

        for dialect in WEBSOCKET_DIALECTS:
            nursery.start_soon(one, dialect, 8000)
        nursery.start_soon(one, Dialect.PLAIN, 16000)
        nursery.start_soon(one, Dialect.FORK, 16000)
    for (dialect, _), record in records.items():
        report = measure(record)
        assert report.ok, (dialect, report)
        assert record.faults == ()
        if dialect is Dialect.PLAIN:
            assert [turn.understood for turn in report.turns] == ["what is your address", "goodbye"]
            assert "Green Street" in report.turns[0].answered


async def test_caller_cuts_in():
    """A caller who talks over the answer silences it, and gets an answer of their own."""
    async with running_service() as service:
        texts = ("what are your opening hours", "I would like to book an appointment please")
        record = await place(urls(service)[0], *texts, barge_in_at_s=1.0)
    report = measure(record)
    assert report.ok
    assert report.turns[1].interrupted
    cut = [event for event in record.events if event.type == "answered" and event.said["outcome"] == "cut"]
    assert cut[0].said["text"].startswith(cut[0].said["heard"])
    assert len(cut[0].said["heard"]) < len(cut[0].said["text"])


async def test_ten_calls_at_once_leave_nothing_behind():
    """Ten calls at once are all answered; afterwards tasks, descriptors and threads are what they were before."""
    async with running_service() as service:
        url = urls(service)[0]
        reports = {}

        async def one(name: int) -> None:
            reports[name] = measure(await place(url, "what is your address", "goodbye"))

        await place(url, "goodbye")  # whatever is opened once and kept is open now
        await trio.sleep(0.5)
        before = left_open()
        async with trio.open_nursery() as nursery:
            for name in range(10):
                nursery.start_soon(one, name)
        assert [report.ok for report in reports.values()] == [True] * 10
        with trio.move_on_after(10):
            while left_open() != before:
                await trio.sleep(0.2)
        assert before == left_open()
        assert service.admission.active == 0


async def test_full_service_refuses_and_recovers():
    """One call too many gets 503 and hurts nobody; when a line is free again, calls are taken."""
    async with running_service(loopback_settings(max_calls=1)) as service:
        url = urls(service)[0]
        async with trio.open_nursery() as nursery:
            nursery.start_soon(place, url, "goodbye")
            while not service.admission.active:
                await trio.sleep(0.05)
            refused = await dial(CallPlan(url=url, utterances=await voiced("goodbye")))
            assert isinstance(refused, NotPlaced)
            assert "503" in refused.sentence
        await place(url, "goodbye")


async def test_tokens_are_asked_for_where_a_secret_is_set():
    """With a secret a call needs a token of its own; without one, or with another call's, it is refused."""
    settings = loopback_settings()
    settings = evolve(settings, auth=evolve(settings.auth, secret=Secret(SECRET)))
    async with running_service(settings) as service:
        url = urls(service)[0]
        said = await voiced("goodbye")
        plan = CallPlan(url=url, utterances=said, call_id="mine", token=issue(SECRET, "mine", 60))
        assert isinstance(await dial(plan), CallRecord)
        for token in (
            "",
            "nonsense",
            issue(SECRET, "other", 60),
            issue(SECRET, "mine", -5),
            issue("x" * 40, "mine", 60),
        ):
            assert isinstance(await dial(evolve(plan, token=token)), NotPlaced)


async def test_pages():
    """The HTTP port says that it lives, that it is ready, and its figures, also of calls that were placed."""
    async with running_service() as service, httpx.AsyncClient() as client:
        media, http = urls(service)
        await place(media, "goodbye")
        assert (await client.get(f"{http}/healthz")).text == "ok\n"
        assert (await client.get(f"{http}/readyz")).status_code == 200
        figures = (await client.get(f"{http}/metrics")).text
        assert 'tomrt_calls_ended_total{reason="goodbye"} 1.0' in figures
        assert "tomrt_response_seconds_count 1.0" in figures
        assert (await client.get(f"{http}/nothing")).status_code == 404


async def test_one_port_serves_both():
    """When both ports are the same number, one door takes calls and shows pages."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    settings = loopback_settings()
    settings = evolve(settings, gateway=evolve(settings.gateway, http_port=port, media_port=port))
    async with running_service(settings), httpx.AsyncClient() as client:
        async with open_websocket_url(f"ws://127.0.0.1:{port}/call?dialect=plain") as call:
            assert '"ready"' in await call.get_message()
        assert (await client.get(f"http://127.0.0.1:{port}/healthz")).status_code == 200


async def test_first_signal_drains_and_exits_with_0(tmp_path):
    """After SIGTERM new calls get 503, the running one is finished, and the service ends with 0."""
    async with running_process(tmp_path / "log") as service:
        said = await voiced("goodbye")
        results = []

        async def one() -> None:
            results.append(await dial(CallPlan(url=service.media_url, utterances=said)))

        async with trio.open_nursery() as nursery:
            nursery.start_soon(one)
            await trio.sleep(2.0)
            service.process.send_signal(signal.SIGTERM)
            await trio.sleep(0.5)
            refused = await dial(CallPlan(url=service.media_url, utterances=said))
            assert isinstance(refused, NotPlaced)
            assert "503" in refused.sentence
            async with httpx.AsyncClient() as client:
                assert (await client.get(f"{service.http_url}/readyz")).status_code == 503
        assert measure(results[0]).ok
        with trio.fail_after(10):
            assert await service.process.wait() == 0


async def test_second_signal_forces(tmp_path):
    """A second signal ends the service at once, with the line closed in order and exit code 1."""
    async with running_process(tmp_path / "log") as service:
        said = await voiced("what are your opening hours")
        results = []

        async def one() -> None:
            results.append(await dial(CallPlan(url=service.media_url, utterances=said)))

        async with trio.open_nursery() as nursery:
            nursery.start_soon(one)
            await trio.sleep(2.0)
            service.process.send_signal(signal.SIGTERM)
            await trio.sleep(0.3)
            service.process.send_signal(signal.SIGTERM)
            with trio.fail_after(10):
                assert await service.process.wait() == 1
        assert results[0].ended != ""


async def test_drain_limit_ends_calls_that_do_not_end(tmp_path):
    """A call that outlasts the drain limit is closed by the service, which still ends with 0."""
    async with running_process(tmp_path / "log", {"TOMRT_GATEWAY__DRAIN_S": "1"}) as service:
        said = await voiced("what are your opening hours")
        async with trio.open_nursery() as nursery:
            nursery.start_soon(dial, CallPlan(url=service.media_url, utterances=said))
            await trio.sleep(2.0)
            service.process.send_signal(signal.SIGTERM)
            with trio.fail_after(10):
                assert await service.process.wait() == 0


async def test_taken_port_is_one_sentence(tmp_path):
    """A port that another program has is named in one line with what to do, and the exit code is 1."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        with pytest.raises(AssertionError, match=f"port {port} is taken by another program"):
            async with running_process(tmp_path / "log", {"TOMRT_GATEWAY__MEDIA_PORT": port}):
                pass
    assert len((tmp_path / "log").read_text().splitlines()) == 1


async def test_first_caller_does_not_wait_for_what_all_share():
    """The confirming detector and the word lists are loaded before calls are taken, not within the first one."""
    confirm._session.cache_clear()
    lexicon._built_in.cache_clear()
    async with running_service():
        assert confirm._session.cache_info().currsize == 1
        assert lexicon._built_in.cache_info().currsize == 1
