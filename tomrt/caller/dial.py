"""Dial: connect as the module does, hold the call, and say in one line why it did not take place."""

from __future__ import annotations

import os
import ssl
from http import HTTPStatus

import h11
import trio
from trio_websocket import ConnectionClosed, ConnectionRejected
from wsproto.utilities import ProtocolError as WebSocketProtocolError

from tomrt.caller.line import CONNECT_S, Stream, Watch, talk
from tomrt.caller.plan import CallPlan, CallRecord, NotPlaced
from tomrt.caller.rtp_call import talk_by_rtp
from tomrt.caller.terminal import printable
from tomrt.caller.unicast_call import talk_by_unicast
from tomrt.errors import ProtocolError
from tomrt.events import Dialect

__all__ = ["dial"]

_ADVICE = {
    401: "Give the call a token with --token JWT.",
    403: "The token given with --token does not let this call in.",
    404: "Is the path right? The service takes calls at /call.",
    503: "It takes no more calls now; try again, or raise gateway.max_calls.",
}

_ANSWER = "WebSocket answer"
_LACKS = dict.fromkeys(Dialect, _ANSWER) | {
    Dialect.UNICAST: "command of an event-socket server for audio by unicast",
    Dialect.RTP: "RTP came back",
}
_STARTED_BY = {Dialect.RTP: "python -m tomrt, with rtp.enabled set"}

# What trio-websocket lets through from below when the peer speaks something else, tried with peers that do.
_FOREIGN = (ConnectionClosed, WebSocketProtocolError, h11.ProtocolError, OSError, ValueError, trio.BrokenResourceError)


async def dial(plan: CallPlan, watch: Watch = lambda _, __: None) -> CallRecord | NotPlaced:
    """Place the call *plan* and hold it to its end."""
    try:
        return await _talk(plan, watch)
    except* ConnectionRejected as refusal:
        failed = _refused(plan, _first(refusal))
    except* trio.TooSlowError:
        failed = _unreachable(plan, f"no {_LACKS[plan.dialect]} within {CONNECT_S:g} s")
    except* ProtocolError as fault:
        failed = _unreachable(plan, str(_first(fault)))
    except* _FOREIGN as group:
        failed = _unreachable(plan, _reason(group))
    return failed


async def _talk(plan: CallPlan, watch: Watch) -> CallRecord:
    if plan.dialect is Dialect.RTP:
        return await talk_by_rtp(plan, watch)
    async with await _connect(plan) as stream:
        if plan.dialect is Dialect.UNICAST:
            return await talk_by_unicast(stream, plan, watch)
        return await talk(stream, plan, watch)


async def _connect(plan: CallPlan) -> Stream:
    with trio.fail_after(CONNECT_S):
        if plan.tls:
            context = ssl.create_default_context()
            return await trio.open_ssl_over_tcp_stream(plan.host, plan.port, ssl_context=context, https_compatible=True)
        return await trio.open_tcp_stream(plan.host, plan.port)


def _first(error: BaseException) -> BaseException:
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


def _refused(plan: CallPlan, refusal: BaseException) -> NotPlaced:
    assert isinstance(refusal, ConnectionRejected)
    code = refusal.status_code
    phrase = HTTPStatus(code).phrase if code in set(HTTPStatus) else "?"
    body = printable((refusal.body or b"").decode("utf-8", "replace"))[:200]
    said = f"{code} {phrase}" + (f', "{body}"' if body and body != phrase else "")
    advice = _ADVICE.get(code, "Is this the media port of a tomrt service?")
    return NotPlaced(sentence=f"{plan.url} refused the call: {said}. {advice}", reached=code in {400, 401, 403})


def _unreachable(plan: CallPlan, reason: str) -> NotPlaced:
    return NotPlaced(
        sentence=(
            f"No service takes calls at {plan.url}: {plan.address}: {reason}. "
            f"Start one with: {_STARTED_BY.get(plan.dialect, 'python -m tomrt')}"
        ),
        reached=False,
    )


def _reason(error: BaseException) -> str:
    """Return the innermost reason in the system's words, where it has some."""
    error = _first(error)
    while error.__cause__ is not None:
        error = _first(error.__cause__)
    if isinstance(error, OSError) and error.strerror:
        number = error.errno or 0  # of name resolution it is negative, and unknown to strerror
        return (os.strerror(number) if number > 0 else error.strerror).lower()
    return "what answers there does not speak WebSocket"
