"""``python -m tomrt doctor``: examines a FreeSWITCH and the way to it, and says what is wrong in plain words."""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from tomrt.errors import SettingsError

if TYPE_CHECKING:
    from tomrt.settings import Settings

__all__ = ["parser", "run"]

EXAMPLES = """\
It asks FreeSWITCH's event socket what it is and has, tries the passwords that everybody knows, places a call to
FreeSWITCH's own echo, speaks into it and listens, and looks for the tomrt service. Nothing is changed, and no call is
left behind. Address and password are those of the settings ([freeswitch]) unless they are given here.

examples:
  python -m tomrt doctor freeswitch --password-file /etc/tomrt/esl_password
  python -m tomrt doctor freeswitch --config tomrt.toml --json
  python -m tomrt doctor freeswitch --host 10.0.0.5 --no-call

exit codes: 0 nothing wrong, 1 something is, 2 usage or settings, 3 FreeSWITCH not reachable
"""

MAX_PASSWORD_BYTES = 1_024


def parser() -> argparse.ArgumentParser:
    """Return the parser of the arguments."""
    made = argparse.ArgumentParser(
        prog="tomrt doctor",
        usage="python -m tomrt doctor freeswitch [options]",
        description="Examine a FreeSWITCH and the way to it, and say what is wrong and what to do.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = made.add_argument
    add("subject", choices=["freeswitch"], help="what to examine")
    add("--host", metavar="HOST", help="of the event socket (default: freeswitch.inbound_host, or 127.0.0.1)")
    add("--port", type=_port, metavar="PORT", help="of the event socket (default: freeswitch.inbound_port, 8021)")
    secret = made.add_mutually_exclusive_group()
    secret.add_argument("--password-file", type=Path, metavar="FILE", help="holds the event socket's password")
    secret.add_argument("--password", metavar="TEXT", help="the password itself; others on this machine can see it")
    add("--config", type=Path, metavar="FILE", help="settings file (TOML) that the service runs with")
    add("--no-call", action="store_true", help="place no test call")
    add("--json", action="store_true", help="print what was found as one JSON object")
    return made


def _port(text: str) -> int:
    value = int(text)
    if not 1 <= value <= 65_535:
        raise ValueError(text)
    return value


_port.__name__ = "port from 1 to 65535"  # argparse says: invalid ... value


def run(argv: Sequence[str]) -> int:
    """Examine and tell; return the exit code.

    Raises:
        SettingsError: the settings or the password file are of no use.
    """
    arguments = parser().parse_args(argv)
    import trio  # noqa: PLC0415 - costs time that help and mistakes need not

    from tomrt.doctor.examination import Patient  # noqa: PLC0415 - costs time that help and mistakes need not
    from tomrt.doctor.on_terminal import examine  # noqa: PLC0415 - costs time that help and mistakes need not
    from tomrt.settings_file import load  # noqa: PLC0415 - costs time that help and mistakes need not

    settings = load(arguments.config, os.environ)
    patient = Patient(
        host=arguments.host or settings.freeswitch.inbound_host or "127.0.0.1",
        port=arguments.port or settings.freeswitch.inbound_port,
        settings=settings,
        password=_password(arguments, settings),
        with_call=not arguments.no_call,
    )
    return trio.run(partial(examine, patient, as_json=arguments.json))


def _password(arguments: argparse.Namespace, settings: Settings) -> str:
    if arguments.password_file is not None:
        try:
            password = arguments.password_file.read_text(encoding="utf-8").strip("\r\n")
        except (OSError, UnicodeDecodeError) as error:
            told = getattr(error, "strerror", None) or "it is not UTF-8"
            raise SettingsError(f"{arguments.password_file}: cannot be read: {told}") from None
    else:
        password = arguments.password or settings.freeswitch.inbound_password.reveal()
    if not password.isprintable() or len(password.encode()) > MAX_PASSWORD_BYTES:
        raise SettingsError(f"a password must be one line of at most {MAX_PASSWORD_BYTES} bytes, printable throughout")
    return str(password)
