"""What one element of a tensor is: a machine scalar, or a quantised code for a real number."""

from __future__ import annotations

from dataclasses import dataclass, field

import ml_dtypes
import numpy as np


@dataclass(frozen=True, slots=True)
class Scalar:
    """A machine number. `dtype` is the NumPy type its reference values are kept in."""

    name: str
    dtype: np.dtype[np.generic] = field(compare=False, repr=False)
    kind: str  # f float, i signed, u unsigned, b bool, c complex, s string

    @property
    def size(self) -> int:
        """Bytes one element takes in an arena (sub-byte integers take a whole byte there)."""
        return 8 if self.kind == "s" else self.dtype.itemsize

    def __str__(self) -> str:
        return self.name


def _scalar(name: str, dtype: object, kind: str) -> Scalar:
    return Scalar(name, np.dtype(dtype), kind)  # type: ignore[call-overload]


F64, F32 = _scalar("f64", np.float64, "f"), _scalar("f32", np.float32, "f")
F16, BF16 = _scalar("f16", np.float16, "f"), _scalar("bf16", ml_dtypes.bfloat16, "f")
I8, I16 = _scalar("i8", np.int8, "i"), _scalar("i16", np.int16, "i")
I32, I64 = _scalar("i32", np.int32, "i"), _scalar("i64", np.int64, "i")
U8, U16 = _scalar("u8", np.uint8, "u"), _scalar("u16", np.uint16, "u")
U32, U64 = _scalar("u32", np.uint32, "u"), _scalar("u64", np.uint64, "u")
BOOL, STRING = _scalar("bool", np.bool_, "b"), _scalar("string", object, "s")
C64, C128 = _scalar("c64", np.complex64, "c"), _scalar("c128", np.complex128, "c")
F8E4M3FN = _scalar("f8e4m3fn", ml_dtypes.float8_e4m3fn, "f")
F8E4M3FNUZ = _scalar("f8e4m3fnuz", ml_dtypes.float8_e4m3fnuz, "f")
F8E5M2 = _scalar("f8e5m2", ml_dtypes.float8_e5m2, "f")
F8E5M2FNUZ = _scalar("f8e5m2fnuz", ml_dtypes.float8_e5m2fnuz, "f")
F8E8M0 = _scalar("f8e8m0", ml_dtypes.float8_e8m0fnu, "f")
F4E2M1 = _scalar("f4e2m1", ml_dtypes.float4_e2m1fn, "f")
I4, U4 = _scalar("i4", ml_dtypes.int4, "i"), _scalar("u4", ml_dtypes.uint4, "u")
I2, U2 = _scalar("i2", ml_dtypes.int2, "i"), _scalar("u2", ml_dtypes.uint2, "u")

SCALARS: dict[str, Scalar] = {
    s.name: s
    for s in (
        F64, F32, F16, BF16, I8, I16, I32, I64, U8, U16, U32, U64, BOOL, STRING, C64, C128,
        F8E4M3FN, F8E4M3FNUZ, F8E5M2, F8E5M2FNUZ, F8E8M0, F4E2M1, I4, U4, I2, U2,
    )
}  # fmt: skip
_BY_DTYPE = {s.dtype: s for s in SCALARS.values()}


def scalar_of(dtype: np.dtype[np.generic] | type) -> Scalar:
    """The Scalar whose reference values have this NumPy type. Raises KeyError for foreign types."""
    d = np.dtype(dtype)
    return STRING if d.kind in "UTSO" else _BY_DTYPE[d]


@dataclass(frozen=True, slots=True)
class Quant:
    """A quantised number: real = scale * (code - zero), per tensor or along `axis`.

    rounding: `single` is whet's own requantise (TOSA RESCALE); `double` keeps TFLite Micro's bits.
    """

    store: Scalar
    scale: tuple[float, ...]
    zero: tuple[int, ...]
    axis: int | None = None
    rounding: str = "single"

    @property
    def dtype(self) -> np.dtype[np.generic]:
        return self.store.dtype

    @property
    def size(self) -> int:
        return self.store.size

    @property
    def kind(self) -> str:
        return "q"

    @property
    def name(self) -> str:
        return str(self)

    def __str__(self) -> str:
        scale, zero = _show(self.scale), _show(self.zero)
        axis = "" if self.axis is None else f" axis={self.axis}"
        return f"q<{self.store} {scale} {zero}{axis} {self.rounding}>"


Element = Scalar | Quant


def _show(values: tuple[float, ...] | tuple[int, ...]) -> str:
    if len(values) == 1:
        return repr(values[0])
    if len(set(values)) == 1:
        return f"{values[0]!r}x{len(values)}"
    return "(" + ",".join(repr(v) for v in values) + ")"
