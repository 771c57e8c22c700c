"""Separable image resampling, for each axis bit for bit what Pillow computes on uint8.

Each output pixel is a weighted sum over a window of the filter's support. With `antialias` the
window widens with the shrink factor (Pillow); without it, it does not (the usual mobile resize).
uint8 images use 22-bit fixed-point weights and round after each of the two passes: width first,
always (Pillow 13 takes the height first where it shrinks far more than the width).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

_WEIGHT_BITS = 22

Floats = NDArray[np.float64]


def _box(x: Floats) -> Floats:
    return ((x > -0.5) & (x <= 0.5)).astype(np.float64)


def _triangle(x: Floats) -> Floats:
    return np.maximum(1.0 - np.abs(x), 0.0)


def _cubic(x: Floats) -> Floats:
    a, x = -0.5, np.abs(x)
    near = ((a + 2.0) * x - (a + 3.0)) * x * x + 1.0
    far = (((x - 5.0) * x + 8.0) * x - 4.0) * a
    return np.where(x < 1.0, near, np.where(x < 2.0, far, 0.0))


def _lanczos(x: Floats) -> Floats:
    return np.where(np.abs(x) < 3.0, np.sinc(x) * np.sinc(x / 3.0), 0.0)


FILTERS: dict[str, tuple[Callable[[Floats], Floats], float]] = {
    "area": (_box, 0.5),
    "bilinear": (_triangle, 1.0),
    "bicubic": (_cubic, 2.0),
    "lanczos": (_lanczos, 3.0),
}
METHODS = ("nearest", *FILTERS)


def resize(
    image: NDArray[np.generic], height: int, width: int, method: str, antialias: bool = True
) -> NDArray[np.generic]:
    """A (height', width', channels) image resampled to (height, width, channels), same dtype.

    method is one of METHODS. Floating images are resampled in float64 without rounding.
    """
    for axis, size in ((1, width), (0, height)):
        length = image.shape[axis]
        if method == "nearest":
            index = np.floor((np.arange(size) + 0.5) * (length / size)).astype(np.int64)
            image = np.take(image, np.minimum(index, length - 1), axis=axis)
        elif size != length:
            first, weights = _windows(length, size, method, antialias)
            image = _resample(image, first, weights, axis)
    return image


def _windows(
    length: int, size: int, method: str, antialias: bool
) -> tuple[NDArray[np.int64], Floats]:
    """For each of `size` outputs: the first input it reads, and its weights (size, taps)."""
    kernel, radius = FILTERS[method]
    ratio = length / size
    stretch = max(ratio, 1.0) if antialias else 1.0
    support = radius * stretch
    center = (np.arange(size) + 0.5) * ratio
    first = np.maximum(np.trunc(center - support + 0.5), 0).astype(np.int64)
    last = np.minimum(np.trunc(center + support + 0.5), length).astype(np.int64)
    last = np.maximum(last, first + 1)
    taps = np.arange(int((last - first).max()))
    at = first[:, None] + taps[None, :]
    weights = kernel((at - center[:, None] + 0.5) * (1.0 / stretch))
    weights = np.where(at < last[:, None], weights, 0.0)
    total = weights.sum(axis=1, keepdims=True)
    return first, weights / np.where(total == 0.0, 1.0, total)


def _resample(
    image: NDArray[np.generic], first: NDArray[np.int64], weights: Floats, axis: int
) -> NDArray[np.generic]:
    shape = [1, 1, 1]
    shape[axis] = first.size
    goal = tuple(first.size if i == axis else n for i, n in enumerate(image.shape))

    def tap(t: int) -> NDArray[np.generic]:
        taken: NDArray[np.generic] = np.take(
            image, np.minimum(first + t, image.shape[axis] - 1), axis=axis
        )
        return taken

    taps = range(weights.shape[1])
    if image.dtype != np.uint8:
        real = np.zeros(goal, np.float64)
        for t in taps:
            real += tap(t).astype(np.float64) * weights[:, t].reshape(shape)
        exact: NDArray[np.generic] = real.astype(image.dtype)
        return exact
    scaled = weights * (1 << _WEIGHT_BITS)
    table = np.trunc(scaled + np.copysign(0.5, scaled)).astype(np.int32)
    total = np.full(goal, 1 << (_WEIGHT_BITS - 1), np.int32)
    for t in taps:
        total += tap(t).astype(np.int32) * table[:, t].reshape(shape)
    pixels: NDArray[np.uint8] = np.clip(total >> _WEIGHT_BITS, 0, 255).astype(np.uint8)
    return pixels
