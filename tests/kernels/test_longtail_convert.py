"""convert.h against NumPy and ml_dtypes, exhaustively where a format has few codes."""

from __future__ import annotations

import ctypes
from collections.abc import Iterable

import ml_dtypes
import numpy as np
import onnx.numpy_helper
import pytest

from tests.kernels.longtail_library import EXPORT, TARGETS, compile_c
from whet.targets.processor import cpu_flags

PLAIN = {
    "f64": np.float64,
    "f32": np.float32,
    "f16": np.float16,
    "bf16": ml_dtypes.bfloat16,
    "i8": np.int8,
    "i16": np.int16,
    "i32": np.int32,
    "i64": np.int64,
    "u8": np.uint8,
    "u16": np.uint16,
    "u32": np.uint32,
    "u64": np.uint64,
}
SMALL = {
    "f8e4m3fn": ml_dtypes.float8_e4m3fn,
    "f8e4m3fnuz": ml_dtypes.float8_e4m3fnuz,
    "f8e5m2": ml_dtypes.float8_e5m2,
    "f8e5m2fnuz": ml_dtypes.float8_e5m2fnuz,
}
RNG = np.random.default_rng(3)
CODES = np.arange(256, dtype=np.uint8)


def _array_loops() -> Iterable[str]:
    """One exported loop a conversion: void name(const SRC *x, DST *y, long n)."""
    loop = (
        "void loop_{name}(const {src} *x, {dst} *y, long n)"
        " {{ for (long i = 0; i < n; i++) y[i] = {call}; }}"
    )
    for src in PLAIN:
        for dst in PLAIN:
            name = f"cast_{dst}_of_{src}"
            yield loop.format(name=name, src=src, dst=dst, call=f"{name}(x[i])")
        name = f"cast_bool_of_{src}"
        yield loop.format(name=name, src=src, dst="u8", call=f"{name}(x[i])")
    for small in SMALL:
        for saturate in (0, 1):
            name = f"cast_{small}_of_f32"
            yield loop.format(
                name=f"{name}_{saturate}", src="f32", dst="u8", call=f"{name}(x[i], {saturate})"
            )
    for mode in ("UP", "DOWN", "NEAREST"):
        for saturate in (0, 1):
            call = f"cast_f8e8m0_of_f32(x[i], {saturate}, F8E8M0_{mode})"
            yield loop.format(
                name=f"e8m0_{mode.lower()}_{saturate}", src="f32", dst="u8", call=call
            )
    for small in [*SMALL, "f8e8m0", "f4e2m1"]:
        name = f"cast_f32_of_{small}"
        yield loop.format(name=name, src="u8", dst="f32", call=f"{name}(x[i])")
    yield loop.format(
        name="cast_f4e2m1_of_f32", src="f32", dst="u8", call="cast_f4e2m1_of_f32(x[i])"
    )
    for dst, stored in {"i4": "i8", "u4": "u8", "i2": "i8", "u2": "u8"}.items():
        name = f"cast_{dst}_of_i32"
        yield loop.format(name=name, src="i32", dst=stored, call=f"{name}(x[i])")


@pytest.fixture(scope="module", params=["x86_64", "x86_64_v4"])
def loops(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> ctypes.CDLL:
    """Without F16C, the portable half conversions run; with it, the machine's own."""
    if request.param == "x86_64_v4" and "avx512bw" not in cpu_flags():
        pytest.skip("this machine has no AVX-512")
    path = tmp_path_factory.mktemp("convert") / f"{request.param}.so"
    source = '#include "convert.h"\n' + "\n".join(_array_loops())
    compile_c(source, path, "-O0", "-shared", "-fPIC", EXPORT, *TARGETS[request.param])
    return ctypes.CDLL(str(path))


def _run(loops: ctypes.CDLL, name: str, x: np.ndarray, dtype: type) -> np.ndarray:
    y = np.empty(x.shape, dtype)
    getattr(loops, f"loop_{name}")(
        ctypes.c_void_p(x.ctypes.data), ctypes.c_void_p(y.ctypes.data), ctypes.c_long(x.size)
    )
    return y


def _samples(name: str) -> np.ndarray:
    dtype = PLAIN[name]
    if name[0] in "iu":
        info = np.iinfo(dtype)
        ends = np.array([info.min, info.min + 1, info.max - 1, info.max, 0, 1, 2], dtype)
        random = RNG.integers(info.min, info.max, 2000, dtype, endpoint=True)
        return np.concatenate([ends, random, (random >> (info.bits // 2)).astype(dtype)])
    if name in ("f16", "bf16"):
        return np.arange(65536, dtype=np.uint16).view(dtype)
    with np.errstate(all="ignore"):
        return np.concatenate(
            [
                RNG.standard_normal(2000) * 10.0 ** RNG.uniform(-46, 40, 2000),
                RNG.standard_normal(2000) * 10.0 ** RNG.uniform(-10, 6, 2000),
                np.array(
                    [
                        0.0,
                        -0.0,
                        np.inf,
                        -np.inf,
                        np.nan,
                        65504,
                        65519.99,
                        65520,
                        2.0**-25,
                        2.0**-24 * 1.5,
                        1 + 2.0**-11 + 2.0**-40,
                        1 + 2.0**-11 - 2.0**-40,
                        2.0**-25 + 2.0**-70,
                        3.4028235677973366e38,
                        -65520 + 1e-9,
                    ]
                ),
                np.arange(65536, dtype=np.uint16).view(np.float16).astype(np.float64)
                * (1 + 2.0**-11),
            ]
        ).astype(dtype)


def _equal(got: np.ndarray, want: np.ndarray) -> None:
    assert got.dtype == want.dtype
    if got.dtype.kind in "iu":
        np.testing.assert_array_equal(got, want)
        return
    with np.errstate(invalid="ignore"):
        nan = np.isnan(want.astype(np.float64))
        np.testing.assert_array_equal(np.isnan(got.astype(np.float64)), nan)
    bits = f"u{got.dtype.itemsize}"
    np.testing.assert_array_equal(got[~nan].view(bits), want[~nan].view(bits))


@pytest.mark.parametrize("src", PLAIN)
def test_casts_between_plain_types(loops: ctypes.CDLL, src: str) -> None:
    x = _samples(src)
    for dst, dtype in PLAIN.items():
        y = _run(loops, f"cast_{dst}_of_{src}", x, dtype)
        with np.errstate(all="ignore"):
            if dst[0] in "iu" and src[0] not in "iu":
                info = np.iinfo(dtype)
                wide = x.astype(np.float64)
                inside = (wide > info.min - 1.0) & (wide < info.max + 1.0)
                if info.bits == 64:
                    inside = (wide >= info.min) & (wide < float(info.max))
                want = np.where(wide > 0, info.max, info.min).astype(dtype)
                want[inside] = np.trunc(wide[inside]).astype(dtype)
                want[np.isnan(wide)] = 0
            else:
                want = x.astype(dtype)
        _equal(y, want)
    with np.errstate(invalid="ignore"):
        want = x.astype(bool).astype(np.uint8)
    np.testing.assert_array_equal(_run(loops, f"cast_bool_of_{src}", x, np.uint8), want)


@pytest.mark.parametrize("name", SMALL)
def test_float8_formats(loops: ctypes.CDLL, name: str) -> None:
    dtype = SMALL[name]
    _equal(
        _run(loops, f"cast_f32_of_{name}", CODES, np.float32), CODES.view(dtype).astype(np.float32)
    )
    values = np.sort(CODES.view(dtype).astype(np.float32))
    values = values[np.isfinite(values)]
    with np.errstate(over="ignore"):
        x = np.concatenate([values, (values[1:] + values[:-1]) / 2, _samples("f32")])
        x = np.concatenate([x, np.nextafter(x, np.float32(np.inf))])
    for saturate in (0, 1):
        y = _run(loops, f"cast_{name}_of_f32_{saturate}", x, np.uint8)
        with np.errstate(all="ignore"):
            want = onnx.numpy_helper.saturate_cast(x, dtype) if saturate else x.astype(dtype)
        _equal(y.view(dtype), want)


@pytest.mark.parametrize("mode", ["up", "down", "nearest"])
@pytest.mark.parametrize("saturate", [0, 1])
def test_f8e8m0(loops: ctypes.CDLL, mode: str, saturate: int) -> None:
    _equal(
        _run(loops, "cast_f32_of_f8e8m0", CODES, np.float32),
        CODES.view(ml_dtypes.float8_e8m0fnu).astype(np.float32),
    )
    x = np.abs(np.concatenate([_samples("f32"), np.float32([1.5, 3, 0, 3e38, 2.0**-127, 1e-40])]))
    want = onnx.numpy_helper.to_float8e8m0(x, bool(saturate), mode).view(np.uint8)
    np.testing.assert_array_equal(_run(loops, f"e8m0_{mode}_{saturate}", x, np.uint8), want)


def test_f4e2m1(loops: ctypes.CDLL) -> None:
    codes = CODES[:16].copy()
    _equal(
        _run(loops, "cast_f32_of_f4e2m1", codes, np.float32),
        codes.view(ml_dtypes.float4_e2m1fn).astype(np.float32),
    )
    x = np.concatenate([np.arange(-8, 8, 0.125, dtype=np.float32), _samples("f32")])
    np.testing.assert_array_equal(
        _run(loops, "cast_f4e2m1_of_f32", x, np.uint8),
        x.astype(ml_dtypes.float4_e2m1fn).view(np.uint8),
    )


@pytest.mark.parametrize("name", ["i4", "u4", "i2", "u2"])
def test_packed_integers(loops: ctypes.CDLL, name: str) -> None:
    x = np.concatenate([np.arange(-300, 300, dtype=np.int32), _samples("i32")])
    dtype = getattr(ml_dtypes, f"{'int' if name[0] == 'i' else 'uint'}{name[1]}")
    stored = np.int8 if name[0] == "i" else np.uint8
    np.testing.assert_array_equal(
        _run(loops, f"cast_{name}_of_i32", x, stored), x.astype(dtype).astype(stored)
    )
