"""The fixed-point audio front end: integers in, integers out (see `integer.audio`)."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from whet.errors import ShapeError
from whet.ir.dim import static_size
from whet.ir.element import I16, I32, U32, U64, Element, Quant, Scalar
from whet.ir.node import Array, Node, Op
from whet.ir.type import Type
from whet.ops.integer import audio
from whet.ops.integer.fft import real_fft, real_fft_constants

SUBTRACTION = (
    "smoothing", "one_minus_smoothing", "alternate_smoothing", "alternate_one_minus_smoothing",
    "min_signal_remaining", "smoothing_bits", "bits",
)  # fmt: skip


def _stored(element: Element) -> Scalar:
    return element.store if isinstance(element, Quant) else element


def _expect(what: str, *expected: tuple[Type, Scalar]) -> None:
    for t, element in expected:
        if _stored(t.element) != element or not t.static:
            raise ShapeError(f"{what} of {t}", why=f"it takes {element}")


def _same_length(what: str, *types: Type) -> None:
    if len({str(t.elements) for t in types}) != 1:
        raise ShapeError(f"{what} of {', '.join(map(str, types))}: lengths differ")


def _window(x: Type, weights: Type, *, shift: int) -> Type:
    """x [..., n] times weights [n], shifted down: int16."""
    _expect("a window", (x, I16), (weights, I16))
    if weights.rank != 1 or not x.rank or x.shape[-1] != weights.shape[0] or not 0 <= shift < 31:
        raise ShapeError(f"a window of {weights} over {x}")
    return Type(x.shape, I16)


def _auto_scale(x: Type) -> tuple[Type, Type]:
    """x -> (x << b, b), b the spare bits of its largest magnitude."""
    _expect("scaling", (x, I16))
    return Type(x.shape, I16), Type((), I32)


def _spectrum(x: Type, *, length: int) -> Type:
    """x [..., n <= length] -> [..., length + 2]: (re, im) pairs of length / 2 + 1 bins."""
    _expect("a Fourier transform", (x, I16))
    real_fft_constants(length)
    if not x.rank or static_size(x.shape[-1]) > length:
        raise ShapeError(f"a Fourier transform of {x} in {length} samples")
    return Type((*x.shape[:-1], length + 2), I16)


def _energy(x: Type, *, start: int, end: int) -> Type:
    """x [2 * bins] -> [bins] uint32."""
    _expect("energies", (x, I16))
    n = static_size(x.elements)
    if x.rank != 1 or n % 2 or not 0 <= start <= end <= n // 2:
        raise ShapeError(f"energies {start} to {end} of {x}")
    return Type((n // 2,), U32)


def _filter_bank(
    x: Type, weights: Type, unweights: Type, starts: Type, weight_starts: Type, widths: Type
) -> Type:
    """x [bins] uint32 and the bands' tables, int16 -> [bands - 1] uint64."""
    tables = (weights, unweights, starts, weight_starts, widths)
    _expect("a filter bank", (x, U32), *((t, I16) for t in tables))
    _same_length("a filter bank", starts, weight_starts, widths)
    if x.rank != 1 or static_size(widths.elements) < 2:
        raise ShapeError(f"a filter bank of {widths} over {x}")
    return Type((static_size(widths.elements) - 1,), U64)


def _square_root(x: Type, shift: Type) -> Type:
    """x uint64, shift int32 scalar -> uint32."""
    _expect("square roots", (x, U64), (shift, I32))
    return Type(x.shape, U32)


def _subtraction(x: Type, noise: Type, *, clamping: bool, **_: int) -> tuple[Type, Type]:
    """x and the noise estimate, uint32 [channels] -> (y, next estimate)."""
    _expect("spectral subtraction", (x, U32), (noise, U32))
    if x.rank != 1 or x.shape != noise.shape:
        raise ShapeError(f"spectral subtraction of {noise} from {x}")
    return x, noise


def _pcan(x: Type, noise: Type, gains: Type, *, snr_shift: int) -> Type:
    """x, noise uint32 [channels], gains int16 [125] -> uint32."""
    _expect("gain control", (x, U32), (noise, U32), (gains, I16))
    _same_length("gain control", x, noise)
    if static_size(gains.elements) < 125 or not 0 <= snr_shift < 64:
        raise ShapeError(f"gain control with {gains}", why="125 entries cover 32 bits")
    return Type(x.shape, U32)


def _log(x: Type, *, output_scale: int, correction_bits: int) -> Type:
    """x uint32 -> int16."""
    _expect("logarithms", (x, U32))
    if not 0 <= correction_bits < 32:
        raise ShapeError(f"logarithms with {correction_bits} correction bits")
    return Type(x.shape, I16)


def subtraction(node: Node) -> audio.SpectralSubtraction:
    """The constants of a spectral subtraction."""
    values = {name: node.integer(name) for name in SUBTRACTION}
    return audio.SpectralSubtraction(clamping=bool(node["clamping"]), **values)


def _scaled(node: Node, x: Array) -> tuple[Array, Array]:
    y, bits = audio.auto_scale(x)
    return y, np.asarray(bits, np.int32)


def _flat(node: Node, x: Array) -> Array:
    y = real_fft(x, real_fft_constants(node.integer("length")))
    return y.reshape(*x.shape[:-1], -1)


def _op(name: str, infer: Callable[..., Type | tuple[Type, ...]], run: Callable[..., object]) -> Op:
    return Op(f"audio_{name}", infer, run)


window = _op("window", _window, lambda n, x, w: audio.window(x, w, n.integer("shift")))
auto_scale = _op("auto_scale", _auto_scale, _scaled)
spectrum = _op("spectrum", _spectrum, _flat)
energy = _op(
    "energy", _energy,
    lambda n, x: audio.energy(x.reshape(-1, 2), n.integer("start"), n.integer("end")),
)  # fmt: skip
filter_bank = _op("filter_bank", _filter_bank, lambda n, *arrays: audio.filter_bank(*arrays))
square_root = _op(
    "square_root", _square_root, lambda n, x, shift: audio.square_root(x, int(shift.reshape(())))
)
spectral_subtraction = _op(
    "spectral_subtraction", _subtraction,
    lambda n, x, noise: audio.spectral_subtraction(x, noise, subtraction(n)),
)  # fmt: skip
pcan = _op(
    "pcan", _pcan, lambda n, x, noise, gains: audio.pcan(x, noise, gains, n.integer("snr_shift"))
)
log = _op(
    "log", _log,
    lambda n, x: audio.filter_bank_log(x, n.integer("output_scale"), n.integer("correction_bits")),
)  # fmt: skip
