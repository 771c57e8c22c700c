"""An ONNX file, bytes or ModelProto -> a checked ModelProto, its local functions inlined.

Nothing here trusts the input: the format is recognised before it is parsed, the outermost message
is walked before protobuf sees it, and the parsed model is checked whole (`check.py`).
"""

from __future__ import annotations

import mmap
import os
import stat
from dataclasses import dataclass

import onnx
import onnx.inliner
from google.protobuf.message import DecodeError

from whet.errors import ModelError
from whet.importers.onnx import limits
from whet.importers.onnx.check import check_functions, check_model
from whet.importers.onnx.external import ExternalFiles
from whet.importers.onnx.magic import refuse_other_formats
from whet.importers.onnx.tensors import Array, dense_from_sparse, tensor_from_proto

Source = str | os.PathLike[str] | bytes | onnx.ModelProto


@dataclass(frozen=True, slots=True)
class LoadedModel:
    """A checked model. proto: without local functions, nodes in topological order. name: for
    messages. external: opens the files beside the model; None for a model without a directory."""

    proto: onnx.ModelProto
    name: str
    external: ExternalFiles | None

    def tensor(self, tensor: onnx.TensorProto, where: str = "") -> Array:
        """The array a TensorProto of this model holds. Raises ModelError."""
        return tensor_from_proto(tensor, self.external, where)

    def sparse_tensor(self, sparse: onnx.SparseTensorProto, where: str = "") -> Array:
        """The dense array a SparseTensorProto of this model holds. Raises ModelError."""
        return dense_from_sparse(sparse, self.external, where)


def load_model(source: Source, base_dir: str | os.PathLike[str] | None = None) -> LoadedModel:
    """Load and check an ONNX model.

    source: a path, the file's bytes, or a ModelProto (which stays as it is).
    base_dir: where external data lies; by default the directory of a path, and none for bytes.
    Raises ModelError for whatever is malformed, unsafe, too large or not ONNX.
    """
    if isinstance(source, onnx.ModelProto):
        proto, name = onnx.ModelProto(), source.graph.name or "model"
        proto.CopyFrom(source)
    elif isinstance(source, bytes):
        proto, name = _parse(source, "model"), "model"
    else:
        name = os.fspath(source)
        if base_dir is None:
            base_dir = os.path.dirname(name) or "."
        proto = _parse(_file_bytes(name), name)
    external = None if base_dir is None else ExternalFiles(base_dir)
    return LoadedModel(check_model(_inlined(proto, name), name), name, external)


def _file_bytes(path: str) -> mmap.mmap:
    try:
        # Without O_NONBLOCK, opening a FIFO would wait for its writer.
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise ModelError("model cannot be opened", path, reason) from None
    try:
        status = os.fstat(descriptor)
        if stat.S_ISDIR(status.st_mode):
            raise ModelError("model is a directory", path, hint="name the .onnx file in it")
        if not stat.S_ISREG(status.st_mode):
            raise ModelError("model is not a regular file", path)
        if status.st_size == 0:
            raise ModelError("model file is empty", path)
        if status.st_size > limits.MODEL_BYTES:
            raise ModelError(
                "model file over protobuf's limit",
                path,
                f"{status.st_size} bytes",
                "save the model with external data",
            )
        return mmap.mmap(descriptor, 0, access=mmap.ACCESS_READ)
    finally:
        os.close(descriptor)


def _parse(data: bytes | mmap.mmap, name: str) -> onnx.ModelProto:
    if not len(data):
        raise ModelError("model is empty", name)
    if len(data) > limits.MODEL_BYTES:
        raise ModelError("model over protobuf's limit", name, f"{len(data)} bytes")
    with memoryview(data) as view:
        refuse_other_formats(view, name)
        _walk_fields(view, name)
        proto = onnx.ModelProto()
        try:
            proto.ParseFromString(view)
        except (DecodeError, RecursionError) as error:
            raise ModelError("not a valid ONNX model", name, str(error)) from None
    return proto


def _walk_fields(view: memoryview, name: str) -> None:
    """Check that the outermost message is a ModelProto and nothing else, to its last byte.

    Protobuf keeps unknown fields and merges repeated singular ones, so that bytes after a model
    would otherwise change it or hide in it.
    """
    known = onnx.ModelProto.DESCRIPTOR.fields_by_number
    seen: set[int] = set()
    position, size = 0, len(view)
    while position < size:
        start = position
        key, position = _varint(view, position, name)
        number, wire = key >> 3, key & 7
        described = known.get(number)
        if described is None or wire != (0 if described.cpp_type in (2, 4) else 2):
            raise ModelError(
                "not an ONNX model",
                name,
                f"unknown data at byte {start} of {size}",
                "check that the file is whole and nothing follows the model",
            )
        if number in seen and not described.is_repeated:
            raise ModelError("more than one model in one file", name, f"at byte {start}")
        seen.add(number)
        value, position = _varint(view, position, name)
        if wire == 2:
            if value > size - position:
                raise ModelError(
                    "truncated ONNX model",
                    name,
                    f"'{described.name}' needs {value} bytes, {size - position} are left",
                    "fetch the file again",
                )
            position += value
    if known and 7 not in seen:
        raise ModelError("not an ONNX model", name, "it holds no graph")


def _varint(view: memoryview, position: int, name: str) -> tuple[int, int]:
    value = 0
    for shift in range(0, 70, 7):
        if position >= len(view):
            raise ModelError("truncated ONNX model", name, hint="fetch the file again")
        byte = view[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, position
    raise ModelError("not an ONNX model", name, f"malformed number at byte {position}")


def _inlined(proto: onnx.ModelProto, name: str) -> onnx.ModelProto:
    if not proto.functions:
        return proto
    check_functions(proto, name)
    try:
        return onnx.inliner.inline_local_functions(proto)
    except Exception as error:
        raise ModelError("local functions cannot be inlined", name, str(error)) from None
