"""The integer kernels give the same bits on every target that can be run or emulated here."""

from __future__ import annotations

import ctypes
import shutil
import subprocess
from functools import cache
from pathlib import Path

import pytest

from tests.kernels.longtail_library import TARGETS, compile_c
from whet.targets.processor import cpu_flags

SOURCE = (Path(__file__).parent / "integer_everywhere.c").read_text()
WASM = """
const bytes = require("fs").readFileSync(process.argv[1]);
const hash = new WebAssembly.Instance(new WebAssembly.Module(bytes)).exports.integer_hash() >>> 0;
process.stdout.write(hash.toString(16).padStart(8, "0"));
"""


@cache
def native(folder: Path, target: str, level: str) -> str:
    output = folder / f"{target}{level}.so"
    compile_c(SOURCE, output, level, "-shared", "-fPIC", *TARGETS[target])
    function = ctypes.CDLL(str(output)).integer_hash
    function.restype = ctypes.c_uint32
    return f"{function():08x}"


@pytest.fixture(scope="module")
def expected(tmp_path_factory: pytest.TempPathFactory) -> str:
    return native(tmp_path_factory.mktemp("integer"), "x86_64", "-O1")


def tool(name: str) -> str:
    path = shutil.which(name)
    if path is None:
        pytest.skip(f"no {name} on this machine")
    return path


def vector_unit(target: str) -> bool:
    return target != "x86_64_v4" or "avx512vl" in cpu_flags()


@pytest.mark.parametrize("target", ["x86_64", "x86_64_v4"])
def test_this_machine_optimised(target: str, expected: str, tmp_path: Path) -> None:
    if not vector_unit(target):
        pytest.skip("this machine has no AVX-512")
    assert native(tmp_path, target, "-O3") == expected


def test_aarch64(expected: str, tmp_path: Path) -> None:
    emulator = tool("qemu-aarch64")
    output = tmp_path / "everywhere"
    compile_c(SOURCE, output, "-O3", "-static", *TARGETS["aarch64"])
    done = subprocess.run([emulator, str(output)], capture_output=True, text=True, check=True)
    assert done.stdout == expected


def test_wasm(expected: str, tmp_path: Path) -> None:
    node = tool("node")
    output = tmp_path / "everywhere.wasm"
    linked = ("-Wl,--no-entry", "-Wl,--export=integer_hash")
    compile_c(SOURCE, output, "-O3", *linked, *TARGETS["wasm32"])
    done = subprocess.run(
        [node, "-e", WASM, str(output)], capture_output=True, text=True, check=True
    )
    assert done.stdout == expected
