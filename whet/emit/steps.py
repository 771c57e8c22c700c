"""A Program as C with one public function for each step, for measuring them one by one."""

from __future__ import annotations

from dataclasses import replace

from whet.emit.c import banner
from whet.emit.headers import amalgamate
from whet.emit.page import page
from whet.emit.program import Program
from whet.emit.writer import HOST, PARTS, Writer

STEP_NAME = "model_step_{}"
EMPTY_STEP = "model_step_none"


def steps_c(program: Program) -> str:
    """C11 whose functions `model_step_0`, `model_step_1`, ... take what `model_run_part` takes.

    Called in order with part 0 of 1 they compute what `model_run` does. `model_step_none` takes the
    same and does nothing.
    """
    writer = Writer(program)
    functions = [
        writer.graph(replace(program.main, steps=(step,)), STEP_NAME.format(i), public=True)
        for i, step in enumerate(program.main.steps)
    ]
    functions.append(writer.graph(replace(program.main, steps=()), EMPTY_STEP, public=True))
    kernels = amalgamate(program.headers)
    parts = [banner(program), kernels, HOST, PARTS, *writer.definitions()]
    return page("\n".join([*parts, *functions, ""]))
