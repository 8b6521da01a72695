"""Puts ``tests/`` on the path, so that tests can import ``fakes``, and the hostile requests of the gateway's tests."""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parent / "gateway"))
