"""The call command places the call, shows the report, writes the files, and tells by its exit code how it went."""

from __future__ import annotations

import json
from functools import partial

import pytest
import trio
from fakes.speech import speech
from trio_websocket import ConnectionClosed, WebSocketRequest, serve_websocket

from tomrt.audio import read_wav, write_wav
from tomrt.caller.command import CallCommand, run
from tomrt.caller.loudness import is_audible
from tomrt.errors import SettingsError


async def obliging(request: WebSocketRequest) -> None:
    """A plain service that answers whatever it hears, half a second after the last sound of it."""
    socket = await request.accept()
    await socket.send_message(speech(0.1))
    quiet, heard = 0, False
    try:
        while True:
            frame = await socket.get_message()
            quiet, heard = (0, True) if is_audible(frame) else (quiet + 1, heard)
            if heard and quiet == 5:
                heard = False
                await socket.send_message('{"type":"understood","turn":1,"text":"hello"}')
                await socket.send_message(speech(0.2))
                answered = {"turn": 1, "reply": 1, "text": "Good day.", "heard": "Good day.", "outcome": "completed"}
                await socket.send_message(json.dumps({"type": "answered"} | answered))
                await trio.sleep(0.3)
                await socket.aclose(1000)
    except ConnectionClosed:
        return


async def rude(request: WebSocketRequest) -> None:
    """A service that takes the call and hangs up."""
    socket = await request.accept()
    await socket.aclose(1000)


async def place(handle, command: partial[CallCommand]) -> int:
    async with trio.open_nursery() as nursery:
        server = await nursery.start(partial(serve_websocket, handle, "127.0.0.1", 0, ssl_context=None))
        code = await run(command(url=f"ws://127.0.0.1:{server.port}/call"))
        nursery.cancel_scope.cancel()
    return code


@pytest.fixture
def hello(tmp_path):
    """A WAV file to say."""
    path = tmp_path / "hello.wav"
    write_wav(path, speech(0.3), 8000)
    return path


async def test_an_answered_call(tmp_path, hello, capsys):
    """An answered call shows its table, writes what was heard and the measurements, and is a success."""
    out, report = tmp_path / "heard.wav", tmp_path / "report.json"
    assert await place(obliging, partial(CallCommand, wavs=(hello,), out=out, json=str(report))) == 0
    told = capsys.readouterr()
    assert "understood  hello" in told.out
    assert "answered    Good day." in told.out
    assert told.out.endswith("ok: 1 of 1 turns answered\n")
    assert told.err == ""
    assert "\033" not in told.out
    tree = json.loads(report.read_text())
    assert tree["ok"] is True
    assert tree["turns"][0]["response_ms"] > 0
    heard = read_wav(out)
    assert heard.rate_hz == 8000
    assert is_audible(heard.pcm)


async def test_an_unanswered_call(hello, capsys):
    """A call that nobody answers fails; with --json - the measurements alone go to standard output."""
    assert await place(rude, partial(CallCommand, wavs=(hello,), json="-")) == 1
    told = capsys.readouterr()
    assert json.loads(told.out)["ok"] is False
    assert "the service hung up" in told.err
    assert "FAILED: 0 of 1 turns answered" in told.err


@pytest.mark.parametrize(("name", "told"), [("", "it is a folder"), ("none/x.json", "there is no folder")])
async def test_a_report_that_cannot_be_written(tmp_path, hello, name, told):
    """A file that cannot be written is told in one sentence before anything is dialled."""
    with pytest.raises(SettingsError, match=told):
        await run(CallCommand(url="ws://127.0.0.1:1/call", wavs=(hello,), json=str(tmp_path / name)))
