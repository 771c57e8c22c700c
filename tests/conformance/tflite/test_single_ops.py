"""Single operators through the importer, the meaning and emitted C: the bits of TFLite Micro."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import pytest

import whet
from tests.conformance.integer.tflite_single_op import (
    SingleOp,
    Tensor,
    constant,
    quantized,
    random_data,
    schema,
)
from whet.ops.integer.quantization import Affine

OPS = schema.BuiltinOperator
A, B, Y = Affine(0.02, -9, "int8"), Affine(0.035, 4, "int8"), Affine(0.03, 11, "int8")
WIDE_A, WIDE_Y = Affine(2.0**-12, 0, "int16"), Affine(2.0**-11, 0, "int16")
UNIT = Affine(1 / 256, -128, "int8")


def options(name: str, **fields: object) -> object:
    made = getattr(schema, f"{name}OptionsT")()
    for key, value in fields.items():
        setattr(made, key, value)
    return made


@dataclass
class Case:
    """An operator and how its outputs compare: codes to the bit, floats within `tolerance`."""

    op: SingleOp
    tolerance: float = 0.0
    ranges: dict[int, tuple[float, float]] = field(default_factory=dict)

    def inputs(self, seed: int) -> list[np.ndarray]:
        rng = np.random.default_rng(seed)
        given = [t for t in self.op.inputs if t is not None and t.data is None and not t.variable]
        made = []
        for i, t in enumerate(given):
            if t.store == "float32":
                made.append(rng.uniform(*self.ranges.get(i, (-3, 3)), t.shape).astype(np.float32))
            elif t.store == "bool":
                made.append(rng.integers(0, 2, t.shape).astype(bool))
            elif t.scales:
                made.append(random_data(rng, t.shape, t.store))
            else:
                made.append(rng.integers(*self.ranges.get(i, (-9, 10)), t.shape).astype(t.store))
        return made


def real(*shape: int) -> Tensor:
    return Tensor(shape, "float32")


def ints(*values: int) -> Tensor:
    return constant(np.array(values, np.int32))


def weights(shape: tuple[int, ...], scales: int, axis: int) -> Tensor:
    rng = np.random.default_rng(5)
    data = rng.integers(-127, 128, shape).astype(np.int8)
    values = [float(np.float32(s)) for s in rng.uniform(0.004, 0.02, scales)]
    return Tensor(shape, "int8", values, [0] * scales, axis, data)


def bias(count: int, x: Affine, w: Tensor) -> Tensor:
    data = np.random.default_rng(6).integers(-900, 900, count).astype(np.int32)
    wide = x.store == "int16"
    scales = [float(np.float32(x.scale) * np.float32(s)) for s in w.scales]
    kind = "int64" if wide else "int32"
    return Tensor((count,), kind, scales, [0] * len(scales), 0, data.astype(kind))


def convolution(x: Affine, y: Affine, *, stride: int, same: bool, dilation: int = 1) -> Case:
    w = weights((5, 3, 3, 4), 5, 0)
    o = options(
        "Conv2D", strideH=stride, strideW=stride, padding=0 if same else 1,
        dilationHFactor=dilation, dilationWFactor=dilation, fusedActivationFunction=1,
    )  # fmt: skip
    reach = 2 * dilation
    size = -(-9 // stride) if same else (9 - reach - 1) // stride + 1
    out = quantized((1, size, size, 5), y)
    return Case(SingleOp(OPS.CONV_2D, o, [quantized((1, 9, 9, 4), x), w, bias(5, x, w)], [out]))


def depthwise(multiplier: int) -> Case:
    w = weights((1, 3, 3, 6 * multiplier), 6 * multiplier, 3)
    o = options(
        "DepthwiseConv2D", strideH=2, strideW=2, padding=0, depthMultiplier=multiplier,
        dilationHFactor=1, dilationWFactor=1, fusedActivationFunction=3,
    )  # fmt: skip
    out = quantized((1, 4, 4, 6 * multiplier), Y)
    op = [quantized((1, 7, 7, 6), A), w, bias(6 * multiplier, A, w)]
    return Case(SingleOp(OPS.DEPTHWISE_CONV_2D, o, op, [out]))


def transposed(same: bool, stride: int) -> Case:
    w = weights((4, 3, 3, 3), 4, 0)
    size = 5 * stride if same else (5 - 1) * stride + 3
    o = options("TransposeConv", strideH=stride, strideW=stride, padding=0 if same else 1)
    op = [ints(1, size, size, 4), w, quantized((1, 5, 5, 3), A), bias(4, A, w)]
    return Case(SingleOp(OPS.TRANSPOSE_CONV, o, op, [quantized((1, size, size, 4), Y)]))


def connected(x: Affine, y: Affine) -> Case:
    w = weights((7, 12), 1, 0)
    op = [quantized((3, 12), x), w, bias(7, x, w)]
    o = options("FullyConnected", keepNumDims=False)
    return Case(SingleOp(OPS.FULLY_CONNECTED, o, op, [quantized((3, 7), y)]))


def pairwise(
    code: int, name: str, a: Affine, b: Affine, y: Affine, *shapes: tuple[int, ...]
) -> Case:
    out = np.broadcast_shapes(*shapes)
    o = options(name) if name else None
    op = [quantized(shapes[0], a), quantized(shapes[1], b)]
    return Case(SingleOp(code, o, op, [quantized(out, y)]))


def unary(code: int, x: Affine, y: Affine, name: str = "") -> Case:
    shape = (2, 3, 50)
    o = options(name) if name else None
    return Case(SingleOp(code, o, [quantized(shape, x)], [quantized(shape, y)]))


def moved(
    code: int, o: object, out: tuple[int, ...], *more: Tensor,
    shape: tuple[int, ...] = (2, 4, 4, 8), q: Affine = A,
) -> Case:  # fmt: skip
    return Case(SingleOp(code, o, [quantized(shape, q), *more], [quantized(out, q)]))


def floats(code: int, o: object, low: float = -3.0, count: int = 1, out: str = "float32") -> Case:
    shape = (2, 3, 7)
    op = SingleOp(code, o, [real(*shape)] * count, [Tensor(shape, out)])
    return Case(op, 2e-6, dict.fromkeys(range(count), (low, 3.0)))


def product(adjoint: bool) -> Case:
    o = options("BatchMatMul", adjX=False, adjY=adjoint)
    b = (2, 6, 4) if adjoint else (2, 4, 6)
    return Case(
        SingleOp(
            OPS.BATCH_MATMUL, o, [quantized((2, 5, 4), A), quantized(b, B)],
            [quantized((2, 5, 6), Y)],
        )
    )  # fmt: skip


def svdf() -> Case:
    rng = np.random.default_rng(4)
    feature = Tensor((4, 6), "int8", [0.01], [0], 0, rng.integers(-127, 128, (4, 6)))
    time = Tensor((4, 5), "int16", [0.0004], [0], 0, rng.integers(-3000, 3000, (4, 5)))
    state = Tensor((2, 20), "int16", [0.002], [0], variable=True)
    offset = Tensor((2,), "int32", [0.002 * 0.0004], [0], 0, rng.integers(-9000, 9000, 2))
    o = options("SVDF", rank=2, fusedActivationFunction=1)
    op = [quantized((2, 6), A), feature, time, offset, state]
    return Case(SingleOp(OPS.SVDF, o, op, [quantized((2, 2), Y)]))


CASES: dict[str, Callable[[], Case]] = {
    "conv": lambda: convolution(A, Y, stride=1, same=True),
    "conv strided": lambda: convolution(A, Y, stride=2, same=False),
    "conv dilated": lambda: convolution(A, Y, stride=1, same=True, dilation=2),
    "conv int16": lambda: convolution(WIDE_A, WIDE_Y, stride=2, same=True),
    "depthwise": lambda: depthwise(1),
    "depthwise multiplied": lambda: depthwise(3),
    "transposed conv same": lambda: transposed(True, 2),
    "transposed conv valid": lambda: transposed(False, 3),
    "fully connected": lambda: connected(A, Y),
    "fully connected int16": lambda: connected(WIDE_A, WIDE_Y),
    "batch matmul": lambda: product(False),
    "batch matmul adjoint": lambda: product(True),
    "add": lambda: pairwise(OPS.ADD, "Add", A, B, Y, (2, 3, 50), (2, 3, 50)),
    "add broadcast": lambda: pairwise(OPS.ADD, "Add", A, B, Y, (2, 3, 5, 8), (3, 1, 8)),
    "add int16": lambda: pairwise(OPS.ADD, "Add", WIDE_A, WIDE_A, WIDE_Y, (2, 9), (2, 9)),
    "sub": lambda: pairwise(OPS.SUB, "Sub", A, B, Y, (2, 3, 50), (2, 3, 50)),
    "mul": lambda: pairwise(OPS.MUL, "Mul", A, B, Y, (2, 3, 50), (2, 3, 50)),
    "mul broadcast": lambda: pairwise(OPS.MUL, "Mul", A, B, Y, (2, 3, 5, 8), (1, 1, 1, 8)),
    "squared difference": lambda: pairwise(
        OPS.SQUARED_DIFFERENCE, "SquaredDifference", A, B, Y, (2, 3, 50), (2, 3, 50)
    ),
    "maximum": lambda: pairwise(OPS.MAXIMUM, "MaximumMinimum", A, A, A, (3, 50), (3, 50)),
    "minimum": lambda: pairwise(OPS.MINIMUM, "MaximumMinimum", A, A, A, (3, 50), (1, 50)),
    "prelu": lambda: pairwise(OPS.PRELU, "", A, B, Y, (1, 4, 4, 8), (1, 1, 8)),
    "logistic": lambda: unary(OPS.LOGISTIC, A, UNIT),
    "tanh": lambda: unary(OPS.TANH, A, Affine(1 / 128, 0, "int8")),
    "elu": lambda: unary(OPS.ELU, A, Y),
    "leaky relu": lambda: unary(OPS.LEAKY_RELU, A, Y, "LeakyRelu"),
    "relu": lambda: unary(OPS.RELU, A, Y),
    "relu6": lambda: unary(OPS.RELU6, A, A),
    "hard swish": lambda: unary(OPS.HARD_SWISH, A, Y, "HardSwish"),
    "softmax": lambda: Case(
        SingleOp(
            OPS.SOFTMAX, options("Softmax", beta=1.0), [quantized((4, 30), A)],
            [quantized((4, 30), UNIT)],
        )
    ),
    "l2 normalization": lambda: Case(
        SingleOp(
            OPS.L2_NORMALIZATION, options("L2Norm"), [quantized((4, 30), A)],
            [quantized((4, 30), Affine(1 / 128, 0, "int8"))],
        )
    ),
    "svdf": svdf,
    "mean": lambda: Case(
        SingleOp(
            OPS.MEAN, options("Reducer", keepDims=False), [quantized((2, 5, 5, 8), A), ints(1, 2)],
            [quantized((2, 8), Y)],
        )
    ),
    "space to depth": lambda: moved(
        OPS.SPACE_TO_DEPTH, options("SpaceToDepth", blockSize=2), (2, 2, 2, 32)
    ),
    "depth to space": lambda: moved(
        OPS.DEPTH_TO_SPACE, options("DepthToSpace", blockSize=2), (2, 8, 8, 2)
    ),
    # TFLite Micro pads with the code 0, TensorFlow Lite and Whet with the zero point.
    "space to batch": lambda: moved(
        OPS.SPACE_TO_BATCH_ND, options("SpaceToBatchND"), (8, 3, 2, 8), ints(2, 2),
        constant(np.array([[1, 1], [0, 0]], np.int32)), q=Affine(0.02, 0, "int8"),
    ),
    "batch to space": lambda: moved(
        OPS.BATCH_TO_SPACE_ND, options("BatchToSpaceND"), (2, 7, 8, 8), ints(2, 2),
        constant(np.array([[1, 0], [0, 0]], np.int32)), shape=(8, 4, 4, 8),
    ),
    "resize bilinear": lambda: moved(
        OPS.RESIZE_BILINEAR, options("ResizeBilinear", halfPixelCenters=True), (2, 7, 9, 8),
        ints(7, 9),
    ),
    "resize nearest": lambda: moved(
        OPS.RESIZE_NEAREST_NEIGHBOR, options("ResizeNearestNeighbor", alignCorners=True),
        (2, 7, 9, 8), ints(7, 9),
    ),
    "exp": lambda: floats(OPS.EXP, options("Exp")),
    "rsqrt": lambda: floats(OPS.RSQRT, None, low=0.1),
    "log": lambda: floats(OPS.LOG, None, low=0.1),
    "square": lambda: floats(OPS.SQUARE, None),
    "float elu": lambda: floats(OPS.ELU, None),
    "float softmax": lambda: floats(OPS.SOFTMAX, options("Softmax", beta=0.5)),
    "log softmax": lambda: floats(OPS.LOG_SOFTMAX, options("LogSoftmax")),
    "div": lambda: floats(OPS.DIV, options("Div"), low=0.5, count=2),
    "floor mod": lambda: floats(OPS.FLOOR_MOD, None, low=0.5, count=2),
    "floor div": lambda: floats(OPS.FLOOR_DIV, None, low=0.5, count=2),
    "float squared difference": lambda: floats(OPS.SQUARED_DIFFERENCE, None, count=2),
    "less": lambda: floats(OPS.LESS, options("Less"), count=2, out="bool"),
    "greater equal": lambda: floats(
        OPS.GREATER_EQUAL, options("GreaterEqual"), count=2, out="bool"
    ),
    "not equal": lambda: floats(OPS.NOT_EQUAL, options("NotEqual"), count=2, out="bool"),
    "cumsum": lambda: Case(
        SingleOp(
            OPS.CUMSUM, options("Cumsum", exclusive=True, reverse=True),
            [real(3, 5), ints(1)], [real(3, 5)],
        ), 2e-6,
    ),
    "select": lambda: Case(
        SingleOp(
            OPS.SELECT_V2, options("SelectV2"), [Tensor((3, 5), "bool"), real(3, 5), real(3, 5)],
            [real(3, 5)],
        )
    ),
    "unpack": lambda: Case(
        SingleOp(
            OPS.UNPACK, options("Unpack", num=3, axis=1), [quantized((2, 3, 5), A)],
            [quantized((2, 5), A)] * 3,
        )
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_operator(name: str) -> None:
    case = CASES[name]()
    model = case.op.model()
    graph = whet.import_model(model)
    session = whet.compile(graph).session()
    for seed in range(2):
        arrays = case.inputs(seed)
        given = dict(zip(graph.input_names, arrays, strict=True))
        expected = case.op.run(*arrays)
        session.reset()
        made, meant = session(given), whet.evaluate(graph, given)
        for key, oracle in zip(graph.output_names, expected, strict=True):
            for ours in (meant[key], made[key]):
                if case.tolerance:
                    np.testing.assert_allclose(ours, oracle, rtol=case.tolerance, atol=1e-6)
                else:
                    np.testing.assert_array_equal(ours, oracle)
