"""Activations, alone or fused into the layer before."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from whet.importers.tflite.layer import Layer, as_element, row
from whet.importers.tflite.names import op_name
from whet.ir.element import F32, Quant
from whet.ir.graph import Graph
from whet.ir.leaf import constant
from whet.ir.node import Array, Value
from whet.ops import elementwise as e
from whet.ops import parametric
from whet.ops.affine import affine
from whet.ops.evaluate import evaluate
from whet.ops.integer import tables, unary
from whet.ops.integer.quantization import Activation, Affine, Integers, Rounding
from whet.ops.lookup import codes, lookup
from whet.ops.normalization import softmax
from whet.ops.reduction import reduce_max, reduce_sum

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
    x, beta = layer[0], layer.real(0, 0.0)
    axis = len(x.shape) - 1
    if layer.quantized:
        return softmax(x, axis=axis, beta=beta, **layer.integer_attributes())
    return softmax(x if beta == 1.0 else e.mul(x, _like(x, beta)), axis=axis)


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


def _reciprocal_root(x: Value) -> Value:
    return e.div(constant(np.ones((), x.tensor.element.dtype)), e.sqrt(x))


def _elu(x: Value) -> Value:
    zero = constant(np.zeros((), x.tensor.element.dtype))
    return e.select(e.less(x, zero), e.expm1(e.minimum(x, zero)), x)


REAL: dict[str, Callable[[Value], Value]] = {
    "SQUARE": lambda x: e.mul(x, x), "RSQRT": _reciprocal_root, "ELU": _elu, "SIGN": e.sign,
    "LOGISTIC": e.sigmoid, "TANH": e.tanh, "EXP": e.exp, "LOG": e.log, "SQRT": e.sqrt,
    "ABS": e.absolute,
    "NEG": e.neg, "FLOOR": e.floor, "CEIL": e.ceil, "ROUND": e.round_even, "SIN": e.sin,
    "COS": e.cos,
}  # fmt: skip
TableOf = Callable[[Affine, Affine, Rounding], Integers]
TABLES: dict[str, TableOf] = {
    "LOGISTIC": tables.logistic_table, "TANH": tables.tanh_table, "ABS": tables.absolute_table,
    "RSQRT": tables.reciprocal_sqrt_table, "ELU": tables.elu_table,
}  # fmt: skip


@row(*REAL)
def unary_function(layer: Layer) -> Value:
    name = op_name(layer.operator.code)
    return applied(layer, REAL[name], TABLES.get(name))


def applied(layer: Layer, real: Callable[[Value], Value], made: TableOf | None = None) -> Value:
    """A function of one value: on floats as it is, on 8-bit codes as a table, on others through
    floats.
    """
    element = layer[0].tensor.element
    if not isinstance(element, Quant):
        return real(layer[0])
    if element.store.size > 1:
        return as_element(real(as_element(layer[0], F32)), layer.elements[0])
    if made is not None:
        return table(layer, lambda x, y, codes: made(x, y, "double"))

    def entries(x: Affine, y: Affine, codes: Array) -> Array:
        return unary.function_table(lambda v: evaluated(real, v), x, y)

    return table(layer, entries)


def evaluated(real: Callable[[Value], Value], values: Array) -> Array:
    """What a function of one value gives for an array."""
    y = real(constant(np.asarray(values, np.float64)))
    return np.asarray(evaluate(Graph((), (y,), ("y",)), {})["y"])


@row("PRELU")
def prelu(layer: Layer) -> Value:
    x, alpha = layer[0], layer[1]
    if layer.quantized:
        return parametric.prelu(x, alpha, **layer.integer_attributes())
    zero = constant(np.zeros((), x.tensor.element.dtype))
    return e.add(e.maximum(x, zero), e.mul(alpha, e.minimum(x, zero)))


@row("RELU_0_TO_1")
def relu_to_one(layer: Layer) -> Value:
    return applied(layer, lambda x: e.minimum(e.maximum(x, _like(x, 0)), _like(x, 1)))


@row("GELU")
def gelu(layer: Layer) -> Value:
    """x times the normal distribution, or its tanh approximation (arXiv 1606.08415)."""
    approximate = bool(layer.option(0, "B"))

    def real(x: Value) -> Value:
        half = e.mul(x, _like(x, 0.5))
        if not approximate:
            return e.mul(half, e.add(e.erf(e.mul(x, _like(x, 0.5**0.5))), _like(x, 1)))
        cube = e.mul(e.mul(e.mul(x, x), x), _like(x, 0.044715))
        inner = e.mul(e.add(x, cube), _like(x, (2 / np.pi) ** 0.5))
        return e.mul(half, e.add(e.tanh(inner), _like(x, 1)))

    return applied(layer, real)


def _like(x: Value, value: float) -> Value:
    return constant(np.asarray(value, x.tensor.element.dtype))


@row("LOG_SOFTMAX")
def log_softmax(layer: Layer) -> Value:
    x = as_element(layer[0], F32) if layer.quantized else layer[0]
    axes = (len(x.shape) - 1,)
    shifted = e.sub(x, reduce_max(x, axes=axes, keep=True))
    y = e.sub(shifted, e.log(reduce_sum(e.exp(shifted), axes=axes, keep=True)))
    return as_element(y, layer.elements[0])


@row("L2_NORMALIZATION")
def unit_norm(layer: Layer) -> Value:
    if layer.quantized:
        return parametric.l2_normalize(layer[0], **layer.integer_attributes())
    x = layer[0]
    total = reduce_sum(e.mul(x, x), axes=(len(x.shape) - 1,), keep=True)
    return e.div(x, e.sqrt(e.maximum(total, _like(x, 1e-6))))


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
