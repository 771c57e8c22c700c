"""Requantisation of a whole tensor in 32 bits, where it is exact there."""

from __future__ import annotations

from dataclasses import dataclass

from whet.ops.integer.contraction import Contraction

LONGEST = 22
"""The longest shift right after the high half of a product."""


@dataclass(frozen=True, slots=True)
class Narrow:
    """y = ((high half of (acc << left) * m) + round) >> shift, the zero point in `round`."""

    m: int
    left: int
    shift: int
    round: int


def narrow(c: Contraction, terms: int) -> Narrow | None:
    """The constants for sums of `terms` products of codes, None where 32 bits are too few.

    Exact for `single` rounding with one multiplier and no clamp of its own.
    """
    if c.rounding != "single" or c.by.m.size != 1 or (c.low, c.high) != (-128, 127):
        return None
    m, t = int(c.by.m.reshape(-1)[0]), int(c.by.t.reshape(-1)[0])
    left = max(33 - t, 0)
    shift = t + left - 32
    if terms * 255 * 255 << left >= 1 << 31 or shift > LONGEST:
        return None
    return Narrow(m, left, shift, (1 << (shift - 1)) + (c.y_zero << shift))
