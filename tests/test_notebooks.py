"""The notebooks of the documentation run from top to bottom, with nothing of tomrt but its learning."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

NOTEBOOKS = sorted((Path(__file__).parents[1] / "docs" / "notebooks").glob("*.ipynb"))

RUNNER = """
import json, sys
scope = {"__name__": "__main__"}
for number, cell in enumerate(json.load(open(sys.argv[1], encoding="utf-8"))["cells"]):
    if cell["cell_type"] == "code":
        exec(compile("".join(cell["source"]), f"cell {number}", "exec"), scope)
held = scope["held"]
effects = scope["training"].search.effects
print(json.dumps({
    "rooms": sorted({name.split(".")[1] for name in sys.modules if name.startswith("tomrt.")}),
    "held": [sum(column) / len(held) for column in zip(*held)],
    "effects": scope["inside"] / len(effects),
}), file=sys.stderr)
"""


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_runs(path):
    """It runs in a fresh process, imports no other room, and its intervals hold the truth as it says they do."""
    environment = os.environ | {"MPLBACKEND": "agg", "OPENBLAS_NUM_THREADS": "1"}
    command = [sys.executable, "-W", "error", "-c", RUNNER, str(path)]
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, timeout=120, env=environment, cwd=path.parents[2]
    )
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stderr.splitlines()[-1])
    assert told["rooms"] == ["rl"]
    assert min(told["held"]) >= 0.8
    assert told["effects"] >= 0.8
    assert "proposed" in path.read_text(encoding="utf-8").lower()


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_explains_itself(path):
    """Every cell of code but the first and the last stands after words that say what it is about."""
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    words = sum(len("".join(cell["source"]).split()) for cell in cells if cell["cell_type"] == "markdown")
    assert cells[0]["cell_type"] == "markdown"
    assert words > 500
    assert not any(cell.get("outputs", [{}])[:1] == [{"output_type": "error"}] for cell in cells)
