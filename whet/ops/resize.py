"""`resize`: one axis stretched to another size (ONNX Resize; more axes are more nodes)."""

from __future__ import annotations

import numpy as np

from whet.errors import ShapeError
from whet.ir.dim import Size
from whet.ir.element import F64
from whet.ir.node import Array, Node, Op
from whet.ir.type import Type

TRANSFORMS = (
    "half_pixel", "half_pixel_symmetric", "pytorch_half_pixel", "align_corners", "asymmetric",
    "tf_crop_and_resize",
)  # fmt: skip
NEAREST = ("round_prefer_floor", "round_prefer_ceil", "floor", "ceil")
REACH = {"linear": 1, "cubic": 2}


def _infer(
    x: Type, scale: Type, roi: Type | None = None, fill: Type | None = None, *, axis: int,
    size: Size, mode: str, transform: str, nearest: str = "round_prefer_floor",
    cubic_a: float = -0.75, exclude_outside: bool = False, antialias: bool = False,
    extrapolation: float = 0.0,
) -> Type:  # fmt: skip
    """scale: f64 scalar, how much the axis grows, which `size` need not quite say; roi: f64 [2],
    the part that tf_crop_and_resize takes; fill: scalar, what it finds outside, for `nearest`."""
    if not 0 <= axis < x.rank or mode not in ("nearest", *REACH) or transform not in TRANSFORMS:
        raise ShapeError(f"resizing axis {axis} of {x}, {mode} and {transform}")
    if scale != Type((), F64) or nearest not in NEAREST:
        raise ShapeError(f"resizing by {scale}, {nearest}")
    return Type((*x.shape[:axis], size, *x.shape[axis + 1 :]), x.element)


def _coordinates(node: Node, n: int, scale: float, roi: Array | None) -> Array:
    """Where each element of the result lies on the axis of n elements."""
    i, width = np.arange(node.integer("size"), dtype=np.float64), scale * n
    kind = node["transform"]
    if kind == "align_corners":
        return i * 0 if width == 1 else i * (n - 1) / (width - 1)
    if kind == "asymmetric":
        return i / scale
    if kind == "tf_crop_and_resize":
        assert roi is not None
        span = float(roi[1] - roi[0]) * (n - 1)
        along = span / 2 + i * 0 if width == 1 else i * span / (width - 1)
        return along + float(roi[0]) * (n - 1)
    if kind == "pytorch_half_pixel" and width == 1:
        return i * 0 - 0.5
    offset = n / 2 * (1 - len(i) / width) if kind == "half_pixel_symmetric" else 0.0
    return offset + (i + 0.5) / scale - 0.5


def _filter(node: Node, distance: Array) -> Array:
    """A tent, or the cubic convolution of Keys (1981)."""
    d, a = np.abs(distance), node["cubic_a"]
    if node["mode"] == "linear":
        return np.asarray(np.clip(1 - d, 0, 1))
    assert isinstance(a, float)
    near = ((a + 2) * d - (a + 3)) * d * d + 1
    far = ((a * d - 5 * a) * d + 8 * a) * d - 4 * a
    return np.asarray(np.where(d <= 1, near, np.where(d < 2, far, 0.0)))


def _weights(node: Node, at: Array, n: int, scale: float) -> Array:
    """[size, n]: how much each element counts; the end ones stand in for those beyond."""
    shrink = scale if node["antialias"] and scale < 1 else 1.0
    reach = REACH[str(node["mode"])] / shrink
    taps = np.arange(np.floor(at.min() - reach), np.ceil(at.max() + reach) + 1)
    weights = _filter(node, shrink * (taps[None] - at[:, None]))
    if node["exclude_outside"]:
        weights[:, (taps < 0) | (taps >= n)] = 0
    total = weights.sum(axis=1, keepdims=True)
    weights /= np.where(total == 0, 1, total)
    gathered = np.zeros((len(at), n))
    np.add.at(gathered.T, np.clip(taps, 0, n - 1).astype(int), weights.T)
    return gathered


def _nearest(node: Node, at: Array, n: int) -> Array:
    low, kind = np.floor(at), node["nearest"]
    fraction = at - low
    up = {
        "round_prefer_floor": fraction > 0.5,
        "round_prefer_ceil": fraction >= 0.5,
        "ceil": fraction > 0,
    }.get(str(kind), np.zeros(at.shape, bool))
    return np.asarray(np.clip(low.astype(int) + up, 0, n - 1))


def _evaluate(
    node: Node, x: Array, scale: Array, roi: Array | None = None, fill: Array | None = None
) -> Array:
    axis, n = node.integer("axis"), x.shape[node.integer("axis")]
    at = _coordinates(node, n, float(scale), roi)
    outside = (at < 0) | (at > n - 1) if roi is not None else np.zeros(at.shape, bool)
    if node["mode"] == "nearest":
        y = np.take(x, _nearest(node, at, n), axis=axis)
        missing = fill
    else:
        wide = x.astype(np.float32) if x.dtype.itemsize < 4 else x
        weights = _weights(node, np.where(outside, 0.0, at), n, float(scale))
        y = np.moveaxis(np.tensordot(weights.astype(wide.dtype), wide, axes=(1, axis)), 0, axis)
        missing = np.asarray(node["extrapolation"])
    if roi is not None and node["transform"] == "tf_crop_and_resize":
        y[(slice(None),) * axis + (outside,)] = missing
    return y


resize = Op("resize", _infer, _evaluate)
