"""Inputs for trials where nobody gave any: random, reproducible, of the right shape and type."""

from __future__ import annotations

import numpy as np

from whet.emit.port import Port
from whet.ir.dim import Size, Symbol, static_size, substitute, symbols
from whet.ir.node import Array

# Sizes that vary are tried up to here, however large their bound is.
LARGEST_TRIED = 64


def random_inputs(ports: tuple[Port, ...], seed: int) -> list[Array]:
    """An array for each port: standard normal floats, and integers of the type's full range.

    Integers that are no codes (they may be indices) are 0 and 1. Sizes that vary are drawn from
    their range.
    """
    generator = np.random.default_rng(seed)
    sizes: dict[Symbol, Size] = {}
    for port in ports:
        for size in port.shape:
            for symbol in symbols(size):
                high = min(symbol.high, max(symbol.low, LARGEST_TRIED))
                sizes.setdefault(symbol, int(generator.integers(symbol.low, high + 1)))
    return [_sample(port, sizes, generator) for port in ports]


def _sample(port: Port, sizes: dict[Symbol, Size], generator: np.random.Generator) -> Array:
    shape = tuple(static_size(substitute(size, sizes)) for size in port.shape)
    dtype = port.element.dtype
    if port.element.kind in "iu" and (port.scale is not None or dtype.itemsize == 1):
        raw = generator.integers(0, 256, (*shape, dtype.itemsize), np.uint8)
        return raw.view(dtype).reshape(shape)
    if port.element.kind in "iub":
        return generator.integers(0, 2, shape).astype(dtype)
    return np.asarray(generator.standard_normal(shape)).astype(dtype)
