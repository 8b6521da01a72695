"""What a call needs of learning is small and comes fast; heavier things are loaded only where they are used."""

import json
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
MEASURE = """
import importlib, json, sys
for name in sys.argv[1:]:
    importlib.import_module(name)
status = dict(line.split(":", 1) for line in open("/proc/self/status"))
print(json.dumps({"rss_kib": int(status["VmRSS"].split()[0]), "modules": sorted(sys.modules)}))
"""
ALONE = """
import attrs, importlib, json, numpy, numpy.random, os, sys
for name in sys.argv[1:]:
    child = os.fork()
    if not child:
        importlib.import_module(name)
        print(json.dumps([name, sorted(sys.modules)]), flush=True)
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0, name
"""
HEAVY = {
    "sklearn", "scipy", "pandas", "matplotlib", "phonenumbers", "trio", "asyncio", "socket", "ssl", "httpx",
    "cattrs", "starlette", "prometheus_client", "urllib.request", "tomrt._dsp", "tomrt.events", "tomrt.errors",
}  # fmt: skip
PRESENT = [
    f"tomrt.rl.{name}"
    for name in ("bandit", "guard", "dialogue_policy", "feedback", "reward", "state_file", "store", "variants")
    if (ROOT / "tomrt" / "rl" / f"{name}.py").exists()
]


def fresh(program, *names):
    """Return what a fresh process prints."""
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    return subprocess.run(
        [sys.executable, "-c", program, *names], capture_output=True, env=environment, check=True
    ).stdout


def test_each_module_can_be_imported_alone():
    """No module of the room needs the rest of tomrt, anything heavy, or another one to be imported before it."""
    names = sorted(f"tomrt.rl.{path.stem}" for path in (ROOT / "tomrt" / "rl").glob("[a-z]*.py"))
    found = dict(json.loads(line) for line in fresh(ALONE, *names).splitlines())
    assert sorted(found) == names
    assert {name: HEAVY & set(modules) for name, modules in found.items() if HEAVY & set(modules)} == {}


def test_the_decision_path_is_small():
    """All that a service's start imports of this room adds less than 35 MB to Python, NumPy with it."""
    bare, whole = (json.loads(fresh(MEASURE, *names)) for names in ((), PRESENT))
    assert not HEAVY & set(whole["modules"])
    assert (whole["rss_kib"] - bare["rss_kib"]) * 1024 < 35e6
