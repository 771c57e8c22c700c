"""`dft`: discrete Fourier transforms along an axis (ONNX DFT)."""

from __future__ import annotations

import numpy as np

from whet.errors import ShapeError
from whet.ir.dim import Size
from whet.ir.node import Array, Node, Op
from whet.ir.type import Type


def _infer(
    x: Type, *, axis: int, length: Size, inverse: bool = False, onesided: bool = False
) -> Type:
    """x: [..., n, ..., parts] of real (parts 1) or complex numbers, cut or padded to `length`.

    onesided: the forward transform gives length // 2 + 1 frequencies; the inverse takes those of a
    real signal, and gives it. Other results are complex.
    """
    if not 0 <= axis < x.rank - 1 or x.shape[-1] not in (1, 2):
        raise ShapeError(f"a Fourier transform of axis {axis} of {x}")
    count = length // 2 + 1 if onesided and not inverse else length
    parts = 1 if onesided and inverse else 2
    return Type((*x.shape[:axis], count, *x.shape[axis + 1 : -1], parts), x.element)


def _evaluate(node: Node, x: Array) -> Array:
    axis, n = node.integer("axis"), node.integer("length")
    wide = x.astype(np.float32) if x.dtype.itemsize < 4 else x
    numbers = wide[..., 0] + 1j * wide[..., 1] if x.shape[-1] == 2 else wide[..., 0]
    if node["inverse"] and node["onesided"]:
        return np.fft.irfft(numbers, n=n, axis=axis)[..., None]
    bins = (np.fft.ifft if node["inverse"] else np.fft.fft)(numbers, n=n, axis=axis)
    if node["onesided"]:
        bins = np.take(bins, np.arange(n // 2 + 1), axis=axis)
    return np.stack([bins.real, bins.imag], axis=-1)


dft = Op("dft", _infer, _evaluate)
