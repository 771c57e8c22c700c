"""Every header compiles alone, warning-free, for every target family, and calls no library."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.kernels.longtail_library import EXPORT, INCLUDE, TARGETS, compile_c

HEADERS = [
    "types.h",
    "math.h",
    "convert.h",
    "quick_f32.h",
    "window.h",
    "reduce.h",
    "softmax.h",
    "norm.h",
    "pool.h",
    "gather.h",
    "scatter.h",
    "sort.h",
    "resize.h",
    "grid_sample.h",
    "rnn.h",
    "conv_generic.h",
    "matmul_generic.h",
    "detection.h",
    "spectrum.h",
    "linear_algebra.h",
    "random.h",
    "tree_ensemble.h",
    "classic_ml.h",
    "tfidf.h",
]
# Calls that compilers make on their own: memory, and arithmetic the CPU lacks.
RUNTIME = (
    "memcpy",
    "memset",
    "memmove",
    "__aeabi_",
    "_GLOBAL_OFFSET_TABLE_",
    "__stack_pointer",
    "__linear_memory",
    "__indirect_function_table",
    "__multi3",
)


def _undefined_symbols(path: Path) -> list[str]:
    nm = shutil.which("llvm-nm") or shutil.which("nm")
    if nm is None:
        pytest.skip("no nm to list undefined symbols with")
    text = subprocess.run([nm, "-u", str(path)], capture_output=True, text=True, check=True).stdout
    names = [line.split()[-1] for line in text.splitlines() if line.strip()]
    return [name for name in names if not name.startswith(RUNTIME)]


@pytest.mark.parametrize("target", TARGETS)
def test_headers_compile_and_need_no_library(target: str, tmp_path: Path) -> None:
    source = "".join(f'#include "{name}"\n' for name in HEADERS)
    compile_c(source, tmp_path / "all.o", "-O0", "-c", EXPORT, *TARGETS[target])
    assert _undefined_symbols(tmp_path / "all.o") == []


def test_every_header_stands_alone(tmp_path: Path) -> None:
    for name in HEADERS:
        compile_c(f'#include "{name}"\nint unused;\n', tmp_path / "one.o", "-c", *TARGETS["x86_64"])


@pytest.mark.skipif(shutil.which("gcc") is None, reason="no gcc on this machine")
def test_headers_compile_with_gcc(tmp_path: Path) -> None:
    text = tmp_path / "all.c"
    text.write_text("".join(f'#include "{name}"\n' for name in HEADERS))
    flags = ["-std=c11", "-ffreestanding", "-fsyntax-only", "-Werror", "-iquote", str(INCLUDE)]
    done = subprocess.run(["gcc", *flags, str(text)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
