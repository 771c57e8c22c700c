"""Convolutions and matrix products on integers: exact accumulation, then requantise.

Activations are channels-last. Weights keep TensorFlow Lite's layouts: convolution
[out, kernel_h, kernel_w, in / groups], depthwise [1, kernel_h, kernel_w, out], fully connected
[out, in], transposed convolution [out, kernel_h, kernel_w, in].
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from whet.errors import ShapeError
from whet.ops.integer.quantization import (
    Activation,
    Affine,
    Integers,
    Rounding,
    activation_range,
    float32_scales,
)
from whet.ops.integer.requantize import Multiplier, multiplier, requantize


@dataclass(frozen=True, slots=True)
class Contraction:
    """Compile-time constants of a convolution or fully connected layer.

    x_zero, w_zero: zero points of the operands. by: one multiplier, or one per output channel.
    y_zero, low, high: output zero point and clamp. store: output storage type. wide: the
    accumulator has 64 bits.
    """

    x_zero: int
    w_zero: int
    by: Multiplier
    y_zero: int
    low: int
    high: int
    rounding: Rounding
    store: str = "int8"
    wide: bool = False


@dataclass(frozen=True, slots=True)
class Window:
    """Where a 2-D kernel is applied: (height, width) pairs, padding as (before, after) of each."""

    stride: tuple[int, int] = (1, 1)
    dilation: tuple[int, int] = (1, 1)
    pad_h: tuple[int, int] = (0, 0)
    pad_w: tuple[int, int] = (0, 0)


def contraction_constants(
    x: Affine,
    w_scales: Sequence[float] | npt.NDArray[np.floating],
    y: Affine,
    activation: Activation,
    rounding: Rounding,
    *,
    w_zero: int = 0,
    wide: bool = False,
    float32_product: bool = False,
) -> Contraction:
    """Constants for real multipliers x.scale * w_scale / y.scale, taken in double precision.

    `float32_product` first rounds x.scale * w_scale to float32: TensorFlow Lite Micro does so in a
    fully connected layer with one weight scale, and TensorFlow Lite in any legacy uint8 layer.
    """
    scales = float32_scales(w_scales)
    if float32_product:
        products = (np.float32(x.scale) * scales.astype(np.float32)).astype(np.float64)
    else:
        products = x.scale * scales
    reals = products / y.scale
    by = multiplier(reals.astype(np.float32) if rounding == "single" else reals)
    if len(scales) == 1:
        by = Multiplier(by.m.reshape(()), by.t.reshape(()))
    low, high = activation_range(y, activation)
    return Contraction(x.zero, w_zero, by, y.zero, low, high, rounding, y.store, wide)


def exact_matmul(a: Integers, b: Integers) -> npt.NDArray[np.int64]:
    """a @ b on integers without rounding, through the float matrix product where that is exact."""
    depth = a.shape[-1]
    bound = depth * max(_magnitude(a), 1) * max(_magnitude(b), 1)
    kind: type[np.generic] = np.int64
    if bound < 1 << 53:
        kind = np.float32 if bound < 1 << 24 else np.float64
    product: npt.NDArray[np.int64] = np.matmul(a.astype(kind), b.astype(kind)).astype(np.int64)
    return product


def _magnitude(a: Integers) -> int:
    return 0 if a.size == 0 else max(abs(int(a.min())), abs(int(a.max())))


def finish(acc: npt.NDArray[np.int64], bias: Integers | None, c: Contraction) -> Integers:
    """Add the bias, narrow the sum to 32 bits (64 when `wide`), requantise, clamp and store."""
    if bias is not None:
        acc = acc + bias.astype(np.int64)
    narrowed: Integers = acc if c.wide else acc.astype(np.int32)
    return requantize(narrowed, c.by, c.y_zero, c.low, c.high, c.rounding, c.store)


def patches(x: Integers, kernel: tuple[int, int], window: Window) -> Integers:
    """The windows of x [n, h, w, c]: [n, out_h, out_w, kernel_h, kernel_w, c]; padding is 0."""
    (sh, sw), (dh, dw), (kh, kw) = window.stride, window.dilation, kernel
    padded = np.pad(x, ((0, 0), window.pad_h, window.pad_w, (0, 0)))
    reach_h, reach_w = (kh - 1) * dh + 1, (kw - 1) * dw + 1
    if padded.shape[1] < reach_h or padded.shape[2] < reach_w:
        raise ShapeError("convolution", why=f"kernel {kernel} exceeds input {padded.shape[1:3]}")
    view = np.lib.stride_tricks.sliding_window_view(padded, (reach_h, reach_w), axis=(1, 2))
    strided = view[:, ::sh, ::sw, :, ::dh, ::dw]
    return np.moveaxis(strided, 3, -1)


def conv2d(
    x: Integers, w: Integers, bias: Integers | None, window: Window, c: Contraction
) -> Integers:
    """Two-dimensional convolution, groups = in channels / w.shape[3].

    acc = sum over the window inside the image of (w - w_zero) * (x - x_zero), plus bias; padding
    contributes nothing. x [batch, h, w, in] -> [batch, out_h, out_w, out].
    """
    out, kh, kw, depth = w.shape
    groups = x.shape[3] // depth
    centred = x.astype(np.int32) - c.x_zero
    cols = patches(centred, (kh, kw), window)
    weights = w.astype(np.int32) - c.w_zero
    head = cols.shape[:3]
    parts = []
    for g in range(groups):
        a = cols[..., g * depth : (g + 1) * depth].reshape(-1, kh * kw * depth)
        b = weights[g * (out // groups) : (g + 1) * (out // groups)].reshape(out // groups, -1).T
        parts.append(exact_matmul(a, b))
    return finish(np.concatenate(parts, axis=1).reshape(*head, out), bias, c)


def depthwise_conv2d(
    x: Integers, w: Integers, bias: Integers | None, window: Window, c: Contraction
) -> Integers:
    """Depthwise convolution: output channel i reads input channel i // (out / in).

    x [batch, h, w, in], w [1, kernel_h, kernel_w, out] -> [batch, out_h, out_w, out].
    """
    _, kh, kw, out = w.shape
    (sh, sw), (dh, dw) = window.stride, window.dilation
    kind = np.int64 if c.wide else np.int32
    centred = np.pad(x.astype(kind) - c.x_zero, ((0, 0), window.pad_h, window.pad_w, (0, 0)))
    centred = np.repeat(centred, out // x.shape[3], axis=3)
    weights = w[0].astype(kind) - c.w_zero
    rows = (centred.shape[1] - (kh - 1) * dh - 1) // sh * sh + 1
    columns = (centred.shape[2] - (kw - 1) * dw - 1) // sw * sw + 1
    acc = np.zeros((), kind)
    for a in range(kh):
        for b in range(kw):
            tap = centred[:, a * dh : a * dh + rows : sh, b * dw : b * dw + columns : sw]
            acc = acc + tap * weights[a, b]
    return finish(acc.astype(np.int64), bias, c)


def fully_connected(x: Integers, w: Integers, bias: Integers | None, c: Contraction) -> Integers:
    """Matrix product with a constant matrix: x [..., in], w [out, in] -> [..., out]."""
    a = x.astype(np.int32) - c.x_zero
    return finish(exact_matmul(a, (w.astype(np.int32) - c.w_zero).T), bias, c)


def batch_matmul(a: Integers, b: Integers, c: Contraction) -> Integers:
    """Product of two activations: a [..., m, k], b [..., k, n] -> [..., m, n], NumPy broadcasting.

    `c` comes from contraction_constants with a as x and b as the one-scale weight. TensorFlow Lite
    Micro rounds the product of the scales to float32 (`float32_product`).
    """
    x, w = a.astype(np.int32) - c.x_zero, b.astype(np.int32) - c.w_zero
    return finish(exact_matmul(x, w), None, c)


def transpose_conv2d(
    x: Integers,
    w: Integers,
    bias: Integers | None,
    window: Window,
    out_size: tuple[int, int],
    c: Contraction,
) -> Integers:
    """Transposed convolution: x[i, j] * w[a, b] adds to y[i*stride - pad_top + a, j*stride - ...].

    x [batch, h, w, in], w [out, kernel_h, kernel_w, in] -> [batch, *out_size, out]. Products that
    fall outside the output are dropped.
    """
    out, kh, kw, depth = w.shape
    n, h, wd, _ = x.shape
    (sh, sw), top, left = window.stride, window.pad_h[0], window.pad_w[0]
    spread = exact_matmul(
        (x.astype(np.int32) - c.x_zero).reshape(-1, depth),
        (w.astype(np.int32) - c.w_zero).reshape(-1, depth).T,
    ).reshape(n, h, wd, out, kh, kw)
    full_h, full_w = (
        max((h - 1) * sh + kh, top + out_size[0]),
        max((wd - 1) * sw + kw, left + out_size[1]),
    )
    acc = np.zeros((n, full_h, full_w, out), np.int64)
    for a in range(kh):
        for b in range(kw):
            acc[:, a : a + h * sh : sh, b : b + wd * sw : sw][:, :h, :wd] += spread[..., a, b]
    return finish(acc[:, top : top + out_size[0], left : left + out_size[1]], bias, c)
