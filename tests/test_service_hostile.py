"""The whole service under hostile peers: each ends its own connection and nothing else."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

import httpx
import pytest
import trio
from fakes.service import left_open, place, running_process, running_service, urls
from hostile_requests import BAD, BAD_UPGRADES, ODD
from trio_websocket import ConnectionClosed, WebSocketConnection, wrap_client_stream

from tomrt.caller.report import measure
from tomrt.events import WEBSOCKET_DIALECTS

REQUESTS = [raw for _, raw in BAD.values()] + [raw for _, raw in BAD_UPGRADES.values()] + list(ODD.values())
FRAME = b"\1\0" * 160


async def send_raw(url: str, raw: bytes) -> bytes:
    """Send *raw* to the port of *url*; return all that comes back until the service closes."""
    stream = await trio.open_tcp_stream(urlsplit(url).hostname, urlsplit(url).port)
    answer = b""
    async with stream:
        with trio.fail_after(10):
            await stream.send_all(raw)
            await stream.send_eof()
            try:
                async for data in stream:
                    answer += data
            except trio.BrokenResourceError:
                pass
    return answer


async def test_call_survives_every_hostile_request(tmp_path):
    """While every malformed request is sent to both ports, a call is answered as if it were alone; so is the next."""
    async with running_process(tmp_path / "log") as service:
        reports = []

        async def call(*texts: str) -> None:
            reports.append(measure(await place(service.media_url, *texts)))

        async with trio.open_nursery() as nursery:
            nursery.start_soon(call, "what is your address", "goodbye")
            await trio.sleep(1.0)
            for raw in REQUESTS:
                for url in (service.media_url, service.http_url):
                    await send_raw(url, raw)
        await call("goodbye")
        assert [report.ok for report in reports] == [True, True]
        assert service.process.poll() is None
        log = (tmp_path / "log").read_text()
        assert "Traceback" not in log
        assert max(map(len, log.splitlines())) <= 600


@asynccontextmanager
async def caller(url: str) -> AsyncIterator[WebSocketConnection]:
    """Open a WebSocket over a stream of our own: the library's client leaves its own open when the peer closes."""
    parts = urlsplit(url)
    stream = await trio.open_tcp_stream(parts.hostname, parts.port)
    async with stream, trio.open_nursery() as nursery:
        yield await wrap_client_stream(nursery, stream, parts.netloc, f"{parts.path}?{parts.query}")
        nursery.cancel_scope.cancel()


async def odd_bytes(socket) -> None:
    """Send frames that end within a sample, then hang up."""
    for size in (1, 319, 321, 3, 640, 2):
        await socket.send_message(b"\1" * size)
    await socket.aclose(1000)


async def huge_frame(socket) -> None:
    """Send a message larger than is allowed; be closed for it."""
    with pytest.raises(ConnectionClosed) as closed:
        await socket.send_message(bytes(200_000))
        while True:
            await socket.get_message()
    assert closed.value.reason.code == 1009


async def strange_texts(socket) -> None:
    """Send what is not JSON, and JSON that means nothing; the call goes on."""
    texts = ("{", "null", "[]", '{"type":7}', '{"type":"never heard of"}', "\0", "[" * 5_000, '{"a":NaN}', "x" * 60_000)
    for text in texts:
        await socket.send_message(text)
        await socket.send_message(FRAME)
    await socket.send_message('{"type":"hangup"}')
    with pytest.raises(ConnectionClosed):
        while True:
            await socket.get_message()


async def audio_after_the_end(socket) -> None:
    """Finish, and go on sending; the service closes in order."""
    await socket.send_message(b"")
    with pytest.raises(ConnectionClosed):
        while True:
            await socket.send_message(FRAME)
            await socket.get_message()


async def never_reads(socket) -> None:
    """Do not read for a while, as a hung switch does, then go away."""
    for _ in range(100):
        await socket.send_message(FRAME)
        await trio.sleep(0.01)
    await trio.aclose_forcefully(socket._stream)


async def vanishes(socket) -> None:
    """Drop the connection in the middle of a call, without a word."""
    await socket.send_message(FRAME)
    await trio.aclose_forcefully(socket._stream)


async def strange_call(url: str, stranger) -> None:
    """Be one strange caller."""
    with trio.fail_after(30):
        try:
            async with caller(url) as socket:
                await stranger(socket)
        except* (ConnectionClosed, trio.BrokenResourceError, trio.ClosedResourceError):
            pass  # how the library takes a connection torn away under it


STRANGERS = (odd_bytes, huge_frame, strange_texts, audio_after_the_end, never_reads, vanishes)


async def test_strange_callers_leave_nothing_behind():
    """Each strange caller's call ends sensibly and is counted; no task, descriptor or thread of it is left."""
    async with running_service() as service:
        media, http = urls(service)
        await place(media, "goodbye")
        await trio.sleep(0.5)
        before = left_open()
        async with trio.open_nursery() as nursery:
            for stranger in STRANGERS:
                for dialect in WEBSOCKET_DIALECTS:
                    nursery.start_soon(strange_call, f"{media}?dialect={dialect.value}", stranger)
        with trio.move_on_after(20):
            while left_open() != before or service.admission.active:
                await trio.sleep(0.2)
        assert before == left_open()
        assert 1 + 4 * len(STRANGERS) == service.admission.admitted
        await place(media, "goodbye")
        async with httpx.AsyncClient() as client:
            figures = (await client.get(f"{http}/metrics")).text
        assert 'kind="text_not_json"' in figures
        assert 'tomrt_calls_ended_total{reason="failed"}' not in figures
        assert "crashed" not in figures
