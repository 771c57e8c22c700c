"""Every element type decodes as onnx's own numpy_helper does; lengths that lie are refused."""

from __future__ import annotations

import numpy as np
import pytest
from onnx import SparseTensorProto, TensorProto, helper, numpy_helper

from whet.errors import ModelError
from whet.importers.onnx.tensors import (
    ELEMENTS,
    checked_scale,
    dense_from_sparse,
    tensor_from_proto,
)

NUMERIC = sorted(set(ELEMENTS) - {TensorProto.STRING})
KIND = TensorProto.DataType.Name


def random_tensor(data_type: int, shape: tuple[int, ...], raw: bool) -> TensorProto:
    """A tensor of random bits, written by onnx, as raw data or in the typed field."""
    generator = np.random.default_rng(data_type)
    dtype = helper.tensor_dtype_to_np_dtype(data_type)
    if data_type == TensorProto.BOOL:
        array = generator.integers(0, 2, shape).astype(np.bool_)
    else:
        count = int(np.prod(shape)) * dtype.itemsize
        codes = generator.integers(0, 256, count).astype(np.uint8)
        if ELEMENTS[data_type].bits < 8:
            codes &= (1 << ELEMENTS[data_type].bits) - 1
        array = codes.view(dtype).reshape(shape)
    if raw:
        return numpy_helper.from_array(array, "t")
    return helper.make_tensor("t", data_type, shape, array.reshape(-1))


@pytest.mark.parametrize("shape", [(3, 5), (4, 2), (1,), (), (0, 3)], ids=str)
@pytest.mark.parametrize("data_type", NUMERIC, ids=KIND)
def test_raw_data(data_type: int, shape: tuple[int, ...]) -> None:
    tensor = random_tensor(data_type, shape, raw=True)
    ours, theirs = tensor_from_proto(tensor), numpy_helper.to_array(tensor)
    assert (ours.dtype, ours.shape) == (theirs.dtype, theirs.shape)
    assert ours.tobytes() == theirs.tobytes()


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("data_type", NUMERIC, ids=KIND)
def test_typed_fields(data_type: int) -> None:
    tensor = random_tensor(data_type, (3, 3), raw=False)
    ours, theirs = tensor_from_proto(tensor), numpy_helper.to_array(tensor)
    assert (ours.dtype, ours.shape) == (theirs.dtype, theirs.shape)
    assert ours.tobytes() == theirs.tobytes()


@pytest.mark.parametrize("data_type", [TensorProto.INT4, TensorProto.INT2], ids=KIND)
def test_signs_survive_arithmetic(data_type: int) -> None:
    tensor = random_tensor(data_type, (64,), raw=True)
    values = tensor_from_proto(tensor).astype(np.int32)
    np.testing.assert_array_equal(values, numpy_helper.to_array(tensor).astype(np.int32))
    half = 1 << (ELEMENTS[data_type].bits - 1)
    assert values.min() == -half
    assert values.max() == half - 1


def test_strings() -> None:
    tensor = helper.make_tensor("s", TensorProto.STRING, [2, 1], ["Grüße", ""])
    np.testing.assert_array_equal(tensor_from_proto(tensor), [["Grüße"], [""]])
    tensor.string_data[0] = b"\xff"
    with pytest.raises(ModelError, match="UTF-8"):
        tensor_from_proto(tensor)


def raw_tensor(**fields: object) -> TensorProto:
    return TensorProto(**{"name": "w", "data_type": TensorProto.FLOAT, **fields})


LIES = [
    (raw_tensor(dims=[3], raw_data=bytes(8)), "wrong size"),
    (raw_tensor(dims=[1], raw_data=bytes(8)), "wrong size"),
    (raw_tensor(dims=[3], float_data=[1.0]), "wrong size"),
    (raw_tensor(dims=[3]), "wrong size"),
    (raw_tensor(dims=[2**31, 2**31], raw_data=b"abcd"), "absurd size"),
    (raw_tensor(dims=[0, 2**62]), "absurd size"),
    (raw_tensor(dims=[1] * 65, raw_data=bytes(4)), "absurd rank"),
    (raw_tensor(dims=[-1], raw_data=b""), "negative dimension"),
    (raw_tensor(dims=[1], raw_data=bytes(4), float_data=[1.0]), "more than one source"),
    (raw_tensor(dims=[1], int64_data=[1]), "stored as int64_data"),
    (raw_tensor(dims=[1], data_type=TensorProto.INT8, int32_data=[200]), "outside int8"),
    (raw_tensor(dims=[1], data_type=0, raw_data=b"a"), "unknown element type"),
    (raw_tensor(dims=[1], data_type=99, raw_data=b"a"), "unknown element type"),
    (raw_tensor(dims=[2], data_type=TensorProto.STRING, string_data=[b"a"]), "number of strings"),
    (raw_tensor(dims=[1], data_type=TensorProto.STRING, raw_data=b"a"), "stored as raw bytes"),
    (raw_tensor(dims=[1], raw_data=bytes(4), segment=TensorProto.Segment(begin=0)), "segments"),
]


@pytest.mark.parametrize(("tensor", "message"), LIES, ids=[message for _, message in LIES])
def test_lies_about_data(tensor: TensorProto, message: str) -> None:
    with pytest.raises(ModelError, match=message):
        tensor_from_proto(tensor)


def sparse(indices: np.ndarray, dims: list[int]) -> SparseTensorProto:
    values = numpy_helper.from_array(np.array([1.0, 2.0], np.float32), "s")
    return helper.make_sparse_tensor(values, numpy_helper.from_array(indices, "i"), dims)


@pytest.mark.parametrize("indices", [[1, 5], [[0, 1], [1, 2]]])
def test_sparse(indices: list[object]) -> None:
    dense = dense_from_sparse(sparse(np.array(indices, np.int64), [2, 3]))
    np.testing.assert_array_equal(dense, np.array([[0, 1, 0], [0, 0, 2]], np.float32))


BAD_SPARSE = [
    ([1, 6], [2, 3], "outside the shape"),
    ([-1, 2], [2, 3], "outside the shape"),
    ([5, 1], [2, 3], "unsorted"),
    ([1, 1], [2, 3], "repeated"),
    ([[0, 1], [0, 3]], [2, 3], "outside the shape"),
    ([0, 1], [2**20, 2**19], "absurd size"),
    ([0, 1, 2], [2, 3], "malformed"),
]


@pytest.mark.parametrize(("indices", "dims", "message"), BAD_SPARSE)
def test_bad_sparse(indices: list[object], dims: list[int], message: str) -> None:
    with pytest.raises(ModelError, match=message):
        dense_from_sparse(sparse(np.array(indices, np.int64), dims))


@pytest.mark.parametrize("scale", [np.nan, np.inf, 0.0, -1.0])
def test_scales(scale: float) -> None:
    assert checked_scale(np.array([0.5], np.float32), "q").size == 1
    with pytest.raises(ModelError, match="scale"):
        checked_scale(np.array([1.0, scale], np.float32), "q")
