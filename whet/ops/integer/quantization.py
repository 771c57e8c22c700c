"""Affine quantisation of a tensor, and the ranges that follow from it."""

import enum
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
import numpy.typing as npt

Integers: TypeAlias = npt.NDArray[np.integer]
"""Any integer array; a function states the width it wants."""

Rounding = Literal["single", "double"]
Store = Literal["int8", "uint8", "int16", "int32"]


class Activation(enum.Enum):
    """A clamp fused into the producer of a tensor."""

    NONE = "none"
    RELU = "relu"
    RELU6 = "relu6"
    RELU_N1_TO_1 = "relu_n1_to_1"


@dataclass(frozen=True, slots=True)
class Affine:
    """Per-tensor quantisation: real = scale * (q - zero).

    `scale` holds a float32 value exactly; `store` is the NumPy name of the storage type.
    """

    scale: float
    zero: int
    store: Store = "int8"

    @property
    def low(self) -> int:
        """Smallest value of the storage type."""
        return int(np.iinfo(self.store).min)

    @property
    def high(self) -> int:
        """Largest value of the storage type."""
        return int(np.iinfo(self.store).max)


def round_half_away(value: float) -> int:
    """Round to the nearest integer, ties away from zero: C's `round`."""
    whole = int(abs(value))
    magnitude = whole + (abs(value) - whole >= 0.5)
    return magnitude if value >= 0 else -magnitude


def activation_range(output: Affine, activation: Activation) -> tuple[int, int]:
    """The clamp (low, high) on stored values that `activation` means for `output`.

    A bound is zero + round_half_away(float32(bound) / float32(scale)), cut to the storage type, as
    in TensorFlow Lite Micro's `CalculateActivationRangeQuantized`.
    """

    def stored(bound: float) -> int:
        return output.zero + round_half_away(float(np.float32(bound) / np.float32(output.scale)))

    low, high = output.low, output.high
    if activation in (Activation.RELU, Activation.RELU6):
        low = max(low, stored(0.0))
    if activation is Activation.RELU6:
        high = min(high, stored(6.0))
    if activation is Activation.RELU_N1_TO_1:
        low, high = max(low, stored(-1.0)), min(high, stored(1.0))
    return low, high


def same_padding(size: int, kernel: int, stride: int, dilation: int = 1) -> tuple[int, int]:
    """TensorFlow's SAME padding of one spatial axis: (before, after), the odd element after."""
    reach = (kernel - 1) * dilation + 1
    out = -(-size // stride)
    total = max((out - 1) * stride + reach - size, 0)
    return total // 2, total - total // 2


def float32_scales(scales: Sequence[float] | npt.NDArray[np.floating]) -> npt.NDArray[np.float64]:
    """Per-channel scales as doubles that hold float32 values, shape (channels,)."""
    return np.atleast_1d(np.asarray(scales, np.float32)).astype(np.float64)
