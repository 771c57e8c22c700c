"""Spectra, and TensorFlow Lite Micro's audio front end."""

from __future__ import annotations

import numpy as np

from whet.errors import ModelError
from whet.importers.flexbuffer import read_options
from whet.importers.tflite.layer import Layer, row
from whet.importers.tflite.names import op_name
from whet.ir.dim import static_shape, static_size
from whet.ir.element import U32
from whet.ir.leaf import constant, state
from whet.ir.node import Value
from whet.ir.type import Type
from whet.ops import audio
from whet.ops import elementwise as e
from whet.ops.movement import pad, reshape, slice_op
from whet.ops.rfft import rfft


@row("RFFT2D")
def real_transform(layer: Layer) -> Value:
    """Complex tensors carry (re, im) in a last axis of two."""
    height, width = layer.ints(1)
    shape = static_shape(layer[0].shape)
    if height != 1 or len(shape) < 2 or shape[-2] != 1:
        raise ModelError("a transform over two axes", where=layer.name, why="one is known")
    return rfft(_resized(layer[0], width))


def _resized(x: Value, width: int) -> Value:
    """The last axis cut or padded with zeros."""
    shape = static_shape(x.shape)
    if shape[-1] > width:
        x = slice_op(x, begin=(0,) * len(shape), size=(*shape[:-1], width), step=(1,) * len(shape))
    missing = max(0, width - shape[-1])
    if not missing:
        return x
    low, high = (0,) * len(shape), (*(0,) * (len(shape) - 1), missing)
    return pad(x, constant(np.float32(0)), low=low, high=high, mode="constant")


@row("COMPLEX_ABS", "REAL", "IMAG")
def part(layer: Layer) -> Value:
    kind = op_name(layer.operator.code)
    if kind != "COMPLEX_ABS":
        return _component(layer[0], int(kind == "IMAG"))
    re, im = (_component(layer[0], i) for i in (0, 1))
    return e.sqrt(e.add(e.mul(re, re), e.mul(im, im)))


def _component(x: Value, index: int) -> Value:
    shape = static_shape(x.shape)
    begin = (*(0,) * (len(shape) - 1), index)
    y = slice_op(x, begin=begin, size=(*shape[:-1], 1), step=(1,) * len(shape))
    return reshape(y, shape=shape[:-1])


def _options(layer: Layer, *names: str) -> list[int]:
    given = read_options(layer.operator.custom_options, layer.name)
    missing = [n for n in names if n not in given]
    if missing:
        raise ModelError(f"no option {missing[0]}", where=layer.name)
    return [int(given[n]) for n in names]


@row("SignalWindow")
def window(layer: Layer) -> Value:
    return audio.window(layer[0], layer[1], shift=_options(layer, "shift")[0])


@row("SignalFftAutoScale")
def auto_scale(layer: Layer) -> tuple[Value, ...]:
    return audio.auto_scale.many(layer[0])


@row("SignalRfft")
def spectrum(layer: Layer) -> Value:
    return audio.spectrum(layer[0], length=_options(layer, "fft_length")[0])


@row("SignalEnergy")
def energy(layer: Layer) -> Value:
    start, end = _options(layer, "start_index", "end_index")
    return audio.energy(layer[0], start=start, end=end)


@row("SignalFilterBank")
def filter_bank(layer: Layer) -> Value:
    weights, _, starts, weight_starts, widths = (layer.constant(i) for i in range(1, 6))
    bins = static_size(layer[0].tensor.elements)
    for first, room in ((starts, bins), (weight_starts, weights.size)):
        last = first.astype(np.int64) + np.maximum(widths, 0)
        if first.min(initial=0) < 0 or last.max(initial=0) > room:
            raise ModelError("filters reach outside their tables", where=layer.name)
    return audio.filter_bank(*(layer[i] for i in range(6)))


@row("SignalFilterBankSquareRoot")
def square_root(layer: Layer) -> Value:
    return audio.square_root(layer[0], layer[1])


@row("SignalFilterBankSpectralSubtraction")
def spectral_subtraction(layer: Layer) -> tuple[Value, ...]:
    """The noise estimate, also an output, is kept from call to call."""
    names = tuple(
        "spectral_subtraction_bits" if n == "bits" else n for n in audio.SUBTRACTION
    )  # fmt: skip
    *values, clamping = _options(layer, *names, "clamping")
    noise = state(f"{layer.name} noise", Type(layer[0].shape, U32))
    constants = dict(zip(audio.SUBTRACTION, values, strict=True))
    y, estimate = audio.spectral_subtraction.many(
        layer[0], noise, clamping=bool(clamping), **constants
    )
    layer.keep(noise, estimate, np.zeros(static_shape(noise.shape), np.uint32))
    return y, estimate


@row("SignalPCAN")
def pcan(layer: Layer) -> Value:
    return audio.pcan(layer[0], layer[1], layer[2], snr_shift=_options(layer, "snr_shift")[0])


@row("SignalFilterBankLog")
def log(layer: Layer) -> Value:
    scale, bits = _options(layer, "output_scale", "input_correction_bits")
    return audio.log(layer[0], output_scale=scale, correction_bits=bits)
