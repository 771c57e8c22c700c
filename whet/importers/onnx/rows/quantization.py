"""QuantizeLinear and DequantizeLinear: a `convert`, and a `bitcast` between codes and what they
stand for.

In ONNX a quantised tensor is an integer tensor; its scale is named where it is made and read. Codes
are kept as int8 inside the graph: an unsigned code less 128 is the same number.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from whet.errors import UnsupportedError, UnsupportedOp
from whet.importers.onnx.layer import Layer, row
from whet.ir.element import F32, I8, I16, I32, U8, U16, Quant, Scalar, scalar_of
from whet.ir.leaf import constant, known
from whet.ir.node import Value
from whet.ops.convert import bitcast, convert

STORES = (I8, U8, I16, U16, I32)


@row("QuantizeLinear")
def quantize(layer: Layer) -> Value:
    x = layer[0]
    element = _element(layer, x, _store(layer))
    return bitcast(recoded(convert(x, to=inner(element)), element), to=element.store)


@row("DequantizeLinear")
def dequantize(layer: Layer) -> Value:
    x = layer[0]
    store = x.tensor.element
    element = _element(layer, x, store if isinstance(store, Scalar) else U8)
    codes = known(x)
    taken = bitcast(x, to=element) if codes is None else constant(codes, element)
    return convert(recoded(taken, inner(element)), to=F32)


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
    from whet.importers.onnx.tensors import element_of

    kind = layer.integer("output_dtype")
    return scalar_of(np.dtype(element_of(kind, layer.name).dtype)) if kind else U8


def _element(layer: Layer, x: Value, store: Scalar) -> Quant:
    """The quantised element a layer names. Raises UnsupportedError where it is not constant."""
    scale, zero = layer.known(1), layer.known(2)
    reason = ""
    if scale is None or (layer.optional(2) is not None and zero is None):
        reason = "the scale is not known when compiling"
    elif store not in STORES or scale.dtype != np.float32 or layer.integer("block_size"):
        reason = f"codes of {store} with scales of {scale.dtype}, in blocks or not"
    if reason or scale is None:
        raise UnsupportedError([UnsupportedOp(layer.proto.op_type, layer.name, reason)])
    scales = tuple(float(s) for s in scale.reshape(-1))
    zeros = tuple(int(z) for z in zero.reshape(-1)) if zero is not None else (0,) * len(scales)
    if len(scales) == 1:
        return Quant(store, scales, zeros)
    return Quant(store, scales, zeros, layer.axis("axis", len(x.shape), 1))
