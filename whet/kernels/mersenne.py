"""Random numbers of the Mersenne twister: mersenne.h."""

from __future__ import annotations

from whet.emit.lowered import Call, Lowered, Out, Scratch
from whet.ir.node import Node
from whet.kernels.kernel import kernel
from whet.ops.mersenne import mersenne_uniform
from whet.targets.target import Target

STATE_BYTES = 625 * 4


@kernel("mersenne", mersenne_uniform)
def draw(node: Node, target: Target) -> Lowered | None:
    count, seed = node.outputs[0].tensor.elements, node.integer("seed") & 0xFFFFFFFF
    call = Call("mersenne_uniform", (Out(), count, seed, Scratch(0)))
    return Lowered((call,), ("mersenne.h",), scratch=STATE_BYTES)
