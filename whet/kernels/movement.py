"""Movement ops as strided copies; those that are views cost nothing (`plan.view`)."""

from __future__ import annotations

from whet.emit.lowered import Access, Argument, Call, In, Lowered, Nest, Out, collapse
from whet.ir.dim import Size
from whet.ir.element import F32
from whet.ir.node import Node
from whet.kernels.checks import after, broadcasts, equal
from whet.kernels.kernel import kernel
from whet.kernels.share import Shared, nests, rows
from whet.kernels.strides import broadcast_strides, row_major
from whet.ops import movement
from whet.ops.convert import bitcast
from whet.targets.target import Target

# Of so few rows or columns the compiler makes a loop over the others that is as fast as blocks.
FEW = 8
# Rows or columns of a unit: whole cache lines, and whole vectors of every target.
UNIT = 16
# About what an element takes that is moved in a block.
NANOSECONDS = 0.3


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


def _turned(node: Node) -> tuple[Size, ...]:
    """How the input is walked in the order of the output."""
    strides = row_major(node.input(0).shape)
    return tuple(strides[p] for p in node.integers("perm"))


@kernel("transpose", movement.transpose)
def transpose(node: Node, target: Target) -> Lowered | None:
    return _copy(node.outputs[0].shape, _turned(node))


@kernel("transpose_f32", movement.transpose)
def transpose_blocks(node: Node, target: Target) -> Lowered | None:
    found = _matrices(node)
    if found is None or min(found[1:]) <= FEW:
        return None
    b, r, c = found
    each, sizes, given, made = _shared(b, r, c)
    pointers = (each.at(In(0), given), each.to(Out(), made))
    call = Call("transpose_f32", (sizes[0], r, c, *sizes[1:], *pointers))
    return Lowered((call,), ("transpose_f32.h",), parallel=each.units)


def _matrices(node: Node) -> tuple[int, int, int] | None:
    """(b, r, c) where b matrices of c rows by r columns of f32 turn; None for other orders."""
    shape = node.outputs[0].shape
    if node.input(0).tensor.element != F32:
        return None
    read = Access(In(0), _turned(node))
    extents, (_, walk) = collapse(Nest(shape, Access(Out(), row_major(shape)), (read,)))
    b, r, c = (1, *extents) if len(extents) == 2 else extents if len(extents) == 3 else (0, 0, 0)
    if not (isinstance(b, int) and isinstance(r, int) and isinstance(c, int)):
        return None
    return (b, r, c) if walk.strides in ((1, r), (r * c, 1, r)) else None


def _shared(b: int, r: int, c: int) -> tuple[Shared, tuple[Argument, ...], int, int]:
    """What threads share, the matrices, rows and columns of a call, and how far apart in x and y
    two neighbours of what is shared are."""
    if b * UNIT >= max(r, c):
        each = rows(b, r * c * NANOSECONDS)
        return each, (each.count, r, c), r * c, r * c
    if r >= c:
        each = rows(r, b * c * NANOSECONDS, UNIT)
        return each, (b, each.count, c), 1, c
    each = rows(c, b * r * NANOSECONDS, UNIT)
    return each, (b, r, each.count), r, 1


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
