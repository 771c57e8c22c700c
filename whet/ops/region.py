"""Regions of interest: pooled from boxes that are data. Channels last."""

from __future__ import annotations

from itertools import product
from math import ceil

import numpy as np

from whet.errors import ShapeError
from whet.ir.node import Array, Node, Op
from whet.ir.type import Type
from whet.ops.convolution import Ints
from whet.ops.convolution_transpose import wide


def _infer_roi(
    x: Type, rois: Type, images: Type, *, size: Ints, scale: float, ratio: int = 0,
    largest: bool = False, half_pixel: bool = True,
) -> Type:  # fmt: skip
    """x: [N, H, W, C]; rois: [R, 4] of (x0, y0, x1, y1); images: [R], i64. Result [R, *size, C].

    ratio: samples a cell along an axis, 0 for as many as it is long. largest: the greatest weighted
    neighbour of all samples instead of the mean of samples (ONNX RoiAlign).
    """
    if x.rank != 4 or rois.rank != 2 or rois.shape[1] != 4:
        raise ShapeError(f"regions {rois} of {x}")
    return Type((rois.shape[0], *size, x.shape[-1]), x.element)


def _neighbours(at: float, size: int) -> tuple[tuple[int, float], tuple[int, float]]:
    """The two elements around a coordinate and their weights."""
    at = max(at, 0.0)
    if int(at) >= size - 1:
        return (size - 1, 1.0), (size - 1, 0.0)
    return (int(at), 1 - at + int(at)), (int(at) + 1, at - int(at))


def _roi_align(node: Node, x: Array, rois: Array, images: Array) -> Array:
    x, half = wide(x), 0.5 if node["half_pixel"] else 0.0
    (height, width), ratio = node.integers("size"), node.integer("ratio")
    y = np.zeros((len(rois), height, width, x.shape[-1]), x.dtype)
    for r, image in enumerate(images):
        x0, y0, x1, y1 = (rois[r].astype(x.dtype) * x.dtype.type(node["scale"]) - half).tolist()
        broad, high = x1 - x0, y1 - y0
        if not node["half_pixel"]:
            broad, high = max(broad, 1.0), max(high, 1.0)
        cell = high / height, broad / width
        rows, columns = (ratio or ceil(c) for c in cell)
        for i, j in product(range(height), range(width)):
            values = []
            for k, m in product(range(rows), range(columns)):
                at = (y0 + i * cell[0] + (k + 0.5) * cell[0] / rows,
                      x0 + j * cell[1] + (m + 0.5) * cell[1] / columns)  # fmt: skip
                values.append(_roi_sample(x[image], *at, bool(node["largest"])))
            taken = np.array(values or [np.zeros(x.shape[-1])])
            y[r, i, j] = taken.max(axis=0) if node["largest"] else taken.mean(axis=0)
    return y


def _roi_sample(image: Array, row: float, column: float, largest: bool) -> Array:
    height, width, _ = image.shape
    if not (-1 <= row <= height and -1 <= column <= width):
        return np.zeros(image.shape[-1])
    terms = np.array(
        [
            u * v * image[i, j]
            for (i, u), (j, v) in product(_neighbours(row, height), _neighbours(column, width))
        ]
    )
    return np.asarray(terms.max(axis=0) if largest else terms.sum(axis=0))


def _infer_roi_pool(x: Type, rois: Type, *, size: Ints, scale: float) -> Type:
    """x: [N, H, W, C]; rois: [R, 5] of (image, x0, y0, x1, y1). The greatest element of each cell,
    0 where it is empty (ONNX MaxRoiPool)."""
    if x.rank != 4 or rois.rank != 2 or rois.shape[1] != 5:
        raise ShapeError(f"regions {rois} of {x}")
    return Type((rois.shape[0], *size, x.shape[-1]), x.element)


def _roi_pool(node: Node, x: Array, rois: Array) -> Array:
    size, y = node.integers("size"), np.zeros((len(rois), *node.integers("size"), x.shape[-1]))
    for r, roi in enumerate(rois.astype(np.float64)):
        x0, y0, x1, y1 = np.floor(roi[1:] * float(str(node["scale"])) + 0.5).astype(int)
        edges = []
        for start, end, cells, limit in zip((y0, x0), (y1, x1), size, x.shape[1:3], strict=True):
            step = max(end - start + 1, 1) / cells
            low = np.clip(np.floor(np.arange(cells) * step) + start, 0, limit).astype(int)
            high = np.clip(np.ceil(np.arange(1, cells + 1) * step) + start, 0, limit).astype(int)
            edges.append(list(zip(low, high, strict=True)))
        for (i, (a, b)), (j, (c, d)) in product(enumerate(edges[0]), enumerate(edges[1])):
            if a < b and c < d:
                y[r, i, j] = x[int(roi[0]), a:b, c:d].max(axis=(0, 1))
    return y


roi_align = Op("roi_align", _infer_roi, _roi_align)
max_roi_pool = Op("max_roi_pool", _infer_roi_pool, _roi_pool)
