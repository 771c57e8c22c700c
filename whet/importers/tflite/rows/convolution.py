"""Convolutions and fully connected layers."""

from __future__ import annotations

import numpy as np

from whet.errors import ModelError
from whet.importers.tflite.layer import Layer, as_element, row
from whet.importers.tflite.rows.activation import activated
from whet.ir.dim import static_shape, static_size
from whet.ir.element import F32, Quant
from whet.ir.leaf import constant
from whet.ir.node import Attr, Value
from whet.ops.convert import convert
from whet.ops.convolution import conv
from whet.ops.integer.quantization import Activation, same_padding
from whet.ops.matmul import matmul
from whet.ops.movement import pad, reshape, slice_op, transpose


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


@row("BATCH_MATMUL")
def batch_product(layer: Layer) -> Value:
    a, b = layer[0], layer[1]
    a = _swapped(a) if layer.option(0, "B") else a
    b = _swapped(b) if layer.option(1, "B") else b
    return matmul(a, b, **layer.integer_attributes())


def _swapped(x: Value) -> Value:
    rank = len(x.shape)
    return transpose(x, perm=(*range(rank - 2), rank - 1, rank - 2))


@row("TRANSPOSE_CONV")
def transposed(layer: Layer) -> Value:
    """A convolution by the turned kernel over the input with zeros between its elements."""
    w, x, bias = layer[1], layer[2], layer.optional(3)
    _, *out, _ = layer.ints(0)
    _, kh, kw, _ = kernel = static_shape(w.shape)
    strides = (layer.option(2), layer.option(1))
    pads = [(0, 0), (0, 0)]
    if layer.option(0, "b") == 0:
        sizes = zip(out, (kh, kw), strides, strict=True)
        pads = [same_padding(n, k, s, 1) for n, k, s in sizes]
    low, high, cut = [], [], []
    sizes_ = static_shape(x.shape)[1:3]
    for n, k, s, made, (before, _) in zip(sizes_, (kh, kw), strides, out, pads, strict=True):
        low.append(k - 1 - before)
        high.append(max(0, made - n * s - low[-1] + k - 1))
        cut.append(max(0, n * s + low[-1] - made - k + 1))
    spread = _spread(x, strides, tuple(cut))
    turned = slice_op(w, begin=(0, kh - 1, kw - 1, 0), size=kernel, step=(1, -1, -1, 1))
    activation = layer.activation(3)
    y = conv(
        *_real(layer, spread, turned, bias), stride=(1, 1), dilation=(1, 1), low=tuple(low),
        high=tuple(high), groups=1, **_attributes(layer, w, activation),
    )  # fmt: skip
    return activated(layer, y, activation)


def _spread(x: Value, strides: tuple[int, int], cut: tuple[int, ...]) -> Value:
    """x with stride - 1 zeros after each element of both spatial axes, the last `cut` left out."""
    n, h, w, c = static_shape(x.shape)
    element = x.tensor.element
    zero = element.zero[0] if isinstance(element, Quant) else 0
    split = reshape(x, shape=(n, h, 1, w, 1, c))
    high = (0, 0, strides[0] - 1, 0, strides[1] - 1, 0)
    fill = constant(np.asarray(zero).astype(element.dtype), element)
    padded = pad(split, fill, low=(0,) * 6, high=high, mode="constant")
    h, w = h * strides[0], w * strides[1]
    grown = reshape(padded, shape=(n, h, w, c))
    size = (n, h - cut[0], w - cut[1], c)
    return slice_op(grown, begin=(0,) * 4, size=size, step=(1,) * 4) if any(cut) else grown


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
