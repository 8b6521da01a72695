from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest
import trio
from fakes.processes import descriptors, ended, gone, settled, threads

from tomrt.engines.child_process import ChildProcess
from tomrt.engines.sphinx_messages import Answer, Request, SetUp, packed, unpacked
from tomrt.errors import ProtocolError

MODULE = "tomrt.engines.sphinx_process"
GRAMMARS = {"any": "#JSGF V1.0;\ngrammar any;\npublic <utterance> = goodbye;\n"}


async def test_answers_and_ends():
    """It is asked and answers; closing ends it, its thread and its descriptors, and may be done twice."""
    before = threads(), descriptors()
    child = ChildProcess(MODULE)
    assert unpacked(child.ask(packed(SetUp(GRAMMARS, {}))), Answer) == Answer()
    assert child.alive
    await child.aclose()
    await child.aclose()
    assert gone(child.pid)
    assert not child.alive
    assert (threads(), descriptors()) == before


async def test_death_is_noticed_and_leaves_no_zombie():
    """A killed process is reaped without anybody asking for it; asking it then is an error, telling it does nothing."""
    child = ChildProcess(MODULE)
    os.kill(child.pid, signal.SIGKILL)
    assert await settled(lambda: gone(child.pid))
    assert not child.alive
    child.tell(b"{}")
    with pytest.raises((OSError, ProtocolError)):
        child.ask(packed(SetUp(GRAMMARS, {})))
    await child.aclose()


async def test_stuck_process_is_killed():
    """One that does not end when it is told to is killed."""
    child = ChildProcess(MODULE)
    child.ask(packed(SetUp(GRAMMARS, {})))
    os.kill(child.pid, signal.SIGSTOP)
    await child.aclose()
    assert gone(child.pid)


async def test_stuck_process_counts_as_dead():
    """One that does not answer in time fails the request, and can be killed."""
    child = ChildProcess(MODULE, patience_s=0.02)
    os.kill(child.pid, signal.SIGSTOP)
    with pytest.raises(TimeoutError):
        child.ask(packed(SetUp(GRAMMARS, {})))
    child.kill()
    assert gone(child.pid)


async def test_outlasts_the_signals_that_are_sent_to_groups():
    """SIGINT and SIGTERM do not end it: calls that are taken to their end still need it."""
    child = ChildProcess(MODULE)
    child.ask(packed(SetUp(GRAMMARS, {})))
    os.kill(child.pid, signal.SIGINT)
    os.kill(child.pid, signal.SIGTERM)
    assert unpacked(child.ask(packed(Request(1, "any")), bytes(6400)), Answer) == Answer()
    await child.aclose()


async def test_ends_with_its_parent():
    """When the process that started it is killed it ends by itself."""
    program = (
        "import time; from tomrt.engines.child_process import ChildProcess;"
        f"child = ChildProcess({MODULE!r}); print(child.pid, flush=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        pid = int(await trio.to_thread.run_sync(parent.stdout.readline))
        parent.kill()
        assert await settled(lambda: ended(pid))


async def test_what_cannot_be_started_is_told():
    """A module that is not there is a process that ends without an answer."""
    child = ChildProcess("tomrt.nowhere")
    with pytest.raises((OSError, ProtocolError)):
        child.ask(b"{}")
    await child.aclose()
