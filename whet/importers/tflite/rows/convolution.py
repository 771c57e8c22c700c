"""Convolutions and fully connected layers."""

from __future__ import annotations

from whet.errors import ModelError
from whet.importers.tflite.layer import Layer, as_element, row
from whet.importers.tflite.rows.activation import activated
from whet.ir.dim import static_shape, static_size
from whet.ir.element import F32, Quant
from whet.ir.node import Attr, Value
from whet.ops.convert import convert
from whet.ops.convolution import conv
from whet.ops.integer.quantization import Activation
from whet.ops.matmul import matmul
from whet.ops.movement import reshape, transpose


@row("CONV_2D")
def convolution(layer: Layer) -> Value:
    x, w = layer[0], layer[1]
    _, kh, kw, depth = static_shape(w.shape)
    stride, dilation = (
        (layer.option(2), layer.option(1)), (layer.option(5, "i", 1), layer.option(4, "i", 1)),
    )  # fmt: skip
    channels = static_size(x.shape[-1])
    if channels % depth:
        raise ModelError(f"{channels} channels in groups of {depth}", where=layer.name)
    activation = layer.activation(3)
    y = conv(
        *_real(layer, x, w, layer.optional(2)), groups=channels // depth,
        **layer.window((kh, kw), stride, dilation), **_attributes(layer, w, activation),
    )  # fmt: skip
    return activated(layer, y, activation)


@row("DEPTHWISE_CONV_2D")
def depthwise(layer: Layer) -> Value:
    x, w = layer[0], transpose(layer[1], perm=(3, 1, 2, 0))
    _, kh, kw, _ = static_shape(w.shape)
    stride, dilation = (
        (layer.option(2), layer.option(1)), (layer.option(6, "i", 1), layer.option(5, "i", 1)),
    )  # fmt: skip
    activation = layer.activation(4)
    y = conv(
        *_real(layer, x, w, layer.optional(2)), groups=static_size(x.shape[-1]),
        **layer.window((kh, kw), stride, dilation), **_attributes(layer, w, activation),
    )  # fmt: skip
    return activated(layer, y, activation)


@row("FULLY_CONNECTED")
def fully_connected(layer: Layer) -> Value:
    x, w = layer[0], layer[1]
    outputs, depth = static_shape(w.shape)
    rows = static_size(x.tensor.elements) // depth
    flat = reshape(x, shape=(rows, depth))
    activation = layer.activation(0)
    attributes = _attributes(layer, w, activation, float32_product=True)
    flat, w, bias = _real(layer, flat, w, layer.optional(2))
    y = matmul(flat, transpose(w, perm=(1, 0)), bias, **attributes)
    y = activated(layer, y, activation)
    shape = layer.shapes[0]
    return reshape(y, shape=shape) if shape and shape != (rows, outputs) else y


def _attributes(
    layer: Layer, w: Value, activation: Activation, float32_product: bool = False
) -> dict[str, Attr]:
    """Attributes of a contraction: with one weight scale TensorFlow Lite makes the multiplier from
    a float32 product, in fully connected layers and in all uint8 ones.
    """
    attributes = layer.integer_attributes(activation)
    element = w.tensor.element
    one_scale = isinstance(element, Quant) and len(element.scale) == 1
    if layer.quantized and one_scale and (float32_product or layer.legacy):
        attributes["float32_product"] = True
    return attributes


def _real(
    layer: Layer, x: Value, w: Value, bias: Value | None
) -> tuple[Value, Value, Value | None]:
    """The operands; those of a float layer with quantised weights as floats."""
    if layer.quantized or not isinstance(w.tensor.element, Quant):
        return x, w, bias
    return x, convert(w, to=F32), None if bias is None else as_element(bias, F32)
