"""QuantizeLinear and DequantizeLinear: a `convert`, and a `bitcast` between codes and what they
stand for.

In ONNX a quantised tensor is an integer tensor; its scale is named where it is made and read. Codes
are kept as int8 inside the graph: an unsigned code less 128 is the same number.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from whet.importers.onnx.layer import Layer, row
from whet.importers.onnx.rows.activation import clamped
from whet.importers.onnx.rows.cast import element_of_number
from whet.ir.element import F32, I8, I16, I32, U8, U16, Quant, Scalar
from whet.ir.leaf import constant, known
from whet.ir.node import Value
from whet.ops import elementwise as e
from whet.ops.convert import bitcast, convert, integer_limits
from whet.ops.gather import gather
from whet.ops.movement import reshape

STORES = (I8, U8, I16, U16, I32)


@dataclass(frozen=True, slots=True)
class Codes:
    """How codes stand for numbers: (code - zero) * scale, along an axis, one scale a block."""

    store: Scalar
    scale: Value
    zero: Value | None
    axis: int
    block: int = 0
    saturate: bool = True


@row("QuantizeLinear")
def quantize(layer: Layer) -> Value:
    return quantized(layer[0], _codes(layer, _store(layer)))


@row("DequantizeLinear")
def dequantize(layer: Layer) -> Value:
    x = layer[0]
    store = x.tensor.element
    assert isinstance(store, Scalar)
    kind = layer.integer("output_dtype")
    y = dequantized(x, _codes(layer, store))
    return convert(y, to=element_of_number(kind, layer.name)) if kind else y


def _codes(layer: Layer, store: Scalar) -> Codes:
    axis = layer.front(layer.integer("axis", 1), len(layer[0].shape)) if _many(layer[1]) else 0
    return Codes(
        store, layer[1], layer.optional(2), axis, layer.integer("block_size"),
        bool(layer.integer("saturate", 1)),
    )  # fmt: skip


def _many(scale: Value) -> bool:
    return scale.tensor.elements != 1


def quantized(x: Value, codes: Codes) -> Value:
    """round(x / scale) + zero, saturated: a `convert` where the scale is known."""
    element = _element(codes)
    if element is not None and x.tensor.element == F32:
        return bitcast(recoded(convert(x, to=inner(element)), element), to=codes.store)
    scale = _along(codes.scale, x, codes)
    same = scale.tensor.element == x.tensor.element
    ratio = e.div(x, scale) if same else e.div(convert(x, to=F32), convert(scale, to=F32))
    if codes.store.kind == "f":
        return convert(ratio, to=codes.store, saturate=codes.saturate)
    whole = convert(e.round_even(ratio), to=F32)
    if codes.zero is not None:
        whole = e.add(whole, convert(_along(codes.zero, x, codes), to=F32))
    return convert(clamped(whole, *integer_limits(codes.store)), to=codes.store)


def dequantized(x: Value, codes: Codes) -> Value:
    """(x - zero) * scale: a `convert` where the scale is known."""
    element = _element(codes)
    if element is not None:
        held = known(x)
        taken = bitcast(x, to=element) if held is None else constant(held, element)
        return convert(recoded(taken, inner(element)), to=F32)
    y = convert(x, to=F32)
    if codes.zero is not None and codes.store.kind != "f":
        y = e.sub(y, convert(_along(codes.zero, x, codes), to=F32))
    scale = _along(codes.scale, x, codes)
    return convert(e.mul(y, convert(scale, to=F32)), to=scale.tensor.element)


def _along(value: Value, x: Value, codes: Codes) -> Value:
    """A scale or zero point shaped to broadcast against x."""
    axis, size = codes.axis, x.shape[codes.axis] if x.shape else 1
    if not _many(value):
        return reshape(value, shape=())
    if codes.block and isinstance(size, int):
        return gather(value, constant(np.arange(size) // codes.block), axis=axis)
    if len(value.shape) > 1:
        return value
    return reshape(value, shape=tuple(size if i == axis else 1 for i in range(len(x.shape))))


def inner(element: Quant) -> Quant:
    """The signed 8-bit element whose codes are those of an unsigned one less 128."""
    if element.store != U8:
        return element
    return replace(element, store=I8, zero=tuple(z - 128 for z in element.zero))


def recoded(value: Value, element: Quant) -> Value:
    """A value in another representation of the same numbers."""
    return value if value.tensor.element == element else convert(value, to=element)


def _store(layer: Layer) -> Scalar:
    zero = layer.optional(2)
    if zero is not None and isinstance(zero.tensor.element, Scalar):
        return zero.tensor.element
    kind = layer.integer("output_dtype")
    return element_of_number(kind, layer.name) if kind else U8


def _element(codes: Codes) -> Quant | None:
    """The quantised element of codes whose scale is known; None where Whet has none such."""
    scale, zero = known(codes.scale), known(codes.zero)
    if scale is None or (codes.zero is not None and zero is None):
        return None
    if codes.store not in STORES or scale.dtype != np.float32 or codes.block:
        return None
    scales = tuple(float(s) for s in scale.reshape(-1))
    zeros = tuple(int(z) for z in zero.reshape(-1)) if zero is not None else (0,) * len(scales)
    if len(zeros) != len(scales):
        return None
    return Quant(codes.store, scales, zeros, None if len(scales) == 1 else codes.axis)
