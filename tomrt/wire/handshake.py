"""What a call's first words say of it: path, query, headers, subprotocols, and a first text message.

FreeSWITCH states neither rate nor channels nor call id of its own accord; all of it stands in the URL that the operator
wrote, or in metadata that comes first, late, broken or never. The query wins, metadata fills in, and the default is
8 kHz mono.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable, Mapping, Sequence
from urllib.parse import unquote

from attrs import evolve, field, frozen

from tomrt.errors import ProtocolError
from tomrt.events import WEBSOCKET_DIALECTS, CallInfo, Dialect
from tomrt.wire.audio_fork import SUBPROTOCOL
from tomrt.wire.json import loads_object

__all__ = ["Offer", "choose_subprotocol", "is_call_path", "read_offer"]

CALL_PATH = re.compile(r"/call(?:/[A-Za-z0-9._~@:-]+)*/?\Z")
CALL_ID = re.compile(r"[A-Za-z0-9._:@+~-]{1,128}\Z")
MAX_QUERY_FIELDS = 32
MAX_CALLER_CHARS = 64


@frozen(kw_only=True)
class Offer:
    """What is known so far; ``None`` and ``""`` are not said yet.

    Args:
        call_id: The peer's name for the call.
        rate_hz: 8000 or 16000.
        channels: 1 or 2.
        dialect: How the line is framed, where it was named.
        talk: ``"binary"`` or ``"json"``: how speech goes back, where it was named.
        subprotocol: Whether the peer offered any subprotocol, as ``mod_audio_fork`` does and ``mod_audio_stream`` not.
        token: What the peer shows to be let in; never logged.
        caller: What the peer told of the caller; never logged.
    """

    call_id: str | None = None
    rate_hz: int | None = None
    channels: int = 1
    dialect: Dialect | None = None
    talk: str | None = None
    subprotocol: bool = False
    token: str = field(default="", repr=False)
    caller: str = field(default="", repr=False)

    def with_metadata(self, text: str) -> tuple[Offer, int]:
        """Fill in what metadata says of things not said yet.

        Args:
            text: The first text message, whatever it is.

        Returns:
            The fuller offer, and how many fields of *text* could not be used (1 for a text that is no JSON object).
        """
        try:
            said = loads_object(text)
        except ProtocolError:
            return self, 1
        bad = 0
        offer = self
        for name, value in said.items():
            learn = _METADATA.get(name)
            if learn is None:
                continue
            try:
                offer = learn(offer, _as_text(name, value))
            except ProtocolError:
                bad += 1
        return offer, bad

    def with_call_id(self, call_id: str) -> Offer:
        """Fill in the call's name from another source, such as a token, where the peer gave none.

        Raises:
            ProtocolError: it is no name for a call.
        """
        return _call_id(self, call_id)

    def info(self, made_up_id: str) -> CallInfo:
        """Return the call's description, with *made_up_id* for a call that has no name."""
        return CallInfo(
            call_id=self.call_id or made_up_id,
            dialect=self.dialect or self._dialect_by_signs(),
            rate_hz=self.rate_hz or 8000,
            caller=self.caller,
        )

    def _dialect_by_signs(self) -> Dialect:
        if self.talk == "binary":
            return Dialect.FORK
        if self.talk == "json":
            return Dialect.FORK_JSON if self.subprotocol else Dialect.STREAM
        return Dialect.FORK if self.subprotocol else Dialect.STREAM


def is_call_path(path: str) -> bool:
    """Tell whether *path* is ``/call`` or lies under it."""
    return CALL_PATH.match(path) is not None and ".." not in path.split("/")


def choose_subprotocol(offered: Sequence[str]) -> str | None:
    """Return the subprotocol to answer with: a different one than offered makes ``mod_audio_fork`` hang up."""
    if SUBPROTOCOL in offered:
        return SUBPROTOCOL
    return offered[0] if offered else None


def read_offer(query: str, *, subprotocols: Sequence[str] = (), headers: Mapping[str, str] | None = None) -> Offer:
    """Read what the upgrade request says.

    Args:
        query: The URL's query, still percent-encoded, without the question mark.
        subprotocols: What the peer offers.
        headers: Header values by lower-case name; only ``authorization`` is looked at (``Bearer TOKEN``, or ``Basic``
            with the token for a password, which is all that ``mod_audio_fork`` can send).

    Raises:
        ProtocolError: a parameter we know is wrong, or stands there twice; one sentence that names it.
    """
    fields = _query_fields(query)
    token = fields.get("token") or _authorization((headers or {}).get("authorization", ""))
    offer = Offer(subprotocol=bool(subprotocols), token=token)
    for name, learn in _QUERY.items():
        if name in fields:
            offer = learn(offer, fields[name])
    return offer


def _query_fields(query: str) -> dict[str, str]:
    if query.count("&") >= MAX_QUERY_FIELDS:
        raise ProtocolError(f"the query has more than {MAX_QUERY_FIELDS} parameters")
    fields: dict[str, str] = {}
    for part in filter(None, query.split("&")):
        encoded_name, _, encoded_value = part.partition("=")
        try:
            name, value = unquote(encoded_name, errors="strict"), unquote(encoded_value, errors="strict")
        except UnicodeDecodeError:
            raise ProtocolError("the query is not UTF-8") from None
        if name in fields and name in _KNOWN:
            raise ProtocolError(f"the query has {name} twice")
        fields[name] = value
    return fields


def _authorization(value: str) -> str:
    scheme, _, credentials = value.partition(" ")
    if scheme.lower() == "bearer":
        return credentials.strip()
    if scheme.lower() == "basic":
        try:
            _, _, password = base64.b64decode(credentials.strip(), validate=True).decode("utf-8").partition(":")
        except (binascii.Error, UnicodeDecodeError):
            return ""
        return password
    return ""


def _as_text(name: str, value: object) -> str:
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise ProtocolError(f"{name} in the metadata is neither text nor a whole number")
    return str(value)


# Each of these adds what one field says to the offer, unless that was known before.


def _call_id(offer: Offer, value: str) -> Offer:
    if CALL_ID.match(value) is None:
        raise ProtocolError("call_id must be 1 to 128 of the characters A-Z a-z 0-9 . _ : @ + ~ -")
    return evolve(offer, call_id=offer.call_id or value)


def _rate(offer: Offer, value: str) -> Offer:
    if value not in {"8000", "16000"}:
        raise ProtocolError("rate must be 8000 or 16000")
    return evolve(offer, rate_hz=offer.rate_hz or int(value))


def _channels(offer: Offer, value: str) -> Offer:
    if value not in {"1", "2"}:
        raise ProtocolError("channels must be 1 or 2")
    return evolve(offer, channels=int(value))


def _dialect(offer: Offer, value: str) -> Offer:
    for dialect in WEBSOCKET_DIALECTS:
        if dialect.value == value:
            return evolve(offer, dialect=offer.dialect or dialect)
    raise ProtocolError("dialect must be plain, fork, fork-json or stream")


def _talk(offer: Offer, value: str) -> Offer:
    if value not in {"binary", "json"}:
        raise ProtocolError("talk must be binary or json")
    return evolve(offer, talk=offer.talk or value)


def _caller(offer: Offer, value: str) -> Offer:
    cleaned = "".join(character for character in value if character.isprintable())[:MAX_CALLER_CHARS]
    return evolve(offer, caller=offer.caller or cleaned)


_Learn = Callable[[Offer, str], Offer]
_QUERY: dict[str, _Learn] = {
    "call_id": _call_id,
    "rate": _rate,
    "channels": _channels,
    "dialect": _dialect,
    "talk": _talk,
    "from": _caller,
}
_KNOWN = frozenset(_QUERY) | {"token"}
_METADATA: dict[str, _Learn] = {
    "call_id": _call_id,
    "callid": _call_id,
    "uuid": _call_id,
    "rate": _rate,
    "dialect": _dialect,
    "talk": _talk,
    "from": _caller,
}
