"""Whether the variables that our dialplans use are set, and good."""

from __future__ import annotations

import time

from tomrt.doctor.finding import Finding, failed, passed, warned
from tomrt.errors import AccessDenied
from tomrt.security.tokens import TokenVerifier
from tomrt.settings import Auth

__all__ = ["judge_salt", "judge_token"]

TOKEN = ("variable.tomrt_token", "token for dialplans")
SALT = ("variable.tomrt_salt", "salt of caller hashes")

SOON_S = 14 * 86_400
LEAST_SALT = 16
PLACEHOLDER = "set-me"
_NEW_TOKEN = "python -m tomrt token --any-call, into vars_tomrt.xml; then fs_cli -x reloadxml"  # noqa: S105 - how to get one


def judge_token(token: str, auth: Auth, now: float | None = None) -> Finding:
    """Say whether the global variable ``tomrt_token`` lets calls in, without showing it.

    Args:
        token: Its value; ``""`` where it is not set.
        auth: Whether tomrt asks for tokens, and with which secret they are signed.
        now: Unix time; ``None`` for now.
    """
    now = time.time() if now is None else now
    if not auth.secret:
        return passed(TOKEN, "none is asked for (auth.secret is not set)")
    if not token:
        return warned(
            TOKEN,
            "tomrt asks for tokens, and tomrt_token is not set",
            why="calls from our dialplans are refused; only a dialplan that brings another token does without",
            do=_NEW_TOKEN,
        )
    try:
        claims = TokenVerifier(auth.secret.reveal()).verify(token, None, now)
    except AccessDenied:
        return failed(
            TOKEN,
            "tomrt_token is still the example's" if token == PLACEHOLDER else "tomrt_token lets nobody in",
            why="it has expired, or was signed with another auth.secret: calls from our dialplans are refused",
            do=_NEW_TOKEN,
        )
    if claims.call_id is not None:
        return failed(TOKEN, "tomrt_token lets one call in", why="every other call is refused", do=_NEW_TOKEN)
    days = int((claims.expires_at - now) // 86_400)
    if claims.expires_at - now < SOON_S:
        why = "calls from our dialplans are then refused"
        return warned(TOKEN, f"tomrt_token expires in {days} days", why=why, do=_NEW_TOKEN, days=days)
    return passed(TOKEN, f"good for {days} days", days=days)


def judge_salt(salt: str) -> Finding:
    """Say whether the global variable ``tomrt_salt`` hides callers' numbers, without showing it."""
    if not salt:
        return passed(SALT, "not set; only a dialplan that sends caller hashes needs it")
    if salt == PLACEHOLDER or len(salt) < LEAST_SALT:
        return warned(
            SALT,
            "tomrt_salt is still the example's" if salt == PLACEHOLDER else f"tomrt_salt has {len(salt)} characters",
            why="whoever guesses it can try all telephone numbers and undo the hash",
            do="openssl rand -hex 24, into vars_tomrt.xml; then fs_cli -x reloadxml",
        )
    return passed(SALT, "set")
