"""What call to place, and what came of it."""

from __future__ import annotations

import uuid
from urllib.parse import parse_qsl, urlencode, urlsplit

from attrs import Attribute, Factory, field, frozen

from tomrt.caller.ear import PeerEvent
from tomrt.caller.script import Utterance
from tomrt.errors import SettingsError
from tomrt.events import Dialect
from tomrt.wire.audio_fork import SUBPROTOCOL

__all__ = ["CallPlan", "CallRecord", "NotPlaced", "Spoken", "dialect_of"]


def _new_call_id() -> str:
    return str(uuid.uuid4())


_PORTS = {"ws": 80, "wss": 443, "esl": 8084, "rtp": 8086}
_BY_SCHEME = {"esl": Dialect.UNICAST, "rtp": Dialect.RTP}


def _scheme(url: str) -> str:
    try:
        return urlsplit(url).scheme
    except ValueError:
        return ""


def dialect_of(url: str, chosen: Dialect | None = None) -> Dialect:
    """Return the dialect of a call to *url*: ``esl`` and ``rtp`` have but one; over a WebSocket it is *chosen*.

    Raises:
        SettingsError: both contradict.
    """
    given = _BY_SCHEME.get(_scheme(url))
    if given is None and chosen not in _BY_SCHEME.values():
        return chosen or Dialect.PLAIN
    if chosen not in {None, given}:
        carries = "a WebSocket dialect" if given is None else f"the dialect {given.value}, and no other"
        raise SettingsError(f"--dialect {chosen.value if chosen else ''}: a call to {url[:200]} has {carries}")
    return given or Dialect.PLAIN


def _check_url(_: object, __: object, url: str) -> None:
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError as error:
        raise SettingsError(f"--url {url[:200]!r} is no URL: {error}") from None
    if parts.scheme not in _PORTS or not parts.hostname or not (url.isascii() and url.isprintable()):
        raise SettingsError(
            f"--url {url[:200]!r} is no WebSocket URL, as ws://127.0.0.1:8081/call, nor esl://127.0.0.1:8084 "
            "(FreeSWITCH's event socket), nor rtp://127.0.0.1:8086"
        )


def _check_dialect(plan: CallPlan, _: Attribute[Dialect], dialect: Dialect) -> None:
    dialect_of(plan.url, dialect)


@frozen(kw_only=True)
class CallPlan:
    """One call to place.

    Args:
        url: Where the service takes calls: ``ws://`` or ``wss://``, whose query stays as it is; ``esl://`` for its
            event socket, audio by unicast; ``rtp://``.
        utterances: What to say, at ``rate_hz``.
        dialect: Which module to be; the URL tells where it is ``esl`` or ``rtp``.
        rate_hz: Sample rate of the line, 8000 or 16000.
        call_id: Name of the call.
        token: JWT that lets the call in, or ``""``.
        barge_in_at_s: See :class:`~tomrt.caller.script.Script`.
        answer_wait_s: How long to wait for each answer.
        settle_s: Silence after which the assistant has finished.
    """

    url: str = field(validator=_check_url)
    utterances: tuple[Utterance, ...]
    dialect: Dialect = field(
        default=Factory(lambda plan: dialect_of(plan.url), takes_self=True), validator=_check_dialect
    )
    rate_hz: int = 8000
    call_id: str = Factory(_new_call_id)
    token: str = field(default="", repr=False)
    barge_in_at_s: float | None = None
    answer_wait_s: float = 15.0
    settle_s: float = 0.8

    @property
    def tls(self) -> bool:
        """Whether the line is encrypted."""
        return urlsplit(self.url).scheme == "wss"

    @property
    def host(self) -> str:
        """The service's host name or address."""
        return urlsplit(self.url).hostname or ""

    @property
    def port(self) -> int:
        """The service's port."""
        return urlsplit(self.url).port or _PORTS[urlsplit(self.url).scheme]

    @property
    def address(self) -> str:
        """Host and port as they stand in a URL."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def resource(self) -> str:
        """Path and query of the upgrade: those of the URL, and in the query whatever else the service must be told."""
        told = {
            "dialect": self.dialect.value,
            "rate": str(self.rate_hz),
            "call_id": self.call_id,
            "talk": "binary" if self.dialect in {Dialect.PLAIN, Dialect.FORK} else "json",
        }
        if self.token:
            told["token"] = self.token
        parts = urlsplit(self.url)
        told |= dict(parse_qsl(parts.query, keep_blank_values=True))
        return f"{parts.path or '/call'}?{urlencode(told)}"

    @property
    def goodbye(self) -> str | None:
        """The reason in the module's close frame."""
        return "Normal closure" if self.dialect is Dialect.STREAM else None

    @property
    def subprotocols(self) -> list[str]:
        """What the module offers in its handshake."""
        return [SUBPROTOCOL] if self.dialect in {Dialect.FORK, Dialect.FORK_JSON} else []

    @property
    def silence(self) -> bytes:
        """20 ms of what is sent while nobody speaks; samples of -1 from the FreeSWITCH modules."""
        of_a_module = self.dialect in {Dialect.FORK, Dialect.FORK_JSON, Dialect.STREAM}
        return (b"\xff\xff" if of_a_module else b"\0\0") * (self.rate_hz // 50)


@frozen(kw_only=True)
class Spoken:
    """An utterance that was sent, from sample ``start`` of the call on."""

    utterance: Utterance
    start: int


@frozen(kw_only=True)
class CallRecord:
    """A call that took place: both lanes on one grid of samples from its begin.

    Args:
        plan: What was asked for.
        spoken: What was said, and when.
        heard: What the caller heard, mono PCM at the line's rate.
        events: What the service told, in order.
        faults: What the service did that its dialect does not allow.
        ended: How the call ended.
    """

    plan: CallPlan
    spoken: tuple[Spoken, ...]
    heard: bytes = field(repr=lambda pcm: f"<{len(pcm)} bytes>")
    events: tuple[PeerEvent, ...]
    faults: tuple[str, ...]
    ended: str


@frozen(kw_only=True)
class NotPlaced:
    """A call that did not take place.

    Args:
        sentence: What was tried, what the peer said, and what to do next; one line.
        reached: Whether a service answered, though with a refusal.
    """

    sentence: str
    reached: bool
