"""The operator's settings: one frozen tree that knows what each of its values means.

Read once at start (:mod:`tomrt.settings_file`) and passed down as values. Every field carries its meaning and range,
so that the checks, the error messages and the commented example file are made from the same words.
"""

from __future__ import annotations

import ipaddress
import textwrap
from collections.abc import Iterator
from typing import Any

import attrs
from attrs import frozen

from tomrt.errors import SettingsError

__all__ = [
    "Auth",
    "Dialogue",
    "Engines",
    "Gateway",
    "Limits",
    "Log",
    "Meaning",
    "Secret",
    "Settings",
    "Turns",
    "check_together",
    "explain",
    "fault_in",
    "is_loopback",
    "meaning_of",
    "sections",
]

SECRET_MIN_BYTES = 32


class Secret:
    """A value that never shows: ``repr``, ``str`` and ``format`` give stars.

    Args:
        value: The secret text; ``""`` means that none is set.
    """

    __slots__ = ("_value",)

    def __init__(self, value: str = "") -> None:
        self._value = value

    def reveal(self) -> str:
        """Return the secret itself, for the one place that needs it."""
        return self._value

    def __bool__(self) -> bool:
        return bool(self._value)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and self._value == other._value

    def __hash__(self) -> int:
        return hash((Secret, self._value))

    def __repr__(self) -> str:
        return "Secret('***')" if self._value else "Secret('')"

    def __str__(self) -> str:
        return "***" if self._value else ""


@frozen(kw_only=True)
class Meaning:
    """What a setting is for and what it may be.

    Args:
        text: One or two sentences for the operator.
        low: Least value of a number; ``None`` for texts.
        high: Greatest value of a number.
        choices: The only values a text may have; empty for free text.
        required: Whether a text must not be empty.
    """

    text: str
    low: float | None = None
    high: float | None = None
    choices: tuple[str, ...] = ()
    required: bool = False


def fault_in(value: object, meaning: Meaning) -> str:
    """Say what is wrong with *value*, which already has the right type; ``""`` when nothing is."""
    match value:
        case Secret():
            if value and len(value.reveal().encode()) < SECRET_MIN_BYTES:
                return f"must be at least {SECRET_MIN_BYTES} bytes long; make one with: openssl rand -base64 48"
        case bool():
            return ""
        case int() | float() if meaning.low is not None and meaning.high is not None:
            if not meaning.low <= value <= meaning.high:
                return f"must be {_range(meaning.low, meaning.high)}, not {value}"
        case str():
            return _fault_in_text(value, meaning)
    return ""


def _range(low: float, high: float) -> str:
    return f"from {low} to {high}"


def _fault_in_text(value: str, meaning: Meaning) -> str:
    if meaning.choices and value not in meaning.choices:
        return f"must be one of {', '.join(meaning.choices)}, not {value[:40]!r}"
    if meaning.required and not value.strip():
        return "must not be empty"
    if not value.isprintable():
        return "must not hold control characters"
    return ""


def _validate(instance: object, attribute: attrs.Attribute[Any], value: Any) -> None:
    if fault := fault_in(value, attribute.metadata["meaning"]):
        raise SettingsError(f"{type(instance).__name__.lower()}.{attribute.name}: {fault}")


def _number(default: float, text: str, low: float, high: float) -> Any:
    return attrs.field(
        default=default, validator=_validate, metadata={"meaning": Meaning(text=text, low=low, high=high)}
    )


def _text(default: object, text: str, *choices: str, required: bool = False) -> Any:
    meaning = Meaning(text=text, choices=choices, required=required)
    return attrs.field(default=default, validator=_validate, metadata={"meaning": meaning})


@frozen(kw_only=True)
class Gateway:
    """Where calls come in."""

    host: str = _text(
        "127.0.0.1",
        "Address both ports listen on. Anything but loopback needs auth.secret.",
        required=True,
    )
    http_port: int = _number(
        8080,
        "Port of /healthz, /readyz and /metrics; 0 takes a free one. May equal media_port: then one port serves both.",
        0,
        65535,
    )
    media_port: int = _number(8081, "Port of the media WebSocket, ws://HOST:PORT/call; 0 takes a free one.", 0, 65535)
    max_calls: int = _number(32, "Calls at once; one more is answered with 503.", 1, 10_000)
    drain_s: float = _number(30.0, "After SIGTERM, how long running calls may still last.", 0, 86_400)


_SECRET = Meaning(
    text='Key of the JWT (HS256) each call brings, at least 32 bytes: a text, {file = "PATH"} or {env = "NAME"}. '
    "Empty: no token is asked for, and only loopback may be listened on."
)


@frozen(kw_only=True)
class Auth:
    """Who may place a call."""

    secret: Secret = attrs.field(default=Secret(), validator=_validate, metadata={"meaning": _SECRET})


@frozen(kw_only=True)
class Limits:
    """What one connection may ask of the service."""

    head_timeout_s: float = _number(5.0, "How long a peer may take to send its request head.", 0.1, 60)
    max_message_bytes: int = _number(65_536, "Longest WebSocket message taken.", 1_024, 16_777_216)
    frames_per_s: int = _number(200, "WebSocket frames per second taken over time; 50 is real time.", 60, 100_000)
    frame_burst: int = _number(600, "WebSocket frames taken in one burst, as after a stall of the switch.", 60, 100_000)
    idle_timeout_s: float = _number(15.0, "A call that sends no audio for this long is closed.", 1, 3_600)
    max_call_s: float = _number(3_600.0, "Longest call.", 1, 86_400)


@frozen(kw_only=True)
class Turns:
    """Who has the floor."""

    endpoint_silence_ms: int = _number(
        600, "Silence that ends the caller's turn while nobody knows whether what was said is complete.", 100, 5_000
    )
    endpoint_complete_ms: int = _number(250, "The same when what was said is a complete sentence.", 100, 5_000)
    endpoint_incomplete_ms: int = _number(
        1_100, 'The same when it breaks off ("and", "um"), is spelled, or is a number being dictated.', 100, 5_000
    )
    endpoint_adapt: bool = _text(
        True, "Whether the silence waited for follows the caller's own pauses, between the three above."
    )
    speculate: bool = _text(
        True, "Whether an answer is prepared, unheard, at a pause; it is dropped when the caller goes on."
    )
    pause_ms: int = _number(160, "Silence that counts as a pause, at which the turn so far is looked at.", 60, 1_000)
    min_speech_ms: int = _number(160, "Speech shorter than this is noise.", 20, 2_000)
    max_utterance_s: float = _number(30.0, "A turn longer than this is answered as it stands.", 1, 120)
    stall_ms: int = _number(1_000, "No audio from the switch for this long ends a turn under way.", 100, 10_000)
    barge_in: bool = _text(True, "Whether the caller may cut in while the assistant speaks.")
    barge_in_sensitivity: str = _text(
        "mittel",
        "How easily the assistant falls silent and gives up the floor, from very low to high.",
        "sehr_niedrig",
        "niedrig",
        "mittel",
        "hoch",
    )
    confirm_voice: bool = _text(
        True, "Whether a second detector (Silero, in the faster-whisper package) must take it for a human voice."
    )
    commit_speech_ms: int = _number(
        400,
        "So much speech in short bursts over the assistant is an interruption; a single burst that is over needs half "
        "as much again, and one that goes on when it is decided needs little.",
        20,
        5_000,
    )
    decide_ms: int = _number(
        500, "Within this the assistant, having fallen silent, gives up the floor or goes on.", 20, 500
    )
    resume_silence_ms: int = _number(
        200,
        "So much silence after a click, or what is clearly no interruption, lets the assistant go on; after a word it "
        "waits for decide_ms.",
        20,
        500,
    )
    nearly_done_ms: int = _number(
        800, "Interrupted with less than this left to say, the assistant does not go on.", 0, 10_000
    )
    echo_similarity: float = _number(
        0.6, "The caller's sound this like our own, 0 to 1, is our echo and interrupts nothing.", 0.3, 1.0
    )
    fade_ms: int = _number(8, "Over so long the assistant fades out and in.", 2, 20)
    filler_after_ms: int = _number(
        2_000, "After so long without an answer the dialogue's filler is said; 0 for never.", 0, 30_000
    )
    tool_announce_after_ms: int = _number(
        1_000, "A tool that takes longer is announced, so that the line is not silent; 0 for never.", 0, 30_000
    )
    tool_timeout_s: float = _number(
        20.0, "When the tools of one answer take longer together, the one in use has failed.", 0.5, 300
    )
    reprompt_after_s: float = _number(8.0, "The assistant asks again when the caller is silent this long.", 1, 120)
    reprompts: int = _number(2, "How often it asks again before it says goodbye.", 0, 10)


@frozen(kw_only=True)
class Engines:
    """Who understands, decides and speaks."""

    stt: str = _text("auto", "Recogniser; auto takes the best one installed.", "auto", "whisper", "sphinx")
    llm: str = _text("auto", "What decides the answers; auto takes the best one there is.", "auto", "scripted")
    tts: str = _text("auto", "Voice; auto takes the best one installed.", "auto", "piper", "espeak")
    whisper_model: str = _text("", "Folder of a faster-whisper (CTranslate2) model; empty: none.")
    piper_voice: str = _text("", "A Piper voice, an .onnx file with its .json beside it; empty: none.")
    espeak_voice: str = _text("en-us", "Voice of eSpeak NG.", required=True)
    espeak_wpm: int = _number(165, "Words per minute of eSpeak NG.", 80, 450)
    reply_timeout_s: float = _number(8.0, "A reply without any audio after this long is given up.", 0.5, 60)


@frozen(kw_only=True)
class Dialogue:
    """What the assistant talks about."""

    file: str = _text("", "Dialogue file (TOML); empty: the built-in receptionist.")
    language: str = _text("en", "Language of the call, as en or de.", required=True)
    consent: bool = _text(False, "Whether the dialogue's consent notice is heard, whole, before the greeting.")
    actions_file: str = _text("", "File to which appointments and messages are appended, one JSON object a line.")


@frozen(kw_only=True)
class Log:
    """What the service says while it runs."""

    level: str = _text("info", "Least weight of what is logged.", "debug", "info", "warning", "error")
    format: str = _text("text", "text for people, json for machines: one object a line.", "text", "json")


@frozen(kw_only=True)
class Settings:
    """All of it, with defaults that answer a call on a bare machine and are safe."""

    gateway: Gateway = Gateway()
    auth: Auth = Auth()
    limits: Limits = Limits()
    turns: Turns = Turns()
    engines: Engines = Engines()
    dialogue: Dialogue = Dialogue()
    log: Log = Log()


def sections() -> Iterator[tuple[str, type]]:
    """Yield each section's name and class, in order."""
    for each in attrs.fields(Settings):
        yield each.name, type(each.default)


def meaning_of(attribute: attrs.Attribute[Any]) -> Meaning:
    """Return what the field of a section is for."""
    meaning: Meaning = attribute.metadata["meaning"]
    return meaning


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
    for name in ("commit_speech_ms", "resume_silence_ms"):
        if getattr(turns, name) > turns.decide_ms:
            yield (f"turns.{name}", "turns.decide_ms"), f"must not be more than turns.decide_ms ({turns.decide_ms})"
    if not turns.endpoint_complete_ms <= turns.endpoint_silence_ms <= turns.endpoint_incomplete_ms:
        names = ("turns.endpoint_complete_ms", "turns.endpoint_silence_ms", "turns.endpoint_incomplete_ms")
        yield names, "must not fall in this order"
    if turns.pause_ms >= turns.endpoint_complete_ms:
        sentence = f"must be less than turns.endpoint_complete_ms ({turns.endpoint_complete_ms})"
        yield ("turns.pause_ms", "turns.endpoint_complete_ms"), sentence


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
        notes.append(f"# {_range(meaning.low, meaning.high).capitalize()}.")
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
