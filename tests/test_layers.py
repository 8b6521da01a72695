"""Who may import whom, held as data and checked on every import of the package."""

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "tomrt"
SOURCES = sorted(PACKAGE.rglob("*.py"))

GROUND = {"errors", "events", "happenings", "settings", "settings_meaning", "settings_faults", "settings_file", "ports"}
MAY_IMPORT = {
    "errors": set(),
    "_dsp": {"_dsp"},
    "rl": {"rl"},
    "events": {"errors"},
    "happenings": {"events"},
    "settings_meaning": {"errors"},
    "settings": {"errors", "settings_meaning"},
    "settings_faults": {"errors", "settings"},
    "settings_file": {"errors", "settings", "settings_meaning", "settings_faults"},
    "ports": {"events", "happenings", "errors"},
    "audio": GROUND | {"audio", "_dsp"},
    "wire": GROUND | {"wire"},
    "turns": GROUND | {"turns"},
    "dialogue": GROUND | {"dialogue"},
    "security": GROUND | {"security"},
    "call": GROUND | {"call", "audio", "turns", "dialogue"},
    "observe": GROUND | {"observe", "audio", "security"},
    "engines": GROUND | {"engines", "audio", "wire", "dialogue"},
    "gateway": GROUND | {"gateway", "audio", "wire", "security", "observe"},
    "caller": GROUND | {"caller", "audio", "wire", "engines", "security"},
    "simulation": GROUND | {"simulation", "audio", "turns", "dialogue", "call", "engines", "learning", "rl"},
    "banner": GROUND | {"engines"},
    "listeners": GROUND | {"gateway"},
    "learning": GROUND | {"learning", "rl"},
    "learning_command": GROUND | {"rl"},
    "token_command": GROUND | {"security", "wire"},
    "doctor": GROUND | {"doctor", "wire", "gateway", "audio", "security", "caller"},
    "app": {"*"},
    "__init__": set(),
    "__main__": GROUND | {"app", "caller", "simulation", "doctor", "token_command", "learning_command"},
}
PURE = {"_dsp", "rl", "audio", "wire", "turns", "dialogue"}
FORBIDDEN_IN_PURE = {"trio", "socket", "asyncio", "threading", "time"}
NURSERIES = {
    "app.py", "call/session.py", "engines/workers.py", "gateway/doorway.py", "gateway/front_door.py",
    "gateway/call_door.py",
    "gateway/freeswitch_outbound.py", "gateway/freeswitch_inbound.py", "gateway/rtp.py", "doctor/audio_trial.py",
    "doctor/examination.py", "doctor/loopback_call.py",
    "gateway/http.py", "caller/line.py", "simulation/world.py",
}  # fmt: skip


def room(path: Path) -> str:
    """Return the room a file belongs to: its top-level folder, or its own name."""
    parts = path.relative_to(PACKAGE).parts
    return parts[0] if len(parts) > 1 else path.stem


def imports(path: Path):
    """Yield the dotted name of everything a file imports, also within functions."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            if node.module == "tomrt":
                yield from (f"tomrt.{alias.name}" for alias in node.names)
            else:
                yield node.module or ""


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.relative_to(PACKAGE).as_posix())
def test_imports_follow_the_layers(path):
    """A file imports only rooms that its own room may know."""
    allowed = MAY_IMPORT[room(path)]
    for name in imports(path):
        if name.split(".")[0] == "tomrt" and "*" not in allowed:
            target = [*name.split("."), "__init__"][1]
            assert target in allowed, f"{path}: imports {name}"


@pytest.mark.parametrize("path", [path for path in SOURCES if room(path) in PURE], ids=lambda path: path.name)
def test_pure_rooms_have_no_clock_and_no_io(path):
    """Protocol cores, kernels, turns and dialogue take time and bytes as arguments."""
    tops = {name.split(".")[0] for name in imports(path)}
    assert not tops & FORBIDDEN_IN_PURE


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.relative_to(PACKAGE).as_posix())
def test_nurseries_stand_where_they_are_expected(path):
    """Tasks are started only in the few files whose business that is."""
    if "open_nursery" in path.read_text(encoding="utf-8"):
        assert path.relative_to(PACKAGE).as_posix() in NURSERIES


def test_no_import_circles():
    """Importing any module first never leads back to itself."""
    graph = {}
    for path in SOURCES:
        parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
        name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        graph[name] = _runtime_imports(path)
    done: set[str] = set()

    def visit(name: str, trail: tuple[str, ...]) -> None:
        assert name not in trail, " -> ".join((*trail, name))
        if name in done or name not in graph:
            return
        for target in graph[name]:
            visit(target, (*trail, name))
        done.add(name)

    for name in graph:
        visit(name, ())


def _runtime_imports(path: Path) -> set[str]:
    """Top-level imports only, and not those under TYPE_CHECKING."""
    found = set()
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            submodules = {f"{node.module}.{alias.name}" for alias in node.names}
            as_modules = {name for name in submodules if _is_module(name)}
            found |= as_modules or {node.module}
    return {name for name in found if name.startswith("tomrt")}


def _is_module(name: str) -> bool:
    path = PACKAGE.parent.joinpath(*name.split("."))
    return path.with_suffix(".py").exists() or path.is_dir()
