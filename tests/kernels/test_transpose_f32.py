"""transpose_f32 against NumPy, bit for bit: in C for each width of vector, and in a model."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests.kernels.native import CPUS, assert_canary, build, guarded
from whet.compiler.pipeline import compile_graph
from whet.ir.element import F32
from whet.ir.graph import Graph
from whet.ir.leaf import parameter
from whet.ir.type import Type
from whet.ops.movement import transpose
from whet.plan import program
from whet.targets.host import host

HEADER = '#include "transpose_f32.h"\n'
MATRICES = [(1, 84, 131), (3, 16, 32), (2, 35, 9), (1, 5, 64), (1, 1, 7)]
# A shape and the order its axes come in: of whole matrices, of many, of few columns, of others.
TURNED = [
    ((1, 210, 84), (0, 2, 1)), ((1, 84, 21, 10), (0, 2, 3, 1)), ((3, 17, 33), (0, 2, 1)),
    ((40, 12, 9), (0, 2, 1)), ((97, 50), (1, 0)), ((2, 3, 8, 40), (0, 2, 3, 1)),
    ((2, 9, 4, 16), (0, 2, 1, 3)), ((2, 9, 10, 11), (3, 1, 2, 0)),
]  # fmt: skip


@pytest.mark.parametrize("cpu", CPUS)
def test_matrices_turn_in_parts(cpu: str) -> None:
    random = np.random.default_rng(6)
    functions: list[str] = []
    for i, (b, r, c) in enumerate(MATRICES):
        by_rows = f"transpose_f32({b}, {r}, {c}, end - begin, {c}, x + begin, y + begin * {c});"
        by_columns = f"transpose_f32({b}, {r}, {c}, {r}, end - begin, x + begin * {r}, y + begin);"
        for j, body in enumerate((by_rows, by_columns)):
            head = f"void case{2 * i + j}(int begin, int end, const float *x, float *y)"
            functions.append(f"{HEADER * (not functions)}{head} {{ {body} }}\n")
    library = build(functions, cpu)
    for i, (b, r, c) in enumerate(MATRICES):
        bits = random.integers(0, 1 << 32, (b, c, r), np.uint32)
        for j, size in enumerate((r, c)):
            made, whole = guarded(b * r * c)
            for begin, end in ((0, size // 3), (size // 3, size)):
                library.run(2 * i + j, begin, end, bits.view(np.float32), made)
            expected = bits.transpose(0, 2, 1).ravel()
            np.testing.assert_array_equal(made.view(np.uint32), expected)
            assert_canary(whole)


def test_axes_of_a_model_turn_on_any_number_of_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(program, "SHORTEST_NANOSECONDS", 0)
    xs = [parameter(f"x{i}", Type(shape, F32)) for i, (shape, _) in enumerate(TURNED)]
    ys = [transpose(x, perm=perm) for x, (_, perm) in zip(xs, TURNED, strict=True)]
    names = tuple(f"y{i}" for i in range(len(ys)))
    compiled = compile_graph(Graph(tuple(xs), tuple(ys), names), replace(host(), threads=3))
    random = np.random.default_rng(7)
    inputs = {f"x{i}": random.standard_normal(s, np.float32) for i, (s, _) in enumerate(TURNED)}
    for threads in (1, 2, 3):
        outputs = compiled.session(threads)(inputs)
        for i, (_, perm) in enumerate(TURNED):
            np.testing.assert_array_equal(outputs[f"y{i}"], inputs[f"x{i}"].transpose(perm))
