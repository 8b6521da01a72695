"""FreeSWITCH's end of an event socket connection in memory: it answers by a script and remembers what it was asked."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from urllib.parse import quote

import trio
import trio.testing
from attrs import define, field

from tomrt.gateway.control_link import ControlLink
from tomrt.wire.esl_event import EslEvent

CALLER = "fc7d46d5-2518-49ad-91ec-cd57a5bf140c"


def reply(text: str = "+OK", *more: str) -> bytes:
    return "\n".join(["Content-Type: command/reply", f"Reply-Text: {text}", *more, "", ""]).encode()


def api_response(body: str) -> bytes:
    return f"Content-Type: api/response\nContent-Length: {len(body.encode())}\n\n{body}".encode()


def event(name: str, headers: Mapping[str, str] | None = None, body: str = "") -> bytes:
    lines = [f"Event-Name: {name}", *(f"{key}: {quote(text)}" for key, text in (headers or {}).items())]
    if body:
        lines.append(f"Content-Length: {len(body.encode())}")
    inner = "\n".join([*lines, "", ""]).encode() + body.encode()
    return b"Content-Length: %d\nContent-Type: text/event-plain\n\n" % len(inner) + inner


def notice(disposition: str = "disconnect") -> bytes:
    return f"Content-Type: text/disconnect-notice\nContent-Disposition: {disposition}\nContent-Length: 0\n\n".encode()


def channel(uuid: str = CALLER, *, mode: str = "async", control: str = "full") -> bytes:
    headers = {"Event-Name": "CHANNEL_DATA", "Unique-ID": uuid, "Caller-Caller-ID-Number": "1000"}
    lines = [f"{name}: {quote(text)}" for name, text in headers.items()]
    lines += ["Content-Type: command/reply", "Reply-Text: %2BOK%0A", f"Socket-Mode: {mode}", f"Control: {control}"]
    return "\n".join([*lines, "", ""]).encode() + b"\n"


@define(eq=False)
class EslPeer:
    """The scripted end.

    Args:
        answers: What is sent for a command that begins with the key; the longest key wins. Others get ``+OK``.
        jobs: Results of background jobs by what the command begins with; those without one never end.
        job_s: How long a job takes.
        silent: Answers nothing at all.
        on_command: Told how many commands have come, before each is answered.
    """

    answers: dict[str, bytes] = field(factory=dict)
    jobs: dict[str, str] = field(factory=dict)
    job_s: float = 1.0
    silent: bool = False
    on_command: Callable[[int], None] = lambda count: None
    commands: list[str] = field(factory=list, init=False)
    _stream: trio.StapledStream = field(init=False)
    _nursery: trio.Nursery = field(init=False)
    _sending: trio.Lock = field(factory=trio.Lock, init=False)

    async def serve(self, stream: trio.StapledStream, nursery: trio.Nursery) -> None:
        self._stream, self._nursery = stream, nursery
        buffer = b""
        with suppress(trio.BrokenResourceError, trio.ClosedResourceError):
            async for data in stream:
                buffer += data
                while b"\n\n" in buffer:
                    command, _, buffer = buffer.partition(b"\n\n")
                    self.commands.append(command.decode())
                    self.on_command(len(self.commands))
                    if not self.silent:
                        await self._answer(command.decode())

    async def send(self, data: bytes) -> None:
        with suppress(trio.BrokenResourceError, trio.ClosedResourceError):
            async with self._sending:
                await self._stream.send_all(data)

    async def close(self) -> None:
        await self._stream.aclose()

    def asked(self, beginning: str) -> list[str]:
        return [command for command in self.commands if command.startswith(beginning)]

    async def _answer(self, command: str) -> None:
        keys = [key for key in self.answers if command.startswith(key)]
        if keys:
            await self.send(self.answers[max(keys, key=len)])
        elif command.startswith("api "):
            await self.send(api_response("+OK\n"))
        else:
            await self.send(reply())
        if command.startswith("bgapi "):
            line, _, job_uuid = command.removeprefix("bgapi ").partition("\nJob-UUID: ")
            for key, result in self.jobs.items():
                if line.startswith(key):
                    self._nursery.start_soon(self._finish, job_uuid, result)

    async def _finish(self, job_uuid: str, result: str) -> None:
        await trio.sleep(self.job_s)
        await self.send(event("BACKGROUND_JOB", {"Job-UUID": job_uuid}, result))


@define(eq=False)
class LinkWorld:
    """A link, its far end, and what was told of it."""

    link: ControlLink
    peer: EslPeer
    events: list[EslEvent]
    takers: list[Callable[[EslEvent], None]]
    counts: Counter[str]
    ended: list[str]
    nursery: trio.Nursery


@asynccontextmanager
async def linked(peer: EslPeer | None = None) -> AsyncIterator[LinkWorld]:
    """Open a link to *peer* and run it; when left, all is cancelled."""
    peer = peer or EslPeer()
    ours, theirs = trio.testing.memory_stream_pair()
    events: list[EslEvent] = []
    takers = [events.append]
    counts: Counter[str] = Counter()
    ended: list[str] = []

    def tell(event: EslEvent) -> None:
        for take in takers:
            take(event)

    link = ControlLink(ours, on_event=tell, note=lambda what, kind: counts.update([f"{what}/{kind}"]))

    async def run() -> None:
        ended.append(await link.run())

    async with trio.open_nursery() as nursery:
        nursery.start_soon(peer.serve, theirs, nursery)
        nursery.start_soon(run)
        await trio.testing.wait_all_tasks_blocked()
        yield LinkWorld(link, peer, events, takers, counts, ended, nursery)
        nursery.cancel_scope.cancel()
