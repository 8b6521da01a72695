"""Tokens that let a call in: JWT (RFC 7519) signed with HS256, bound to one call and short-lived.

One kind fits any call: for a dialplan, which cannot sign. It is made by a function of its own, never by accident.

The library checks form and signature; what the claims mean is checked here, against a time that the caller passes in.
Whatever is wrong, the answer is the same two words, so that nobody learns which part of a forged token was right.
"""

from __future__ import annotations

import re
import time

import jwt
from attrs import frozen
from jwt.types import Options

from tomrt.errors import AccessDenied, MisuseError

__all__ = ["ALGORITHM", "ANY_CALL", "DENIED", "MAX_TOKEN_CHARS", "Claims", "TokenVerifier", "issue", "issue_for_any"]

ALGORITHM = "HS256"
DENIED = "access denied"
MAX_TOKEN_CHARS = 4096
MIN_SECRET_BYTES = 32
"""RFC 7518 §3.2: a key of the size of the hash, or larger."""

ANY_CALL = "*"
"""What the claim ``call_id`` says in a token that fits any call; no call can be called that."""

_COMPACT = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\Z")
_HEADERS = frozenset({"alg", "typ"})
"""What a token's header may say: ``kid``, ``jku``, ``jwk``, ``crit`` or ``b64`` ask for what is not done here."""
_LAST_TIME = 2**53


@frozen(kw_only=True)
class Claims:
    """What a verified token says.

    Args:
        call_id: The call that it lets in; ``None`` when it fits any call, which then is called what it calls itself.
        expires_at: Unix time from which on it is void.
    """

    call_id: str | None
    expires_at: float


# The claims are checked by the verifier itself: the library would use its own clock and convert what is not a number.
_OPTIONS: Options = {
    "verify_exp": False,
    "verify_nbf": False,
    "verify_iat": False,
    "verify_aud": False,
    "verify_iss": False,
    "verify_sub": False,
    "verify_jti": False,
    "enforce_minimum_key_length": True,
}


class TokenVerifier:
    """Checks tokens against one secret.

    Args:
        secret: The shared key, at least 32 bytes.

    Raises:
        MisuseError: the secret is shorter than that.
    """

    def __init__(self, secret: str) -> None:
        self._key = _key(secret)

    def verify(self, token: str, call_id: str | None, now: float) -> Claims:
        """Return what *token* says, if it lets this call in at this time.

        Args:
            token: The compact serialisation.
            call_id: The call that wants in; ``None`` when it has not named itself and takes the token's name.
            now: Unix time.

        Raises:
            AccessDenied: it does not; always in the same words.
        """
        claims = self._claims(token)
        expires_at = _time(claims.get("exp"))
        not_before = [_time(claims[name]) for name in ("nbf", "iat") if name in claims]
        named = claims.get("call_id")
        if now >= expires_at or any(now < begins_at for begins_at in not_before):
            raise AccessDenied(DENIED)
        if not isinstance(named, str) or not named:
            raise AccessDenied(DENIED)
        if named == ANY_CALL:
            return Claims(call_id=None, expires_at=expires_at)
        if call_id not in {None, named}:
            raise AccessDenied(DENIED)
        return Claims(call_id=named, expires_at=expires_at)

    def _claims(self, token: str) -> dict[str, object]:
        if len(token) > MAX_TOKEN_CHARS or _COMPACT.match(token) is None:
            raise AccessDenied(DENIED)
        try:
            if not _HEADERS.issuperset(jwt.get_unverified_header(token)):
                raise AccessDenied(DENIED)
            claims: dict[str, object] = jwt.decode(token, self._key, algorithms=[ALGORITHM], options=_OPTIONS)
        except (jwt.PyJWTError, ValueError, TypeError, RecursionError):
            raise AccessDenied(DENIED) from None
        return claims


def issue(secret: str, call_id: str, lifetime: float) -> str:
    """Return a token that lets *call_id* in from now on for *lifetime* seconds.

    Raises:
        MisuseError: the secret is shorter than 32 bytes, or *call_id* would let any call in.
    """
    if call_id == ANY_CALL:
        raise MisuseError("a token that fits any call is made with issue_for_any")
    return _signed(secret, call_id, lifetime)


def issue_for_any(secret: str, lifetime: float) -> str:
    """Return a token that lets any call in from now on for *lifetime* seconds: whoever reads it can place calls.

    Raises:
        MisuseError: the secret is shorter than 32 bytes.
    """
    return _signed(secret, ANY_CALL, lifetime)


def _signed(secret: str, call_id: str, lifetime: float) -> str:
    now = int(time.time())
    claims = {"call_id": call_id, "iat": now, "exp": now + round(lifetime)}
    return jwt.encode(claims, _key(secret), algorithm=ALGORITHM)


def _time(claim: object) -> float:
    if isinstance(claim, bool) or not isinstance(claim, int | float) or not 0 <= claim <= _LAST_TIME:
        raise AccessDenied(DENIED)
    return claim


def _key(secret: str) -> bytes:
    key = secret.encode("utf-8")
    if len(key) < MIN_SECRET_BYTES:
        raise MisuseError(f"the secret for tokens must have at least {MIN_SECRET_BYTES} bytes")
    return key
