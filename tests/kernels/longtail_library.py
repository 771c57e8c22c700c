"""Build the portable C headers as one shared library for ctypes.

With ``WHET_INLINE`` defined as plain visibility every header function becomes an exported symbol
with run-time shapes, so the tests call exactly the functions an emitted model inlines.
"""

from __future__ import annotations

import ctypes
import hashlib
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path

import numpy as np

from whet.emit.headers import amalgamate

INCLUDE = Path(__file__).resolve().parents[2] / "whet" / "kernels" / "include"
FLAGS = [
    "-std=c11",
    "-g0",
    "-ffreestanding",
    "-nostdlib",
    "-fno-sanitize=undefined",
    "-fno-stack-protector",
    "-ffp-contract=off",
    "-fno-math-errno",
    "-Wall",
    "-Wextra",
    "-Werror",
    "-Wno-unused-parameter",
    "-iquote",
    str(INCLUDE),
]
EXPORT = '-DWHET_INLINE=__attribute__((visibility("default")))'
TARGETS = {
    "x86_64": ["-target", "x86_64-linux-gnu.2.17", "-mcpu=x86_64"],
    "x86_64_v4": ["-target", "x86_64-linux-gnu.2.17", "-mcpu=x86_64_v4"],
    "aarch64": ["-target", "aarch64-linux-gnu"],
    "cortex_m4": ["-target", "thumb-freestanding-eabihf", "-mcpu=cortex_m4+vfp4d16sp"],
    "cortex_m3": ["-target", "thumb-freestanding-eabi", "-mcpu=cortex_m3"],
    "wasm32": ["-target", "wasm32-freestanding", "-mcpu=generic+simd128"],
}


def compile_c(source: str, output: Path, *flags: str) -> None:
    """Compile ``source`` to ``output`` with the house flags and ``flags``; a warning raises."""
    text = output.with_suffix(".c")
    text.write_text(source)
    command = [sys.executable, "-m", "ziglang", "cc", *FLAGS, *flags, str(text), "-o", str(output)]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(done.stderr)


@cache
def library(*headers: str, flags: Sequence[str] = ()) -> ctypes.CDLL:
    """The functions of ``headers`` as a shared library for this machine, cached by content."""
    key = hashlib.sha256(
        "|".join([amalgamate(headers), *FLAGS, *headers, *flags]).encode()
    ).hexdigest()[:24]
    path = Path(tempfile.gettempdir()) / "whet-longtail" / f"{key}.so"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        source = "".join(f'#include "{name}"\n' for name in headers)
        built = path.with_name(f"{key}-{os.getpid()}.so")
        compile_c(source, built, "-O0", "-shared", "-fPIC", EXPORT, *TARGETS["x86_64"], *flags)
        built.replace(path)
    return ctypes.CDLL(str(path))


Argument = np.ndarray | np.generic | float | int | None


def call(function: Callable[..., int], *arguments: Argument) -> int:
    """Call a header function: arrays go as pointers, int as ``long``, float as ``double``.

    A ``np.float32`` scalar goes as C ``float``, a ``np.int32`` one as C ``int``.
    """
    converted: list[object] = []
    for value in arguments:
        if value is None:
            converted.append(ctypes.c_void_p(0))
        elif isinstance(value, np.ndarray) and value.ndim + value.size:
            assert value.flags.c_contiguous
            converted.append(ctypes.c_void_p(value.ctypes.data))
        elif isinstance(value, np.float32):
            converted.append(ctypes.c_float(float(value)))
        elif isinstance(value, np.int32):
            converted.append(ctypes.c_int(int(value)))
        elif isinstance(value, float):
            converted.append(ctypes.c_double(value))
        else:
            assert isinstance(value, int)
            converted.append(ctypes.c_long(value))
    return int(function(*converted))
