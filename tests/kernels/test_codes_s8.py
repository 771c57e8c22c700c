"""Kernels of codes made at run time: attention, products, softmax and layer norm, every bit."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests.kernels.native_s8 import (
    PATHS,
    Emulated,
    Library,
    assert_canary,
    forms,
    guarded,
    library,
)
from whet.emit.lowered import (
    Argument,
    Call,
    In,
    Longs,
    Lowered,
    Name,
    Out,
    Portion,
    Scratch,
    Weight,
)
from whet.ir.element import I8, Quant
from whet.ir.graph import Graph
from whet.ir.leaf import constant, parameter
from whet.ir.node import Node, Value
from whet.ir.type import Type
from whet.kernels import share
from whet.kernels.kernel import load_all, lower
from whet.ops.coded_attention import COLUMNS, ROWS
from whet.ops.convert import bitcast
from whet.ops.elementwise import add, mul
from whet.ops.evaluate import evaluate
from whet.ops.matmul import matmul
from whet.ops.movement import broadcast, reshape, transpose
from whet.ops.normalization import layer_norm, softmax
from whet.passes.coded_attention import CODED_ATTENTION
from whet.rewrite.driver import rewrite
from whet.targets.host import host
from whet.targets.target import Target

HEADERS = '#include "attention_s8.h"\n#include "gemm_batch_s8.h"\n#include "layer_norm_s8.h"\n'
HEADERS += '#include "mul_s8.h"\n#include "integer_elementwise.h"\n'
UNIT = Quant(I8, (1 / 255,), (-128,))


def codes(name: str, *shape: int, scale: float = 0.03, zero: int = 3) -> Value:
    return parameter(name, Type(shape, Quant(I8, (scale,), (zero,))))


def scored(name: str, n: int, y: Quant, scale: float) -> Graph:
    x = codes(name, 5, n, scale=scale)
    return Graph((x,), (softmax(x, axis=1, element=y),), ("y",))


def normalised(n: int, epsilon: float) -> Graph:
    rng, x = np.random.default_rng(n), codes("x", 7, n, zero=-9)
    scale, bias = (constant(v.astype(np.float32)) for v in rng.normal(1, 0.6, (2, n)))
    y = layer_norm(x, scale, bias, axis=1, epsilon=epsilon, element=Quant(I8, (0.02,), (5,)))
    return Graph((x,), (y,), ("y",))


def product(batch: int, m: int, k: int, n: int) -> Graph:
    a, b = codes("a", batch, m, k), codes("b", 1, k, n, zero=-128)
    y = matmul(a, b, element=Quant(I8, (0.03 * 0.03 * k,), (-4,)))
    return Graph((a, b), (y,), ("y",))


def multiplied(*shape: int, row: bool = False, swapped: bool = False) -> Graph:
    """Codes times codes of the same shape, or times a row of them."""
    a, b = codes("a", *shape), codes("b", *((1, shape[-1]) if row else shape), scale=0.01, zero=-7)
    y = mul(*((b, a) if swapped else (a, b)), element=Quant(I8, (0.02,), (-11,)))
    return Graph((b, a) if swapped else (a, b), (y,), ("y",))


def attended(
    batch: int, heads: int, m: int, n: int, d: int, e: int, mask: str = "", left: bool = False
) -> Graph:
    """Attention over heads; mask: before or after the scores in their sum; left: multipliers of
    more than a quarter."""
    q, k = codes("q", batch, m, heads * d), codes("k", batch, n, heads * d, zero=-128)
    v, masks = codes("v", batch, n, heads * e, zero=0), codes("mask", batch, 1, 1, n, scale=0.4)
    by = 0.002 if left else 1.0
    rows = ((q, m, d, ROWS), (k, n, d, COLUMNS), (v, n, e, ROWS))
    parts = [transpose(reshape(x, shape=(batch, r, heads, c)), perm=perm) for x, r, c, perm in rows]
    scores = matmul(parts[0], parts[1], element=Quant(I8, (0.1 * by,), (2,)))
    logits = bitcast(scores, to=Quant(I8, (0.05,), (2,)))
    if mask:
        wide = broadcast(masks, shape=(batch, heads, m, n))
        both = (wide, logits) if mask == "before" else (logits, wide)
        logits = add(*both, element=Quant(I8, (0.3,), (1,)))
    weights = softmax(logits, axis=3, element=UNIT)
    y = transpose(matmul(weights, parts[2], element=Quant(I8, (0.02 * by,), (-4,))), perm=ROWS)
    inputs = (q, k, v, masks) if mask else (q, k, v)
    return rewrite(Graph(inputs, (y,), ("y",)), CODED_ATTENTION, None)


GRAPHS = {
    "softmax": scored("x", 100, UNIT, 0.1),
    "softmax long": scored("x", 1000, Quant(I8, (0.001,), (-128,)), 0.02),
    "softmax short": scored("x", 3, Quant(I8, (1 / 256,), (-128,)), 2.0),
    "layer_norm": normalised(192, 1e-6),
    "layer_norm tail": normalised(145, 1e-12),
    "layer_norm one": normalised(1, 1e-5),
    "product": product(2, 70, 24, 37),
    "product tail": product(1, 3, 7, 130),
    "product short": product(1, 5, 3, 5),
    "mul": multiplied(3, 100, 7),
    "mul row": multiplied(1, 5, 9, 72, row=True),
    "mul row first": multiplied(1, 7, 600, row=True, swapped=True),
    "mul row short": multiplied(40, 3, row=True),
    "attention": attended(1, 3, 45, 45, 16, 16),
    "attention odd": attended(2, 2, 5, 9, 7, 5),
    "attention masked": attended(2, 3, 17, 70, 8, 20, "after"),
    "attention mask first": attended(1, 1, 3, 5, 4, 4, "before"),
    "attention left": attended(1, 2, 42, 33, 12, 36, left=True),
}


@pytest.fixture(autouse=True)
def everything_is_split(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(share, "WORTH", 0.0)


def lowered(graph: Graph, target: Target) -> tuple[Node, Lowered, Call]:
    """The node that computes a graph, and what its kernel calls."""
    load_all()
    names = ("coded_attention", "softmax", "layer_norm", "matmul", "mul")
    node = next(n for n in graph.nodes if n.op.name in names)
    made = lower(node, target)
    (call,) = made.statements
    assert isinstance(call, Call)
    return node, made, call


def text(argument: Argument) -> str:
    """An argument of a call as C over ARGS."""
    pointers = ["x", *(f"(const void *)extra[{i}]" for i in range(3))]
    match argument:
        case In(index, each=each):
            return f"((const s8 *){pointers[index]} + begin * ({each}))"
        case Weight(index):
            return f"(const void *){('w', 'bias')[index]}"
        case Out(each=each):
            return f"((s8 *)y + begin * ({each}))"
        case Portion(total, grain):
            return f"((end * {grain} < {total} ? end * {grain} : {total}) - begin * {grain})"
        case Scratch():
            return "scratch"
        case Name(name):
            return name
        case Longs(values):
            return f"(const long[]){{{', '.join(map(str, values))}}}"
        case float():
            return f"{argument!r}f"
    return str(argument)


def check(lib: Library | Emulated, i: int, graph: Graph, target: Target) -> None:
    rng = np.random.default_rng(i)
    node, made, _ = lowered(graph, target)
    given = {}
    for name, value in zip(graph.input_names, graph.inputs, strict=True):
        shape = tuple(int(str(d)) for d in value.shape)
        given[name] = rng.integers(-128, 128, shape).astype(np.int8)
        given[name][..., :2, : shape[-1] // 2] = 127
    want = np.asarray(evaluate(graph, given)["y"])
    data = list(given.values())
    weights = [*made.constants, np.zeros(4, np.int32), np.zeros(4, np.int32)][:2]
    scratch = np.zeros(max(made.scratch_each, 1), np.int8)
    units = 0 if made.parallel is None else int(str(made.parallel))
    for split in sorted({0, units // 3, max(units - 1, 0)}):
        y, whole = guarded(want.size)
        for begin, end in ((0, split), (split, units)):
            if begin < end or not units:
                part, _ = guarded(want.size) if isinstance(lib, Emulated) else (y, whole)
                lib.call(i, begin, end, data[0], *weights, part, scratch, *data[1:])
                y[part != 85] = part[part != 85]
        np.testing.assert_array_equal(y.reshape(want.shape), want)
        assert_canary(whole)
    assert node.outputs[0].tensor.element.store == I8  # type: ignore[union-attr]


@pytest.mark.parametrize("path", PATHS)
def test_kernels_of_codes_match_the_meaning(path: tuple[str, bool]) -> None:
    empty = library("", path)
    fused = forms(path)[-1]
    target = replace(host(), lanes=empty.lanes, dot8_pairs=empty.pairs, fused=fused)
    source = HEADERS
    for i, graph in enumerate(GRAPHS.values()):
        _, _, call = lowered(graph, target)
        arguments = ", ".join(text(a) for a in call.arguments)
        source += f"void case{i}(ARGS) {{ {call.function}({arguments}); }}\n"
    lib = library(source, path)
    for i, graph in enumerate(GRAPHS.values()):
        check(lib, i, graph, target)
