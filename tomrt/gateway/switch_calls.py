"""Calls that FreeSWITCH hands over with their controls: who is let in, how the audio travels, and until when.

Whether FreeSWITCH dialled us for this one call or we dialled FreeSWITCH for all of them makes no difference here.
"""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from urllib.parse import urlencode

import trio
from attrs import define, evolve, field

from tomrt.audio import Codec
from tomrt.errors import AccessDenied, SwitchError
from tomrt.events import CallInfo, Dialect
from tomrt.gateway.admission import Admission
from tomrt.gateway.call_control import CallControl
from tomrt.gateway.controlled_line import ControlledLine, MediaLine
from tomrt.gateway.doorway import Note
from tomrt.gateway.freeswitch_unicast import UnicastLine, UnicastRoute, open_unicast
from tomrt.gateway.port_pairs import PortPairs
from tomrt.gateway.refusal import Busy
from tomrt.gateway.transfer_targets import Target
from tomrt.ports import Transport
from tomrt.security.tokens import DENIED, TokenVerifier, issue
from tomrt.settings import Freeswitch, Limits, Secret
from tomrt.wire.esl_event import EslEvent

__all__ = ["MEDIA", "SwitchCalls", "with_codec"]

log = logging.getLogger("tomrt.control")

MEDIA = {each.value: each for each in (Dialect.UNICAST, Dialect.FORK, Dialect.FORK_JSON, Dialect.STREAM)}
CONNECT_S = 5.0
"""A module on the same machine connects within milliseconds, or never."""
PORT_TRIES = 8
TOKEN_S = 60.0
"""Life of a token that we issue to a module for its connection; it is used at once."""
REFUSE_S = 2.0
ANSWER_S = 2.0
ASK_AGAIN_S = 0.05

_UUID = re.compile(r"[A-Za-z0-9-]{1,64}\Z")
_NATIVE: dict[str, Codec] = {"PCMU": "ulaw", "PCMA": "alaw"}


@define(eq=False)
class _Awaited:
    """A call whose module has been told to connect."""

    control: CallControl
    channel: EslEvent
    came: bool = False
    settled: trio.Event = field(factory=trio.Event)  # it came, or it will not
    served: trio.Event = field(factory=trio.Event)


class SwitchCalls:
    """Takes calls; one for the service.

    Args:
        settings: Of FreeSWITCH.
        limits: What one connection may ask of the service.
        secret: The key of the tokens; calls must show one where it is set.
        admission: Counts the calls.
        targets: Whom callers may be put through to.
        media_url: The media WebSocket, as FreeSWITCH reaches it.
        serve_call: Has the conversation; when it returns, the call is ended.
        note: Counts what happens: ``switch_call``/``taken``, ``denied``, ``busy``, ``no_media``, ``media_failed``.
    """

    def __init__(
        self,
        *,
        settings: Freeswitch,
        limits: Limits,
        secret: Secret,
        admission: Admission,
        targets: Mapping[str, Target],
        media_url: str,
        serve_call: Callable[[Transport], Awaitable[None]],
        note: Note,
    ) -> None:
        self._settings = settings
        self._limits = limits
        self._secret = secret
        self._verifier = TokenVerifier(secret.reveal()) if secret else None
        self._admission = admission
        self._targets = targets
        self._media_url = media_url
        self._serve_call = serve_call
        self._note = note
        self._ports = PortPairs(settings.unicast_first_port, settings.unicast_last_port)
        self._awaited: dict[str, _Awaited] = {}
        self._under_way: set[str] = set()

    async def take(self, control: CallControl, channel: EslEvent, *, trusted: bool = False) -> bool:
        """Have the call of *channel*, from now to its end; whatever fails ends this call only.

        Returns ``False`` where the call was refused and its dialplan goes on as soon as we let go of it.

        Args:
            control: The call's controls; their events are passed on as long as this runs.
            channel: What FreeSWITCH told of the call, with its variables.
            trusted: Whether it is known by itself who tells this, so that no token is asked for.
        """
        control.resumes = channel.variable("socket_resume") == "true"
        try:
            self._let_in(channel, trusted=trusted)
            self._admission.admit()
        except (AccessDenied, Busy) as refusal:
            return await self._refuse(control, refusal)
        self._under_way.add(channel.uuid)
        served = False
        try:
            self._note("switch_call", "taken")
            await self._take(control, channel)
            served = True
        except (SwitchError, Busy) as error:
            self._note("switch_call", "media_failed")
            log.warning("a call was not taken: %s", error)
        finally:
            if not served:  # for whatever reason, also one of our own making: nobody else would end a parked call
                await self._end(control, "NORMAL_TEMPORARY_FAILURE")
            self._under_way.remove(channel.uuid)
            self._admission.release()
        return True

    # --- the media door's side ---------------------------------------------------------------------------------------

    def expects(self, call_id: str | None) -> bool:
        """Whether a module was told to connect for the call of this name, which then has been admitted already."""
        return call_id in self._awaited and not self._awaited[call_id].came

    @contextmanager
    def join(self, line: MediaLine) -> Iterator[Transport]:
        """Give *line*, that a module has opened, the controls of its call, where it has some."""
        awaited = self._awaited.get(line.info.call_id)
        if awaited is None or awaited.came:
            yield line
            return
        awaited.came = True
        awaited.settled.set()
        try:
            yield self._controlled(line, awaited.control, awaited.channel)
        finally:
            awaited.served.set()

    # --- inside ------------------------------------------------------------------------------------------------------

    def _let_in(self, channel: EslEvent, *, trusted: bool) -> None:
        if _UUID.match(channel.uuid) is None or channel.uuid in self._under_way:  # nobody takes another one's call
            raise AccessDenied(DENIED)
        if self._verifier is not None and not trusted:
            self._verifier.verify(channel.variable("tomrt_token"), channel.uuid, time.time())

    async def _refuse(self, control: CallControl, refusal: AccessDenied | Busy) -> bool:
        """Refuse a call: it ends with a cause that tells why, unless its dialplan can go on without us."""
        denied = isinstance(refusal, AccessDenied)
        self._note("switch_call", "denied" if denied else "busy")
        log.info("a call was refused: %s", refusal)
        if control.resumes:
            return False
        await self._end(control, "CALL_REJECTED" if denied else "NORMAL_CIRCUIT_CONGESTION")
        return True

    async def _end(self, control: CallControl, cause: str) -> None:
        if control.over.is_set():
            return
        with trio.move_on_after(REFUSE_S, shield=True):
            try:
                await control.hang_up(cause)
            except SwitchError as error:
                if not error.gone:
                    log.warning("a call could not be ended: %s", error)

    async def _take(self, control: CallControl, channel: EslEvent) -> None:
        if channel.get("Answer-State") != "answered":
            await control.answer()
            channel = await with_codec(control, channel)
        media = channel.variable("tomrt_media") or self._settings.media
        dialect = MEDIA.get(media)
        if dialect is None:
            raise SwitchError(f"the channel variable tomrt_media must be one of {', '.join(MEDIA)}")
        if dialect is Dialect.UNICAST:
            await self._by_unicast(control, channel)
        else:
            await self._by_websocket(control, channel, dialect)

    async def _by_unicast(self, control: CallControl, channel: EslEvent) -> None:
        codec, rate_hz = _codec_of(channel)
        info = CallInfo(call_id=channel.uuid, dialect=Dialect.UNICAST, rate_hz=rate_hz)
        with self._unicast_line(info, codec) as (line, route):
            controlled = self._controlled(line, control, channel)
            await control.unicast(route.switch, route.ours, native=codec != "pcm16")
            await self._serve_call(controlled)
            await controlled.hang_up("ended")

    @contextmanager
    def _unicast_line(self, info: CallInfo, codec: Codec) -> Iterator[tuple[UnicastLine, UnicastRoute]]:
        """Open a line on a pair of ports that nobody else has; those that somebody has are left alone meanwhile."""
        settings = self._settings
        with ExitStack() as lent:
            for tries_left in range(PORT_TRIES - 1, -1, -1):
                pair = lent.enter_context(self._ports.lend())
                route = UnicastRoute.between(settings.unicast_switch_host, settings.unicast_host, pair)
                try:
                    line = lent.enter_context(
                        open_unicast(
                            route, info=info, codec=codec, silent_timeout_s=self._limits.idle_timeout_s, note=self._note
                        )
                    )
                except SwitchError:
                    self._note("unicast", "port_taken")
                    if not tries_left:
                        raise
                else:
                    yield line, route
                    return

    async def _by_websocket(self, control: CallControl, channel: EslEvent, dialect: Dialect) -> None:
        awaited = self._awaited[channel.uuid] = _Awaited(control, channel)
        control.on_event = lambda event: _watch(event, awaited)
        try:
            await self._start_module(control, channel, dialect)
            with trio.move_on_after(CONNECT_S) as scope, control.until_over(scope):
                await awaited.settled.wait()
            if awaited.came:
                await awaited.served.wait()
                if not control.over.is_set():
                    with suppress(SwitchError):  # it has let go by itself, or will, when its connection ends
                        await control.stop_media()
            elif not control.over.is_set():
                self._note("switch_call", "no_media")
                raise SwitchError(f"FreeSWITCH's module did not connect to {self._media_url}: is it loaded?")
        finally:
            del self._awaited[channel.uuid]

    async def _start_module(self, control: CallControl, channel: EslEvent, dialect: Dialect) -> None:
        rate_hz = 16000 if _rate_of(channel) >= 16000 else 8000
        query = {"rate": str(rate_hz), "call_id": channel.uuid, "dialect": dialect.value}
        if self._secret:
            query["token"] = issue(self._secret.reveal(), channel.uuid, TOKEN_S)
        url = f"{self._media_url}?{urlencode(query)}"
        if dialect is Dialect.STREAM:
            await control.start_stream(url, rate_hz=rate_hz)
        else:
            await control.start_fork(url, rate_hz=rate_hz, two_way=dialect is Dialect.FORK)

    def _controlled(self, line: MediaLine, control: CallControl, channel: EslEvent) -> ControlledLine:
        caller = channel.get("Caller-Caller-ID-Number")[:64]
        return ControlledLine(line, control, targets=self._targets, caller=caller, note=self._note)


async def with_codec(control: CallControl, channel: EslEvent) -> EslEvent:
    """Return *channel* with the codec that the call has since it was answered; before, it may have had none.

    Raises:
        SwitchError: FreeSWITCH does not tell within two seconds: the call was not answered.
    """
    if channel.get("Channel-Read-Codec-Name"):
        return channel
    with trio.move_on_after(ANSWER_S):
        while not (name := await control.get_variable("read_codec")):
            await trio.sleep(ASK_AGAIN_S)
        codec = {"Channel-Read-Codec-Name": name, "Channel-Read-Codec-Rate": await control.get_variable("read_rate")}
        return evolve(channel, headers={**channel.headers, **codec})
    raise SwitchError("the call has no codec: it was not answered")


def _rate_of(channel: EslEvent) -> int:
    text = channel.get("Channel-Read-Codec-Rate")
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 7 else 0


def _codec_of(channel: EslEvent) -> tuple[Codec, int]:
    """Return in what FreeSWITCH sends the call's packets, and at what rate."""
    name, rate_hz = channel.get("Channel-Read-Codec-Name").upper(), _rate_of(channel)
    if name in _NATIVE:
        return _NATIVE[name], 8000
    if rate_hz not in {8000, 16000}:
        raise SwitchError(
            f"a call in a codec of {rate_hz} Hz cannot be had by unicast: "
            "have the dialplan set absolute_codec_string=PCMU,PCMA,G722, or tomrt_media=fork"
        )
    return "pcm16", rate_hz


def _watch(event: EslEvent, awaited: _Awaited) -> None:
    if event.subclass in {"mod_audio_fork::connect_failed", "mod_audio_stream::error"}:
        awaited.settled.set()
