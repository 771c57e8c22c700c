"""Resizing of images [batch, h, w, c]. Input and output share one quantisation."""

import numpy as np

from whet.ops.integer.quantization import Integers, Rounding
from whet.ops.integer.requantize import Wide

ONE = 1 << 10


def bilinear_positions(
    size: int, out: int, align_corners: bool, half_pixel_centers: bool
) -> tuple[Wide, Wide, Wide]:
    """(low, high, fraction) of one axis: sources of each output and its position in 1/1024.

    The step is (1024 * size + out / 2) / out, truncated, or that of size - 1 and out - 1 with
    align_corners; half-pixel centres shift by step / 2 - 512. `fraction` is relative to `low`, and
    negative before the first centre; many outputs of a step rounded up may pass the last source
    and are its. As in TensorFlow Lite Micro, in both roundings.
    """
    step = (ONE * size + out // 2) // out
    if align_corners and out > 1:
        step = (ONE * (size - 1) + (out - 1) // 2) // (out - 1)
    at = np.arange(out, dtype=np.int64) * step
    if half_pixel_centers:
        at = at + step // 2 - ONE // 2
    low = np.clip(np.sign(at) * (np.abs(at) // ONE), 0, size - 1)
    ceiling = at + ONE - 1
    high = np.minimum(np.sign(ceiling) * (np.abs(ceiling) // ONE), size - 1)
    return low, high, at - ONE * low


def resize_bilinear(
    x: Integers,
    out_size: tuple[int, int],
    rounding: Rounding,
    *,
    align_corners: bool = False,
    half_pixel_centers: bool = False,
) -> Integers:
    """Bilinear interpolation with weights of 10 bits an axis, exact in 64 bits, rounded once.

    single: (sum + 2**19) >> 20, ties up. double: ties away from zero.
    """
    options = (align_corners, half_pixel_centers)
    y0, y1, fy = bilinear_positions(x.shape[1], out_size[0], *options)
    x0, x1, fx = bilinear_positions(x.shape[2], out_size[1], *options)
    wide = x.astype(np.int64)
    down, right = fy[:, None, None], fx[:, None]
    top: Wide = wide[:, y0][:, :, x0] * (ONE - right) + wide[:, y0][:, :, x1] * right
    bottom: Wide = wide[:, y1][:, :, x0] * (ONE - right) + wide[:, y1][:, :, x1] * right
    total: Wide = top * (ONE - down) + bottom * down
    y = (total + (1 << 19)) >> 20
    if rounding == "double":
        y = np.where(total > 0, y, -((-total + (1 << 19)) >> 20))
    narrowed: Integers = y.astype(x.dtype)
    return narrowed


def nearest_positions(size: int, out: int, align_corners: bool, half_pixel_centers: bool) -> Wide:
    """The source index of each output of one axis, in float32 as TensorFlow Lite Micro.

    floor((i + offset) * scale), or rounded with ties away with align_corners. The result is a
    constant table: nearest resizing is movement.
    """
    spread = align_corners and out > 1
    scale = (
        np.float32(size - 1) / np.float32(out - 1) if spread else np.float32(size) / np.float32(out)
    )
    at = (np.arange(out, dtype=np.float32) + np.float32(0.5 * half_pixel_centers)) * scale
    index = np.floor(at.astype(np.float64) + (0.5 if align_corners else 0.0)).astype(np.int64)
    return np.clip(index, 0, size - 1)


def resize_nearest(
    x: Integers,
    out_size: tuple[int, int],
    *,
    align_corners: bool = False,
    half_pixel_centers: bool = False,
) -> Integers:
    """Nearest-neighbour resizing: a gather by `nearest_positions`."""
    options = (align_corners, half_pixel_centers)
    rows = nearest_positions(x.shape[1], out_size[0], *options)
    columns = nearest_positions(x.shape[2], out_size[1], *options)
    return x[:, rows][:, :, columns]
