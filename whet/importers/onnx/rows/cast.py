"""Casts, and the same bytes read as another type."""

from __future__ import annotations

import numpy as np

from whet.importers.onnx.layer import Layer, row
from whet.importers.onnx.tensors import element_of
from whet.ir.element import Element, Scalar, scalar_of
from whet.ir.node import Value
from whet.ops.convert import bitcast, convert


def element_of_number(kind: int, where: str) -> Scalar:
    """The element that an ONNX data type number means."""
    return scalar_of(np.dtype(element_of(kind, where).dtype))


def cast(layer: Layer, to: Element) -> Value:
    """The first input as another element."""
    x = layer[0]
    if x.tensor.element == to:
        return x
    saturate = bool(layer.integer("saturate", 1))
    return convert(x, to=to, saturate=saturate, round=layer.text("round_mode", "up"))


@row("Cast")
def cast_to(layer: Layer) -> Value:
    return cast(layer, element_of_number(layer.integer("to"), layer.name))


@row("CastLike")
def cast_like(layer: Layer) -> Value:
    return cast(layer, layer[1].tensor.element)


@row("BitCast")
def same_bytes(layer: Layer) -> Value:
    return bitcast(layer[0], to=element_of_number(layer.integer("to"), layer.name))
