"""``originate``: calls somebody, and connects whoever answers with an application or an extension."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import trio
from fakes.freeswitch_applications import Execute
from fakes.freeswitch_call import FakeCall
from fakes.freeswitch_words import split_words, variables_in

if TYPE_CHECKING:
    from fakes.freeswitch import FakeSwitch

__all__ = ["originate"]

SOCKET = re.compile(r"(?P<host>\S+):(?P<port>\d+)(?P<modes>.*)")


async def originate(switch: FakeSwitch, arguments: str) -> str:
    """Do ``originate [{variables}]DIAL-STRING &application(argument)``; return ``+OK UUID`` or ``-ERR CAUSE``."""
    variables, rest = variables_in(arguments.strip())
    dialled, _, then = rest.partition(" ")
    if not then:
        return "-USAGE: <call url> <exten>|&<application_name>(<app_args>) [<dialplan>] [<context>]\n"
    kind, _, place = dialled.partition("/")
    if kind not in {"loopback", "user", "sofia"}:
        return "-ERR CHAN_NOT_IMPLEMENTED\n"
    extension, _, context = place.partition("/")
    echo = place == "app=echo"
    leg = FakeCall(
        switch,
        call_uuid=variables.get("origination_uuid", ""),
        caller=variables.get("origination_caller_id_number", "0000000000"),
        called=extension,
        caller_name=variables.get("origination_caller_id_name", ""),
        context=context or "default",
        codec="L16",
        variables=variables,
        answered=False,
        echo=echo,
    )
    switch.adopt(leg)
    cause = switch.odd.originate_fails or (await _ring(switch, leg) if not echo else "")
    if cause or leg.ended:
        leg.end(cause or leg.ended, by="switch")
        return f"-ERR {leg.ended}\n"
    leg.answer()
    await _connect(switch, leg, then.strip().strip("'"))
    return f"+OK {leg.uuid}\n"


async def _ring(switch: FakeSwitch, leg: FakeCall) -> str:
    """Let it ring; return why nobody answered, or nothing."""
    agent = switch.odd.agents.get(leg.called, switch.odd.agent)
    limit_s = float(leg.variables.get("originate_timeout", "60"))
    with trio.move_on_after(min(limit_s, agent.after_s)):
        await leg.over(within_s=limit_s + agent.after_s + 1)
    return leg.ended or agent.cause or ("NO_ANSWER" if limit_s < agent.after_s else "")


async def _connect(switch: FakeSwitch, leg: FakeCall, then: str) -> None:
    match = re.fullmatch(r"&(\w+)(?:\((.*)\))?", then)
    if match is None:
        leg.transfer(" ".join(split_words(then)))
        return
    app, argument = match[1], (match[2] or "").strip("'")
    if app == "park":
        leg.fire("CHANNEL_PARK")
    elif app == "socket" and (where := SOCKET.fullmatch(argument)):
        switch.start(switch.serve_outbound, leg, where["host"], int(where["port"]))
    elif app == "echo":
        leg.echo = True
    else:
        leg.applications.execute(Execute(app=app, arg=argument, due=trio.current_time()))
