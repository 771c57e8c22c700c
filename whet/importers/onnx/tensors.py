"""TensorProto -> NumPy, for every element type of ONNX, with every length checked first.

Sub-byte elements come back unpacked, one element a byte, in their `ml_dtypes` type.
Format: onnx/onnx.proto (TensorProto, SparseTensorProto).
"""

from __future__ import annotations

import sys
from typing import NamedTuple

import ml_dtypes
import numpy as np
import numpy.typing as npt
from onnx import SparseTensorProto, TensorProto

from whet.errors import ModelError
from whet.importers.onnx import limits
from whet.importers.onnx.external import ExternalFiles

Array = npt.NDArray[np.generic]

_FIELDS = ("float_data", "int32_data", "string_data", "int64_data", "double_data", "uint64_data")


class Element(NamedTuple):
    """How ONNX stores one element type: NumPy type, bits in raw data, and its typed field."""

    dtype: np.dtype[np.generic]
    bits: int
    field: str


def _element(scalar: npt.DTypeLike, bits: int, field: str) -> Element:
    return Element(np.dtype(scalar), bits, field)


_T = TensorProto
ELEMENTS: dict[int, Element] = {
    _T.FLOAT: _element(np.float32, 32, "float_data"),
    _T.DOUBLE: _element(np.float64, 64, "double_data"),
    _T.FLOAT16: _element(np.float16, 16, "int32_data"),
    _T.BFLOAT16: _element(ml_dtypes.bfloat16, 16, "int32_data"),
    _T.COMPLEX64: _element(np.complex64, 64, "float_data"),
    _T.COMPLEX128: _element(np.complex128, 128, "double_data"),
    _T.BOOL: _element(np.bool_, 8, "int32_data"),
    _T.INT8: _element(np.int8, 8, "int32_data"),
    _T.UINT8: _element(np.uint8, 8, "int32_data"),
    _T.INT16: _element(np.int16, 16, "int32_data"),
    _T.UINT16: _element(np.uint16, 16, "int32_data"),
    _T.INT32: _element(np.int32, 32, "int32_data"),
    _T.UINT32: _element(np.uint32, 32, "uint64_data"),
    _T.INT64: _element(np.int64, 64, "int64_data"),
    _T.UINT64: _element(np.uint64, 64, "uint64_data"),
    _T.FLOAT8E4M3FN: _element(ml_dtypes.float8_e4m3fn, 8, "int32_data"),
    _T.FLOAT8E4M3FNUZ: _element(ml_dtypes.float8_e4m3fnuz, 8, "int32_data"),
    _T.FLOAT8E5M2: _element(ml_dtypes.float8_e5m2, 8, "int32_data"),
    _T.FLOAT8E5M2FNUZ: _element(ml_dtypes.float8_e5m2fnuz, 8, "int32_data"),
    _T.FLOAT8E8M0: _element(ml_dtypes.float8_e8m0fnu, 8, "int32_data"),
    _T.FLOAT4E2M1: _element(ml_dtypes.float4_e2m1fn, 4, "int32_data"),
    _T.INT4: _element(ml_dtypes.int4, 4, "int32_data"),
    _T.UINT4: _element(ml_dtypes.uint4, 4, "int32_data"),
    _T.INT2: _element(ml_dtypes.int2, 2, "int32_data"),
    _T.UINT2: _element(ml_dtypes.uint2, 2, "int32_data"),
    _T.STRING: _element(object, 0, "string_data"),
}


def element_of(data_type: int, where: str) -> Element:
    """How the ONNX element type `data_type` is stored. Raises ModelError for an unknown one."""
    element = ELEMENTS.get(data_type)
    if element is None:
        raise ModelError("unknown element type", where, f"TensorProto.DataType {data_type}")
    return element


def tensor_from_proto(
    tensor: TensorProto, external: ExternalFiles | None = None, where: str = ""
) -> Array:
    """The array that a TensorProto holds; read-only where it views the file.

    external: opens the files that external data names; None refuses external data. Strings are
    `object` arrays of `str`. Raises ModelError where data and shape disagree or data is unsafe.
    """
    where = where or f"tensor '{tensor.name}'"
    element = element_of(tensor.data_type, where)
    shape = limits.checked_shape(tensor.dims, where)
    elements = _product(shape)
    if tensor.HasField("segment"):
        raise ModelError("tensor in segments", where, "no version of ONNX defines their order")
    is_external = tensor.data_location == TensorProto.EXTERNAL
    held = [field for field in _FIELDS if len(getattr(tensor, field))]
    sources = len(held) + tensor.HasField("raw_data") + is_external
    if sources > 1:
        raise ModelError("tensor with more than one source of data", where, ", ".join(held))
    if element.bits and (is_external or tensor.HasField("raw_data")):
        raw = _raw(tensor, external, (elements * element.bits + 7) // 8, where)
        return _unpacked(raw, element, elements).reshape(shape)
    if sources and held != [element.field]:
        what = held[0] if held else "raw bytes"
        raise ModelError(f"tensor of {element.dtype} stored as {what}", where)
    if element.field == "string_data":
        return _strings(tensor, elements, where).reshape(shape)
    return _from_field(tensor, element, elements, where).reshape(shape)


def _product(shape: tuple[int, ...]) -> int:
    elements = 1
    for dim in shape:
        elements *= dim
    return elements


def _raw(
    tensor: TensorProto, external: ExternalFiles | None, size: int, where: str
) -> npt.NDArray[np.uint8]:
    if tensor.data_location == TensorProto.EXTERNAL:
        if external is None:
            hint = "load the model from its path, so that the files beside it are known"
            raise ModelError("external data without a directory", where, hint=hint)
        return external.read(tensor, size, where)
    raw = tensor.raw_data
    if len(raw) != size:
        raise ModelError("tensor data of the wrong size", where, f"{len(raw)} bytes, needs {size}")
    return np.frombuffer(raw, np.uint8)


def _unpacked(raw: npt.NDArray[np.uint8], element: Element, elements: int) -> Array:
    if element.bits >= 8:
        stored = element.dtype
        if sys.byteorder == "big":
            raw = raw.reshape(elements, -1)[:, ::-1].reshape(-1)
        if element.dtype == np.bool_:
            return np.not_equal(raw, 0)
        if raw.ctypes.data % stored.alignment:
            raw = raw.copy()
        return raw.view(stored)
    per_byte = 8 // element.bits
    mask = (1 << element.bits) - 1
    shifts = np.arange(per_byte, dtype=np.uint8) * np.uint8(element.bits)
    codes = ((raw[:, None] >> shifts) & np.uint8(mask)).reshape(-1)[:elements]
    if element.dtype in (np.dtype(ml_dtypes.int4), np.dtype(ml_dtypes.int2)):
        sign = np.uint8(1 << (element.bits - 1))
        return ((codes ^ sign) - sign).view(np.int8).astype(element.dtype)
    return codes.view(element.dtype)


def _from_field(tensor: TensorProto, element: Element, elements: int, where: str) -> Array:
    values = getattr(tensor, element.field)
    parts = 2 if element.dtype.kind == "c" else 1
    needed = elements * parts if element.bits >= 8 else -(-elements * element.bits // 8)
    if len(values) != needed:
        raise ModelError(
            "tensor data of the wrong size",
            where,
            f"{len(values)} values in {element.field}, needs {needed}",
        )
    if element.field == "float_data":
        return np.array(values, np.float32).view(element.dtype)
    if element.field == "double_data":
        return np.array(values, np.float64).view(element.dtype)
    if element.field == "int64_data":
        return np.array(values, np.int64)
    if element.field == "uint64_data":
        return np.array(values, np.uint64).astype(element.dtype)
    stored = np.array(values, np.int32)
    if element.bits < 8:
        return _unpacked(stored.astype(np.uint8), element, elements)
    if element.dtype == np.bool_:
        return np.not_equal(stored, 0)
    if element.dtype.kind in "iu":
        narrow = stored.astype(element.dtype)
        if bool((narrow != stored).any()):
            raise ModelError(f"value outside {element.dtype}", where)
        return narrow
    bits = stored.astype(np.uint16 if element.bits == 16 else np.uint8)
    return bits.view(element.dtype)


def _strings(tensor: TensorProto, elements: int, where: str) -> Array:
    values = tensor.string_data
    if len(values) != elements:
        raise ModelError("wrong number of strings", where, f"{len(values)}, needs {elements}")
    array = np.empty(elements, object)
    for index, value in enumerate(values):
        try:
            array[index] = value.decode("utf-8")
        except UnicodeDecodeError as error:
            raise ModelError("string that is not UTF-8", where, str(error)) from None
    return array


def dense_from_sparse(
    sparse: SparseTensorProto, external: ExternalFiles | None = None, where: str = ""
) -> Array:
    """The dense array of a sparse initialiser: `values[nnz]` at `indices[nnz]` or `[nnz, rank]`.

    Raises ModelError for indices outside the shape, unsorted or repeated, and for shapes that
    would unfold to absurd sizes.
    """
    where = where or f"sparse tensor '{sparse.values.name}'"
    values = tensor_from_proto(sparse.values, external, where)
    indices = _indices(sparse, external, where)
    shape = limits.checked_shape(sparse.dims, where)
    elements = _product(shape)
    if elements * values.dtype.itemsize > limits.DENSE_BYTES:
        raise ModelError("sparse tensor of absurd size", where, f"shape {list(shape)}")
    if values.ndim != 1:
        raise ModelError("malformed sparse tensor", where, "values of more than one dimension")
    if indices.shape == (values.size, len(shape)) and indices.ndim == 2:
        inside = bool(((indices >= 0) & (indices < np.array(shape))).all())
        strides = np.array([_product(shape[axis + 1 :]) for axis in range(len(shape))], np.int64)
        linear = indices @ strides
    elif indices.shape == (values.size,):
        linear = indices
        inside = bool(((linear >= 0) & (linear < elements)).all())
    else:
        raise ModelError("malformed sparse tensor", where, f"indices {list(indices.shape)}")
    if not inside or bool((np.diff(linear) <= 0).any()):
        raise ModelError("sparse indices outside the shape, unsorted or repeated", where)
    dense = np.zeros(elements, values.dtype)
    dense[linear] = values
    return dense.reshape(shape)


def _indices(
    sparse: SparseTensorProto, external: ExternalFiles | None, where: str
) -> npt.NDArray[np.int64]:
    if sparse.indices.data_type != TensorProto.INT64:
        raise ModelError("malformed sparse tensor", where, "indices that are not int64")
    return tensor_from_proto(sparse.indices, external, where).astype(np.int64)


def checked_scale(scale: Array, where: str) -> Array:
    """The scale, if every value is finite and above zero; raises ModelError otherwise."""
    numbers = scale.astype(np.float64)
    if not bool(np.isfinite(numbers).all()) or bool((numbers <= 0).any()):
        raise ModelError("quantisation scale that is not finite and positive", where)
    return scale
