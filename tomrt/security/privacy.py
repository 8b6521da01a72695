"""What stands for a caller in the log: a pseudonym that is the same for the same number, and tells nothing of it."""

from __future__ import annotations

import hashlib
import hmac
import re

from tomrt.errors import MisuseError

__all__ = ["pseudonym"]

_PSEUDONYM_DIGITS = 16
_PUNCTUATION = re.compile(r"[^0-9+]")


def pseudonym(number: str, key: str) -> str:
    """Return what stands for the caller with *number*: 16 hexadecimal digits of its HMAC-SHA-256 (RFC 2104).

    A bare hash would not do: there are so few telephone numbers that all of them can be tried.

    Args:
        number: A telephone number as anybody may write it: ``+49 (30) 123``, ``0049-30-123`` and ``004930123`` are one.
        key: A secret; without it nobody can tell whose pseudonym it is.

    Returns:
        ``""`` for a caller without a number.

    Raises:
        MisuseError: there is no key.
    """
    if not key:
        raise MisuseError("a pseudonym needs a key, or anybody could find the number by trying all of them")
    normal = _normal(number)
    if not normal:
        return ""
    return hmac.new(key.encode(), normal.encode(), hashlib.sha256).hexdigest()[:_PSEUDONYM_DIGITS]


def _normal(number: str) -> str:
    dialled = _PUNCTUATION.sub("", number)
    digits = dialled.replace("+", "")
    if dialled.startswith("00"):
        return f"+{digits[2:]}" if digits[2:] else ""
    return f"+{digits}" if digits and dialled.startswith("+") else digits
