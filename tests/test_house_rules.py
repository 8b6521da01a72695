"""Rules that no single module's tests can keep."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FOLDERS = ("tomrt", "tests", "bench", "tools")
SOURCES = sorted(path for folder in FOLDERS for path in (ROOT / folder).rglob("*.py"))
PACKAGE = [path for path in SOURCES if path.is_relative_to(ROOT / "tomrt")]
MOCKS = {"mock", "unittest", "pytest_mock"}
MAX_LINES = 500
BROAD_EXCEPTS = {
    "tomrt/call/session.py",
    "tomrt/gateway/front_door.py",
    "tomrt/gateway/doorway.py",
    "tomrt/learning/router.py",
    "tomrt/learning/keeper.py",
}


def name(path: Path) -> str:
    """Return the path as people write it."""
    return path.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("path", SOURCES, ids=name)
def test_no_mocks(path):
    """Nothing is mocked: parts are real, or implement the real port."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            assert not {alias.name.split(".")[0] for alias in node.names} & MOCKS
        elif isinstance(node, ast.ImportFrom):
            assert (node.module or "").split(".")[0] not in MOCKS
        elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "monkeypatch":
            assert node.attr != "setattr"


@pytest.mark.parametrize("path", PACKAGE, ids=name)
def test_files_stay_small(path):
    """No file of the package grows past one idea."""
    assert len(path.read_text(encoding="utf-8").splitlines()) <= MAX_LINES


@pytest.mark.parametrize("path", PACKAGE, ids=name)
def test_broad_excepts_stand_at_the_boundaries(path):
    """``except Exception`` stands only at the boundaries of calls, connections and learning; nothing catches more."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ExceptHandler):
            caught = ast.unparse(node.type) if node.type else "everything"
            assert caught not in {"everything", "BaseException"}
            assert caught != "Exception" or name(path) in BROAD_EXCEPTS


def test_every_promise_is_written_down():
    """Every test says in its docstring what it promises."""
    silent = []
    for path in SOURCES:
        if path.is_relative_to(ROOT / "tests"):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_"):
                    if not ast.get_docstring(node):
                        silent.append(f"{name(path)}:{node.lineno} {node.name}")
    assert silent == []
