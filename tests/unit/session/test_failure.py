"""A run that fails on several threads ends for all of them, however slow one is to hear of it."""

from __future__ import annotations

import ctypes
import threading
import time
from contextlib import suppress

import numpy as np
import pytest

from whet.compiler.pipeline import compile_graph
from whet.ir.element import F32, I64
from whet.ir.graph import Graph
from whet.ir.leaf import constant, parameter
from whet.ir.type import Type
from whet.ops.gather import gather
from whet.ops.matmul import matmul
from whet.session.session import RunError, Session

WAIT = ctypes.CFUNCTYPE(None, ctypes.c_void_p)
RANDOM = np.random.default_rng(3)
X = RANDOM.normal(0, 1, (128, 128)).astype(np.float32)
BAD = np.full(128, 500)


class Host(ctypes.Structure):
    """struct model_host."""

    _fields_ = (("wait", WAIT), ("pool", ctypes.c_void_p), ("status", ctypes.c_int * 2))


@pytest.fixture(scope="module")
def session() -> Session:
    """A product that threads share, then a choice of rows that one does, then a product."""
    x, rows = parameter("x", Type((128, 128), F32)), parameter("rows", Type((128,), I64))
    w = constant(RANDOM.normal(0, 1, (128, 128)).astype(np.float32))
    y = matmul(gather(matmul(x, w), rows, axis=0), w)
    return compile_graph(Graph((x, rows), (y,), ("y",))).session(threads=2)


def test_an_index_outside_stops_a_run_and_not_the_next(session: Session) -> None:
    for _ in range(50):
        with pytest.raises(RunError, match="index"):
            session({"x": X, "rows": BAD})
    assert np.isfinite(session({"x": X, "rows": BAD - 400})["y"]).all()


@pytest.mark.parametrize("slow", [0, 1])
def test_a_thread_that_is_slow_leaves_where_the_others_do(session: Session, slow: int) -> None:
    barrier = threading.Barrier(2)
    waits, found = [0, 0], [-1, -1]
    part_of = threading.local()

    def wait(_: object) -> None:
        waits[part_of.part] += 1
        with suppress(threading.BrokenBarrierError):
            barrier.wait(2)
        if part_of.part == slow:
            time.sleep(0.2)

    host = Host(WAIT(wait), None, (0, 0))
    inputs = (ctypes.c_void_p * 2)(X.ctypes.data, BAD.ctypes.data)
    y = np.empty((128, 128), np.float32)
    outputs = (ctypes.c_void_p * 1)(y.ctypes.data)

    def run(part: int) -> None:
        part_of.part = part
        memory, weights = session._memory
        found[part] = session._library["model_run_part"](
            inputs, outputs, memory, weights, part, 2, ctypes.byref(host)
        )

    threads = [threading.Thread(target=run, args=(part,)) for part in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert waits[0] == waits[1]
    assert found == [1, 1]
