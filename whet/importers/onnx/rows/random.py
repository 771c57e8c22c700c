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
