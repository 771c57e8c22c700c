"""Shapes and movement."""

from __future__ import annotations

from whet.importers.tflite.layer import Layer, row
from whet.ir.node import Value
from whet.ops.convert import convert
from whet.ops.movement import reshape


@row("RESHAPE", "SQUEEZE", "EXPAND_DIMS")
def reshaped(layer: Layer) -> Value:
    return reshape(layer[0], shape=layer.shapes[0])


@row("QUANTIZE", "DEQUANTIZE", "CAST")
def represented(layer: Layer) -> Value:
    return convert(layer[0], to=layer.elements[0])
