"""Products of two tensors of codes, softmax and layer normalisation stay in codes, too."""

from __future__ import annotations

import numpy as np

from whet.errors import ShapeError
from whet.ir.dim import static_size
from whet.ir.element import F32, I8, Quant
from whet.ir.graph import Graph
from whet.ir.leaf import constant, known, parameter
from whet.ir.node import Node, Value
from whet.ir.type import Type
from whet.ops.convert import bitcast, convert
from whet.ops.convolution import contraction_of
from whet.ops.integer.narrow import narrow
from whet.ops.lookup import lookup
from whet.ops.matmul import matmul
from whet.ops.normalization import layer_norm, layer_norm_of, softmax, softmax8_of
from whet.passes.codes import codes_of, is_code, real_constant
from whet.passes.quantize import peeled
from whet.rewrite.rule import Replacement, Rule, Uses, rule


def _coded(name: str, shape: tuple[int, ...], scale: float, zero: int) -> tuple[Value, Value]:
    """A float input and it through codes."""
    x = parameter(name, Type(shape, F32))
    return x, convert(convert(x, to=Quant(I8, (scale,), (zero,))), to=F32)


def _recoded(y: Value, scale: float, zero: int, *inputs: Value) -> Graph:
    return Graph(inputs, (convert(convert(y, to=Quant(I8, (scale,), (zero,))), to=F32),), ("y",))


def _products() -> Graph:
    (x, a), (y, b) = _coded("x", (2, 3, 5), 0.05, 3), _coded("y", (2, 5, 4), 0.04, -7)
    return _recoded(matmul(a, b), 0.2, 1, x, y)


@rule(convert, example=_products)
def quantized_product(node: Node, uses: Uses) -> Replacement:
    """quantise(dequantise(a) @ dequantise(b)) -> a @ b on codes, neither of them constant."""
    found = peeled(node, uses)
    if found is None:
        return None
    y, to, clamp = found
    plain = y.op is matmul and len(y.node.inputs) == 2 and y.node["epilogue"] is None
    if not plain or clamp is not None or uses(y) > 1:
        return None
    a, b = (codes_of(v) for v in y.node.inputs)
    if a is None or b is None or not (a.tensor.static and b.tensor.static):
        return None
    if known(a) is not None or known(b) is not None:
        return None
    made = y.node.replace((a, b), element=to)
    try:
        exact = narrow(contraction_of(made), static_size(a.shape[-1]))
    except ShapeError:
        return None
    return made.outputs[0] if exact else None


def _probabilities() -> Graph:
    x, logits = _coded("x", (4, 9), 0.05, 3)
    return _recoded(softmax(logits, axis=1), 1 / 255, -128, x)


@rule(convert, example=_probabilities)
def quantized_softmax(node: Node, uses: Uses) -> Replacement:
    """quantise(softmax(dequantise(x))) -> softmax(x) on codes, along the last axis."""
    y, to = node.input(0), node["to"]
    if y.op is not softmax or uses(y) > 1 or not isinstance(to, Quant) or not is_code(to):
        return None
    x = codes_of(y.node.inputs[0])
    if x is None or not x.tensor.static or y.node.integer("axis") != len(x.shape) - 1:
        return None
    made = y.node.replace((x,), element=to)
    try:
        return None if softmax8_of(made) is None else made.outputs[0]
    except ShapeError:
        return None


def _normalised() -> Graph:
    x, rows = _coded("x", (3, 20), 0.05, 3)
    scale, shift = (constant(np.linspace(a, 1.5, 20, dtype=np.float32)) for a in (0.5, -1.0))
    return _recoded(layer_norm(rows, scale, shift, axis=1, epsilon=1e-5), 0.03, 5, x)


@rule(convert, example=_normalised)
def quantized_layer_norm(node: Node, uses: Uses) -> Replacement:
    """quantise(layer_norm(dequantise(x), scale, bias)) -> layer_norm(x, scale, bias) on codes, over
    the last axis, scale and bias constant."""
    y, to = node.input(0), node["to"]
    if y.op is not layer_norm or uses(y) > 1 or not isinstance(to, Quant) or not is_code(to):
        return None
    x, bias = codes_of(y.node.inputs[0]), y.node.operand(2)
    scale, shift = real_constant(y.node.inputs[1]), real_constant(bias)
    if x is None or not x.tensor.static or y.node.integer("axis") != len(x.shape) - 1:
        return None
    if scale is None or (bias is not None and shift is None):
        return None
    reals = tuple(constant(v.astype(np.float32)) for v in (scale, shift) if v is not None)
    made = y.node.replace((x, *reals), element=to)
    try:
        layer_norm_of(made, scale, shift)
    except ShapeError:
        return None
    return made.outputs[0]


def _same_codes() -> Graph:
    x = parameter("x", Type((2, 3), F32))
    table = constant(np.arange(256, dtype=np.uint8).view(np.int8))
    y = lookup(convert(x, to=Quant(I8, (0.5,), (3,))), table, to=Quant(I8, (0.25,), (3,)))
    return Graph((x,), (convert(y, to=F32),), ("y",))


@rule(lookup, example=_same_codes)
def table_of_same_codes(node: Node, uses: Uses) -> Replacement:
    """lookup(x, the codes themselves) -> x, for what they stand for now."""
    x, table = node.inputs[0], known(node.inputs[1])
    made = node.outputs[0].tensor
    if x is None or table is None or x.tensor.element.size != 1 or made.element.size != 1:
        return None
    if (table.view(np.uint8) != np.arange(256)).any():
        return None
    return x if x.type == made else bitcast(x, to=made.element)


CODED_ROWS: tuple[Rule, ...] = (
    quantized_product, quantized_softmax, quantized_layer_norm, table_of_same_codes,
)  # fmt: skip
