"""Where floats become integers and integers floats. The same in both roundings."""

import numpy as np
import numpy.typing as npt

from whet.ops.integer.quantization import Affine, Integers
from whet.ops.integer.requantize import stored


def quantize(x: npt.NDArray[np.float32], y: Affine) -> Integers:
    """clamp(zero + round(x / scale)): the quotient in float32, ties away from zero, NaN as 0.

    TensorFlow Lite Micro's QUANTIZE from float32.
    """
    with np.errstate(all="ignore"):
        quotient = x.astype(np.float32) / np.float32(y.scale)
    real = np.clip(np.nan_to_num(quotient, nan=0.0), -(2.0**20), 2.0**20).astype(np.float64)
    away = np.trunc(real + np.copysign(0.5, real)).astype(np.int64)
    return stored(away + y.zero, y.low, y.high, y.store)


def dequantize(q: Integers, x: Affine) -> npt.NDArray[np.float32]:
    """scale * (q - zero) in double precision, rounded to float32."""
    real: npt.NDArray[np.float32] = (x.scale * (q.astype(np.int64) - x.zero)).astype(np.float32)
    return real
