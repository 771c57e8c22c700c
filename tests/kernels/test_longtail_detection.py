"""detection.h against onnx.reference and ONNX Runtime."""

from __future__ import annotations

import numpy as np
import onnx
import pytest

from tests.kernels.longtail_library import call, library
from tests.kernels.longtail_oracle import (
    DTYPES,
    FLOATS,
    channels_first,
    channels_last,
    close,
    evaluate,
    evaluate_with_runtime,
)

RNG = np.random.default_rng(23)
I32, F32 = np.int32, np.float32


@pytest.mark.parametrize("centred", [0, 1])
@pytest.mark.parametrize("threshold", [None, 0.3])
def test_non_max_suppression(threshold: float | None, centred: int) -> None:
    batch, classes, n, limit = 2, 3, 40, 6
    boxes = RNG.uniform(0, 1, (batch, n, 4)).astype(F32)
    boxes[:, 5] = boxes[:, 4]  # equal boxes with equal scores: the lower index wins
    scores = RNG.integers(0, 20, (batch, classes, n)).astype(F32) / 20
    feeds = {"b": boxes, "s": scores, "m": np.array([limit]), "i": np.array([0.4], F32)}
    if threshold is not None:
        feeds["t"] = np.array([threshold], F32)
    node = onnx.helper.make_node("NonMaxSuppression", list(feeds), ["y"], center_point_box=centred)
    want = evaluate(node, feeds, 11)[0]
    y, order = np.empty((batch * classes * limit, 3), np.int64), np.empty(n, np.int64)
    rows = call(
        library("detection.h").non_max_suppression,
        boxes,
        scores,
        y,
        order,
        batch,
        classes,
        n,
        limit,
        F32(0.4),
        F32(threshold or 0),
        I32(threshold is not None),
        I32(centred),
    )
    assert rows == len(want) > batch * classes
    np.testing.assert_array_equal(y[:rows], want)


@pytest.mark.parametrize("kind", FLOATS)
@pytest.mark.parametrize("mode", ["avg", "max"])
@pytest.mark.parametrize("transform", ["half_pixel", "output_half_pixel"])
@pytest.mark.parametrize("ratio", [0, 2])
def test_roi_align(ratio: int, transform: str, mode: str, kind: str) -> None:
    x = RNG.standard_normal((2, 3, 9, 8)).astype(DTYPES[kind])
    start = RNG.integers(-8, 40, (6, 2)) / 4
    rois = np.concatenate([start, start + RNG.integers(2, 40, (6, 2)) / 4], 1).astype(x.dtype)
    images = RNG.integers(0, 2, 6)
    node = onnx.helper.make_node(
        "RoiAlign",
        ["x", "r", "i"],
        ["y"],
        mode=mode,
        output_height=3,
        output_width=2,
        coordinate_transformation_mode=transform,
        sampling_ratio=ratio,
        spatial_scale=0.5,
    )
    feeds = {"x": x.astype(np.float64), "r": rois.astype(np.float64), "i": images}
    want = evaluate(node, feeds, 22)[0]
    y, total = np.empty((6, 3, 2, 3), x.dtype), np.empty(3, np.float64)
    scale = 0.5 if kind == "f64" else F32(0.5)
    arguments = (
        total,
        2,
        9,
        8,
        3,
        6,
        3,
        2,
        scale,
        ratio,
        I32(mode == "max"),
        I32(transform == "half_pixel"),
    )
    function = getattr(library("detection.h"), f"roi_align_{kind}")
    assert call(function, channels_last(x), rois, images, y, *arguments) == 0
    close(channels_first(y), want, kind, scale=3)
    images[2] = 2
    assert call(function, channels_last(x), rois, images, y, *arguments) == 1
    assert not y[2].any()


def test_max_roi_pool() -> None:
    x = RNG.standard_normal((2, 3, 9, 8)).astype(F32)
    start = RNG.integers(0, 8, (7, 2))
    rois = np.concatenate(
        [RNG.integers(0, 2, (7, 1)), start, start + RNG.integers(0, 9, (7, 2))], axis=1
    ).astype(F32)
    node = onnx.helper.make_node(
        "MaxRoiPool", ["x", "r"], ["y"], pooled_shape=[3, 2], spatial_scale=0.75
    )
    want = evaluate_with_runtime(node, {"x": x, "r": rois}, 12)[0]
    y = np.empty((7, 3, 2, 3), F32)
    function = library("detection.h").max_roi_pool_f32
    assert call(function, channels_last(x), rois, y, 2, 9, 8, 3, 7, 3, 2, 0.75) == 0
    np.testing.assert_array_equal(channels_first(y), want)
    rois[0, 0] = 2
    assert call(function, channels_last(x), rois, y, 2, 9, 8, 3, 7, 3, 2, 0.75) == 1
