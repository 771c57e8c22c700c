"""Builds C text against the kernel headers and calls it: on this computer and emulated."""

from __future__ import annotations

import ctypes
import hashlib
import platform
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import numpy.typing as npt

from whet.emit.headers import amalgamate
from whet.targets.host import X86_LEVELS, host, levels
from whet.targets.processor import cpu_flags
from whet.targets.target import Target

Array = npt.NDArray[np.float32]
Argument = Array | Sequence[Array] | None
"""An array, a table of pointers to arrays, or null."""

INCLUDE = Path(__file__).parents[2] / "whet/kernels/include"
FLAGS = [
    *("-O3", "-g0", "-std=c11", "-fPIC", "-ffreestanding", "-nostdlib", "-fno-sanitize=all"),
    *("-fno-stack-protector", "-Wall", "-Wextra", "-Werror"),
    *("-Wno-unused-function", "-Wno-unused-parameter"),
]
EMULATOR = shutil.which("qemu-aarch64-static") or shutil.which("qemu-aarch64") or ""
CPUS = ["native"]
"""What can run here: zig names of CPUs of different vector width."""


def _kind(target: Target) -> tuple[int, int, bool]:
    return target.lanes, target.dot8_shift, target.dot8_pairs


LEVELS = ["native", *(n for n in levels() if _kind(X86_LEVELS[n]) != _kind(host()))]
"""What can run here and differs, as whet names it."""
if platform.machine() == "x86_64":
    wide = {"x86_64_v3": "avx2", "x86_64_v4": "avx512dq"}
    CPUS = ["x86_64", *(cpu for cpu, needs in wide.items() if needs in cpu_flags())]
    CPUS += ["aarch64"] * bool(EMULATOR)

PRELUDE = """
#include "gemm_f32.h"
#include "conv_deep_f32.h"
#include "depthwise_f32.h"
#include "winograd_f32.h"
#include "math_f32.h"
const int lanes = VL;
INLINE vf relu6(const void *const *extra, vf v, long row, int channel, int n) {
    return vmin(vset(6.f), vmax(vset(0.f), v));
}
"""


def compile_c(source: str, cpu: str, *flags: str) -> Path:
    """Compile one C text (after PRELUDE), once for the text and the headers it includes."""
    text = PRELUDE + source
    headers = amalgamate(re.findall(r'#include "([\w.]+)"', text))
    key = hashlib.sha256(f"{headers} {FLAGS} {cpu} {flags} {text}".encode()).hexdigest()[:20]
    out = Path(tempfile.gettempdir()) / "whet-kernel-tests" / f"{key}.out"
    if not out.exists():
        out.parent.mkdir(exist_ok=True)
        out.with_suffix(".c").write_text(text)
        part = out.with_suffix(".part")
        files = [f"-I{INCLUDE}", str(out.with_suffix(".c")), "-o", str(part)]
        compiler = [sys.executable, "-m", "ziglang", "cc"]
        subprocess.run([*compiler, *FLAGS, *flags, f"-mcpu={cpu}", *files], check=True)
        part.rename(out)
    return out


@cache
def _emulator(program: Path) -> subprocess.Popen[bytes]:
    command = [EMULATOR, "-cpu", "max", str(program)]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)


def emulate(program: Path, message: bytes, size: int) -> bytes:
    """The `size` bytes with which a program for another machine answers a message; it waits for
    the next one until this process ends."""
    process = _emulator(program)
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(message)
    process.stdin.flush()
    reply = process.stdout.read(size)
    if len(reply) != size:
        raise ChildProcessError(f"{program} ended with {process.wait()}")
    return reply


@dataclass(frozen=True, slots=True)
class Library:
    """Functions case0, case1, ... of signature void(int begin, int end, pointers...)."""

    path: Path
    loaded: ctypes.CDLL | None
    lanes: int

    def run(self, function: int, begin: int, end: int, *arguments: Argument) -> None:
        """Call one function; arrays are changed in place."""
        if self.loaded is None:
            return self._emulate(function, begin, end, arguments)
        tables = [
            (ctypes.c_void_p * len(a))(*(v.ctypes.data for v in a)) if isinstance(a, list) else a
            for a in arguments
        ]
        pointers = (
            ctypes.c_void_p(a.ctypes.data) if isinstance(a, np.ndarray) else a for a in tables
        )
        self.loaded[f"case{function}"](begin, end, *pointers)
        return None

    def _emulate(
        self, function: int, begin: int, end: int, arguments: tuple[Argument, ...]
    ) -> None:
        """The protocol of emulator.c."""

        def sized(array: Array) -> bytes:
            return np.int32(array.nbytes).tobytes() + array.tobytes()

        message = np.array([function, begin, end, len(arguments)], np.int32).tobytes()
        arrays: list[Array] = []
        for a in arguments:
            if a is None:
                message += np.array([0, 0], np.int32).tobytes()
            elif isinstance(a, np.ndarray):
                message += np.int32(1).tobytes() + sized(a)
                arrays.append(a)
            else:
                message += np.array([2, len(a)], np.int32).tobytes() + b"".join(map(sized, a))
                arrays += a
        reply = emulate(self.path, message, sum(a.nbytes for a in arrays))
        for a in arrays:
            a.reshape(-1)[:] = np.frombuffer(reply[: a.nbytes], np.float32)
            reply = reply[a.nbytes :]


def build(functions: Sequence[str], cpu: str) -> Library:
    """Compile functions case0, case1, ... and load them; they may need no symbol from outside."""
    source = "".join(functions)
    if cpu != "aarch64":
        path = compile_c(source, cpu, "-shared", "-Wl,-z,defs")
        loaded = ctypes.CDLL(str(path))
        return Library(path, loaded, ctypes.c_int.in_dll(loaded, "lanes").value)
    table = ", ".join(f"(void *)case{i}" for i in range(len(functions)))
    source += f"static void *const TABLE[] = {{{table}}};\n"
    source += (Path(__file__).parent / "emulator.c").read_text()
    flags = ("-target", "aarch64-linux-musl", "-static", "-Wl,-z,defs")
    return Library(compile_c(source, "generic", *flags), None, 4)


def guarded(size: int) -> tuple[Array, Array]:
    """A buffer of `size` floats and the whole of it with 32 floats of canary on both sides."""
    whole = np.full(size + 64, 12345.0, np.float32)
    return whole[32 : 32 + size], whole


def assert_canary(whole: Array) -> None:
    """Nothing was written outside the buffer."""
    assert (whole[:32] == 12345.0).all()
    assert (whole[-32:] == 12345.0).all()
