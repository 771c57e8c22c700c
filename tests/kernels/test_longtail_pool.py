"""pool.h against ONNX Runtime."""

from __future__ import annotations

import numpy as np
import onnx
import pytest

from tests.kernels.longtail_library import call, library
from tests.kernels.longtail_oracle import (
    channels_first,
    channels_last,
    close,
    evaluate,
    evaluate_with_runtime,
)
from tests.kernels.longtail_window import output_size, three, window_shape

RNG = np.random.default_rng(5)
# (spatial, kernel, stride, dilation, pads)
WINDOWS = [
    ((9,), (3,), (2,), (1,), (1, 0)),
    ((11,), (3,), (2,), (2,), (1, 2)),
    ((7, 9), (3, 2), (2, 1), (1, 1), (1, 0, 1, 1)),
    ((7, 9), (2, 3), (3, 2), (2, 1), (0, 1, 0, 1)),
    ((5, 6, 7), (2, 3, 2), (2, 1, 2), (1, 1, 1), (0, 1, 0, 1, 1, 0)),
    ((8, 8), (1, 1), (2, 2), (1, 1), (0, 0, 0, 0)),
]


def _case(
    window: tuple[tuple[int, ...], ...], ceil_mode: int, channels: int = 3
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Channels-first input, channels-last output buffer, C geometry."""
    spatial, kernel, stride, dilation, pads = window
    x = RNG.standard_normal((2, channels, *spatial)).astype(np.float32)
    out = output_size(spatial, kernel, stride, dilation, pads, ceil_mode)
    y = np.empty((2, *out, channels), np.float32)
    return x, y, window_shape(2, channels, spatial, out, kernel, stride, dilation, pads)


def _attributes(window: tuple[tuple[int, ...], ...], ceil_mode: int) -> dict[str, object]:
    _, kernel, stride, dilation, pads = window
    return {
        "kernel_shape": kernel,
        "strides": stride,
        "dilations": dilation,
        "pads": pads,
        "ceil_mode": ceil_mode,
    }


@pytest.mark.parametrize("ceil_mode", [0, 1])
@pytest.mark.parametrize("window", WINDOWS)
def test_max_pool(window: tuple[tuple[int, ...], ...], ceil_mode: int) -> None:
    x, y, shape = _case(window, ceil_mode, channels=70)
    node = onnx.helper.make_node("MaxPool", ["x"], ["y"], **_attributes(window, ceil_mode))
    want = evaluate_with_runtime(node, {"x": x})[0]
    call(library("pool.h").max_pool_f32, channels_last(x), y, shape)
    np.testing.assert_array_equal(channels_first(y), want)
    whole = np.clip(x * 40, -128, 127).astype(np.int8)
    pooled = np.empty(y.shape, np.int8)
    call(library("pool.h").max_pool_i8, channels_last(whole), pooled, shape)
    want = evaluate_with_runtime(node, {"x": whole}, 12)[0]
    np.testing.assert_array_equal(channels_first(pooled), want)


@pytest.mark.parametrize("order", [0, 1])
@pytest.mark.parametrize("window", WINDOWS)
def test_max_pool_indices(window: tuple[tuple[int, ...], ...], order: int) -> None:
    x, y, shape = _case(window, 0)
    indices = np.empty(y.shape, np.int64)
    call(
        library("pool.h").max_pool_indices_f32, channels_last(x), y, indices, shape, np.int32(order)
    )
    node = onnx.helper.make_node(
        "MaxPool", ["x"], ["y", "i"], storage_order=order, **_attributes(window, 0)
    )
    want = evaluate_with_runtime(node, {"x": x})
    np.testing.assert_array_equal(channels_first(y), want[0])
    if order == 0 or len(window[0]) == 2:  # the runtime ignores the order of one axis and of three
        np.testing.assert_array_equal(channels_first(indices), want[1])
    flat = x.ravel() if order == 0 else x.transpose(0, 1, *range(x.ndim - 1, 1, -1)).ravel()
    np.testing.assert_array_equal(flat[indices], y)


@pytest.mark.parametrize("include_pad", [0, 1])
@pytest.mark.parametrize("ceil_mode", [0, 1])
@pytest.mark.parametrize("window", WINDOWS)
def test_average_pool(
    window: tuple[tuple[int, ...], ...], ceil_mode: int, include_pad: int
) -> None:
    x, y, shape = _case(window, ceil_mode)
    call(library("pool.h").average_pool_f32, channels_last(x), y, shape, np.int32(include_pad))
    node = onnx.helper.make_node(
        "AveragePool", ["x"], ["y"], count_include_pad=include_pad, **_attributes(window, ceil_mode)
    )
    want = evaluate_with_runtime(node, {"x": x}, 19)[0]
    close(channels_first(y), want, "f32")


@pytest.mark.parametrize("p", [1, 2, 3])
@pytest.mark.parametrize("window", WINDOWS)
def test_lp_pool(window: tuple[tuple[int, ...], ...], p: int) -> None:
    x, y, shape = _case(window, 0)
    call(library("pool.h").lp_pool_f32, channels_last(x), y, shape, np.int32(p))
    node = onnx.helper.make_node("LpPool", ["x"], ["y"], p=p, **_attributes(window, 0))
    close(channels_first(y), evaluate_with_runtime(node, {"x": x}, 18)[0], "f32", scale=3)


@pytest.mark.parametrize("larger", [0, 1])
def test_max_unpool(larger: int) -> None:
    x = RNG.standard_normal((2, 3, 4, 5)).astype(np.float32)
    places = np.stack([RNG.permutation(8 * 10)[:20] for _ in range(6)]).reshape(2, 3, 4, 5)
    indices = places + (np.arange(6).reshape(2, 3, 1, 1) * 80)
    out = (8 + larger, 10 + larger)
    node = onnx.helper.make_node(
        "MaxUnpool", ["x", "i", "s"], ["y"], kernel_shape=(2, 2), strides=(2, 2)
    )
    want = evaluate(node, {"x": x, "i": indices, "s": np.array([2, 3, *out])})[0]
    y = np.empty((2, *out, 3), np.float32)
    sizes = [np.array(three(size, 1)) for size in ((8, 10), out)]
    status = call(
        library("pool.h").max_unpool,
        channels_last(x),
        channels_last(indices),
        y,
        2,
        3,
        20,
        *sizes,
        4,
    )
    assert status == 0
    np.testing.assert_array_equal(channels_first(y), want)
    bad = channels_last(indices)
    bad.flat[0] = 480
    assert call(library("pool.h").max_unpool, channels_last(x), bad, y, 2, 3, 20, *sizes, 4) == 1
