"""The int8 kernels' machines, references in NumPy int64, and quantised random data."""

from __future__ import annotations

import ctypes
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np
import numpy.typing as npt
import pytest

from tests.kernels.native import CPUS, EMULATOR, compile_c, emulate
from whet.kernels.packing_s8 import Requantization, accumulator_bounds, requantization
from whet.ops.integer.requantize import Multiplier
from whet.targets.processor import cpu_flags

Ints = npt.NDArray[np.int64]
Row = TypeVar("Row")

_native = "avx512_vnni" in cpu_flags()
ARM = ("generic", "generic+dotprod")
HERE = [cpu for cpu in CPUS if cpu != "aarch64"]
PATHS = [
    *((cpu, False) for cpu in [*HERE, *["native"] * _native]),
    (HERE[-1], True),
    *(
        pytest.param((cpu, False), marks=pytest.mark.skipif(not EMULATOR, reason="no qemu"))
        for cpu in ARM
    ),
]
"""(CPU, portable definitions forced) of every vocabulary this computer can run or emulate."""
SHARED = {
    "x86_64": ("x86_64_v3", (0, 1, 3)),
    "x86_64_v4": ("native", (1, 2, 4)),
    "generic+dotprod": ("generic", (0, 1, 3)),
}
"""Machines whose vocabulary is nearly that of another: which, and which of five cases they have
where the other has all; five, as what varies along a table of cases has periods of 4 and 6."""
EPILOGUES = ("single_s8", "single_left_s8", "single_wide_s8", "double_s8", "double_wide_s8")
HEADER = """
#include "gemm_s8.h"
#include "conv_s8.h"
#include "depthwise_s8.h"
const int shift = DOT8_SHIFT, pairs = DOT8_PAIRS;
#define ARGS int begin, int end, const s8 *x, const s8 *w, const int *bias, void *y, s8 *scratch, \\
    const void *const *extra
"""

CONSTANTS_BYTES = 12  # VL, DOT8_SHIFT and DOT8_PAIRS of a program

PROGRAM = """
static long system_call(long n, long a, long b, long c) {
    register long x8 __asm__("x8") = n, x0 __asm__("x0") = a, x1 __asm__("x1") = b,
        x2 __asm__("x2") = c;
    __asm__ volatile("svc 0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2) : "memory");
    return x0;
}
typedef void (*function)(int, int, const s8 *, const s8 *, const int *, void *, s8 *,
                         const void *const *);
static const function table[] = {FUNCTIONS};
static int header[32], constants[3];
static s8 arrays[1 << 22] __attribute__((aligned(64)));
static void read_all(void *to, long n) {
    for (long got; n > 0; n -= got, to = (s8 *)to + got)
        if ((got = system_call(63, 0, (long)to, n)) <= 0) system_call(94, got != 0, 0, 0);
}
static void send_all(const void *from, long n) {
    for (long sent; n > 0; n -= sent, from = (const s8 *)from + sent)
        sent = system_call(64, 1, (long)from, n);
}
static void answer(void) {
    read_all(header, sizeof header);
    constants[0] = VL, constants[1] = DOT8_SHIFT, constants[2] = DOT8_PAIRS;
    s8 *array[16], *next = arrays;
    for (int i = 0; i < header[3]; i++) {
        array[i] = next, read_all(next, header[4 + i]);
        next += (header[4 + i] + 127) / 64 * 64;
    }
    if (header[0] >= 0) {
        table[header[0]](header[1], header[2], array[0], array[1], (const int *)array[2],
                         array[3], array[4], (const void *const *)array + 5);
        send_all(array[3], header[7]);
    } else system_call(64, 1, (long)constants, sizeof constants);
}
__attribute__((used)) void _start(void) {
    for (;;) answer();
}
"""


@dataclass(frozen=True, slots=True)
class Library:
    """A compiled batch of functions case0, case1, ... and the constants of its vocabulary."""

    functions: ctypes.CDLL
    lanes: int
    shift: int
    pairs: bool

    def call(self, i: int, begin: int, end: int, *arrays: npt.NDArray[np.generic]) -> None:
        """case<i>(begin, end, x, w, bias, y, scratch, {the rest})."""
        extra = np.array([a.ctypes.data for a in arrays[5:]] or [0], np.uint64)
        pointers = [ctypes.c_void_p(a.ctypes.data) for a in (*arrays[:5], extra)]
        getattr(self.functions, f"case{i}")(begin, end, *pointers)


@dataclass(frozen=True, slots=True)
class Emulated:
    """The same as a program for another machine, run by an emulator."""

    program: Path
    lanes: int
    shift: int
    pairs: bool

    def call(self, i: int, begin: int, end: int, *arrays: npt.NDArray[np.generic]) -> None:
        """As Library.call; y is replaced."""
        arrays[3][...] = np.frombuffer(_emulate(self.program, i, begin, end, arrays), np.int8)


def _emulate(
    program: Path, i: int, begin: int, end: int, arrays: tuple[npt.NDArray[np.generic], ...]
) -> bytes:
    header = np.zeros(32, np.int32)
    header[: 4 + len(arrays)] = [i, begin, end, len(arrays), *(a.nbytes for a in arrays)]
    sent = header.tobytes() + b"".join(a.tobytes() for a in arrays)
    return emulate(program, sent, arrays[3].nbytes if arrays else CONSTANTS_BYTES)


def library(source: str, path: tuple[str, bool]) -> Library | Emulated:
    """Compile C functions case0, case1, ... that take ARGS."""
    cpu, scalar = path
    text = "#define WHET_SCALAR\n" * scalar + HEADER + source
    if cpu not in ARM:
        functions = ctypes.CDLL(str(compile_c(text, cpu, "-shared", "-Wl,-z,defs")))
        names = ("lanes", "shift", "pairs")
        lanes, shift, pairs = (ctypes.c_int.in_dll(functions, n).value for n in names)
        return Library(functions, lanes, shift, bool(pairs))
    table = ", ".join(re.findall(r"void (case\d+)\(ARGS\)", source))
    flags = ("-target", "aarch64-linux-musl", "-static", "-Wl,-z,defs")
    linked = compile_c(text + PROGRAM.replace("FUNCTIONS", table), cpu, *flags)
    lanes, shift, pairs = np.frombuffer(_emulate(linked, -1, 0, 0, ()), np.int32)
    return Emulated(linked, int(lanes), int(shift), bool(pairs))


def part_of(rows: Sequence[Row], path: tuple[str, bool]) -> list[Row]:
    """The cases for a path: all where it has a vocabulary of its own, three fifths for a machine
    that shares most of one, a fifth for portable definitions forced, which take long to compile.
    """
    if path[1]:
        return list(rows[1::5])
    other, kept = SHARED.get(path[0], ("", ()))
    tested = other in ARM or (other, False) in PATHS
    return [row for i, row in enumerate(rows) if not tested or i % 5 in kept]


def requantize_reference(acc: Ints, m: Ints, t: Ints, zero: int, rounding: str) -> Ints:
    """Section 5 of the design, one channel in the last axis, unclamped."""
    if rounding == "single":
        return zero + ((acc * m + (np.int64(1) << (t - 1))) >> t)
    left, right = np.maximum(31 - t, 0), np.maximum(t - 31, 0)
    product = (acc << left) * m
    nudge = np.where(product >= 0, 1 << 30, 1 - (1 << 30))
    high = np.sign(product + nudge) * (np.abs(product + nudge) >> 31)
    mask = (np.int64(1) << right) - 1
    return zero + (high >> right) + ((high & mask) > (mask >> 1) + (high < 0))


def random_multipliers(
    rng: np.random.Generator, n: int, bounds: tuple[Ints, Ints], kind: int
) -> tuple[Ints, Ints]:
    """(m, t) that spread the accumulators over int8; kind 1 amplifies, 2 is extreme."""
    size = np.maximum(np.abs(bounds[0]), np.abs(bounds[1])) + 1.0
    real = np.exp2(rng.uniform(6, 9, n)) / size * (40 if kind == 1 else 1)
    exponent = np.frexp(real)[1].astype(np.int64)
    t = np.clip(31 - exponent, 1, 62)
    if kind == 2:
        t = rng.integers(1, 63, n)
    return rng.integers(1 << 30, 1 << 31, n), t


def forms(path: tuple[str, bool]) -> tuple[bool, ...]:
    """Without and, where the machine has it, with the multiply-add of one rounding."""
    return (False,) if path[0] == "x86_64" else (False, True)


def random_epilogue(
    rng: np.random.Generator, w: Ints, bias: Ints, zero: int, wz: int, rounding: str, kind: int,
    limits: tuple[int, int], fused: bool,
) -> tuple[Requantization, Ints, Ints, int]:  # fmt: skip
    """The requantisation of random multipliers for w[K, N], and its (m, t, output zero)."""
    bounds = accumulator_bounds(w, bias, zero, wz)
    m, t = random_multipliers(rng, w.shape[1], bounds, kind)
    if rounding == "double":  # no shift left of an accumulator out of 32 bits: it has no meaning
        size = int(np.maximum(np.abs(bounds[0]), np.abs(bounds[1])).max())
        t = np.maximum(t, max(1, size.bit_length()))
    y_zero = int(rng.integers(-128, 128))
    if fused and rounding == "single":  # the significand of an f32
        m &= -128
    by = Multiplier(m.astype(np.int32), t.astype(np.int32))
    return requantization(by, y_zero, bounds, rounding, limits, fused), m, t, y_zero


def guarded(size: int) -> tuple[npt.NDArray[np.int8], npt.NDArray[np.int8]]:
    """A buffer of `size` bytes and the whole of it with 64 bytes of canary on both sides."""
    whole = np.full(size + 128, 85, np.int8)
    return whole[64 : 64 + size], whole


def assert_canary(whole: npt.NDArray[np.int8]) -> None:
    """Nothing was written outside the buffer."""
    assert (whole[:64] == 85).all()
    assert (whole[-64:] == 85).all()


def at_page_end(a: npt.NDArray[np.int8]) -> npt.NDArray[np.int8]:
    """A copy of `a` whose last byte is the last of a readable page: reading on crashes."""
    libc = ctypes.CDLL(None)
    libc.mmap.restype = ctypes.c_void_p
    libc.mmap.argtypes = [ctypes.c_void_p, *[ctypes.c_size_t] * 2, *[ctypes.c_int] * 2,
                          ctypes.c_long]  # fmt: skip
    libc.mprotect.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
    size = -(-max(a.size, 1) // 4096) * 4096
    base = libc.mmap(None, size + 8192, 3, 0x22, -1, 0)
    libc.mprotect(base, 4096, 0)
    libc.mprotect(base + 4096 + size, 4096, 0)
    data = (ctypes.c_int8 * a.size).from_address(base + 4096 + size - a.size)
    view = np.ctypeslib.as_array(data)
    view[:] = a.ravel()
    return view


def conv_reference(
    x: Ints, w: Ints, bias: Ints, zero: int, wz: int, groups: int, stride: tuple[int, int],
    dilation: tuple[int, int], pad: tuple[int, int], out: tuple[int, int],
) -> Ints:  # fmt: skip
    """Accumulators [B, OH, OW, outputs] of x[B, H, W, C] and w[outputs, C / groups, KH, KW]."""
    b, h, width, c = x.shape
    outputs, _, kh, kw = w.shape
    acc = np.broadcast_to(bias, (b, *out, outputs)).astype(np.int64)
    reach = [(o - 1) * s + (k - 1) * d + 1 for o, s, k, d in
             zip(out, stride, (kh, kw), dilation, strict=True)]  # fmt: skip
    frame = np.zeros((b, max(reach[0], pad[0] + h), max(reach[1], pad[1] + width), c), np.int64)
    frame[:, pad[0] : pad[0] + h, pad[1] : pad[1] + width] = x - zero
    for i in range(kh):
        for j in range(kw):
            rows = slice(i * dilation[0], i * dilation[0] + (out[0] - 1) * stride[0] + 1, stride[0])
            cols = slice(j * dilation[1], j * dilation[1] + (out[1] - 1) * stride[1] + 1, stride[1])
            taps = frame[:, rows, cols].reshape(b, *out, groups, c // groups)
            weights = (w[:, :, i, j] - wz).reshape(groups, outputs // groups, c // groups)
            acc = acc + np.einsum("bhwgc,gnc->bhwgn", taps, weights).reshape(acc.shape)
    return acc
