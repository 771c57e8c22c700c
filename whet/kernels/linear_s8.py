"""Requantisation of an int8 contraction by one f32 multiply-add, where that is proved exact.

A multiply-add with a single rounding yields the code as the low bits of 1.5 * 2^23 + code. Its
first factor is the accumulator, in one of two ways:
  free     the sum starts from the bits of a float in [2^23, 2^24): adding integers to the bits
           adds them to the value. Where the start lies is chosen so that what is rounded falls
           between the steps of the code.
  split    the same, by two lines of one slope: where ties go away from zero, the steps of negative
           codes lie elsewhere than the others lead to expect; elsewhere a line through half of the
           codes errs half as much.
  not free the accumulator is converted.
Code and multiply-add are both monotone in the accumulator, so they are equal everywhere once they
are equal on both sides of every step of the code, which is checked here in integers. NumPy only.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from whet.ops.integer.quantization import Rounding
from whet.ops.integer.requantize import Multiplier, multiply

__all__ = ["Linear", "linear"]

Integers = npt.NDArray[np.int64]
Reals = npt.NDArray[np.float64]
Floats = npt.NDArray[np.float32]
Truths = npt.NDArray[np.bool_]

ULP_ONE = 1 << 23  # from here to twice as much, floats are the integers
BITS = 0x4B000000  # of that float
CENTRE = 3 << 22  # what a result of 0 is, as LINEAR_ZERO of requantize.h
LEAST, MOST = 2.0**-22, 1.0  # multipliers for which the proof stays within 64 bits
NUDGES = (0, 1, -1, 2, -2)
TRIES = (64, 1024, 16384)


@dataclass(frozen=True, slots=True)
class Split:
    """Of sums that are less than `below`, start included: what is added to them, and the offset in
    the stead of the others'."""

    below: Integers
    more: Integers
    offset: Floats


@dataclass(frozen=True, slots=True)
class Linear:
    """What the sum starts from beside the bias, and the multiply-add, one of each per channel.

    free, split: see above. narrow: every result lies in int16.
    """

    free: bool
    start: Integers
    scale: Floats
    offset: Floats
    narrow: bool
    split: Split | None = None


@dataclass(frozen=True, slots=True)
class _Steps:
    """Where the code steps up to `level` [levels, 1]: accumulators [levels, channels].

    at: the first with the level, relevant where `reached`; before: the last without, where `left`.
    """

    level: Integers
    at: Integers
    before: Integers
    reached: Truths
    left: Truths

    def of(self, channels: Integers) -> _Steps:
        """The steps of some channels."""
        rest = (self.at, self.before)
        at, before = (a[:, channels] for a in rest)
        return _Steps(self.level, at, before, self.reached[:, channels], self.left[:, channels])

    def sides(self, zero: int) -> tuple[_Steps, _Steps]:
        """What matters of them to accumulators whose code exceeds `zero`, and to the others."""
        above, first = self.level > zero, self.level == zero + 1
        upper = replace(self, reached=self.reached & above, left=self.left & above & ~first)
        lower = replace(self, reached=self.reached & ~above, left=self.left & (~above | first))
        return upper, lower


def linear(
    by: Multiplier,
    zero: int,
    bounds: tuple[Integers, Integers],
    limits: tuple[int, int],
    rounding: Rounding,
    *,
    free: bool = True,
) -> Linear | None:
    """The multiply-add equal to `by` and `zero`, clamped to `limits`, on accumulators in `bounds`.

    free: whether a sum may start from the bits of a float. None where there is none for some
    channel.
    """
    low, high = (np.broadcast_to(b, by.m.shape).astype(np.int64) for b in bounds)
    m, t = by.m.astype(np.int64), by.t.astype(np.int64)
    ends = [np.clip(zero + multiply(b, by, rounding), *limits) for b in (low, high)]
    flat = ends[0] == ends[1]
    real = np.where(flat, 0.5, m * np.exp2(-t.astype(np.float64)))
    origin = np.where(flat, low, 0)  # of sums that all give one code, however large
    low, high = low - origin, high - origin
    if ((real < LEAST) | (real > MOST)).any() or max(-low.min(), high.max()) > 1 << 29:
        return None
    m, t = np.where(flat, 1 << 30, m), np.where(flat, 31, t)
    steps = _steps(m, t, zero, (low, high), limits, rounding)
    tried = real.astype(np.float32)
    found = _free(tried, (steps,), flat) if free else None
    away = rounding == "double" and limits[0] < zero < limits[1]
    middle, divided = zero if away else sum(limits) // 2, free and limits[0] < limits[1]
    free = found is not None
    if found is None:
        found = _converted(tried, zero, steps, flat)
    if found is None and divided:
        found, free = _free(tried, steps.sides(middle), flat), True
    if found is None:
        return None
    starts, scale, offsets = found
    starts = starts - origin if free else starts
    scale, offsets = np.where(flat, np.float32(0), scale), np.where(flat, ends[0], offsets)
    sums = np.stack([low, high])[:, None] + starts + origin * free
    values = sums.astype(np.int32).view(np.float32) if free else sums
    results = np.abs(values * scale.astype(np.float64) + offsets).max()
    if results >= 1 << 21:
        return None
    narrow = bool(results < (1 << 15) - 2)
    start, offset, *lower = *starts[:1], *(offsets + CENTRE).astype(np.float32)
    split = None
    if lower:
        below = steps.at[middle - limits[0]] + start
        split = Split(below, starts[1] - start, *lower)
    return Linear(free, start, scale, offset, narrow, split)


def _steps(
    m: Integers,
    t: Integers,
    zero: int,
    bounds: tuple[Integers, Integers],
    limits: tuple[int, int],
    rounding: Rounding,
) -> _Steps:
    level = np.arange(limits[0] + 1, limits[1] + 1, dtype=np.int64)[:, None]
    if rounding == "single":
        product = (2 * (level - zero) - 1) << (t - 1)
    else:
        right = t - 31
        half = (np.int64(1) << right) >> 1
        doubled = ((level - zero) << right) - half
        doubled = doubled + ((doubled < 0) & (right > 0))
        product = (doubled << 31) - (1 << 30)
    at = -(-product // m)
    low, high = bounds
    return _Steps(level, np.maximum(at, low), np.minimum(at - 1, high), at <= high, at > low)


def _free(
    scale: Floats, sides: tuple[_Steps, ...], flat: Truths
) -> tuple[Integers, Floats, Integers] | None:
    """Starts, scale and offsets of every channel whose sum is a float from the start; of the first
    and the last a row for each side, whose steps lie on a line of its own."""
    starts = np.zeros((len(sides), *scale.shape), np.int64)
    offsets, chosen, ready = starts.copy(), scale.copy(), flat.copy()
    for nudge in NUDGES:
        todo = np.flatnonzero(~ready)
        if not todo.size:
            break
        tried = (scale[todo].view(np.int32) + np.int32(nudge)).view(np.float32)
        good = np.ones(todo.size, bool)
        for side, steps in enumerate(sides):
            some = steps.of(todo)
            first, whole = _placed(tried.astype(np.float64), some)
            good &= _inside(first, some) & _exact(tried, ULP_ONE + first, whole, some)
            starts[side, todo], offsets[side, todo] = first, whole
        ready[todo], chosen[todo] = good, tried
    return (starts + BITS, chosen, offsets) if ready.all() else None


def _converted(
    scale: Floats, zero: int, steps: _Steps, flat: Truths
) -> tuple[Integers, Floats, Integers] | None:
    """The same where the sum is converted, which is exact below 2^24."""
    none = np.zeros((1, *scale.shape), np.int64)
    near = np.maximum(np.abs(steps.at), np.abs(steps.before)).max(axis=0) <= 2 * ULP_ONE
    good = flat | (near & _exact(scale, none[0], none[0] + zero, steps))
    return (none, scale, none + zero) if good.all() else None


def _placed(scale: Reals, steps: _Steps) -> tuple[Integers, Integers]:
    """Where the sum starts above 2^23, and the integer added to the product less CENTRE.

    The start is searched for a product whose fraction is the middle of what the steps leave open.
    """
    edge = steps.level - 0.5
    least = np.where(steps.reached, edge - scale * steps.at, -np.inf).max(axis=0)
    most = np.where(steps.left, edge - scale * steps.before, np.inf).min(axis=0)
    least = np.where(np.isfinite(least), least, np.where(np.isfinite(most), most, 0.5) - 0.5)
    most = np.where(np.isfinite(most), most, least + 0.5)
    middle, slack = (least + most) / 2, (most - least) / 2
    farthest, nearest = _ends(steps)
    first = np.ceil(scale * (ULP_ONE + np.maximum(0, -nearest)) - middle) + 1
    last = np.floor(scale * (2 * ULP_ONE - 1 - farthest) - middle) - 1
    start, whole = np.zeros(scale.shape, np.int64), np.zeros(scale.shape, np.int64)
    todo = np.flatnonzero((first <= last) & (slack > 0))
    for tries in TRIES:
        j = np.minimum(first[todo, None] + np.arange(tries), last[todo, None])
        value = np.rint((j + middle[todo, None]) / scale[todo, None])
        error = np.abs(value * scale[todo, None] - j - middle[todo, None])
        at = (np.arange(todo.size), error.argmin(axis=1))
        start[todo], whole[todo] = value[at] - ULP_ONE, -j[at]
        todo = todo[error[at] > slack[todo] * 0.9]
    return start, whole


def _ends(steps: _Steps) -> tuple[Integers, Integers]:
    """The greatest and the least accumulator at a step."""
    greatest = np.where(steps.reached, steps.at, steps.before).max(axis=0)
    return greatest, np.where(steps.left, steps.before, steps.at).min(axis=0)


def _inside(start: Integers, steps: _Steps) -> Truths:
    """Whether every step is where floats are the integers."""
    greatest, least = _ends(steps)
    inside: Truths = (start + least >= 0) & (start + greatest < ULP_ONE)
    return inside


def _exact(scale: Floats, start: Integers, whole: Integers, steps: _Steps) -> Truths:
    """For each channel, whether every step is where it should be: in integers, as floats round."""
    fraction, exponent = np.frexp(scale)
    significand, shift = (fraction * (1 << 24)).astype(np.int64), 24 - exponent.astype(np.int64)

    def code(acc: Integers) -> Integers:
        total = (start + acc) * significand + (whole << shift)
        floor = total >> shift
        rest, half = total - (floor << shift), np.int64(1) << (shift - 1)
        rounded: Integers = floor + ((rest > half) | ((rest == half) & (floor & 1 == 1)))
        return rounded

    at = ~steps.reached | (code(steps.at) >= steps.level)
    before = ~steps.left | (code(steps.before) < steps.level)
    exact: Truths = np.asarray((at & before).all(axis=0))
    return exact
