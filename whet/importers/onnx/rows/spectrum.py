"""Fourier transforms, mel filters and determinants."""

from __future__ import annotations

from functools import partial
from math import log

import numpy as np

from whet.errors import ModelError
from whet.importers.onnx.layer import Layer, row, scalar
from whet.importers.onnx.rows.activation import scaled
from whet.importers.onnx.rows.constant import element_named
from whet.ir.dim import Size, bounds
from whet.ir.element import F32, F64, I64
from whet.ir.leaf import constant
from whet.ir.node import Value
from whet.ir.type import Type
from whet.ops import elementwise as e
from whet.ops.convert import convert
from whet.ops.determinant import det
from whet.ops.dft import dft
from whet.ops.gather import gather
from whet.ops.iota import iota
from whet.ops.movement import reshape, slice_op
from whet.ops.size import size_scalar

MEL = 2595 / log(10)


@row("Det")
def determinant(layer: Layer) -> Value:
    return det(layer[0])


@row("DFT")
def transform(layer: Layer) -> Value:
    """Where the axis is data, the transforms along all axes that fit, and then the one meant."""
    x, rank = layer[0], len(layer[0].shape)
    inverse, onesided = bool(layer.integer("inverse")), bool(layer.integer("onesided"))
    make = partial(dft, x, inverse=inverse, onesided=onesided)
    given = layer.known_ints(2) if layer.version >= 20 else (layer.integer("axis", 1),)
    axis = layer.optional(2)
    if given is not None or axis is None:
        chosen = layer.front(given[0] if given else -2, rank)
        return make(axis=chosen, length=_length(layer, chosen))
    made = {}
    for i in range(rank - 1):
        y = make(axis=i, length=_length(layer, i))
        if layer.declared() in (None, y.type):
            made[i] = y
    index = e.mod(reshape(convert(axis, to=I64), shape=()), constant(np.int64(rank)))
    (_, result), *rest = made.items()
    for i, y in rest:
        if y.type != result.type:
            raise ModelError("the axis decides the shape", where=layer.name)
        result = e.select(e.equal(index, constant(np.int64(i))), y, result)
    return result


def _length(layer: Layer, axis: int) -> Size:
    known, declared = layer.sizes(1), layer.declared()
    half = bool(layer.integer("onesided"))
    if known:
        return known[0]
    n = layer[0].shape[axis]
    if layer.optional(1) is None:
        return 2 * (n - 1) if half and layer.integer("inverse") else n
    if declared is not None and not (half and not layer.integer("inverse")):
        return declared.shape[axis]
    return layer.size(reshape(layer[1], shape=()), 2 * bounds(n)[1])


@row("STFT")
def frames_transform(layer: Layer) -> Value:
    """Frames cut out by their indices, times the window, transformed."""
    x, window = layer[0], layer.optional(2)
    step = reshape(convert(layer[1], to=I64), shape=())
    samples = x.shape[1]
    if window is not None:
        length: Size = window.shape[0]
    else:
        length = layer.size(convert(layer[3], to=I64), bounds(samples)[1])
    span = size_scalar(length)
    rest = e.sub(size_scalar(samples), span)
    count = layer.extent(scaled(e.div(rest, step), 1, 1), 1, bounds(samples)[1])
    place = e.add(e.mul(iota(count, 0, 2), step), iota(length, 1, 2))
    frames = gather(x, place, axis=1)
    if window is not None:
        frames = e.mul(frames, reshape(window, shape=(length, 1)))
    onesided = bool(layer.integer("onesided", 1))
    return dft(frames, axis=2, length=length, onesided=onesided)


@row("MelWeightMatrix")
def mel_filters(layer: Layer) -> Value:
    """Triangles between neighbouring edges, which are evenly spaced in mel, over the bins."""
    mels, bins = _mel_shape(layer)
    length, rate, low, high = (reshape(convert(layer[i], to=F64), shape=()) for i in range(1, 5))

    def mel(hertz: Value) -> Value:
        return scaled(e.log1p(scaled(hertz, 1 / 700)), MEL)

    step = scaled(e.sub(mel(high), mel(low)), 1 / (mels + 2))
    points = e.add(e.mul(convert(iota(mels + 2), to=F64), step), mel(low))
    hertz = scaled(e.expm1(scaled(points, 1 / MEL)), 700)
    edges = e.floor(e.div(e.mul(scaled(length, 1, 1), hertz), rate))
    left, centre, right = (
        reshape(slice_op(edges, begin=(i,), size=(mels,), step=(1,)), shape=(1, mels))
        for i in range(3)
    )
    j = convert(iota(bins, 0, 2), to=F64)
    one, zero = scalar(1, j), scalar(0, j)
    rising = e.bit_and(e.less_equal(left, j), e.less_equal(j, centre))
    width = e.sub(centre, left)
    up = e.div(e.sub(j, left), width)
    up = e.select(e.equal(width, zero), one, up)
    falling = e.bit_and(e.less_equal(centre, j), e.less(j, right))
    down = e.div(e.sub(right, j), e.sub(right, centre))
    y = e.select(falling, down, e.select(rising, up, zero))
    return convert(y, to=element_named(layer, "output_datatype", F32))


def _mel_shape(layer: Layer) -> tuple[int, int]:
    """The number of filters and of frequencies."""
    mels, length, declared = layer.known_ints(0), layer.known_ints(1), layer.declared()
    if mels is not None and length is not None:
        return mels[0], length[0] // 2 + 1
    shape = declared.shape if isinstance(declared, Type) else ()
    if len(shape) == 2 and isinstance(shape[0], int) and isinstance(shape[1], int):
        return shape[1], shape[0]
    raise ModelError("the shape of the filters is not known", where=layer.name)
