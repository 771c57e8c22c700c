"""A model is planned alike every time, wherever Python keeps its values and however it hashes."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np

from whet.emit.c import model_c
from whet.ir.element import F32
from whet.ir.graph import Graph, State
from whet.ir.leaf import parameter, state
from whet.ir.type import Type
from whet.ops.elementwise import add, mul
from whet.ops.movement import concat, reshape, slice_op
from whet.plan.program import plan_program
from whet.targets.host import host


def states_of_one_size() -> Graph:
    """Where each of them lies is a matter of order alone."""
    x = parameter("x", Type((64,), F32))
    total, states = x, []
    for i in range(8):
        held = state(f"s{i}", Type((64,), F32))
        total = mul(total, held)
        states.append(State(f"s{i}", held, add(held, total), np.zeros(64, np.float32)))
    return Graph((x,), (total,), ("y",), tuple(states))


def test_emitted_code_does_not_depend_on_addresses() -> None:
    codes, graphs = set(), []
    for _ in range(8):
        graphs += [states_of_one_size()] * 2  # kept, so that the next lies elsewhere
        codes.add(model_c(plan_program(graphs[-1], host()).program))
    assert len(codes) == 1


def views() -> Graph:
    """Slices read in place, parts of one whole written in place, and values of one size."""
    x = parameter("x", Type((8, 64), F32))
    rows = [slice_op(x, begin=(i, 0), size=(1, 64), step=(1, 1)) for i in range(8)]
    made = [add(mul(row, row), rows[i - 1]) for i, row in enumerate(rows)]
    whole = concat(*made, axis=0)
    flat = [reshape(m, shape=(64,)) for m in made]
    ends = [mul(flat[i], flat[-1 - i]) for i in range(4)]
    return Graph((x,), (whole, *ends), ("whole", "a", "b", "c", "d"))


def emitted(seed: str) -> str:
    """The code of both graphs from a process whose strings have the hashes of that seed."""
    code = (
        f"from {__name__} import *\n"
        "for graph in (views(), states_of_one_size()):\n"
        "    print(model_c(plan_program(graph, host()).program))\n"
    )
    environment = {**os.environ, "PYTHONHASHSEED": seed}
    command = [sys.executable, "-c", code]
    return subprocess.run(command, env=environment, check=True, capture_output=True).stdout.decode()


def test_emitted_code_does_not_depend_on_hashes_of_strings() -> None:
    first, *others = (emitted(seed) for seed in ("1", "2", "3"))
    assert first.count("int model_run(") == 2
    assert others == [first] * 2
