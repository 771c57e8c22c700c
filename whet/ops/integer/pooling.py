"""Average and maximum pooling. Input and output share one quantisation, in both roundings."""

import numpy as np

from whet.ops.integer.contraction import Window, patches
from whet.ops.integer.quantization import Integers
from whet.ops.integer.requantize import stored


def average_pool(
    x: Integers, kernel: tuple[int, int], window: Window, low: int, high: int
) -> Integers:
    """Mean of the window inside the image, ties away from zero, clamped to [low, high].

    y = (sum + count / 2) / count if sum > 0 else (sum - count / 2) / count, divisions truncating;
    padding is not counted. x [batch, h, w, c]; TensorFlow Lite Micro's AVERAGE_POOL_2D.
    """
    total = patches(x.astype(np.int64), kernel, window).sum(axis=(3, 4))
    ones = np.ones((1, x.shape[1], x.shape[2], 1), np.int64)
    count = patches(ones, kernel, window).sum(axis=(3, 4))
    magnitude = (np.abs(total) + count // 2) // count
    return stored(np.where(total > 0, magnitude, -magnitude), low, high, x.dtype.name)


def max_pool(x: Integers, kernel: tuple[int, int], window: Window, low: int, high: int) -> Integers:
    """Largest value of the window inside the image, clamped to [low, high]. x [batch, h, w, c]."""
    lowest = int(np.iinfo(x.dtype).min)
    shifted = patches(x.astype(np.int64) - lowest, kernel, window)
    return stored(shifted.max(axis=(3, 4)) + lowest, low, high, x.dtype.name)
