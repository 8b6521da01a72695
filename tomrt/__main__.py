"""The command line: ``python -m tomrt`` serves; ``call``, ``doctor``, ``rl``, ``token``, ``sim`` are what else it does.

What a command needs is imported when it runs, so that help and mistakes are told at once.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from tomrt.errors import SettingsError, TomrtError
from tomrt.events import WEBSOCKET_DIALECTS, Dialect
from tomrt.settings import Settings, explain

__all__ = ["main"]

OK, FAILED, USAGE = 0, 1, 2

EXIT_CODES = "exit codes: 0 ok, 1 failed, 2 usage or settings, 3 service not reachable"

SERVE_EXAMPLES = f"""\
commands:
  serve                        start the service (the default)
  call                         place a call to it, as a switch does; see: python -m tomrt call --help
  doctor freeswitch            check a FreeSWITCH and the way to it; see: python -m tomrt doctor --help
  rl                           what calls have taught; see: python -m tomrt rl --help
  token                        print a token that lets calls in; see: python -m tomrt token --help
  sim                          simulate calls in which things go wrong; see: python -m tomrt sim --help

examples:
  python -m tomrt
  python -m tomrt --explain-settings > tomrt.toml
  python -m tomrt --config tomrt.toml --check
  TOMRT_GATEWAY__MAX_CALLS=4 python -m tomrt

{EXIT_CODES}
"""

CALL_EXAMPLES = f"""\
Utterances are said in order, the WAV files first, each when the answer before it is over. With --barge-in-at every
utterance but the first is spoken into the answer before it; a single one is spoken into the greeting.

examples:
  python -m tomrt call --say "what are your opening hours" --say goodbye
  python -m tomrt call question.wav --dialect fork --out heard.wav --json report.json
  python -m tomrt call --say "tell me the address" --say "stop" --barge-in-at 1.0
  python -m tomrt call --say "tell me the address" --url esl://127.0.0.1:8084

{EXIT_CODES}
"""

SIM_EXAMPLES = """\
A seed stands for a whole call: its line, settings, caller, faults. The same seed gives the same record, byte for byte.

examples:
  python -m tomrt sim --seed 42 --shrink
  python -m tomrt sim --seed 42 --schedules 20
  python -m tomrt sim --seeds 0-9999 --jobs 2

exit codes: 0 everything held, 1 something did not, 2 usage
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line *argv* (``sys.argv`` without the program) and return the exit code."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    try:
        if arguments[:1] == ["call"]:
            return _call(_call_parser().parse_args(arguments[1:]))
        if arguments[:1] == ["sim"]:
            return _sim(_sim_parser().parse_args(arguments[1:]))
        if arguments[:1] == ["doctor"]:
            from tomrt.doctor import command  # noqa: PLC0415 - no other command needs it

            return command.run(arguments[1:])
        if arguments[:1] == ["rl"]:
            from tomrt import learning_command  # noqa: PLC0415 - no other command needs it

            return learning_command.run(arguments[1:])
        if arguments[:1] == ["token"]:
            from tomrt import token_command  # noqa: PLC0415 - no other command needs it

            return token_command.run(arguments[1:])
        return _serve(_serve_parser().parse_args(arguments[1:] if arguments[:1] == ["serve"] else arguments))
    except _TOLD as error:
        return _tell(error)
    except BaseExceptionGroup as group:  # the same, out of a task
        told, other = group.split(_TOLD)
        if told is None or other is not None:
            raise
        return _tell(told)


_TOLD = (TomrtError, KeyboardInterrupt, BrokenPipeError)


def _tell(error: BaseException) -> int:
    """Say in one sentence for each fault what ended the command; return the exit code."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    match error:
        case SettingsError():
            print(*(f"tomrt: {fault}" for fault in error.faults), sep="\n", file=sys.stderr)
            return USAGE
        case BrokenPipeError():
            # Whoever read our output has left; Python must not try again at exit.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        case KeyboardInterrupt():
            print("tomrt: interrupted", file=sys.stderr)
        case _:
            print(f"tomrt: {error}", file=sys.stderr)
    return FAILED


# --- serve -----------------------------------------------------------------------------------------------------------


def _serve_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="tomrt",
        usage=(
            "python -m tomrt [serve] [--config FILE] [--check] [--explain-settings] [--json] [--version]\n"
            "       python -m tomrt call ... | doctor ... | rl ... | token ... | sim ..."
        ),
        description="Answer telephone calls on this machine.",
        epilog=SERVE_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--config", type=Path, metavar="FILE", help="settings file (TOML); default: built-in settings")
    parser.add_argument("--check", action="store_true", help="check the settings, list all faults, and leave")
    parser.add_argument(
        "--explain-settings", action="store_true", help="print every setting with its meaning as commented TOML"
    )
    parser.add_argument("--json", action="store_true", help="print the banner, or what --check finds, as one JSON line")
    parser.add_argument("--version", action="store_true", help="print the version and leave")
    return parser


def _serve(arguments: argparse.Namespace) -> int:
    if arguments.version:
        print(f"tomrt {_version()}")
        return OK
    if arguments.explain_settings:
        print(explain(None if arguments.config is None else _settings(arguments)), end="")
        return OK
    if arguments.check:
        return _check(arguments)
    settings = _settings(arguments)
    import trio  # noqa: PLC0415 - costs time that help and mistakes need not

    from tomrt import app  # noqa: PLC0415 - costs time that help and mistakes need not

    source = "built-in settings" if arguments.config is None else str(arguments.config)
    return trio.run(partial(app.main, settings, config_source=source, as_json=arguments.json))


def _version() -> str:
    from importlib.metadata import PackageNotFoundError, version  # noqa: PLC0415 - costs time that help and mistakes need not

    try:
        return version("tomrt")
    except PackageNotFoundError:
        return "(not installed: pip install -e .)"


def _settings(arguments: argparse.Namespace) -> Settings:
    from tomrt.settings_file import load  # noqa: PLC0415 - costs time that help and mistakes need not

    return load(arguments.config, os.environ)


def _check(arguments: argparse.Namespace) -> int:
    faults: tuple[str, ...] = ()
    try:
        _settings(arguments)
    except SettingsError as error:
        faults = error.faults
    if arguments.json:
        print(json.dumps({"ok": not faults, "faults": faults}))
    else:
        print(*(faults or ["settings are in order"]), sep="\n")
    return USAGE if faults else OK


# --- call ------------------------------------------------------------------------------------------------------------


def _call_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="tomrt call",
        usage="python -m tomrt call [WAV ...] [--say TEXT ...] [options]",
        description="Place a call to a running service as a switch does, in real time, and measure what is heard.",
        epilog=CALL_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("wavs", nargs="*", type=Path, metavar="WAV", help="say what is in this file (PCM; the left channel)")
    add("--say", action="append", default=[], metavar="TEXT", help="say TEXT with the eSpeak NG voice; may be repeated")
    add(
        "--url",
        default="ws://127.0.0.1:8081/call",
        help="where the service takes calls (default: %(default)s); esl://127.0.0.1:8084 is FreeSWITCH's own event "
        "socket with its audio by unicast, rtp://127.0.0.1:8086 RTP as of Asterisk's ExternalMedia",
    )
    add(
        "--dialect",
        choices=[each.value for each in WEBSOCKET_DIALECTS],
        help="over ws://, which FreeSWITCH module to be, or tomrt's own plain client (default: plain)",
    )
    add("--rate", type=int, default=8000, choices=[8000, 16000], help="sample rate of the line (default: %(default)s)")
    add("--barge-in-at", type=_seconds, metavar="S", help="cut in S seconds after the assistant began to speak")
    add("--timeout", type=_seconds, default=15.0, metavar="S", help="wait S seconds for each answer (default: 15)")
    add("--token", default="", metavar="JWT", help="token that lets the call in")
    add("--voice", default="en-us", help="eSpeak NG voice of --say (default: %(default)s)")
    add("--out", type=Path, metavar="FILE", help="write what the caller heard as a WAV file")
    add("--json", default="", metavar="FILE", help="write the measurements as JSON; - is standard output")
    return parser


def _seconds(text: str) -> float:
    value = float(text)
    if not 0 <= value <= 3600:
        raise ValueError(text)
    return value


_seconds.__name__ = "number of seconds from 0 to 3600"  # argparse says: invalid ... value


def _call(arguments: argparse.Namespace) -> int:
    if not arguments.wavs and not arguments.say:
        raise SettingsError('there is nothing to say: name WAV files, or give --say "TEXT"')
    import trio  # noqa: PLC0415 - costs time that help and mistakes need not

    from tomrt.caller.command import CallCommand, run  # noqa: PLC0415 - costs time that help and mistakes need not

    command = CallCommand(
        url=arguments.url,
        wavs=tuple(arguments.wavs),
        texts=tuple(arguments.say),
        dialect=Dialect(arguments.dialect) if arguments.dialect else None,
        rate_hz=arguments.rate,
        barge_in_at_s=arguments.barge_in_at,
        answer_wait_s=arguments.timeout,
        token=arguments.token,
        voice=arguments.voice,
        out=arguments.out,
        json=arguments.json,
    )
    return trio.run(run, command)


# --- sim -------------------------------------------------------------------------------------------------------------


def _sim_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="tomrt sim",
        usage="python -m tomrt sim (--seed N | --seeds A-B) [options]",
        description="Hold simulated calls in which things go wrong, and check what must hold in every call.",
        epilog=SIM_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    seeds = parser.add_mutually_exclusive_group(required=True)
    seeds.add_argument("--seed", type=_seed, dest="seeds", metavar="N", help="replay the call of seed N")
    seeds.add_argument("--seeds", type=_seeds, metavar="A-B", help="run the calls of the seeds from A to B")
    add = parser.add_argument
    add("--shrink", action="store_true", help="take away from the first call that fails all that is not needed")
    add("--schedules", type=_count, default=1, metavar="K", help="run each call under K task orders (default: 1)")
    add("--jobs", type=_count, default=1, metavar="J", help="use J processes (default: 1)")
    add("--first", action="store_true", help="stop at the first call that fails")
    add("--log", action="store_true", help="print whole records, each line of them")
    add("--json", action="store_true", help="print what was found as one JSON line")
    return parser


def _seeds(text: str) -> tuple[int, int]:
    first, _, last = text.partition("-")
    if int(last) < int(first):
        raise ValueError(text)
    return int(first), int(last)


def _seed(text: str) -> tuple[int, int]:
    return abs(int(text)), abs(int(text))


def _count(text: str) -> int:
    if not 1 <= int(text) <= 1_000:
        raise ValueError(text)
    return int(text)


_seeds.__name__, _seed.__name__, _count.__name__ = "range A-B of seeds", "seed", "number from 1 to 1000"


def _sim(arguments: argparse.Namespace) -> int:
    from tomrt.simulation.command import SimCommand, run  # noqa: PLC0415 - costs time that help and mistakes need not

    first, last = arguments.seeds
    command = SimCommand(
        first=first,
        last=last,
        schedules=arguments.schedules,
        jobs=arguments.jobs,
        small=arguments.shrink,
        stops=arguments.first,
        json=arguments.json,
        log=arguments.log,
    )
    return run(command)


if __name__ == "__main__":
    sys.exit(main())
