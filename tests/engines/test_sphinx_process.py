from __future__ import annotations

import os
import signal
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import pytest
import trio
from fakes.processes import busy_s, children, descriptors, ended, gone, settled, threads
from fakes.service import running_process
from fakes.speech import silence, speech

from tomrt.engines.frames import read_frame, write_frame
from tomrt.engines.sphinx import MAX_BYTES, Sphinx
from tomrt.engines.sphinx_messages import Answer, Request, SetUp, Stop, packed, unpacked
from tomrt.engines.sphinx_process import Desk
from tomrt.errors import EngineError, ProtocolError
from tomrt.events import Transcript

GRAMMARS = {"any": "#JSGF V1.0;\ngrammar any;\npublic <utterance> = goodbye | hello there;\n"}
SHORT = bytes(16_000)
LONG = (silence(0.5, 16000) + speech(0.5, 16000)) * 60
"""A second or more of work."""
BEGUN_S = 0.05


async def under_way(pid: int, before: float) -> None:
    assert await settled(lambda: busy_s(pid) >= before + BEGUN_S)


async def test_death_fails_one_request():
    """A killed process fails the request under way, retryably; the next one finds another process."""
    sphinx = Sphinx(GRAMMARS, "any")
    failures: list[EngineError] = []
    first = sphinx.pid

    async def long() -> None:
        try:
            await sphinx.transcribe(LONG)
        except EngineError as error:
            failures.append(error)

    async with trio.open_nursery() as nursery:
        idle = busy_s(first)
        nursery.start_soon(long)
        await under_way(first, idle)
        os.kill(first, signal.SIGKILL)
    assert [error.retryable for error in failures] == [True]
    assert await sphinx.transcribe(SHORT) == Transcript("")
    assert sphinx.pid != first
    assert gone(first)
    await sphinx.aclose()


async def test_death_while_idle_fails_nothing():
    """A process that died between two requests is replaced without a failure."""
    sphinx = Sphinx(GRAMMARS, "any")
    first = sphinx.pid
    os.kill(first, signal.SIGKILL)
    assert await settled(lambda: gone(first))
    assert await sphinx.transcribe(SHORT) == Transcript("")
    assert sphinx.pid != first
    await sphinx.aclose()


async def test_cancelled_requests_leave_the_process_in_order():
    """Callers that leave, with a request under way or waiting, disturb nobody: the same process answers the next."""
    sphinx = Sphinx(GRAMMARS, "any")
    idle = busy_s(sphinx.pid)
    async with trio.open_nursery() as nursery:
        for _ in range(3):
            nursery.start_soon(sphinx.transcribe, LONG)
        await under_way(sphinx.pid, idle)
        nursery.cancel_scope.cancel()
    before = sphinx.pid
    for _ in range(3):
        assert await sphinx.transcribe(SHORT) == Transcript("")
    assert sphinx.pid == before
    await sphinx.aclose()


async def test_closing_ends_everything():
    """Closing, with a request under way, fails that and leaves no process, thread or descriptor; twice is harmless."""
    before = threads(), descriptors()
    sphinx, failures = Sphinx(GRAMMARS, "any"), []

    async def long() -> None:
        try:
            await sphinx.transcribe(LONG)
        except EngineError as error:
            failures.append(error)

    async with trio.open_nursery() as nursery:
        idle = busy_s(sphinx.pid)
        nursery.start_soon(long)
        await under_way(sphinx.pid, idle)
        await sphinx.aclose()
        await sphinx.aclose()
    assert len(failures) == 1
    assert gone(sphinx.pid)
    assert (threads(), descriptors()) == before
    with pytest.raises(EngineError, match="closed"):
        await sphinx.transcribe(SHORT)


async def test_stuck_process_does_not_hold_the_close():
    """A process that does nothing any more is killed at the close."""
    sphinx = Sphinx(GRAMMARS, "any")
    os.kill(sphinx.pid, signal.SIGSTOP)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(sphinx.transcribe, LONG)
        await trio.testing.wait_all_tasks_blocked()
        nursery.cancel_scope.cancel()
    await sphinx.aclose()
    assert gone(sphinx.pid)


def test_refused_set_up_leaves_nothing():
    """A recogniser that cannot be made leaves no process, thread or descriptor."""
    before = threads(), descriptors(), len(children(os.getpid()))
    with pytest.raises(EngineError):
        Sphinx({"any": "#JSGF V1.0;\ngrammar any;\npublic <u> = ((call;\n"}, "any")
    assert (threads(), descriptors(), len(children(os.getpid()))) == before


async def test_overlong_audio_is_refused():
    """Audio that no utterance has is refused before it goes anywhere."""
    sphinx = Sphinx(GRAMMARS, "any")
    with pytest.raises(EngineError, match="too long"):
        await sphinx.transcribe(bytes(MAX_BYTES + 2))
    await sphinx.aclose()


async def test_recogniser_ends_with_a_killed_service(tmp_path):
    """The recogniser of a service that was killed without a chance to say so ends by itself."""
    async with running_process(tmp_path / "log") as service:
        helpers = children(service.process.pid)
        assert len(helpers) == 1
        service.process.kill()
        await service.process.wait()
        assert await settled(lambda: ended(helpers[0]))


@contextmanager
def desk(grammars: dict[str, str]) -> Iterator[tuple[socket.socket, Answer]]:
    """One end of a connection to a desk that works in a thread of this process, and its answer to the set-up."""
    ours, theirs = socket.socketpair()
    ours.settimeout(20)

    def serve() -> None:
        desk = Desk(theirs)
        with suppress(OSError, ProtocolError):
            if desk.set_up():
                desk.serve()

    thread = threading.Thread(target=serve)
    thread.start()
    with ours, theirs:
        yield ours, asked(ours, packed(SetUp(grammars, {})))
        ours.shutdown(socket.SHUT_RDWR)
        thread.join(20)
        assert not thread.is_alive()


def asked(connection: socket.socket, *frames: bytes) -> Answer:
    write_frame(connection, *frames)
    answer = read_frame(connection)
    assert answer is not None
    return unpacked(answer, Answer)


def test_stop_ends_the_request_that_it_names():
    """A stop for the request under way empties its answer; one that comes late or for another does nothing."""
    audio = silence(0.5, 16000) + speech(1.0, 16000) + silence(0.5, 16000)
    with desk(GRAMMARS) as (line, _):
        whole = asked(line, packed(Request(1, "any")), audio)
        assert whole.text or whole.rejected
        assert asked(line, packed(Request(2, "any")), audio, packed(Stop(2))) == Answer()
        assert asked(line, packed(Request(3, "any")), audio, packed(Stop(2))) == whole
        assert asked(line, packed(Stop(3)), packed(Request(4, "any")), audio) == whole


def test_fault_of_the_set_up_is_its_answer():
    """What is wrong with a grammar is told, and no requests are taken after it."""
    with desk({"any": "#JSGF V1.0;\ngrammar any;\npublic <u> = xyzzyx;\n"}) as (line, answer):
        assert "lacks 'xyzzyx'" in answer.fault
        write_frame(line, packed(Request(1, "any")), SHORT)


def test_closing_ends_the_desk_in_the_middle():
    """When the other end goes between the frames of a request, or before its answer, the desk ends."""
    for frames in ([packed(Request(1, "any"))], [packed(Request(1, "any")), LONG]):
        with desk(GRAMMARS) as (line, _):
            write_frame(line, *frames)
