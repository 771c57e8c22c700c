"""Build emitted C for a target with `python -m ziglang cc`, cached by content."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from whet.errors import CompileError
from whet.targets.target import Target

FLAGS = (
    "-std=c11", "-O3", "-ffreestanding", "-fwrapv", "-fno-sanitize=all", "-fno-stack-protector",
    "-fno-math-errno", "-fno-strict-aliasing", "-w",
)  # fmt: skip
SHARED = ("-shared", "-fPIC", "-nostdlib", "-s")


def cache_folder() -> Path:
    """Where builds are kept: $WHET_CACHE, else ~/.cache/whet."""
    return Path(os.environ.get("WHET_CACHE", Path.home() / ".cache" / "whet"))


def compiler() -> list[str]:
    """The C compiler's command: $WHET_CC, else zig cc."""
    named = os.environ.get("WHET_CC")
    return named.split() if named else [sys.executable, "-m", "ziglang", "cc"]


def shared_library(source: str, target: Target, flags: tuple[str, ...] = ()) -> bytes:
    """A shared object of one freestanding C file.

    Raises:
        CompileError: the compiler refused the source; the message is its first error.
    """
    options = [
        *FLAGS,
        *SHARED,
        "-target",
        target.triple,
        f"-mcpu={target.cpu}",
        *target.flags,
        *flags,
    ]
    return build(source, options, "model.so")


def object_code(source: str, target: Target) -> bytes:
    """A relocatable object of one freestanding C file, for the user's own build to link.

    Raises:
        CompileError: the compiler refused the source.
    """
    options = [*FLAGS, "-c", "-target", target.triple, f"-mcpu={target.cpu}", *target.flags]
    return build(source, options, "model.o")


def build(source: str, options: list[str], product: str) -> bytes:
    """Compile one file with these options and return what it made."""
    command = compiler()
    key = hashlib.blake2b("\0".join([*command, *options, source]).encode(), digest_size=16)
    cached = cache_folder() / "builds" / key.hexdigest()
    if cached.is_file():
        return cached.read_bytes()
    with tempfile.TemporaryDirectory() as folder:
        path, made = Path(folder) / "model.c", Path(folder) / product
        path.write_text(source)
        run = subprocess.run(
            [*command, *options, str(path), "-o", str(made)],
            capture_output=True,
            text=True,
            check=False,
        )
        if run.returncode:
            errors = [line for line in run.stderr.splitlines() if "error" in line]
            why = errors[0].split("model.c:")[-1] if errors else run.stderr[-200:]
            raise CompileError("the C compiler refused the emitted model", why=why)
        data = made.read_bytes()
    _keep(cached, data)
    return data


def _keep(path: Path, data: bytes) -> None:
    """Write atomically; a cache that cannot be written is no failure."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=path.parent, delete=False) as file:
            file.write(data)
        os.replace(file.name, path)
    except OSError:
        return
