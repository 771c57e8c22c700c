"""The fixed-point audio front end: integer_audio.h, integer_fft.h and fft_s16.h."""

from __future__ import annotations

import math

from whet.emit.lowered import Argument, Call, In, Lowered, Out, Record, Scratch, Weight
from whet.ir.dim import static_shape, static_size
from whet.ir.node import Array, Node
from whet.kernels.fft_s16 import fits, tables
from whet.kernels.kernel import kernel
from whet.ops import audio as a
from whet.ops.integer.audio import log_table
from whet.ops.integer.fft import real_fft_constants
from whet.targets.target import Target


def _count(node: Node, index: int = 0) -> int:
    value = node.input(index)
    return static_size(value.tensor.elements)


def _lowered(function: str, *arguments: Argument, constants: tuple[Array, ...] = ()) -> Lowered:
    return Lowered((Call(function, arguments),), ("integer_audio.h",), constants)


@kernel("audio_window", a.window)
def window(node: Node, target: Target) -> Lowered:
    n = _count(node, 1)
    calls = [
        Call("integer_window", (n, In(0, i * n), In(1), node.integer("shift"), Out(0, i * n)))
        for i in range(_count(node) // n)
    ]
    return Lowered(tuple(calls), ("integer_audio.h",))


@kernel("audio_auto_scale", a.auto_scale)
def auto_scale(node: Node, target: Target) -> Lowered:
    return _lowered("integer_auto_scale", _count(node), In(0), Out(0), Out(1))


@kernel("audio_spectrum", a.spectrum)
def spectrum(node: Node, target: Target) -> Lowered:
    length = node.integer("length")
    shape = node.outputs[0].shape
    n = static_size(node.input(0).shape[-1])
    frames = range(math.prod(static_shape(shape[:-1])))
    if fits(length, target.lanes):
        names = ("twiddles", "super_twiddles", "turns", "order")
        held = Record("fft_constants", tuple((name, Weight(i)) for i, name in enumerate(names)))
        calls = [
            Call("fft_s16", (n, length, In(0, i * n), held, Scratch(), Out(0, i * (length + 2))))
            for i in frames
        ]
        constants = tables(length, target.lanes)
        return Lowered(tuple(calls), ("fft_s16.h",), constants, scratch=4 * length)
    c = real_fft_constants(length)
    pointers = (Weight(0), Weight(1), Weight(2), Scratch())
    calls = [
        Call(
            "integer_real_fft_codes",
            (n, length, In(0, i * n), *pointers, Out(0, i * (length + 2))),
        )
        for i in frames
    ]
    constants = (c.order, c.twiddles, c.super_twiddles)
    return Lowered(tuple(calls), ("integer_audio.h",), constants, scratch=2 * length)


@kernel("audio_energy", a.energy)
def energy(node: Node, target: Target) -> Lowered:
    bounds = (node.integer("start"), node.integer("end"))
    return _lowered("integer_energy_codes", _count(node) // 2, *bounds, In(0), Out())


@kernel("audio_filter_bank", a.filter_bank)
def filter_bank(node: Node, target: Target) -> Lowered:
    return _lowered("integer_filter_bank", _count(node, 5) - 1, *map(In, range(6)), Out())


@kernel("audio_square_root", a.square_root)
def square_root(node: Node, target: Target) -> Lowered:
    return _lowered("integer_filter_bank_sqrt_at", _count(node), In(0), In(1), Out())


@kernel("audio_spectral_subtraction", a.spectral_subtraction)
def spectral_subtraction(node: Node, target: Target) -> Lowered:
    n = _count(node)
    copy = Call("__builtin_memmove", (Out(1), In(1), n * 4))
    constants = (*(node.integer(name) for name in a.SUBTRACTION), int(bool(node["clamping"])))
    call = Call("integer_spectral_subtraction", (n, *constants, In(0), Out(1), Out(0)))
    return Lowered((copy, call), ("integer_audio.h",))


@kernel("audio_pcan", a.pcan)
def pcan(node: Node, target: Target) -> Lowered:
    arguments = (_count(node), node.integer("snr_shift"), In(0), In(1), In(2), Out())
    return _lowered("integer_pcan", *arguments)


@kernel("audio_log", a.log)
def log(node: Node, target: Target) -> Lowered:
    constants = (node.integer("output_scale"), node.integer("correction_bits"))
    return _lowered(
        "integer_filter_bank_log", _count(node), *constants, In(0), Weight(0), Out(),
        constants=(log_table(),),
    )  # fmt: skip
