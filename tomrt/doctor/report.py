"""What the doctor tells: findings as they come, one line of sum, and the exit code."""

from __future__ import annotations

import textwrap
from collections import Counter
from collections.abc import Iterator

from attrs import frozen

from tomrt.doctor.finding import Finding, Verdict

__all__ = ["NOT_REACHED", "Report", "as_json", "lines_of"]

OK, FAILED, UNREACHABLE = 0, 1, 3
TITLE_WIDTH = 27
WIDTH = 118
NOT_REACHED = "reach"
"""Id of the finding that decides whether there is a FreeSWITCH at all."""

_INDENT = " " * (len("skipped  ") + TITLE_WIDTH)


@frozen(kw_only=True)
class Report:
    """All findings of one examination.

    Args:
        where: The address that was examined, as ``127.0.0.1:8021``.
        findings: In the order of the checks.
    """

    where: str
    findings: tuple[Finding, ...]

    @property
    def exit_code(self) -> int:
        """0 when nothing failed, 3 when there was no FreeSWITCH to examine, else 1."""
        failures = [each.id for each in self.findings if each.verdict is Verdict.FAIL]
        if NOT_REACHED in failures:
            return UNREACHABLE
        return FAILED if failures else OK

    @property
    def summary(self) -> str:
        """One line that says how it stands."""
        counts = Counter(each.verdict for each in self.findings)
        parts = [f"{counts[verdict]} {word}" for verdict, word in _WORDS.items() if counts[verdict]]
        return f"FreeSWITCH at {self.where}: {', '.join(parts)}"


_WORDS = {
    Verdict.OK: "in order",
    Verdict.WARN: "to look at",
    Verdict.FAIL: "wrong",
    Verdict.SKIPPED: "not checked",
}


def lines_of(finding: Finding) -> Iterator[str]:
    """Yield how *finding* reads on a terminal: verdict, title and what was seen, then why and what to do."""
    yield f"{finding.verdict.value:9}{finding.title:{TITLE_WIDTH}}{_wrapped(finding.seen)}"
    if finding.why:
        yield f"{_INDENT}{_wrapped(finding.why)}"
    if finding.do:
        yield f"{_INDENT}{_wrapped('do: ' + finding.do)}"


def _wrapped(text: str) -> str:
    return f"\n{_INDENT}".join(
        textwrap.wrap(text, WIDTH - len(_INDENT), break_on_hyphens=False, break_long_words=False) or [""]
    )


def as_json(report: Report) -> dict[str, object]:
    """Return the report as one JSON object."""
    return {
        "where": report.where,
        "exit_code": report.exit_code,
        "summary": report.summary,
        "findings": [_finding_as_json(each) for each in report.findings],
    }


def _finding_as_json(finding: Finding) -> dict[str, object]:
    return {
        "id": finding.id,
        "title": finding.title,
        "verdict": finding.verdict.value,
        "seen": finding.seen,
        "why": finding.why,
        "do": finding.do,
        "figures": finding.figures,
    }
