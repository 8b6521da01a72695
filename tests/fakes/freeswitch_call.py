"""One call of the fake switch, and the person who makes it: speaks, presses keys, hangs up, and hears."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Protocol

import numpy as np
import trio
from fakes.freeswitch_applications import Applications
from fakes.freeswitch_channel import channel_data, channel_headers
from fakes.freeswitch_text import Event
from fakes.freeswitch_unicast import Unicast

if TYPE_CHECKING:
    from fakes.freeswitch import FakeSwitch
    from fakes.freeswitch_link import EventLink

__all__ = ["FRAME_S", "FakeCall", "Module"]

FRAME_S = 0.02
WAIT_S = 10.0
RFC2833_HZ = 8000


class Module(Protocol):
    """A media module on a call."""

    name: str
    heard: bytearray

    def tick(self, frame: bytes, at: int, *, written: bool) -> None:
        """Take the caller's *frame*, which ends at sample *at*; *written* says whether the caller is sent anything."""

    def end(self, last_text: str = "") -> None:
        """The call, or somebody's ``stop``, ends it."""

    def abort(self) -> None:
        """Break its connection."""


class FakeCall:
    """A call; what the caller does are plain methods, what the caller noticed are plain attributes.

    Its clock begins with it; every 20 ms on an absolute grid from there the caller's next frame goes to whatever media
    is attached. ``state`` is ``"ringing"``, ``"parked"`` (in the socket application, or parked for an inbound
    connection), ``"bridged"``, ``"transferred"`` or ``"ended"``.
    """

    def __init__(
        self,
        switch: FakeSwitch,
        *,
        call_uuid: str = "",
        caller: str = "1000",
        called: str = "7000",
        caller_name: str = "Caller",
        context: str = "public",
        codec: str = "PCMU",
        rate_hz: int = 8000,
        variables: Mapping[str, str] | None = None,
        answered: bool = True,
        echo: bool = False,
    ) -> None:
        self.uuid = call_uuid or str(uuid.uuid4())
        self.caller = caller
        self.called = called
        self.caller_name = caller_name
        self.context = context
        self.codec = codec
        self.rate_hz = rate_hz
        self.variables = dict(variables or {})
        self.answered = answered
        self.echo = echo
        """Whether the far end says what it hears, 20 ms later."""
        self.state = "parked" if answered else "ringing"
        self.ended = ""
        """Cause of the end, ``""`` while the call lasts."""
        self.ended_by = ""
        """``"caller"``, ``"server"`` or ``"switch"``."""
        self.began = trio.current_time()
        self.link: EventLink | None = None
        self.commands: list[str] = []
        self.events: list[Event] = []
        self.bridged_to: FakeCall | None = None
        self.transferred_to = ""
        self.recordings: list[tuple[str, str]] = []
        """(``start`` or ``stop``, file) in order."""
        self.displaced: list[str] = []
        self.dtmf_sent = ""
        """Digits that the server had the switch send to the caller."""
        self.applied: list[tuple[str, str]] = []
        """Applications other than playing a file, with their arguments."""
        self.unicasts: list[Unicast] = []
        self.modules: dict[str, Module] = {}
        self.applications = Applications(rate_hz=rate_hz, fire=self.fire, act=self._act)
        self._all_modules: list[Module] = []
        self._switch = switch
        self._frames = 0
        self._to_say = bytearray()
        self._over = trio.Event()

    # --- what the caller does ----------------------------------------------------------------------------------------

    def speak(self, pcm: bytes) -> None:
        """Say *pcm*, after what there is still to say; in real time, so this returns long before it is said."""
        self._to_say += pcm

    async def spoken(self) -> None:
        """Wait until everything has been said."""
        while self._to_say and not self.ended:
            await trio.sleep(FRAME_S)

    def press(self, digits: str, *, duration_ms: int = 200) -> None:
        """Press keys."""
        for digit in digits:
            samples = str(duration_ms * RFC2833_HZ // 1000)
            self.fire("DTMF", {"DTMF-Digit": digit, "DTMF-Duration": samples, "DTMF-Source": "RTP"})

    def hang_up(self, cause: str = "NORMAL_CLEARING") -> None:
        """Put the receiver down."""
        self.end(cause, by="caller")

    # --- what the caller hears ---------------------------------------------------------------------------------------

    @property
    def frame_bytes(self) -> int:
        """Bytes of 20 ms."""
        return 2 * round(self.rate_hz * FRAME_S)

    @property
    def position(self) -> int:
        """The sample of the call that is now."""
        return int((trio.current_time() - self.began) * self.rate_hz)

    @property
    def unicast(self) -> Unicast | None:
        """The unicast that is on."""
        return self.unicasts[-1] if self.unicasts and self.unicasts[-1].open else None

    @property
    def heard(self) -> bytes:
        """All that the caller heard so far, from sample 0 on: files, packets and what modules play, mixed."""
        return self._mixed(0, self._now())

    def hears_now(self, *, within_s: float = 0.1, least: int = 50) -> bool:
        """Whether the last *within_s* of what was heard had a peak of *least* or more."""
        now = self._now()
        tail = np.frombuffer(self._mixed(max(0, now - round(within_s * self.rate_hz)), now), "<i2")
        return bool(len(tail)) and int(np.abs(tail.astype(np.int32)).max()) >= least

    async def until(self, condition: Callable[[], bool], *, within_s: float = WAIT_S) -> None:
        """Wait until *condition* holds.

        Raises:
            TooSlowError: of Trio, when it does not within *within_s*.
        """
        with trio.fail_after(within_s):
            while not condition():
                await trio.sleep(FRAME_S / 2)

    async def until_heard(self, *, within_s: float = WAIT_S) -> None:
        """Wait until the caller hears something."""
        await self.until(self.hears_now, within_s=within_s)

    async def until_silent(self, *, for_s: float = 0.3, within_s: float = WAIT_S) -> None:
        """Wait until the caller has heard nothing for *for_s*."""
        await self.until(lambda: not self.hears_now(within_s=for_s), within_s=within_s)

    async def over(self, *, within_s: float = WAIT_S) -> str:
        """Wait for the end and return its cause."""
        with trio.fail_after(within_s):
            await self._over.wait()
        return self.ended

    # --- what the switch does ----------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Keep the call's clock until it ends."""
        while not self.ended:
            await trio.sleep_until(self.began + (self._frames + 1) * FRAME_S)
            self._frames += 1
            await self._tick()

    def fire(self, name: str, headers: Mapping[str, str] | None = None, body: str = "") -> None:
        """Fire an event of this call."""
        said = channel_data(self) if name.startswith("CHANNEL_") else channel_headers(self)
        self.events.append(self._switch.publish(name, said | dict(headers or {}), body))

    def answer(self) -> None:
        """Answer the call."""
        if not self.answered:
            self.answered = True
            self.state = "parked" if self.state == "ringing" else self.state
            self.fire("CHANNEL_ANSWER")

    def start_unicast(self, local: tuple[str, int], remote: tuple[str, int], *, native: bool) -> None:
        """Send the caller's audio by unicast, and play what comes."""
        self._stop_unicast()
        self.unicasts.append(
            Unicast(
                local=local,
                remote=remote,
                native=native,
                codec=self.codec,
                rate_hz=self.rate_hz,
                position=lambda: self.position,
                silent=self._switch.odd.unicast_silent,
            )
        )
        self._switch.start(self._run_unicast, self.unicasts[-1])

    def attach(self, module: Module) -> None:
        """Put a media module on the call."""
        self.modules[module.name] = module
        self._all_modules.append(module)

    def bridge(self, other: FakeCall) -> None:
        """Connect two calls; both leave where they were parked."""
        for one, two in ((self, other), (other, self)):
            one.bridged_to, one.state = two, "bridged"
            one._leave()
        legs = {"Bridge-A-Unique-ID": self.uuid, "Bridge-B-Unique-ID": other.uuid}
        self.fire("CHANNEL_BRIDGE", legs | {"Other-Leg-Unique-ID": other.uuid})

    def transfer(self, target: str) -> None:
        """Send the call elsewhere in the dialplan."""
        self.transferred_to, self.state = target, "transferred"
        self._leave()

    def end(self, cause: str, *, by: str) -> None:
        """End the call."""
        if self.ended:
            return
        self.ended, self.ended_by, self.state = cause, by, "ended"
        hangup = {"Hangup-Cause": cause}
        lingers = self.link is not None and self.link.linger_s is not None
        if self.link and not lingers:
            self.link.call_left()
        self.fire("CHANNEL_HANGUP", hangup)
        if self.link and lingers:
            self.link.linger()
        self.applications.end()
        self._stop_unicast()
        for module in list(self.modules.values()):
            module.end()
        self.fire("CHANNEL_HANGUP_COMPLETE", hangup | {"variable_hangup_cause": cause})
        self.fire("CHANNEL_DESTROY", hangup)
        self._switch.forget(self)
        self._over.set()
        if self.bridged_to:
            self.bridged_to.end("NORMAL_CLEARING", by="switch")

    def cut_off(self) -> None:
        """The switch has died: the call is gone, and nothing tells of it."""
        self.ended, self.ended_by, self.state = "CRASH", "switch", "ended"
        self._stop_unicast()
        for module in list(self.modules.values()):
            module.abort()
        self._switch.forget(self)
        self._over.set()

    def _leave(self) -> None:
        self._stop_unicast()
        self.applications.end()
        if self.link and not self._switch.odd.keeps_socket:
            self.link.call_left()

    async def _tick(self) -> None:
        at = self._frames * self.frame_bytes // 2
        frame = self._next_frame()
        self.applications.step(trio.current_time(), at)
        playing = bool(self.applications.playing)
        if self.unicast and not playing:  # unicast lives in the idle loop: a file that plays stops it
            await self.unicast.send(frame)
        idle = self.variables.get("send_silence_when_idle", "") in {"", "0", "false"}
        written = playing or not idle or self._hears_packets()
        for module in list(self.modules.values()):
            module.tick(frame, at, written=written)

    def _now(self) -> int:
        return self._frames * self.frame_bytes // 2 if self.ended else self.position

    def _mixed(self, start: int, end: int) -> bytes:
        """Return what was heard from sample *start* to sample *end*."""
        lanes = [self.applications.lane.heard, *(each.lane.heard for each in self.unicasts)]
        lanes += [module.heard for module in self._all_modules]
        mixed = np.zeros(max(0, end - start), np.int32)
        for lane in lanes:
            samples = np.frombuffer(bytes(lane[2 * start : 2 * end]), "<i2") if end > start else mixed[:0]
            mixed[: len(samples)] += samples
        return np.clip(mixed, -32768, 32767).astype("<i2").tobytes()

    def _next_frame(self) -> bytes:
        if self.echo:  # of the frame before the last one: a packet may still take its place in the last one
            start = (self._frames - 2) * self.frame_bytes // 2
            return self._mixed(max(0, start), start + self.frame_bytes // 2).ljust(self.frame_bytes, b"\0")
        frame = bytes(self._to_say[: self.frame_bytes])
        del self._to_say[: self.frame_bytes]
        return frame.ljust(self.frame_bytes, b"\0")

    def _hears_packets(self) -> bool:
        unicast = self.unicast
        return bool(unicast and unicast.arrivals and unicast.arrivals[-1].at > trio.current_time() - 2 * FRAME_S)

    async def _run_unicast(self, unicast: Unicast) -> None:
        try:
            await unicast.run()
        except OSError as error:
            self._switch.log.append(f"{self.uuid}: unicast on {unicast.local}: {error}")

    def _stop_unicast(self) -> None:
        for unicast in self.unicasts:
            unicast.close()

    def _act(self, app: str, arg: str) -> None:
        """Do what an application other than playing a file does."""
        self.applied.append((app, arg))
        match app:
            case "answer":
                self.answer()
            case "hangup":
                self.end(arg or "NORMAL_CLEARING", by="server")
            case "set" | "export":
                name, _, value = arg.partition("=")
                self.variables[name] = value
            case "transfer":
                self.transfer(arg)
            case "send_dtmf":
                self.dtmf_sent += arg.partition("@")[0]
            case "record_session" | "stop_record_session":
                self.recordings.append(("start" if app == "record_session" else "stop", arg))
            case "bridge":
                self.transfer(f"bridge {arg}")
