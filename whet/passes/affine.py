"""Products and sums with constants around a contraction become part of its weights and bias.

Batch normalization is one product and one sum, so this folds it; so it does a bias and the scaling
of an input.
"""

from __future__ import annotations

import numpy as np

from whet.ir.element import F32
from whet.ir.graph import Graph
from whet.ir.leaf import constant, known, parameter
from whet.ir.node import Array, Node, Op, Value
from whet.ir.type import Type
from whet.ops.convolution import conv
from whet.ops.convolution_transpose import conv_transpose
from whet.ops.elementwise import add, div, is_float, mul, sub
from whet.ops.matmul import matmul
from whet.rewrite.rule import Example, Replacement, Rule, Uses, rule

Parts = tuple[Array, Array | None]
CONTRACTIONS = (conv, conv_transpose, matmul)


def constant_channels(value: Value | None, result: Type) -> Array | None:
    """A constant that varies along the last axis at most: one number a channel, in float64."""
    data = known(value)
    if data is None or not is_float(result.element) or not result.rank:
        return None
    channels = result.shape[-1]
    if not isinstance(channels, int):
        return None
    if data.ndim > result.rank or any(d != 1 for d in data.shape[:-1]):
        return None
    if data.size not in (1, channels):
        return None
    return np.broadcast_to(data.reshape(-1).astype(np.float64), (channels,))


def folded(value: Value | None, uses: Uses) -> Parts | None:
    """Weights, and bias in float64, of a contraction that nothing but one node reads."""
    if value is None or value.op not in CONTRACTIONS or uses(value) > 1:
        return None
    node = value.node
    w = known(node.inputs[1])
    if w is None or node["epilogue"] is not None or node["element"] is not None:
        return None
    if (node.op is matmul and w.ndim != 2) or not is_float(value.tensor.element):
        return None
    bias = node.operand(2)
    b = known(bias)
    if bias is not None and b is None:
        return None
    return w, None if b is None else b.astype(np.float64)


def rebuilt(value: Value, w: Array | None, b: Array | None) -> Value:
    """The contraction with another bias, and other weights where some are given."""
    element = value.tensor.element
    inputs = list(value.node.inputs[:2])
    if w is not None:
        inputs[1] = constant(w.astype(element.dtype), element)
    if b is not None:
        inputs.append(constant(b.astype(element.dtype), element))
    return value.node.replace(tuple(inputs)).outputs[0]


def _along_outputs(op: Op, factor: Array, w: Array) -> Array:
    return factor if op is matmul else factor.reshape(-1, *(1,) * (w.ndim - 1))


def _example(after: Op, flip: bool = False) -> Example:
    def make() -> Graph:
        x = parameter("x", Type((1, 4, 4, 2), F32))
        w = constant(np.linspace(-1, 1, 24, dtype=np.float32).reshape(3, 2, 2, 2))
        y = conv(x, w, stride=(1, 1), dilation=(1, 1), low=(0, 0), high=(0, 0))
        c = constant(np.array([0.5, -2, 3], np.float32))
        return Graph((x,), (after(c, y) if flip else after(y, c),), ("y",))

    return make


@rule(mul, div, example=_example(mul))
def scale_after(node: Node, uses: Uses) -> Replacement:
    """conv(x, w, b) * c -> conv(x, w * c, b * c); also / c; matmul alike."""
    a, c = node.inputs
    factor = constant_channels(c, node.outputs[0].tensor)
    if factor is None and node.op is mul:
        a, factor = c, constant_channels(a, node.outputs[0].tensor)
    if factor is None or a is None or a.shape != node.outputs[0].shape:
        return None
    parts = folded(a, uses)
    if parts is None:
        return None
    if node.op is div:
        if not factor.all():
            return None
        factor = 1 / factor
    w, b = parts
    return rebuilt(a, w * _along_outputs(a.op, factor, w), None if b is None else b * factor)


@rule(add, sub, example=_example(add))
def offset_after(node: Node, uses: Uses) -> Replacement:
    """conv(x, w, b) + c -> conv(x, w, b + c); also - c; matmul alike."""
    a, c = node.inputs
    offset = constant_channels(c, node.outputs[0].tensor)
    if offset is None and node.op is add:
        a, offset = c, constant_channels(a, node.outputs[0].tensor)
    if offset is None or a is None or a.shape != node.outputs[0].shape:
        return None
    parts = folded(a, uses)
    if parts is not None:
        b = parts[1]
        offset = -offset if node.op is sub else offset
        return rebuilt(a, None, offset if b is None else b + offset)
    return _bias_of_any(node, a, offset, uses)


def _bias_of_any(node: Node, a: Value, offset: Array, uses: Uses) -> Value | None:
    """A bias for a contraction whose weights are not constant."""
    plain = a.op in CONTRACTIONS and a.node.operand(2) is None and a.node["epilogue"] is None
    if not plain or uses(a) > 1 or a.node["element"] is not None:
        return None
    element = a.tensor.element
    bias = constant((-offset if node.op is sub else offset).astype(element.dtype), element)
    return a.node.replace((*a.node.inputs[:2], bias)).outputs[0]


def _scaled_input() -> Graph:
    x = parameter("x", Type((1, 4, 4, 2), F32))
    w = constant(np.linspace(-1, 1, 24, dtype=np.float32).reshape(3, 2, 2, 2))
    c = constant(np.array([0.5, -2], np.float32))
    y = conv(mul(x, c), w, stride=(1, 1), dilation=(1, 1), low=(1, 1), high=(0, 0))
    return Graph((x,), (y,), ("y",))


def _offset_input() -> Graph:
    x = parameter("x", Type((2, 3), F32))
    w = constant(np.linspace(-1, 1, 12, dtype=np.float32).reshape(3, 4))
    y = matmul(sub(x, constant(np.array([0.5, -2, 1], np.float32))), w)
    return Graph((x,), (y,), ("y",))


@rule(conv, matmul, example=_scaled_input)
def scale_before(node: Node, uses: Uses) -> Replacement:
    """conv(x * c, w) -> conv(x, w * c) with c along the input channels; also / c; matmul alike."""
    x = node.inputs[0]
    if x is None or x.op not in (mul, div) or uses(x) > 1:
        return None
    inner, c = x.node.inputs
    factor = constant_channels(c, x.tensor)
    if factor is None and x.op is mul:
        inner, factor = c, constant_channels(inner, x.tensor)
    if inner is None or factor is None or inner.shape != x.shape:
        return None
    w = _weights(node)
    if w is None:
        return None
    if x.op is div:
        if not factor.all():
            return None
        factor = 1 / factor
    return _with_input(node, inner, w * _along_inputs(node, factor, w))


@rule(conv, matmul, example=_offset_input)
def offset_before(node: Node, uses: Uses) -> Replacement:
    """conv(x + c, w, b) -> conv(x, w, b + w . c) where nothing is padded; also - c and matmul."""
    x = node.inputs[0]
    if x is None or x.op not in (add, sub) or uses(x) > 1:
        return None
    inner, c = x.node.inputs
    offset = constant_channels(c, x.tensor)
    if offset is None and x.op is add:
        inner, offset = c, constant_channels(inner, x.tensor)
    if inner is None or offset is None or inner.shape != x.shape:
        return None
    w = _weights(node)
    if w is None:
        return None
    if node.op is conv and any((*node.integers("low"), *node.integers("high"))):
        return None
    if node["epilogue"] is not None:
        return None
    product = w * _along_inputs(node, -offset if x.op is sub else offset, w)
    added = product.sum(axis=0) if node.op is matmul else product.reshape(w.shape[0], -1).sum(1)
    b = known(node.operand(2))
    if b is None and node.operand(2) is not None:
        return None
    return _with_input(node, inner, w, added if b is None else added + b)


def _weights(node: Node) -> Array | None:
    value = node.inputs[1]
    w = known(value)
    if w is None or value is None or node["element"] is not None:
        return None
    if not is_float(value.tensor.element):
        return None
    return None if node.op is matmul and w.ndim != 2 else w.astype(np.float64)


def _along_inputs(node: Node, values: Array, w: Array) -> Array:
    """One number an input channel, shaped to broadcast against the weights."""
    if node.op is matmul:
        return values[:, None]
    groups = node.integer("groups", 1)
    each = values.reshape(groups, -1).repeat(w.shape[0] // groups, axis=0)
    return each.reshape(w.shape[0], *(1,) * (w.ndim - 2), -1)


def _with_input(node: Node, x: Value, w: Array, b: Array | None = None) -> Value:
    element = x.tensor.element
    inputs = [x, constant(w.astype(element.dtype), element), *node.inputs[2:]]
    if b is not None:
        inputs[2:3] = [constant(b.astype(element.dtype), element)]
    return node.replace(tuple(inputs)).outputs[0]


def _scores() -> Graph:
    q, k = parameter("q", Type((3, 2), F32)), parameter("k", Type((2, 3), F32))
    return Graph((q, k), (div(matmul(q, k), constant(np.float32(3))),), ("y",))


@rule(mul, div, example=_scores)
def scale_of_product(node: Node, uses: Uses) -> Replacement:
    """(a @ b) * c -> (a * c) @ b for one number c and products of computed values: fewer
    elements are scaled, and the number may reach weights."""
    y, c = node.inputs
    if y is None or (node.op is mul and y.op is not matmul):
        y, c = c, y
    if y is None or y.op is not matmul or (node.op is div and c is node.inputs[0]):
        return None
    number = known(c)
    a, b = y.node.inputs[:2]
    if number is None or number.size != 1 or a is None or known(b) is not None or uses(y) > 1:
        return None
    element = y.tensor.element
    if len(y.node.inputs) > 2 or y.node["element"] is not None or not is_float(element):
        return None
    if y.type != node.types[0] or known(a) is not None:
        return None
    factor = number.reshape(()).astype(np.float64)
    scaled = 1 / factor if node.op is div else factor
    if not np.isfinite(scaled):
        return None
    return matmul(mul(a, constant(scaled.astype(element.dtype), element)), b)


AFFINE: tuple[Rule, ...] = (scale_after, offset_after, scale_before, offset_before)
