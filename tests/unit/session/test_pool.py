"""The threads of a session: each on processors of its own, asleep when there is nothing to do."""

from __future__ import annotations

import ctypes
import os
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from whet.compiler.build import shared_library
from whet.compiler.pipeline import compile_graph
from whet.ir.element import F32
from whet.ir.graph import Graph
from whet.ir.leaf import constant, parameter
from whet.ir.type import Type
from whet.ops.elementwise import add
from whet.ops.matmul import matmul
from whet.session.library import Library
from whet.session.pool import Pool, pool_c
from whet.session.session import Session
from whet.targets.host import host

ALLOWED = sorted(os.sched_getaffinity(0))
RANDOM = np.random.default_rng(3)
X = RANDOM.normal(0, 1, (128, 128)).astype(np.float32)


def product() -> Graph:
    x = parameter("x", Type((128, 128), F32))
    w = constant(RANDOM.normal(0, 1, (128, 128)).astype(np.float32))
    return Graph((x,), (add(matmul(x, w), matmul(matmul(x, w), w)),), ("y",))


@pytest.fixture
def session() -> Iterator[Session]:
    """A session of two threads; what it does to this thread's processors is undone."""
    yield compile_graph(product()).session(threads=2)
    os.sched_setaffinity(0, ALLOWED)


def worker_of(session: Session) -> int:
    assert session._pool is not None
    (worker,) = session._pool.workers
    assert worker.native_id is not None
    return worker.native_id


def eventually(holds: Callable[[], bool]) -> bool:
    end = time.monotonic() + 10
    while not holds() and time.monotonic() < end:
        time.sleep(0.01)
    return holds()


@pytest.mark.skipif(len(ALLOWED) < 2, reason="one processor")
def test_a_worker_never_shares_the_processor_of_the_caller(session: Session) -> None:
    for processor in (*ALLOWED, *ALLOWED):
        os.sched_setaffinity(0, {processor})

        def apart(caller: int = processor) -> bool:
            session({"x": X})
            own = os.sched_getaffinity(worker_of(session))
            return bool(own) and caller not in own and own <= set(ALLOWED)

        assert eventually(apart)  # a worker may take a moment to come


# Part 1 works until it is told to stop; the others are done at once.
BUSY = """
int run(const void *const *inputs, void *const *outputs, void *memory, const void *constants,
        int part, int parts, void *host)
{
    while (part == 1 && !__atomic_load_n((int *)memory, __ATOMIC_ACQUIRE))
        ;
    return 0;
}
"""


@pytest.mark.skipif(len(ALLOWED) < 2, reason="one processor")
def test_the_caller_sleeps_on_a_processor_of_its_own() -> None:
    library = Library(shared_library((BUSY, pool_c()), host()))
    pool, stopped, stop = Pool(library, 2), np.ones(1, np.int32), np.zeros(1, np.int32)
    function = library.address("run")
    own: list[set[int]] = []
    dealt = threading.Event()

    def call() -> None:
        for memory in (stopped, stop):  # the first run deals out the processors
            pool.run(function, None, None, ctypes.c_void_p(memory.ctypes.data), None, None)
            dealt.set()
        own.append(os.sched_getaffinity(0))

    caller = threading.Thread(target=call)
    caller.start()
    dealt.wait()
    apart = eventually(lambda: len(os.sched_getaffinity(caller.native_id or 0)) == 1)
    shared = os.sched_getaffinity(caller.native_id or 0) & os.sched_getaffinity(
        pool.workers[0].native_id or 0
    )
    stop[0] = 1
    caller.join()
    assert apart
    assert not shared
    assert own == [set(ALLOWED)]


@pytest.mark.skipif(len(ALLOWED) < 3, reason="fewer than three processors")
def test_no_two_workers_share_a_processor() -> None:
    session = compile_graph(product()).session(threads=3)
    pool = session._pool
    assert pool is not None

    def apart() -> bool:
        session({"x": X})
        first, second = (os.sched_getaffinity(w.native_id or 0) for w in pool.workers)
        return not first & second

    assert eventually(apart)


def test_where_processors_are_fewer_than_threads_workers_are_free() -> None:
    os.sched_setaffinity(0, ALLOWED[:1])
    try:
        session = compile_graph(product()).session(threads=2)
        session({"x": X})
        assert os.sched_getaffinity(worker_of(session)) == set(ALLOWED[:1])
    finally:
        os.sched_setaffinity(0, ALLOWED)


def test_a_small_model_runs_on_its_caller_alone() -> None:
    x = parameter("x", Type((4, 4), F32))
    session = compile_graph(Graph((x,), (add(x, x),), ("y",))).session(threads=2)
    assert session._pool is None
    assert np.array_equal(session({"x": X[:4, :4]})["y"], 2 * X[:4, :4])


def test_a_worker_sleeps_when_there_is_nothing_to_do(session: Session) -> None:
    session({"x": X})
    stat = Path(f"/proc/self/task/{worker_of(session)}/stat")

    def spent() -> tuple[str, int]:
        state, *fields = stat.read_text().rsplit(")", 1)[1].split()
        return state, int(fields[10]) + int(fields[11])

    assert eventually(lambda: spent()[0] == "S")
    before = spent()
    time.sleep(0.1)
    assert spent() == before
    assert np.array_equal(session({"x": X})["y"], session({"x": X})["y"])
