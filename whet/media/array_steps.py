"""Steps on any array: arithmetic, shape and element type."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from whet.errors import InputError
from whet.media.limits import MAX_RANK
from whet.media.tensor import Sample, TensorSpec, integer_limits, quantise


@dataclass(frozen=True, slots=True)
class Normalise:
    """(x - mean) / std, as float32. One number, or one for each of the last axis' channels."""

    mean: tuple[float, ...] = (0.0,)
    std: tuple[float, ...] = (1.0,)

    def check(self) -> str:
        return "std is not zero" if not self.std or 0.0 in self.std or not self.mean else ""

    def apply(self, sample: Sample, spec: TensorSpec) -> Sample:
        values = sample.data.astype(np.float32)
        mean, std = _channels(self.mean, sample), _channels(self.std, sample)
        return Sample(((values - mean) / std).astype(np.float32), sample.rate)


@dataclass(frozen=True, slots=True)
class Affine:
    """x * scale + offset, as float32. One number, or one for each of the last axis' channels."""

    scale: tuple[float, ...] = (1.0,)
    offset: tuple[float, ...] = (0.0,)

    def check(self) -> str:
        return "" if self.scale and self.offset else "scale and offset hold numbers"

    def apply(self, sample: Sample, spec: TensorSpec) -> Sample:
        values = sample.data.astype(np.float32)
        scale, offset = _channels(self.scale, sample), _channels(self.offset, sample)
        return Sample((values * scale + offset).astype(np.float32), sample.rate)


def _channels(values: tuple[float, ...], sample: Sample) -> NDArray[np.float32]:
    if len(values) not in (1, sample.data.shape[-1] if sample.data.ndim else 1):
        raise InputError(
            "a step's numbers do not fit", "", f"{len(values)} for {sample.data.shape[-1]} channels"
        )
    return np.array(values, np.float32)


@dataclass(frozen=True, slots=True)
class Clip:
    """Values limited to [low, high]."""

    low: float
    high: float

    def check(self) -> str:
        return "" if self.low <= self.high else "low is at most high"

    def apply(self, sample: Sample, spec: TensorSpec) -> Sample:
        return Sample(np.clip(sample.data.astype(np.float32), self.low, self.high), sample.rate)


@dataclass(frozen=True, slots=True)
class Reshape:
    """Another shape with as many elements, in row-major order; one size may be -1."""

    shape: tuple[int, ...]

    def check(self) -> str:
        sane = len(self.shape) <= MAX_RANK and all(n > 0 or n == -1 for n in self.shape)
        return "" if sane and self.shape.count(-1) <= 1 else "sizes are positive, one may be -1"

    def apply(self, sample: Sample, spec: TensorSpec) -> Sample:
        known = math.prod(n for n in self.shape if n != -1)
        total = sample.data.size
        if total % known if -1 in self.shape else total != known:
            raise InputError("step reshape", "", f"{total} elements do not make {self.shape}")
        return Sample(sample.data.reshape(self.shape), sample.rate)


@dataclass(frozen=True, slots=True)
class Transpose:
    """Axes in another order."""

    order: tuple[int, ...]

    def check(self) -> str:
        sane = sorted(self.order) == list(range(len(self.order)))
        return "" if sane else "order names every axis once"

    def apply(self, sample: Sample, spec: TensorSpec) -> Sample:
        if len(self.order) != sample.data.ndim:
            raise InputError("step transpose", "", f"the array has {sample.data.ndim} axes")
        return Sample(sample.data.transpose(self.order), sample.rate)


@dataclass(frozen=True, slots=True)
class Quantise:
    """To the codes of the model's input: round half to even of x / scale + zero point, saturated.

    scale 0 takes the input's own scale and zero point.
    """

    scale: float = 0.0
    zero_point: int = 0

    def check(self) -> str:
        return "" if self.scale >= 0.0 else "scale is above 0"

    def apply(self, sample: Sample, spec: TensorSpec) -> Sample:
        if self.scale == 0.0:
            return Sample(quantise(sample.data, spec), sample.rate)
        if spec.dtype.kind not in "iu":
            raise InputError("step quantise", spec.name, f"the input is {spec}")
        own = TensorSpec(spec.name, spec.shape, spec.dtype, self.scale, self.zero_point)
        return Sample(quantise(sample.data, own), sample.rate)


@dataclass(frozen=True, slots=True)
class Cast:
    """Another element type, truncating fractions and saturating at the type's limits."""

    dtype: str

    def check(self) -> str:
        known = ("float16", "float32", "float64", "int8", "uint8", "int16", "int32", "int64")
        return "" if self.dtype in known else f"dtype is one of {', '.join(known)}"

    def apply(self, sample: Sample, spec: TensorSpec) -> Sample:
        goal = np.dtype(self.dtype)
        data = sample.data
        if goal.kind in "iu":
            low, high = integer_limits(goal)
            data = np.clip(np.trunc(data.astype(np.float64)), low, high)
        return Sample(data.astype(goal), sample.rate)
