"""`rfft`: the one-sided Fourier transform of real signals."""

from __future__ import annotations

import numpy as np

from whet.errors import ShapeError
from whet.ir.element import F32
from whet.ir.node import Array, Node, Op
from whet.ir.type import Type


def _infer(x: Type) -> Type:
    """x: [..., n] f32, n a power of two of at least 4 -> [..., n / 2 + 1, 2], (re, im) last."""
    n = x.shape[-1] if x.rank else 0
    if not isinstance(n, int) or n < 4 or n & (n - 1) or x.element != F32:
        raise ShapeError(f"a Fourier transform of {x}", why="its length is no power of two")
    return Type((*x.shape[:-1], n // 2 + 1, 2), F32)


def _evaluate(node: Node, x: Array) -> Array:
    spectrum = np.fft.rfft(x.astype(np.float64), axis=-1)
    return np.stack([spectrum.real, spectrum.imag], axis=-1).astype(np.float32)


rfft = Op("rfft", _infer, _evaluate)
