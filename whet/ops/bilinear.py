"""`bilinear`: images resized as TensorFlow does it."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from whet.errors import ShapeError
from whet.ir.element import F32, Quant
from whet.ir.node import Array, Node, Op
from whet.ir.type import Type
from whet.ops.affine import quant_of
from whet.ops.integer.resize import resize_bilinear

Positions = tuple[npt.NDArray[np.int32], npt.NDArray[np.int32], npt.NDArray[np.float32]]


def _infer(
    x: Type, *, size: tuple[int, int], align_corners: bool = False, half_pixel: bool = False,
    ties_up: bool = False,
) -> Type:  # fmt: skip
    """x: [N, H, W, C] of floats or of quantised codes, whose quantisation the result shares."""
    if x.rank != 4 or not x.static or 0 in x.shape[1:3] or min(size) < 1:
        raise ShapeError(f"bilinear resize of {x} to {size}")
    if not isinstance(x.element, Quant) and x.element != F32:
        raise ShapeError(f"bilinear resize of {x.element}")
    return Type((x.shape[0], *size, x.shape[3]), x.element)


def positions(size: int, out: int, align_corners: bool, half_pixel: bool) -> Positions:
    """(low, high, fraction) of one axis in float32, as TensorFlow Lite's ResizeBilinear."""
    one, half = np.float32(1), np.float32(0.5)
    spread = align_corners and out > 1
    step = np.float32(size - spread) / np.float32(out - spread)
    at = np.arange(out, dtype=np.float32)
    at = (at + half) * step - half if half_pixel else at * step
    low = np.maximum(np.floor(at), 0).astype(np.int32)
    high = np.minimum(np.ceil(at), size - 1).astype(np.int32)
    return low, high, (at - low.astype(np.float32) * one).astype(np.float32)


def options(node: Node) -> tuple[bool, bool]:
    """align_corners and half_pixel of a node."""
    return bool(node["align_corners"]), bool(node["half_pixel"])


def sizes(node: Node) -> tuple[int, int]:
    """Height and width of the result."""
    height, width = node.integers("size")
    return height, width


def codes_tie_up(node: Node) -> bool:
    """Whether codes round ties up, as single rounding and uint8 images demand."""
    return bool(node["ties_up"]) or quant_of(node.inputs[0]).rounding == "single"


def _evaluate(node: Node, x: Array) -> Array:
    align_corners, half_pixel = options(node)
    if x.dtype.kind != "f":
        return resize_bilinear(
            x, sizes(node), "single" if codes_tie_up(node) else "double",
            align_corners=align_corners, half_pixel_centers=half_pixel,
        )  # fmt: skip
    height, width = sizes(node)
    y0, y1, fy = positions(x.shape[1], height, align_corners, half_pixel)
    x0, x1, fx = positions(x.shape[2], width, align_corners, half_pixel)
    down, right, one = fy[:, None, None], fx[:, None], np.float32(1)
    rows, below = x[:, y0], x[:, y1]
    top = rows[:, :, x0] * (one - right) + rows[:, :, x1] * right
    bottom = below[:, :, x0] * (one - right) + below[:, :, x1] * right
    return np.asarray(top * (one - down) + bottom * down)


bilinear = Op("bilinear", _infer, _evaluate)
