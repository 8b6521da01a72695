"""Who may place a call: path, parameters, token, and a free line, all decided before the upgrade is accepted."""

from __future__ import annotations

import time
import uuid
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, nullcontext
from functools import partial

import trio
from trio_websocket import WebSocketConnection

from tomrt.gateway.admission import Admission
from tomrt.gateway.controlled_line import ControlledLine
from tomrt.gateway.doorway import Note
from tomrt.gateway.freeswitch_audio import open_line
from tomrt.gateway.front_door import WebSocketSession
from tomrt.gateway.refusal import Refusal
from tomrt.gateway.switch_calls import SwitchCalls
from tomrt.gateway.upgrade import Upgrade
from tomrt.ports import Transport
from tomrt.security.tokens import DENIED, TokenVerifier
from tomrt.settings import Limits
from tomrt.wire.handshake import Offer, is_call_path, read_offer

__all__ = ["CallDoor"]


class CallDoor:
    """Lets calls in; :meth:`admit` is what a front door asks.

    Args:
        limits: What one connection may ask of the service.
        admission: Counts the calls.
        verifier: Checks tokens; ``None`` lets everybody in.
        serve_call: Has the conversation; when it returns, the line is hung up.
        note: Counts what happens.
        switch_calls: Knows the calls whose audio it has asked for here, and their controls.
    """

    def __init__(
        self,
        *,
        limits: Limits,
        admission: Admission,
        verifier: TokenVerifier | None,
        serve_call: Callable[[Transport], Awaitable[None]],
        note: Note,
        switch_calls: SwitchCalls | None = None,
    ) -> None:
        self._switch_calls = switch_calls
        self._limits = limits
        self._admission = admission
        self._verifier = verifier
        self._serve_call = serve_call
        self._note = note

    @contextmanager
    def admit(self, upgrade: Upgrade) -> Iterator[WebSocketSession]:
        """Take a line for *upgrade*, and free it when its connection has ended.

        Raises:
            ProtocolError: a parameter is wrong, or there is nothing at that path.
            AccessDenied: the token does not let this call in.
            Busy: no more calls are taken.
        """
        if not is_call_path(upgrade.path):
            raise Refusal(404, "calls are taken at /call")
        offer = read_offer(upgrade.query, subprotocols=upgrade.subprotocols, headers=upgrade.headers)
        offer = self._let_in(offer)
        if self._switch_calls is not None and self._switch_calls.expects(offer.call_id):
            yield partial(self._run_call, offer)  # admitted when it was handed over
            return
        self._admission.admit()
        try:
            yield partial(self._run_call, offer)
        finally:
            self._admission.release()

    def _let_in(self, offer: Offer) -> Offer:
        if self._verifier is None:
            return offer
        if not offer.token:
            raise Refusal(401, DENIED, ("WWW-Authenticate", "Bearer"))
        claims = self._verifier.verify(offer.token, offer.call_id, time.time())
        return offer if claims.call_id is None else offer.with_call_id(claims.call_id)

    async def _run_call(self, offer: Offer, connection: WebSocketConnection) -> None:
        line = await open_line(
            connection,
            offer,
            made_up_id=str(uuid.uuid4()),
            idle_timeout_s=self._limits.idle_timeout_s,
            note=self._note,
        )
        async with trio.open_nursery() as nursery:
            nursery.start_soon(line.write_notices)
            with self._switch_calls.join(line) if self._switch_calls is not None else nullcontext(line) as joined:
                if isinstance(joined, ControlledLine):
                    nursery.start_soon(joined.play_files)
                await self._serve_call(joined)
                await joined.hang_up("ended")
            nursery.cancel_scope.cancel()
