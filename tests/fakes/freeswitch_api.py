"""The ``api`` commands of the fake switch; whatever it does not know is ``-ERR ... command not found``."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import trio
from fakes.freeswitch_applications import Execute
from fakes.freeswitch_channel import variable_of
from fakes.freeswitch_fork import fork_command, fork_usage
from fakes.freeswitch_originate import originate
from fakes.freeswitch_stream import stream_command
from fakes.freeswitch_words import split_words

if TYPE_CHECKING:
    from fakes.freeswitch import FakeSwitch
    from fakes.freeswitch_call import FakeCall
    from fakes.freeswitch_link import EventLink

__all__ = ["Api"]

OK = "+OK\n"
NO_CHANNEL = "-ERR No such channel!\n"
BROADCAST_S = 0.115
"""A broadcast file starts 120 ms after its command."""
INTERFACES = {
    "mod_event_socket": ("application", "socket"),
    "mod_dptools": ("application", "playback"),
    "mod_commands": ("api", "originate"),
    "mod_loopback": ("endpoint", "loopback"),
    "mod_sndfile": ("file", "wav"),
    "mod_native_file": ("file", "PCMU"),
    "mod_local_stream": ("file", "local_stream"),
    "mod_tone_stream": ("file", "tone_stream"),
    "mod_audio_fork": ("api", "uuid_audio_fork"),
    "mod_audio_stream": ("api", "uuid_audio_stream"),
}
CODECS = ("G.711 alaw", "G.711 ulaw", "G.722", "PROXY PASS-THROUGH", "RAW Signed Linear (16 bit)")


class Api:
    """Answers ``api`` and ``bgapi``."""

    def __init__(self, switch: FakeSwitch) -> None:
        self._switch = switch
        self._modules = {
            "uuid_audio_fork": ("mod_audio_fork", fork_command),
            "uuid_audio_stream": ("mod_audio_stream", stream_command),
        }

    async def run(self, text: str, *, link: EventLink) -> str:
        """Run a command line and return what it prints."""
        await trio.lowlevel.checkpoint()
        name, _, rest = text.strip().partition(" ")
        rest = rest.strip()
        if name == "originate":
            return await originate(self._switch, rest)
        if name in self._modules and self._modules[name][0] in self._switch.odd.modules:
            return self._on_call(name, rest, split_words(rest))
        if name == "uuid_exists":
            return "true" if rest in self._switch.calls else "false"
        if name.startswith("uuid_") and hasattr(self, f"_{name}"):
            return self._on_call(name, rest, split_words(rest))
        if not name.startswith("uuid_") and hasattr(self, f"_api_{name}"):
            return str(getattr(self, f"_api_{name}")(rest))
        return f"-ERR {name} command not found!\n"

    def _on_call(self, name: str, rest: str, words: list[str]) -> str:
        if not words:
            return fork_usage(self._switch) if name == "uuid_audio_fork" else f"-USAGE: {name} <uuid> ...\n"
        call = self._switch.calls.get(words[0])
        if call is None:
            return NO_CHANNEL
        if name in self._modules:
            return self._modules[name][1](self._switch, call, words[1:])
        return str(getattr(self, f"_{name}")(call, rest.partition(" ")[2].strip(), words[1:]))

    # --- of a call ---------------------------------------------------------------------------------------------------

    def _uuid_kill(self, call: FakeCall, _: str, words: list[str]) -> str:
        call.end(words[0] if words else "NORMAL_CLEARING", by="server")
        return OK

    def _uuid_answer(self, call: FakeCall, *_: object) -> str:
        call.answer()
        return OK

    def _uuid_setvar(self, call: FakeCall, text: str, _: object) -> str:
        name, _, value = text.partition(" ")
        call.variables[name] = value.strip()
        if not value:
            del call.variables[name]
        return OK

    def _uuid_getvar(self, call: FakeCall, _: str, words: list[str]) -> str:
        return variable_of(call, words[0]) if words else "-USAGE: <uuid> <var>\n"

    def _uuid_break(self, call: FakeCall, _: str, words: list[str]) -> str:
        call.applications.stop(at=trio.current_time(), everything=words[:1] == ["all"])
        return OK

    def _uuid_broadcast(self, call: FakeCall, _: str, words: list[str]) -> str:
        app, found, argument = words[0].partition("::")
        what = (app, argument) if found else ("playback", words[0])
        due = trio.current_time() + BROADCAST_S
        call.applications.execute(Execute(app=what[0], arg=what[1], due=due))
        return "+OK Message sent\n"

    def _uuid_transfer(self, call: FakeCall, _: str, words: list[str]) -> str:
        if not words:
            return "-USAGE: <uuid> [-bleg|-both] <dest-exten> [<dialplan>] [<context>]\n"
        call.transfer(" ".join(words))
        return OK

    def _uuid_bridge(self, call: FakeCall, _: str, words: list[str]) -> str:
        other = self._switch.calls.get(words[0]) if words else None
        if other is None or not (call.answered and other.answered):
            return "-ERR Invalid uuid\n" if other is None else "-ERR Channels not ready\n"
        call.bridge(other)
        return f"+OK {other.uuid}\n"

    def _uuid_send_dtmf(self, call: FakeCall, _: str, words: list[str]) -> str:
        call.dtmf_sent += words[0].partition("@")[0] if words else ""
        return OK

    def _uuid_hold(self, call: FakeCall, text: str, _: object) -> str:
        call.applied.append(("uuid_hold", text))
        return "+OK Success\n"

    def _uuid_park(self, call: FakeCall, *_: object) -> str:
        call.state = "parked"
        call.fire("CHANNEL_PARK")
        return OK

    def _uuid_record(self, call: FakeCall, _: str, words: list[str]) -> str:
        call.recordings.append((words[0], words[1]))
        if words[0] == "start":
            call.fire("RECORD_START", {"Record-File-Path": words[1]})
        return "+OK Success\n"

    def _uuid_displace(self, call: FakeCall, text: str, _: object) -> str:
        call.displaced.append(text)
        return "+OK Success\n"

    def _uuid_dump(self, call: FakeCall, *_: object) -> str:
        return "".join(f"variable_{name}: {value}\n" for name, value in call.variables.items())

    # --- of the switch -----------------------------------------------------------------------------------------------

    def _api_version(self, _: str) -> str:
        return f"FreeSWITCH Version {self._switch.odd.version} ({self._switch.odd.version.partition('+')[0]} 64bit)\n"

    def _api_status(self, _: str) -> str:
        return (
            "UP 0 years, 0 days, 0 hours, 0 minutes, 9 seconds, 1 millisecond, 2 microseconds\n"
            f"FreeSWITCH (Version {self._switch.odd.version}) is ready\n"
            f"{len(self._switch.all_calls)} session(s) since startup\n"
            f"{len(self._switch.calls)} session(s) - peak 1, last 5min 1 \n"
            "0 session(s) per Sec out of max 30, peak 1, last 5min 1 \n"
            "1000 session(s) max\n"
            "min idle cpu 0.00/99.00\n"
            "Current Stack Size/Max 240K/8192K\n"
        )

    def _api_module_exists(self, name: str) -> str:
        return "true" if name in self._switch.odd.modules else "false"

    def _api_global_getvar(self, name: str) -> str:
        return self._switch.odd.globals_.get(name, "")

    def _api_hupall(self, cause: str) -> str:
        for call in list(self._switch.calls.values()):
            call.end(cause or "MANAGER_REQUEST", by="server")
        return f"+OK hangup all channels with cause {cause or 'MANAGER_REQUEST'}\n"

    def _api_show(self, text: str) -> str:
        what, *form = text.split()
        rows = self._rows(what)
        if rows is None:
            return "-USAGE: codec|endpoint|application|api|module|calls|channels [as json]\n"
        if form == ["count"]:
            return f"\n{self._switch.odd.other_channels + len(rows)} total.\n"
        if form[:2] == ["as", "json"]:
            return json.dumps({"row_count": len(rows), **({"rows": rows} if rows else {})})
        lines = [",".join(rows[0]), *(",".join(row.values()) for row in rows)] if rows else []
        return "\n".join([*lines, "", f"{len(rows)} total.", ""])

    def _rows(self, what: str) -> list[dict[str, str]] | None:
        match what:
            case "modules" | "module":
                found = [(module, *INTERFACES.get(module, ("generic", module))) for module in self._switch.odd.modules]
                return [
                    {"type": kind, "name": name, "ikey": module, "filename": f"/usr/lib/freeswitch/mod/{module}.so"}
                    for module, kind, name in found
                ]
            case "codecs" | "codec":
                return [{"type": "codec", "name": name, "ikey": "CORE_PCM_MODULE"} for name in CODECS]
            case "channels" | "calls":
                calls = [each for each in self._switch.calls.values() if what == "channels" or each.bridged_to]
                return [_row(each) for each in calls]
        return None


def _application(call: FakeCall) -> str:
    if call.state in {"parked", "ringing"}:
        return "socket" if call.link else "park"
    return call.state


def _row(call: FakeCall) -> dict[str, str]:
    return {
        "uuid": call.uuid,
        "direction": "inbound",
        "name": f"sofia/external/{call.caller}@127.0.0.1",
        "state": "CS_EXECUTE",
        "cid_name": call.caller_name,
        "cid_num": call.caller,
        "dest": call.called,
        "application": _application(call),
        "read_codec": call.codec,
        "read_rate": str(call.rate_hz),
        "callstate": "ACTIVE" if call.answered else "RINGING",
    }
