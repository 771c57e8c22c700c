"""f32 matrix products, weights packed when they are constant."""

from __future__ import annotations

from dataclasses import astuple

from whet.emit.lowered import Argument, Call, In, Lowered, Name, Out, Pitch, Weight
from whet.ir.dim import static_size
from whet.ir.element import F32
from whet.ir.leaf import known
from whet.ir.node import Node
from whet.kernels.epilogue import far, out_bytes, vector_epilogue
from whet.kernels.kernel import Numbers, kernel_of_choices
from whet.kernels.packing import pack_panels
from whet.kernels.share import balanced_gemm
from whet.kernels.tiling import Tile, tile_choices_f32, tile_f32, with_blocks
from whet.ops.matmul import matmul
from whet.targets.target import Target


def space(node: Node, target: Target) -> list[Numbers]:
    """Rows and vectors of a tile, and the rows of a block."""
    sizes = _sizes(node)
    if sizes is None or vector_epilogue(node, 3) is None:
        return []
    tiles = tile_choices_f32(*sizes, target)
    return [astuple(t) for t in with_blocks(tiles, sizes[0], of_tiles=True)]


def _sizes(node: Node) -> tuple[int, int, int] | None:
    """M, N and K where the weights are one known matrix."""
    a, b = node.inputs[0], node.inputs[1]
    if a is None or b is None or a.tensor.element != F32 or not a.tensor.static:
        return None
    weights = known(b)
    if weights is None or weights.ndim != 2:
        return None
    k, n = weights.shape
    return static_size(node.outputs[0].tensor.elements) // max(n, 1), n, k


@kernel_of_choices("matmul_f32", space, matmul)
def lower(node: Node, target: Target, numbers: Numbers | None = None) -> Lowered | None:
    sizes, weights = _sizes(node), known(node.inputs[1])
    epilogue, out = vector_epilogue(node, 3), out_bytes(node)
    if sizes is None or epilogue is None or weights is None or out is None:
        return None
    m, n, k = sizes
    offset: Argument = In(2) if node.operand(2) is not None else 0
    span = (Name("begin"), Name("end"))
    t = Tile(*numbers) if numbers else tile_f32(m, n, k, target)
    t = balanced_gemm(t, m, n, k, target, 4)
    packed = pack_panels(weights, target.lanes, t.vectors)
    apart = (Pitch(In(0), k), Pitch(Out(), n))
    shape = (out, m, n, k, apart[0], 0, apart[1], t.rows, t.vectors, t.block)
    afar = far(epilogue, node, target)
    call = Call("gemm_f32", (*shape, *span, In(0), Weight(0), offset, Out(), *afar, epilogue))
    units = -(-m // t.block) * -(-n // (t.vectors * target.lanes))
    return Lowered((call,), ("gemm_f32.h",), (packed,), 0, units, "gemm_f32")
