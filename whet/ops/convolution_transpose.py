"""`conv_transpose` and `deform_conv`: convolutions that spread, and that look where they are told.
Channels last."""

from __future__ import annotations

from itertools import product
from math import floor

import numpy as np

from whet.errors import ShapeError
from whet.ir.dim import Size
from whet.ir.node import Array, Node, Op
from whet.ir.type import Type
from whet.ops.convolution import Ints, check_padding


def _infer(
    x: Type, w: Type, bias: Type | None = None, *, stride: Ints, dilation: Ints, low: Ints,
    size: tuple[Size, ...], groups: int = 1,
) -> Type:  # fmt: skip
    """x: [N, *S, C]; w: [O, *K, C/groups]. Result [N, *size, O]: `low` is cut off its start."""
    if w.rank != x.rank or len(size) != x.rank - 2 or x.shape[-1] != w.shape[-1] * groups:
        raise ShapeError(f"transposed convolution of {x} with {w} in {groups} groups")
    check_padding(*low)
    if bias is not None and bias.shape != (w.shape[0],):
        raise ShapeError(f"bias {bias} for {w.shape[0]} channels")
    return Type((x.shape[0], *size, w.shape[0]), x.element)


def wide(x: Array) -> Array:
    """In the precision it is computed in."""
    return x.astype(np.float32) if x.dtype.itemsize < 4 else x


def _evaluate(node: Node, x: Array, w: Array, bias: Array | None = None) -> Array:
    stride, dilation, low = (node.integers(a) for a in ("stride", "dilation", "low"))
    size, groups, kernel = node.integers("size"), node.integer("groups", 1), w.shape[1:-1]
    x, w = wide(x), wide(w)
    full = [
        max((d - 1) * s + (k - 1) * dl + 1, lo + n)
        for d, s, k, dl, lo, n in zip(
            x.shape[1:-1], stride, kernel, dilation, low, size, strict=True
        )
    ]
    y = np.zeros((x.shape[0], *full, w.shape[0]), x.dtype)
    depth, share = x.shape[-1] // groups, w.shape[0] // groups
    for tap in product(*map(range, kernel)):
        index = tuple(
            slice(t * dl, t * dl + (d - 1) * s + 1, s)
            for t, dl, d, s in zip(tap, dilation, x.shape[1:-1], stride, strict=True)
        )
        for g in range(groups):
            out = slice(g * share, (g + 1) * share)
            taps = w[out].reshape(share, -1, depth)[:, np.ravel_multi_index(tap, kernel)]
            part = x[..., g * depth : (g + 1) * depth] @ taps.T
            y[(slice(None), *index, out)] += part
    cut = tuple(slice(lo, lo + n) for lo, n in zip(low, size, strict=True))
    y = y[(slice(None), *cut)]
    return y if bias is None else y + bias


def _infer_deform(
    x: Type, w: Type, offset: Type, mask: Type | None = None, bias: Type | None = None, *,
    stride: Ints, dilation: Ints, low: Ints, groups: int = 1, offset_groups: int = 1,
) -> Type:  # fmt: skip
    """x: [N, H, W, C]; w: [O, KH, KW, C/groups]; offset: [N, H', W', offset_groups * KH * KW * 2]
    of (row, column) shifts of each tap; mask: [N, H', W', offset_groups * KH * KW]."""
    if not x.rank == w.rank == offset.rank == 4 or x.shape[-1] != w.shape[-1] * groups:
        raise ShapeError(f"deformed convolution of {x} with {w} and offsets {offset}")
    return Type((*offset.shape[:3], w.shape[0]), x.element)


def _sampled(image: Array, row: float, column: float) -> Array:
    """All channels of [H, W, C] at a point, linear between elements, zero outside."""
    total = np.zeros(image.shape[-1], image.dtype)
    for i, j in product((floor(row), floor(row) + 1), (floor(column), floor(column) + 1)):
        if 0 <= i < image.shape[0] and 0 <= j < image.shape[1]:
            total += (1 - abs(row - i)) * (1 - abs(column - j)) * image[i, j]
    return total


def _deform(
    node: Node, x: Array, w: Array, offset: Array, mask: Array | None = None,
    bias: Array | None = None,
) -> Array:  # fmt: skip
    groups, parts = node.integer("groups", 1), node.integer("offset_groups", 1)
    taps = list(product(*map(range, w.shape[1:3])))
    x, w = wide(x), wide(w)
    place = offset.reshape(*offset.shape[:3], parts, len(taps), 2).astype(np.float64)
    n, (height, width) = x.shape[0], offset.shape[1:3]
    weight = np.ones(place.shape[:-1]) if mask is None else mask.reshape(place.shape[:-1])
    part, depth, share = x.shape[-1] // parts, w.shape[-1], w.shape[0] // groups
    (sh, sw), (dh, dw), (lh, lw) = (node.integers(a) for a in ("stride", "dilation", "low"))
    y = np.zeros((n, height, width, w.shape[0]), x.dtype)
    for b, i, j, (t, (ki, kj)) in product(range(n), range(height), range(width), enumerate(taps)):
        seen = np.empty(x.shape[-1], x.dtype)
        for p in range(parts):
            row, column = place[b, i, j, p, t] + (i * sh - lh + ki * dh, j * sw - lw + kj * dw)
            channels = slice(p * part, (p + 1) * part)
            seen[channels] = _sampled(x[b, :, :, channels], row, column) * weight[b, i, j, p, t]
        for g in range(groups):
            out = slice(g * share, (g + 1) * share)
            y[b, i, j, out] += w[out, ki, kj] @ seen[g * depth : (g + 1) * depth]
    return y if bias is None else y + bias


conv_transpose = Op("conv_transpose", _infer, _evaluate)
deform_conv = Op("deform_conv", _infer_deform, _deform)
