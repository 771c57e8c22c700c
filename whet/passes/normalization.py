"""Softmax and normalisations written out in arithmetic become one op.

Exporters and ONNX function bodies write them so. What is matched has the same meaning; floats may
round differently.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from whet.ir.dim import static_shape
from whet.ir.element import F32
from whet.ir.graph import Graph
from whet.ir.leaf import constant, known, parameter
from whet.ir.node import Node, Op, Value
from whet.ir.type import Type
from whet.ops.elementwise import add, div, exp, is_float, mul, pow, sqrt, sub
from whet.ops.normalization import layer_norm, rms_norm, softmax
from whet.ops.reduction import reduce_max, reduce_mean, reduce_sum
from whet.passes.codes import real_constant
from whet.rewrite.rule import Replacement, Rule, Uses, rule


def scalar_of(value: Value | None) -> float | None:
    """The number a constant of one element holds."""
    data = known(value)
    return float(data.reshape(())) if data is not None and data.size == 1 else None


def operands(value: Value | None, op: Op) -> tuple[Value, Value] | None:
    """The two operands of a binary op."""
    if value is None or value.op is not op:
        return None
    a, b = value.node.inputs
    return None if a is None or b is None else (a, b)


def either(value: Value | None, op: Op) -> tuple[tuple[Value, Value], ...]:
    """The operands of a commutative op in both orders."""
    pair = operands(value, op)
    return () if pair is None else (pair, pair[::-1])


def reduced(value: Value | None, op: Op) -> tuple[Value, tuple[int, ...]] | None:
    """(x, axes) of a reduction that keeps its axes."""
    if value is None or value.op is not op or not value.node.attrs.get("keep", True):
        return None
    x = value.node.inputs[0]
    return None if x is None else (x, value.node.integers("axes"))


def square_of(value: Value | None) -> Value | None:
    """x where the value is x * x or x ** 2."""
    pair = operands(value, mul)
    if pair is not None and pair[0] is pair[1]:
        return pair[0]
    pair = operands(value, pow)
    return pair[0] if pair is not None and scalar_of(pair[1]) == 2 else None


def _softmax_example() -> Graph:
    x = parameter("x", Type((2, 5), F32))
    e = exp(sub(x, reduce_max(x, axes=(1,), keep=True)))
    return Graph((x,), (div(e, reduce_sum(e, axes=(1,), keep=True)),), ("y",))


@rule(div, example=_softmax_example)
def recognise_softmax(node: Node, uses: Uses) -> Replacement:
    """e / sum(e) with e = exp(x - max(x)) -> softmax(x), along one axis."""
    e, total = node.inputs
    summed = reduced(total, reduce_sum)
    if e is None or summed is None or summed[0] is not e or e.op is not exp:
        return None
    if len(summed[1]) != 1 or not is_float(e.tensor.element):
        return None
    pair = operands(e.node.inputs[0], sub)
    top = reduced(pair[1], reduce_max) if pair else None
    if pair is None or top is None or top[0] is not pair[0] or top[1] != summed[1]:
        return None
    return softmax(pair[0], axis=summed[1][0])


@dataclass(frozen=True, slots=True)
class Statistics:
    """x / sqrt(variance + epsilon) over the last axes from `axis`, centred or not."""

    x: Value
    axis: int
    epsilon: float
    centred: bool


def _last_axes(x: Value, axes: tuple[int, ...]) -> int | None:
    """The first of axes that are the last ones."""
    first = min(axes, default=len(x.shape))
    return first if tuple(sorted(axes)) == tuple(range(first, len(x.shape))) else None


def _deviation(value: Value | None) -> tuple[Value, float] | None:
    """(variance, epsilon) of sqrt(variance + epsilon)."""
    if value is None or value.op is not sqrt:
        return None
    for variance, c in either(value.node.inputs[0], add):
        epsilon = scalar_of(c)
        if epsilon is not None:
            return variance, epsilon
    return None


def _quotient(value: Value | None) -> tuple[Value, Value] | None:
    """(a, b) of a / b or a * (1 / b)."""
    pair = operands(value, div)
    if pair is not None:
        return pair
    for a, inverse in either(value, mul):
        one = operands(inverse, div)
        if one is not None and scalar_of(one[0]) == 1:
            return a, one[1]
    return None


def statistics(value: Value | None) -> Statistics | None:
    """What a value normalises, where it does."""
    quotient = _quotient(value)
    deviation = _deviation(quotient[1]) if quotient else None
    if quotient is None or deviation is None:
        return None
    top, (variance, epsilon) = quotient[0], deviation
    mean = reduced(variance, reduce_mean)
    if mean is not None and (x := square_of(mean[0])) is not None:
        return _of_squares(top, x, mean[1], epsilon)
    return _of_moments(top, variance, epsilon)


def _of_squares(top: Value, x: Value, axes: tuple[int, ...], epsilon: float) -> Statistics | None:
    """top / sqrt(mean(x * x) + epsilon): x is top, centred before or not at all."""
    axis = _last_axes(top, axes)
    if x is not top or axis is None:
        return None
    pair = operands(top, sub)
    mean = reduced(pair[1], reduce_mean) if pair else None
    if pair and mean and mean[0] is pair[0] and _last_axes(pair[0], mean[1]) == axis:
        return Statistics(pair[0], axis, epsilon, centred=True)
    return Statistics(top, axis, epsilon, centred=False)


def _of_moments(top: Value, variance: Value, epsilon: float) -> Statistics | None:
    """(x - mean(x)) / sqrt(mean(x * x) - mean(x) * mean(x) + epsilon)."""
    centred, parts = operands(top, sub), operands(variance, sub)
    if centred is None or parts is None:
        return None
    x, mean = centred[0], reduced(centred[1], reduce_mean)
    squares = reduced(parts[0], reduce_mean)
    if mean is None or squares is None or mean[0] is not x or square_of(squares[0]) is not x:
        return None
    axis = _last_axes(x, mean[1])
    if square_of(parts[1]) is not centred[1] or squares[1] != mean[1] or axis is None:
        return None
    return Statistics(x, axis, epsilon, centred=True)


def _affine(value: Value, x: Value, axis: int) -> Value | None:
    """A scale or bias in the shape of x from `axis`."""
    shape = x.shape[axis:]
    data = real_constant(value)
    if value.shape == shape:
        return value
    if data is None or not x.tensor.static or data.ndim > len(x.shape):
        return None
    wanted = static_shape(shape)
    aligned = (1,) * (len(wanted) - data.ndim) + data.shape
    if any(d != 1 for d in aligned[: len(aligned) - len(wanted)]):
        return None
    narrow = data.reshape(aligned[len(aligned) - len(wanted) :])
    return constant(np.broadcast_to(narrow, wanted).copy(), value.tensor.element)


def _rms_example() -> Graph:
    x = parameter("x", Type((2, 5), F32))
    mean = reduce_mean(mul(x, x), axes=(1,), keep=True)
    unit = div(x, sqrt(add(mean, constant(np.float32(1e-5)))))
    return Graph((x,), (mul(unit, constant(np.arange(5, dtype=np.float32))),), ("y",))


@rule(div, mul, example=_rms_example)
def recognise_normalisation(node: Node, uses: Uses) -> Replacement:
    """x / sqrt(mean(x * x) + epsilon) -> rms_norm(x, 1); of x less its mean -> layer_norm."""
    found = statistics(node.outputs[0])
    if found is None or found.x.type != node.types[0] or not found.x.tensor.static:
        return None
    element = found.x.tensor.element
    if not is_float(element):
        return None
    shape = static_shape(found.x.shape[found.axis :])
    ones = constant(np.ones(shape, element.dtype), element)
    op = layer_norm if found.centred else rms_norm
    return op(found.x, ones, axis=found.axis, epsilon=found.epsilon)


def _scale_example() -> Graph:
    x = parameter("x", Type((2, 5), F32))
    y = rms_norm(x, constant(np.ones(5, np.float32)), axis=1, epsilon=1e-5)
    return Graph((x,), (mul(y, constant(np.arange(5, dtype=np.float32))),), ("y",))


@rule(mul, example=_scale_example)
def scale_of_normalisation(node: Node, uses: Uses) -> Replacement:
    """rms_norm(x, scale) * c -> rms_norm(x, scale * c); layer_norm without bias alike."""
    for y, c in either(node.outputs[0], mul):
        if y.op not in (layer_norm, rms_norm) or y.node.operand(2) is not None or uses(y) > 1:
            continue
        x, scale = y.node.input(0), y.node.input(1)
        factor = real_constant(_affine(c, x, y.node.integer("axis"))) if _held(c) else None
        held = known(scale)
        if factor is not None and held is not None and y.type == node.types[0]:
            merged = constant((held * factor).astype(held.dtype), y.tensor.element)
            return y.node.replace((x, merged)).outputs[0]
    return None


def _held(value: Value) -> bool:
    return real_constant(value) is not None


def _bias_example() -> Graph:
    x = parameter("x", Type((2, 5), F32))
    scale = constant(np.arange(5, dtype=np.float32))
    y = layer_norm(x, scale, axis=1, epsilon=1e-5)
    return Graph((x,), (add(y, constant(np.ones((1, 5), np.float32))),), ("y",))


@rule(add, example=_bias_example)
def bias_of_layer_norm(node: Node, uses: Uses) -> Replacement:
    """layer_norm(x, scale) + bias -> layer_norm(x, scale, bias)."""
    for y, b in either(node.outputs[0], add):
        if y.op is not layer_norm or y.node.operand(2) is not None or uses(y) > 1:
            continue
        x, scale = y.node.input(0), y.node.input(1)
        bias = _affine(b, x, y.node.integer("axis")) if _held(b) else None
        if bias is not None and y.shape == node.outputs[0].shape:
            return y.node.replace((x, scale, bias)).outputs[0]
    return None


NORMALIZATION: tuple[Rule, ...] = (
    recognise_softmax, recognise_normalisation, scale_of_normalisation, bias_of_layer_norm,
)  # fmt: skip
