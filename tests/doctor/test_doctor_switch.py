"""Each broken switch gives its finding, and a healthy one none."""

from __future__ import annotations

import time

import pytest
import trio
import trio.testing
from doctor_boxes import PASSWORD, STATUS, box, settings_with, speaker
from fakes.freeswitch import MODULES

from tomrt.doctor.examination import other_addresses
from tomrt.doctor.finding import Finding, Verdict
from tomrt.doctor.report import Report
from tomrt.doctor.variables import judge_salt, judge_token
from tomrt.doctor.way_in import check_exposure
from tomrt.security.tokens import issue, issue_for_any
from tomrt.settings import Auth, Secret, Settings

SECRET = "correct horse battery staple 12345"


@pytest.fixture
def soon() -> trio.testing.MockClock:
    """Let time pass by itself when nothing has come over the sockets for a while."""
    return trio.testing.MockClock(autojump_threshold=0.05)


def the(report: Report, name: str) -> Finding:
    """Return the finding of that name, and see that it explains itself."""
    (finding,) = [each for each in report.findings if each.id == name]
    if finding.verdict in {Verdict.WARN, Verdict.FAIL}:
        assert finding.why
        assert finding.do
    assert PASSWORD not in repr(report)
    return finding


def wrong(report: Report) -> dict[str, str]:
    """Return the verdicts of what is not in order."""
    return {each.id: each.verdict.value for each in report.findings if each.verdict is not Verdict.OK}


async def test_a_healthy_box_is_in_order(soon):
    """A whole switch with a service beside it: every check is ok and the exit code is 0."""
    async with box() as healthy:
        report = await healthy.examined()
    assert wrong(report) == {"exposure": "skipped", "call.placed": "skipped"}
    assert report.exit_code == 0
    assert list(report.findings) == healthy.told
    assert healthy.switch.all_calls == []


async def test_nobody_listens():
    """Without a listener the doctor says so, asks nothing else, and exits with 3."""
    async with box() as dead:
        dead.switch.stop_listening()
        await trio.testing.wait_all_tasks_blocked()
        report = await dead.examined()
    assert wrong(report) == {"reach": "fail", "rest": "skipped"}
    assert "nobody listens" in the(report, "reach").seen
    assert report.exit_code == 3


@pytest.mark.parametrize(
    ("says", "seen"),
    [
        (b"SSH-2.0-OpenSSH_9.2\r\n\r\n", "it said 'SSH-2.0-OpenSSH_9.2'"),
        (b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n", "it said 'HTTP/1.1 400"),
        (b"\x1b[31mhello", "it said '[31mhello'"),
        (b"", "it says nothing"),
    ],
)
async def test_what_is_no_event_socket(soon, says, seen):
    """Another program at the port is told from an event socket, and what it says cannot steer the terminal."""
    async with box() as other, trio.open_nursery() as nursery:
        port = await nursery.start(speaker, says)
        report = await other.examined(port=port)
        nursery.cancel_scope.cancel()
    assert seen in the(report, "reach").seen
    assert "is no event socket" in the(report, "reach").seen
    assert "\x1b" not in repr(report)
    assert report.exit_code == 3


async def test_the_access_list_says_no():
    """A rude rejection is the access list, and the address to allow is named."""
    async with box(rude=True) as closed:
        report = await closed.examined()
    assert "turns this machine away: Access Denied, go away." in the(report, "reach").seen
    assert "127.0.0.1" in the(report, "reach").do
    assert report.exit_code == 3


async def test_an_address_that_cannot_be():
    """A name that does not resolve is told in words, not in a traceback."""
    async with box() as lost:
        report = await lost.examined(host="no-such-host.invalid")
    assert "cannot be reached" in the(report, "reach").seen
    assert report.exit_code == 3


async def test_a_wrong_password():
    """A refused password is told, and that the rest could not be asked."""
    async with box() as strange:
        report = await strange.examined(password="guess")
    assert wrong(report) == {"password": "fail", "exposure": "skipped", "rest": "skipped"}
    assert report.exit_code == 1


async def test_no_password():
    """Without a password the doctor says where to give it."""
    async with box() as strange:
        report = await strange.examined(password="")
    assert "--password-file" in the(report, "password").do
    assert wrong(report) == {"password": "fail", "exposure": "skipped", "rest": "skipped"}


@pytest.mark.parametrize("known", ["ClueCon", "set-me"])
@pytest.mark.parametrize("given", ["right", "wrong", "none"])
async def test_a_password_that_everybody_knows(known, given):
    """The default password and our example's are found out, whatever password was given, and the rest is asked."""
    async with box(password=known) as open_to_all:
        report = await open_to_all.examined(password={"right": known, "wrong": "guess", "none": ""}[given])
    assert the(report, "password.default").verdict is Verdict.FAIL
    assert known in the(report, "password.default").seen
    assert the(report, "password").verdict is (Verdict.OK if given == "right" else Verdict.FAIL)
    assert the(report, "version").verdict is Verdict.OK
    assert report.exit_code == 1


async def test_it_listens_to_the_network():
    """An event socket that another address of the machine reaches is a failure; behind an access list a warning."""
    async with box() as wide:
        report = await wide.examined(own_addresses=("127.0.0.1",))
        assert the(report, "exposure").verdict is Verdict.FAIL
        assert 'value="127.0.0.1"' in the(report, "exposure").do
        wide.switch.odd.rude = True
        assert (await check_exposure("127.0.0.1", wide.switch.inbound_port, ["127.0.0.1"])).verdict is Verdict.WARN
    assert (await check_exposure("10.0.0.5", 8021, [])).verdict is Verdict.WARN


async def test_it_listens_on_loopback_only():
    """Where no other address reaches it, that is in order."""
    async with box() as narrow:
        finding = await check_exposure("localhost", narrow.switch.inbound_port, ["127.0.0.2"])
    assert finding.verdict is Verdict.OK


def test_own_addresses_are_none_of_loopback():
    """What the event socket is looked for at are addresses that others could use."""
    assert not [address for address in other_addresses() if address.startswith("127.") or address == "::1"]


@pytest.mark.parametrize("name", [name for name in MODULES if not name.startswith("mod_native")])
async def test_a_missing_module(name):
    """Each module that is missing is named, with the command that loads it, unless only an optional way needs it."""
    async with box(modules=tuple(each for each in MODULES if each != name)) as poor:
        report = await poor.examined()
    if name in {"mod_audio_fork", "mod_audio_stream"}:
        assert the(report, "media").verdict is Verdict.OK
        return
    finding = the(report, f"module.{name}")
    assert finding.verdict is (Verdict.WARN if "stream" in name else Verdict.FAIL)
    assert f"load {name}" in finding.do


@pytest.mark.parametrize(
    ("media", "broken", "verdict", "seen"),
    [
        ("unicast", {"modules": ("mod_commands",)}, Verdict.OK, "unicast; "),
        ("fork", {}, Verdict.OK, "unicast, fork, fork-json, stream; "),
        ("fork", {"build": "drachtio"}, Verdict.FAIL, "cannot talk back; what works: unicast, fork-json, stream"),
        ("fork-json", {"build": "drachtio"}, Verdict.OK, "unicast, fork-json, stream; "),
        ("fork", {"modules": ("mod_audio_stream",)}, Verdict.FAIL, "mod_audio_fork is not loaded"),
        ("fork-json", {"modules": ()}, Verdict.FAIL, "mod_audio_fork is not loaded"),
        ("stream", {"modules": ("mod_audio_fork",)}, Verdict.FAIL, "mod_audio_stream is not loaded"),
    ],
)
async def test_the_way_for_the_audio(media, broken, verdict, seen):
    """What the settings ask for must be there: the module, and the build of it that can talk back."""
    async with box(**broken) as some:
        some.settings = settings_with(freeswitch={"media": media})
        finding = the(await some.examined(), "media")
    assert finding.verdict is verdict
    assert seen in finding.seen


@pytest.mark.parametrize(
    ("answers", "verdict", "seen"),
    [
        ({"show codec as json": '{"row_count":1,"rows":[{"name":"G.722"}]}'}, Verdict.FAIL, "PCMU, PCMA, L16 missing"),
        ({"show codec as json": '{"row_count":0}'}, Verdict.FAIL, "missing"),
        ({"show codec as json": "-ERR no reply\n"}, Verdict.WARN, "did not list them"),
        ({"show codec as json": "[" * 3000}, Verdict.WARN, "did not list them"),
        ({"global_getvar global_codec_prefs": "OPUS,VP8"}, Verdict.WARN, "only OPUS, VP8"),
        ({"global_getvar global_codec_prefs": "OPUS,G722,PCMU@20i,VP8"}, Verdict.OK, "offered: OPUS, G722, PCMU, VP8"),
    ],
)
async def test_codecs(answers, verdict, seen):
    """A switch without G.711, or that does not offer it, is told."""
    async with box(answers=answers) as odd:
        finding = the(await odd.examined(), "codecs")
    assert finding.verdict is verdict
    assert seen in finding.seen


@pytest.mark.parametrize(
    ("status", "verdict"),
    [
        (STATUS.replace("1000 session(s) max", "10 session(s) max"), Verdict.WARN),
        (STATUS.replace("out of max 30", "out of max 2"), Verdict.WARN),
        ("-ERR no reply\n", Verdict.WARN),
        (STATUS, Verdict.OK),
    ],
)
async def test_room_for_calls(status, verdict):
    """A switch that takes fewer calls than tomrt, or few at a time, is told."""
    async with box(answers={"status": status}) as small:
        finding = the(await small.examined(), "capacity")
    assert finding.verdict is verdict


@pytest.mark.parametrize(
    ("status", "version", "verdict", "seen"),
    [
        (
            STATUS,
            "FreeSWITCH Version 1.10.12-release~64bit (-release 64bit)",
            Verdict.OK,
            "1.10.12-release, up 17 hours 56",
        ),
        (STATUS, "FreeSWITCH Version 1.8.7~64bit ( 64bit)", Verdict.WARN, "1.8.7"),
        (STATUS.replace("is ready", "is not ready"), "FreeSWITCH Version 1.10.12", Verdict.FAIL, "not ready"),
        ("", "", Verdict.FAIL, "unknown version"),
    ],
)
async def test_the_version(status, version, verdict, seen):
    """The version and since when it runs are told; an old or paused switch is found."""
    async with box(answers={"status": status, "version": version}) as aged:
        finding = the(await aged.examined(), "version")
    assert finding.verdict is verdict
    assert seen in finding.seen


@pytest.mark.parametrize(
    ("token", "verdict", "seen"),
    [
        (lambda: issue_for_any(SECRET, 86_400 * 90), Verdict.OK, "good for 89 days"),
        (lambda: "", Verdict.WARN, "not set"),
        (lambda: issue_for_any(SECRET, 86_400 * 3), Verdict.WARN, "expires in 2 days"),
        (lambda: issue_for_any(SECRET, -1), Verdict.FAIL, "lets nobody in"),
        (lambda: issue_for_any("another secret of sufficient length", 999_999), Verdict.FAIL, "lets nobody in"),
        (lambda: issue(SECRET, "call-1", 86_400 * 90), Verdict.FAIL, "lets one call in"),
        (lambda: "set-me", Verdict.FAIL, "still the example's"),
    ],
)
async def test_the_token_of_the_dialplan(token, verdict, seen):
    """A token that lets nobody in, or soon will not, is found, and never shown."""
    async with box(globals_={"tomrt_token": token()}) as some:
        some.settings = settings_with(auth={"secret": Secret(SECRET)})
        report = await some.examined()
    finding = the(report, "variable.tomrt_token")
    assert finding.verdict is verdict
    assert seen in finding.seen
    assert token() == "" or token() not in repr(report).replace("set-me is", "")


def test_tokens_that_nobody_asks_for():
    """Without a secret no token is looked at."""
    assert judge_token("set-me", Auth(), time.time()).verdict is Verdict.OK


@pytest.mark.parametrize(
    ("salt", "verdict"),
    [("", Verdict.OK), ("set-me", Verdict.WARN), ("short", Verdict.WARN), ("0123456789abcdef01234567", Verdict.OK)],
)
def test_the_salt(salt, verdict):
    """A salt that can be guessed is found, and never shown."""
    finding = judge_salt(salt)
    assert finding.verdict is verdict
    assert salt in {"", "set-me", "short"} or salt not in repr(finding)


async def test_a_switch_that_stops_in_the_middle(soon):
    """When the connection breaks during the examination, what was found is told, and that it broke."""
    async with box(late_replies_s=1.0) as dying, trio.open_nursery() as nursery:

        async def kill() -> None:
            while not any(each.id == "version" for each in dying.told):
                await trio.sleep(0.1)
            dying.switch.drop_control()

        nursery.start_soon(kill)
        report = await dying.examined()
    assert the(report, "answers").verdict is Verdict.FAIL
    assert the(report, "version").verdict is Verdict.OK
    assert report.exit_code == 1


async def test_a_service_that_is_not_there(soon):
    """Without the service its ports are found closed; other programs there are told from it."""
    async with box() as lone, trio.open_nursery() as nursery:
        outbound, media = lone.settings.freeswitch.outbound_port, lone.settings.gateway.media_port
        lone.settings = settings_with(freeswitch={"outbound_port": 1, "media": "fork"}, gateway={"media_port": 1})
        report = await lone.examined()
        assert "nobody listens" in the(report, "service.outbound").seen
        assert "nobody listens" in the(report, "service.media").seen
        lone.settings = settings_with(freeswitch={"outbound_port": media}, gateway={"media_port": outbound})
        report = await lone.examined()
        assert "is not tomrt" in the(report, "service.outbound").seen
        assert "is not tomrt" in the(report, "service.media").seen
        nursery.cancel_scope.cancel()
    assert report.exit_code == 1


@pytest.mark.parametrize(
    ("settings", "skips"),
    [
        (settings_with(freeswitch={"outbound": False}), "service.outbound"),
        (settings_with(freeswitch={"outbound_port": 0}), "service.outbound"),
        (settings_with(gateway={"media_port": 0}), "service.media"),
    ],
)
async def test_ports_that_are_not_used(settings, skips):
    """What the settings switch off, or leave to chance, is not looked for."""
    async with box() as quiet:
        quiet.settings = settings
        assert the(await quiet.examined(), skips).verdict is Verdict.SKIPPED


async def test_addresses_that_cannot_meet():
    """A switch elsewhere cannot reach loopback addresses of ours, and each setting that is one is named."""
    from tomrt.doctor.service import check_addresses

    finding = check_addresses(Settings(), "10.0.0.5")
    assert finding.verdict is Verdict.FAIL
    for name in ("freeswitch.unicast_host", "freeswitch.unicast_switch_host", "gateway.host"):
        assert name in finding.seen
    far = settings_with(
        freeswitch={"unicast_host": "10.0.0.9", "unicast_switch_host": "10.0.0.5"}, gateway={"host": "10.0.0.9"}
    )
    assert check_addresses(far, "10.0.0.5").verdict is Verdict.OK
