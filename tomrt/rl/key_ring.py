"""Keyed pseudonyms for callers and calls, with keys that change and are forgotten.

There are only some 1e10 telephone numbers, so that a plain hash of one is undone in minutes. A keyed one is not, as
long as the key lies elsewhere than the data: here, in a file of its own. Once a key is forgotten, nobody can link the
rows that were written under it to a person again.
"""

from __future__ import annotations

import fcntl
import hmac
import json
import os
import re
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from attrs import field, frozen
from attrs.validators import and_, ge, instance_of, le, matches_re

from tomrt.rl.errors import InvalidState, LearningError, StoreError

__all__ = ["KeyRing"]

DAY_S = 86_400.0
SCHEMA = 1
_KEY_BYTES = 32
_TELEPHONE = re.compile(r"\+?[\d\s()./-]{4,40}")
_SCHEME = re.compile(r"(?:sips?|tel):", re.IGNORECASE)
_WITHHELD = {"", "anonymous", "unknown", "unavailable", "restricted", "private", "withheld"}


@frozen
class _Key:
    """One key: its name, which stands before each pseudonym, the secret, and since when it is used (unix seconds)."""

    name: str = field(validator=matches_re(r"[0-9a-f]{8}"))
    secret: bytes = field(repr=False, validator=[instance_of(bytes), lambda _, __, value: _check_length(value)])
    since: float = field(validator=and_(instance_of((int, float)), ge(0.0), le(1e11)))


def _check_length(secret: bytes) -> None:
    """Raise where *secret* is not a whole key."""
    if len(secret) != _KEY_BYTES:
        raise ValueError("a key has 32 bytes")


class KeyRing:
    """The keys that are kept, oldest first; the last one is in use.

    Args:
        keys: At least one.
        path: Their file; ``None`` keeps them in memory alone.
        new_bytes: Where the secrets of new keys come from.
        rotate_days: After so many days a new key is used.
        keep_days: So many days after it went out of use a key is forgotten. With the retention of the rows, every row
            that is there can be found for its caller.
        country: Dialling code of telephone numbers that begin with a single 0.
    """

    def __init__(
        self,
        keys: tuple[_Key, ...],
        *,
        path: Path | None = None,
        new_bytes: Callable[[int], bytes] = secrets.token_bytes,
        rotate_days: float = 30.0,
        keep_days: float = 90.0,
        country: str = "49",
    ) -> None:
        if not (rotate_days > 0.0 and keep_days > 0.0):
            raise LearningError("rotate_days and keep_days must be above 0")
        self._keys = keys
        self._path = path
        self._new_bytes = new_bytes
        self._rotate_s, self._keep_s = rotate_days * DAY_S, keep_days * DAY_S
        self._country = country

    @classmethod
    def open(
        cls, path: Path, now: float, *, rotate_days: float = 30.0, keep_days: float = 90.0, country: str = "49"
    ) -> KeyRing:
        """Return the keys of the file at *path*, which is made where there is none, and rotate them where it is due.

        Args:
            path: Only its owner may read it (0600). It belongs neither beside the database in a backup, nor into it.
            now: In seconds since 1970.
            rotate_days: After so many days a new key is used.
            keep_days: So many days after it went out of use a key is forgotten.
            country: Dialling code of telephone numbers that begin with a single 0.

        Raises:
            InvalidState: The file is damaged.
            StoreError: It cannot be read or written.
        """
        ring = cls((), path=path, rotate_days=rotate_days, keep_days=keep_days, country=country)
        ring.rotate(now)
        return ring

    @classmethod
    def read(cls, path: Path, *, country: str = "49") -> KeyRing:
        """Return the keys of a file without changing it, for who only looks things up beside a running service.

        Raises:
            InvalidState: The file is damaged.
            StoreError: It cannot be read, or is not there.
        """
        keys = _read(path)
        if not keys:
            raise StoreError(f"there is no file of keys at {path}")
        return cls(keys, path=path, country=country)

    @classmethod
    def in_memory(cls, new_bytes: Callable[[int], bytes] = secrets.token_bytes, *, country: str = "49") -> KeyRing:
        """Return a new key that is nowhere else, for tests and notebooks; a generator's ``bytes`` may make it."""
        ring = cls((), new_bytes=new_bytes, country=country)
        ring.rotate(0.0)
        return ring

    def rotate(self, now: float) -> bool:
        """Use a new key where the present one is too old, forget old ones, and take over what another process did.

        Returns:
            Whether anything changed.

        Raises:
            InvalidState: The file is damaged.
            StoreError: It cannot be read or written.
        """
        before = self._keys
        if self._path is None:
            self._keys = self._rotated(self._keys, now)
            return self._keys != before
        with _locked(self._path):
            kept = _read(self._path)
            self._keys = self._rotated(kept, now)
            if self._keys != kept:
                _write(self._path, self._keys)
        return self._keys != before

    def _rotated(self, keys: tuple[_Key, ...], now: float) -> tuple[_Key, ...]:
        """Return *keys* as they should be at *now*."""
        if not keys or now - keys[-1].since >= self._rotate_s:
            keys = (*keys, _Key(self._new_bytes(4).hex(), self._new_bytes(_KEY_BYTES), now))
        used_until = zip(keys, (key.since for key in keys[1:]), strict=False)
        return (*(key for key, until in used_until if now - until < self._keep_s), keys[-1])

    def pseudonym(self, identifier: str) -> str:
        """Return ``"KEY:HASH"`` for a telephone number or a name, the same for all ways to write a number.

        HMAC-SHA-256 (RFC 2104), of which 64 bits are kept. ``""`` for ``""``, and for what switches put in place of a
        number that is withheld: those callers are many, not one.
        """
        name = self._normal(identifier)
        return _under(self._keys[-1], name) if name else ""

    def pseudonyms(self, identifier: str) -> tuple[str, ...]:
        """Return the pseudonyms of *identifier* under all keys that are kept, newest first: to find older rows."""
        name = self._normal(identifier)
        return tuple(_under(key, name) for key in reversed(self._keys)) if name else ()

    def matches(self, pseudonym: str, identifier: str) -> bool | None:
        """Return whether *pseudonym* is that of *identifier*; ``None`` where its key is forgotten."""
        key_name = pseudonym.partition(":")[0]
        for key in self._keys:
            if key.name == key_name:
                return hmac.compare_digest(_under(key, self._normal(identifier)), pseudonym)
        return None

    def uniform(self, identifier: str, label: str) -> float:
        """Return a number in [0, 1) that stays the same for one caller and label until the key changes.

        Args:
            identifier: Of the caller.
            label: What is drawn. Different labels give independent numbers, as guard and bandit need them.
        """
        said = b"\0".join((b"uniform", label.encode(), self._normal(identifier).encode("utf-8", "surrogatepass")))
        return (int.from_bytes(hmac.digest(self._keys[-1].secret, said, "sha256")[:8]) >> 11) / 2.0**53

    def _normal(self, identifier: str) -> str:
        """Return the one form of all ways to write a telephone number; other names in lower case; ``""`` for nobody."""
        text = identifier.strip()
        if "<" in text:  # "Erika" <sip:+4930123456@example.org>
            text = text.partition("<")[2].partition(">")[0]
        text = _SCHEME.sub("", text).partition(";")[0]
        user = text.partition("@")[0]
        if user.casefold() in _WITHHELD:
            return ""
        return self._number(user) if _TELEPHONE.fullmatch(user) else text.casefold()

    def _number(self, text: str) -> str:
        """Return a telephone number as ``+`` and digits, or as digits alone where it may be an extension."""
        digits = "".join(letter for letter in text.replace("(0)", "") if letter.isdigit())
        if text.lstrip(" (").startswith("+"):
            return "+" + digits
        if digits.startswith("00"):
            return "+" + digits[2:]
        if digits.startswith("0"):
            return f"+{self._country}{digits[1:]}"
        is_international = digits.startswith(self._country) and len(digits) >= 11
        return "+" + digits if is_international else digits


def _under(key: _Key, name: str) -> str:
    """Return the pseudonym of *name* under *key*."""
    said = b"pseudonym\0" + name.encode("utf-8", "surrogatepass")
    return f"{key.name}:{hmac.digest(key.secret, said, 'sha256')[:8].hex()}"


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Keep other processes away from the file at *path* for as long as it is read and written."""
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle = os.open(path.with_name(path.name + ".lock"), os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as fault:
        raise StoreError(f"the file of keys {path} cannot be used: {fault.strerror}") from fault
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def _read(path: Path) -> tuple[_Key, ...]:
    """Return the keys in the file at *path*, none where there is no file."""
    try:
        text = path.read_bytes()
    except FileNotFoundError:
        return ()
    except OSError as fault:
        raise StoreError(f"the file of keys {path} cannot be read: {fault.strerror}") from fault
    try:
        document = json.loads(text)
        if document["schema"] > SCHEMA:
            raise InvalidState(f"the file of keys {path} was written by a newer version")
        keys = tuple(_Key(key["name"], bytes.fromhex(key["secret"]), key["since"]) for key in document["keys"])
    except (ValueError, TypeError, LookupError):
        raise InvalidState(f"the file of keys {path} is damaged") from None  # the cause may quote a key
    if not keys:
        raise InvalidState(f"the file of keys {path} is damaged")
    return keys


def _write(path: Path, keys: tuple[_Key, ...]) -> None:
    """Put *keys* into the file at *path*, all or none of them."""
    listed = [{"name": key.name, "secret": key.secret.hex(), "since": key.since} for key in keys]
    text = json.dumps({"schema": SCHEMA, "keys": listed}, indent=1, allow_nan=False).encode()
    partial = path.with_name(path.name + ".tmp")
    try:
        partial.unlink(missing_ok=True)
        handle = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "wb") as file:
            file.write(text)
            file.flush()
            os.fsync(handle)
        partial.replace(path)
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    except OSError as fault:
        raise StoreError(f"the file of keys {path} cannot be written: {fault.strerror}") from fault
