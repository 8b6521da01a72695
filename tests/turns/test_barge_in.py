"""The barge-in decision."""

import pytest

from tomrt.turns.barge_in import BargeIn, Evidence, Verdict, decide, weigh

KNOBS = BargeIn()


def verdict(pattern: str, *, remaining_ms: float = 5_000.0) -> tuple[Verdict, float]:
    """Feed one frame a letter, ``x`` for speech; return the first verdict and the clock time it fell at."""
    evidence, now = Evidence(since=100.0, remaining_ms=remaining_ms), 100.0
    for letter in pattern:
        now += 0.020
        evidence = weigh(evidence, letter == "x", 20.0)
        if (found := decide(evidence, now, KNOBS)) is not Verdict.WAIT:
            return found, round(now - 100.0, 3)
    return Verdict.WAIT, round(now - 100.0, 3)


@pytest.mark.parametrize(
    ("pattern", "remaining_ms", "expected"),
    [
        ("x" * 23, 5_000, (Verdict.COMMIT, 0.46)),
        ("x" * 12 + "." * 12, 5_000, (Verdict.RESUME, 0.48)),
        ("x" * 12 + "." * 12, 500, (Verdict.COMMIT, 0.48)),
        ("x" * 3 + "." * 12, 500, (Verdict.RESUME, 0.30)),
        ("x..." * 3 + "xx...........", 5_000, (Verdict.RESUME, 0.5)),
        ("x.x.x.x.x.x.x.x.x.x.x.x.x", 5_000, (Verdict.COMMIT, 0.5)),
        ("x" * 10, 5_000, (Verdict.WAIT, 0.2)),
    ],
    ids=["speech", "backchannel", "early answer", "breath", "cough", "still speaking", "too early to tell"],
)
def test_verdicts(pattern, remaining_ms, expected):
    """Long speech commits, short speech resumes, and by the deadline one of them has been decided."""
    assert expected == verdict(pattern, remaining_ms=remaining_ms)
