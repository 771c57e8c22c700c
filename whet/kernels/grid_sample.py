"""Reading images at points: grid_sample.h."""

from __future__ import annotations

from whet.emit.lowered import Call, In, Longs, Lowered, Name, Out
from whet.ir.node import Node
from whet.kernels.kernel import kernel
from whet.kernels.normalization import float_type
from whet.kernels.pooling import three
from whet.ops.grid_sample import grid_sample
from whet.targets.target import Target


@kernel("grid_sample", grid_sample)
def lower(node: Node, target: Target) -> Lowered | None:
    x, grid, y = node.input(0), node.input(1), node.outputs[0]
    s = float_type(y.tensor)
    if s is None or grid.tensor.element != x.tensor.element:
        return None
    names = (Name(f"GRID_{str(node[a]).upper()}") for a in ("mode", "padding"))
    call = Call(
        f"grid_sample_{s}",
        (In(0), In(1), Out(), x.shape[0], Longs(three(x.shape[1:-1], 1)),
         Longs(three(y.shape[1:-1], 1)), x.shape[-1], len(x.shape) - 2, *names,
         bool(node["align_corners"])),
    )  # fmt: skip
    return Lowered((call,), ("grid_sample.h",))
