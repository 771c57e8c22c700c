"""The parts of a .tflite file that matter, read from its FlatBuffer without trusting it.

Source: tensorflow/compiler/mlir/lite/schema/schema.fbs; numbers are field indices of its tables.
"""

from __future__ import annotations

import mmap
import os
from dataclasses import dataclass
from math import prod

import ml_dtypes
import numpy as np

from whet.errors import ModelError
from whet.importers.flatbuffer import Buffer, Table
from whet.ir.node import Array

CUSTOM = 32
MAX_RANK = 8
MAX_BYTES = 1 << 34
DTYPES: dict[int, object] = {
    0: np.float32, 1: np.float16, 2: np.int32, 3: np.uint8, 4: np.int64, 6: np.bool_, 7: np.int16,
    8: np.complex64, 9: np.int8, 10: np.float64, 11: np.complex128, 12: np.uint64, 15: np.uint32,
    16: np.uint16, 17: ml_dtypes.int4, 18: ml_dtypes.bfloat16, 13: object,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Quantization:
    """Scales and zero points, one or one for each index along `axis`."""

    scales: tuple[float, ...]
    zeros: tuple[int, ...]
    axis: int


@dataclass(frozen=True, slots=True)
class Tensor:
    """A tensor of a subgraph; `data` is None unless it is constant."""

    name: str
    shape: tuple[int, ...]
    dtype: np.dtype[np.generic]
    data: Array | None
    quantization: Quantization | None
    is_variable: bool


@dataclass(frozen=True, slots=True)
class Operator:
    """A layer: its builtin code, custom name, operands (-1: absent), options and name for
    messages.
    """

    code: int
    custom: str
    version: int
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    intermediates: tuple[int, ...]
    options: Table | None
    custom_options: bytes
    label: str


@dataclass(frozen=True, slots=True)
class Subgraph:
    """Tensors, and operators in the order they run."""

    name: str
    tensors: tuple[Tensor, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    operators: tuple[Operator, ...]


@dataclass(frozen=True, slots=True)
class Model:
    """A file: its subgraphs, the first of which is the main one."""

    name: str
    subgraphs: tuple[Subgraph, ...]


def read_model(source: str | os.PathLike[str] | bytes) -> Model:
    """Read and check a .tflite file.

    Raises:
        ModelError: the file is malformed or unsafe.
    """
    if isinstance(source, bytes):
        name, data = "model", memoryview(source)
    else:
        name = os.fspath(source)
        try:
            with open(source, "rb") as file:
                data = memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
        except (OSError, ValueError) as error:
            raise ModelError("the model cannot be read", name, str(error)) from None
    if len(data) < 16 or bytes(data[4:8]) != b"TFL3":
        raise ModelError("not a TFLite file", name)
    root = Buffer(data, name).root()
    if root.integer(0, "I") != 3:
        raise ModelError("unknown TFLite schema version", name)
    buffers = root.tables(4)
    codes = [
        (max(c.integer(0, "b"), c.integer(3, "i")), c.text(1), c.integer(2, "i", 1))
        for c in root.tables(1)
    ]
    graphs = tuple(_subgraph(t, buffers, codes, data, name) for t in root.tables(2))
    if not graphs:
        raise ModelError("a model without a subgraph", name)
    return Model(os.path.basename(name).removesuffix(".tflite"), graphs)


def _subgraph(
    table: Table,
    buffers: list[Table],
    codes: list[tuple[int, str, int]],
    data: memoryview,
    name: str,
) -> Subgraph:
    tensors = tuple(_tensor(t, buffers, data, name) for t in table.tables(0))
    count = len(tensors)
    inputs, outputs = tuple(table.integers(1)), tuple(table.integers(2))
    if any(not 0 <= i < count for i in (*inputs, *outputs)):
        raise ModelError("a graph input or output that is no tensor", name)
    operators = tuple(_operator(t, i, codes, tensors, name) for i, t in enumerate(table.tables(3)))
    return Subgraph(table.text(4), tensors, inputs, outputs, operators)


def _operator(
    table: Table, position: int, codes: list[tuple[int, str, int]], tensors: tuple[Tensor, ...],
    name: str,
) -> Operator:  # fmt: skip
    index = table.integer(0, "I")
    if index >= len(codes):
        raise ModelError(f"operator {position} has no code", name)
    code, custom, version = codes[index]
    inputs, outputs = tuple(table.integers(1)), tuple(table.integers(2))
    intermediates = tuple(table.integers(8))
    if any(not -1 <= i < len(tensors) for i in (*inputs, *intermediates)) or any(
        not 0 <= i < len(tensors) for i in outputs
    ):
        raise ModelError(f"operator {position} reads or writes a tensor that is not there", name)
    label = tensors[outputs[0]].name if outputs else str(position)
    return Operator(
        code, custom, version, inputs, outputs, intermediates, table.table(4), table.raw(5), label
    )


def _tensor(table: Table, buffers: list[Table], data: memoryview, where: str) -> Tensor:
    name = table.text(3)
    kind = table.integer(1, "b")
    if kind not in DTYPES:
        raise ModelError(f"element type {kind}", name or where, "Whet does not know it")
    dtype = np.dtype(DTYPES[kind])  # type: ignore[call-overload]
    shape = tuple(table.integers(0))
    if len(shape) > MAX_RANK or any(d < 0 for d in shape):
        raise ModelError(f"shape {list(shape)}", name or where, "negative or too many dimensions")
    if prod(shape) * max(1, dtype.itemsize) > MAX_BYTES:
        raise ModelError(f"shape {list(shape)}", name or where, "too large")
    index = table.integer(2, "I")
    if index >= len(buffers):
        raise ModelError(f"buffer {index} is not there", name or where)
    constant = _constant(buffers[index], shape, dtype, data, name or where)
    quantization = _quantization(table.table(4), shape, name or where)
    return Tensor(name, shape, dtype, constant, quantization, bool(table.integer(5, "B")))


def _constant(
    buffer: Table, shape: tuple[int, ...], dtype: np.dtype[np.generic], data: memoryview, where: str
) -> Array | None:
    offset, size = buffer.integer(1, "Q"), buffer.integer(2, "Q")
    if offset > 1:
        if offset + size > len(data):
            raise ModelError("a buffer outside the file", where)
        raw = data[offset : offset + size]
    else:
        raw = buffer.view(0)
    if not len(raw):
        return None
    if dtype.kind == "O":
        raise ModelError("constant strings", where, "Whet does not read them in TFLite")
    count = prod(shape)
    if dtype == ml_dtypes.int4:
        packed = np.frombuffer(raw, np.uint8)
        nibbles = np.stack([packed & 15, packed >> 4], axis=-1).reshape(-1)[:count].astype(np.int8)
        signed = np.where(nibbles > 7, nibbles - 16, nibbles)
        return _shaped(signed.astype(np.int8), shape, where)
    if len(raw) < count * dtype.itemsize:
        raise ModelError("constant data is too short for its shape", where)
    return _shaped(np.frombuffer(raw, dtype, count), shape, where)


def _shaped(array: Array, shape: tuple[int, ...], where: str) -> Array:
    if array.size != prod(shape):
        raise ModelError("constant data does not fit its shape", where)
    return array.reshape(shape)


def _quantization(table: Table | None, shape: tuple[int, ...], where: str) -> Quantization | None:
    scales = table.reals(2) if table else []
    if table is None or not scales:
        return None
    zeros = table.integers(3, "q") or [0] * len(scales)
    if len(zeros) != len(scales) and len(zeros) != 1:
        raise ModelError("scales and zero points differ in number", where)
    if not all(np.isfinite(s) and s > 0 for s in scales):
        raise ModelError("a scale that is not a positive number", where)
    zeros = zeros * len(scales) if len(zeros) == 1 else zeros
    if any(not -(2**31) <= z < 2**31 for z in zeros):
        raise ModelError("a zero point out of range", where)
    axis = table.integer(6, "i")
    if len(scales) > 1:
        # TFLite Micro accepts a bias that names an axis of the weights: a vector has only one.
        axis = 0 if len(shape) == 1 else axis
        if not 0 <= axis < len(shape) or shape[axis] != len(scales):
            raise ModelError(f"{len(scales)} scales along axis {axis} of {list(shape)}", where)
    return Quantization(tuple(scales), tuple(zeros), axis)
