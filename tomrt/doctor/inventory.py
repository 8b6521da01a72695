"""What a FreeSWITCH is made of: its answers to a few questions, judged against what tomrt needs of it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping

from tomrt.doctor.finding import Finding, failed, passed, warned
from tomrt.settings import Freeswitch

__all__ = [
    "MEDIA_MODULES",
    "MODULES",
    "judge_capacity",
    "judge_codecs",
    "judge_media",
    "judge_modules",
    "judge_version",
]

MODULES = {
    "mod_event_socket": "hands calls over and takes commands",
    "mod_commands": "has the commands: hang up, transfer, break, variables",
    "mod_dptools": "has the dialplan applications: answer, playback, park, bridge",
    "mod_loopback": "makes the doctor's test call, and calls to agents by extension",
    "mod_sndfile": "plays and records files: what agents are told, and all speech of the one-way modules",
    "mod_tone_stream": "makes ringing and silence to be heard",
    "mod_local_stream": "plays music to callers on hold",
}
"""What tomrt needs, and what for."""
MEDIA_MODULES = ("mod_audio_fork", "mod_audio_stream")

_OPTIONAL = frozenset({"mod_tone_stream", "mod_local_stream"})
_FEW_PER_SECOND = 5

VERSION = ("version", "version")
MEDIA = ("media", "ways for the audio")
CODECS = ("codecs", "codecs")
CAPACITY = ("capacity", "room for calls")


def judge_version(version: str, status: str) -> Finding:
    """Say which FreeSWITCH it is, since when it runs, and whether it takes calls."""
    number = re.search(r"\d+\.\d+\.\d+[^\s~+]*", version)
    up = re.search(r"UP ([^\n]*? seconds?)", status)
    seen = f"FreeSWITCH {number.group() if number else 'of an unknown version'}"
    seen += f", up {_up_time(up.group(1))}" if up else ""
    if re.search(r"\bis ready\b", status) is None:
        return failed(
            VERSION,
            f"{seen}, but not ready",
            why="it is paused, or shutting down, and refuses new calls",
            do="fs_cli -x 'fsctl resume', or wait until it has started",
        )
    if number and tuple(map(int, number.group().split("-")[0].split(".")[:2])) < (1, 10):
        return warned(
            VERSION,
            seen,
            why="tomrt was tried with 1.10 and 1.11; before 1.10.1 the event socket had a default that is a shell",
            do="update FreeSWITCH",
        )
    return passed(VERSION, seen)


def _up_time(text: str) -> str:
    parts = [part for part in text.split(", ") if not part.startswith("0 ")]
    return " ".join(parts[:2]) or "less than a second"


def judge_modules(present: Mapping[str, bool]) -> Iterator[Finding]:
    """Say for each module that tomrt needs whether it is loaded."""
    for name, purpose in MODULES.items():
        check = (f"module.{name}", name)
        if present.get(name):
            yield passed(check, "loaded")
            continue
        lacking = warned if name in _OPTIONAL else failed
        yield lacking(
            check,
            "not loaded",
            why=f"it {purpose}",
            do=f"fs_cli -x 'load {name}', and uncomment it in autoload_configs/modules.conf.xml",
        )


def judge_media(present: Mapping[str, bool], fork_usage: str, settings: Freeswitch) -> Finding:
    """Say which values of ``tomrt_media`` work, and whether the one in the settings is among them.

    Args:
        present: Which modules are loaded.
        fork_usage: What ``uuid_audio_fork`` says of its arguments: the build that talks back names them.
        settings: What tomrt is set to.
    """
    works = ["unicast"]
    both_ways = "bidirectional" in fork_usage.lower()
    if present.get("mod_audio_fork"):
        works += ["fork", "fork-json"] if both_ways else ["fork-json"]
    if present.get("mod_audio_stream"):
        works.append("stream")
    seen = f"{', '.join(works)}; freeswitch.media is {settings.media}"
    if settings.media in works:
        return passed(MEDIA, seen)
    if settings.media == "fork" and present.get("mod_audio_fork"):
        return failed(
            MEDIA,
            f"freeswitch.media is fork, but this mod_audio_fork cannot talk back; what works: {', '.join(works)}",
            why="it is drachtio's build: what tomrt says would be thrown away, and the caller hears nothing",
            do='freeswitch.media = "unicast" (no module needed) or "fork-json"; or install the jambonz build',
        )
    module = "mod_audio_stream" if settings.media == "stream" else "mod_audio_fork"
    return failed(
        MEDIA,
        f"freeswitch.media is {settings.media}, but {module} is not loaded",
        why="calls would be taken and have no audio",
        do=f'freeswitch.media = "unicast" (no module needed), or install {module}',
    )


_CODEC_NAMES = {"PCMU": ("g.711 ulaw", "pcmu"), "PCMA": ("g.711 alaw", "pcma"), "L16": ("signed linear", "l16")}


def judge_codecs(codecs_json: str, preferred: str) -> Finding:
    """Say whether the codecs are there that telephone calls have.

    Args:
        codecs_json: The answer to ``show codec as json``.
        preferred: The global variable ``global_codec_prefs``; ``""`` where it is not set.
    """
    names = _names(codecs_json)
    if names is None:
        return warned(
            CODECS, "FreeSWITCH did not list them", why="they could not be checked", do="fs_cli -x 'show codec'"
        )
    missing = [codec for codec, signs in _CODEC_NAMES.items() if not any(sign in names for sign in signs)]
    if missing:
        return failed(
            CODECS,
            f"{', '.join(missing)} missing",
            why="telephone calls come in G.711, and audio travels to tomrt as that or as L16",
            do="load the module that has them (they are in FreeSWITCH's core: is this build complete?)",
        )
    offered = [codec.split("@")[0].upper() for codec in preferred.split(",") if codec]
    if offered and not {"PCMU", "PCMA", "G722"} & set(offered):
        return warned(
            CODECS,
            f"PCMU, PCMA and L16 are there, but calls are offered only {', '.join(offered)}",
            why="every call is then transcoded, which costs time and processor",
            do='put PCMU,PCMA into global_codec_prefs in vars.xml: data="global_codec_prefs=PCMU,PCMA,..."',
        )
    return passed(CODECS, "PCMU, PCMA, L16" + (f"; offered: {', '.join(offered)}" if offered else ""))


def _names(codecs_json: str) -> str | None:
    try:
        rows = json.loads(codecs_json).get("rows", [])
        return "\n".join(str(row.get("name", "")) for row in rows).lower()
    except (ValueError, AttributeError, RecursionError):
        return None


def judge_capacity(status: str, max_calls: int) -> Finding:
    """Say whether FreeSWITCH takes as many calls as tomrt would.

    Args:
        status: The answer to ``status``.
        max_calls: ``gateway.max_calls``.
    """
    sessions, per_second = _number(r"(\d+) session\(s\) max", status), _number(r"per Sec out of max (\d+)", status)
    if sessions is None or per_second is None:
        return warned(CAPACITY, "status does not say", why="it could not be checked", do="fs_cli -x status")
    seen = f"{sessions} sessions, {per_second} new ones a second"
    figures: dict[str, float] = {"sessions": sessions, "sessions_per_s": per_second}
    conf = "autoload_configs/switch.conf.xml"
    if sessions < max_calls:
        return warned(
            CAPACITY,
            seen,
            why=f"tomrt would take {max_calls} calls (gateway.max_calls); callers beyond {sessions} are turned away",
            do=f'<param name="max-sessions" value="{2 * max_calls}"/> in {conf}: transfers are sessions, too',
            **figures,
        )
    if per_second < _FEW_PER_SECOND:
        return warned(
            CAPACITY,
            seen,
            why="callers who come at the same moment are turned away",
            do=f'<param name="sessions-per-second" value="30"/> in {conf}',
            **figures,
        )
    return passed(CAPACITY, seen, **figures)


def _number(pattern: str, text: str) -> int | None:
    found = re.search(pattern, text)
    return int(found.group(1)) if found else None
