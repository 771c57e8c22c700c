"""The operators of the audio front end, for the integer walker."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from flatbuffers import flexbuffers

from tests.models.integer_walker import Walker, schema
from whet.ops.integer import audio, fft

Outputs = np.ndarray | tuple[np.ndarray, ...]


def _options(op: schema.OperatorT) -> dict[str, int]:
    return flexbuffers.GetRoot(bytearray(op.customOptions)).Value


def _window(w: Walker, op: schema.OperatorT) -> Outputs:
    return audio.window(w.value(op.inputs[0]), w.value(op.inputs[1]), _options(op)["shift"])


def _auto_scale(w: Walker, op: schema.OperatorT) -> Outputs:
    y, bits = audio.auto_scale(w.value(op.inputs[0]))
    return y, np.array(bits, np.int32)


def _rfft(w: Walker, op: schema.OperatorT) -> Outputs:
    c = fft.real_fft_constants(_options(op)["fft_length"])
    return fft.real_fft(w.value(op.inputs[0]), c).reshape(-1)


def _energy(w: Walker, op: schema.OperatorT) -> Outputs:
    o = _options(op)
    return audio.energy(w.value(op.inputs[0]).reshape(-1, 2), o["start_index"], o["end_index"])


def _filter_bank(w: Walker, op: schema.OperatorT) -> Outputs:
    return audio.filter_bank(*(w.value(i) for i in op.inputs))


def _square_root(w: Walker, op: schema.OperatorT) -> Outputs:
    return audio.square_root(w.value(op.inputs[0]), int(w.value(op.inputs[1])))


def _spectral_subtraction(w: Walker, op: schema.OperatorT) -> Outputs:
    o = _options(op)
    o["bits"] = o.pop("spectral_subtraction_bits")
    zeros = np.zeros(o.pop("num_channels"), np.uint32)
    noise = w.states.get(int(op.outputs[1]), zeros)
    y, noise = audio.spectral_subtraction(
        w.value(op.inputs[0]), noise, audio.SpectralSubtraction(**o)
    )
    w.states[int(op.outputs[1])] = noise
    return y, noise


def _pcan(w: Walker, op: schema.OperatorT) -> Outputs:
    x, noise, gains = (w.value(i) for i in op.inputs)
    return audio.pcan(x, noise, gains, _options(op)["snr_shift"])


def _log(w: Walker, op: schema.OperatorT) -> Outputs:
    o = _options(op)
    x = w.value(op.inputs[0])
    return audio.filter_bank_log(x, o["output_scale"], o["input_correction_bits"])


def _int32(function: Callable[..., np.ndarray]) -> Callable[[Walker, schema.OperatorT], Outputs]:
    def step(w: Walker, op: schema.OperatorT) -> Outputs:
        return function(*(w.value(i).astype(np.int64) for i in op.inputs)).astype(np.int32)

    return step


def _cast(w: Walker, op: schema.OperatorT) -> Outputs:
    return w.value(op.inputs[0]).astype(w.store(int(op.outputs[0])))


def _strided_slice(w: Walker, op: schema.OperatorT) -> Outputs:
    x, begin, end, step = (w.value(i) for i in op.inputs)
    return x[int(begin[0]) : int(end[0]) : int(step[0])]


def _concatenation(w: Walker, op: schema.OperatorT) -> Outputs:
    return np.concatenate([w.value(i) for i in op.inputs], axis=op.builtinOptions.axis)


STEPS = {
    "SignalWindow": _window,
    "SignalFftAutoScale": _auto_scale,
    "SignalRfft": _rfft,
    "SignalEnergy": _energy,
    "SignalFilterBank": _filter_bank,
    "SignalFilterBankSquareRoot": _square_root,
    "SignalFilterBankSpectralSubtraction": _spectral_subtraction,
    "SignalPCAN": _pcan,
    "SignalFilterBankLog": _log,
    "CAST": _cast,
    "STRIDED_SLICE": _strided_slice,
    "CONCATENATION": _concatenation,
    "MUL": _int32(np.multiply),
    "ADD": _int32(np.add),
    "DIV": _int32(lambda a, b: np.sign(a) * np.sign(b) * (np.abs(a) // np.abs(b))),
    "MINIMUM": _int32(np.minimum),
    "MAXIMUM": _int32(np.maximum),
}
