"""Dropout and Bernoulli; ONNX fixes what they draw from, not the bits: see `whet.ops.mersenne`."""

from __future__ import annotations

import numpy as np

from whet.importers.onnx.layer import Layer, Result, row, scalar
from whet.importers.onnx.rows.cast import element_of_number
from whet.importers.onnx.rows.random import seed_of
from whet.ir.dim import Size
from whet.ir.element import BOOL, F64, Scalar
from whet.ir.leaf import constant
from whet.ir.node import Value
from whet.ops import elementwise as e
from whet.ops.convert import convert
from whet.ops.mersenne import mersenne_uniform
from whet.ops.movement import broadcast, reshape


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
    """f64 in [0, 1)."""
    seed = layer.integer("seed") or seed_of(layer)
    return mersenne_uniform(shape=shape, seed=seed, random=True)


@row("Bernoulli")
def bernoulli(layer: Layer) -> Value:
    x, kind = layer[0], layer.integer("dtype")
    to = element_of_number(kind, layer.name) if kind else x.tensor.element
    return convert(e.less(_drawn(layer, x.shape), convert(x, to=F64)), to=to)
