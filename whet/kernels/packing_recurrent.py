"""Weights of recurrent layers as recurrent_f32.h, recurrent_s8.h and sequence_s8.h read them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from whet.emit.headers import header_number
from whet.ir.element import Quant
from whet.ir.node import Array
from whet.kernels.packing import pack_panels
from whet.kernels.packing_s8 import in_pairs, pack_gemm_s8
from whet.ops.recurrent import GATES

QUAD = 4
PLACES = 3  # digits of a float weight
LARGEST = 127 * (1 + 256 + 256**2)  # what they hold
LEAST = 1e-30  # of their scales
EVEN = 7.2  # the least sum of a column's weights over the largest one for digits
FRACTION_BITS = header_number("recurrent_s8.h", "RECURRENT_FRACTION")  # of h


@dataclass(frozen=True, slots=True)
class Layout:
    """Gates of `width` hidden units at a time, units beyond the last one zero.

    vectors: of a panel of the inputs' weights. lanes, shift, pairs: VL, DOT8_SHIFT and
    DOT8_PAIRS of the target.
    """

    gates: int
    width: int
    vectors: int
    lanes: int
    shift: int
    pairs: bool

    def units(self, hidden: int) -> int:
        return -(-hidden // self.width) * self.width

    def columns(self, a: Array) -> Array:
        """[gates * hidden, ...] as [blocks, gates, width, ...]."""
        hidden = len(a) // self.gates
        padding = [(0, 0), (0, self.units(hidden) - hidden), *[(0, 0)] * (a.ndim - 1)]
        whole = np.pad(a.reshape(self.gates, hidden, *a.shape[1:]), padding)
        return whole.reshape(self.gates, -1, self.width, *a.shape[1:]).swapaxes(0, 1)

    def biases(self, bias: Array | None, r: Array) -> tuple[Array, Array]:
        """Both biases of every column, and the last gate's recurrent one: of a GRU apart."""
        directions, rows, hidden = r.shape
        both = np.zeros((directions, 2, rows), np.float32)
        both += 0 if bias is None else bias.reshape(both.shape)
        back = both[:, 1, rows - hidden :].copy()
        if self.gates == GATES["gru"]:
            both[:, 1, rows - hidden :] = 0
        sums = [self.columns(each) for each in both.sum(axis=1)]
        return _flat(sums), _flat([np.pad(back, [(0, 0), (0, self.units(hidden) - hidden)])])

    def inputs(self, w: Array) -> Array:
        """w[directions, gates * hidden, input] of floats."""
        rows = [self._rows(each) for each in w]
        return _flat([pack_panels(each, self.lanes, self.vectors) for each in rows])

    def coded_inputs(self, w: Array, element: Quant, x: Quant) -> tuple[Array, Array, Array]:
        """w of codes: packed, where the sums start, and the scale of a column."""
        none = np.zeros(1, np.int64)
        packed = [
            pack_gemm_s8(self._rows(each), none, x.zero[0], lanes=self.lanes,
                         vectors=self.vectors, shift=self.shift, pairs=self.pairs)
            for each in w
        ]  # fmt: skip
        columns = self.gates * self.units(w.shape[1] // self.gates)
        start = _flat([each.bias[:columns] for each in packed])
        scale = self._scale(w, element.scale, x.scale[0])
        return _flat([each.weights for each in packed]), start, scale

    def recurrent(self, r: Array) -> Array:
        """r[directions, gates * hidden, hidden] of floats."""
        return _flat([self.columns(each).transpose(0, 3, 1, 2) for each in r])

    def coded_recurrent(self, r: Array, element: Quant) -> tuple[Array, Array, Array]:
        """r of codes: packed, where the sums start, and the scale of a column."""
        packed, start = self._bytes([r.astype(np.int32)])
        return packed, start, self._scale(r, element.scale, 2.0**-FRACTION_BITS)

    def digits_recurrent(self, r: Array) -> tuple[Array, Array, Array]:
        """r of floats as digits: packed, where the sums start, and the scale of a column."""
        most = np.abs(r).max(axis=2).astype(np.float64)
        scale = np.maximum(most / LARGEST, LEAST).astype(np.float32)
        whole = np.rint(r / scale[:, :, None].astype(np.float64)).astype(np.int32)
        places = []
        for _ in range(PLACES):
            places.append((whole + 128 & 255) - 128)
            whole = whole - places[-1] >> 8
        packed, start = self._bytes(places)
        lowest = np.float32(256 ** (PLACES - 1) * 2.0**-FRACTION_BITS)
        return packed, start, _flat([self.columns(each) for each in scale * lowest])

    def integer_inputs(self, w: Array, bias: Array, zero: int) -> tuple[Array, Array]:
        """w[gates * hidden, input] of codes: packed, and where the sums with the biases start."""
        packed = pack_gemm_s8(
            self._rows(w), self.columns(bias).ravel(), zero, lanes=self.lanes,
            vectors=self.vectors, shift=self.shift, pairs=self.pairs,
        )  # fmt: skip
        return packed.weights, packed.bias

    def integer_recurrent(self, r: Array, zero: int) -> tuple[Array, Array]:
        """r[gates * hidden, hidden] of codes: packed, and where the sums start."""
        return self._bytes([r[None].astype(np.int32)], zero)

    def _bytes(self, places: list[Array], zero: int = 0) -> tuple[Array, Array]:
        """Bytes of r, the lowest place first: packed, and where the sums start."""
        rest = -places[0].shape[2] % QUAD
        padded = np.pad(np.stack(places, 1), [(0, 0), (0, 0), (0, 0), (0, rest)])
        found = [np.stack([self.columns(a) for a in each], 1) for each in padded]
        quads = [a.reshape(*a.shape[:4], -1, QUAD).transpose(0, 4, 1, 2, 3, 5) for a in found]
        # A sum takes in its own place and those above it.
        above = [a.sum(axis=-1)[:, ::-1].cumsum(axis=1)[:, ::-1] for a in found]
        packed = _flat(quads).astype(np.int8)
        ready = in_pairs(packed, self.lanes) if self.pairs else packed
        return ready, -(self.shift + zero) * _flat(above).astype(np.int32)

    def _rows(self, w: Array) -> Array:
        """[gates * hidden, input] as [input, columns]."""
        return self.columns(w).reshape(-1, w.shape[1]).T

    def _scale(self, w: Array, scale: tuple[float, ...], by: float) -> Array:
        rows = np.broadcast_to(by * np.asarray(scale, np.float64), w.shape[1])
        return _flat([self.columns(rows.astype(np.float32))] * len(w))


def are_even(r: Array) -> bool:
    """Whether digits of r[directions, rows, hidden] add no larger errors than a sum of floats."""
    size = np.abs(r.astype(np.float64))
    total = size.sum(axis=2)
    even = np.isfinite(total) & (EVEN * size.max(axis=2) <= total)
    return r.shape[2] < 1 << 15 and bool(even.all())


def _flat(parts: list[Array]) -> Array:
    return np.ascontiguousarray(np.stack(parts)).ravel()
