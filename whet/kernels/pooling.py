"""Pooling of floats and integers over one to three spatial axes."""

from __future__ import annotations

from whet.emit.program import Argument, Call, In, Lowered, Out, Record
from whet.emit.scalar import suffix
from whet.ir.dim import Size
from whet.ir.element import Quant
from whet.ir.node import Node
from whet.kernels.kernel import kernel
from whet.ops.pooling import average_pool, extra_of, max_pool, max_pool_indices
from whet.targets.target import Target


def three(values: tuple[Size, ...], missing: Size) -> tuple[Size, ...]:
    """Values of up to three spatial axes with the absent leading ones filled in."""
    return (missing,) * (3 - len(values)) + tuple(values)


def window_shape(node: Node, kernel_size: tuple[int, ...], extra: tuple[int, ...] = ()) -> Record:
    """The geometry of a window op as `window.h` takes it; `extra` pads are not declared ones."""
    x, y = node.inputs[0], node.outputs[0].shape
    assert x is not None
    high = node.integers("high") if node["high"] is not None else (0,) * len(kernel_size)
    after = tuple(h - e for h, e in zip(high, extra or (0,) * len(high), strict=True))
    return Record(
        "window_shape",
        (
            ("batch", x.shape[0]), ("channels", x.shape[-1]),
            ("in", three(x.shape[1:-1], 1)), ("out", three(y[1:-1], 1)),
            ("kernel", three(kernel_size, 1)), ("stride", three(node.integers("stride"), 1)),
            ("dilation", three(node.integers("dilation"), 1)),
            ("before", three(node.integers("low"), 0)), ("after", three(after, 0)),
        ),
    )  # fmt: skip


@kernel("pool", max_pool, average_pool, max_pool_indices)
def pool(node: Node, target: Target) -> Lowered | None:
    x = node.inputs[0]
    if x is None or isinstance(x.tensor.element, Quant) or len(x.shape) > 5:
        return None
    window = window_shape(node, node.integers("kernel"), extra_of(node))
    arguments: tuple[Argument, ...] = (In(0), Out(), window)
    if node.op is average_pool:
        arguments = (*arguments, bool(node["count_pad"]))
    elif node.op is max_pool_indices:
        arguments = (In(0), Out(0), Out(1), window, bool(node["column_major"]))
    name = f"{node.op.name}_{suffix(x.tensor.element)}"
    return Lowered((Call(name, arguments),), ("pool.h",))
