"""Activation tables and rescaling against TensorFlow Lite Micro, and against the real function."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from tests.conformance.integer.tflite_single_op import (
    SingleOp,
    quantized,
    random_affine,
    random_data,
    schema,
)
from whet.ops.integer import tables, unary
from whet.ops.integer.quantization import Activation, Affine, Rounding

OPS = schema.BuiltinOperator
Table = Callable[[Affine, Affine, Rounding], np.ndarray]
LEAKY = 0.1875


def leaky(x: Affine, y: Affine, rounding: Rounding) -> np.ndarray:
    return tables.leaky_relu_table(x, y, LEAKY, rounding)


def relu(x: Affine, y: Affine, rounding: Rounding) -> np.ndarray:
    c = unary.relu_constants(x, y, Activation.RELU, rounding)
    return unary.table_of(lambda v: unary.rescale(v, c), "int8")


def sigmoid(v: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-v))


CASES: dict[str, tuple[int, Table, Affine | None, Callable[[np.ndarray], np.ndarray]]] = {
    "logistic": (OPS.LOGISTIC, tables.logistic_table, Affine(1 / 256, -128), sigmoid),
    "tanh": (OPS.TANH, tables.tanh_table, Affine(1 / 128, 0), np.tanh),
    "elu": (OPS.ELU, tables.elu_table, None, lambda v: np.where(v < 0, np.expm1(v), v)),
    "hard_swish": (
        OPS.HARD_SWISH, tables.hard_swish_table, None, lambda v: v * np.clip(v + 3, 0, 6) / 6,
    ),
    "leaky_relu": (OPS.LEAKY_RELU, leaky, None, lambda v: np.where(v < 0, LEAKY * v, v)),
    "relu": (OPS.RELU, relu, None, lambda v: np.maximum(v, 0)),
    "relu6": (OPS.RELU6, tables.relu6_table, None, lambda v: np.clip(v, 0, 6)),
    "abs": (OPS.ABS, tables.absolute_table, None, np.abs),
    "rsqrt": (
        OPS.RSQRT, tables.reciprocal_sqrt_table, None, lambda v: 1 / np.sqrt(np.maximum(v, 1e-9)),
    ),
}  # fmt: skip


def quantisations(name: str, seed: int) -> tuple[Affine, Affine]:
    rng = np.random.default_rng(seed)
    x = random_affine(rng)
    y = CASES[name][2] or Affine(float(np.float32(x.scale * rng.uniform(0.6, 3))), x.zero // 2)
    if name == "relu6":
        y = x
    if name == "rsqrt":
        x = Affine(x.scale, -128)
        y = Affine(float(np.float32(0.01 / np.sqrt(x.scale))), -128)
    return x, y


@pytest.mark.parametrize("seed", range(10))
@pytest.mark.parametrize("name", CASES)
def test_double_gives_the_oracle_bits(name: str, seed: int) -> None:
    code, table, _, _ = CASES[name]
    x, y = quantisations(name, seed)
    data = np.arange(-128, 128, dtype=np.int8).reshape(2, 128)
    ours = unary.lookup(data, table(x, y, "double"))
    options = None
    if name == "leaky_relu":
        options = schema.LeakyReluOptionsT()
        options.alpha = LEAKY
    op = SingleOp(code, options, [quantized(data.shape, x)], [quantized(data.shape, y)])
    np.testing.assert_array_equal(ours, op.run(data)[0])


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("name", CASES)
def test_single_is_the_rounded_real_function(name: str, seed: int) -> None:
    _, table, _, real = CASES[name]
    x, y = quantisations(name, seed)
    q = np.arange(-128, 128)
    values = real(x.scale * (q - x.zero).astype(np.float64)) / y.scale
    inside = np.clip(values, y.low - y.zero, y.high - y.zero)
    got = table(x, y, "single")[q & 255].astype(np.float64) - y.zero
    assert np.abs(got - inside).max() <= 0.5 + 1e-6


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize(
    ("source", "target"),
    [("int8", "int8"), ("uint8", "int8"), ("int8", "uint8"), ("int16", "int8"),
     ("int8", "int16"), ("int16", "int16"), ("int32", "int8")],
)  # fmt: skip
def test_rescale(source: str, target: str, seed: int) -> None:
    rng = np.random.default_rng(seed)
    wide = source == "int32"
    x = Affine(random_affine(rng).scale * 2.0**-16, 0, "int32") if wide else (
        random_affine(rng, source)
    )  # fmt: skip
    y = random_affine(rng, target)
    data = random_data(rng, (400,), source)
    if wide:
        data = data >> 6
    ours = unary.rescale(data, unary.rescale_constants(x, y, "double"))
    op = SingleOp(
        OPS.QUANTIZE, schema.QuantizeOptionsT(),
        [quantized(data.shape, x)], [quantized(data.shape, y)],
    )  # fmt: skip
    np.testing.assert_array_equal(ours, op.run(data)[0])
