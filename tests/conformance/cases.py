"""The cases of onnx.backend.test, as the installed onnx package defines them."""

from __future__ import annotations

import hashlib
import re
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import onnx
from onnx import ModelProto, OptionalProto, SequenceProto, TensorProto, TypeProto, numpy_helper
from onnx.backend.test.case.test_case import TestCase
from onnx.backend.test.loader import load_model_tests

KINDS = ("node", "simple", "pytorch-converted", "pytorch-operator", "real")

# An array, a list of values for a sequence, None for an empty optional.
Value = np.ndarray | Sequence["Value"] | None


@dataclass(frozen=True, slots=True)
class Case:
    """One model with its data sets, each (inputs, expected outputs) in graph order.

    digest: a hash of all of it. rtol, atol: the case's own tolerances.
    """

    name: str
    kind: str
    model: ModelProto
    data_sets: tuple[tuple[list[Value], list[Value]], ...]
    rtol: float
    atol: float
    digest: str

    def feeds(self, inputs: Sequence[Value]) -> dict[str, Value]:
        """The inputs by name: initialisers that older models repeat as inputs are left out."""
        names = [value.name for value in self.model.graph.input]
        if len(inputs) < len(names):
            weights = {tensor.name for tensor in self.model.graph.initializer}
            names = [name for name in names if name not in weights]
        return dict(zip(names, inputs, strict=False))


@cache
def all_cases() -> dict[str, Case]:
    """Every case for a CPU by name; those of devices and of downloads do not exist here."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        tests = [test for kind in KINDS for test in load_model_tests(kind=kind)]
        return {test.name: _case(test) for test in sorted(tests, key=lambda test: test.name)}


def _case(test: TestCase) -> Case:
    if test.model is not None:
        model = test.model
        data_sets = [
            ([_array(value) for value in inputs], [_array(value) for value in outputs])
            for inputs, outputs in test.data_sets
        ]
    elif test.model_dir is not None:
        folder = Path(test.model_dir)
        model = onnx.load(folder / "model.onnx")
        data_sets = [_read_data_set(path, model) for path in sorted(folder.glob("test_data_set*"))]
    else:
        path = Path(onnx.__file__).parent.parent / test.url
        model = onnx.load(path)
        data_sets = [_light_data_set(path, model)]
    assert data_sets, f"{test.name} has no data"
    digest = hashlib.sha256(model.SerializeToString(deterministic=True))
    digest.update(repr((test.rtol, test.atol)).encode())
    _feed(digest, data_sets)
    return Case(
        test.name, test.kind, model, tuple(data_sets), test.rtol, test.atol, digest.hexdigest()
    )


def _array(value: object) -> Value:
    if isinstance(value, TensorProto):
        return numpy_helper.to_array(value)
    return value


def _feed(digest: hashlib._Hash, value: object) -> None:
    if isinstance(value, np.ndarray):
        digest.update(repr((value.dtype, value.shape)).encode())
        digest.update(repr(value.tolist()).encode() if value.dtype == object else value.tobytes())
    elif isinstance(value, list | tuple):
        digest.update(f"[{len(value)}]".encode())
        for item in value:
            _feed(digest, item)
    else:
        digest.update(repr(value).encode())


def _read_data_set(folder: Path, model: ModelProto) -> tuple[list[Value], list[Value]]:
    inputs = [
        _read(path, model.graph.input[index].type)
        for index, path in enumerate(_numbered(folder, "input"))
    ]
    outputs = [
        _read(path, model.graph.output[index].type)
        for index, path in enumerate(_numbered(folder, "output"))
    ]
    return inputs, outputs


def _numbered(folder: Path, stem: str) -> list[Path]:
    paths = folder.glob(f"{stem}_*.pb")
    return sorted(paths, key=lambda path: int(re.findall(r"\d+", path.stem)[-1]))


def _read(path: Path, declared: TypeProto) -> Value:
    data = path.read_bytes()
    if declared.HasField("sequence_type"):
        return numpy_helper.to_list(SequenceProto.FromString(data))
    if declared.HasField("optional_type"):
        return numpy_helper.to_optional(OptionalProto.FromString(data))
    return numpy_helper.to_array(TensorProto.FromString(data))


def _light_data_set(path: Path, model: ModelProto) -> tuple[list[Value], list[Value]]:
    """What onnx's runner feeds its "real" models: 0 to 1 in equal steps; outputs are on file."""
    weights = {tensor.name for tensor in model.graph.initializer}
    inputs: list[Value] = []
    for value in model.graph.input:
        if value.name not in weights:
            shape = tuple(dim.dim_value or 1 for dim in value.type.tensor_type.shape.dim)
            count = int(np.prod(shape))
            inputs.append((np.arange(count).reshape(shape) / count).astype(np.float32))
    outputs: list[Value] = []
    for index in range(len(model.graph.output)):
        stored = path.with_name(f"{path.stem}_output_{index}.pb")
        outputs.append(numpy_helper.to_array(TensorProto.FromString(stored.read_bytes())))
    return inputs, outputs
