"""The reference of the audio package says nothing that does not run."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

PAGE = Path(__file__).parents[2] / "docs" / "dsp.md"
FENCE = re.compile(r"^```python\n(.*?)^```$", re.DOTALL | re.MULTILINE)


def test_examples_run():
    """Every example on the page runs, in order, in one namespace."""
    if not PAGE.exists():
        pytest.skip("needs docs/dsp.md of the checkout")
    text = PAGE.read_text(encoding="utf-8")
    names: dict[str, object] = {}
    examples = list(FENCE.finditer(text))
    assert len(examples) > 8
    for example in examples:
        # Lines of the page, so that a failing assert points into it.
        above = "\n" * text.count("\n", 0, example.start(1))
        exec(compile(above + example[1], str(PAGE), "exec"), names)
