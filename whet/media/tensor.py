"""What a pipeline must produce or read: a model's input or output, and samples on their way."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import DTypeLike, NDArray

from whet.errors import InputError, ShapeError

Array = NDArray[np.generic]


@dataclass(frozen=True, slots=True)
class TensorSpec:
    """One input or output of a model: name, shape (-1: any size), stored dtype, quantisation.

    A quantised tensor stores codes: `real = scale * (code - zero_point)`; others have no scale.
    """

    name: str
    shape: tuple[int, ...]
    dtype: np.dtype[np.generic]
    scale: float | None = None
    zero_point: int = 0

    @staticmethod
    def of(
        name: str,
        shape: Sequence[int],
        dtype: DTypeLike,
        scale: float | None = None,
        zero_point: int = 0,
    ) -> TensorSpec:
        """A TensorSpec from loosely typed parts, as frameworks report them."""
        sizes = tuple(int(n) for n in shape)
        return TensorSpec(name, sizes, np.dtype(dtype), scale or None, int(zero_point))

    def __str__(self) -> str:
        sizes = "x".join("?" if n < 0 else str(n) for n in self.shape) or "scalar"
        return f"{self.dtype}[{sizes}]"


@dataclass(frozen=True, slots=True)
class Sample:
    """A value between steps. Images: (height, width, channels); audio: (samples,) with a rate."""

    data: Array
    rate: int = 0


def quantise(real: Array, spec: TensorSpec) -> Array:
    """Codes of real numbers: round half to even of real / scale + zero_point, saturated."""
    if spec.scale is None:
        raise ShapeError("cannot quantise", spec.name, f"input {spec} has no scale")
    low, high = integer_limits(spec.dtype)
    codes = np.rint(real.astype(np.float64) / spec.scale) + spec.zero_point
    saturated: Array = np.clip(codes, low, high).astype(spec.dtype)
    return saturated


def integer_limits(dtype: np.dtype[np.generic]) -> tuple[int, int]:
    """The range of an integer type, within what float64 counts exactly."""
    bits = 8 * dtype.itemsize
    low, high = (0, 2**bits - 1) if dtype.kind == "u" else (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)
    return max(low, -(2**53)), min(high, 2**53)


def dequantise(codes: Array, spec: TensorSpec) -> NDArray[np.float64]:
    """The real numbers that a tensor's codes stand for; other tensors just become float64."""
    values = codes.astype(np.float64)
    return values if spec.scale is None else (values - spec.zero_point) * spec.scale


def conform(data: Array, spec: TensorSpec, where: str) -> Array:
    """The array as the model's input takes it, C-contiguous; ShapeError where it cannot be.

    Axes of length one may be added or dropped. An array of the input's own dtype is taken as it is
    (codes, for a quantised input); any other array holds real numbers: it is quantised when the
    input is quantised, converted when it is floating, and refused when a value would be lost.
    """
    shaped = _reshaped(data, spec, where)
    if shaped.dtype == spec.dtype:
        return np.ascontiguousarray(shaped)
    if shaped.dtype.kind == "c":
        raise _misfit(data, spec, where)
    if spec.scale is not None and spec.dtype.kind in "iu":
        return np.ascontiguousarray(quantise(shaped, spec))
    if spec.dtype.kind == "f":
        return np.ascontiguousarray(shaped.astype(spec.dtype))
    with np.errstate(invalid="ignore"):
        cast = shaped.astype(spec.dtype)
    if not np.array_equal(cast.astype(np.float64), shaped.astype(np.float64)):
        raise _misfit(data, spec, where)
    return np.ascontiguousarray(cast)


def _reshaped(data: Array, spec: TensorSpec, where: str) -> Array:
    wanted = spec.shape
    fits = len(data.shape) == len(wanted) and all(
        w in (-1, n) for n, w in zip(data.shape, wanted, strict=True)
    )
    if fits:
        return data
    core = [n for n in data.shape if n != 1]
    if -1 not in wanted and core == [n for n in wanted if n != 1]:
        return data.reshape(wanted)
    extra = len(wanted) - data.ndim
    if extra > 0 and all(w in (-1, 1) for w in wanted[:extra]):
        grown = data.reshape((1,) * extra + data.shape)
        if all(w in (-1, n) for n, w in zip(grown.shape, wanted, strict=True)):
            return grown
    raise _misfit(data, spec, where)


def _misfit(data: Array, spec: TensorSpec, where: str) -> InputError:
    sizes = "x".join(map(str, data.shape)) or "scalar"
    hint = "declare the steps in a TOML beside the model"
    if math.prod(data.shape) == math.prod(spec.shape) and data.shape != spec.shape:
        hint = "a reshape or layout step"
    return InputError(
        f"the data does not fit input {spec.name}",
        where,
        f"{data.dtype}[{sizes}], not {spec}",
        hint,
    )
