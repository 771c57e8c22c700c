"""Convolutions and fully connected layers."""

from __future__ import annotations

from whet.errors import ModelError
from whet.importers.tflite.layer import Layer, row
from whet.importers.tflite.rows.activation import activated
from whet.ir.node import Value
from whet.ops.convolution import conv
from whet.ops.matmul import matmul
from whet.ops.movement import reshape, transpose


def _plain(shape: tuple[object, ...]) -> tuple[int, ...]:
    return tuple(int(str(d)) for d in shape)


@row("CONV_2D")
def convolution(layer: Layer) -> Value:
    x, w = layer[0], layer[1]
    _, kh, kw, depth = _plain(w.shape)
    stride, dilation = (
        (layer.option(2), layer.option(1)), (layer.option(5, "i", 1), layer.option(4, "i", 1)),
    )  # fmt: skip
    channels = int(str(x.shape[-1]))
    if channels % depth:
        raise ModelError(f"{channels} channels in groups of {depth}", where=layer.name)
    activation = layer.activation(3)
    y = conv(
        x, w, layer.optional(2), groups=channels // depth,
        **layer.window((kh, kw), stride, dilation), **layer.integer_attributes(activation),
    )  # fmt: skip
    return activated(layer, y, activation)


@row("DEPTHWISE_CONV_2D")
def depthwise(layer: Layer) -> Value:
    x, w = layer[0], transpose(layer[1], perm=(3, 1, 2, 0))
    _, kh, kw, _ = _plain(w.shape)
    stride, dilation = (
        (layer.option(2), layer.option(1)), (layer.option(6, "i", 1), layer.option(5, "i", 1)),
    )  # fmt: skip
    activation = layer.activation(4)
    y = conv(
        x, w, layer.optional(2), groups=int(str(x.shape[-1])),
        **layer.window((kh, kw), stride, dilation), **layer.integer_attributes(activation),
    )  # fmt: skip
    return activated(layer, y, activation)


@row("FULLY_CONNECTED")
def fully_connected(layer: Layer) -> Value:
    x, w = layer[0], layer[1]
    outputs, depth = _plain(w.shape)
    rows = int(str(x.tensor.elements)) // depth
    flat = reshape(x, shape=(rows, depth))
    activation = layer.activation(0)
    attributes = layer.integer_attributes(activation)
    if layer.quantized and _one_scale(w):
        attributes["float32_product"] = True
    weights = transpose(w, perm=(1, 0))
    y = matmul(flat, weights, layer.optional(2), **attributes)
    y = activated(layer, y, activation)
    shape = layer.shapes[0]
    return reshape(y, shape=shape) if shape and shape != (rows, outputs) else y


def _one_scale(w: Value) -> bool:
    element = w.tensor.element
    return len(getattr(element, "scale", ())) == 1
