"""conv_generic.h and matmul_generic.h against torch, ONNX Runtime, onnx.reference and NumPy."""

from __future__ import annotations

import ml_dtypes
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
from tests.kernels.longtail_window import output_size, window_shape

RNG = np.random.default_rng(17)
LONG, I32 = np.dtype("long"), np.int32
# (spatial, kernel, stride, dilation, pads, channels, outputs, groups)
Window = tuple[
    tuple[int, ...],
    tuple[int, ...],
    tuple[int, ...],
    tuple[int, ...],
    tuple[int, ...],
    int,
    int,
    int,
]
WINDOWS: list[Window] = [
    ((9,), (3,), (2,), (1,), (1, 0), 3, 4, 1),
    ((7, 9), (3, 2), (2, 1), (1, 2), (1, 0, 1, 1), 4, 6, 2),
    ((7, 9), (3, 3), (1, 1), (1, 1), (1, 1, 1, 1), 20, 5, 1),
    ((6, 5), (2, 3), (3, 2), (2, 1), (0, 1, 0, 1), 4, 8, 4),
    ((4, 5, 6), (2, 3, 2), (2, 1, 2), (1, 1, 1), (0, 1, 0, 1, 1, 0), 2, 3, 1),
]


def _attributes(window: Window) -> dict[str, object]:
    _, kernel, stride, dilation, pads, _, _, groups = window
    return {
        "kernel_shape": kernel,
        "strides": stride,
        "dilations": dilation,
        "pads": pads,
        "group": groups,
    }


@pytest.mark.parametrize("kind", FLOATS)
@pytest.mark.parametrize("window", WINDOWS)
def test_conv(window: Window, kind: str) -> None:
    spatial, kernel, stride, dilation, pads, channels, outputs, groups = window
    x, w, b = (
        RNG.standard_normal(s).astype(DTYPES[kind])
        for s in ((2, channels, *spatial), (outputs, channels // groups, *kernel), (outputs,))
    )
    node = onnx.helper.make_node("Conv", ["x", "w", "b"], ["y"], **_attributes(window))
    feeds = {"x": x.astype(np.float32), "w": w.astype(np.float32), "b": b.astype(np.float32)}
    want = evaluate_with_runtime(node, feeds)[0]
    out = output_size(spatial, kernel, stride, dilation, pads, 0)
    y = np.empty((2, *out, outputs), x.dtype)
    shape = window_shape(2, channels, spatial, out, kernel, stride, dilation, pads)
    arguments = (y, shape, outputs, groups)
    function = getattr(library("conv_generic.h"), f"conv_plain_{kind}")
    call(function, channels_last(x), channels_last(w), b, *arguments)
    tolerated = "f32" if kind == "f64" else kind  # the runtime computes in float
    close(channels_first(y), want, tolerated, scale=5)
    call(function, channels_last(x), channels_last(w), None, *arguments)
    bias = b.astype(np.float32).reshape(-1, *[1] * len(spatial))
    close(channels_first(y), want - bias, tolerated, scale=8)


@pytest.mark.parametrize("kind", FLOATS)
@pytest.mark.parametrize("window", WINDOWS)
def test_conv_transpose(window: Window, kind: str) -> None:
    spatial, kernel, stride, dilation, pads, channels, outputs, groups = window
    extra = [s - 1 for s in stride]
    x, w, b = (
        RNG.standard_normal(s).astype(DTYPES[kind])
        for s in ((2, channels, *spatial), (channels, outputs // groups, *kernel), (outputs,))
    )
    node = onnx.helper.make_node(
        "ConvTranspose", ["x", "w", "b"], ["y"], output_padding=extra, **_attributes(window)
    )
    feeds = {"x": x.astype(np.float32), "w": w.astype(np.float32), "b": b.astype(np.float32)}
    want = evaluate_with_runtime(node, feeds)[0]
    y = np.empty(channels_last(want).shape, x.dtype)
    shape = window_shape(2, channels, spatial, want.shape[2:], kernel, stride, dilation, pads)
    grouped = w.reshape(groups, channels // groups, outputs // groups, *kernel)
    packed = np.moveaxis(grouped, 1, -1).reshape(outputs, *kernel, channels // groups)
    call(
        getattr(library("conv_generic.h"), f"conv_transpose_{kind}"),
        channels_last(x),
        np.ascontiguousarray(packed),
        b,
        y,
        shape,
        outputs,
        groups,
    )
    close(channels_first(y), want, "f32" if kind == "f64" else kind, scale=5)


@pytest.mark.parametrize("kinds", [("u8", "u8"), ("u8", "i8"), ("i8", "u8"), ("i8", "i8")])
@pytest.mark.parametrize("window", WINDOWS)
def test_conv_integer(window: Window, kinds: tuple[str, str]) -> None:
    spatial, kernel, stride, dilation, pads, channels, outputs, groups = window
    limits = {"u8": (0, 256), "i8": (-128, 128)}
    x = RNG.integers(*limits[kinds[0]], (2, channels, *spatial)).astype(DTYPES[kinds[0]])
    w = RNG.integers(*limits[kinds[1]], (outputs, channels // groups, *kernel)).astype(
        DTYPES[kinds[1]]
    )
    w_zero = RNG.integers(*limits[kinds[1]], outputs).astype(w.dtype)
    x_zero = 5
    shift = w.astype(np.float64) - w_zero.astype(np.float64).reshape(-1, *[1] * (w.ndim - 1))
    node = onnx.helper.make_node("Conv", ["x", "w"], ["y"], **_attributes(window))
    want = evaluate(node, {"x": x.astype(np.float64) - x_zero, "w": shift})[0]
    out = output_size(spatial, kernel, stride, dilation, pads, 0)
    y = np.empty((2, *out, outputs), np.int32)
    shape = window_shape(2, channels, spatial, out, kernel, stride, dilation, pads)
    call(
        getattr(library("conv_generic.h"), f"conv_integer_{'_'.join(kinds)}"),
        channels_last(x),
        channels_last(w),
        y,
        shape,
        outputs,
        groups,
        I32(x_zero),
        w_zero,
        1,
    )
    np.testing.assert_array_equal(channels_first(y), want)


@pytest.mark.parametrize("masked", [0, 1])
@pytest.mark.parametrize("offset_groups", [1, 2])
def test_deform_conv(offset_groups: int, masked: int) -> None:
    x = RNG.standard_normal((2, 4, 6, 7)).astype(np.float32)
    w = RNG.standard_normal((6, 2, 3, 2)).astype(np.float32)
    b = RNG.standard_normal(6).astype(np.float32)
    out = output_size((6, 7), (3, 2), (2, 1), (1, 2), (1, 0, 1, 1), 0)
    offset = RNG.uniform(-2, 2, (2, offset_groups * 12, *out)).astype(np.float32)
    mask = RNG.uniform(0, 1, (2, offset_groups * 6, *out)).astype(np.float32)
    feeds = {"x": x, "w": w, "o": offset, "b": b, **({"m": mask} if masked else {})}
    node = onnx.helper.make_node(
        "DeformConv",
        list(feeds),
        ["y"],
        kernel_shape=(3, 2),
        strides=(2, 1),
        dilations=(1, 2),
        pads=(1, 0, 1, 1),
        group=2,
        offset_group=offset_groups,
    )
    want = evaluate(node, feeds, 22)[0]
    y = np.empty((2, *out, 6), np.float32)
    shape = window_shape(2, 4, (6, 7), out, (3, 2), (2, 1), (1, 2), (1, 0, 1, 1))
    # ONNX: [groups, taps, 2] on the channel axis, the order of our last three axes
    call(
        library("conv_generic.h").deform_conv_f32,
        channels_last(x),
        channels_last(w),
        channels_last(offset),
        channels_last(mask) if masked else None,
        b,
        y,
        shape,
        6,
        2,
        offset_groups,
    )
    close(channels_first(y), want, "f32", scale=5)


@pytest.mark.parametrize("kind", ["f32", "f64", "f16", "bf16", "i32", "u64", "i8"])
def test_matmul_with_broadcast_batches(kind: str) -> None:
    dtype = DTYPES[kind]
    if kind in FLOATS:
        a, b = (RNG.standard_normal(s).astype(dtype) for s in ((2, 1, 3, 4), (5, 4, 70)))
    else:
        a, b = (RNG.integers(0, 100, s).astype(dtype) for s in ((2, 1, 3, 4), (5, 4, 70)))
    y = np.empty((2, 5, 3, 70), dtype)
    batch = [np.array(v, LONG) for v in ((2, 5), (12, 0), (0, 280))]
    call(getattr(library("matmul_generic.h"), f"matmul_{kind}"), a, b, y, 3, 4, 70, *batch, I32(2))
    if kind in FLOATS:
        close(y, a.astype(np.float64) @ b.astype(np.float64), kind, scale=5)
    else:
        np.testing.assert_array_equal(y, a @ b)
    assert y.dtype != ml_dtypes.bfloat16 or kind == "bf16"


@pytest.mark.parametrize("kinds", [("u8", "u8"), ("u8", "i8"), ("i8", "u8"), ("i8", "i8")])
def test_matmul_integer(kinds: tuple[str, str]) -> None:
    limits = {"u8": (0, 256), "i8": (-128, 128)}
    a = RNG.integers(*limits[kinds[0]], (2, 3, 9)).astype(DTYPES[kinds[0]])
    b = RNG.integers(*limits[kinds[1]], (9, 6)).astype(DTYPES[kinds[1]])
    a_zero = RNG.integers(*limits[kinds[0]], 3).astype(a.dtype)
    b_zero = RNG.integers(*limits[kinds[1]], 1).astype(b.dtype)
    y = np.empty((2, 3, 6), np.int32)
    batch = [np.array(v, LONG) for v in ((2,), (27,), (0,))]
    call(
        getattr(library("matmul_generic.h"), f"matmul_integer_{'_'.join(kinds)}"),
        a,
        b,
        y,
        3,
        9,
        6,
        *batch,
        I32(1),
        a_zero,
        1,
        b_zero,
        0,
    )
    want = (a.astype(np.int32) - a_zero[:, None]) @ (b.astype(np.int32) - b_zero)
    np.testing.assert_array_equal(y, want)
    call(
        getattr(library("matmul_generic.h"), f"matmul_integer_{'_'.join(kinds)}"),
        a,
        b,
        y,
        3,
        9,
        6,
        *batch,
        I32(1),
        None,
        0,
        None,
        0,
    )
    np.testing.assert_array_equal(y, a.astype(np.int32) @ b.astype(np.int32))
