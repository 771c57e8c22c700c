"""The tables of fft_s16.h, and which transforms are whole vectors there. NumPy only."""

from __future__ import annotations

import numpy as np

from whet.ir.node import Array
from whet.ops.integer.fft import real_fft_constants


def _across(half: int, lanes: int) -> int:
    """M of the first stage that lies along."""
    m = 2 if half.bit_length() % 2 == 0 else 1
    while m < lanes:
        m *= 4
    return m


def fits(length: int, lanes: int) -> bool:
    """Whether all vectors of every stage are whole."""
    half = length // 2
    m = _across(half, lanes)
    return m <= half and half // m >= lanes


def tables(length: int, lanes: int) -> tuple[Array, ...]:
    """twiddles, super_twiddles, turns and order, complex numbers as words."""
    c = real_fft_constants(length)
    half = length // 2
    twiddles, super_twiddles = (np.ascontiguousarray(t).view(np.int32).ravel()
                                for t in (c.twiddles, c.super_twiddles))  # fmt: skip
    first = m = _across(half, lanes)
    turns = [np.zeros(0, np.int32)]
    while m < half:
        turns += [twiddles[np.arange(m) * q * (half // (4 * m))] for q in (1, 2, 3)]
        m *= 4
    return twiddles, super_twiddles, np.concatenate(turns), c.order[::first].copy()
