"""bf16: products with constant weights, and the tensors between them, in half the bytes.

The contract. Weights and the activations that products read are rounded to bf16, to nearest even. A
product of two of them is exact; it is added to an f32 sum, in an order and with roundings that are
the kernel's own. Bias, residual and activation function follow in f32, then one rounding to bf16.
What lies between such products (pooling, normalisation, movement) is stored in bf16 and computes
in f32; all else stays f32, as do the inputs and outputs of the model. Numbers below 2^-126 may be
read and stored as 0.

Contractions of few weights stay f32, for their bytes are none to save: depthwise convolutions, and
those whose weights are LIGHT bytes at most and FEW times less than what they read and make. But a
light one that reads what another stores as bf16 is as the other is.

The tolerance. A sum of K products is within K * 2^-23 * (sum of |x * w|) of the exact one, by
Winograd within LOSS of `winograd_error` times what that is at most for the largest |x|; what is
stored is within 2^-8 of its size besides.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import ml_dtypes
import numpy as np

from whet.ir.dim import static_size
from whet.ir.element import BF16, F32
from whet.ir.graph import Graph
from whet.ir.leaf import constant, data_of, known, parameter
from whet.ir.node import Node, Value
from whet.ir.type import Type
from whet.ops.convert import convert
from whet.ops.convolution import conv
from whet.ops.matmul import matmul
from whet.ops.movement import concat, pad, reshape, slice_op, transpose
from whet.ops.normalization import layer_norm
from whet.ops.pooling import average_pool, max_pool
from whet.ops.reduction import reduce_mean
from whet.rewrite.driver import rewrite, substitute
from whet.rewrite.rule import Replacement, Rule, Uses, rule

LIGHT = 32 << 10
FEW = 8
MOVEMENT = (reshape, transpose, slice_op)
ROUNDED_ONCE = (layer_norm, average_pool, max_pool, reduce_mean)
"""Ops that compute in f32 whatever float they read, and then round."""

_SUM = parameter("acc", Type((), F32))
UNROUNDED = Graph((_SUM,), (_SUM,), ("y",))
"""The epilogue of a contraction of bf16 whose result is the f32 sum itself."""


def narrow_contractions(graph: Graph, fired: Counter[str]) -> Graph:
    """Contractions of f32 with constant weights become ones of bf16 that give f32 sums, and what
    they read is rounded where it is made, so that all who read it find the same."""
    fitting = [node for node in graph.nodes if _fits(node)]
    read = {node.inputs[0] for node in fitting if not _light(node)}
    chosen = {node for node in fitting if node.inputs[0] in read}
    if not chosen:
        return graph
    replaced: dict[Value, Value] = {}
    stored = _stored(graph, chosen)
    for node in graph.nodes:
        if node not in chosen and not stored.intersection(node.outputs):
            continue
        made = _narrow(node) if node in chosen else node.replace()
        for old, new in zip(node.outputs, made.outputs, strict=True):
            replaced[old] = convert(convert(new, to=BF16), to=F32) if old in stored else new
    fired["narrow_contractions"] += len(chosen)
    return rewrite(substitute(graph, replaced), BF16_RULES, fired)


def _fits(node: Node) -> bool:
    """Whether a node is a contraction the bf16 kernels compute."""
    if node.op not in (conv, matmul) or node["epilogue"] is not None or node["element"] is not None:
        return False
    x, w = node.inputs[0], known(node.inputs[1])
    if x is None or w is None or known(x) is not None or not x.tensor.static:
        return False
    if x.tensor.element != F32 or w.dtype != np.float32:
        return False
    if node.op is conv and w.shape[-1] == 1 and node.integer("groups", 1) == x.shape[-1]:
        return False
    return w.ndim == 2 if node.op is matmul else w.ndim <= 4


def _light(node: Node) -> bool:
    """Whether the weights of a contraction are too few to be worth rounding."""
    x, w, y = node.input(0), known(node.inputs[1]), node.outputs[0]
    assert w is not None
    moved = static_size(x.tensor.elements) + static_size(y.tensor.elements)
    return w.nbytes <= LIGHT and w.size * FEW < moved


def _narrow(node: Node) -> Node:
    rounded = constant(data_of(node.input(1)).astype(ml_dtypes.bfloat16), BF16)
    inputs = (convert(node.input(0), to=BF16), rounded, *node.inputs[2:])
    return node.replace(inputs, epilogue=UNROUNDED)


def _stored(graph: Graph, chosen: set[Node]) -> set[Value]:
    """The f32 values to keep as bf16: what a chosen contraction reads, and what is read only on the
    way to such."""
    found: set[Value] = set()
    roots = set(graph.roots)

    def reads_narrow(user: Node, value: Value) -> bool:
        if user in chosen:
            return user.inputs[0] is value and value not in user.inputs[1:]
        passing = user.op in (*MOVEMENT, *ROUNDED_ONCE, concat, pad)
        passing |= user.op.family == "elementwise"
        return passing and all(v in found for v in user.outputs)

    for node in reversed(graph.nodes):
        for value in node.outputs if node.op.family != "leaf" else ():
            users = graph.users.get(value, ())
            if value in roots or not users or not _is_f32(value):
                continue
            if all(u.op.family == "elementwise" for u in users):
                continue  # computed where they are
            needed = any(u in chosen and u.inputs[0] is value for u in users)
            if needed or all(reads_narrow(u, value) for u in users):
                found.add(value)
    return found


def _is_f32(value: Value) -> bool:
    return isinstance(value.type, Type) and value.tensor.element == F32


def _widened(value: Value | None) -> Value | None:
    """The bf16 behind a value that widens one."""
    if value is None or value.op is not convert or value.type != value.node.types[0]:
        return None
    source = value.node.inputs[0]
    narrow = source is not None and source.tensor.element == BF16 and value.node["to"] == F32
    return source if narrow else None


def _example(body: Callable[[Value], Value]) -> Callable[[], Graph]:
    def make() -> Graph:
        x = parameter("x", Type((2, 4), F32))
        return Graph((x,), (body(convert(convert(x, to=BF16), to=F32)),), ("y",))

    return make


@rule(convert, example=_example(lambda x: convert(x, to=BF16)))
def narrow_of_widened(node: Node, uses: Uses) -> Replacement:
    """convert(convert(x of bf16, f32), bf16) -> x."""
    return _widened(node.inputs[0]) if node["to"] == BF16 else None


@rule(*MOVEMENT, example=_example(lambda x: reshape(x, shape=(8,))))
def movement_of_widened(node: Node, uses: Uses) -> Replacement:
    """movement(convert(x of bf16, f32)) -> convert(movement(x), f32)."""
    x = _widened(node.inputs[0])
    return None if x is None else convert(node.replace((x, *node.inputs[1:])).outputs[0], to=F32)


@rule(concat, example=_example(lambda x: concat(x, x, axis=0)))
def concat_of_widened(node: Node, uses: Uses) -> Replacement:
    """concat(convert(x of bf16, f32), ...) -> convert(concat(x, ...), f32)."""
    parts = [_widened(v) for v in node.inputs]
    if any(p is None for p in parts):
        return None
    return convert(node.replace(tuple(parts)).outputs[0], to=F32)


@rule(pad, example=_example(lambda x: pad(x, constant(np.float32(0)), low=(0, 1), high=(0, 0))))
def pad_of_widened(node: Node, uses: Uses) -> Replacement:
    """pad(convert(x of bf16, f32), fill) -> convert(pad(x, fill), f32), where bf16 holds fill."""
    x, fill = _widened(node.inputs[0]), known(node.operand(1))
    if x is None or (fill is None and len(node.inputs) > 1):
        return None
    if fill is None:
        return convert(node.replace((x,)).outputs[0], to=F32)
    rounded = fill.astype(ml_dtypes.bfloat16)
    if not np.array_equal(rounded.astype(np.float32), fill):
        return None
    inputs = (x, constant(rounded, BF16), *node.inputs[2:])
    return convert(node.replace(inputs).outputs[0], to=F32)


@rule(convert, example=_example(lambda x: convert(layer_norm(
    x, constant(np.ones(4, np.float32)), axis=1, epsilon=1e-5), to=BF16)))  # fmt: skip
def rounded_once(node: Node, uses: Uses) -> Replacement:
    """convert(op(convert(x of bf16, f32)), bf16) -> op(x), for ops that compute in f32 anyway."""
    y = node.inputs[0]
    if node["to"] != BF16 or y is None or y.op not in ROUNDED_ONCE or y.node["element"] is not None:
        return None
    x = _widened(y.node.inputs[0])
    return None if x is None else y.node.replace((x, *y.node.inputs[1:])).outputs[0]


BF16_RULES: tuple[Rule, ...] = (
    narrow_of_widened, movement_of_widened, concat_of_widened, pad_of_widened, rounded_once,
)  # fmt: skip
