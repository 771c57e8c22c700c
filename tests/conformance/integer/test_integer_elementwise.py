"""Element-wise products and sums, pooling, reductions and softmax against TensorFlow Lite Micro."""

import numpy as np
import pytest

from tests.conformance.integer.tflite_single_op import (
    SingleOp,
    constant,
    quantized,
    random_affine,
    random_data,
    schema,
)
from whet.ops.integer import addition, multiplication, pooling, reduction, softmax, softmax16
from whet.ops.integer.contraction import Window
from whet.ops.integer.quantization import Activation, Affine, activation_range, same_padding

OPS = schema.BuiltinOperator
FUNCTION = schema.ActivationFunctionType
ACTIVATIONS = [
    (Activation.NONE, FUNCTION.NONE),
    (Activation.RELU, FUNCTION.RELU),
    (Activation.RELU6, FUNCTION.RELU6),
]
SHAPES = [((2, 3, 4, 5), (2, 3, 4, 5)), ((1, 4, 4, 3), (3,)), ((1, 4, 4, 3), (1, 1, 1, 1))]


def binary(
    seed: int, wide: bool = True
) -> tuple[np.random.Generator, str, Affine, Affine, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    store = "int16" if wide and seed % 3 == 2 else "int8"
    a, b = random_affine(rng, store), random_affine(rng, store)
    shapes = SHAPES[seed % 3]
    return rng, store, a, b, *(random_data(rng, s, store) for s in shapes)


def output(rng: np.random.Generator, store: str, scale: float) -> Affine:
    zero = 0 if store == "int16" else int(rng.integers(-128, 128))
    return Affine(float(np.float32(scale)), zero, store)


@pytest.mark.parametrize("subtract", [False, True])
@pytest.mark.parametrize("seed", range(18))
def test_add_and_subtract(seed: int, subtract: bool) -> None:
    rng, store, a, b, da, db = binary(seed)
    y = output(rng, store, (a.scale + b.scale) * rng.uniform(0.5, 1.5))
    activation, function = ACTIVATIONS[seed % 3]
    c = addition.addition_constants(a, b, y, activation, "double", subtract=subtract)
    ours = addition.add(da, db, c)
    options = schema.SubOptionsT() if subtract else schema.AddOptionsT()
    options.fusedActivationFunction = function
    op = SingleOp(
        OPS.SUB if subtract else OPS.ADD, options,
        [quantized(da.shape, a), quantized(db.shape, b)], [quantized(ours.shape, y)],
    )  # fmt: skip
    np.testing.assert_array_equal(ours, op.run(da, db)[0])


@pytest.mark.parametrize("seed", range(12))
def test_mul(seed: int) -> None:
    rng, store, a, b, da, db = binary(seed)
    y = output(rng, store, a.scale * b.scale * (100 if store == "int8" else 2e4))
    activation, function = ACTIVATIONS[seed % 3]
    c = multiplication.multiplication_constants(a, b, y, activation, "double")
    ours = multiplication.mul(da, db, c)
    options = schema.MulOptionsT()
    options.fusedActivationFunction = function
    op = SingleOp(
        OPS.MUL, options,
        [quantized(da.shape, a), quantized(db.shape, b)], [quantized(ours.shape, y)],
    )  # fmt: skip
    np.testing.assert_array_equal(ours, op.run(da, db)[0])


@pytest.mark.parametrize("seed", range(12))
def test_squared_difference(seed: int) -> None:
    rng, store, a, b, da, db = binary(seed, wide=False)
    y = output(rng, store, max(a.scale, b.scale) ** 2 * 200)
    c = multiplication.squared_difference_constants(a, b, y, "double")
    ours = multiplication.squared_difference(da, db, c)
    op = SingleOp(
        OPS.SQUARED_DIFFERENCE, schema.SquaredDifferenceOptionsT(),
        [quantized(da.shape, a), quantized(db.shape, b)], [quantized(ours.shape, y)],
    )  # fmt: skip
    np.testing.assert_array_equal(ours, op.run(da, db)[0])


@pytest.mark.parametrize("seed", range(6))
def test_prelu(seed: int) -> None:
    rng, _, a, b, da, db = binary(seed, wide=False)
    y = output(rng, "int8", a.scale * rng.uniform(0.5, 2))
    c = multiplication.prelu_constants(a, b, y, "double")
    ours = multiplication.prelu(da, db, c)
    op = SingleOp(
        OPS.PRELU, None,
        [quantized(da.shape, a), quantized(db.shape, b, db)], [quantized(ours.shape, y)],
    )  # fmt: skip
    np.testing.assert_array_equal(ours, op.run(da)[0])


@pytest.mark.parametrize("kind", ["average", "max"])
@pytest.mark.parametrize("seed", range(10))
def test_pool(seed: int, kind: str) -> None:
    rng = np.random.default_rng(seed)
    store = "int16" if seed % 3 == 2 else "int8"
    h, w = (int(v) for v in rng.integers(3, 10, 2))
    kh, kw = (int(v) for v in rng.integers(1, 4, 2))
    sh, sw = (int(v) for v in rng.integers(1, 4, 2))
    same = seed % 2 == 1
    pads = (same_padding(h, kh, sh), same_padding(w, kw, sw)) if same else ((0, 0),) * 2
    x = random_affine(rng, store)
    activation, function = ACTIVATIONS[seed % 3]
    data = random_data(rng, (2, h, w, 5), store)
    pool = pooling.average_pool if kind == "average" else pooling.max_pool
    ours = pool(data, (kh, kw), Window((sh, sw), (1, 1), *pads), *activation_range(x, activation))
    options = schema.Pool2DOptionsT()
    options.filterHeight, options.filterWidth, options.strideH, options.strideW = kh, kw, sh, sw
    options.padding = schema.Padding.SAME if same else schema.Padding.VALID
    options.fusedActivationFunction = function
    code = OPS.AVERAGE_POOL_2D if kind == "average" else OPS.MAX_POOL_2D
    op = SingleOp(code, options, [quantized(data.shape, x)], [quantized(ours.shape, x)])
    np.testing.assert_array_equal(ours, op.run(data)[0])


@pytest.mark.parametrize("kind", ["mean", "sum"])
@pytest.mark.parametrize("seed", range(12))
def test_mean_and_sum(seed: int, kind: str) -> None:
    rng = np.random.default_rng(seed)
    store = "int16" if seed % 3 == 2 else "int8"
    shape = tuple(int(v) for v in rng.integers(1, 9, 4))
    axes = [(1, 2), (3,), (0, 3), (1,)][seed % 4]
    x = random_affine(rng, store)
    count = int(np.prod([shape[a] for a in axes]))
    spread = 0.4 if kind == "mean" else np.sqrt(count)
    y = output(rng, store, x.scale * spread * rng.uniform(0.7, 2))
    derive = reduction.mean_constants if kind == "mean" else reduction.sum_constants
    data = random_data(rng, shape, store)
    ours = reduction.mean_or_sum(data, axes, derive(x, y, count, "double"), seed % 2 == 0)
    options = schema.ReducerOptionsT()
    options.keepDims = seed % 2 == 0
    op = SingleOp(
        OPS.MEAN if kind == "mean" else OPS.SUM, options,
        [quantized(shape, x), constant(np.array(axes, np.int32))], [quantized(ours.shape, y)],
    )  # fmt: skip
    np.testing.assert_array_equal(ours, op.run(data)[0])


@pytest.mark.parametrize("kind", ["max", "min"])
def test_reduce_max_and_min(kind: str) -> None:
    rng = np.random.default_rng(7)
    x = random_affine(rng)
    data = random_data(rng, (2, 3, 4, 5))
    reduce = reduction.reduce_max if kind == "max" else reduction.reduce_min
    ours = reduce(data, (1, 3), True)
    options = schema.ReducerOptionsT()
    options.keepDims = True
    op = SingleOp(
        OPS.REDUCE_MAX if kind == "max" else OPS.REDUCE_MIN, options,
        [quantized(data.shape, x), constant(np.array([1, 3], np.int32))],
        [quantized(ours.shape, x)],
    )  # fmt: skip
    np.testing.assert_array_equal(ours, op.run(data)[0])


@pytest.mark.parametrize("store", ["int8", "int16"])
@pytest.mark.parametrize("seed", range(14))
def test_softmax(seed: int, store: str) -> None:
    rng = np.random.default_rng(seed)
    x = random_affine(rng, spread=3.0)
    beta = 1.0 if seed % 2 else float(np.float32(rng.uniform(0.3, 2)))
    depth = int(rng.integers(1, 300))
    data = random_data(rng, (5, depth))
    if seed % 3 == 0:
        data = (data // 16).astype(np.int8)
    c = softmax.softmax_constants(x, beta, "double", store)
    y = Affine(1 / 256, -128) if store == "int8" else Affine(1 / 65536, -32768, "int16")
    options = schema.SoftmaxOptionsT()
    options.beta = beta
    op = SingleOp(OPS.SOFTMAX, options, [quantized(data.shape, x)], [quantized(data.shape, y)])
    np.testing.assert_array_equal(softmax.softmax(data, c), op.run(data)[0])


@pytest.mark.parametrize("seed", range(10))
def test_softmax_of_int16(seed: int) -> None:
    rng = np.random.default_rng(seed)
    x = Affine(float(np.float32(np.exp(rng.uniform(-8, -5)))), 0, "int16")
    data = random_data(rng, (4, int(rng.integers(1, 200))), "int16")
    if seed % 2:
        data >>= 4
    c = softmax16.softmax16_constants(x, 1.0, "double")
    options = schema.SoftmaxOptionsT()
    options.beta = 1.0
    y = Affine(2.0**-15, 0, "int16")
    op = SingleOp(OPS.SOFTMAX, options, [quantized(data.shape, x)], [quantized(data.shape, y)])
    np.testing.assert_array_equal(softmax16.softmax16(data, c), op.run(data)[0])


@pytest.mark.parametrize("kind", ["MAXIMUM", "MINIMUM"])
@pytest.mark.parametrize("shapes", SHAPES)
def test_extremes_compare_codes(kind: str, shapes: tuple[tuple[int, ...], ...]) -> None:
    rng = np.random.default_rng(3)
    q = random_affine(rng)
    a, b = (random_data(rng, s) for s in shapes)
    ours = np.maximum(a, b) if kind == "MAXIMUM" else np.minimum(a, b)
    op = SingleOp(
        getattr(OPS, kind), schema.MaximumMinimumOptionsT(),
        [quantized(a.shape, q), quantized(b.shape, q)], [quantized(ours.shape, q)],
    )  # fmt: skip
    np.testing.assert_array_equal(ours, op.run(a, b)[0])


def test_padding_is_the_zero_point() -> None:
    rng = np.random.default_rng(4)
    q = random_affine(rng)
    a = random_data(rng, (1, 3, 4, 2))
    pads = np.array([[0, 0], [1, 2], [0, 3], [0, 0]], np.int32)
    ours = np.pad(a, pads, constant_values=q.zero)
    op = SingleOp(
        OPS.PAD, schema.PadOptionsT(),
        [quantized(a.shape, q), constant(pads)], [quantized(ours.shape, q)],
    )  # fmt: skip
    np.testing.assert_array_equal(ours, op.run(a)[0])
