"""Resizing, normalisation, float boundaries and memory filters against independent references."""

from __future__ import annotations

import numpy as np
import pytest
from flatbuffers import flexbuffers

from tests.conformance.integer.tflite_single_op import (
    SingleOp,
    Tensor,
    constant,
    quantized,
    random_affine,
    random_data,
    schema,
)
from whet.ops.integer import boundary, fft, normalization, resize, svdf
from whet.ops.integer.quantization import Affine

OPS = schema.BuiltinOperator
CENTRES = [(False, False), (True, False), (False, True)]


@pytest.mark.parametrize(("align", "half"), CENTRES)
@pytest.mark.parametrize("method", ["bilinear", "nearest"])
@pytest.mark.parametrize("seed", range(6))
def test_resize(seed: int, method: str, align: bool, half: bool) -> None:
    rng = np.random.default_rng(seed)
    h, w, oh, ow = (int(v) for v in rng.integers(1, 14, 4))
    x = random_affine(rng)
    data = random_data(rng, (2, h, w, 3))
    if method == "bilinear":
        ours = resize.resize_bilinear(
            data, (oh, ow), "double", align_corners=align, half_pixel_centers=half
        )
        code, options = OPS.RESIZE_BILINEAR, schema.ResizeBilinearOptionsT()
    else:
        ours = resize.resize_nearest(data, (oh, ow), align_corners=align, half_pixel_centers=half)
        code, options = OPS.RESIZE_NEAREST_NEIGHBOR, schema.ResizeNearestNeighborOptionsT()
    options.alignCorners, options.halfPixelCenters = align, half
    op = SingleOp(
        code, options,
        [quantized(data.shape, x), constant(np.array([oh, ow], np.int32))],
        [quantized(ours.shape, x)],
    )  # fmt: skip
    np.testing.assert_array_equal(ours, op.run(data)[0])


@pytest.mark.parametrize("seed", range(8))
def test_l2_normalize(seed: int) -> None:
    rng = np.random.default_rng(seed)
    x = random_affine(rng)
    data = random_data(rng, (4, int(rng.integers(1, 200))))
    if seed == 0:
        data[0] = x.zero
    y = Affine(1 / 128, 0)
    ours = normalization.l2_normalize(data, x.zero, "double")
    op = SingleOp(
        OPS.L2_NORMALIZATION, schema.L2NormOptionsT(),
        [quantized(data.shape, x)], [quantized(data.shape, y)],
    )  # fmt: skip
    np.testing.assert_array_equal(ours, op.run(data)[0])
    value = data.astype(np.float64) - x.zero
    norm = np.sqrt((value**2).sum(axis=1, keepdims=True))
    real = np.clip(np.divide(value * 128, norm, where=norm > 0, out=value * 0), -128, 127)
    single = normalization.l2_normalize(data, x.zero, "single")
    assert np.abs(single - real).max() <= 0.5 + 1e-9


@pytest.mark.parametrize("store", ["int8", "int16"])
def test_quantize_and_dequantize(store: str) -> None:
    rng = np.random.default_rng(1)
    y = random_affine(rng, store)
    x = (rng.normal(size=2000) * y.scale * 100).astype(np.float32)
    x[:40] = (np.arange(40, dtype=np.float32) - 20.5) * np.float32(y.scale)
    x[40:44] = 0.0, -0.0, 1e30, -1e30
    x = np.where(np.abs(x) > 1e6, np.float32(1e4) * np.sign(x) * np.float32(y.scale), x)
    q = boundary.quantize(x, y)
    real = Tensor(x.shape, "float32")
    forward = SingleOp(OPS.QUANTIZE, schema.QuantizeOptionsT(), [real], [quantized(x.shape, y)])
    np.testing.assert_array_equal(q, forward.run(x)[0])
    back = SingleOp(OPS.DEQUANTIZE, schema.DequantizeOptionsT(), [quantized(x.shape, y)], [real])
    np.testing.assert_array_equal(boundary.dequantize(q, y), back.run(q)[0])


@pytest.mark.parametrize("state_store", ["int8", "int16"])
@pytest.mark.parametrize("seed", range(4))
def test_svdf(seed: int, state_store: str) -> None:
    rng = np.random.default_rng(seed)
    batch, inputs, units, rank, memory = 2, 9, 5, 1 + seed % 2, 6
    filters = units * rank
    x = random_affine(rng)
    wide = state_store == "int16"
    state = Affine(x.scale * (0.001 if wide else 0.3), 0 if wide else 5, state_store)
    y = Affine(float(np.float32(state.scale * (40 if wide else 1))), -3)
    feature_scale, time_scale = 0.01, 0.02
    feature = rng.integers(-127, 128, (filters, inputs), dtype=np.int8)
    time = random_data(rng, (filters, memory), state_store)
    bias = rng.integers(-3000, 3000, units, dtype=np.int32)
    data = random_data(rng, (batch, inputs))
    c = svdf.svdf_constants(x, feature_scale, time_scale, state, y, rank, "double")
    start = np.full((batch, filters, memory), state.zero, state_store)
    ours, _ = svdf.svdf(data, start, feature, time, bias, c)
    options = schema.SVDFOptionsT()
    options.rank, options.fusedActivationFunction = rank, schema.ActivationFunctionType.NONE
    bias_scale = float(np.float32(state.scale) * np.float32(time_scale))
    memory_tensor = Tensor(
        (batch, filters * memory), state_store, [state.scale], [state.zero], variable=True
    )
    op = SingleOp(
        OPS.SVDF, options,
        [quantized(data.shape, x), Tensor(feature.shape, "int8", [feature_scale], [0], 0, feature),
         Tensor(time.shape, state_store, [time_scale], [0], 0, time),
         Tensor(bias.shape, "int32", [bias_scale], [0], 0, bias),
         memory_tensor],
        [quantized(ours.shape, y)],
    )  # fmt: skip
    np.testing.assert_array_equal(ours, op.run(data)[0])


@pytest.mark.parametrize("depth", [1, 7, 64, 768, 4096])
def test_layer_norm_is_within_one_step_of_the_real_function(depth: int) -> None:
    rng = np.random.default_rng(depth)
    x, y = Affine(0.07, 11), Affine(0.03, -5)
    gamma, beta = rng.normal(1, 0.3, depth), rng.normal(0, 0.5, depth)
    data = random_data(rng, (6, depth))
    data[0] = 3
    data[1] = rng.integers(-2, 2, depth)
    c = normalization.layer_norm_constants(x, y, gamma, beta, 1e-5)
    real = (data.astype(np.float64) - x.zero) * x.scale
    centred = real - real.mean(axis=1, keepdims=True)
    norm = centred / np.sqrt((centred**2).mean(axis=1, keepdims=True) + 1e-5) * gamma + beta
    want = np.clip(norm / y.scale + y.zero, -128, 127)
    assert np.abs(normalization.layer_norm(data, c) - want).max() <= 0.51


@pytest.mark.parametrize("length", [8, 16, 32, 64, 128, 256, 1024])
def test_real_fft(length: int) -> None:
    rng = np.random.default_rng(length)
    frames = random_data(rng, (3, length - 2), "int16")
    frames[1] >>= 6
    ours = fft.real_fft(frames, fft.real_fft_constants(length))
    op = SingleOp(
        OPS.CUSTOM, None,
        [Tensor(frames.shape, "int16")], [Tensor((3, length + 2), "int16")],
        custom="SignalRfft",
        custom_options=bytes(flexbuffers.Dumps({"T": 7, "fft_length": length})),
    )  # fmt: skip
    np.testing.assert_array_equal(ours.reshape(3, -1), op.run(frames)[0])
