"""Build emitted C for a target with `python -m ziglang cc`, cached by content."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path

from whet.errors import CompileError
from whet.targets.target import Target

FLAGS = (
    "-std=c11", "-O3", "-g0", "-ffreestanding", "-fwrapv", "-fno-sanitize=all",
    "-fno-stack-protector", "-fno-math-errno", "-fno-strict-aliasing", "-w",
)  # fmt: skip
SHARED = ("-shared", "-fPIC", "-nostdlib", "-s")


def cache_folder() -> Path:
    """Where builds are kept: $WHET_CACHE, else ~/.cache/whet."""
    return Path(os.environ.get("WHET_CACHE", Path.home() / ".cache" / "whet"))


def compiler() -> list[str]:
    """The C compiler's command: $WHET_CC, else zig cc."""
    named = os.environ.get("WHET_CC")
    return named.split() if named else [sys.executable, "-m", "ziglang", "cc"]


@cache
def compiler_version() -> str:
    """The first line the compiler says of itself.

    Raises:
        CompileError: it says none.
    """
    run = subprocess.run([*compiler(), "--version"], capture_output=True, text=True, check=False)
    if run.returncode or not run.stdout:
        raise CompileError("the C compiler does not tell its version", " ".join(compiler()))
    return run.stdout.splitlines()[0]


def shared_library(units: Sequence[str], target: Target) -> bytes:
    """A shared object of freestanding C files, compiled side by side and linked.

    Raises:
        CompileError: the compiler refused a file; the message is its first error.
    """
    machine = _machine(target)
    if len(units) == 1:
        return _build(units[0].encode(), "model.c", [*FLAGS, *SHARED, *machine])
    options = [*FLAGS, "-fPIC", "-c", *machine]
    with ThreadPoolExecutor(len(units)) as pool:
        objects = list(pool.map(lambda u: _build(u.encode(), "model.c", options), units))
    with tempfile.TemporaryDirectory() as folder:
        paths = [Path(folder) / f"unit_{i}.o" for i in range(len(objects))]
        for path, data in zip(paths, objects, strict=True):
            path.write_bytes(data)
        made = Path(folder) / "model.so"
        _run([*compiler(), *SHARED, *machine, *map(str, paths), "-o", str(made)])
        return made.read_bytes()


def object_code(source: str, target: Target) -> bytes:
    """A relocatable object of one freestanding C file, for the user's own build to link.

    Raises:
        CompileError: the compiler refused the source.
    """
    machine = _machine(target)
    return _build(source.encode(), "model.c", [*FLAGS, "-c", *machine])


def _machine(target: Target) -> list[str]:
    return ["-target", target.triple, f"-mcpu={target.cpu}", *target.flags]


def _build(source: bytes, name: str, options: list[str]) -> bytes:
    """Compile one file with these options and return what it made, from the cache where it can."""
    command = compiler()
    key = hashlib.blake2b("\0".join([*command, *options]).encode() + source, digest_size=16)
    cached = cache_folder() / "builds" / key.hexdigest()
    if cached.is_file():
        return cached.read_bytes()
    with tempfile.TemporaryDirectory() as folder:
        path, made = Path(folder) / name, Path(folder) / "made"
        path.write_bytes(source)
        _run([*command, *options, str(path), "-o", str(made)])
        data = made.read_bytes()
    _keep(cached, data)
    return data


def _run(command: list[str]) -> None:
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    if run.returncode:
        errors = [line for line in run.stderr.splitlines() if "error" in line]
        why = errors[0].split("model.c:")[-1] if errors else run.stderr[-200:]
        raise CompileError("the C compiler refused the emitted model", why=why)


def _keep(path: Path, data: bytes) -> None:
    """Write atomically; a cache that cannot be written is no failure."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=path.parent, delete=False) as file:
            file.write(data)
        os.replace(file.name, path)
    except OSError:
        return
