"""The quantised LSTM, its state and the 16-bit activations against TensorFlow Lite Micro."""

from __future__ import annotations

import numpy as np
import pytest

from tests.conformance.integer.tflite_single_op import (
    SingleOp,
    Tensor,
    interpreter,
    quantized,
    random_data,
    schema,
)
from whet.ops.integer import lstm, sigmoid
from whet.ops.integer.quantization import Affine

OPS = schema.BuiltinOperator
BATCH, TIME, INPUTS, STATE = 2, 4, 6, 5


def weights(rng: np.random.Generator, wide: bool) -> lstm.LstmWeights:
    kind = np.int64 if wide else np.int32
    return lstm.LstmWeights(
        tuple(rng.integers(-127, 128, (STATE, INPUTS), dtype=np.int8) for _ in range(4)),
        tuple(rng.integers(-127, 128, (STATE, STATE), dtype=np.int8) for _ in range(4)),
        tuple(rng.integers(-2000, 2000, STATE).astype(kind) for _ in range(4)),
    )


@pytest.mark.parametrize("time_major", [False, True])
@pytest.mark.parametrize("store", ["int8", "int16"])
@pytest.mark.parametrize("seed", range(3))
def test_lstm_over_three_calls(seed: int, store: str, time_major: bool) -> None:
    rng = np.random.default_rng(seed)
    wide = store == "int16"
    x = Affine(3e-5 if wide else 0.02, 0 if wide else -9, store)
    hidden = Affine(2.0**-15 if wide else 1 / 128, 0 if wide else 4, store)
    cell_scale, clip = 2.0 ** -(10 + seed), 5.0 * (seed % 2)
    input_scales = tuple(float(np.float32(s)) for s in rng.uniform(0.005, 0.03, 4))
    recurrent_scales = tuple(float(np.float32(s)) for s in rng.uniform(0.005, 0.03, 4))
    w = weights(rng, wide)
    c = lstm.lstm_constants(x, hidden, cell_scale, input_scales, recurrent_scales, clip, "double")
    options = schema.UnidirectionalSequenceLSTMOptionsT()
    options.fusedActivationFunction = schema.ActivationFunctionType.TANH
    options.cellClip, options.timeMajor = clip, time_major
    shape = (TIME, BATCH, INPUTS) if time_major else (BATCH, TIME, INPUTS)
    out_shape = (*shape[:2], STATE)

    def constants(arrays: tuple[np.ndarray, ...], scales: tuple[float, ...]) -> list[Tensor]:
        return [
            Tensor(a.shape, a.dtype.name, [s], [0], 0, a)
            for a, s in zip(arrays, scales, strict=True)
        ]

    absent: list[Tensor | None] = [None]
    op = SingleOp(
        OPS.UNIDIRECTIONAL_SEQUENCE_LSTM, options,
        [quantized(shape, x), *constants(w.inputs, input_scales),
         *constants(w.recurrent, recurrent_scales), *absent * 3,
         *constants(w.biases, (1e-4,) * 4), *absent * 2,
         Tensor((BATCH, STATE), store, [hidden.scale], [hidden.zero], variable=True),
         Tensor((BATCH, STATE), "int16", [cell_scale], [0], variable=True), *absent * 4],
        [quantized(out_shape, hidden)],
    )  # fmt: skip
    oracle = interpreter(op.model())
    state = np.full((BATCH, STATE), hidden.zero, store), np.zeros((BATCH, STATE), np.int16)
    for _ in range(3):
        data = random_data(rng, shape, store)
        oracle.set_input(data, 0)
        oracle.invoke()
        steps = data.swapaxes(0, 1) if time_major else data
        y, *state = lstm.lstm(steps, *state, w, c)
        ours = y.swapaxes(0, 1) if time_major else y
        np.testing.assert_array_equal(ours, oracle.get_output(0))


@pytest.mark.parametrize("scale", [2.0**-12, 2.0**-11, 0.00031, 0.004])
@pytest.mark.parametrize("name", ["logistic", "tanh"])
def test_sixteen_bit_activation_of_every_input(name: str, scale: float) -> None:
    x = Affine(float(np.float32(scale)), 0, "int16")
    data = np.arange(-32768, 32768).astype(np.int16)
    if name == "logistic":
        ours = sigmoid.logistic16(data, sigmoid.input_scaling(x, (0,)))
    else:
        ours = sigmoid.tanh16(data, sigmoid.input_scaling(x, (0, 1)))
    y = Affine(2.0**-15, 0, "int16")
    code = OPS.LOGISTIC if name == "logistic" else OPS.TANH
    op = SingleOp(code, None, [quantized(data.shape, x)], [quantized(data.shape, y)])
    np.testing.assert_array_equal(ours, op.run(data)[0])
