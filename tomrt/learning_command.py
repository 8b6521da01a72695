"""``python -m tomrt rl``: what calls have taught, looked at and steered from outside, while the service runs or not."""

from __future__ import annotations

import argparse
import getpass
import json
import os
import pwd
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

from attrs import asdict, frozen

from tomrt.errors import SettingsError
from tomrt.rl.errors import InvalidVariants, LearningError
from tomrt.settings import Settings

if TYPE_CHECKING:
    from tomrt.rl.learning_folder import LearningFolder

__all__ = ["parser", "parsers", "run"]

OK, FAILED, USAGE, NOTHING_THERE = 0, 1, 2, 3
DAY_S = 86_400.0
LATEST = 5

EXAMPLES = """\
The folder is that of [learning] folder in the settings. Nothing here needs the service to run, and nothing disturbs it:
what "stage" orders reaches it within seconds, or at its next start.

examples:
  python -m tomrt rl status --config tomrt.toml
  python -m tomrt rl stage friendly_guided blacklisted --why "callers find it too long" --config tomrt.toml
  python -m tomrt rl train-policy --folder /var/lib/tomrt/learning
  echo "+49 30 1234567" | python -m tomrt rl export - --config tomrt.toml

exit codes: 0 ok, 1 failed, refused or not healthy, 2 usage or settings, 3 nothing has been learned in this folder yet
"""


@frozen(kw_only=True)
class Answer:
    """What a command has to say.

    Args:
        data: For machines.
        text: For people; by default the data.
        code: With which the process ends.
    """

    data: object
    text: str | None = None
    code: int = OK


# --- arguments -------------------------------------------------------------------------------------------------------


def parser() -> argparse.ArgumentParser:
    """Return the parser of the arguments."""
    return parsers()[0]


def parsers() -> tuple[argparse.ArgumentParser, ...]:
    """Return the parser of the arguments, and after it those of the single commands."""
    made = argparse.ArgumentParser(
        prog="tomrt rl",
        usage="python -m tomrt rl COMMAND [options]",
        description="See what calls have taught, and steer it.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = made.add_subparsers(dest="command", required=True, metavar="COMMAND")

    def command(name: str, meaning: str) -> argparse.ArgumentParser:
        one = commands.add_parser(name, help=meaning, description=f"{meaning[0].upper()}{meaning[1:]}.")
        one.add_argument("--config", type=Path, metavar="FILE", help="settings file (TOML) that the service runs with")
        one.add_argument("--folder", type=Path, metavar="DIR", help="instead of [learning] folder of the settings")
        one.add_argument("--json", action="store_true", help="print one line of JSON")
        return one

    command("status", "how the variants do: stages, traffic, evidence, health, latest changes")
    command("variants", "the ways of talking there are, with their slots")
    command("explain", "what the bandit believes of each variant")
    command("stats", "how many calls and signals are stored, by variant and profile")
    _training(command("train-policy", "judge all combinations of slots by past calls, and propose new ones"))
    stage = command("stage", "set the stage of a variant by hand")
    stage.add_argument("variant", metavar="VARIANT")
    stage.add_argument("stage", metavar="STAGE", choices=("shadow", "canary", "active", "blacklisted"))
    stage.add_argument("--why", required=True, type=_said, metavar="TEXT", help="stands in the audit log")
    stage.add_argument("--by", type=_said, metavar="NAME", help="who orders it (default: your login name)")
    for name, meaning in (
        ("export", "print what is stored of a caller"),
        ("erase", "delete what is stored of a caller"),
    ):
        one = command(name, meaning)
        one.add_argument("subject", metavar="CALLER", help="telephone number or name; - reads it from standard input")
    one.add_argument("--yes", action="store_true", help="do it; without this it is only told what would be deleted")
    command("schema", "print the JSON Schema of feedback events")
    return (made, *commands.choices.values())


def _training(one: argparse.ArgumentParser) -> None:
    one.add_argument("--candidates", type=_few, default=1, metavar="N", help="propose at most N (default: 1)")
    one.add_argument("--dry-run", action="store_true", help="report only; do not write candidates.toml")
    one.add_argument("--days", type=_days, metavar="N", help="use only calls of the last N days")
    one.add_argument("--least-calls", type=_calls, default=200, metavar="N", help="refuse with fewer (default: 200)")
    one.add_argument("--trees", action="store_true", help="check the linear model against trees (needs tomrt[train])")
    one.add_argument("--seed", type=abs_int, default=0, metavar="N", help="of the random pairs (default: 0)")


def _few(text: str) -> int:
    return _whole(text, 0, 10)


def _calls(text: str) -> int:
    return _whole(text, 20, 1_000_000)


def _days(text: str) -> int:
    return _whole(text, 1, 3_650)


def abs_int(text: str) -> int:
    """Return a whole number that is not negative."""
    return _whole(text, 0, 2**63)


def _whole(text: str, least: int, most: int) -> int:
    value = int(text)
    if not least <= value <= most:
        raise ValueError(text)
    return value


def _said(text: str) -> str:
    if not text.strip():
        raise ValueError(text)
    return text.strip()


_few.__name__, _calls.__name__ = "number from 0 to 10", "number from 20 to 1000000"
_days.__name__, abs_int.__name__, _said.__name__ = "number of days from 1 to 3650", "seed", "text"


def run(argv: Sequence[str]) -> int:
    """Do what the arguments say; return the exit code.

    Raises:
        SettingsError: the settings or the variants are wrong, or name no folder.
    """
    arguments = parser().parse_args(argv)
    from tomrt.settings_file import load  # noqa: PLC0415 - costs time that help and mistakes need not

    settings = load(arguments.config, os.environ)
    try:
        answer = _COMMANDS[arguments.command](arguments, settings)
    except InvalidVariants as error:
        raise SettingsError(*error.faults) from None
    except LearningError as error:
        if arguments.json:
            print(json.dumps({"ok": False, "faults": error.faults}))
        print(*(f"tomrt: {fault}" for fault in error.faults), sep="\n", file=sys.stderr)
        from tomrt.rl.learning_folder import NothingThere  # noqa: PLC0415 - costs time that help and mistakes need not

        return NOTHING_THERE if isinstance(error, NothingThere) else FAILED
    if arguments.json or answer.text is None:
        print(json.dumps(answer.data, allow_nan=False, indent=None if arguments.json else 2, ensure_ascii=False))
    else:
        print(answer.text)
    return answer.code


# --- what is asked ---------------------------------------------------------------------------------------------------


def _folder(arguments: argparse.Namespace, settings: Settings) -> LearningFolder:
    from tomrt.rl.learning_folder import LearningFolder  # noqa: PLC0415 - costs time that help and mistakes need not

    named: Path | None = arguments.folder
    if named is None and not settings.learning.folder:
        raise SettingsError("learning.folder is not set, so nothing is learned; set it, or say --folder DIR")
    folder = LearningFolder(named or Path(settings.learning.folder), _variants_file(settings))
    owner = folder.path.stat().st_uid
    if owner != os.geteuid():
        name = _name_of(owner)
        raise SettingsError(
            f"the folder {folder.path} belongs to {name}: run this as that user (sudo -u {name} ...), or files would "
            "be made that the service cannot read"
        )
    return folder


def _name_of(user: int) -> str:
    try:
        return pwd.getpwuid(user).pw_name
    except KeyError:
        return f"#{user}"


def _variants_file(settings: Settings) -> Path | None:
    return Path(settings.learning.variants) if settings.learning.variants else None


def _status(arguments: argparse.Namespace, settings: Settings) -> Answer:
    folder = _folder(arguments, settings)
    snapshot, status, pending, changes = folder.snapshot(), folder.status(), folder.pending(), folder.changes(LATEST)
    lines = [str(status), "", f"as of {_moment(snapshot.at)}", *(f"note: {note}" for note in snapshot.notes)]
    lines += [f"not done yet: {each.variant} -> {each.stage}, by {each.by}: {each.why}" for each in pending]
    lines += [
        f"{_moment(each.at)}  {each.variant}: {each.before.value} -> {each.after.value}, by {each.by}: {each.why}"
        for each in changes
    ]
    data = {
        **status.to_dict(),
        "notes": snapshot.notes,
        "pending": [asdict(each) for each in pending],
        "changes": [asdict(each) | {"before": each.before.value, "after": each.after.value} for each in changes],
    }
    return Answer(data=data, text="\n".join(lines), code=OK if status.healthy else FAILED)


def _variants(arguments: argparse.Namespace, settings: Settings) -> Answer:
    from tomrt.rl.table import as_text  # noqa: PLC0415 - costs time that help and mistakes need not
    from tomrt.rl.variants import load  # noqa: PLC0415 - the same

    folder = _folder(arguments, settings) if arguments.folder or settings.learning.folder else None
    catalogue = folder.catalogue() if folder else load(_variants_file(settings))
    known = {name: each.stage for name, each in catalogue.variants.items()} | _stages(folder)
    slots = {name: dict(each.slots) for name, each in catalogue.variants.items()}
    rows = [(name, known[name], *levels.values()) for name, levels in slots.items()]
    data = {name: {"stage": known[name], "slots": levels} for name, levels in slots.items()}
    return Answer(data=data, text=as_text(("variant", "stage", *catalogue.slots), rows))


def _stages(folder: LearningFolder | None) -> dict[str, str]:
    """Return the stages the service last knew; none where it has not saved any."""
    from tomrt.rl.learning_folder import NothingThere  # noqa: PLC0415 - costs time that help and mistakes need not

    try:
        return {each.variant: each.stage.value for each in folder.status().variants} if folder else {}
    except NothingThere:
        return {}


def _explain(arguments: argparse.Namespace, settings: Settings) -> Answer:
    explanation = _folder(arguments, settings).bandit().explain()
    return Answer(data=asdict(explanation), text=str(explanation))


def _stats(arguments: argparse.Namespace, settings: Settings) -> Answer:
    with closing(_folder(arguments, settings).store()) as store:
        statistics = store.statistics()
    return Answer(data=statistics.to_dict(), text=str(statistics))


def _schema(_arguments: argparse.Namespace, settings: Settings) -> Answer:
    from tomrt.rl.schema import feedback_schema  # noqa: PLC0415 - costs time that help and mistakes need not
    from tomrt.rl.variants import load  # noqa: PLC0415 - the same

    return Answer(data=feedback_schema(load(_variants_file(settings)).profiles))


# --- what is ordered -------------------------------------------------------------------------------------------------


def _stage(arguments: argparse.Namespace, settings: Settings) -> Answer:
    folder = _folder(arguments, settings)
    catalogue = folder.catalogue()
    if arguments.variant not in catalogue.variants:
        raise LearningError(f"there is no variant {arguments.variant!r} (there are {', '.join(catalogue.variants)})")
    if arguments.variant == catalogue.deployment.base and arguments.stage != "active":
        raise LearningError(
            f"{arguments.variant!r} is the base variant, which every call can fall back on: it stays active"
        )
    by = arguments.by or _login_name()
    with closing(folder.store(writes=True)) as store:
        number = store.override(arguments.variant, arguments.stage, by=by, why=arguments.why, now=time.time())
    data = {"order": number, "variant": arguments.variant, "stage": arguments.stage, "by": by, "why": arguments.why}
    text = f"order {number}: {arguments.variant} -> {arguments.stage}, by {by}; {_DONE_WHEN}"
    if arguments.variant not in (_stages(folder) or catalogue.variants):
        text += f"\nnote: {arguments.variant} is newer than the last saved state; {_IF_RUNNING}"
    return Answer(data=data, text=text)


_DONE_WHEN = "the service does so within seconds, or at its next start"
_IF_RUNNING = "a service that was started before it was proposed must be started again first"


def _login_name() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        raise LearningError("your login name is not known; say who orders this with --by NAME") from None


def _export(arguments: argparse.Namespace, settings: Settings) -> Answer:
    subject = _subject(arguments)
    with closing(_folder(arguments, settings).store(keys=True)) as store:
        return Answer(data=store.export(subject))


def _erase(arguments: argparse.Namespace, settings: Settings) -> Answer:
    subject = _subject(arguments)
    with closing(_folder(arguments, settings).store(writes=True)) as store:
        if not arguments.yes:
            number = len(store.export(subject))
            text = f"{number} calls would be deleted; nothing is deleted without --yes"
            return Answer(data={"deleted": 0, "found": number}, text=text, code=FAILED)
        number = store.erase(subject)
    return Answer(data={"deleted": number, "found": number}, text=f"{number} calls are deleted")


def _subject(arguments: argparse.Namespace) -> str:
    """Return whose calls are meant; from standard input where it should not stand in a list of processes."""
    subject = sys.stdin.readline() if arguments.subject == "-" else arguments.subject
    if not subject.strip():
        raise SettingsError("CALLER is empty: name a telephone number, or the name under which calls were taken")
    return str(subject).strip()


def _train(arguments: argparse.Namespace, settings: Settings) -> Answer:
    import numpy as np  # noqa: PLC0415 - costs time that help and mistakes need not

    from tomrt.rl.candidate import export, propose  # noqa: PLC0415 - the same
    from tomrt.rl.training import TrainingRules, train  # noqa: PLC0415 - the same

    folder = _folder(arguments, settings)
    catalogue = folder.catalogue()
    since = time.time() - arguments.days * DAY_S if arguments.days else 0.0
    tell, done = _progress(arguments)
    try:
        with closing(folder.store()) as store:
            training = train(
                (each for each in store.episodes() if each.decision.at >= since),
                catalogue.slot_levels(),
                catalogue.slots,
                base=catalogue.deployment.base,
                weights=catalogue.reward,
                rng=np.random.default_rng(arguments.seed),
                rules=TrainingRules(least_calls=arguments.least_calls, trees=arguments.trees),
                tell=tell,
            )
    finally:
        done()
    candidates = propose(training, most=arguments.candidates)
    note = f"from {training.calls} calls until {_moment(training.until)}"
    added = () if arguments.dry_run else export(folder.candidates, candidates, catalogue, note=note)
    lines = [str(training), "", *(f"proposed: {each}" for each in candidates)]
    lines += [] if candidates else ["nothing is proposed: no combination that nobody heard yet promises more"]
    lines += [f"written to {folder.candidates}, in stage shadow: {', '.join(added)}"] if added else []
    data = {**training.to_dict(), "candidates": [asdict(each) for each in candidates], "added": list(added)}
    return Answer(data=data, text="\n".join(lines))


def _progress(arguments: argparse.Namespace) -> tuple[Callable[[str], None], Callable[[], None]]:
    """Return what tells how far training is, on one line of a terminal that someone watches, and what wipes it off."""
    if arguments.json or not sys.stderr.isatty():
        return (lambda _: None), (lambda: None)

    def tell(what: str) -> None:
        print(f"\r\033[K{what} ...", end="", file=sys.stderr, flush=True)

    return tell, lambda: print("\r\033[K", end="", file=sys.stderr, flush=True)


def _moment(at: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(at))


_COMMANDS: Mapping[str, Callable[[argparse.Namespace, Settings], Answer]] = {
    "status": _status,
    "variants": _variants,
    "explain": _explain,
    "stats": _stats,
    "stage": _stage,
    "export": _export,
    "erase": _erase,
    "schema": _schema,
    "train-policy": _train,
}
