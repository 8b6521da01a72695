"""A whole service, for tests: in this process, or as an operator starts it."""

import gc
import json
import os
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import trio
from attrs import evolve, frozen

from tomrt import app
from tomrt.app import Service
from tomrt.caller.dial import dial
from tomrt.caller.plan import CallPlan, CallRecord
from tomrt.caller.script import Utterance
from tomrt.caller.speech import spoken_by
from tomrt.engines.espeak import Espeak
from tomrt.settings import Settings

__all__ = [
    "ROOT",
    "RunningService",
    "left_open",
    "loopback_settings",
    "place",
    "running_process",
    "running_service",
    "urls",
    "voiced",
]

ROOT = Path(__file__).parents[2]
START_S = 60.0
FAST_WPM = 400
FIRST_PORT = 20_000 + os.getpid() % 60 * 200
"""Of UDP ports for unicast: tests run in several processes, and each wants its own."""
SETTLE_S = 0.5
"""The assistant has finished when it was silent for so long; between its sentences it is not."""


def loopback_settings(**gateway: object) -> Settings:
    """Return settings with free ports, and a voice that speaks fast: calls take real time."""
    defaults = Settings()
    return evolve(
        defaults,
        gateway=evolve(defaults.gateway, http_port=0, media_port=0, **gateway),
        freeswitch=evolve(
            defaults.freeswitch, outbound_port=0, unicast_first_port=FIRST_PORT, unicast_last_port=FIRST_PORT + 199
        ),
        engines=evolve(defaults.engines, espeak_wpm=FAST_WPM),
    )


@asynccontextmanager
async def running_service(settings: Settings | None = None) -> AsyncIterator[Service]:
    """Run a service within this process; it is cancelled at the end."""
    opened: list[Service] = []
    ready = trio.Event()

    def announce(service: Service) -> None:
        opened.append(service)
        ready.set()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(app.serve, settings or loopback_settings(), announce)
        with trio.fail_after(START_S):
            await ready.wait()
        yield opened[0]
        nursery.cancel_scope.cancel()


def urls(service: Service) -> tuple[str, str]:
    """Return the media URL and the HTTP URL."""
    facts = json.loads(service.banner("test").show(as_json=True))
    return facts["media_url"], facts["http_url"]


@frozen
class RunningService:
    """A service in a process of its own."""

    process: trio.Process
    banner: dict
    log: Path

    @property
    def media_url(self) -> str:
        """Where calls are taken."""
        return self.banner["media_url"]

    @property
    def http_url(self) -> str:
        """Where pages are."""
        return self.banner["http_url"]


@asynccontextmanager
async def running_process(log: Path, environ: Mapping[str, str] | None = None) -> AsyncIterator[RunningService]:
    """Start ``python -m tomrt`` on free ports, its log lines in the file *log*; it is killed at the end."""
    settings = {
        "TOMRT_GATEWAY__HTTP_PORT": "0",
        "TOMRT_GATEWAY__MEDIA_PORT": "0",
        "TOMRT_FREESWITCH__OUTBOUND_PORT": "0",
        "TOMRT_ENGINES__ESPEAK_WPM": str(FAST_WPM),
        **(environ or {}),
    }
    with log.open("wb") as stderr:
        process = await trio.lowlevel.open_process(
            [sys.executable, "-m", "tomrt", "--json"],
            stdout=subprocess.PIPE,
            stderr=stderr,
            env={**os.environ, **settings},
            cwd=ROOT,
        )
    try:
        with trio.fail_after(START_S):
            line = b""
            while not line.endswith(b"\n"):
                data = await process.stdout.receive_some()
                assert data, f"the service ended before it was ready: {log.read_text()}"
                line += data
        yield RunningService(process, json.loads(line), log)
    finally:
        if process.poll() is None:
            process.kill()
        with trio.CancelScope(shield=True):
            await process.wait()
            await process.stdout.aclose()


async def voiced(*texts: str, rate_hz: int = 8000) -> tuple[Utterance, ...]:
    """Return *texts* spoken by eSpeak."""
    voice = Espeak()
    try:
        return tuple([await spoken_by(voice, text, rate_hz) for text in texts])
    finally:
        await voice.aclose()


def left_open() -> tuple[int, list[str], list[str]]:
    """Return what a service could leave behind in this process: tasks, descriptors, threads.

    Trio's idle threads (``Trio thread``) are its cache, and end by themselves.
    """
    gc.collect()
    descriptors = []
    for name in os.listdir("/proc/self/fd"):
        with suppress(FileNotFoundError):
            descriptors.append(os.readlink(f"/proc/self/fd/{name}").partition(":")[0])
    threads = [thread.name for thread in threading.enumerate() if not thread.name.startswith("Trio thread")]
    return trio.lowlevel.current_statistics().tasks_living, sorted(descriptors), sorted(threads)


async def place(url: str, *texts: str, **plan: object) -> CallRecord:
    """Place a call and return what came of it."""
    rate_hz = plan.get("rate_hz", 8000)
    with trio.fail_after(90):
        said = await voiced(*texts, rate_hz=rate_hz)
        record = await dial(CallPlan(url=url, utterances=said, settle_s=SETTLE_S, **plan))
    assert isinstance(record, CallRecord), record
    return record
