"""Extremes and comparisons."""

from __future__ import annotations

from whet.importers.tflite.layer import Layer, row
from whet.importers.tflite.names import op_name
from whet.ir.node import Value
from whet.ops import elementwise as e
from whet.ops.convert import convert
from whet.ops.reduction import argmax, argmin


@row("ARG_MAX", "ARG_MIN")
def extreme(layer: Layer) -> Value:
    op = argmax if op_name(layer.operator.code) == "ARG_MAX" else argmin
    axis = layer.ints(1)[0] % len(layer[0].shape)
    return convert(op(layer[0], axis=axis, keep=False), to=layer.elements[0])


@row("MINIMUM", "MAXIMUM")
def pairwise(layer: Layer) -> Value:
    op = e.minimum if op_name(layer.operator.code) == "MINIMUM" else e.maximum
    return op(layer[0], layer[1], **layer.integer_attributes())
