"""An examination as it is told: findings line by line as they are made, or one JSON object at the end."""

from __future__ import annotations

import json
import os
import sys

from tomrt.caller.terminal import DIM, GREEN, RED, Terminal
from tomrt.doctor.examination import Examination, Patient
from tomrt.doctor.finding import Finding, Verdict
from tomrt.doctor.report import as_json as report_as_json
from tomrt.doctor.report import lines_of

__all__ = ["examine"]

YELLOW = 33
STYLES = {Verdict.OK: GREEN, Verdict.WARN: YELLOW, Verdict.FAIL: RED, Verdict.SKIPPED: DIM}


async def examine(patient: Patient, *, as_json: bool) -> int:
    """Examine *patient*, tell what is found, and return the exit code.

    On a terminal a moving line says what is being done; with *as_json* it is on standard error.
    """
    terminal = Terminal(sys.stderr if as_json else sys.stdout, os.environ)

    def show(finding: Finding) -> None:
        for line in () if as_json else lines_of(finding):
            terminal.line(line, STYLES[finding.verdict])
        sys.stdout.flush()

    report = await Examination(
        patient=patient, on_step=lambda step: terminal.status(f"{step} ..."), on_finding=show
    ).run()
    terminal.clear()
    if as_json:
        print(json.dumps(report_as_json(report), ensure_ascii=False))
    else:
        terminal.line()
        terminal.line(report.summary)
    return report.exit_code
