"""A model is planned alike every time, wherever Python happens to keep its values."""

from __future__ import annotations

import numpy as np

from whet.emit.c import model_c
from whet.ir.element import F32
from whet.ir.graph import Graph, State
from whet.ir.leaf import parameter, state
from whet.ir.type import Type
from whet.ops.elementwise import add, mul
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
