"""The whole examination of a FreeSWITCH, check by check, as far as the ones before allow."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterable

import trio
from attrs import define, field, frozen

from tomrt.doctor import inventory, service, way_in
from tomrt.doctor.call_facts import CALL_CHECKS, judge_call
from tomrt.doctor.finding import Finding, Verdict, failed, skipped
from tomrt.doctor.knock import Knock, knock
from tomrt.doctor.loopback_call import LoopbackCall
from tomrt.doctor.report import Report
from tomrt.doctor.variables import judge_salt, judge_token
from tomrt.errors import SwitchError
from tomrt.gateway.control_link import ControlLink, Refused
from tomrt.settings import Settings, is_loopback
from tomrt.wire import esl_commands

__all__ = ["Examination", "Patient", "other_addresses"]

REST = ("rest", "everything else")
ANSWERS = ("answers", "answers")
API_LIMIT_S = 5.0


@frozen(kw_only=True)
class Patient:
    """What is examined, and how far.

    Args:
        host: Of FreeSWITCH's event socket.
        port: Its port.
        settings: What tomrt is set to.
        password: Its password, ``""`` where none is known.
        with_call: Whether the test call is placed.
        own_addresses: Where else the event socket is looked for; ``None`` for the addresses that this machine has.
    """

    host: str
    port: int
    settings: Settings
    password: str = field(default="", repr=False)
    with_call: bool = True
    own_addresses: tuple[str, ...] | None = None


@define(kw_only=True)
class Examination:
    """One examination.

    Args:
        patient: Whose.
        on_step: Told what is being done, in a few words.
        on_finding: Told of each finding as it is made.
    """

    patient: Patient
    on_step: Callable[[str], None]
    on_finding: Callable[[Finding], None]
    _findings: list[Finding] = field(factory=list, init=False)

    async def run(self) -> Report:
        """Check everything there is to check, in some 4 s; at most 9 s for a check that hears nothing."""
        host, port = self.patient.host, self.patient.port
        self.on_step(f"knocking at {host}:{port}")
        found = await knock(host, port)
        reach = self._add(way_in.judge_reach(found, host, port))
        if reach.verdict is Verdict.OK:
            await self._examine_switch(found)
        else:
            self._add(skipped(REST, "there is nobody to ask"))
        await self._examine_service()
        return Report(where=f"{host}:{port}", findings=tuple(self._findings))

    async def _examine_switch(self, found: Knock) -> None:
        host, port = self.patient.host, self.patient.port
        self.on_step("trying the password")
        finding, usable = await way_in.check_password(host, port, self.patient.password)
        self._add(finding)
        self.on_step("trying the passwords that everybody knows")
        self._add(await way_in.check_default_passwords(host, port))
        self.on_step("trying it from outside")
        own = self.patient.own_addresses
        self._add(await way_in.check_exposure(host, port, other_addresses() if own is None else own))
        if usable is None:
            self._add(skipped(REST, "FreeSWITCH answers nobody who is not logged in"))
            return
        await self._logged_in(usable, found.ours)

    async def _logged_in(self, password: str, ours: str) -> None:
        try:
            stream = await trio.open_tcp_stream(self.patient.host, self.patient.port)
        except OSError:
            self._add(_stopped("it takes no further connection"))
            return
        link = ControlLink(stream, on_event=lambda _: None, note=lambda *_: None)
        # Interrupted, the test call is still to be killed over this link: it is read until that is done.
        reading = trio.CancelScope(shield=True)
        async with stream, trio.open_nursery() as nursery:
            nursery.start_soon(_read, link, reading)
            try:
                await link.greet_inbound(password)
                await self._take_inventory(link)
                await self._call(link, ours)
            except SwitchError as error:
                self._add(_stopped(str(error)))
            finally:
                reading.cancel()

    async def _take_inventory(self, link: ControlLink) -> None:
        settings = self.patient.settings
        self.on_step("asking what it is made of")
        status = await _ask(link, "status")
        self._add(inventory.judge_version(await _ask(link, "version"), status))
        names = (*inventory.MODULES, *inventory.MEDIA_MODULES)
        present = {name: await _ask(link, f"module_exists {name}") == "true" for name in names}
        self._add_all(inventory.judge_modules(present))
        usage = await _usage(link, "uuid_audio_fork")
        self._add(inventory.judge_media(present, usage, settings.freeswitch))
        codecs, preferred = await _ask(link, "show codec as json"), await _variable(link, "global_codec_prefs")
        self._add(inventory.judge_codecs(codecs, preferred))
        self._add(inventory.judge_capacity(status, settings.gateway.max_calls))
        self._add(judge_token(await _variable(link, "tomrt_token"), settings.auth))
        self._add(judge_salt(await _variable(link, "tomrt_salt")))

    async def _call(self, link: ControlLink, ours: str) -> None:
        if not self.patient.with_call:
            self._add(skipped(CALL_CHECKS[0], "not asked for (--no-call)"))
            return
        await link.command(esl_commands.events("BACKGROUND_JOB"))
        call = LoopbackCall(link=link, ours=ours, settings=self.patient.settings.freeswitch, tell=self.on_step)
        self._add_all(judge_call(await call.run()))

    async def _examine_service(self) -> None:
        settings = self.patient.settings
        self.on_step("looking for the tomrt service")
        self._add(service.check_addresses(settings, self.patient.host))
        self._add(await service.check_outbound_port(settings))
        self._add(await service.check_media_port(settings))

    def _add(self, finding: Finding) -> Finding:
        self._findings.append(finding)
        self.on_finding(finding)
        return finding

    def _add_all(self, findings: Iterable[Finding]) -> None:
        for finding in findings:
            self._add(finding)


async def _read(link: ControlLink, scope: trio.CancelScope) -> None:
    with scope:
        await link.run()


def _stopped(seen: str) -> Finding:
    why = "its answers stopped in the middle of the examination"
    return failed(ANSWERS, seen, why=why, do="see whether FreeSWITCH is overloaded, or was restarted; then once more")


async def _ask(link: ControlLink, command: str) -> str:
    """Return what FreeSWITCH prints for *command*, ``""`` where it does not know it or prints nothing."""
    try:
        return await link.api(command, timeout_s=API_LIMIT_S)
    except Refused:
        return ""


async def _usage(link: ControlLink, command: str) -> str:
    """Return how a command is used, as it says itself when it is given nothing."""
    reply = await link.command(esl_commands.api(command), timeout_s=API_LIMIT_S)
    return reply.body.decode("utf-8", "replace")


async def _variable(link: ControlLink, name: str) -> str:
    return await _ask(link, f"global_getvar {name}")


def other_addresses() -> tuple[str, ...]:
    """Return the addresses of this machine that others may reach it by; nothing is sent to find them."""
    found = []
    for family, elsewhere in ((socket.AF_INET, "192.0.2.1"), (socket.AF_INET6, "2001:db8::1")):
        try:
            with socket.socket(family, socket.SOCK_DGRAM) as udp:
                udp.connect((elsewhere, 9))
                found.append(str(udp.getsockname()[0]))
        except OSError:
            continue  # no way out in this family
    return tuple(address for address in found if not is_loopback(address))
