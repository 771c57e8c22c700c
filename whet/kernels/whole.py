"""Sizes and ranges as data."""

from __future__ import annotations

from whet.emit.lowered import Call, Longs, Lowered, Out
from whet.ir.node import Node
from whet.kernels.kernel import kernel
from whet.ops.iota import iota_op
from whet.ops.size import sizes_op
from whet.targets.target import Target


@kernel("sizes", sizes_op)
def write_sizes(node: Node, target: Target) -> Lowered | None:
    values = node.sizes("sizes")
    return Lowered((Call("sizes_i64", (Out(), Longs(values), len(values))),), ("whole.h",))


@kernel("iota", iota_op)
def count(node: Node, target: Target) -> Lowered | None:
    return Lowered((Call("iota_i64", (Out(), node.outputs[0].shape[0])),), ("whole.h",))
