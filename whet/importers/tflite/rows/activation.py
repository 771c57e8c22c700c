"""Activations, alone or fused into the layer before."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from whet.importers.tflite.layer import Layer, row
from whet.importers.tflite.names import op_name
from whet.ir.element import Quant
from whet.ir.leaf import constant
from whet.ir.node import Array, Value
from whet.ops import elementwise as e
from whet.ops.affine import affine
from whet.ops.integer import unary
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
    x, y = layer[0].tensor.element, layer.elements[0]
    assert isinstance(x, Quant)
    assert isinstance(y, Quant)
    entries = function(affine(x), affine(y), codes(x))
    return lookup(layer[0], constant(np.asarray(entries), y), to=y)
