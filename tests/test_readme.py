"""What the pages say is there."""

import re
from pathlib import Path

import pytest
from attrs import fields

from tomrt import learning_command, token_command
from tomrt.__main__ import _call_parser, _serve_parser, _sim_parser
from tomrt.doctor import command as doctor_command
from tomrt.settings import sections

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
PARSERS = (
    _serve_parser(),
    _call_parser(),
    _sim_parser(),
    doctor_command.parser(),
    token_command.parser(),
    *learning_command.parsers(),
)
OPTIONS = {option for parser in PARSERS for option in parser._option_string_actions}
KEYS = {f"{name}.{each.name}" for name, section in sections() for each in fields(section)}


def test_two_commands_stand_first():
    """The README begins with the two commands, and the gate runs the second of them."""
    text = (ROOT / "README.md").read_text()
    first, second = "pip install -e . && python -m tomrt", "pip install -e '.[test]' && pytest"
    assert 0 < text.index(first) < text.index(second) < text.index("## The first call")
    gate = (ROOT / ".ci" / "run").read_text()
    assert "pip install -q -e '.[test]'" in gate
    assert "python -m pytest" in gate


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page):
    """Every link to a file of the project leads to one."""
    for target in re.findall(r"\]\(([^)#]+)\)", page.read_text()):
        if "://" not in target:
            assert (page.parent / target).exists(), target


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_options_and_settings_exist(page):
    """Every option and every setting that a page names exists under that name."""
    text = page.read_text()
    assert set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", text)) <= OPTIONS
    names = "|".join(name for name, _ in sections())
    assert set(re.findall(rf"`((?:{names})\.[a-z_]+)`", text)) <= KEYS
