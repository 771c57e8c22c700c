"""Pooling of floats and integers over one to three spatial axes."""

from __future__ import annotations

import math
from typing import TypeVar

from whet.emit.lowered import Argument, Call, Field, In, Lowered, Out, Record
from whet.emit.scalar import suffix
from whet.ir.dim import static_size
from whet.ir.element import Quant
from whet.ir.node import Node
from whet.ir.type import size_product
from whet.kernels.kernel import kernel
from whet.kernels.share import Shared, rows
from whet.ops.pooling import average_pool, extra_of, max_pool, max_pool_indices
from whet.targets.target import Target

T = TypeVar("T")


def three(values: tuple[T, ...], missing: T) -> tuple[T, ...]:
    """Values of up to three spatial axes with the absent leading ones filled in."""
    return (missing,) * (3 - len(values)) + tuple(values)


def window_shape(
    node: Node,
    kernel_size: tuple[int, ...],
    extra: tuple[int, ...] = (),
    each: Shared | None = None,
) -> Record:
    """The geometry of a window op as `window.h` takes it; `extra` pads are not declared ones.

    each: how the outermost spatial axis of the result is shared.
    """
    x, y = node.input(0), node.outputs[0].shape
    high = node.integers("high") if node["high"] is not None else (0,) * len(kernel_size)
    after = tuple(h - e for h, e in zip(high, extra or (0,) * len(high), strict=True))
    stride = node.integers("stride")
    out, before = (list[Field](v) for v in (y[1:-1], node.integers("low")))
    if each is not None:
        out[0], before[0] = each.count, each.after(node.integers("low")[0], -stride[0])
    return Record(
        "window_shape",
        (
            ("batch", x.shape[0]), ("channels", x.shape[-1]),
            ("in", three(x.shape[1:-1], 1)), ("out", three(tuple(out), 1)),
            ("kernel", three(kernel_size, 1)), ("stride", three(stride, 1)),
            ("dilation", three(node.integers("dilation"), 1)),
            ("before", three(tuple(before), 0)), ("after", three(after, 0)),
        ),
    )  # fmt: skip


def pooled_rows(node: Node) -> Shared:
    """The outermost rows of the result, shared where there is one image of a known size."""
    x, y = node.inputs[0], node.outputs[0].tensor
    if x is None or y.shape[0] != 1 or not (y.static and x.tensor.static):
        return rows(y.shape[1], 0.0)
    taps = math.prod(node.integers("kernel"))
    return rows(y.shape[1], 0.1 * taps * static_size(size_product(y.shape[2:])))


@kernel("pool", max_pool, average_pool, max_pool_indices)
def pool(node: Node, target: Target) -> Lowered | None:
    x = node.inputs[0]
    if x is None or isinstance(x.tensor.element, Quant) or len(x.shape) > 5:
        return None
    y = node.outputs[0].tensor
    each = pooled_rows(node)
    window = window_shape(node, node.integers("kernel"), extra_of(node), each)
    row = size_product(y.shape[2:])
    arguments: tuple[Argument, ...] = (In(0), each.to(Out(), row), window)
    if node.op is average_pool:
        arguments = (*arguments, bool(node["count_pad"]))
    elif node.op is max_pool_indices:
        made = (each.to(Out(0), row), each.to(Out(1), row))
        arguments = (In(0), *made, window, bool(node["column_major"]))
    name = f"{node.op.name}_{suffix(x.tensor.element)}"
    return Lowered((Call(name, arguments),), ("pool.h",), parallel=each.units)
