"""Arithmetic that does nothing, or that something cheaper does."""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import pairwise

import numpy as np

from whet.ir.element import BOOL, F32, F64, I32, I64, Element, Scalar
from whet.ir.graph import Graph
from whet.ir.leaf import constant, known, parameter
from whet.ir.node import Array, Node, Op, Value
from whet.ir.type import Type
from whet.ops import elementwise as e
from whet.ops.convert import convert, integer_limits
from whet.ops.gather import gather
from whet.ops.movement import reshape, slice_op
from whet.ops.pooling import average_pool, max_pool
from whet.ops.reduction import reduce_max, reduce_mean, reduce_min, reduce_prod, reduce_sum
from whet.passes.movement import unary
from whet.rewrite.rule import Example, Replacement, Rule, Uses, rule

NEUTRAL: dict[Op, float] = {e.add: 0, e.sub: 0, e.mul: 1, e.div: 1, e.pow: 1}
COMMUTES = (e.add, e.mul, e.minimum, e.maximum)
COMBINE: dict[Op, Callable[[Array, Array], Array]] = {
    e.add: np.add, e.mul: np.multiply, e.minimum: np.minimum, e.maximum: np.maximum,
}  # fmt: skip
MANTISSA = {"f64": 53, "f32": 24, "f16": 11, "bf16": 8}


def number(value: float) -> Value:
    """A constant of one f32."""
    return constant(np.float32(value))


def one_number(value: Value | None) -> float | None:
    """The number a real constant of one element holds."""
    data = known(value)
    if data is None or data.size != 1 or data.dtype.kind not in "fViu":
        return None
    return float(data.reshape(()))


def split(node: Node) -> tuple[Value, Value] | None:
    """(x, constant) of a binary node, swapped where the op commutes."""
    if len(node.inputs) != 2:
        return None
    a, b = node.inputs
    if a is None or b is None:
        return None
    if known(b) is not None:
        return a, b
    return (b, a) if node.op in COMMUTES and known(a) is not None else None


def _pair(make: Callable[[Value], Value]) -> Example:
    return lambda: unary((2, 3), make)


@rule(*NEUTRAL, example=_pair(lambda x: e.mul(number(1), x)))
def neutral_operand(node: Node, uses: Uses) -> Replacement:
    """x + 0, x - 0, x * 1, x / 1, x ** 1 -> x."""
    parts = split(node)
    if parts is None or node["element"] is not None:
        return None
    x, c = parts
    data = known(c)
    if data is None or data.size == 0 or not (data == NEUTRAL[node.op]).all():
        return None
    return x if x.type == node.types[0] else None


@rule(e.neg, e.bit_not, example=_pair(lambda x: e.neg(e.neg(x))))
def double_negation(node: Node, uses: Uses) -> Replacement:
    """-(-x) -> x; ~(~x) -> x."""
    inner = node.input(0)
    return inner.node.input(0) if inner.op is node.op else None


@rule(e.minimum, e.maximum, e.bit_and, e.bit_or, example=_pair(lambda x: e.maximum(x, x)))
def same_operands(node: Node, uses: Uses) -> Replacement:
    """max(x, x), min(x, x), x & x, x | x -> x."""
    same = len(node.inputs) == 2 and node.inputs[0] is node.inputs[1]
    return node.inputs[0] if same else None


@rule(*COMBINE, example=_pair(lambda x: e.mul(e.mul(x, number(2)), number(3))))
def constants_of_chain(node: Node, uses: Uses) -> Replacement:
    """(x + a) + b -> x + (a + b); *, min and max alike. Floats may round differently."""
    parts = split(node)
    if parts is None or parts[0].op is not node.op or uses(parts[0]) > 1:
        return None
    inner = split(parts[0].node)
    if inner is None or node["element"] is not None or parts[0].node["element"] is not None:
        return None
    a, b = known(inner[1]), known(parts[1])
    if a is None or b is None or known(inner[0]) is not None:
        return None
    element = node.outputs[0].tensor.element
    merged = COMBINE[node.op](a, b)
    small = merged.size <= max(a.size, b.size)
    if not small or not isinstance(element, Scalar) or element.kind not in "fiu":
        return None
    return node.op(inner[0], constant(merged.astype(element.dtype), element))


@rule(e.pow, example=_pair(lambda x: e.pow(x, number(2))))
def small_power(node: Node, uses: Uses) -> Replacement:
    """x ** 2 -> x * x; x ** 3 -> x * x * x; x ** 0.5 -> sqrt(x), of floats."""
    x = node.input(0)
    exponent = one_number(node.inputs[1])
    if x.type != node.types[0] or not e.is_float(x.tensor.element):
        return None
    if exponent == 2:
        return e.mul(x, x)
    if exponent == 3:
        return e.mul(e.mul(x, x), x)
    return e.sqrt(x) if exponent == 0.5 else None


@rule(e.div, example=_pair(lambda x: e.div(x, number(8))))
def exact_reciprocal(node: Node, uses: Uses) -> Replacement:
    """x / c -> x * (1 / c) where c is a power of two: the same bits."""
    x, c = node.input(0), one_number(node.inputs[1])
    element = node.outputs[0].tensor.element
    if c is None or c == 0 or not math.isfinite(c) or not e.is_float(element):
        return None
    if math.frexp(abs(c))[0] != 0.5 or not 2.0**-14 <= abs(c) <= 2.0**14:
        return None
    if x.type != node.types[0]:
        return None
    return e.mul(x, constant(np.asarray(1 / c).astype(element.dtype), element))


@rule(e.select, example=lambda: _select())
def decided_selection(node: Node, uses: Uses) -> Replacement:
    """select(true, x, y) -> x; select(false, x, y) -> y; select(c, x, x) -> x."""
    condition, x, y = node.inputs
    data = known(condition)
    chosen = x if x is y else None
    if data is not None and data.size:
        chosen = x if data.all() else chosen if data.any() else y
    return chosen if chosen is not None and chosen.type == node.types[0] else None


def _select() -> Graph:
    x, y = parameter("x", Type((2,), F32)), parameter("y", Type((2,), F32))
    return Graph((x, y), (e.select(constant(np.array(True)), x, y),), ("z",))


@rule(convert, example=lambda: _narrowed())
def convert_of_convert(node: Node, uses: Uses) -> Replacement:
    """convert(convert(x)) -> convert(x) where the middle element holds every value of x."""
    inner, to = node.input(0), node["to"]
    if inner.op is not convert or not isinstance(to, Scalar):
        return None
    x = inner.node.input(0)
    if not _holds(inner.tensor.element, x.tensor.element):
        return None
    if x.tensor.element == to:
        return x
    saturate = {"saturate": node["saturate"]} if "saturate" in node.attrs else {}
    return convert(x, to=to, **saturate)


def _narrowed() -> Graph:
    x = parameter("x", Type((4,), I32))
    return Graph((x,), (convert(convert(x, to=I64), to=F32),), ("y",))


def _holds(wide: Element, narrow: Element) -> bool:
    """Whether every number of one machine type is one of another."""
    if not isinstance(wide, Scalar) or not isinstance(narrow, Scalar) or wide == BOOL:
        return wide == narrow
    if narrow == BOOL:
        return wide.kind in "iuf"
    if narrow.kind in "iu" and wide.kind in "iu":
        (a, b), (c, d) = integer_limits(wide), integer_limits(narrow)
        return a <= c and d <= b
    if narrow.kind in "iu" and wide.name in MANTISSA:
        low, high = integer_limits(narrow)
        return max(-low, high + 1) <= 1 << MANTISSA[wide.name]
    if narrow.name in MANTISSA and wide.name in MANTISSA:
        return wide in (F64, narrow) or (wide == F32 and narrow != F64)
    return False


@rule(
    reduce_sum, reduce_prod, reduce_mean, reduce_max, reduce_min,
    example=lambda: unary((2, 1, 3), lambda x: reduce_mean(x, axes=(1,), keep=False)),
)  # fmt: skip
def reduction_of_one(node: Node, uses: Uses) -> Replacement:
    """A reduction over axes of one element -> reshape."""
    x = node.input(0)
    if any(x.shape[a] != 1 for a in node.integers("axes")) or node["element"] is not None:
        return None
    return reshape(x, shape=node.outputs[0].shape)


@rule(max_pool, average_pool, example=lambda: unary((1, 3, 3, 2), _pooled))
def pool_of_one(node: Node, uses: Uses) -> Replacement:
    """A window of one element, in steps of one, without padding -> x."""
    ones = all(v == 1 for name in ("kernel", "stride") for v in node.integers(name))
    pads = any(v for name in ("low", "high") for v in node.integers(name))
    same = node.input(0).type == node.types[0] and node["clamp"] is None
    return node.input(0) if ones and same and not pads else None


def _pooled(x: Value) -> Value:
    ones = (1, 1)
    return max_pool(x, kernel=ones, stride=ones, dilation=ones, low=(0, 0), high=(0, 0))


@rule(
    gather,
    example=lambda: unary((4, 3), lambda x: gather(x, constant(np.array([1, 2])), axis=0)),
)
def gather_of_run(node: Node, uses: Uses) -> Replacement:
    """gather at known, evenly spaced indices -> slice, which may be a view."""
    x, indices = node.input(0), known(node.inputs[1])
    axis = node["axis"]
    if indices is None or not isinstance(axis, int) or indices.ndim > 1 or not indices.size:
        return None
    length = x.shape[axis]
    flat = [int(i) for i in indices.reshape(-1)]
    steps = {b - a for a, b in pairwise(flat)} or {1}
    if not isinstance(length, int) or len(steps) > 1 or 0 in steps:
        return None
    flat = [i + length if i < 0 else i for i in flat]
    if flat != [flat[0] + k * min(steps) for k in range(len(flat))]:
        return None
    if min(flat) < 0 or max(flat) >= length:
        return None
    rank = len(x.shape)
    part = slice_op(
        x,
        begin=tuple(flat[0] if i == axis else 0 for i in range(rank)),
        size=tuple(len(flat) if i == axis else d for i, d in enumerate(x.shape)),
        step=tuple(min(steps) if i == axis else 1 for i in range(rank)),
    )
    return part if indices.ndim else reshape(part, shape=node.outputs[0].shape)


ALGEBRA: tuple[Rule, ...] = (
    neutral_operand, double_negation, same_operands, constants_of_chain, small_power,
    exact_reciprocal, decided_selection, convert_of_convert, reduction_of_one, pool_of_one,
    gather_of_run,
)  # fmt: skip
