"""conv2d, depthwise, fully connected and transposed convolution against TensorFlow Lite Micro."""

import numpy as np
import pytest

from tests.conformance.integer.tflite_single_op import (
    SingleOp,
    Tensor,
    quantized,
    random_affine,
    random_data,
    schema,
)
from whet.ops.integer import contraction
from whet.ops.integer.contraction import Window, contraction_constants
from whet.ops.integer.quantization import Activation, Affine, same_padding

OPS = schema.BuiltinOperator
ACTIVATIONS = [Activation.NONE, Activation.RELU, Activation.RELU6, Activation.RELU_N1_TO_1]


def weight_scales(rng: np.random.Generator, channels: int, per_channel: bool) -> np.ndarray:
    n = channels if per_channel else 1
    return np.exp(rng.uniform(-2, 1, n)).astype(np.float32) * np.float32(0.01)


def problem(
    rng: np.random.Generator, store: str, depth: int, w_scales: np.ndarray
) -> tuple[Affine, Affine]:
    """Quantisations that use the output range without always saturating, and a bias."""
    x = random_affine(rng, store)
    spread = float(np.median(w_scales)) * x.scale * np.sqrt(depth)
    y_scale = spread * (60 if store == "int8" else 9000) * np.exp(rng.uniform(-1, 1))
    zero = 0 if store == "int16" else int(rng.integers(-128, 128))
    return x, Affine(float(np.float32(y_scale)), zero, store)


def geometry(rng: np.random.Generator, padding: str) -> tuple[int, int, int, int, Window]:
    h, w = (int(v) for v in rng.integers(4, 11, 2))
    kh, kw = (int(v) for v in rng.integers(1, 5, 2))
    sh, sw = (int(v) for v in rng.integers(1, 4, 2))
    dh, dw = (int(v) for v in rng.integers(1, 3, 2)) if sh == sw == 1 else (1, 1)
    kh, kw = min(kh, (h - 1) // dh + 1), min(kw, (w - 1) // dw + 1)
    pads = (same_padding(h, kh, sh, dh), same_padding(w, kw, sw, dw))
    window = Window((sh, sw), (dh, dw), *(pads if padding == "SAME" else ((0, 0), (0, 0))))
    return h, w, kh, kw, window


@pytest.mark.parametrize("seed", range(24))
def test_conv2d(seed: int) -> None:
    rng = np.random.default_rng(seed)
    store = "int16" if seed % 4 == 3 else "int8"
    padding = "SAME" if seed % 2 else "VALID"
    h, w, kh, kw, window = geometry(rng, padding)
    groups = 2 if seed % 5 == 4 else 1
    cin, cout = int(rng.integers(1, 6)) * groups, int(rng.integers(1, 9)) * groups
    scales = weight_scales(rng, cout, seed % 3 != 0)
    x, y = problem(rng, store, kh * kw * cin // groups, scales)
    activation = ACTIVATIONS[seed % 4]
    data = random_data(rng, (2, h, w, cin), store)
    weights = rng.integers(-127, 128, (cout, kh, kw, cin // groups), dtype=np.int8)
    bias_type = "int64" if store == "int16" else "int32"
    bias = rng.integers(-4000, 4000, cout, dtype=bias_type)
    c = contraction_constants(x, scales, y, activation, "double", wide=store == "int16")
    ours = contraction.conv2d(data, weights, bias, window, c)
    options = schema.Conv2DOptionsT()
    options.strideH, options.strideW = window.stride
    options.dilationHFactor, options.dilationWFactor = window.dilation
    options.padding = getattr(schema.Padding, padding)
    options.fusedActivationFunction = ACTIVATIONS_TFLITE[activation]
    op = SingleOp(
        OPS.CONV_2D, options,
        [quantized(data.shape, x),
         Tensor(weights.shape, "int8", scales, [0] * len(scales), 0, weights),
         Tensor(bias.shape, bias_type, scales * np.float32(x.scale), [0] * len(scales), 0, bias)],
        [quantized(ours.shape, y)],
    )  # fmt: skip
    np.testing.assert_array_equal(ours, op.run(data)[0])


ACTIVATIONS_TFLITE = {
    Activation.NONE: schema.ActivationFunctionType.NONE,
    Activation.RELU: schema.ActivationFunctionType.RELU,
    Activation.RELU6: schema.ActivationFunctionType.RELU6,
    Activation.RELU_N1_TO_1: schema.ActivationFunctionType.RELU_N1_TO_1,
}


@pytest.mark.parametrize("seed", range(16))
def test_depthwise_conv2d(seed: int) -> None:
    rng = np.random.default_rng(seed)
    store = "int16" if seed % 4 == 3 else "int8"
    padding = "SAME" if seed % 2 else "VALID"
    h, w, kh, kw, window = geometry(rng, padding)
    cin, multiple = int(rng.integers(1, 9)), int(rng.integers(1, 4))
    scales = weight_scales(rng, cin * multiple, seed % 3 != 0)
    x, y = problem(rng, store, kh * kw, scales)
    activation = ACTIVATIONS[seed % 4]
    data = random_data(rng, (1, h, w, cin), store)
    weights = rng.integers(-127, 128, (1, kh, kw, cin * multiple), dtype=np.int8)
    bias_type = "int64" if store == "int16" else "int32"
    bias = rng.integers(-4000, 4000, cin * multiple, dtype=bias_type)
    c = contraction_constants(x, scales, y, activation, "double", wide=store == "int16")
    ours = contraction.depthwise_conv2d(data, weights, bias, window, c)
    options = schema.DepthwiseConv2DOptionsT()
    options.strideH, options.strideW = window.stride
    options.dilationHFactor, options.dilationWFactor = window.dilation
    options.depthMultiplier = multiple
    options.padding = getattr(schema.Padding, padding)
    options.fusedActivationFunction = ACTIVATIONS_TFLITE[activation]
    op = SingleOp(
        OPS.DEPTHWISE_CONV_2D, options,
        [quantized(data.shape, x),
         Tensor(weights.shape, "int8", scales, [0] * len(scales), 3, weights),
         Tensor(bias.shape, bias_type, scales * np.float32(x.scale), [0] * len(scales), 0, bias)],
        [quantized(ours.shape, y)],
    )  # fmt: skip
    np.testing.assert_array_equal(ours, op.run(data)[0])


@pytest.mark.parametrize("seed", range(16))
def test_fully_connected(seed: int) -> None:
    rng = np.random.default_rng(seed)
    store = "int16" if seed % 4 == 3 else "int8"
    rows, cin, cout = (int(v) for v in rng.integers(1, 40, 3))
    scales = weight_scales(rng, cout, seed % 3 == 0)
    per_tensor = len(scales) == 1
    x, y = problem(rng, store, cin, scales)
    w_zero = int(rng.integers(-20, 20)) if per_tensor and store == "int8" else 0
    activation = ACTIVATIONS[seed % 4]
    data = random_data(rng, (rows, cin), store)
    weights = rng.integers(-127, 128, (cout, cin), dtype=np.int8)
    bias_type = "int64" if store == "int16" else "int32"
    bias = rng.integers(-4000, 4000, cout, dtype=bias_type) if seed % 5 else None
    c = contraction_constants(
        x, scales, y, activation, "double",
        w_zero=w_zero, wide=store == "int16", float32_product=per_tensor,
    )  # fmt: skip
    ours = contraction.fully_connected(data, weights, bias, c)
    options = schema.FullyConnectedOptionsT()
    options.fusedActivationFunction = ACTIVATIONS_TFLITE[activation]
    bias_scales = scales * np.float32(x.scale)
    bias_tensor = bias if bias is None else Tensor(
        bias.shape, bias_type, bias_scales, [0] * len(scales), 0, bias
    )  # fmt: skip
    op = SingleOp(
        OPS.FULLY_CONNECTED, options,
        [quantized(data.shape, x),
         Tensor(weights.shape, "int8", scales, [w_zero] * len(scales), 0, weights), bias_tensor],
        [quantized(ours.shape, y)],
    )  # fmt: skip
    np.testing.assert_array_equal(ours, op.run(data)[0])


@pytest.mark.parametrize("seed", range(8))
def test_batch_matmul(seed: int) -> None:
    rng = np.random.default_rng(seed)
    store = "int16" if seed % 4 == 3 else "int8"
    m, k, n = (int(v) for v in rng.integers(1, 20, 3))
    a, b = random_affine(rng, store), random_affine(rng, store)
    scale = a.scale * b.scale * np.sqrt(k) * (60 if store == "int8" else 16000)
    y = Affine(float(np.float32(scale)), 0 if store == "int16" else 7, store)
    da, db = random_data(rng, (2, m, k), store), random_data(rng, (2, k, n), store)
    c = contraction_constants(
        a, [b.scale], y, Activation.NONE, "double",
        w_zero=b.zero, wide=store == "int16", float32_product=True,
    )  # fmt: skip
    ours = contraction.batch_matmul(da, db, c)
    op = SingleOp(
        OPS.BATCH_MATMUL, schema.BatchMatMulOptionsT(),
        [quantized(da.shape, a), quantized(db.shape, b)], [quantized(ours.shape, y)],
    )  # fmt: skip
    np.testing.assert_array_equal(ours, op.run(da, db)[0])


@pytest.mark.parametrize("seed", range(12))
def test_transpose_conv2d(seed: int) -> None:
    rng = np.random.default_rng(seed)
    store = "int16" if seed % 4 == 3 else "int8"
    h, w, kh, kw = (int(v) for v in rng.integers(2, 6, 4))
    sh, sw = (int(v) for v in rng.integers(1, 4, 2))
    cin, cout = (int(v) for v in rng.integers(1, 6, 2))
    same = seed % 2 == 1
    out = (h * sh, w * sw) if same else ((h - 1) * sh + max(kh, sh), (w - 1) * sw + max(kw, sw))
    pads = (same_padding(out[0], kh, sh), same_padding(out[1], kw, sw)) if same else ((0, 0),) * 2
    window = Window((sh, sw), (1, 1), *pads)
    scales = weight_scales(rng, cout, seed % 3 != 0)
    x, y = problem(rng, store, kh * kw * cin // 2 + 1, scales)
    data = random_data(rng, (1, h, w, cin), store)
    weights = rng.integers(-127, 128, (cout, kh, kw, cin), dtype=np.int8)
    bias_type = "int64" if store == "int16" else "int32"
    bias = rng.integers(-4000, 4000, cout, dtype=bias_type)
    c = contraction_constants(x, scales, y, Activation.NONE, "double", wide=store == "int16")
    ours = contraction.transpose_conv2d(data, weights, bias, window, out, c)
    options = schema.TransposeConvOptionsT()
    options.strideH, options.strideW = window.stride
    options.padding = schema.Padding.SAME if same else schema.Padding.VALID
    shape = np.array(ours.shape, np.int32)
    op = SingleOp(
        OPS.TRANSPOSE_CONV, options,
        [Tensor(shape.shape, "int32", data=shape),
         Tensor(weights.shape, "int8", scales, [0] * len(scales), 0, weights),
         quantized(data.shape, x),
         Tensor(bias.shape, bias_type, scales * np.float32(x.scale), [0] * len(scales), 0, bias)],
        [quantized(ours.shape, y)],
    )  # fmt: skip
    np.testing.assert_array_equal(ours, op.run(data)[0])
