"""``python -m tomrt token``: prints a token that lets calls in, for one call or for a dialplan, which cannot sign."""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from tomrt.errors import ProtocolError, SettingsError

__all__ = ["parser", "run"]

DAY_S, MINUTE_S = 86_400, 60
CALL_LIFETIME_S = 60 * MINUTE_S
ANY_LIFETIME_S = 90 * DAY_S

EXAMPLES = """\
The token alone goes to standard output; until when it is good goes to standard error. It is signed with auth.secret,
so give the settings that the service runs with. When tomrt itself starts a call's WebSocket it makes the token, too:
one of these is needed where a dialplan or a client of yours opens it.

examples:
  python -m tomrt token --config tomrt.toml --any-call --days 90
  python -m tomrt token --config tomrt.toml --call-id 7f3c --minutes 5

exit codes: 0 ok, 2 usage or settings
"""


def parser() -> argparse.ArgumentParser:
    """Return the parser of the arguments."""
    made = argparse.ArgumentParser(
        prog="tomrt token",
        usage="python -m tomrt token (--call-id ID | --any-call) [--days N | --minutes N] [--config FILE]",
        description="Print a token that lets a call in.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    whom = made.add_mutually_exclusive_group(required=True)
    whom.add_argument("--call-id", metavar="ID", help="lets in the call of this name; 60 minutes unless said otherwise")
    whom.add_argument(
        "--any-call",
        action="store_true",
        help="lets in any call, so keep it as you keep a password; 90 days unless said otherwise",
    )
    lifetime = made.add_mutually_exclusive_group()
    lifetime.add_argument("--days", type=_days, dest="lifetime_s", metavar="N", help="good for N days, from 1 to 3650")
    lifetime.add_argument("--minutes", type=_minutes, dest="lifetime_s", metavar="N", help="good for N minutes")
    made.add_argument("--config", type=Path, metavar="FILE", help="settings file (TOML) that the service runs with")
    return made


def _days(text: str) -> int:
    return _whole(text, 3_650) * DAY_S


def _minutes(text: str) -> int:
    return _whole(text, 525_600) * MINUTE_S


def _whole(text: str, most: int) -> int:
    value = int(text)
    if not 1 <= value <= most:
        raise ValueError(text)
    return value


_days.__name__, _minutes.__name__ = "number of days from 1 to 3650", "number of minutes from 1 to 525600"


def run(argv: Sequence[str]) -> int:
    """Print the token; return the exit code.

    Raises:
        SettingsError: there is no secret to sign with, or the call can have no such name.
    """
    arguments = parser().parse_args(argv)
    from tomrt.security.tokens import issue, issue_for_any  # noqa: PLC0415 - costs time that help and mistakes need not
    from tomrt.settings_file import load  # noqa: PLC0415 - costs time that help and mistakes need not

    secret = load(arguments.config, os.environ).auth.secret
    if not secret:
        raise SettingsError("auth.secret is not set, so calls need no token; to ask for one, set it in the settings")
    if arguments.any_call:
        lifetime_s = arguments.lifetime_s or ANY_LIFETIME_S
        token = issue_for_any(secret.reveal(), lifetime_s)
    else:
        lifetime_s = arguments.lifetime_s or CALL_LIFETIME_S
        token = issue(secret.reveal(), _checked(arguments.call_id), lifetime_s)
    until = time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(time.time() + lifetime_s))
    print(f"good until {until}", file=sys.stderr)
    print(token)
    return 0


def _checked(call_id: str) -> str:
    from tomrt.wire.handshake import Offer  # noqa: PLC0415 - costs time that help and mistakes need not

    try:
        Offer().with_call_id(call_id)
    except ProtocolError as error:
        raise SettingsError(f"--call-id {call_id[:40]!r}: {error}") from None
    return call_id
