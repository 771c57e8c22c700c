"""GridSample and AffineGrid."""

from __future__ import annotations

from whet.importers.onnx.layer import Layer, row, scalar
from whet.importers.onnx.rows.activation import scaled
from whet.importers.onnx.rows.convolution import channels_first, channels_last
from whet.ir.dim import Size
from whet.ir.node import Value
from whet.ir.type import size_product
from whet.ops import elementwise as e
from whet.ops.convert import convert
from whet.ops.grid_sample import grid_sample
from whet.ops.iota import iota
from whet.ops.matmul import matmul
from whet.ops.movement import broadcast, concat, reshape, transpose
from whet.ops.size import size_scalar

RENAMED = {"bilinear": "linear", "bicubic": "cubic"}  # before version 20


@row("GridSample")
def sample(layer: Layer) -> Value:
    x, mode = layer[0], layer.text("mode", "linear")
    y = grid_sample(
        channels_last(x), convert(layer[1], to=x.tensor.element), mode=RENAMED.get(mode, mode),
        padding=layer.text("padding_mode", "zeros"),
        align_corners=bool(layer.integer("align_corners")),
    )  # fmt: skip
    return channels_first(y)


@row("AffineGrid")
def affine_grid(layer: Layer) -> Value:
    """theta [N, D, D + 1] times the point (x, y, .., 1) of every element, x being the last axis."""
    theta, known, declared = layer[0], layer.sizes(1), layer.declared()
    if known is not None:
        spatial = known[2:]
    elif declared is not None:
        spatial = declared.shape[1:-1]
    else:
        high = 1 << 12
        spatial = tuple(layer.size(v, high) for v in layer.elements(1)[2:])
    rank, corners = len(spatial), bool(layer.integer("align_corners"))
    axes = [
        broadcast(_coordinates(n, i, rank, corners, theta), shape=(*spatial, 1))
        for i, n in enumerate(spatial)
    ]
    ones = broadcast(scalar(1, theta), shape=(*spatial, 1))
    points = concat(*reversed(axes), ones, axis=rank)
    flat = reshape(points, shape=(size_product(spatial), rank + 1))
    grid = matmul(flat, transpose(theta, perm=(0, 2, 1)))
    return reshape(grid, shape=(theta.shape[0], *spatial, rank))


def _coordinates(n: Size, axis: int, rank: int, corners: bool, like: Value) -> Value:
    """From -1 to 1: at the elements' centres, or at the outer ones; [.., n, .., 1]."""
    to = like.tensor.element
    i, count = convert(iota(n, axis, rank + 1), to=to), convert(size_scalar(n), to=to)
    if corners:
        last = scaled(count, 1, -1)
        return e.div(e.sub(scaled(i, 2), last), e.maximum(last, scalar(1, like)))
    return scaled(e.div(scaled(i, 2, 1), count), 1, -1)
