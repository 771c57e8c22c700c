"""Window pooling, channels last."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product

import numpy as np

from whet.errors import ShapeError
from whet.ir.node import Array, Attr, Node, Op
from whet.ir.type import Type
from whet.ops.affine import result
from whet.ops.convolution import Ints, window_extent, window_of
from whet.ops.integer import pooling as integer


def _infer(
    x: Type, *, kernel: Ints, stride: Ints, dilation: Ints, low: Ints, high: Ints,
    count_pad: bool = False,
    clamp: Attr = None,
) -> Type:  # fmt: skip
    """x: [N, *S, C]; `high` already holds what ceil_mode adds. Result [N, *S', C]."""
    if not len(kernel) == len(stride) == x.rank - 2 or x.rank < 3:
        raise ShapeError(f"pooling of {x} with a window of {kernel}")
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
    if node["count_pad"]:
        return np.asarray(total / np.prod(node.integers("kernel")))
    return np.asarray(total / windows(np.ones_like(wide), node, 0).sum(axis=0))


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


max_pool = Op("max_pool", _infer, _maximum, quantized=_quantized(integer.max_pool))
average_pool = Op("average_pool", _infer, _average, quantized=_quantized(integer.average_pool))
