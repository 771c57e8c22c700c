"""Run a quantised .tflite file with the integer definitions alone, one operator after another."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from whet.ops.integer import (
    addition,
    concatenation,
    contraction,
    lstm,
    pooling,
    reduction,
    resize,
    softmax,
    tables,
    unary,
)
from whet.ops.integer.contraction import Window
from whet.ops.integer.quantization import (
    Activation,
    Affine,
    Rounding,
    activation_range,
    same_padding,
)

schema = pytest.importorskip(
    "tflite_micro.tensorflow.lite.micro.python.schema_py_generated",
    reason="no TensorFlow Lite schema",
)

Steps = dict[str, Callable[..., np.ndarray | tuple[np.ndarray, ...]]]

_STORES = {
    0: "float32", 2: "int32", 3: "uint8", 4: "int64", 7: "int16", 9: "int8", 12: "uint64",
    15: "uint32",
}  # fmt: skip
_ACTIVATIONS = {0: Activation.NONE, 1: Activation.RELU, 2: Activation.RELU_N1_TO_1,
                3: Activation.RELU6}  # fmt: skip
_NAMES = {v: k for k, v in vars(schema.BuiltinOperator).items() if isinstance(v, int)}


class Walker:
    """A .tflite file and the values of its tensors.

    legacy: TensorFlow Lite's own runtime for uint8 graphs rounds weight scales to float32 products
    in every layer, where TensorFlow Lite Micro has only int8.
    """

    def __init__(self, path: Path, rounding: Rounding, steps: Steps | None = None) -> None:
        self.steps: Steps = _STEPS | (steps or {})
        self.states: dict[int, np.ndarray] = {}
        self.model = schema.ModelT.InitFromObj(schema.Model.GetRootAsModel(path.read_bytes(), 0))
        self.graph = self.model.subgraphs[0]
        self.rounding = rounding
        self.values: dict[int, np.ndarray] = {}

    def store(self, i: int) -> str:
        return _STORES[self.graph.tensors[i].type]

    def value(self, i: int) -> np.ndarray | None:
        """The value of tensor i: computed, or constant; None when absent."""
        if i < 0:
            return None
        if i not in self.values:
            t = self.graph.tensors[i]
            raw = np.asarray(self.model.buffers[t.buffer].data, np.uint8).tobytes()
            shape = tuple(t.shape) if t.shape is not None else ()
            self.values[i] = np.frombuffer(raw, self.store(i)).reshape(shape)
        return self.values[i]

    def affine(self, i: int) -> Affine:
        q = self.graph.tensors[i].quantization
        return Affine(float(np.float32(q.scale[0])), int(q.zeroPoint[0]), self.store(i))

    def run(self, *inputs: np.ndarray) -> list[np.ndarray]:
        """The graph's outputs that integer operators produce; float ones are left out."""
        for i, x in zip(self.graph.inputs, inputs, strict=True):
            self.values[int(i)] = x
        for op in self.graph.operators:
            code = self.model.operatorCodes[op.opcodeIndex]
            name = _NAMES[max(code.builtinCode, code.deprecatedBuiltinCode)]
            if self.store(int(op.outputs[0])) == "float32":
                continue
            result = self.steps[code.customCode.decode() if code.customCode else name](self, op)
            results = result if isinstance(result, tuple) else (result,)
            self.values.update(zip(map(int, op.outputs), results, strict=True))
        return [self.values[int(i)] for i in self.graph.outputs if int(i) in self.values]


def _window(
    w: Walker, op: schema.OperatorT, kernel: tuple[int, int], dilation: tuple[int, int]
) -> Window:
    o, shape = op.builtinOptions, w.value(op.inputs[0]).shape
    pads = ((0, 0), (0, 0))
    if o.padding == schema.Padding.SAME:
        pads = (
            same_padding(shape[1], kernel[0], o.strideH, dilation[0]),
            same_padding(shape[2], kernel[1], o.strideW, dilation[1]),
        )
    return Window((o.strideH, o.strideW), dilation, *pads)


def _constants(w: Walker, op: schema.OperatorT, fully_connected: bool) -> contraction.Contraction:
    q = w.graph.tensors[op.inputs[1]].quantization
    legacy = w.store(op.inputs[0]) == "uint8"
    single = len(q.scale) == 1
    return contraction.contraction_constants(
        w.affine(op.inputs[0]), q.scale, w.affine(op.outputs[0]),
        _ACTIVATIONS[op.builtinOptions.fusedActivationFunction], w.rounding,
        w_zero=int(q.zeroPoint[0]) if single else 0,
        float32_product=single and (fully_connected or legacy),
    )  # fmt: skip


def _bias(w: Walker, op: schema.OperatorT) -> np.ndarray | None:
    return w.value(op.inputs[2]) if len(op.inputs) > 2 else None


def _conv2d(w: Walker, op: schema.OperatorT) -> np.ndarray:
    x, k, o = w.value(op.inputs[0]), w.value(op.inputs[1]), op.builtinOptions
    window = _window(w, op, k.shape[1:3], (o.dilationHFactor, o.dilationWFactor))
    c = _constants(w, op, False)
    if type(o).__name__.startswith("Depthwise"):
        return contraction.depthwise_conv2d(x, k, _bias(w, op), window, c)
    return contraction.conv2d(x, k, _bias(w, op), window, c)


def _fully_connected(w: Walker, op: schema.OperatorT) -> np.ndarray:
    k = w.value(op.inputs[1])
    x = w.value(op.inputs[0]).reshape(-1, k.shape[1])
    y = contraction.fully_connected(x, k, _bias(w, op), _constants(w, op, True))
    return y.reshape(w.graph.tensors[op.outputs[0]].shape)


def _add(w: Walker, op: schema.OperatorT) -> np.ndarray:
    a, b = op.inputs
    activation = _ACTIVATIONS[op.builtinOptions.fusedActivationFunction]
    qa, qb, qy = w.affine(a), w.affine(b), w.affine(op.outputs[0])
    c = addition.addition_constants(qa, qb, qy, activation, w.rounding)
    return addition.add(w.value(a), w.value(b), c)


def _pool(function: Callable[..., np.ndarray]) -> Callable[[Walker, object], np.ndarray]:
    def step(w: Walker, op: schema.OperatorT) -> np.ndarray:
        o = op.builtinOptions
        kernel = (o.filterHeight, o.filterWidth)
        clamp = activation_range(w.affine(op.outputs[0]), _ACTIVATIONS[o.fusedActivationFunction])
        return function(w.value(op.inputs[0]), kernel, _window(w, op, kernel, (1, 1)), *clamp)

    return step


def _softmax(w: Walker, op: schema.OperatorT) -> np.ndarray:
    x, y = op.inputs[0], op.outputs[0]
    c = softmax.softmax_constants(
        w.affine(x), op.builtinOptions.beta, w.rounding, w.store(y)
    )  # fmt: skip
    return softmax.softmax(w.value(x), c)


def _mean(w: Walker, op: schema.OperatorT) -> np.ndarray:
    x = w.value(op.inputs[0])
    axes = [int(a) % x.ndim for a in np.atleast_1d(w.value(op.inputs[1]))]
    count = int(np.prod([x.shape[a] for a in axes]))
    c = reduction.mean_constants(w.affine(op.inputs[0]), w.affine(op.outputs[0]), count, w.rounding)
    return reduction.mean_or_sum(x, axes, c, bool(op.builtinOptions.keepDims))


def _quantize(w: Walker, op: schema.OperatorT) -> np.ndarray:
    x, y = op.inputs[0], op.outputs[0]
    return unary.rescale(w.value(x), unary.rescale_constants(w.affine(x), w.affine(y), w.rounding))


def _lstm(w: Walker, op: schema.OperatorT) -> np.ndarray:
    """TensorFlow Lite's order of gates is input, forget, cell, output; so is ours."""
    i = [int(v) for v in op.inputs]
    o = op.builtinOptions
    x, hidden, cell = w.value(i[0]), w.graph.tensors[i[18]], w.graph.tensors[i[19]]
    c = lstm.lstm_constants(
        w.affine(i[0]), w.affine(i[18]), w.affine(i[19]).scale,
        tuple(w.affine(v).scale for v in i[1:5]), tuple(w.affine(v).scale for v in i[5:9]),
        float(o.cellClip), w.rounding,
    )  # fmt: skip
    weights = lstm.LstmWeights(*(tuple(w.value(v) for v in i[a : a + 4]) for a in (1, 5, 12)))
    start = np.full(hidden.shape, w.affine(i[18]).zero, w.store(i[18]))
    rest = np.zeros(cell.shape, np.int16)
    x = x.swapaxes(0, 1) if o.timeMajor else x
    y = lstm.lstm(x, start, rest, weights, c)[0]
    return y.swapaxes(0, 1) if o.timeMajor else y


def _concatenation(w: Walker, op: schema.OperatorT) -> np.ndarray:
    y = w.affine(op.outputs[0])
    tables = [concatenation.concatenation_table(w.affine(i), y, w.rounding) for i in op.inputs]
    return concatenation.concatenate(
        [w.value(i) for i in op.inputs], tables, op.builtinOptions.axis
    )


def _logistic(w: Walker, op: schema.OperatorT) -> np.ndarray:
    x, y = op.inputs[0], op.outputs[0]
    return unary.lookup(w.value(x), tables.logistic_table(w.affine(x), w.affine(y), w.rounding))


def _resize_bilinear(w: Walker, op: schema.OperatorT) -> np.ndarray:
    size = [int(v) for v in w.value(op.inputs[1])]
    o = op.builtinOptions
    return resize.resize_bilinear(
        w.value(op.inputs[0]), (size[0], size[1]), w.rounding,
        align_corners=bool(o.alignCorners), half_pixel_centers=bool(o.halfPixelCenters),
    )  # fmt: skip


def _arg_max(w: Walker, op: schema.OperatorT) -> np.ndarray:
    return w.value(op.inputs[0]).argmax(axis=int(w.value(op.inputs[1])))


def _reshape(w: Walker, op: schema.OperatorT) -> np.ndarray:
    return w.value(op.inputs[0]).reshape(w.graph.tensors[op.outputs[0]].shape)


_STEPS: Steps = {
    "CONV_2D": _conv2d,
    "DEPTHWISE_CONV_2D": _conv2d,
    "FULLY_CONNECTED": _fully_connected,
    "ADD": _add,
    "AVERAGE_POOL_2D": _pool(pooling.average_pool),
    "MAX_POOL_2D": _pool(pooling.max_pool),
    "SOFTMAX": _softmax,
    "MEAN": _mean,
    "QUANTIZE": _quantize,
    "RESHAPE": _reshape,
    "ARG_MAX": _arg_max,
    "RESIZE_BILINEAR": _resize_bilinear,
    "CONCATENATION": _concatenation,
    "LOGISTIC": _logistic,
    "UNIDIRECTIONAL_SEQUENCE_LSTM": _lstm,
}
