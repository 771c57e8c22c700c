"""Movement ops as strided copies; those that are views cost nothing (`plan.view`)."""

from __future__ import annotations

from whet.emit.program import Access, Call, In, Lowered, Nest, Out
from whet.ir.dim import Size
from whet.ir.node import Node
from whet.kernels.checks import after, broadcasts, equal
from whet.kernels.kernel import kernel
from whet.kernels.share import nests
from whet.kernels.strides import broadcast_strides, row_major
from whet.ops import movement
from whet.ops.convert import bitcast
from whet.targets.target import Target


def _copy(shape: tuple[Size, ...], strides: tuple[Size, ...], offset: Size = 0) -> Lowered:
    write = Access(Out(), row_major(shape))
    return nests(Nest(shape, write, (Access(In(0), strides, offset),)))


@kernel("bitcast", bitcast)
def same_bytes(node: Node, target: Target) -> Lowered | None:
    out = node.outputs[0].tensor
    copy = Call("__builtin_memmove", (Out(), In(0), out.elements * out.element.size))
    return Lowered((copy,))


@kernel("reshape", movement.reshape)
def reshape(node: Node, target: Target) -> Lowered | None:
    x, out = node.input(0), node.outputs[0].tensor
    return after(equal(x.tensor.elements, out.elements), _copy(out.shape, row_major(out.shape)))


@kernel("transpose", movement.transpose)
def transpose(node: Node, target: Target) -> Lowered | None:
    x = node.input(0)
    strides = row_major(x.shape)
    return _copy(node.outputs[0].shape, tuple(strides[p] for p in node.integers("perm")))


@kernel("slice", movement.slice_op)
def slice_copy(node: Node, target: Target) -> Lowered | None:
    x = node.input(0)
    own = row_major(x.shape)
    offset: Size = 0
    for b, s in zip(node.sizes("begin"), own, strict=True):
        offset = offset + b * s
    strides = tuple(s * t for s, t in zip(own, node.sizes("step"), strict=True))
    return _copy(node.outputs[0].shape, strides, offset)


@kernel("broadcast", movement.broadcast)
def broadcast(node: Node, target: Target) -> Lowered | None:
    x = node.input(0)
    shape = node.outputs[0].shape
    return after(broadcasts(x.shape, shape), _copy(shape, broadcast_strides(x.shape, shape)))


@kernel("concat", movement.concat)
def concat(node: Node, target: Target) -> Lowered | None:
    out, axis = node.outputs[0].shape, node.integer("axis")
    strides, copies = row_major(out), []
    offset: Size = 0
    checks: tuple[Call, ...] = ()
    for i, x in enumerate(node.operands):
        pairs = enumerate(zip(x.shape, out, strict=True))
        checks += tuple(c for j, (d, n) in pairs if j != axis for c in equal(d, n))
        write = Access(Out(), strides, offset)
        copies.append(Nest(x.shape, write, (Access(In(i), row_major(x.shape)),)))
        offset = offset + x.shape[axis] * strides[axis]
    return after(checks, nests(*copies))


@kernel("pad", movement.pad)
def pad(node: Node, target: Target) -> Lowered | None:
    x, out = node.input(0), node.outputs[0].shape
    if node["mode"] not in (None, "constant"):
        return None
    low, strides = node.sizes("low"), row_major(out)
    offset: Size = 0
    borders = []
    for d, (before, size, n) in enumerate(zip(low, x.shape, out, strict=True)):
        for start, width in ((0, before), (before + size, n - before - size)):
            shape = (*x.shape[:d], width, *out[d + 1 :])
            write = Access(Out(), strides, offset + start * strides[d])
            borders.append(Nest(shape, write, (Access(In(1), (0,) * len(out)),)))
        offset = offset + before * strides[d]
    inner = Nest(x.shape, Access(Out(), strides, offset), (Access(In(0), row_major(x.shape)),))
    return nests(*(b for b in borders if 0 not in b.extents), inner)
