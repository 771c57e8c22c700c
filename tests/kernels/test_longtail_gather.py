"""gather.h, scatter.h and sort.h against onnx.reference and NumPy."""

from __future__ import annotations

import numpy as np
import onnx
import pytest

from tests.kernels.longtail_library import call, library
from tests.kernels.longtail_oracle import DTYPES, evaluate, evaluate_with_runtime

RNG = np.random.default_rng(9)
BAD_INDEX = 1
LONG = np.dtype("long")
I32 = np.int32


def _data(*shape: int, dtype: type = np.float32) -> np.ndarray:
    return RNG.integers(-50, 50, shape).astype(dtype)


@pytest.mark.parametrize("index", [np.int32, np.int64])
@pytest.mark.parametrize("dtype", [np.int8, np.float32, np.float64])
@pytest.mark.parametrize("axis", [0, 1, 2])
def test_gather(axis: int, dtype: type, index: type) -> None:
    x, indices = _data(3, 4, 5, dtype=dtype), RNG.integers(-3, 3, (2, 3)).astype(index)
    node = onnx.helper.make_node("Gather", ["x", "i"], ["y"], axis=axis)
    want = evaluate(node, {"x": x, "i": indices})[0]
    y = np.empty(want.shape, dtype)
    outer, inner = int(np.prod(x.shape[:axis])), int(np.prod(x.shape[axis + 1 :])) * x.itemsize
    lib = library("gather.h")
    assert (
        call(lib.gather, x, indices, y, outer, x.shape[axis], inner, 6, I32(indices.itemsize)) == 0
    )
    np.testing.assert_array_equal(y, want)
    indices.flat[2] = x.shape[axis]
    assert (
        call(lib.gather, x, indices, y, outer, x.shape[axis], inner, 6, I32(indices.itemsize))
        == BAD_INDEX
    )
    indices.flat[2] = -x.shape[axis] - 1
    assert (
        call(lib.gather, x, indices, y, outer, x.shape[axis], inner, 6, I32(indices.itemsize))
        == BAD_INDEX
    )


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_gather_and_scatter_elements(axis: int) -> None:
    x, shape = _data(4, 5, 6), [3, 4, 5]
    shape[axis] = 7
    indices = RNG.integers(-x.shape[axis], x.shape[axis], shape)
    y = np.empty(shape, np.float32)
    shapes = [np.array(s, LONG) for s in (x.shape, shape)]
    status = call(
        library("gather.h").gather_elements, x, indices, y, *shapes, I32(3), I32(axis), 4, I32(8)
    )
    node = onnx.helper.make_node("GatherElements", ["x", "i"], ["y"], axis=axis)
    np.testing.assert_array_equal(y, evaluate_with_runtime(node, {"x": x, "i": indices})[0])
    assert status == 0

    updates, scatter = _data(*shape), library("scatter.h")
    z = x.copy()
    assert (
        call(scatter.scatter_elements, z, indices, updates, *shapes, I32(3), I32(axis), 4, I32(8))
        == 0
    )
    node = onnx.helper.make_node("ScatterElements", ["x", "i", "u"], ["y"], axis=axis)
    feeds = {"x": x, "i": indices, "u": updates}
    np.testing.assert_array_equal(z, evaluate(node, feeds)[0])
    for number, reduction in enumerate(["add", "mul", "max", "min"], 1):
        z = x.copy()
        call(
            scatter.scatter_elements_f32,
            z,
            indices,
            updates,
            *shapes,
            I32(3),
            I32(axis),
            I32(8),
            I32(number),
        )
        node = onnx.helper.make_node(
            "ScatterElements", ["x", "i", "u"], ["y"], axis=axis, reduction=reduction
        )
        np.testing.assert_allclose(z, evaluate(node, feeds)[0], rtol=1e-6)
    indices.flat[0] = x.shape[axis]
    assert (
        call(scatter.scatter_elements, z, indices, updates, *shapes, I32(3), I32(axis), 4, I32(8))
        == BAD_INDEX
    )


@pytest.mark.parametrize("batch_dims", [0, 1])
@pytest.mark.parametrize("depth", [1, 2])
def test_gather_and_scatter_nd(depth: int, batch_dims: int) -> None:
    x = _data(3, 4, 5, 6)
    axes = x.shape[batch_dims : batch_dims + depth]
    indices = RNG.integers(-3, 3, (3, 4, depth))
    batch, inner = (3, 4 * 1) if batch_dims else (1, 12), x.shape[batch_dims + depth :]
    node = onnx.helper.make_node("GatherND", ["x", "i"], ["y"], batch_dims=batch_dims)
    want = evaluate(node, {"x": x, "i": indices})[0]
    y, inner_size = np.empty(want.shape, np.float32), int(np.prod(inner))
    status = call(
        library("gather.h").gather_nd,
        x,
        indices,
        y,
        batch[0],
        np.array(axes, LONG),
        I32(depth),
        batch[1],
        inner_size * 4,
        I32(8),
    )
    np.testing.assert_array_equal(y, want)
    assert status == 0
    if not batch_dims:
        _check_scatter_nd(x, indices, inner)


def _check_scatter_nd(x: np.ndarray, indices: np.ndarray, inner: tuple[int, ...]) -> None:
    depth, inner_size = indices.shape[-1], int(np.prod(inner))
    axes = x.shape[:depth]
    updates, scatter = _data(3, 4, *inner), library("scatter.h")
    for number, reduction in enumerate(["none", "add", "mul", "max", "min"]):
        z, feeds = x.copy(), {"x": x, "i": indices, "u": updates}
        if number == 0:
            call(
                scatter.scatter_nd,
                z,
                indices,
                updates,
                np.array(axes, LONG),
                I32(depth),
                12,
                inner_size * 4,
                I32(8),
            )
        else:
            call(
                scatter.scatter_nd_f32,
                z,
                indices,
                updates,
                np.array(axes, LONG),
                I32(depth),
                12,
                inner_size,
                I32(8),
                I32(number),
            )
        node = onnx.helper.make_node("ScatterND", ["x", "i", "u"], ["y"], reduction=reduction)
        np.testing.assert_allclose(z, evaluate(node, feeds)[0], rtol=1e-5)
    indices.flat[1] = 99
    assert (
        call(
            scatter.scatter_nd,
            z,
            indices,
            updates,
            np.array(axes, LONG),
            I32(depth),
            12,
            inner_size * 4,
            I32(8),
        )
        == BAD_INDEX
    )


@pytest.mark.parametrize("mode", ["linear", "circular"])
def test_tensor_scatter(mode: str) -> None:
    past, update = _data(2, 3, 8, 5), _data(2, 3, 4, 5)
    starts = np.array([1, 4]) if mode == "linear" else np.array([6, 13])
    node = onnx.helper.make_node("TensorScatter", ["p", "u", "w"], ["y"], mode=mode, axis=2)
    want = evaluate(node, {"p": past, "u": update, "w": starts})[0]
    y = past.copy()
    arguments = (2, 3, 8, 4, 20, I32(mode == "circular"), I32(8))
    assert call(library("scatter.h").tensor_scatter, y, update, starts, *arguments) == 0
    np.testing.assert_array_equal(y, want)
    late = np.array([5, 5])
    assert call(library("scatter.h").tensor_scatter, y, update, late, *arguments) == (
        BAD_INDEX if mode == "linear" else 0
    )


def test_one_hot() -> None:
    indices, values = RNG.integers(-6, 7, (3, 4)), np.array([2, 5], np.float32)
    for axis in (0, 1, 2):
        node = onnx.helper.make_node("OneHot", ["i", "d", "v"], ["y"], axis=axis)
        want = evaluate(node, {"i": indices, "d": np.array(5), "v": values})[0]
        y, outer = np.empty(want.shape, np.float32), int(np.prod(indices.shape[:axis]))
        call(library("gather.h").one_hot, indices, values, y, outer, 5, 12 // outer, 4, I32(8))
        np.testing.assert_array_equal(y, want)


def test_nonzero_and_compress() -> None:
    x = RNG.integers(-1, 2, (3, 4, 5)).astype(np.float32)
    x[0, 0, 0] = -0.0
    y = np.empty(3 * x.size, np.int64)
    count = call(library("gather.h").nonzero, x, y, np.array(x.shape, LONG), I32(3), 4, I32(1))
    np.testing.assert_array_equal(y[: 3 * count].reshape(3, count), np.stack(np.nonzero(x)))
    assert call(library("gather.h").nonzero_count, x.astype(np.int8), x.size, 1, I32(0)) == count

    condition = np.array([1, 0, 1], np.uint8)
    kept = np.empty((3, 2, 5), np.float32)
    assert call(library("gather.h").compress, x, condition, kept, 3, 4, 20, 3) == 2
    np.testing.assert_array_equal(kept, np.compress(condition.astype(bool), x, axis=1))


@pytest.mark.parametrize("time_major", [0, 1])
def test_reverse_sequence(time_major: int) -> None:
    x, lengths = _data(4, 4, 3), np.array([0, 1, 3, 4])
    node = onnx.helper.make_node(
        "ReverseSequence", ["x", "l"], ["y"], time_axis=1 - time_major, batch_axis=time_major
    )
    want = evaluate_with_runtime(node, {"x": x, "l": np.maximum(lengths, 1)})[0]
    y = np.empty_like(x)
    lib = library("gather.h")
    assert call(lib.reverse_sequence, x, lengths, y, 4, 4, 12, I32(time_major)) == 0
    np.testing.assert_array_equal(y, want)
    lengths[0] = 5
    assert call(lib.reverse_sequence, x, lengths, y, 4, 4, 12, I32(time_major)) == BAD_INDEX


def test_roll() -> None:
    x = _data(3, 4, 5)
    for shift in (0, 1, -1, 7, -9):
        y = np.empty_like(x)
        call(library("gather.h").roll, x, y, 3, 4, 20, shift)
        np.testing.assert_array_equal(y, np.roll(x, shift, axis=1))


@pytest.mark.parametrize("kind", ["f32", "f64", "f16", "i8", "i64", "u64"])
@pytest.mark.parametrize("largest", [0, 1])
def test_topk(largest: int, kind: str) -> None:
    for outer, n, inner, k in [(2, 9, 1, 4), (3, 20, 2, 20), (1, 5, 3, 1), (1, 300, 1, 17)]:
        x = RNG.integers(0, 8, (outer, n, inner)).astype(DTYPES[kind])
        values = np.empty((outer, k, inner), x.dtype)
        indices = np.empty((outer, k, inner), np.int64)
        call(
            getattr(library("sort.h"), f"topk_{kind}"),
            x,
            values,
            indices,
            outer,
            n,
            inner,
            k,
            I32(largest),
        )
        node = onnx.helper.make_node("TopK", ["x", "k"], ["v", "i"], axis=1, largest=largest)
        want = evaluate(node, {"x": x, "k": np.array([k])})
        np.testing.assert_array_equal(indices, want[1])
        np.testing.assert_array_equal(values, want[0])


def test_topk_puts_nan_above_numbers() -> None:
    x, indices = np.array([1, np.nan, np.inf, np.nan, -1], np.float32), np.empty(5, np.int64)
    call(library("sort.h").topk_f32, x, None, indices, 1, 5, 1, 5, I32(1))
    np.testing.assert_array_equal(indices, [1, 3, 2, 0, 4])
    call(library("sort.h").topk_f32, x, None, indices, 1, 5, 1, 5, I32(0))
    np.testing.assert_array_equal(indices, [4, 0, 2, 1, 3])


@pytest.mark.parametrize("kind", ["f32", "i32", "u8"])
@pytest.mark.parametrize("ordered", [0, 1])
@pytest.mark.parametrize("axis", [None, 0, 1])
def test_unique(axis: int | None, ordered: int, kind: str) -> None:
    shape = (4, 30) if axis is None else (9, 9)
    x = RNG.integers(0, 30 if axis is None else 2, shape).astype(DTYPES[kind])
    if axis == 0:
        x[:, 3:] = 0
    if axis == 1:
        x[3:] = 0
    outer, n, inner = {None: (1, x.size, 1), 0: (1, 9, 9), 1: (9, 9, 1)}[axis]
    y = np.empty(x.size, x.dtype)
    indices, inverse, counts, order = (np.empty(n, np.int64) for _ in range(4))
    found = call(
        getattr(library("sort.h"), f"unique_{kind}"),
        x,
        y,
        indices,
        inverse,
        counts,
        order,
        outer,
        n,
        inner,
        I32(ordered),
    )
    want = np.unique(x, return_index=True, return_inverse=True, return_counts=True, axis=axis)
    rank = np.arange(found) if ordered else np.argsort(want[1])
    assert found == len(want[1]) < n
    np.testing.assert_array_equal(indices[:found], want[1][rank])
    np.testing.assert_array_equal(counts[:found], want[3][rank])
    np.testing.assert_array_equal(inverse, np.argsort(rank)[want[2].ravel()])
    slices = np.take(x.ravel() if axis is None else x, indices[:found], axis=axis or 0)
    np.testing.assert_array_equal(y[: slices.size], slices.ravel())
