"""Window pooling, channels last."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from itertools import product

import numpy as np

from whet.errors import ShapeError
from whet.ir.element import I64
from whet.ir.node import Array, Attr, Node, Op
from whet.ir.type import Type
from whet.ops.affine import result
from whet.ops.convolution import Ints, check_padding, window_extent, window_of
from whet.ops.integer import pooling as integer


def _infer(
    x: Type, *, kernel: Ints, stride: Ints, dilation: Ints, low: Ints, high: Ints,
    count_pad: bool = False, extra: Ints = (), clamp: Attr = None,
) -> Type:  # fmt: skip
    """x: [N, *S, C]. Result [N, *S', C].

    high holds what ceil_mode adds; `extra` is that part of it, which is never counted.
    """
    if not len(kernel) == len(stride) == x.rank - 2 or x.rank < 3:
        raise ShapeError(f"pooling of {x} with a window of {kernel}")
    check_padding(*low, *high)
    out = tuple(
        window_extent(x.shape[i + 1], k, stride[i], dilation[i], low[i] + high[i])
        for i, k in enumerate(kernel)
    )
    return Type((x.shape[0], *out, x.shape[-1]), x.element)


def windows(x: Array, node: Node, fill: float) -> Array:
    """[taps, N, *S', C]: every window's elements, padding filled."""
    kernel, stride, dilation = (
        node.integers("kernel"),
        node.integers("stride"),
        node.integers("dilation"),
    )
    widths = [(0, 0), *zip(node.integers("low"), node.integers("high"), strict=True), (0, 0)]
    x = np.pad(x, widths, constant_values=fill)
    extent = [
        (d - dl * (k - 1) - 1) // s + 1
        for d, k, s, dl in zip(x.shape[1:-1], kernel, stride, dilation, strict=True)
    ]
    taps = []
    for tap in product(*(range(k) for k in kernel)):
        index = tuple(
            slice(t * dl, t * dl + (e - 1) * s + 1, s)
            for t, dl, e, s in zip(tap, dilation, extent, stride, strict=True)
        )
        taps.append(x[(slice(None), *index)])
    return np.stack(taps)


def _maximum(node: Node, x: Array) -> Array:
    least = -np.inf if x.dtype.kind in "fV" else np.iinfo(x.dtype).min
    return np.asarray(windows(x, node, least).max(axis=0))


def _average(node: Node, x: Array) -> Array:
    wide = x.astype(np.float64 if x.dtype == np.float64 else np.float32)
    total = windows(wide, node, 0).sum(axis=0)
    counted = np.ones((1, *x.shape[1:-1], 1), wide.dtype)
    if not node["count_pad"]:
        return np.asarray(total / windows(counted, node, 0).sum(axis=0))
    extra = extra_of(node)
    high = tuple(h - e for h, e in zip(node.integers("high"), extra, strict=True))
    widths = [(0, 0), *zip(node.integers("low"), high, strict=True), (0, 0)]
    counted = np.pad(counted, widths, constant_values=1)
    rest = replace(node, attrs={**node.attrs, "low": (0,) * len(high), "high": extra})
    return np.asarray(total / windows(counted, rest, 0).sum(axis=0))


def extra_of(node: Node) -> Ints:
    """What ceil_mode added to the trailing padding."""
    given = node["extra"]
    return node.integers("extra") if given else (0,) * len(node.integers("high"))


def _infer_indices(
    x: Type, *, kernel: Ints, stride: Ints, dilation: Ints, low: Ints, high: Ints,
    column_major: bool = False,
) -> tuple[Type, Type]:  # fmt: skip
    """max_pool, and each winner's flat index in the tensor stored as [N, C, *S]; column_major
    numbers the spatial axes first-fastest."""
    y = _infer(x, kernel=kernel, stride=stride, dilation=dilation, low=low, high=high)
    return y, Type(y.shape, I64)


def _maximum_indices(node: Node, x: Array) -> tuple[Array, Array]:
    least = -np.inf if x.dtype.kind in "fV" else np.iinfo(x.dtype).min
    taps, spatial = windows(x, node, least), x.shape[1:-1]
    flat: Array = np.arange(math.prod(spatial))
    grid = flat.reshape(spatial[::-1]).T if node["column_major"] else flat.reshape(spatial)
    places = windows(np.broadcast_to(grid[None, ..., None], x.shape), node, -1)
    winner = np.where(places < 0, least, taps).argmax(axis=0)[None]
    image = np.arange(x.shape[0] * x.shape[-1]).reshape(-1, *(1,) * len(spatial), x.shape[-1])
    found = np.take_along_axis(places, winner, 0)[0] + image * math.prod(spatial)
    return np.take_along_axis(taps, winner, 0)[0], found


def _quantized(function: Callable[..., Array]) -> Callable[..., Array]:
    def run(node: Node, x: Array) -> Array:
        """Pooling of codes; input and result share scale and zero point."""
        y = result(node)
        clamp = node["clamp"]
        low, high = clamp if isinstance(clamp, tuple) else (y.low, y.high)
        kernel = node.integers("kernel")
        if x.ndim == 3:
            return function(x[:, None], (1, *kernel), window_of(node), low, high)[:, 0]
        return function(x, kernel, window_of(node), low, high)

    return run


max_pool_indices = Op("max_pool_indices", _infer_indices, _maximum_indices)
max_pool = Op("max_pool", _infer, _maximum, quantized=_quantized(integer.max_pool))
average_pool = Op("average_pool", _infer, _average, quantized=_quantized(integer.average_pool))
