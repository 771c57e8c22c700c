"""resize.h and grid_sample.h against onnx.reference, ONNX Runtime and torch."""

from __future__ import annotations

import ctypes
from dataclasses import dataclass
from itertools import product

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
)
from tests.kernels.longtail_window import three

RNG = np.random.default_rng(13)
TRANSFORMS = [
    "half_pixel",
    "half_pixel_symmetric",
    "pytorch_half_pixel",
    "align_corners",
    "asymmetric",
    "tf_crop_and_resize",
]
NEAREST = ["round_prefer_floor", "round_prefer_ceil", "floor", "ceil"]
I32 = np.int32


class Rule(ctypes.Structure):
    """The C struct resize_rule."""

    _fields_ = [
        *((name, ctypes.c_int) for name in ("transform", "filter", "antialias", "exclude_outside")),
        *(
            (name, ctypes.c_double)
            for name in ("scale", "cubic_a", "roi_start", "roi_end", "extrapolation")
        ),
    ]


@dataclass(frozen=True, slots=True)
class Case:
    mode: str
    transform: str
    scale: float
    antialias: int = 0
    exclude_outside: int = 0
    nearest: str = "round_prefer_floor"


def _attributes(case: Case) -> dict[str, object]:
    named = {
        "mode": case.mode,
        "coordinate_transformation_mode": case.transform,
        "cubic_coeff_a": -0.5,
        "extrapolation_value": 7.0,
    }
    if case.mode == "nearest":
        return {**named, "nearest_mode": case.nearest}
    return {**named, "antialias": case.antialias, "exclude_outside": case.exclude_outside}


ROI = np.array([0.25, 1.125], np.float32)


def _check(case: Case, kind: str = "f64") -> None:
    x = RNG.standard_normal((3, 7, 5)).astype(DTYPES[kind])
    scale = float(np.float32(case.scale))
    node = onnx.helper.make_node("Resize", ["x", "r", "s"], ["y"], axes=[1], **_attributes(case))
    feeds = {
        "x": x.astype(np.float64),
        "r": ROI.astype(np.float64),
        "s": np.array([scale], np.float32),
    }
    want = evaluate(node, feeds)[0]
    out = int(scale * 7)
    assert want.shape == (3, out, 5)
    rule = Rule(
        TRANSFORMS.index(case.transform),
        2 if case.mode == "cubic" else 1,
        case.antialias,
        case.exclude_outside,
        scale,
        -0.5,
        *ROI.tolist(),
        7.0,
    )
    pointer = np.frombuffer(rule, np.uint8)
    y, fill = np.empty((3, out, 5), x.dtype), np.array([7], x.dtype)
    for first, count in ((0, out // 3), (out // 3, out - out // 3)):
        sizes = (3, 7, out, first, count)
        if case.mode == "nearest":
            ends = (5 * x.itemsize, pointer, I32(NEAREST.index(case.nearest)), fill, x.itemsize)
            call(library("resize.h").resize_nearest, x, y, *sizes, *ends)
        else:
            call(getattr(library("resize.h"), f"resize_{kind}"), x, y, *sizes, 5, pointer)
    # The reference's cubic weights are float: its coefficient attribute is a NumPy float32.
    close(y, want, "f32" if case.mode == "cubic" and kind == "f64" else kind, scale=4)


@pytest.mark.parametrize("transform", TRANSFORMS)
@pytest.mark.parametrize("nearest", NEAREST)
@pytest.mark.parametrize("scale", [2.0, 0.6, 1.3])
def test_nearest(scale: float, nearest: str, transform: str) -> None:
    _check(Case("nearest", transform, scale, nearest=nearest))


@pytest.mark.parametrize("transform", TRANSFORMS)
@pytest.mark.parametrize("mode", ["linear", "cubic"])
def test_interpolation(mode: str, transform: str) -> None:
    for scale, antialias, exclude in product((2.0, 0.6, 0.3, 1.0, 1.3), (0, 1), (0, 1)):
        _check(Case(mode, transform, scale, antialias, exclude))


@pytest.mark.parametrize("kind", FLOATS)
def test_interpolation_types(kind: str) -> None:
    _check(Case("linear", "half_pixel", 1.7), kind)
    _check(Case("cubic", "half_pixel", 0.2, antialias=1), kind)


def test_rounding_to_integers() -> None:
    values = np.array([0.5, 1.5, 2.5, -0.5, -1.5, 300, -300, 1e20, -1e20, np.nan], np.float32)
    for kind in ("i8", "i16", "i32", "u8", "u16"):
        function = getattr(library("resize.h"), f"resize_round_{kind}")
        function.argtypes = [ctypes.c_float]
        info = np.iinfo(DTYPES[kind])
        function.restype = getattr(ctypes, f"c_{info.dtype.name}")
        want = np.clip(np.rint(np.nan_to_num(values.astype(np.float64))), info.min, info.max)
        assert [function(float(v)) for v in values] == want.tolist()


@pytest.mark.parametrize("align", [0, 1])
@pytest.mark.parametrize("padding", ["zeros", "border", "reflection"])
@pytest.mark.parametrize("mode", ["nearest", "linear", "cubic"])
@pytest.mark.parametrize("spatial", [(5, 7), (3, 4, 5)])
def test_grid_sample(spatial: tuple[int, ...], mode: str, padding: str, align: int) -> None:
    out, dims = (2, 3, 4)[: len(spatial)], len(spatial)
    x = RNG.standard_normal((2, 3, *spatial)).astype(np.float32)
    grid = RNG.uniform(-2.5, 2.5, (2, *out, dims)).astype(np.float32)
    node = onnx.helper.make_node(
        "GridSample", ["x", "g"], ["y"], mode=mode, padding_mode=padding, align_corners=align
    )
    want = evaluate(node, {"x": x, "g": grid}, 22)[0]
    y = np.empty((2, *out, 3), np.float32)
    sizes = [np.array(three(size, 1), np.dtype("long")) for size in (spatial, out)]
    modes = [
        I32(["nearest", "linear", "cubic"].index(mode)),
        I32(["zeros", "border", "reflection"].index(padding)),
    ]
    call(
        library("grid_sample.h").grid_sample_f32,
        channels_last(x),
        grid,
        y,
        2,
        *sizes,
        3,
        I32(dims),
        *modes,
        I32(align),
    )
    close(channels_first(y), want, "f32", scale=20)
    grid.flat[:4] = [np.nan, np.inf, -np.inf, 1e30]
    call(
        library("grid_sample.h").grid_sample_f32,
        channels_last(x),
        grid,
        y,
        2,
        *sizes,
        3,
        I32(dims),
        *modes,
        I32(align),
    )
    assert np.isfinite(y).all()


@pytest.mark.parametrize("align", [0, 1])
@pytest.mark.parametrize("out", [(4, 5), (2, 3, 4)])
def test_affine_grid(out: tuple[int, ...], align: int) -> None:
    dims = len(out)
    theta = RNG.standard_normal((2, dims, dims + 1)).astype(np.float32)
    node = onnx.helper.make_node("AffineGrid", ["t", "s"], ["g"], align_corners=align)
    want = evaluate(node, {"t": theta, "s": np.array([2, 3, *out])}, 20)[0]
    grid = np.empty((2, *out, dims), np.float32)
    size = np.array(three(out, 1), np.dtype("long"))
    call(library("grid_sample.h").affine_grid_f32, theta, grid, 2, size, I32(dims), I32(align))
    close(grid, want, "f32")
