"""Build the Cython kernels of ``tomrt._dsp``.

setuptools gets the ``.pyx`` files directly and runs Cython itself; everything else is in ``pyproject.toml``.
"""

import os
import shutil
import sys
import sysconfig
from pathlib import Path

from setuptools import Extension, setup

_BUILDING = {"build_ext", "bdist_wheel", "editable_wheel", "develop", "install"}
_KERNELS = Path("tomrt/_dsp")


def _compiler() -> str:
    """Return the C compiler that setuptools will call: ``$CC``, or the one Python was built with."""
    return (os.environ.get("CC") or sysconfig.get_config_var("CC") or "cc").split()[0]


if _BUILDING.intersection(sys.argv) and shutil.which(_compiler()) is None:
    sys.exit(
        f"tomrt needs a C compiler to build its audio kernels, and {_compiler()!r} was not found: install gcc or clang."
    )

setup(
    ext_modules=[
        Extension(
            f"tomrt._dsp.{source.stem}",
            [source.as_posix()],
            depends=sorted(header.as_posix() for kind in ("*.pxd", "*.h") for header in _KERNELS.glob(kind)),
            libraries=["m"],
            # Without fused multiply-add a sample comes out the same on every processor and at every place in a loop.
            extra_compile_args=["-O3", "-fno-math-errno", "-fno-trapping-math", "-ffp-contract=off"],
        )
        for source in sorted(_KERNELS.glob("*.pyx"))
    ]
)
