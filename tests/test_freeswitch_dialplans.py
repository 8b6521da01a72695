"""The XML for FreeSWITCH that an operator copies: well formed, safe, and what the code expects of it."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit
from xml.dom import minidom

import pytest
import trio
from attrs import frozen
from fakes.freeswitch import fake_switch

from tomrt.gateway.call_control import CallControl
from tomrt.gateway.control_link import ControlLink
from tomrt.gateway.switch_calls import MEDIA
from tomrt.settings import Settings
from tomrt.wire.handshake import is_call_path, read_offer

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "deploy" / "freeswitch"
FILES = sorted(FOLDER.rglob("*.xml"))
DIALPLANS = sorted((FOLDER / "dialplan").glob("*.xml"))
OF_FREESWITCH = {"sounds_dir", "recordings_dir", "domain"}
"""Global variables that FreeSWITCH sets itself."""
KEEPS_CALL = {"socket", "park"}


@frozen
class Action:
    """One action of a dialplan."""

    app: str
    data: str


@frozen
class Extension:
    """One extension: the condition that picks it, and what it does in order."""

    name: str
    number: str
    actions: tuple[Action, ...]

    def sets(self, variable: str, *, before: str = "") -> str | None:
        """Return what the extension sets a channel variable to, before it comes to an application."""
        found = None
        for action in self.actions:
            if before and action.app == before:
                break
            name, _, value = action.data.partition("=")
            if action.app == "set" and name == variable:
                found = value
        return found

    def first(self, app: str) -> str:
        """Return the data of the first action of that application."""
        return next(action.data for action in self.actions if action.app == app)

    def does(self, *apps: str) -> bool:
        """Whether any of these applications is used."""
        return any(action.app in apps for action in self.actions)


def extensions(path: Path) -> Iterator[Extension]:
    """Yield the extensions of a file; an anti-action counts as well."""
    for element in minidom.parse(str(path)).getElementsByTagName("extension"):
        conditions = [
            each.getAttribute("expression")
            for each in element.getElementsByTagName("condition")
            if each.getAttribute("field") == "destination_number"
        ]
        actions = [each for each in element.getElementsByTagName("*") if each.tagName in {"action", "anti-action"}]
        yield Extension(
            element.getAttribute("name"),
            conditions[0],
            tuple(Action(each.getAttribute("application"), each.getAttribute("data")) for each in actions),
        )


EXTENSIONS = [each for path in DIALPLANS for each in extensions(path)]
BY_NUMBER = {each.number: each for each in EXTENSIONS}
OF_A_CALL = [each for each in EXTENSIONS if each.does(*KEEPS_CALL)]


def reached(number: str) -> Extension:
    """Return the extension that FreeSWITCH takes for *number*: the first that matches, in the order of the files."""
    return next(each for each in EXTENSIONS if re.search(each.number, number))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_a_strict_parser_takes_it(path):
    """Each file is well formed, is one that FreeSWITCH includes, and says what it is for."""
    document = minidom.parse(str(path))
    assert document.documentElement.tagName in {"include", "configuration"}
    assert "<!--" in path.read_text()


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_no_scripts_and_no_known_password(path):
    """No file needs Lua or another script, or holds the password that everybody knows."""
    text = path.read_text().lower()
    for word in ("lua", "javascript", "python script", "system(", "cluecon"):
        assert word not in text
    assert not {each.app for each in EXTENSIONS for each in each.actions} & {"system", "bgsystem", "python", "perl"}


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_nothing_is_obeyed_within_comments(path):
    """FreeSWITCH obeys X-PRE-PROCESS in comments, too: none holds one."""
    for comment in re.findall(r"<!--.*?-->", path.read_text(), re.DOTALL):
        assert "x-pre-process" not in comment.lower()


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_ampersands_are_escaped(path):
    """Every ampersand in a URL is written as XML wants it."""
    assert re.findall(r"&(?!amp;)", path.read_text()) == []


def test_every_variable_is_explained():
    """The global variables that the files use are those of vars_tomrt.xml, and none there is unused."""
    defined = {
        each.getAttribute("data").partition("=")[0]
        for each in minidom.parse(str(FOLDER / "vars_tomrt.xml")).getElementsByTagName("X-PRE-PROCESS")
    }
    used = {name for path in FILES for name in re.findall(r"\$\$\{(\w+)\}", path.read_text())}
    assert used - OF_FREESWITCH == defined


def test_the_event_socket_is_closed_to_others():
    """It listens on loopback, with a password of the operator's own and an access list."""
    document = minidom.parse(str(FOLDER / "autoload_configs" / "event_socket.conf.xml"))
    said = {each.getAttribute("name"): each.getAttribute("value") for each in document.getElementsByTagName("param")}
    assert said["listen-ip"] == "127.0.0.1"
    assert said["password"] == "$${tomrt_esl_password}"
    assert said["apply-inbound-acl"] == "loopback.auto"
    assert int(said["listen-port"]) == Settings().freeswitch.inbound_port


def test_each_way_has_its_extension():
    """There is a call for every way the audio can travel, and no value that tomrt does not know."""
    assert {each.sets("tomrt_media") for each in OF_A_CALL if each.sets("tomrt_media")} == set(MEDIA)


@pytest.mark.parametrize("extension", OF_A_CALL, ids=lambda each: each.name)
def test_silence_is_written_where_it_must_be_and_nowhere_else(extension):
    """The two-way module is heard only on a channel that is written to; unicast would be chopped by silence."""
    app = next(each.app for each in extension.actions if each.app in KEEPS_CALL)
    two_way = extension.sets("tomrt_media") == "fork" or "true true 8000" in str(extension.actions)
    expected = "-1" if two_way else {"unicast": "0"}.get(extension.sets("tomrt_media") or "")
    assert extension.sets("send_silence_when_idle", before=app) == expected
    assert extension.sets("send_silence_when_idle", before="answer") == expected


@pytest.mark.parametrize("extension", [each for each in OF_A_CALL if each.does("socket")], ids=lambda each: each.name)
def test_a_call_is_handed_over_and_goes_on_without_us(extension):
    """The address is the one that the service listens at, and when nobody does the caller hears why."""
    settings = Settings()
    assert extension.first("socket") == f"{settings.gateway.host}:{settings.freeswitch.outbound_port} async full"
    after = [each.app for each in extension.actions]
    assert after[after.index("socket") + 1 :] == ["playback", "hangup"]
    assert extension.sets("tomrt_token", before="socket") == "$${tomrt_token}"
    assert extension.sets("hangup_after_bridge", before="socket") == "true"
    assert extension.sets("continue_on_fail", before="socket") == "true"


def test_parked_calls_are_not_for_ever():
    """A parked call that nobody takes ends, though not before the longest call of the service."""
    for extension in (each for each in OF_A_CALL if each.does("park")):
        seconds, cause = (extension.sets("park_timeout", before="park") or "").split(":")
        assert float(seconds) >= Settings().limits.max_call_s
        assert cause == "NORMAL_CLEARING"


# --- the dialplan that opens the WebSocket itself --------------------------------------------------------------------

START = re.compile(r"\$\{(uuid_audio_fork)\(\$\{uuid\} start (\S+) (.*)\)\}\Z")


def started() -> tuple[str, str, str]:
    """Return the command, URL and further arguments of the start in the dialplan, its variables filled in."""
    value = BY_NUMBER["^7012$"].sets("tomrt_started")
    match = START.match(value or "")
    assert match is not None
    url = match[2].replace("${uuid}", "7f3c-1").replace("${tomrt_caller}", "0" * 32).replace("$${tomrt_token}", "a.b.c")
    return match[1], url, match[3]


def test_the_url_says_what_tomrt_reads():
    """Rate, name of the call, way back, caller and token are read from the URL as they are meant."""
    _, url, arguments = started()
    parts = urlsplit(url)
    assert parts.scheme == "ws"
    assert parts.port == Settings().gateway.media_port
    assert is_call_path(parts.path)
    offer = read_offer(parts.query)
    assert (offer.rate_hz, offer.talk, offer.call_id, offer.token) == (8000, "binary", "7f3c-1", "a.b.c")
    assert offer.caller == "0" * 32
    assert arguments.endswith(f"true true {offer.rate_hz}")


async def test_the_start_is_the_gateways():
    """The arguments and their order are exactly those with which tomrt starts the module itself."""
    command, url, arguments = started()
    async with fake_switch(password="secret") as switch, trio.open_nursery() as nursery:
        call = switch.park()
        async with await trio.open_tcp_stream("127.0.0.1", switch.inbound_port) as stream:
            link = ControlLink(stream, on_event=lambda _: None, note=lambda *_: None)
            nursery.start_soon(link.run)
            await link.greet_inbound("secret")
            control = CallControl(link, call.uuid, Settings().freeswitch)
            await control.start_fork("ws://127.0.0.1:1/call", rate_hz=8000, two_way=True)
        sent = next(each for each in call.commands if command in each)
        nursery.cancel_scope.cancel()
    assert sent == f"api {command} {call.uuid} start ws://127.0.0.1:1/call {arguments}"
    assert " " not in url


def test_callers_are_hashed():
    """Only a hash of the number leaves, made with a secret salt, and odd numbers leave as nothing at all."""
    extension = BY_NUMBER["^7012$"]
    sets = [each.data for each in extension.actions if each.data.startswith("tomrt_caller=")]
    assert sets == ["tomrt_caller=${md5(${caller_id_number}$${tomrt_salt})}", "tomrt_caller=anonymous"]
    assert not [each for each in extension.actions if "caller_id_number" in each.data and "md5" not in each.data]
    document = minidom.parse(str(FOLDER / "dialplan" / "02_tomrt_audio_fork.xml"))
    (guard,) = [
        each.getAttribute("expression")
        for each in document.getElementsByTagName("condition")
        if each.getAttribute("field") == "caller_id_number"
    ]
    assert re.search(guard, "+4930123456")
    for odd in ("", "anonymous", "1)}", "${system(reboot)}", "1 2", "sip:me@example.org"):
        assert re.search(guard, odd) is None


# --- consent ---------------------------------------------------------------------------------------------------------


def asked(answer: str) -> tuple[str, list[str], str]:
    """Walk through 7006 with the key that the caller pressed; return consent, what records, and where the call goes."""
    variables = {"tomrt_answer": answer, "context": "default"}
    recorded: list[str] = []
    goes_to = ""

    def walk(extension: Extension) -> None:
        nonlocal goes_to
        for action in extension.actions:
            data = re.sub(r"\$\{(\w+)\}", lambda match: variables.get(match[1], ""), action.data)
            match action.app:
                case "set":
                    name, _, value = data.partition("=")
                    variables[name] = value
                case "execute_extension":
                    walk(reached(data.split(" ")[0]))
                case "record_session":
                    recorded.append(data)
                case "transfer":
                    goes_to = data.split(" ")[0]

    walk(reached("7006"))
    return variables["tomrt_consent"], recorded, goes_to


@pytest.mark.parametrize("answer", ["", "2", "0", "11", "21", "*"])
def test_whatever_is_no_yes_records_nothing(answer):
    """Silence, another key and nonsense are refusals: nothing records, and the call goes on all the same."""
    assert asked(answer) == ("refused", [], "7001")


def test_a_yes_records():
    """The key 1 is consent, and only then the call is recorded."""
    consent, recorded, goes_to = asked("1")
    assert (consent, len(recorded), goes_to) == ("granted", 1, "7001")
    assert [each.number for each in EXTENSIONS if each.does("record_session")] == ["^tomrt_consent_1$"]


def test_the_question_comes_first():
    """The question is asked after answering and before anything else, and takes one of two keys."""
    extension = reached("7006")
    apps = [each.app for each in extension.actions]
    assert apps.index("answer") < apps.index("play_and_get_digits") < apps.index("execute_extension")
    least, most, _, _, _, _, _, variable, pattern = extension.first("play_and_get_digits").split(" ")
    assert (least, most, variable) == ("1", "1", "tomrt_answer")
    assert [key for key in "0123456789*#" if re.search(pattern, key)] == ["1", "2"]


def test_the_guide_names_every_file():
    """docs/freeswitch.md tells of each of these files."""
    guide = (ROOT / "docs" / "freeswitch.md").read_text()
    assert [path.name for path in FILES if path.name not in guide] == []


@pytest.mark.skipif(shutil.which("xmllint") is None, reason="xmllint is not installed (apt: libxml2-utils)")
def test_xmllint_has_no_objection():
    """The XML library that others use reads every file as well."""
    files = [str(path) for path in FILES]
    found = subprocess.run(["xmllint", "--noout", *files], capture_output=True, text=True, check=False)
    assert (found.returncode, found.stderr) == (0, "")
