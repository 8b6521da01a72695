"""Boxes for the doctor to examine: a switch that answers as a whole one does, and a service beside it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import trio
from attrs import define, evolve, field
from fakes.freeswitch import FakeSwitch, fake_switch
from fakes.freeswitch_api import Api

from tomrt.doctor.examination import Examination, Patient
from tomrt.doctor.finding import Finding
from tomrt.doctor.report import Report
from tomrt.settings import Settings

__all__ = ["PASSWORD", "STATUS", "Box", "box", "settings_with"]

PASSWORD = "f3c1a9e0d4b7"
STATUS = (
    "UP 0 years, 0 days, 17 hours, 56 minutes, 31 seconds, 571 milliseconds, 721 microseconds\n"
    "FreeSWITCH (Version 1.10.12 -release 64bit) is ready\n"
    "7 session(s) since startup\n"
    "0 session(s) - peak 2, last 5min 0 \n"
    "0 session(s) per Sec out of max 30, peak 1, last 5min 0 \n"
    "1000 session(s) max\n"
    "min idle cpu 0.00/99.00\n"
    "Current Stack Size/Max 240K/8192K\n"
)
FORK_USAGE = (
    "-USAGE: <uuid> [start | stop | send_text | pause | resume | graceful-shutdown ] [wss-url | path] "
    "[mono | mixed | stereo] [8000 | 16000 | 24000 | 32000 | 64000] [bugname] [metadata]"
)
BOTH_WAYS = " [bidirectionalAudio_enabled] [bidirectionalAudio_stream_enabled] [bidirectionalAudio_stream_samplerate]\n"


class WholeApi(Api):
    """The answers that only the doctor asks for, as a switch of today gives them."""

    def __init__(self, switch: FakeSwitch, answers: dict[str, str]) -> None:
        super().__init__(switch)
        self._answers = answers
        self.late_s: dict[str, float] = {}
        """How long a command takes, by its first word."""

    async def run(self, text: str, **kinds: object) -> str:
        """Answer what the box answers of its own, else what every fake does."""
        first = text.split(" ", 1)[0]
        await trio.sleep(self.late_s.get(first, 0))
        for known in (text, first):
            if known in self._answers:
                return self._answers[known]
        if text == "uuid_audio_fork" and "mod_audio_fork" in self._switch.odd.modules:
            return FORK_USAGE + (BOTH_WAYS if self._switch.odd.build == "jambonz" else "\n")
        return await super().run(text, **kinds)


@define(kw_only=True)
class Box:
    """A machine to examine."""

    switch: FakeSwitch
    settings: Settings
    answers: dict[str, str]
    told: list[Finding] = field(factory=list)
    steps: list[str] = field(factory=list)

    def patient(self, **changed: object) -> Patient:
        """Return what the doctor is given; nothing outside this process is tried."""
        usual = Patient(
            host="127.0.0.1",
            port=self.switch.inbound_port,
            settings=self.settings,
            password=PASSWORD,
            with_call=False,
            own_addresses=(),
        )
        return evolve(usual, **changed)

    async def examined(self, **changed: object) -> Report:
        """Return what the doctor finds."""
        with trio.fail_after(60):
            return await Examination(
                patient=self.patient(**changed), on_step=self.steps.append, on_finding=self.told.append
            ).run()


def settings_with(**sections: dict[str, object]) -> Settings:
    """Return settings that differ from the defaults, by section."""
    usual = Settings()
    return evolve(usual, **{name: evolve(getattr(usual, name), **keys) for name, keys in sections.items()})


@asynccontextmanager
async def box(*, answers: dict[str, str] | None = None, **oddities: object) -> AsyncIterator[Box]:
    """Run a healthy switch and the ports of a service beside it; the keywords break the switch."""
    async with fake_switch(**{"password": PASSWORD} | oddities) as switch, trio.open_nursery() as nursery:
        said = {"status": STATUS} | (answers or {})
        switch.api = WholeApi(switch, said)
        outbound = await nursery.start(speaker, b"connect\n\n")
        media = await nursery.start(speaker, b"HTTP/1.1 426 Upgrade Required\r\n\r\n")
        settings = settings_with(freeswitch={"outbound_port": outbound}, gateway={"media_port": media})
        yield Box(switch=switch, settings=settings, answers=said)
        nursery.cancel_scope.cancel()


async def speaker(says: bytes, task_status: trio.TaskStatus[int] = trio.TASK_STATUS_IGNORED) -> None:
    """Listen on a free port and say something to whoever comes."""

    async def speak(stream: trio.SocketStream) -> None:
        async with stream:
            if says:
                await stream.send_all(says)
            await trio.sleep(30)

    (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
    task_status.started(listener.socket.getsockname()[1])
    await trio.serve_listeners(speak, [listener])
