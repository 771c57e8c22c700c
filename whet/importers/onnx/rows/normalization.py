"""Softmax and normalisations."""

from __future__ import annotations

from collections.abc import Callable

from whet.errors import ModelError
from whet.importers.onnx.layer import Layer, Result, row, scalar
from whet.importers.onnx.rows.convolution import channels_first, channels_last
from whet.ir.element import F32
from whet.ir.node import Value
from whet.ir.type import size_product
from whet.ops import elementwise as e
from whet.ops import normalization as n
from whet.ops import reduction as r
from whet.ops.convert import convert
from whet.ops.iota import iota
from whet.ops.movement import broadcast, reshape


def _hardmax(x: Value, *, axis: int) -> Value:
    """One at the first greatest element, zero elsewhere."""
    rank = len(x.shape)
    winner = r.argmax(x, axis=axis, keep=True)
    return convert(e.equal(iota(x.shape[axis], axis, rank), winner), to=x.tensor.element)


SOFTMAX: dict[str, Callable[..., Value]] = {
    "Softmax": n.softmax,
    "LogSoftmax": n.log_softmax,
    "Hardmax": _hardmax,
}


@row(*SOFTMAX)
def softmax(layer: Layer) -> Value:
    """Before version 13 the axes from `axis` on are one."""
    x, function = layer[0], SOFTMAX[layer.proto.op_type]
    rank = len(x.shape)
    axis = layer.axis("axis", rank, -1 if layer.version >= 13 else 1)
    if layer.version >= 13:
        return function(x, axis=axis)
    rows = reshape(x, shape=(size_product(x.shape[:axis]), size_product(x.shape[axis:])))
    return reshape(function(rows, axis=1), shape=x.shape)


def _fitted(layer: Layer, index: int, x: Value, axis: int) -> Value | None:
    """A scale or bias of the shape of the normalised axes."""
    value, shape = layer.optional(index), x.shape[axis:]
    if value is None or value.shape == shape:
        return value
    if value.tensor.elements == size_product(shape):
        return reshape(value, shape=shape)
    return broadcast(value, shape=shape)


@row("LayerNormalization")
def layer_normalization(layer: Layer) -> Result:
    x, axis = layer[0], layer.axis("axis", len(layer[0].shape), -1)
    scale, bias = (_fitted(layer, i, x, axis) for i in (1, 2))
    epsilon = layer.real("epsilon", 1e-5)
    y = n.layer_norm(x, scale, bias, axis=axis, epsilon=epsilon)
    if len(layer.proto.output) == 1:
        return y
    wide = convert(x, to=F32) if x.tensor.element.size < F32.size else x
    axes = tuple(range(axis, len(x.shape)))
    mean = r.reduce_mean(wide, axes=axes, keep=True)
    centred = e.sub(wide, mean)
    variance = r.reduce_mean(e.mul(centred, centred), axes=axes, keep=True)
    deviation = e.sqrt(e.add(variance, scalar(epsilon, variance)))
    return y, mean, e.div(scalar(1, deviation), deviation)


@row("RMSNormalization")
def rms_normalization(layer: Layer) -> Value:
    x, axis = layer[0], layer.axis("axis", len(layer[0].shape), -1)
    scale = _fitted(layer, 1, x, axis)
    return n.rms_norm(x, scale, axis=axis, epsilon=layer.real("epsilon", 1e-5))


@row("InstanceNormalization", "GroupNormalization")
def group_normalization(layer: Layer) -> Value:
    """Before version 21 group normalisation has one scale a group."""
    x, scale, bias = layer[0], layer[1], layer[2]
    channels = x.shape[1]
    if not isinstance(channels, int):
        raise ModelError("the number of channels is free", where=layer.name)
    groups = layer.integer("num_groups", channels)

    def fitted(v: Value) -> Value:
        if v.shape == (channels,):
            return v
        rows = reshape(v, shape=(groups, 1))
        return reshape(broadcast(rows, shape=(groups, channels // groups)), shape=(channels,))

    last = channels_last(x)
    epsilon = layer.real("epsilon", 1e-5)
    y = n.group_norm(last, fitted(scale), fitted(bias), groups=groups, epsilon=epsilon)
    return channels_first(y)


@row("LRN")
def local_response(layer: Layer) -> Value:
    y = n.lrn(
        channels_last(layer[0]), axis=len(layer[0].shape) - 1, size=layer.integer("size"),
        alpha=layer.real("alpha", 1e-4), beta=layer.real("beta", 0.75),
        bias=layer.real("bias", 1.0),
    )  # fmt: skip
    return channels_first(y)


@row("LpNormalization")
def lp_normalization(layer: Layer) -> Value:
    """x / |x|_p along an axis; a zero norm divides by one."""
    x = layer[0]
    axis = layer.axis("axis", len(x.shape), -1)
    size = e.absolute(x) if layer.integer("p", 2) == 1 else e.mul(x, x)
    total = r.reduce_sum(size, axes=(axis,), keep=True)
    norm = total if layer.integer("p", 2) == 1 else e.sqrt(total)
    return e.div(x, e.select(e.equal(norm, scalar(0, norm)), scalar(1, norm), norm))
