"""Activations, composed of elementwise ops."""

from __future__ import annotations

from collections.abc import Callable
from math import pi, sqrt

from whet.importers.onnx.layer import Layer, row, scalar
from whet.ir.node import Value
from whet.ops import elementwise as e
from whet.ops.movement import reshape

Compose = Callable[[Value, Layer], Value]


def clamped(x: Value, low: float, high: float) -> Value:
    return e.minimum(e.maximum(x, scalar(low, x)), scalar(high, x))


def scaled(x: Value, factor: float, offset: float = 0.0) -> Value:
    """x * factor + offset."""
    y = x if factor == 1 else e.mul(x, scalar(factor, x))
    return y if offset == 0 else e.add(y, scalar(offset, x))


def negative(x: Value, below: Value) -> Value:
    """x where it is not negative, else `below`."""
    return e.select(e.less(x, scalar(0, x)), below, x)


def elu(x: Value, alpha: float) -> Value:
    """alpha * (exp(x) - 1) below zero."""
    return negative(x, scaled(e.expm1(x), alpha))


def softplus(x: Value) -> Value:
    """log(1 + exp(x)), without overflow."""
    tail = e.log1p(e.exp(e.neg(e.absolute(x))))
    return e.add(e.maximum(x, scalar(0, x)), tail)


def hard_sigmoid(x: Value, alpha: float, beta: float) -> Value:
    return clamped(scaled(x, alpha, beta), 0, 1)


def _selu(x: Value, layer: Layer) -> Value:
    alpha = layer.real("alpha", 1.67326319217681884765625)
    return scaled(elu(x, alpha), layer.real("gamma", 1.05070102214813232421875))


def _celu(x: Value, layer: Layer) -> Value:
    alpha = layer.real("alpha", 1.0)
    return negative(x, scaled(e.expm1(scaled(x, 1 / alpha)), alpha))


def _gelu(x: Value, layer: Layer) -> Value:
    """x * Phi(x), Phi by erf or by the tanh approximation (Hendrycks and Gimpel, 2016)."""
    if layer.text("approximate", "none") == "tanh":
        cubed = scaled(e.mul(e.mul(x, x), x), 0.044715)
        inner = e.tanh(scaled(e.add(x, cubed), sqrt(2 / pi)))
    else:
        inner = e.erf(scaled(x, sqrt(0.5)))
    return e.mul(scaled(x, 0.5), scaled(inner, 1, 1))


def _shrink(x: Value, layer: Layer) -> Value:
    edge, bias = layer.real("lambd", 0.5), scalar(layer.real("bias"), x)
    high = e.select(e.less(scalar(edge, x), x), e.sub(x, bias), scalar(0, x))
    return e.select(e.less(x, scalar(-edge, x)), e.add(x, bias), high)


def _thresholded(x: Value, layer: Layer) -> Value:
    alpha = scalar(layer.real("alpha", 1.0), x)
    return e.select(e.less(alpha, x), x, scalar(0, x))


COMPOSED: dict[str, Compose] = {
    "Elu": lambda x, layer: elu(x, layer.real("alpha", 1.0)),
    "Selu": _selu,
    "Celu": _celu,
    "Gelu": _gelu,
    "HardSigmoid": lambda x, layer: hard_sigmoid(
        x, layer.real("alpha", 0.2), layer.real("beta", 0.5)
    ),
    "HardSwish": lambda x, layer: e.mul(x, hard_sigmoid(x, 1 / 6, 0.5)),
    "LeakyRelu": lambda x, layer: negative(x, scaled(x, layer.real("alpha", 0.01))),
    "Mish": lambda x, layer: e.mul(x, e.tanh(softplus(x))),
    "Shrink": _shrink,
    "Softplus": lambda x, layer: softplus(x),
    "Softsign": lambda x, layer: e.div(x, scaled(e.absolute(x), 1, 1)),
    "Swish": lambda x, layer: e.mul(x, e.sigmoid(scaled(x, layer.real("alpha", 1.0)))),
    "ThresholdedRelu": _thresholded,
}


@row(*COMPOSED)
def activation(layer: Layer) -> Value:
    return COMPOSED[layer.proto.op_type](layer[0], layer)


@row("PRelu")
def prelu(layer: Layer) -> Value:
    """Before version 7 a slope of one axis is one value a channel."""
    x, slope = layer[0], layer[1]
    if layer.version < 7 and len(slope.shape) == 1:
        slope = reshape(slope, shape=(*slope.shape, *(1,) * (len(x.shape) - 2)))
    return negative(x, e.mul(slope, x))
