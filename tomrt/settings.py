"""The operator's settings: one frozen tree that knows what each of its values means.

Read once at start (:mod:`tomrt.settings_file`) and passed down as values. Every field carries its meaning and range,
so that the checks, the error messages and the commented example file are made from the same words.
"""

from __future__ import annotations

import ipaddress
import re
import textwrap
from collections.abc import Iterator
from typing import Any

import attrs
from attrs import frozen

from tomrt.settings_meaning import (
    SECRET_FORMS,
    SECRET_MIN_BYTES,
    Secret,
    meaning_of,
    number,
    range_of,
    secret_text,
    text,
)

__all__ = [
    "Auth",
    "Dialogue",
    "Engines",
    "Freeswitch",
    "Gateway",
    "Learning",
    "Limits",
    "Log",
    "Rtp",
    "Secret",
    "Settings",
    "Turns",
    "check_together",
    "explain",
    "is_loopback",
    "sections",
]


@frozen(kw_only=True)
class Gateway:
    """Where calls come in."""

    host: str = text(
        "127.0.0.1",
        "Address both ports listen on. Anything but loopback needs auth.secret.",
        required=True,
    )
    http_port: int = number(
        8080,
        "Port of /healthz, /readyz and /metrics; 0 takes a free one. May equal media_port: then one port serves both.",
        0,
        65535,
    )
    media_port: int = number(8081, "Port of the media WebSocket, ws://HOST:PORT/call; 0 takes a free one.", 0, 65535)
    max_calls: int = number(32, "Calls at once; one more is answered with 503.", 1, 10_000)
    drain_s: float = number(30.0, "After SIGTERM, how long running calls may still last.", 0, 86_400)


@frozen(kw_only=True)
class Auth:
    """Who may place a call."""

    secret: Secret = secret_text(
        f"Key of the JWT (HS256) each call brings, at least {SECRET_MIN_BYTES} bytes: {SECRET_FORMS}. "
        "Empty: no token is asked for, and only loopback may be listened on."
    )


TRANSFER = (
    r"(?P<name>[A-Za-z0-9_-]{1,32})=(?P<extension>[A-Za-z0-9*#+._-]{1,64})(?:@(?P<context>[A-Za-z0-9._-]{1,64}))?"
)
"""One entry of ``freeswitch.transfers``."""
MEDIA_URL = re.compile(r"wss?://[^\s'\\\"?]+")
"""What FreeSWITCH's modules can be told; the query is ours."""


@frozen(kw_only=True)
class Freeswitch:
    """Calls that FreeSWITCH hands over by its event socket, and the control of them."""

    outbound: bool = text(True, "Whether FreeSWITCH may hand over calls with its socket application.")
    outbound_port: int = number(
        8084, "Port that the socket application dials, on gateway.host; 0 takes a free one.", 0, 65535
    )
    inbound_host: str = text(
        "", "Host of FreeSWITCH's event socket, which tomrt dials for calls parked with tomrt_media set; empty: none."
    )
    inbound_port: int = number(8021, "Its port.", 1, 65535)
    inbound_password: Secret = secret_text(f"Its password: {SECRET_FORMS}.", least_bytes=1)
    media: str = text(
        "unicast",
        "How the audio of a handed-over call travels, unless its channel variable tomrt_media says otherwise.",
        "unicast",
        "fork",
        "fork-json",
        "stream",
    )
    media_url: str = text(
        "", "The media WebSocket as FreeSWITCH reaches it; empty: ws:// with gateway.host and gateway.media_port."
    )
    unicast_host: str = text(
        "127.0.0.1", "Address of this machine to which FreeSWITCH sends unicast audio.", required=True
    )
    unicast_switch_host: str = text(
        "127.0.0.1", "Address of FreeSWITCH that unicast audio comes from and goes to.", required=True
    )
    unicast_first_port: int = number(26_000, "Unicast audio uses two ports a call, from this one on.", 1_024, 65_534)
    unicast_last_port: int = number(27_999, "The last one of them.", 1_025, 65_535)
    transfers: str = text(
        "",
        "Whom a caller may be put through to, as 'reception=1000 sales=2001@internal': a name, an extension, and the "
        "dialplan context where it is not the caller's own. The first one is who 'a person' is. Empty: nobody.",
        each=TRANSFER,
        form="NAME=EXTENSION or NAME=EXTENSION@CONTEXT",
    )
    transfer_timeout_s: float = number(30.0, "How long an agent's phone rings before the caller is told.", 5, 300)
    hold_music: str = text("local_stream://moh", "What a caller on hold hears: a file or stream that FreeSWITCH plays.")
    sounds_dir: str = text(
        "",
        "Folder that FreeSWITCH can read, for what is said to agents; empty: one of our own in the temporary folder.",
    )
    recordings_dir: str = text("", "Folder, as FreeSWITCH sees it, to which calls may be recorded; empty: never.")


@frozen(kw_only=True)
class Rtp:
    """Calls that come as plain RTP, as from Asterisk's ExternalMedia."""

    enabled: bool = text(False, "Whether RTP is taken.")
    port: int = number(8086, "UDP port on gateway.host; RTCP is on the next one. 0 takes free ones.", 0, 65534)
    peers: str = text("127.0.0.1", "Addresses or networks that may send, separated by spaces.", required=True)
    l16_payload: int = number(118, "Payload type of L16 at 16 kHz (Asterisk: slin16).", 96, 127)
    dtmf_payload: int = number(101, "Payload type of telephone-event.", 96, 127)
    idle_s: float = number(5.0, "A call without packets for this long is over: RTP has no other sign of it.", 1, 3_600)


@frozen(kw_only=True)
class Limits:
    """What one connection may ask of the service."""

    head_timeout_s: float = number(5.0, "How long a peer may take to send its request head.", 0.1, 60)
    max_message_bytes: int = number(65_536, "Longest WebSocket message taken.", 1_024, 16_777_216)
    frames_per_s: int = number(200, "WebSocket frames per second taken over time; 50 is real time.", 60, 100_000)
    frame_burst: int = number(600, "WebSocket frames taken in one burst, as after a stall of the switch.", 60, 100_000)
    idle_timeout_s: float = number(15.0, "A call that sends no audio for this long is closed.", 1, 3_600)
    max_call_s: float = number(3_600.0, "Longest call.", 1, 86_400)


@frozen(kw_only=True)
class Turns:
    """Who has the floor."""

    endpoint_silence_ms: int = number(
        600, "Silence that ends the caller's turn while nobody knows whether what was said is complete.", 100, 5_000
    )
    endpoint_complete_ms: int = number(250, "The same when what was said is a complete sentence.", 100, 5_000)
    endpoint_incomplete_ms: int = number(
        1_100, 'The same when it breaks off ("and", "um"), is spelled, or is a number being dictated.', 100, 5_000
    )
    endpoint_adapt: bool = text(
        True, "Whether the silence waited for follows the caller's own pauses, between the three above."
    )
    speculate: bool = text(
        True, "Whether an answer is prepared, unheard, at a pause; it is dropped when the caller goes on."
    )
    pause_ms: int = number(160, "Silence that counts as a pause, at which the turn so far is looked at.", 60, 1_000)
    min_speech_ms: int = number(160, "Speech shorter than this is noise.", 20, 2_000)
    max_utterance_s: float = number(30.0, "A turn longer than this is answered as it stands.", 1, 120)
    stall_ms: int = number(1_000, "No audio from the switch for this long ends a turn under way.", 100, 10_000)
    barge_in: bool = text(True, "Whether the caller may cut in while the assistant speaks.")
    barge_in_sensitivity: str = text(
        "mittel",
        "How easily the assistant falls silent and gives up the floor, from very low to high.",
        "sehr_niedrig",
        "niedrig",
        "mittel",
        "hoch",
    )
    confirm_voice: bool = text(
        True, "Whether a second detector (Silero, in the faster-whisper package) must take it for a human voice."
    )
    commit_speech_ms: int = number(
        400,
        "So much speech in short bursts over the assistant is an interruption; a single burst that is over needs half "
        "as much again, and one that goes on when it is decided needs little.",
        20,
        5_000,
    )
    decide_ms: int = number(
        500, "Within this the assistant, having fallen silent, gives up the floor or goes on.", 20, 500
    )
    resume_silence_ms: int = number(
        200,
        "So much silence after a click, or what is clearly no interruption, lets the assistant go on; after a word it "
        "waits for decide_ms.",
        20,
        500,
    )
    nearly_done_ms: int = number(
        800, "Interrupted with less than this left to say, the assistant does not go on.", 0, 10_000
    )
    echo_similarity: float = number(
        0.6, "The caller's sound this like our own, 0 to 1, is our echo and interrupts nothing.", 0.3, 1.0
    )
    fade_ms: int = number(8, "Over so long the assistant fades out and in.", 2, 20)
    filler_after_ms: int = number(
        2_000, "After so long without an answer the dialogue's filler is said; 0 for never.", 0, 30_000
    )
    tool_announce_after_ms: int = number(
        1_000, "A tool that takes longer is announced, so that the line is not silent; 0 for never.", 0, 30_000
    )
    tool_timeout_s: float = number(
        20.0, "When the tools of one answer take longer together, the one in use has failed.", 0.5, 300
    )
    reprompt_after_s: float = number(8.0, "The assistant asks again when the caller is silent this long.", 1, 120)
    reprompts: int = number(2, "How often it asks again before it says goodbye.", 0, 10)


@frozen(kw_only=True)
class Engines:
    """Who understands, decides and speaks."""

    stt: str = text("auto", "Recogniser; auto takes the best one installed.", "auto", "whisper", "sphinx")
    llm: str = text("auto", "What decides the answers; auto takes the best one there is.", "auto", "scripted")
    tts: str = text("auto", "Voice; auto takes the best one installed.", "auto", "piper", "espeak")
    whisper_model: str = text("", "Folder of a faster-whisper (CTranslate2) model; empty: none.")
    piper_voice: str = text("", "A Piper voice, an .onnx file with its .json beside it; empty: none.")
    espeak_voice: str = text("en-us", "Voice of eSpeak NG.", required=True)
    espeak_wpm: int = number(165, "Words per minute of eSpeak NG.", 80, 450)
    reply_timeout_s: float = number(8.0, "A reply without any audio after this long is given up.", 0.5, 60)


NAME = r"[A-Za-z0-9_-]{1,32}"
"""A name that the operator gives."""


@frozen(kw_only=True)
class Dialogue:
    """What the assistant talks about."""

    file: str = text("", "Dialogue file (TOML); empty: the built-in receptionist.")
    language: str = text("en", "Language of the call, as en or de.", required=True)
    consent: bool = text(False, "Whether the dialogue's consent notice is heard, whole, before the greeting.")
    actions_file: str = text("", "File to which appointments and messages are appended, one JSON object a line.")
    closing_question: str = text(
        "after_actions",
        "When the caller is asked for a rating from 1 to 5 before the goodbye: after what the dialogue file marks with "
        "ask_rating, whenever something was answered, or never.",
        "never",
        "after_actions",
        "always",
    )


@frozen(kw_only=True)
class Learning:
    """What calls teach."""

    folder: str = text(
        "",
        "Folder for what calls teach: outcomes without personal data, the policy, its audit log. Empty: nothing is "
        "kept, and all calls are as the dialogue file has them.",
    )
    variants: str = text("", "File of the ways of talking (TOML); empty: the twelve built-in ones.")
    agent: str = text(
        "assistant", "Name of this assistant in what is kept.", required=True, each=NAME, form="a name without spaces"
    )
    profile: str = text(
        "general",
        "What kind of assistant it is, one of the profiles of the variants: kfz, it, sales, support, general.",
        required=True,
        each=NAME,
        form="a name without spaces",
    )
    explore: bool = text(
        True, "Whether calls get other variants than the base one; off: outcomes are kept, nothing is tried."
    )
    keep_days: float = number(90.0, "How long outcomes are kept; what was learned from them stays.", 1, 3_650)
    key_days: float = number(
        30.0,
        "After so long callers get new pseudonyms in what is kept; old ones are forgotten after learning.keep_days.",
        1,
        3_650,
    )


@frozen(kw_only=True)
class Log:
    """What the service says while it runs."""

    level: str = text("info", "Least weight of what is logged.", "debug", "info", "warning", "error")
    format: str = text("text", "text for people, json for machines: one object a line.", "text", "json")
    caller_key: Secret = secret_text(
        f"Key of the pseudonyms that stand for callers' numbers in the log, {SECRET_FORMS}. "
        "Empty: a new one at each start, so that yesterday's caller is another one today."
    )


@frozen(kw_only=True)
class Settings:
    """All of it, with defaults that answer a call on a bare machine and are safe."""

    gateway: Gateway = Gateway()
    auth: Auth = Auth()
    freeswitch: Freeswitch = Freeswitch()
    rtp: Rtp = Rtp()
    limits: Limits = Limits()
    turns: Turns = Turns()
    engines: Engines = Engines()
    dialogue: Dialogue = Dialogue()
    learning: Learning = Learning()
    log: Log = Log()


def sections() -> Iterator[tuple[str, type]]:
    """Yield each section's name and class, in order."""
    for each in attrs.fields(Settings):
        yield each.name, type(each.default)


def is_loopback(host: str) -> bool:
    """Whether *host* can be reached from this machine only."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def check_together(settings: Settings) -> Iterator[tuple[tuple[str, ...], str]]:
    """Yield what no single value can tell: the keys that do not go together, and one sentence."""
    host, turns = settings.gateway.host, settings.turns
    if not is_loopback(host) and not settings.auth.secret:
        sentence = f"listening on {host} lets strangers place calls; set auth.secret, or use 127.0.0.1"
        yield ("gateway.host", "auth.secret"), sentence
    yield from _check_lines(settings)
    yield from _check_learning(settings.learning)
    for name in ("commit_speech_ms", "resume_silence_ms"):
        if getattr(turns, name) > turns.decide_ms:
            yield (f"turns.{name}", "turns.decide_ms"), f"must not be more than turns.decide_ms ({turns.decide_ms})"
    if not turns.endpoint_complete_ms <= turns.endpoint_silence_ms <= turns.endpoint_incomplete_ms:
        names = ("turns.endpoint_complete_ms", "turns.endpoint_silence_ms", "turns.endpoint_incomplete_ms")
        yield names, "must not fall in this order"
    if turns.pause_ms >= turns.endpoint_complete_ms:
        sentence = f"must be less than turns.endpoint_complete_ms ({turns.endpoint_complete_ms})"
        yield ("turns.pause_ms", "turns.endpoint_complete_ms"), sentence


def _check_learning(learning: Learning) -> Iterator[tuple[tuple[str, ...], str]]:
    for name in ("agent", "profile"):
        if " " in getattr(learning, name).strip():
            yield (f"learning.{name}",), "is one name, without spaces"
    if learning.key_days > learning.keep_days:
        sentence = f"must not be more than learning.keep_days ({learning.keep_days:g})"
        yield ("learning.key_days", "learning.keep_days"), sentence


def _check_lines(settings: Settings) -> Iterator[tuple[tuple[str, ...], str]]:
    freeswitch, rtp = settings.freeswitch, settings.rtp
    for place, peer in enumerate(rtp.peers.split(), 1):
        try:
            ipaddress.ip_network(peer)
        except ValueError:
            yield ("rtp.peers",), f"entry {place} is neither an address nor a network, as 10.0.0.5 or 10.0.0.0/24"
    for name in ("unicast_host", "unicast_switch_host"):
        try:
            ipaddress.ip_address(getattr(freeswitch, name))
        except ValueError:
            yield (f"freeswitch.{name}",), "must be an address, as 10.0.0.5: names are not looked up for each call"
    if freeswitch.media_url and MEDIA_URL.fullmatch(freeswitch.media_url) is None:
        yield ("freeswitch.media_url",), "is not a WebSocket URL without blanks and quotes, as ws://10.0.0.5:8081/call"
    ports = freeswitch.unicast_last_port - freeswitch.unicast_first_port + 1
    if ports < 2 * settings.gateway.max_calls:
        sentence = (
            f"{max(ports, 0)} ports are not two for each of gateway.max_calls ({settings.gateway.max_calls}) calls"
        )
        yield ("freeswitch.unicast_last_port", "freeswitch.unicast_first_port", "gateway.max_calls"), sentence
    if freeswitch.inbound_host and not freeswitch.inbound_password:
        yield ("freeswitch.inbound_password", "freeswitch.inbound_host"), "is needed to dial FreeSWITCH's event socket"
    if rtp.l16_payload == rtp.dtmf_payload:
        yield (
            ("rtp.l16_payload", "rtp.dtmf_payload"),
            f"is {rtp.dtmf_payload}, too; audio and keys need numbers of their own",
        )


def explain(settings: Settings | None = None) -> str:
    """Return every setting with its value and meaning as commented TOML.

    Args:
        settings: Whose values to show, each with the default where it differs; ``None`` shows the defaults.
    """
    lines = [
        "# Settings of tomrt. A file needs only the lines that differ from the defaults.",
        "# Start with:  python -m tomrt --config FILE",
        "# An environment variable TOMRT_SECTION__KEY (TOMRT_GATEWAY__HTTP_PORT=9090) stands above the file.",
        "# Units are in the names: _s seconds, _ms milliseconds.",
    ]
    for name, cls in sections():
        section = getattr(settings or Settings(), name)
        lines += ["", f"# {cls.__doc__}", f"[{name}]"]
        for attribute in attrs.fields(cls):
            lines += _explain_field(attribute, getattr(section, attribute.name))
    return "\n".join(lines) + "\n"


def _explain_field(attribute: attrs.Attribute[Any], value: object) -> list[str]:
    meaning = meaning_of(attribute)
    notes = ["", *textwrap.wrap(meaning.text, 110, initial_indent="# ", subsequent_indent="# ")]
    if meaning.choices:
        notes.append(f"# One of: {', '.join(meaning.choices)}.")
    if meaning.low is not None and meaning.high is not None:
        notes.append(f"# {range_of(meaning.low, meaning.high).capitalize()}.")
    if value != attribute.default:
        notes.append(f"# Default: {_toml(attribute.default)}")
    if isinstance(value, Secret) and value:
        return [*notes, f"# {attribute.name} is set and not shown"]
    return [*notes, f"{attribute.name} = {_toml(value)}"]


def _toml(value: object) -> str:
    match value:
        case bool():
            return "true" if value else "false"
        case int() | float():
            return str(value)
    text = str(value).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{text}"'
