"""Activations, alone or fused into the layer before."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from whet.importers.tflite.layer import Layer, as_element, row
from whet.importers.tflite.names import op_name
from whet.ir.element import Quant
from whet.ir.leaf import constant
from whet.ir.node import Array, Op, Value
from whet.ops import elementwise as e
from whet.ops.affine import affine
from whet.ops.integer import tables, unary
from whet.ops.integer.quantization import Activation, Affine
from whet.ops.lookup import codes, lookup
from whet.ops.normalization import softmax

BOUNDS = {
    Activation.RELU: (0.0, None), Activation.RELU6: (0.0, 6.0),
    Activation.RELU_N1_TO_1: (-1.0, 1.0),
}  # fmt: skip


def activated(layer: Layer, y: Value, activation: Activation) -> Value:
    """A float value after the fused activation; a quantised one was clamped by its layer."""
    if layer.quantized or activation is Activation.NONE:
        return y
    low, high = BOUNDS[activation]
    y = e.maximum(y, constant(np.float32(low)))
    return y if high is None else e.minimum(y, constant(np.float32(high)))


@row("SOFTMAX")
def softmax_layer(layer: Layer) -> Value:
    x = layer[0]
    return softmax(x, axis=len(x.shape) - 1, beta=layer.real(0, 0.0), **layer.integer_attributes())


ACTIVATIONS = {
    "RELU": Activation.RELU, "RELU6": Activation.RELU6, "RELU_N1_TO_1": Activation.RELU_N1_TO_1,
}  # fmt: skip


@row(*ACTIVATIONS)
def relu(layer: Layer) -> Value:
    activation = ACTIVATIONS[op_name(layer.operator.code)]
    if not layer.quantized:
        return activated(layer, layer[0], activation)
    return table(
        layer,
        lambda x, y, codes: unary.rescale(codes, unary.relu_constants(x, y, activation, "double")),
    )


Function = Callable[[Affine, Affine, Array], Array]


def table(layer: Layer, function: Function) -> Value:
    """A quantised unary function as a lookup; function(x, y, codes) gives y's codes."""
    x, y = layer.own(layer[0].tensor.element), layer.own(layer.elements[0])
    assert isinstance(x, Quant)
    assert isinstance(y, Quant)
    entries = function(affine(x), affine(y), codes(x))
    looked = lookup(as_element(layer[0], x), constant(np.asarray(entries), y), to=y)
    return as_element(looked, layer.elements[0])


REAL = {
    "LOGISTIC": e.sigmoid, "TANH": e.tanh, "EXP": e.exp, "LOG": e.log, "SQRT": e.sqrt,
    "ABS": e.absolute,
    "NEG": e.neg, "FLOOR": e.floor, "CEIL": e.ceil, "ROUND": e.round_even, "SIN": e.sin,
    "COS": e.cos,
}  # fmt: skip
TABLES = {
    "LOGISTIC": tables.logistic_table, "TANH": tables.tanh_table, "ABS": tables.absolute_table,
}  # fmt: skip


@row(*REAL)
def unary_function(layer: Layer) -> Value:
    name = op_name(layer.operator.code)
    if not layer.quantized:
        return REAL[name](layer[0])
    if name in TABLES:
        return table(layer, lambda x, y, codes: TABLES[name](x, y, "double"))
    real = REAL[name]

    def entries(x: Affine, y: Affine, codes: Array) -> Array:
        return unary.function_table(lambda v: evaluated(real, v), x, y)

    return table(layer, entries)


def evaluated(op: Op, values: Array) -> Array:
    """A unary op's meaning on an array."""
    x = constant(values)
    result = op.evaluate(op(x).node, values)
    assert isinstance(result, np.ndarray)
    return result


@row("PRELU")
def prelu(layer: Layer) -> Value:
    x, alpha = layer[0], layer[1]
    zero = constant(np.zeros((), x.tensor.element.dtype))
    return e.add(e.maximum(x, zero), e.mul(alpha, e.minimum(x, zero)))


@row("LEAKY_RELU")
def leaky_relu(layer: Layer) -> Value:
    alpha = layer.real(0)
    if layer.quantized:
        return table(layer, lambda x, y, codes: tables.leaky_relu_table(x, y, alpha, "double"))
    x = layer[0]
    return e.select(e.less(x, constant(np.float32(0))), e.mul(x, constant(np.float32(alpha))), x)


@row("HARD_SWISH")
def hard_swish(layer: Layer) -> Value:
    if layer.quantized:
        return table(layer, lambda x, y, codes: tables.hard_swish_table(x, y, "double"))
    x = layer[0]
    gate = e.maximum(e.add(x, constant(np.float32(3))), constant(np.float32(0)))
    gate = e.minimum(gate, constant(np.float32(6)))
    return e.mul(x, e.mul(gate, constant(np.float32(1 / 6))))
