"""Blocks of pixels: DepthToSpace, SpaceToDepth, Col2Im."""

from __future__ import annotations

from whet.importers.onnx.layer import Layer, row
from whet.importers.onnx.rows.constant import whole
from whet.importers.onnx.rows.shape import declared_shape, wanted_shape
from whet.ir.dim import UNBOUNDED, Size
from whet.ir.node import Value
from whet.ir.type import size_product
from whet.ops import elementwise as e
from whet.ops.convert import convert
from whet.ops.gather import scatter_elements
from whet.ops.iota import iota
from whet.ops.movement import broadcast, reshape, transpose


@row("DepthToSpace")
def depth_to_space(layer: Layer) -> Value:
    x, b = layer[0], layer.integer("blocksize")
    n, c, h, w = x.shape
    blocks: tuple[Size, ...]
    if layer.text("mode", "DCR") == "DCR":
        blocks, perm = (n, b, b, c // (b * b), h, w), (0, 3, 4, 1, 5, 2)
    else:
        blocks, perm = (n, c // (b * b), b, b, h, w), (0, 1, 4, 2, 5, 3)
    y = transpose(reshape(x, shape=blocks), perm=perm)
    return reshape(y, shape=(n, c // (b * b), h * b, w * b))


@row("SpaceToDepth")
def space_to_depth(layer: Layer) -> Value:
    x, b = layer[0], layer.integer("blocksize")
    n, c, h, w = x.shape
    blocks = reshape(x, shape=(n, c, h // b, b, w // b, b))
    perm = (0, 3, 5, 1, 2, 4) if layer.text("mode", "DCR") == "DCR" else (0, 1, 3, 5, 2, 4)
    return reshape(transpose(blocks, perm=perm), shape=(n, c * b * b, h // b, w // b))


@row("Col2Im")
def columns_to_image(layer: Layer) -> Value:
    """Add each column's elements to the pixels its block covers."""
    x = layer[0]
    image, blocks = layer.elements(1), layer.elements(2)
    axes = len(image)
    declared = declared_shape(layer)
    pixels = declared[2:] if declared else wanted_shape(layer, 1, UNBOUNDED)
    known = layer.sizes(2)
    channels = x.shape[1] // size_product(known) if known else declared[1] if declared else 1
    inside, places = x.shape[1] // channels, x.shape[2]
    flat, valid = _pixel(layer, image, blocks, (inside, places))
    columns = reshape(x, shape=(x.shape[0], channels, inside * places))
    zero = convert(whole(0), to=x.tensor.element)
    columns = e.select(reshape(valid, shape=(inside * places,)), columns, zero)
    indices = broadcast(reshape(flat, shape=(inside * places,)), shape=columns.shape)
    canvas = broadcast(zero, shape=(x.shape[0], channels, size_product(pixels)))
    found = scatter_elements(canvas, indices, columns, axis=2, combine="add")
    assert axes == len(pixels)
    return reshape(found, shape=(x.shape[0], channels, *pixels))


def _pixel(
    layer: Layer, image: tuple[Value, ...], blocks: tuple[Value, ...], size: tuple[Size, Size]
) -> tuple[Value, Value]:
    """For [element of the block, block]: the pixel's row-major place, and whether it is inside."""
    n = len(image)
    stride = layer.integers("strides", (1,) * n)
    dilation = layer.integers("dilations", (1,) * n)
    pads = layer.integers("pads", (0,) * (2 * n))
    element, block = iota(size[0], 0, 2), iota(size[1], 1, 2)
    flat, valid, step = whole(0), e.equal(whole(0), whole(0)), whole(1)
    for i in reversed(range(n)):
        reach = e.add(e.mul(e.sub(blocks[i], whole(1)), whole(dilation[i])), whole(1))
        room = e.sub(e.add(image[i], whole(pads[i] + pads[i + n])), reach)
        count = e.add(e.div(room, whole(stride[i])), whole(1))
        inner = e.mul(e.mod(element, blocks[i]), whole(dilation[i]))
        outer = e.mul(e.mod(block, count), whole(stride[i]))
        place = e.sub(e.add(inner, outer), whole(pads[i]))
        element, block = e.div(element, blocks[i]), e.div(block, count)
        fits = e.bit_and(e.less_equal(whole(0), place), e.less(place, image[i]))
        valid, flat = e.bit_and(valid, fits), e.add(flat, e.mul(place, step))
        step = e.mul(step, image[i])
    return e.select(valid, flat, whole(0)), valid
