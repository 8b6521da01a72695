"""Everything the feedback store says to SQLite."""
# ruff: noqa: S608 - only the names of columns, which stand in this package, are put into the queries

from __future__ import annotations

from tomrt.rl.feedback import SIGNALS
from tomrt.rl.store_rows import DECISION_COLUMNS

_D = ", ".join(f"d.{name}" for name in DECISION_COLUMNS)
_F = ", ".join(f"f.{name}" for name in SIGNALS)
_P = ", ".join(f"p.{name}" for name in SIGNALS)
_LATEST = "f.seq = (SELECT MAX(seq) FROM feedback WHERE decision = d.seq)"
_THOSE = "subject IN (SELECT value FROM json_each(?))"

RECORD = (
    "INSERT INTO decisions (id, call, subject, agent, profile, at, stored, variant, propensity, policy, version,"
    " eligible, probabilities, context, traffic, independent) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)
KNOWN = (
    f"SELECT d.seq, d.variant, d.call, d.subject, f.seq, f.observed, {_F} FROM decisions d"
    f" LEFT JOIN feedback f ON {_LATEST} WHERE d.id = ?"
)
COLLECT = f"INSERT INTO feedback (decision, at, {', '.join(SIGNALS)}, observed) VALUES (?, ?, {'?, ' * len(SIGNALS)}?)"
COUNT = "INSERT INTO counts VALUES (?, 1) ON CONFLICT (name) DO UPDATE SET number = number + 1"
AFTER = (
    f"SELECT f.seq, p.seq, {_D}, {_F}, {_P} FROM feedback f JOIN decisions d ON d.seq = f.decision"
    " LEFT JOIN feedback p ON p.seq = (SELECT MAX(seq) FROM feedback WHERE decision = f.decision AND seq < f.seq)"
    " WHERE f.seq > ? ORDER BY f.seq LIMIT ?"
)
EPISODES = (
    f"SELECT d.seq, d.profile, d.agent, d.subject, f.observed, {_D}, {_F} FROM decisions d"
    f" JOIN feedback f ON {_LATEST} WHERE d.seq > ? ORDER BY d.seq LIMIT ?"
)
STATISTICS = (
    f"SELECT d.variant, d.profile, COUNT(*), COUNT(f.seq), {', '.join(f'COUNT(f.{n}), AVG(f.{n})' for n in SIGNALS)}"
    f" FROM decisions d LEFT JOIN feedback f ON {_LATEST} GROUP BY d.variant, d.profile ORDER BY d.variant, d.profile"
)
OVERRIDE = "INSERT INTO overrides (at, variant, stage, by, why) VALUES (?, ?, ?, ?, ?)"
OVERRIDES_AFTER = "SELECT seq, at, variant, stage, by, why FROM overrides WHERE seq > ? ORDER BY seq LIMIT ?"
EXPORT = f"SELECT d.seq, d.profile, d.agent, {_D} FROM decisions d WHERE d.{_THOSE} ORDER BY d.seq"
FEEDBACK_OF = f"SELECT f.at, {_F} FROM feedback f WHERE f.decision = ? ORDER BY f.seq"
ERASE = f"DELETE FROM decisions WHERE {_THOSE}"
CLEAN_UP = "DELETE FROM decisions WHERE stored + 3600 <= ?"
