"""Arithmetic of two operands."""

from __future__ import annotations

from whet.importers.tflite.layer import Layer, row
from whet.importers.tflite.names import op_name
from whet.importers.tflite.rows.activation import activated
from whet.ir.node import Value
from whet.ops import elementwise as e

FUSED = {"ADD": e.add, "SUB": e.sub, "MUL": e.mul, "DIV": e.div}


@row(*FUSED)
def arithmetic(layer: Layer) -> Value:
    op, activation = FUSED[op_name(layer.operator.code)], layer.activation(0)
    y = op(layer[0], layer[1], **layer.integer_attributes(activation))
    return activated(layer, y, activation)
