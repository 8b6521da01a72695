"""``sendmsg``: what a call is told to do over an event socket."""

from __future__ import annotations

from typing import TYPE_CHECKING

import trio
from fakes.freeswitch_applications import START_S, Execute
from fakes.freeswitch_text import Command

if TYPE_CHECKING:
    from fakes.freeswitch_call import FakeCall

__all__ = ["send_message"]

DEFAULT_HOST = "127.0.0.1"
DEFAULT_PORTS = ("8025", "8026")


def send_message(call: FakeCall | None, command: Command) -> str:
    """Pass *command* on to *call*, and return what is replied: ``+OK`` for whatever can be queued."""
    if call is None or call.ended:
        return f"-ERR invalid session id [{command.rest.strip()}]"
    match command.get("call-command").lower():
        case "execute":
            _execute(call, command)
        case "hangup":
            call.end(command.get("hangup-cause", "NORMAL_CLEARING"), by="server")
        case "unicast":
            _unicast(call, command)
        case _:
            pass  # a real switch says +OK, too, and nothing happens
    return "+OK"


def _execute(call: FakeCall, command: Command) -> None:
    named = {"event_uuid": command.get("event-uuid")} if command.get("event-uuid") else {}
    for _ in range(int(command.get("loops", "1"))):
        what = Execute(
            app=command.get("execute-app-name"),
            arg=command.get("execute-app-arg") or command.body,
            due=trio.current_time() + START_S,
            lock=command.get("event-lock").lower() in {"true", "yes", "1"},
            **named,
        )
        call.applications.execute(what)


def _unicast(call: FakeCall, command: Command) -> None:
    local = (command.get("local-ip", DEFAULT_HOST), int(command.get("local-port", DEFAULT_PORTS[0])))
    remote = (command.get("remote-ip", DEFAULT_HOST), int(command.get("remote-port", DEFAULT_PORTS[1])))
    call.start_unicast(local, remote, native="native" in command.get("flags").lower())
