<<<<<<< HEAD
"""Random ops: ONNX fixes what is drawn from, not the bits; `whet.ops.random` does."""

from __future__ import annotations

from math import pi

import numpy as np

from whet.importers.onnx.layer import Layer, Result, row, scalar
from whet.importers.onnx.rows.activation import scaled
from whet.importers.onnx.rows.cast import element_named
from whet.ir.dim import Size
from whet.ir.element import BOOL, F32, F64, Element, Scalar
from whet.ir.leaf import constant
from whet.ir.node import Value
from whet.ops import elementwise as e
from whet.ops.convert import convert
from whet.ops.movement import broadcast, reshape, slice_op
from whet.ops.random import random_uniform


@row("Dropout")
def dropout(layer: Layer) -> Result:
    """The identity, unless version 12 and later ask for training."""
    x, training = layer[0], layer.known(2)
    asked = layer.version >= 12 and layer.optional(2) is not None
    if not asked or (training is not None and not training):
        element = BOOL if layer.version >= 10 else x.tensor.element
        assert isinstance(element, Scalar)
        ones = constant(np.ones((), element.dtype), element)
        return x, broadcast(ones, shape=x.shape)
    given = layer.optional(1)
    ratio = scalar(0.5, x) if given is None else reshape(given, shape=())
    ratio = convert(ratio, to=x.tensor.element)
    kept = e.less_equal(convert(ratio, to=F64), _drawn(layer, x.shape))
    y = e.select(kept, e.div(x, e.sub(scalar(1, x), ratio)), scalar(0, x))
    flag = reshape(layer[2], shape=())
    return e.select(flag, y, x), e.bit_or(kept, e.bit_not(flag))


def _drawn(layer: Layer, shape: tuple[Size, ...]) -> Value:
    """f64 in [0, 1). A layer without a seed has that of 0."""
    seed = layer.integer("seed") or int(layer.real("seed"))
    return random_uniform(shape=shape, seed=seed)


def _element(layer: Layer) -> Element:
    like, kind = layer.optional(0), layer.integer("dtype")
    if kind:
        return element_named(kind, layer.name)
    return F32 if like is None else like.tensor.element


def _shape(layer: Layer) -> tuple[Size, ...]:
    like = layer.optional(0)
    return layer.integers("shape") if like is None else like.shape


@row("Bernoulli")
def bernoulli(layer: Layer) -> Value:
    x = layer[0]
    return convert(e.less(_drawn(layer, x.shape), convert(x, to=F64)), to=_element(layer))


@row("RandomUniform", "RandomUniformLike")
def uniform(layer: Layer) -> Value:
    low, high = layer.real("low", 0.0), layer.real("high", 1.0)
    return convert(scaled(_drawn(layer, _shape(layer)), high - low, low), to=_element(layer))


@row("RandomNormal", "RandomNormalLike")
def normal(layer: Layer) -> Value:
    """By Box and Muller (1958) from two uniform numbers each."""
    shape = _shape(layer)
    pair = _drawn(layer, (2, *shape))
    radius, angle = (_half(pair, i, shape) for i in range(2))
    size = e.sqrt(scaled(e.log(e.sub(scalar(1, radius), radius)), -2))
    y = e.mul(size, e.cos(scaled(angle, 2 * pi)))
    return convert(scaled(y, layer.real("scale", 1.0), layer.real("mean", 0.0)), to=_element(layer))


def _half(pair: Value, index: int, shape: tuple[Size, ...]) -> Value:
    begin = (index, *(0,) * len(shape))
    one = slice_op(pair, begin=begin, size=(1, *shape), step=(1,) * len(begin))
    return reshape(one, shape=shape)
=======
"""Random numbers. A model without a seed draws the same ones in every run, others in each layer."""

from __future__ import annotations

from zlib import crc32

from whet.importers.onnx.layer import Layer, row
from whet.importers.onnx.rows.constant import element_named
from whet.ir.dim import Size
from whet.ir.element import F32, I64, Scalar
from whet.ir.node import Value
from whet.ops.convert import convert
from whet.ops.random import random_multinomial, random_normal, random_uniform


def seed_of(layer: Layer) -> int:
    """The layer's seed; without one, a number made of its name."""
    return int(layer.real("seed")) if layer.has("seed") else crc32(layer.name.encode())


def _drawn(layer: Layer, shape: tuple[Size, ...], default: Scalar) -> Value:
    to, seed = element_named(layer, "dtype", default), seed_of(layer)
    if "Uniform" in layer.proto.op_type:
        low, high = layer.real("low", 0.0), layer.real("high", 1.0)
        return random_uniform(shape=shape, to=to, seed=seed, low=low, high=high, random=True)
    mean, scale = layer.real("mean", 0.0), layer.real("scale", 1.0)
    return random_normal(shape=shape, to=to, seed=seed, low=mean, high=scale, random=True)


@row("RandomUniform", "RandomNormal")
def drawn(layer: Layer) -> Value:
    return _drawn(layer, layer.integers("shape"), F32)


@row("RandomUniformLike", "RandomNormalLike")
def drawn_like(layer: Layer) -> Value:
    own = layer[0].tensor.element
    return _drawn(layer, layer[0].shape, own if isinstance(own, Scalar) else F32)


@row("Multinomial")
def chosen(layer: Layer) -> Value:
    count = layer.integer("sample_size", 1)
    found = random_multinomial(layer[0], count=count, seed=seed_of(layer), random=True)
    to = element_named(layer, "dtype", I64)
    return found if layer.has("dtype") and to == I64 else convert(found, to=to)
>>>>>>> main
