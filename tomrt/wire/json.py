"""JSON from outside, taken strictly.

Python's own parser accepts ``NaN``, ``1e999``, lone surrogates and repeated keys, and answers deep nesting with a
``RecursionError``. A peer's text passes through here instead, and whatever is wrong with it is one
:class:`~tomrt.errors.ProtocolError` that quotes nothing of it.
"""

from __future__ import annotations

import json
import math
import re

from tomrt.errors import MisuseError, ProtocolError

__all__ = ["MAX_BYTES", "MAX_DEPTH", "dumps", "loads", "loads_object"]

MAX_BYTES = 65_536
MAX_DEPTH = 32

# An unterminated string matches to the end of the text, so that the scan stays linear whatever the text is.
_STRING_OR_BRACKET = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"?|[\[\]{}]', re.DOTALL)
_SURROGATE_ESCAPE = re.compile(r"\\u[dD][89a-fA-F]")


def loads(text: str | bytes, *, max_bytes: int = MAX_BYTES) -> object:
    """Parse one JSON document (RFC 8259) of bounded size and depth.

    Args:
        text: The document; bytes are UTF-8 without a byte order mark.
        max_bytes: The longest document taken, in bytes of UTF-8.

    Raises:
        ProtocolError: it is no JSON, too long, nested deeper than 32, or holds a number that is not finite, a key
            twice in one object, or half of a surrogate pair.
    """
    document = _decoded(text, max_bytes)
    _check_depth(document)
    try:
        value = json.loads(document, object_pairs_hook=_unique, parse_float=_finite, parse_constant=_refused_constant)
        if _SURROGATE_ESCAPE.search(document):
            json.dumps(value, ensure_ascii=False).encode("utf-8")
    except UnicodeEncodeError:
        raise ProtocolError("the JSON text holds half of a surrogate pair") from None
    except json.JSONDecodeError as error:
        raise ProtocolError(f"the text is not JSON (at character {error.pos})") from None
    except (ValueError, RecursionError):
        raise ProtocolError("the JSON text holds a number that is too long, or is nested too deeply") from None
    return value


def loads_object(text: str | bytes, *, max_bytes: int = MAX_BYTES) -> dict[str, object]:
    """Parse one JSON document that must be an object; see :func:`loads`."""
    value = loads(text, max_bytes=max_bytes)
    if not isinstance(value, dict):
        raise ProtocolError("the JSON text is not an object")
    return value


def dumps(value: object) -> str:
    """Write *value* as compact JSON.

    Raises:
        MisuseError: *value* has no JSON form.
    """
    try:
        return json.dumps(value, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    except (TypeError, ValueError, RecursionError) as error:
        raise MisuseError(f"this has no JSON form: {type(value).__name__}") from error


def _decoded(text: str | bytes, max_bytes: int) -> str:
    if len(text) > max_bytes:
        raise ProtocolError(f"the JSON text is longer than {max_bytes} bytes")
    try:
        if isinstance(text, str):
            if len(text.encode("utf-8")) > max_bytes:
                raise ProtocolError(f"the JSON text is longer than {max_bytes} bytes")
            return text
        return text.decode("utf-8")
    except UnicodeError:
        raise ProtocolError("the JSON text is not UTF-8") from None


def _check_depth(document: str) -> None:
    if document.count("[") + document.count("{") <= MAX_DEPTH:
        return
    depth = 0
    for match in _STRING_OR_BRACKET.finditer(document):
        first = document[match.start()]
        if first in "[{":
            depth += 1
            if depth > MAX_DEPTH:
                raise ProtocolError(f"the JSON text is nested deeper than {MAX_DEPTH}")
        elif first in "]}":
            depth -= 1


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ProtocolError("the JSON text has a key twice in one object")
    return found


def _finite(digits: str) -> float:
    value = float(digits)
    if not math.isfinite(value):
        raise ProtocolError("the JSON text holds a number that is not finite")
    return value


def _refused_constant(_: str) -> object:
    raise ProtocolError("the JSON text holds a number that is not finite")
