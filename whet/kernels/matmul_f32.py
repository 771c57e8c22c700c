"""f32 matrix products, weights packed when they are constant."""

from __future__ import annotations

from whet.emit.program import Argument, Call, In, Lowered, Name, Out, Weight
from whet.ir.dim import static_size
from whet.ir.element import F32
from whet.ir.leaf import known
from whet.ir.node import Node
from whet.kernels.epilogue import vector_epilogue
from whet.kernels.kernel import kernel
from whet.kernels.packing import pack_panels
from whet.kernels.tiling import tile_f32
from whet.ops.matmul import matmul
from whet.targets.target import Target


@kernel("matmul_f32", matmul)
def lower(node: Node, target: Target) -> Lowered | None:
    a, b = node.inputs[0], node.inputs[1]
    epilogue = vector_epilogue(node, 3)
    if a is None or b is None or epilogue is None or a.tensor.element != F32:
        return None
    if not (a.tensor.static and b.tensor.static):
        return None
    m, k, n = (static_size(d) for d in (a.shape[-2], a.shape[-1], b.shape[-1]))
    weights, bias = known(b), node.operand(2)
    offset: Argument = In(2) if bias is not None else 0
    span = (Name("begin"), Name("end"))
    if weights is not None and weights.ndim == 2:
        m *= static_size(node.outputs[0].tensor.elements) // (m * n) if m * n else 0
        t = tile_f32(m, n, k, target.lanes, target.registers)
        packed = pack_panels(weights, target.lanes, t.vectors)
        sizes = (m, n, k, k, 0, n, t.rows, t.vectors, t.block)
        call = Call("gemm_f32", (*sizes, *span, In(0), Weight(0), offset, Out(), epilogue))
        units = -(-m // t.block) * -(-n // (t.vectors * target.lanes))
        return Lowered((call,), ("gemm_f32.h",), (packed,), 0, units, "gemm_f32")
    return None
