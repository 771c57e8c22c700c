"""Builds C text against the kernel headers and loads it, for the machines this computer can run."""

from __future__ import annotations

import ctypes
import hashlib
import platform
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import numpy.typing as npt

INCLUDE = Path(__file__).parents[2] / "whet/kernels/include"
FLAGS = [
    *("-O3", "-std=c11", "-fPIC", "-ffreestanding", "-nostdlib", "-fno-sanitize=all"),
    *("-fno-stack-protector", "-Wall", "-Wextra", "-Werror"),
    *("-Wno-unused-function", "-Wno-unused-parameter"),
]
CPUS = ["native"]
"""What this computer can run: zig names of CPUs of different vector width."""
if platform.machine() == "x86_64":
    features = Path("/proc/cpuinfo").read_text().split()
    CPUS = (
        ["x86_64"] + ["x86_64_v3"] * ("avx2" in features) + ["x86_64_v4"] * ("avx512dq" in features)
    )

PRELUDE = """
#include "gemm_f32.h"
#include "conv_f32.h"
#include "depthwise_f32.h"
#include "winograd_f32.h"
#include "math_f32.h"
const int lanes = VL;
INLINE vf relu6(const void *const *extra, vf v, long row, int channel, int n) {
    return vmin(vset(6.f), vmax(vset(0.f), v));
}
"""


def compile_c(source: str, cpu: str = "native", target: str = "") -> Path:
    """Compile one C text (after PRELUDE); headers that changed rebuild it.

    A shared object that needs no outside symbol, or for other machines an object file.
    """
    text = PRELUDE + source
    headers = b"".join(p.read_bytes() for p in sorted(INCLUDE.glob("*.h")))
    key = hashlib.sha256(headers + f"{FLAGS} {cpu} {target} {text}".encode()).hexdigest()[:20]
    out = Path(tempfile.gettempdir()) / "whet-kernel-tests" / f"{key}.so"
    if not out.exists():
        out.parent.mkdir(exist_ok=True)
        out.with_suffix(".c").write_text(text)
        machine = ["-target", target, "-c"] if target else ["-shared", "-Wl,-z,defs"]
        part = out.with_suffix(".part")
        files = [f"-I{INCLUDE}", str(out.with_suffix(".c")), "-o", str(part)]
        compiler = [sys.executable, "-m", "ziglang", "cc"]
        subprocess.run([*compiler, *FLAGS, *machine, f"-mcpu={cpu}", *files], check=True)
        part.rename(out)
    return out


def build(source: str, cpu: str = "native") -> ctypes.CDLL:
    """Compile and load."""
    return ctypes.CDLL(str(compile_c(source, cpu)))


def lanes(library: ctypes.CDLL) -> int:
    """Floats in a vector of the library."""
    return ctypes.c_int.in_dll(library, "lanes").value


def pointer(array: npt.NDArray[np.float32] | None) -> ctypes.c_void_p:
    """Address of a contiguous array, or null."""
    return ctypes.c_void_p(None if array is None else array.ctypes.data)


def guarded(size: int) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """A buffer of `size` floats and the whole of it with 32 floats of canary on both sides."""
    whole = np.full(size + 64, 12345.0, np.float32)
    return whole[32 : 32 + size], whole


def assert_canary(whole: npt.NDArray[np.float32]) -> None:
    """Nothing was written outside the buffer."""
    assert (whole[:32] == 12345.0).all()
    assert (whole[-32:] == 12345.0).all()
