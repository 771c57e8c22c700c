"""Functions of one int16 value by a table of 513 entries, interpolated linearly."""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from whet.ops.integer.quantization import Affine, Integers, Rounding
from whet.ops.integer.unary import Reals

STEPS = 512


def interpolated_table(
    function: Callable[[Reals], Reals], x: Affine, y: Affine, rounding: Rounding
) -> npt.NDArray[np.int16]:
    """int16[513]: the function at every 128th input, moved by half the error at the midpoint.

    entry = round(f) - round((round((f_next + round(f)) / 2) - round(f_middle)) / 2), in units of
    the output range / 2**16, rounded with ties away from zero and clamped; the last entry is not
    moved. single: in double precision. double: in float32, as TensorFlow Lite's LUTPopulate.
    """
    dtype = "float64" if rounding == "single" else "float32"

    def real(v: npt.ArrayLike) -> Reals:
        kept: Reals = np.asarray(v, dtype)
        return kept

    # `real` keeps every intermediate in `dtype`: the float32 of TensorFlow Lite rounds each step.
    low, high = (real(x.scale) * real(q - x.zero) for q in (-32768, 32767))
    y_low, y_high = (real(y.scale) * real(q - y.zero) for q in (-32768, 32767))
    unit = real(65536) / (y_high - y_low)
    step = (high - low) / real(STEPS)

    def scaled(v: Reals) -> Reals:
        with np.errstate(all="ignore"):
            return real(function(v.astype(np.float64))) * unit

    at = low + real(np.arange(STEPS)) * step
    following = low + real(np.arange(1, STEPS + 1)) * step
    sample = _away(scaled(at))
    middle = _away((scaled(following) + sample) / real(2)) - _away(scaled(at + step / real(2)))
    table = np.append(sample - _away(middle / real(2)), _away(scaled(high)))
    q15: npt.NDArray[np.int16] = np.clip(table, -32768, 32767).astype(np.int16)
    return q15


def _away(v: Reals) -> Reals:
    wide = v.astype(np.float64)
    rounded: Reals = np.trunc(wide + np.copysign(0.5, wide)).astype(v.dtype)
    return rounded


def interpolate(x: Integers, table: npt.NDArray[np.int16]) -> Integers:
    """table[i] + ((table[i+1] - table[i]) * (x & 127) + 64 >> 7), i = 256 + (x >> 7), int16."""
    index = 256 + (x.astype(np.int64) >> 7)
    wide = table.astype(np.int64)
    base = wide[index]
    slope = (wide[index + 1] - base).astype(np.int16).astype(np.int64)
    y: Integers = (base + ((slope * (x.astype(np.int64) & 127) + 64) >> 7)).astype(np.int16)
    return y
