"""The scalar functions give the same bits on x86-64 and in WebAssembly without -ffp-contract."""

from __future__ import annotations

import ctypes
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.kernels.longtail_library import TARGETS, compile_c

# fmt: off
UNARY = (
    "exp",
    "expm1",
    "log",
    "log1p",
    "sqrt",
    "sin",
    "cos",
    "tan",
    "asin",
    "acos",
    "atan",
    "sinh",
    "cosh",
    "tanh",
    "asinh",
    "acosh",
    "atanh",
    "erf",
    "floor",
    "ceil",
    "trunc",
    "round",
)
BINARY = ("pow", "atan2", "fmod", "mod")
SOURCE = r"""
#include "math.h"
#include "convert.h"
#include "softmax.h"
static u64 mix(u64 hash, double y)
{
    return (hash ^ (y != y ? 1 : bits_of_f64(y))) * 0x100000001b3ull;
}
__attribute__((visibility("default"))) u64 digest(void)
{
    u64 hash = 0xcbf29ce484222325ull, state = 1;
    static float row[100], out[100];
    for (int i = 0; i < 3000; i++) {
        state = state * 6364136223846793005ull + 1442695040888963407ull;
        const double unit = (double)(i64)state * 0x1p-63;
        const double x = i %% 3 == 0 ? unit : unit * math_scale_f64(1.0, (int)(state %% 60));
        %s
        hash = mix(hash, widen_f16(cast_f16_of_f64(x)));
        hash = mix(hash, cast_f32_of_f8e4m3fn(cast_f8e4m3fn_of_f32((float)x, 1)));
        row[i %% 100] = (float)(4 * unit);
    }
    softmax_f32(row, out, 1, 100, 1);
    for (int i = 0; i < 100; i++)
        hash = mix(hash, out[i]);
    return hash;
}
"""
NODE = """
const bytes = require('fs').readFileSync(process.argv[1]);
WebAssembly.instantiate(bytes, {}).then(m =>
    console.log(BigInt.asUintN(64, m.instance.exports.digest()).toString()));
"""


def _source() -> str:
    calls = [
        f"hash = mix(hash, math_{n}_{t}(({c})x));"
        for n in UNARY
        for t, c in (("f64", "double"), ("f32", "float"))
    ]
    calls += [f"hash = mix(hash, math_{n}_f64(x, unit * 5));" for n in BINARY]
    return SOURCE % "\n        ".join(calls)


@pytest.mark.skipif(shutil.which("node") is None, reason="no Node.js to run WebAssembly with")
def test_webassembly_gives_the_bits_of_this_machine(tmp_path: Path) -> None:
    library = tmp_path / "digest.so"
    compile_c(_source(), library, "-O3", "-shared", "-fPIC", *TARGETS["x86_64"])
    digest = ctypes.CDLL(str(library)).digest
    digest.restype = ctypes.c_uint64
    module = tmp_path / "digest.wasm"
    compile_c(_source(), module, "-O3", "-Wl,--no-entry", "-Wl,--export=digest", *TARGETS["wasm32"])
    command = ["node", "-e", NODE, str(module)]
    answer = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert int(answer) == digest()
