"""Convolutions and matrix products of codes."""

from __future__ import annotations

import numpy as np

from whet.importers.onnx.layer import Layer, row
from whet.importers.onnx.rows.convolution import convolved
from whet.importers.onnx.rows.matmul import multiplied
from whet.importers.onnx.rows.quantization import Codes, dequantized, quantized
from whet.ir.dim import Size, static_size
from whet.ir.element import F32, F64, I32, Scalar
from whet.ir.node import Value
from whet.ops import elementwise as e
from whet.ops.convert import convert
from whet.ops.movement import reshape

EXACT_TERMS = 1 << 8


def _numbers(layer: Layer, index: int, axis: int) -> tuple[Value, Codes]:
    """Codes at an input, followed by their scale and zero point."""
    store = layer[index].tensor.element
    assert isinstance(store, Scalar)
    codes = Codes(store, convert(layer[index + 1], to=F32), layer.optional(index + 2), axis)
    return dequantized(layer[index], codes), codes


def _result(layer: Layer, y: Value, index: int) -> Value:
    """A result as codes by the scale and zero point at an input."""
    store = layer[index + 1].tensor.element
    assert isinstance(store, Scalar)
    return quantized(convert(y, to=F32), Codes(store, layer[index], layer[index + 1], 0))


@row("QLinearConv")
def convolution(layer: Layer) -> Value:
    x, x_codes = _numbers(layer, 0, 1)
    w, w_codes = _numbers(layer, 3, 0)
    bias = layer.optional(8)
    if bias is not None:
        scale = reshape(e.mul(x_codes.scale, w_codes.scale), shape=_row(w_codes.scale))
        bias = e.mul(convert(bias, to=F32), scale)
    return _result(layer, convolved(layer, x, w, bias), 6)


def _row(scale: Value) -> tuple[Size, ...]:
    return (scale.tensor.elements,)


@row("QLinearMatMul")
def product(layer: Layer) -> Value:
    a, _ = _numbers(layer, 0, len(layer[0].shape) - 2)
    b, _ = _numbers(layer, 3, len(layer[3].shape) - 1)
    return _result(layer, multiplied(a, b), 6)


def _differences(layer: Layer, index: int, zero: int, to: Scalar, axis: int) -> Value:
    """An operand less its zero point, one or one along an axis."""
    x, point = convert(layer[index], to=to), layer.optional(zero)
    if point is None:
        return x
    size, rank = point.tensor.elements, len(x.shape)
    shape = point.shape
    if len(shape) < 2:
        shape = tuple(size if i == axis % rank else 1 for i in range(rank))
    return e.sub(x, convert(reshape(point, shape=shape), to=to))


@row("ConvInteger")
def integer_convolution(layer: Layer) -> Value:
    """Products of 8-bit codes in floats, which are exact below 2^24 in f32 and 2^53 in f64."""
    terms = int(np.prod([static_size(d) for d in layer[1].shape[1:]]))
    to = F32 if terms <= EXACT_TERMS else F64
    x, w = _differences(layer, 0, 2, to, 1), _differences(layer, 1, 3, to, 0)
    return convert(convolved(layer, x, w, None), to=I32)


@row("MatMulInteger")
def integer_product(layer: Layer) -> Value:
    """As floats where that is exact."""
    terms = layer[0].shape[-1]
    to = F32 if isinstance(terms, int) and terms <= EXACT_TERMS else I32
    a, b = _differences(layer, 0, 2, to, -2), _differences(layer, 1, 3, to, -1)
    return convert(multiplied(a, b), to=I32)
