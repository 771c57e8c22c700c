"""Loading an artifact: without the compiler, and without a trace when the session is gone."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest

import whet
from whet.ir.element import F32
from whet.ir.graph import Graph
from whet.ir.leaf import constant, parameter
from whet.ir.type import Type
from whet.ops.matmul import matmul

ROOMS = ("passes", "plan", "kernels", "ops", "tune", "importers.onnx", "compiler.build")
RUN = """
import sys, numpy, whet
session = whet.load(sys.argv[1], threads=2)
(port,) = session.interface.inputs
session({port.name: numpy.ones(port.shape, port.element.dtype)})
print(*sorted(n for n in sys.modules if n.startswith("whet.")))
"""


@pytest.fixture(scope="module")
def artifact(tmp_path_factory: pytest.TempPathFactory) -> Path:
    x = parameter("x", Type((256, 256), F32))
    graph = Graph((x,), (matmul(x, constant(np.ones((256, 256), np.float32))),), ("y",))
    return whet.compile(graph).artifact().save(tmp_path_factory.mktemp("load") / "m.whet")


def test_running_an_artifact_imports_no_compiler_and_needs_none(artifact: Path) -> None:
    empty = {**os.environ, "WHET_CC": "/no/compiler", "WHET_CACHE": str(artifact.parent / "none")}
    command = [sys.executable, "-c", RUN, str(artifact)]
    run = subprocess.run(command, env=empty, check=True, capture_output=True, text=True)
    imported = run.stdout.split()
    rooms = tuple(f"whet.{room}" for room in ROOMS)
    assert "whet.session.pool" in imported
    assert not [name for name in imported if name.startswith(rooms)]


def test_a_session_that_is_gone_leaves_no_library_and_no_thread(artifact: Path) -> None:
    def libraries() -> int:
        return Path("/proc/self/maps").read_text().count("whet-model")

    before, threads = libraries(), threading.active_count()
    session = whet.load(artifact, threads=2)
    session({"x": np.ones((256, 256), np.float32)})
    assert libraries() > before
    del session
    end = time.monotonic() + 10
    while (libraries() > before or threading.active_count() > threads) and time.monotonic() < end:
        time.sleep(0.01)
    assert (libraries(), threading.active_count()) == (before, threads)


def test_sessions_that_come_and_go(artifact: Path) -> None:
    x = np.ones((256, 256), np.float32)
    for _ in range(200):
        whet.load(artifact, threads=2)({"x": x})
