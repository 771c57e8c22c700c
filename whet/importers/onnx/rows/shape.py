"""Shapes: reading them, and giving a value another one."""

from __future__ import annotations

from whet.errors import ModelError
from whet.importers.onnx.layer import Layer, row
from whet.ir.dim import UNBOUNDED, Size, bounds, static_size
from whet.ir.node import Value
from whet.ir.type import size_product
from whet.ops.broadcast import broadcast_shapes
from whet.ops.movement import broadcast, reshape, transpose
from whet.ops.size import size_scalar, size_vector

Sizes = tuple[Size, ...]


def declared_shape(layer: Layer) -> Sizes | None:
    """The shape the model declares for the result, where it is wholly known."""
    declared = layer.declared()
    return declared.shape if declared is not None and declared.static else None


def wanted_shape(layer: Layer, index: int, high: int) -> Sizes:
    """The shape that input `index` holds: followed through the model, else as declared for the
    result, else read at run time, no dimension above `high`."""
    known = layer.sizes(index)
    shape = declared_shape(layer) if known is None else known
    if shape is None:
        return tuple(layer.size(v, high) for v in layer.elements(index))
    return shape


def axes_of(layer: Layer, index: int, since: int, rank: int) -> tuple[int, ...] | None:
    """The axes given as an attribute, or from opset `since` as input `index`; sorted, from the
    front; None where absent or known only at run time."""
    given = layer.integers("axes") if layer.version < since else layer.known_ints(index)
    if given is None or (layer.version < since and not layer.has("axes")):
        return None
    return tuple(sorted({layer.front(a, rank) for a in given}))


@row("Shape")
def shape_of(layer: Layer) -> Value:
    shape = layer[0].shape
    end = layer.integer("end") if layer.has("end") else len(shape)
    return size_vector(shape[layer.integer("start") : end])


@row("Size")
def size_of(layer: Layer) -> Value:
    return size_scalar(layer[0].tensor.elements)


@row("Identity")
def identity(layer: Layer) -> Value:
    return layer[0]


@row("Transpose")
def permuted(layer: Layer) -> Value:
    rank = len(layer[0].shape)
    return transpose(layer[0], perm=layer.integers("perm", tuple(reversed(range(rank)))))


@row("Reshape")
def reshaped(layer: Layer) -> Value:
    x = layer[0]
    wanted = list(_reshape_sizes(layer, x))
    if not layer.integer("allowzero"):
        wanted = [x.shape[i] if isinstance(n, int) and n == 0 else n for i, n in enumerate(wanted)]
    if -1 in wanted:
        rest = size_product(tuple(d for d in wanted if d != -1))
        wanted[wanted.index(-1)] = x.tensor.elements // rest if rest != 0 else 0
    return reshape(x, shape=tuple(wanted))


def _reshape_sizes(layer: Layer, x: Value) -> Sizes:
    if layer.version < 5:
        return layer.integers("shape")
    return wanted_shape(layer, 1, bounds(x.tensor.elements)[1])


@row("Flatten")
def flatten(layer: Layer) -> Value:
    x = layer[0]
    axis = layer.integer("axis", 1)
    axis = axis + len(x.shape) if axis < 0 else axis
    return reshape(x, shape=(size_product(x.shape[:axis]), size_product(x.shape[axis:])))


@row("Squeeze")
def squeezed(layer: Layer) -> Value:
    x = layer[0]
    axes = axes_of(layer, 1, 13, len(x.shape))
    if axes is None:
        declared = declared_shape(layer) if layer.optional(1) is not None else None
        if declared is not None:
            return reshape(x, shape=declared)
        axes = tuple(i for i, d in enumerate(x.shape) if d == 1)
    return reshape(x, shape=tuple(d for i, d in enumerate(x.shape) if i not in axes))


@row("Unsqueeze")
def unsqueezed(layer: Layer) -> Value:
    x = layer[0]
    count = len(layer.integers("axes"))
    if layer.version >= 13:
        count = static_size(layer[1].tensor.elements)
    axes = axes_of(layer, 1, 13, len(x.shape) + count)
    if axes is None:
        declared = declared_shape(layer)
        if declared is None:
            raise ModelError("the axes are not known when compiling", where=layer.name)
        return reshape(x, shape=declared)
    rest = iter(x.shape)
    rank = len(x.shape) + len(axes)
    return reshape(x, shape=tuple(1 if i in axes else next(rest) for i in range(rank)))


@row("Expand")
def expanded(layer: Layer) -> Value:
    x = layer[0]
    high = max((bounds(d)[1] for t in (layer.declared(),) if t for d in t.shape), default=UNBOUNDED)
    return broadcast(x, shape=broadcast_shapes(x.shape, wanted_shape(layer, 1, high)))


@row("Tile")
def tiled(layer: Layer) -> Value:
    x, repeats = layer[0], layer.sizes(1)
    if repeats is None:
        declared = declared_shape(layer)
        if declared is None:
            repeats = tuple(layer.size(v, 1 << 20) for v in layer.elements(1))
        else:
            repeats = tuple(n // d for n, d in zip(declared, x.shape, strict=True))
    if len(repeats) != len(x.shape):
        raise ModelError(f"{len(repeats)} repeats of {x.type}", where=layer.name)
    apart = tuple(n for d in x.shape for n in (1, d))
    wide = tuple(n for r, d in zip(repeats, x.shape, strict=True) for n in (r, d))
    shape = tuple(r * d for r, d in zip(repeats, x.shape, strict=True))
    return reshape(broadcast(reshape(x, shape=apart), shape=wide), shape=shape)
