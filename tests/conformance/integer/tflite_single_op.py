"""Build one-operator .tflite models and run them on TensorFlow Lite Micro, the oracle."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import flatbuffers
import numpy as np
import pytest

from whet.ops.integer.quantization import Affine

schema = pytest.importorskip(
    "tflite_micro.tensorflow.lite.micro.python.schema_py_generated",
    reason="the oracle, TensorFlow Lite Micro, is not installed",
)
_runtime = pytest.importorskip("tflite_micro").runtime

_TYPES = {
    "float32": schema.TensorType.FLOAT32,
    "int8": schema.TensorType.INT8,
    "uint8": schema.TensorType.UINT8,
    "int16": schema.TensorType.INT16,
    "int32": schema.TensorType.INT32,
    "int64": schema.TensorType.INT64,
    "uint32": schema.TensorType.UINT32,
    "uint64": schema.TensorType.UINT64,
    "bool": schema.TensorType.BOOL,
}


@dataclass(frozen=True)
class Tensor:
    """A tensor of the model; with `data` it is a constant."""

    shape: tuple[int, ...]
    store: str
    scales: Sequence[float] = ()
    zeros: Sequence[int] = ()
    axis: int = 0
    data: np.ndarray | None = None
    variable: bool = False


def quantized(shape: Sequence[int], q: Affine, data: np.ndarray | None = None) -> Tensor:
    """A per-tensor quantised tensor."""
    return Tensor(tuple(shape), q.store, (q.scale,), (q.zero,), data=data)


def constant(data: np.ndarray) -> Tensor:
    """A plain constant."""
    return Tensor(data.shape, data.dtype.name, data=data)


@dataclass
class SingleOp:
    """One operator: its builtin code (or custom name), options object, and tensors.

    `inputs` lists tensors in operator order (None = absent); those without data become model
    inputs.
    """

    code: int
    options: object | None
    inputs: Sequence[Tensor | None]
    outputs: Sequence[Tensor]
    custom: str = ""
    custom_options: bytes = b""
    intermediates: Sequence[Tensor] = field(default=())

    def model(self) -> bytes:
        """The flatbuffer."""
        m, g = schema.ModelT(), schema.SubGraphT()
        m.version, m.subgraphs, m.buffers = 3, [g], [schema.BufferT()]
        g.tensors, g.inputs, g.outputs = [], [], []
        op = schema.OperatorT()
        op.inputs, op.outputs, op.intermediates = [], [], []
        for t in self.inputs:
            op.inputs.append(-1 if t is None else self._add(m, g, t))
            if t is not None and t.data is None and not t.variable:
                g.inputs.append(op.inputs[-1])
        for t in self.outputs:
            op.outputs.append(self._add(m, g, t))
            g.outputs.append(op.outputs[-1])
        op.intermediates = [self._add(m, g, t) for t in self.intermediates]
        code = schema.OperatorCodeT()
        code.builtinCode, code.version = self.code, 1
        code.deprecatedBuiltinCode = min(self.code, 127)
        if self.custom:
            code.customCode = self.custom
            op.customOptions = list(self.custom_options)
        m.operatorCodes, g.operators = [code], [op]
        if self.options is not None:
            op.builtinOptions = self.options
            kind = type(self.options).__name__.removesuffix("T")
            op.builtinOptionsType = getattr(schema.BuiltinOptions, kind)
        builder = flatbuffers.Builder(1024)
        builder.Finish(m.Pack(builder), b"TFL3")
        return bytes(builder.Output())

    @staticmethod
    def _add(m: object, g: object, t: Tensor) -> int:
        tensor, buffer = schema.TensorT(), schema.BufferT()
        if t.data is not None:
            raw = np.ascontiguousarray(t.data, t.store).tobytes()
            buffer.data = np.frombuffer(raw, np.uint8)
        m.buffers.append(buffer)
        tensor.shape, tensor.type = list(t.shape), _TYPES[t.store]
        tensor.buffer, tensor.name = len(m.buffers) - 1, f"t{len(g.tensors)}"
        tensor.isVariable = t.variable
        if len(t.scales):
            q = schema.QuantizationParametersT()
            q.scale, q.quantizedDimension = [float(s) for s in t.scales], t.axis
            q.zeroPoint = [int(z) for z in t.zeros] or [0] * len(t.scales)
            tensor.quantization = q
        g.tensors.append(tensor)
        return len(g.tensors) - 1

    def run(self, *arrays: np.ndarray) -> list[np.ndarray]:
        """The oracle's outputs for these model inputs."""
        return run_micro(self.model(), arrays, len(self.outputs))


def interpreter(model: bytes) -> _runtime.Interpreter:
    """TensorFlow Lite Micro, loaded with a .tflite file."""
    return _runtime.Interpreter.from_bytes(model, arena_size=len(model) * 4 + (4 << 20))


def run_micro(model: bytes, arrays: Sequence[np.ndarray], outputs: int = 1) -> list[np.ndarray]:
    """Outputs of a .tflite file in TensorFlow Lite Micro."""
    oracle = interpreter(model)
    for i, array in enumerate(arrays):
        oracle.set_input(array, i)
    oracle.invoke()
    return [oracle.get_output(i).copy() for i in range(outputs)]


def random_affine(rng: np.random.Generator, store: str = "int8", spread: float = 2.0) -> Affine:
    """A random quantisation; int16 is symmetric, as TensorFlow Lite demands."""
    scale = float(np.float32(np.exp(rng.uniform(-spread, spread)) * 0.02))
    info = np.iinfo(store)
    zero = 0 if store == "int16" else int(rng.integers(info.min, info.max + 1))
    return Affine(scale, zero, store)


def random_data(rng: np.random.Generator, shape: Sequence[int], store: str = "int8") -> np.ndarray:
    """Uniform over the storage type."""
    info = np.iinfo(store)
    return rng.integers(info.min, info.max + 1, tuple(shape), dtype=store)
