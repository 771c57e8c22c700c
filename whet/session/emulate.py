"""Run a compiled model on its target's emulator: the same bits, elsewhere."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from whet.compiler.build import FLAGS, compiler
from whet.compiler.pipeline import Compiled
from whet.emit.port import Port
from whet.errors import CompileError, InputError
from whet.ir.node import Array
from whet.session.session import fit
from whet.targets.target import Emulator

BOARDS = Path(__file__).parent.parent / "targets" / "boards"
TIMEOUT_S = 300


def missing_program(emulator: Emulator) -> str | None:
    """What to install before this emulator can run, or None where it is there."""
    found = shutil.which(emulator.command[0])
    return None if found else emulator.package


def emulate(model: Compiled, inputs: Mapping[str, Array]) -> dict[str, Array]:
    """Outputs by name from one run on the target's emulator.

    Raises:
        CompileError: the target has no emulator here, or the program cannot be built.
        InputError: an input does not fit.
    """
    emulator = model.target.emulator
    if emulator is None or model.program.symbols:
        raise CompileError(f"{model.target.name} cannot be emulated", hint="static sizes only")
    package = missing_program(emulator)
    if package:
        raise CompileError(f"{emulator.command[0]} is missing", hint=f"install {package}")
    given = [fit(p, inputs, {}) for p in model.program.inputs]
    with tempfile.TemporaryDirectory() as folder:
        image = build_image(model, given, Path(folder))
        command = [a.format(image=image, boards=BOARDS) for a in emulator.command]
        run = subprocess.run(
            command, capture_output=True, text=True, check=False, timeout=TIMEOUT_S
        )
    if run.returncode:
        why = (run.stdout + run.stderr).strip()[-200:] or f"exit code {run.returncode}"
        raise CompileError("the emulated model stopped", model.target.name, why)
    lines = run.stdout.split()
    if len(lines) < len(model.program.outputs):
        raise CompileError("the emulated model printed too little", model.target.name)
    return {p.name: _array(p, line) for p, line in zip(model.program.outputs, lines, strict=False)}


def build_image(model: Compiled, given: list[Array], folder: Path) -> Path:
    """The program for the emulator: model, weights, inputs and board in one executable."""
    emulator = model.target.emulator
    assert emulator is not None
    (folder / "model.c").write_text(model.source)
    (folder / "model.h").write_text(model.header)
    (folder / "data.h").write_text(_data(model, given))
    sources = [str(folder / "model.c"), str(BOARDS / "main.c"), str(BOARDS / "memory.c")]
    image = folder / "model.image"
    link = [a.format(boards=BOARDS) for a in emulator.link]
    target = ["-target", model.target.triple, f"-mcpu={model.target.cpu}", *model.target.flags]
    command = [*compiler(), *FLAGS, *target, "-s", f"-I{folder}", *sources]
    command += [str(BOARDS / emulator.board), *link, "-o", str(image)]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    if run.returncode:
        errors = [line for line in run.stderr.splitlines() if "error" in line]
        raise CompileError(
            "the model cannot be built", model.target.name, (errors or [run.stderr])[0][-300:]
        )
    return image


def _data(model: Compiled, given: list[Array]) -> str:
    """data.h: arrays for the weights, inputs, outputs and the arena."""
    program = model.program
    weights = bytearray(program.weights or b"\0")
    lines = ["#include <stdint.h>", "#define ALIGNED __attribute__((aligned(64)))"]
    lines.append(_bytes("model_weights", bytes(weights)))
    lines.append(f"static uint8_t model_arena[{max(1, program.main.arena)}] ALIGNED;")
    lines += [_bytes(f"input_{i}", a.tobytes()) for i, a in enumerate(given)]
    lines += [
        f"static uint8_t output_{i}[{max(1, p.nbytes)}] ALIGNED;"
        for i, p in enumerate(program.outputs)
    ]
    inputs = ", ".join(f"input_{i}" for i in range(len(given))) or "0"
    outputs = ", ".join(f"output_{i}" for i in range(len(program.outputs))) or "0"
    sizes = ", ".join(str(p.nbytes) for p in program.outputs) or "0"
    lines.append(f"static const void *const model_inputs[] = {{{inputs}}};")
    lines.append(f"static void *const model_outputs[] = {{{outputs}}};")
    lines.append(f"static const long output_bytes[] = {{{sizes}}};")
    return "\n".join(lines) + "\n"


def _bytes(name: str, data: bytes) -> str:
    body = ",".join(map(str, data)) or "0"
    return f"static const uint8_t {name}[] ALIGNED = {{{body}}};"


def _array(port: Port, line: str) -> Array:
    shape = [d for d in port.shape if isinstance(d, int)]
    if len(line) != 2 * port.nbytes:
        raise InputError("the emulated model printed another size", where=port.name)
    return np.frombuffer(bytes.fromhex(line), port.element.dtype).reshape(shape)
