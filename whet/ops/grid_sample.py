"""`grid_sample`: an image read at points that are data (ONNX GridSample), channels last."""

from __future__ import annotations

from itertools import product

import numpy as np

from whet.errors import ShapeError
from whet.ir.node import Array, Node, Op
from whet.ir.type import Type

MODES, PADDINGS = ("nearest", "linear", "cubic"), ("zeros", "border", "reflection")
FAR = 2.0**30


def _infer(
    x: Type, grid: Type, *, mode: str, padding: str = "zeros", align_corners: bool = False
) -> Type:
    """x: [N, *S, C]; grid: [N, *S', len(S)] in [-1, 1], the last axis of x first."""
    if x.rank not in (3, 4, 5) or grid.rank != x.rank or grid.shape[-1] != x.rank - 2:
        raise ShapeError(f"{x} read at points {grid}")
    if mode not in MODES or padding not in PADDINGS:
        raise ShapeError(f"reading points by {mode} with {padding}")
    return Type((*grid.shape[:-1], x.shape[-1]), x.element)


def _reflect(x: Array, low: float, high: float) -> Array:
    """Folded into [low, high] by mirroring at both ends."""
    span = high - low
    if span <= 0:
        return np.full_like(x, low)
    turned = np.mod(x - low, 2 * span)
    folded = low + np.where(turned > span, 2 * span - turned, turned)
    return np.where((x < low) | (x > high), folded, x)


def _taps(node: Node, coordinate: Array, n: int) -> list[tuple[Array, Array]]:
    """(index or -1, weight) of each element an axis contributes."""
    corners, padding = bool(node["align_corners"]), node["padding"]
    low, high = (0.0, n - 1.0) if corners else (-0.5, n - 0.5)
    x = (coordinate + 1) / 2 * (n - 1) if corners else ((coordinate + 1) * n - 1) / 2
    x = np.clip(np.where(np.isnan(x), -FAR, x), -FAR, FAR)
    if node["mode"] == "nearest":
        x = np.rint(x)
    outside = (x < low) | (x > high)
    if padding == "border":
        x = np.where(outside, np.clip(x, 0, n - 1), x)
    elif padding == "reflection":
        x = _reflect(x, low, high)
    base = np.trunc(x) if node["mode"] == "nearest" else np.floor(x)
    steps = {"nearest": (0,), "linear": (0, 1), "cubic": (-1, 0, 1, 2)}[str(node["mode"])]
    return [(_index(node, base + t, n, (low, high)), _weight(node, x - base - t)) for t in steps]


def _index(node: Node, k: Array, n: int, ends: tuple[float, float]) -> Array:
    inside = (k >= 0) & (k < n)
    if node["padding"] == "zeros":
        return np.where(inside, k, -1).astype(np.int64)
    if node["padding"] == "reflection":
        k = np.where(inside, k, _reflect(k, *ends))
    return np.asarray(np.trunc(np.clip(k, 0, n - 1)), np.int64)


def _weight(node: Node, d: Array) -> Array:
    """A tent, or cubic convolution with a = -3/4 (Keys 1981)."""
    d = np.abs(d)
    if node["mode"] == "nearest":
        return np.ones_like(d)
    if node["mode"] == "linear":
        return 1 - d
    near, far = (1.25 * d - 2.25) * d * d + 1, ((-0.75 * d + 3.75) * d - 6) * d + 3
    return np.where(d <= 1, near, far)


def _evaluate(node: Node, x: Array, grid: Array) -> Array:
    points = grid.astype(np.float64)
    wide = x.astype(np.float64)
    axes = [_taps(node, points[..., -1 - i], n) for i, n in enumerate(x.shape[1:-1])]
    batch = np.arange(len(x)).reshape(-1, *(1,) * (grid.ndim - 2))
    y = np.zeros((*grid.shape[:-1], x.shape[-1]))
    for taps in product(*axes):
        index = tuple(i for i, _ in taps)
        weight = np.prod([w for _, w in taps], axis=0) * np.all([i >= 0 for i in index], axis=0)
        y += wide[(batch, *index)] * weight[..., None]
    return y


grid_sample = Op("grid_sample", _infer, _evaluate)
