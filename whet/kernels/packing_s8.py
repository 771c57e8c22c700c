"""What the int8 kernels read, made once at compile time: weights, bias and multipliers. NumPy only.

`shift` is DOT8_SHIFT of the target's vocabulary (128 with VNNI, else 0), `pairs` DOT8_PAIRS and
`lanes` VL. A quad is four bytes along the summed dimension; see tile_s8.h for how a remainder of K
is laid out.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from whet.kernels.linear_s8 import linear
from whet.ops.integer.quantization import Rounding
from whet.ops.integer.requantize import Multiplier, multiply, quantize_multiplier

__all__ = [
    "Packed",
    "Requantization",
    "accumulator_bounds",
    "conv_is_dense",
    "conv_scratch",
    "in_pairs",
    "pack_conv_s8",
    "pack_depthwise_s8",
    "pack_gemm_s8",
    "quantize_multiplier",
    "requantization",
    "started",
    "wide_order",
]

PADDING = 16

Integers = npt.NDArray[np.int64]
Bytes = npt.NDArray[np.int8]
Words = npt.NDArray[np.int32]


@dataclass(frozen=True, slots=True)
class Packed:
    """Weights in the kernel's order, and the bias with every constant term of the sum.

    `again` is the kernel's argument AGAIN, `passes` its argument PASSES (depthwise only).
    """

    weights: Bytes
    bias: Words
    again: int = 0
    passes: int = 1


@dataclass(frozen=True, slots=True)
class Requantization:
    """The standard epilogue that is exact for these multipliers, and the arrays it reads.

    out: the kernels' argument OUT. codes: the epilogue that yields codes where OUT is 2. start:
    what the sums start from beside the bias.
    """

    epilogue: str
    arrays: tuple[Words, ...]
    out: int = 1
    codes: str = ""
    start: Words | None = None


def _wrap(v: Integers) -> Words:
    return v.astype(np.uint32).view(np.int32)


def _padded(v: Integers) -> Words:
    """int32 with room for a whole vector of any machine from any channel on."""
    return _wrap(np.concatenate([v, np.zeros(PADDING, np.int64)]))


def _padded_floats(v: npt.NDArray[np.float32]) -> Words:
    """The bits of f32, padded as _padded does."""
    return _padded(v.view(np.int32).astype(np.int64))


def started(bias: Words, ready: Requantization) -> Words:
    """A packed bias, from which the sums start as the epilogue wants them."""
    if ready.start is None:
        return bias
    return _wrap(bias.astype(np.int64) + ready.start)


def _quads(rows: Bytes) -> Bytes:
    """[K, columns] -> [ceil(K / 4), columns, 4]; a remainder of K >= 4 is its last quad."""
    k, columns = rows.shape
    whole, rest = k // 4 * 4, k % 4
    parts = [rows[:whole]]
    if rest:
        tail = np.zeros((4, columns), np.int8)
        tail[slice(4 - rest, 4) if whole else slice(0, rest)] = rows[whole:]
        parts.append(tail)
    quads = np.concatenate(parts).reshape(-1, 4, columns)
    return np.ascontiguousarray(quads.transpose(0, 2, 1))


def in_pairs(quads: Bytes, lanes: int) -> Bytes:
    """Vectors of quads, each as the first pair of every lane and then the second."""
    return np.ascontiguousarray(quads.reshape(-1, lanes, 2, 2).swapaxes(1, 2)).ravel()


def _panels(quads: Bytes, lanes: int, vectors: int) -> Bytes:
    """Panels of `vectors` vectors of quads [K / 4, N, 4]."""
    n = quads.shape[1]
    parts = []
    for first in range(0, n, vectors * lanes):
        width = min(vectors, -(-(n - first) // lanes)) * lanes
        panel = np.zeros((len(quads), width, 4), np.int8)
        columns = quads[:, first : first + width]
        panel[:, : columns.shape[1]] = columns
        parts.append(panel.ravel())
    return np.concatenate(parts)


def _products(w: Integers, lanes: int, vectors: int, pairs: bool) -> tuple[Bytes, int]:
    """Weights [groups, runs, K, N], less their zero point, as tile_s8.h has them, and its AGAIN."""
    groups, runs, k, n = w.shape
    columns = w.transpose(1, 2, 0, 3).reshape(runs, k, groups * n)
    first, *others = ([_quads(run.astype(np.int8)) for run in p] for p in _pieces(columns))
    places = [r * k + max(min(4 * q, k - 4), 0) for r in range(runs) for q in range(-(-k // 4))]
    rest = [np.concatenate(other) for other in others]
    read = [np.flatnonzero(other.any(axis=(1, 2))) for other in rest]
    again = [places[i] for found in read for i in found]
    quads = np.concatenate([*first, *(p[found] for p, found in zip(rest, read, strict=True))])
    split = quads.reshape(-1, groups, n, 4)
    panels = np.concatenate([_panels(split[:, g], lanes, vectors) for g in range(groups)])
    head = np.zeros(-(-len(again) // lanes) * lanes, np.int32)
    head[: len(again)] = again
    packed = in_pairs(panels, lanes) if pairs else panels
    return np.concatenate([head.view(np.int8), packed]), len(again)


def _fold(bias: Integers, w: Integers, zero: int, shift: int) -> Integers:
    """bias - (zero + shift) * sum of the weights; w is [K, N], less its zero point."""
    folded: Integers = bias - (zero + shift) * w.sum(axis=0)
    return folded


def pack_gemm_s8(
    w: npt.NDArray[np.integer],
    bias: npt.NDArray[np.integer],
    zero: int,
    *,
    lanes: int,
    vectors: int,
    shift: int,
    pairs: bool,
    weight_zero: int = 0,
) -> Packed:
    """Pack w[K, N] and bias[N] for gemm_s8; `zero` is the activations' zero point."""
    real = w.astype(np.int64) - weight_zero
    folded = _fold(bias.astype(np.int64), real, zero, shift)
    weights, again = _products(real[None, None], lanes, vectors, pairs)
    return Packed(weights, _padded(folded), again)


def conv_is_dense(channels: int, groups: int, ldx: int, dilation_w: int, framed: bool) -> bool:
    """Whether a row of taps is one run of bytes, as conv_s8 decides it."""
    return dilation_w == 1 and channels == (groups * channels if framed else ldx)


def pack_conv_s8(
    w: npt.NDArray[np.integer],
    bias: npt.NDArray[np.integer],
    zero: int,
    *,
    groups: int,
    dense: bool,
    lanes: int,
    vectors: int,
    shift: int,
    pairs: bool,
    weight_zero: int = 0,
) -> Packed:
    """Pack w[groups * N, C, KH, KW] and bias for conv_s8; `dense` comes from conv_is_dense."""
    outputs, c, _, kw = w.shape
    real = w.astype(np.int64) - weight_zero
    length = (kw if dense else 1) * c
    rows = real.transpose(2, 3, 1, 0).reshape(-1, length, groups, outputs // groups)
    weights, again = _products(rows.transpose(2, 0, 1, 3), lanes, vectors, pairs)
    folded = _fold(bias.astype(np.int64), real.reshape(outputs, -1).T, zero, shift)
    return Packed(weights, _padded(folded), again)


def _pieces(w: Integers) -> list[Integers]:
    """int8 terms whose sum is w, bytes less a zero point that is a byte as well."""
    assert np.abs(w).max(initial=0) < 512, "the zero point is no byte"
    pieces = [np.clip(w, -128, 127)]
    while (rest := w - sum(pieces)).any():
        pieces.append(np.clip(rest, -128, 127))
    return pieces


def wide_order(channels: int, wide: int, lanes: int) -> Integers:
    """The channel at each place where depthwise_s8 has the first `wide` in the order of dot8.h.

    Where 4 * lanes does not divide `wide`, which then is all channels, the last of them come again
    and again until their block is full.
    """
    full = 4 * lanes
    place = np.arange(-(-wide // full) * full, dtype=np.int64)
    block, vector, lane = place // full, place // lanes % 4, place % lanes
    byte = lane // 4 * 16 + 4 * vector + lane % 4
    in_block = np.minimum(wide - block * full, full)
    return np.concatenate([block * full + byte % in_block, np.arange(wide, channels)])


def pack_depthwise_s8(
    w: npt.NDArray[np.integer],
    bias: npt.NDArray[np.integer],
    zero: int,
    *,
    stride_h: int,
    dilation_h: int,
    tile_h: int,
    lanes: int,
    shift: int,
    pairs: bool,
    weight_zero: int = 0,
    wide: int = 0,
) -> Packed:
    """Pack w[C * M, KH, KW] and bias[C * M], in wide_order, for depthwise_s8.

    [vector of channels][pass][output row of the tile][quad of input rows][KW][lanes][4]; the first
    `wide` channels [4 vectors][pass][output row][quad][KW][vector][lanes][4]. With pairs the others
    are 16 bits each.
    """
    n, kh, kw = w.shape
    wide = -(-wide // (4 * lanes)) * 4 * lanes
    real = w.astype(np.int64) - weight_zero
    pieces = _pieces(real)
    rows = (tile_h - 1) * stride_h + kh if dilation_h == 1 else kh
    groups, blocks = -(-rows // 4), -(-n // lanes)
    packed = np.zeros((len(pieces), tile_h, groups * 4, kw, blocks * lanes), np.int8)
    for p, piece in enumerate(pieces):
        for r in range(tile_h):
            packed[p, r, r * stride_h : r * stride_h + kh, :, :n] = piece.transpose(1, 2, 0)
    split = packed.reshape(len(pieces), tile_h, groups, 4, kw, blocks, lanes)
    ordered = split.transpose(5, 0, 1, 2, 4, 6, 3)
    first, rest = ordered[: wide // lanes], ordered[wide // lanes :]
    fours = first.reshape(-1, 4, *first.shape[1:]).transpose(0, 2, 3, 4, 5, 1, 6, 7)
    parts = [fours.ravel(), rest.ravel()]
    if pairs:
        wide_part, narrow = (in_pairs(part, lanes) for part in parts)
        parts = [wide_part, narrow.astype("<i2").view(np.int8)]
    weights = np.concatenate(parts)
    folded = _fold(bias.astype(np.int64), real.reshape(n, -1).T, zero, shift)
    taps = np.flatnonzero((real != pieces[0]).any(axis=0))
    again = sum(1 << tap for tap in {min(int(tap), 30) for tap in taps})
    return Packed(weights, _padded(folded), again, len(pieces))


def accumulator_bounds(
    w: npt.NDArray[np.integer], bias: npt.NDArray[np.integer], zero: int, weight_zero: int = 0
) -> tuple[Integers, Integers]:
    """Least and greatest bias + sum (x - zero) * (w - weight_zero) over int8 x; w is [K, N]."""
    real = w.astype(np.int64) - weight_zero
    at_low, at_high = (-128 - zero) * real, (127 - zero) * real
    low = bias + np.minimum(at_low, at_high).sum(axis=0)
    high = bias + np.maximum(at_low, at_high).sum(axis=0)
    return low, high


def requantization(
    by: Multiplier,
    zero: int,
    bounds: tuple[Integers, Integers],
    rounding: Rounding,
    limits: tuple[int, int] = (-128, 127),
    fused: bool = False,
) -> Requantization:
    """The epilogue for one real multiplier per channel and the arrays for its `extra`.

    `bounds` are the accumulators', as accumulator_bounds gives them; `rounding` is "single" or
    "double"; codes are clamped to `limits`. A narrow form is taken where it is exact for every
    value within bounds, that of one multiply-add where the machine has it (`fused`).
    """
    found = linear(by, zero, bounds, limits, rounding) if fused else None
    if found is not None:
        name = "linear_split" if found.split else "linear_free" if found.free else "linear"
        arrays = tuple(_padded_floats(v) for v in (found.scale, found.offset))
        if found.split:
            lower = (_padded(found.split.below), _padded(found.split.more))
            arrays = (*arrays, *lower, _padded_floats(found.split.offset))
        codes, start = f"{name}_codes_s8", _padded(found.start)
        out = (f"{name}_s8", 2) if found.narrow else (codes, 1)
        return Requantization(out[0], arrays, out[1], codes, start)
    low, high = (np.broadcast_to(b, by.m.shape).astype(np.int64) for b in bounds)
    m, t = by.m.astype(np.int64), by.t.astype(np.int64)
    size = np.maximum(np.abs(low), np.abs(high))
    first, last = (multiply(b, by, rounding) for b in (low, high))
    # A channel whose accumulators all give one result (a bias without weights) needs no multiplier.
    flat = (first == last) & (size < np.int64(1) << 31 >> np.maximum(31 - t, 0))
    size = np.where(flat, 0, size)
    zeros = np.where(flat, np.clip(zero + first, -128, 127), zero)
    mult = np.where(flat, 0, m)
    if rounding == "double":
        exponent = np.where(flat, 31, t)
        left, right = np.maximum(31 - exponent, 0), np.maximum(exponent - 31, 0)
        if (size >= np.int64(1) << 29 >> left).any() or right.max(initial=0) > 22:
            return _requantization("double_wide_s8", [mult, left, right, zeros])
        # Twice the nudge of 2^(right-1), for the kernels halve once, at the end; and half of that.
        rounds = (np.int64(1) << right >> 1 << 1) + (zeros << (right + 1)) + 1
        doubled = [mult, right + 1, rounds, left + 2]
        if limits[0] >= zero or not right.any():  # no code below zero: ties away are ties up
            return _requantization("single_left_s8", doubled)
        return _requantization("double_s8", [*doubled, np.where(right > 0, -2, 0)])
    exponent = np.where(flat, 33, t)
    if ((exponent >= 33) & (exponent <= 54)).all():
        shift = exponent - 32
        rounds = (np.int64(1) << (shift - 1)) + (zeros << shift)
        return _requantization("single_s8", [mult, shift, rounds])
    left = np.maximum(33 - exponent, 0)
    if (size < (np.int64(1) << 31 >> left)).all() and (exponent <= 54).all():
        shift = exponent + left - 32
        rounds = (np.int64(1) << (shift - 1)) + (zeros << shift)
        return _requantization("single_left_s8", [mult, shift, rounds, left])
    return _requantization("single_wide_s8", [mult, exponent, zeros])


def _requantization(epilogue: str, arrays: list[Integers]) -> Requantization:
    return Requantization(epilogue, tuple(_padded(v) for v in arrays))


def conv_scratch(
    size: tuple[int, int],
    out: tuple[int, int],
    channels: int,
    kernel: tuple[int, int],
    stride: tuple[int, int],
    dilation: tuple[int, int],
    pad: tuple[int, int],
    block: int,
    pairs: bool,
) -> int:
    """Bytes of `scratch` that conv_s8 needs for each thread; 0 where it reads x in place.

    Numbers of two are (height, width), `channels` those of all groups, `block` the argument RB.
    """
    last = [(o - 1) * s + (k - 1) * d for o, s, k, d in
            zip(out, stride, kernel, dilation, strict=True)]  # fmt: skip
    if not pairs and not any(pad) and last[0] < size[0] and last[1] < size[1]:
        return 0
    rows = (min(block, out[0]) - 1) * stride[0] + (kernel[0] - 1) * dilation[0] + 1
    return rows * (last[1] + 1) * channels * (2 if pairs else 1)
