"""``tomrt call``: place one call, show what came of it, and say by the exit code whether it was answered."""

from __future__ import annotations

import json
import os
import sys
from io import BytesIO
from pathlib import Path

from attrs import frozen

from tomrt.audio import write_wav
from tomrt.caller.dial import dial
from tomrt.caller.plan import CallPlan, CallRecord, NotPlaced, dialect_of
from tomrt.caller.report import Report, as_json, as_table, measure
from tomrt.caller.script import Utterance
from tomrt.caller.speech import from_wav, spoken_by
from tomrt.caller.terminal import BOLD, DIM, GREEN, RED, Terminal
from tomrt.engines.espeak import Espeak
from tomrt.errors import SettingsError
from tomrt.events import Dialect

__all__ = ["CallCommand", "run"]

OK, FAILED, NOT_REACHABLE = 0, 1, 3


@frozen(kw_only=True)
class CallCommand:
    """The arguments of ``tomrt call``; see its help for each."""

    url: str
    wavs: tuple[Path, ...] = ()
    texts: tuple[str, ...] = ()
    dialect: Dialect | None = None
    rate_hz: int = 8000
    barge_in_at_s: float | None = None
    answer_wait_s: float = 15.0
    token: str = ""
    voice: str = "en-us"
    out: Path | None = None
    json: str = ""


async def run(command: CallCommand) -> int:
    """Place the call and report on it; return the exit code.

    Raises:
        SettingsError: an argument is of no use; nothing was dialled.
        EngineError: a text could not be voiced.
    """
    terminal = Terminal(sys.stderr if command.json == "-" else sys.stdout, os.environ)
    terminal.status("making the speech ...")
    _check_outputs(command)
    plan = CallPlan(
        url=command.url,
        utterances=await _utterances(command),
        dialect=dialect_of(command.url, command.dialect),
        rate_hz=command.rate_hz,
        token=command.token,
        barge_in_at_s=command.barge_in_at_s,
        answer_wait_s=command.answer_wait_s,
    )
    terminal.status(f"calling {plan.url} ...")
    result = await dial(plan, lambda at, text: terminal.status(f"{at:6.1f} s  {text}"))
    terminal.clear()
    if isinstance(result, NotPlaced):
        print(f"tomrt call: {result.sentence}", file=sys.stderr)
        return FAILED if result.reached else NOT_REACHABLE
    report = measure(result)
    _show(result, report, terminal)
    if command.out is not None:
        wav = BytesIO()
        write_wav(wav, result.heard, result.plan.rate_hz)
        _write(command.out, wav.getvalue())
    if command.json:
        _put_json(command.json, report)
    return OK if report.ok else FAILED


async def _utterances(command: CallCommand) -> tuple[Utterance, ...]:
    said = [from_wav(path, command.rate_hz) for path in command.wavs]
    if command.texts:
        voice = Espeak(command.voice)
        try:
            said += [await spoken_by(voice, text, command.rate_hz) for text in command.texts]
        finally:
            voice.close()
    return tuple(said)


def _show(record: CallRecord, report: Report, terminal: Terminal) -> None:
    terminal.line(f"call to {report.url}, dialect {report.dialect}, {record.plan.rate_hz} Hz", BOLD)
    for line in as_table(report):
        terminal.line(line)
    seconds = len(record.heard) / 2 / record.plan.rate_hz
    terminal.line(f"{seconds:.1f} s; {record.ended}", DIM)
    for fault in record.faults:
        terminal.line(f"not as {report.dialect} has it: {fault}", RED)
    answered = sum(turn.response_ms is not None for turn in report.turns)
    verdict = "ok" if report.ok else "FAILED"
    terminal.line(f"{verdict}: {answered} of {len(report.turns)} turns answered", GREEN if report.ok else RED)


def _check_outputs(command: CallCommand) -> None:
    for path in (command.out, Path(command.json) if command.json not in {"", "-"} else None):
        if path is not None and not path.absolute().parent.is_dir():
            raise SettingsError(f"{path}: there is no folder {path.absolute().parent}")
        if path is not None and path.is_dir():
            raise SettingsError(f"{path}: cannot be written: it is a folder")


def _put_json(where: str, report: Report) -> None:
    text = json.dumps(as_json(report), indent=2, ensure_ascii=False) + "\n"
    if where == "-":
        sys.stdout.write(text)
    else:
        _write(Path(where), text.encode())


def _write(path: Path, content: bytes) -> None:
    try:
        path.write_bytes(content)
    except OSError as error:
        raise SettingsError(f"{path}: cannot be written: {error.strerror}") from None
