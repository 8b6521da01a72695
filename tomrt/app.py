"""The composition root: settings in, a running service out. The only file that knows all sides.

One ``trio.run``: the front doors, the calls behind them, the writers of files, and one task that waits for signals.
A first SIGTERM or SIGINT drains (new calls get 503, running ones may end), a second one ends everything now.
"""

from __future__ import annotations

import gc
import logging
import secrets
import signal
import sys
from collections.abc import AsyncIterator, Callable
from functools import partial
from importlib.metadata import version
from pathlib import Path

import trio
from attrs import define, evolve, field

from tomrt.audio import Ingress, Overhearing
from tomrt.banner import Banner, in_url
from tomrt.call.session import CallSession
from tomrt.call.tooling import NoTools
from tomrt.dialogue.lexicon import load as load_lexicon
from tomrt.dialogue.prompts import Prompts
from tomrt.engines.assembly import Engines, open_engines
from tomrt.events import Style
from tomrt.gateway.admission import Admission
from tomrt.gateway.call_door import CallDoor
from tomrt.gateway.call_tools import CallTools
from tomrt.gateway.controlled_line import ControlledLine
from tomrt.gateway.freeswitch_inbound import FreeswitchInbound
from tomrt.gateway.freeswitch_outbound import FreeswitchOutbound
from tomrt.gateway.front_door import FrontDoor
from tomrt.gateway.routes import build_app
from tomrt.gateway.rtp import RtpDoor
from tomrt.gateway.spoken_files import SpokenFiles
from tomrt.gateway.switch_calls import SwitchCalls
from tomrt.gateway.transfer_targets import read_targets
from tomrt.happenings import LearningFailed
from tomrt.learning.keeper import Keeper
from tomrt.learning.opening import open_learning
from tomrt.listeners import Listeners, open_listeners
from tomrt.observe.actions import ActionFile
from tomrt.observe.logs import CallLog, call_id, set_up
from tomrt.observe.metrics import Metrics
from tomrt.observe.tap import Taps
from tomrt.ports import Tap, Tools, Transport
from tomrt.security.tokens import TokenVerifier
from tomrt.settings import Settings

__all__ = ["Service", "main"]

log = logging.getLogger("tomrt.service")

SWITCH_INTERVAL_S = 0.0005
"""How long a thread may hold the interpreter while the calls' loop waits; Python's 5 ms ruins the pacing of audio."""
LOOK_AGAIN_S = 0.05
GARBAGE = (700, 10, 1000)
"""Python's first two thresholds, and a rare full look for garbage: it stops all calls for 5 to 12 ms at fifty of them.
What is loaded at the start stays for good and is left out."""


async def main(settings: Settings, *, config_source: str = "built-in settings", as_json: bool = False) -> int:
    """Serve until told to stop; return the exit code.

    Args:
        settings: What to do.
        config_source: Where the settings come from, for the banner.
        as_json: Print the banner as one JSON line.

    Raises:
        SettingsError: an engine that the settings ask for cannot be used.
        TomrtError: the service cannot start, in one sentence.
    """
    set_up(settings.log.level, settings.log.format)
    sys.setswitchinterval(SWITCH_INTERVAL_S)

    def announce(service: Service) -> None:
        print(service.banner(config_source).show(as_json=as_json), flush=True)

    return await serve(settings, announce)


async def serve(settings: Settings, announce: Callable[[Service], None]) -> int:
    """Open everything, serve, and close everything again; *announce* is called when calls are taken."""
    listeners = await open_listeners(settings)
    try:
        engines = await open_engines(settings)
        try:
            await trio.to_thread.run_sync(warm_up, settings)
            service = Service(settings, engines, listeners)
            await service.open_learning()
            gc.collect()
            gc.freeze()
            gc.set_threshold(*GARBAGE)
            return await service.run(announce)
        finally:
            with trio.CancelScope(shield=True):
                await engines.aclose()
    finally:
        listeners.close()


def warm_up(settings: Settings) -> None:
    """Load what all calls share, up to half a second's work, so that the first caller does not wait for it."""
    Overhearing(Ingress(8000), silero=settings.turns.confirm_voice)
    load_lexicon(settings.dialogue.language)


@define(eq=False)
class Service:
    """Everything that runs while calls are taken.

    Args:
        settings: What to do.
        engines: Who understands, decides and speaks.
        listeners: The ports, which stay the caller's to close.
    """

    settings: Settings
    engines: Engines
    listeners: Listeners
    metrics: Metrics = field(init=False)
    admission: Admission = field(init=False)
    _actions: ActionFile | None = field(init=False)
    _tap: Tap = field(init=False)
    _learning: Keeper | None = field(default=None, init=False)
    _switch_calls: SwitchCalls = field(init=False)
    _inbound: FreeswitchInbound | None = field(init=False)
    _rtp: RtpDoor | None = field(init=False)
    _forced: bool = field(default=False, init=False)

    def __attrs_post_init__(self) -> None:
        dialogue = self.settings.dialogue
        self.metrics = Metrics(version("tomrt"))
        self.admission = Admission(max_calls=self.settings.gateway.max_calls)
        self._actions = ActionFile(Path(dialogue.actions_file)) if dialogue.actions_file else None
        key = self.settings.log.caller_key.reveal() or secrets.token_hex()
        taps: list[Tap] = [self.metrics, CallLog(key), *([self._actions] if self._actions else [])]
        self._tap = Taps(taps)
        self._open_switch()

    async def open_learning(self) -> None:
        """Open what calls teach, where the settings name a folder for it; without it all calls have the base variant.

        Raises:
            SettingsError: the variants are wrong.
        """
        learning = self.settings.learning
        if not learning.folder:
            return
        language, observers = self.engines.script.language, self._tap
        self._learning = await trio.to_thread.run_sync(open_learning, learning, language, observers)
        if self._learning is None:
            observers.put(LearningFailed(call_id="", at=trio.current_time(), where="open"))
            return
        self._tap = Taps([observers, self._learning.router])
        for style in self._learning.router.styles.values():
            for fault in self.engines.faults_of(style):
                log.warning("variant %s: %s", style.name, fault)

    def _open_switch(self) -> None:
        """Make what has FreeSWITCH's and RTP calls.

        Raises:
            SettingsError: a text of their settings makes no sense.
        """
        freeswitch, note = self.settings.freeswitch, self.metrics.note
        self._switch_calls = SwitchCalls(
            settings=freeswitch,
            limits=self.settings.limits,
            secret=self.settings.auth.secret,
            admission=self.admission,
            targets=read_targets(freeswitch.transfers),
            media_url=freeswitch.media_url or f"ws://{in_url(self.listeners.media_address)}/call",
            serve_call=self._serve_call,
            note=note,
        )
        self._inbound = None
        if freeswitch.inbound_host:
            self._inbound = FreeswitchInbound(settings=freeswitch, calls=self._switch_calls, note=note)
        self._rtp = None
        if self.listeners.rtp is not None:
            self._rtp = RtpDoor(
                settings=self.settings.rtp,
                admission=self.admission,
                serve_call=self._serve_call,
                tap=self._tap,
                note=note,
            )

    async def run(self, announce: Callable[[Service], None]) -> int:
        """Serve until a signal has been obeyed; return the exit code."""
        async with trio.open_nursery() as nursery:
            if self._actions is not None:
                nursery.start_soon(self._actions.run)
            if self._learning is not None:
                nursery.start_soon(self._learning.run)
            async with trio.open_nursery() as doors:
                await self._open_doors(doors)
                with trio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as signals:
                    announce(self)
                    await self._obey(signals)
                doors.cancel_scope.cancel()
            if self._actions is not None:
                self._actions.finish()
            if self._learning is not None:
                self._learning.finish()
        return 1 if self._forced else 0

    def ready(self) -> str | None:
        """Return why no call is taken, or ``None``."""
        return "the service is shutting down" if self.admission.draining else None

    def banner(self, config_source: str) -> Banner:
        """Return what to tell the operator."""
        freeswitch, rtp = self.settings.freeswitch, self.listeners.rtp
        return Banner(
            version=version("tomrt"),
            config_source=config_source,
            engines=self.engines.choices,
            http=self.listeners.http_address,
            media=self.listeners.media_address,
            outbound=self.listeners.outbound_address,
            inbound=(freeswitch.inbound_host, freeswitch.inbound_port) if freeswitch.inbound_host else None,
            rtp=rtp.rtp.getsockname()[:2] if rtp is not None else None,
            tokens=bool(self.settings.auth.secret),
            notice=bool(self._prompts(Style()).notice),
            learning=self.settings.learning.folder if self._learning is not None else "",
            actions_file=self.settings.dialogue.actions_file,
        )

    async def _open_doors(self, nursery: trio.Nursery) -> None:
        limits, secret = self.settings.limits, self.settings.auth.secret
        calls = CallDoor(
            limits=limits,
            admission=self.admission,
            verifier=TokenVerifier(secret.reveal()) if secret else None,
            serve_call=self._serve_call,
            note=self.metrics.note,
            switch_calls=self._switch_calls,
        )
        app = build_app(ready=self.ready, registry=self.metrics.registry)
        http, media = self.listeners.http, self.listeners.media
        await self._open_switch_doors(nursery)
        door = partial(FrontDoor, limits=limits, note=self.metrics.note)
        if http is media:
            await nursery.start(door(admit=calls.admit, app=app).serve, media)
            return
        await nursery.start(door(app=app).serve, http)
        await nursery.start(door(admit=calls.admit).serve, media)

    async def _open_switch_doors(self, nursery: trio.Nursery) -> None:
        freeswitch = self.settings.freeswitch
        if self.listeners.outbound is not None:
            outbound = FreeswitchOutbound(settings=freeswitch, calls=self._switch_calls, note=self.metrics.note)
            await nursery.start(outbound.serve, self.listeners.outbound)
        if self._inbound is not None:
            nursery.start_soon(self._inbound.run)
        if self._rtp is not None and self.listeners.rtp is not None:
            await nursery.start(self._rtp.serve, self.listeners.rtp)

    async def _serve_call(self, transport: Transport) -> None:
        call_id.set(transport.info.call_id)
        if not isinstance(transport, ControlledLine):
            await self._have_call(transport, NoTools())
            return
        files = SpokenFiles(self.engines.voice, self.settings.freeswitch.sounds_dir)
        try:
            await self._have_call(transport, CallTools(transport.control, transport.targets, files.speak))
        finally:
            with trio.CancelScope(shield=True):
                await files.remove()

    async def _have_call(self, transport: Transport, tools: Tools) -> None:
        style = Style() if self._learning is None else self._learning.router.choose(transport.info)
        try:
            await CallSession(
                transport=transport,
                session=self.engines.session_for(style),
                prompts=self._prompts(style),
                settings=self._settings(style),
                tap=self._tap,
                tools=tools,
            ).run()
        finally:
            if self._learning is not None:
                self._learning.router.forget(transport.info.call_id)

    def _prompts(self, style: Style) -> Prompts:
        prompts = self.engines.prompts_for(style)
        return prompts if self.settings.dialogue.consent else evolve(prompts, notice="")

    def _settings(self, style: Style) -> Settings:
        if not style.sensitivity:
            return self.settings
        return evolve(self.settings, turns=evolve(self.settings.turns, barge_in_sensitivity=style.sensitivity))

    async def _obey(self, signals: AsyncIterator[int]) -> None:
        """Wait for the first signal, then for the calls under way, the limit, or a second signal."""
        await anext(signals)
        self.admission.drain()
        calls = self.admission.active
        log.info("stopping: no new calls, %d under way may take up to %g s", calls, self.settings.gateway.drain_s)
        if not calls:
            return
        async with trio.open_nursery() as nursery:

            async def second_signal() -> None:
                await anext(signals)
                self._forced = True
                log.warning("stopping now: %d calls are cut off", self.admission.active)
                nursery.cancel_scope.cancel()

            nursery.start_soon(second_signal)
            with trio.move_on_after(self.settings.gateway.drain_s):
                await self._calls_to_end()
            nursery.cancel_scope.cancel()

    async def _calls_to_end(self) -> None:
        while self.admission.active:
            await trio.sleep(LOOK_AGAIN_S)
