"""gemm_bf16 and conv_bf16 against float64, over random shapes, tails and splits; what the f32
kernels round.

Inputs are exact in bf16, so a result may differ by the roundings of its f32 sum, K * 2^-23 of the
sum of magnitudes, and by that of what is stored: half of 2^-7 of its size in bf16.
"""

from __future__ import annotations

from dataclasses import dataclass

import ml_dtypes
import numpy as np
import numpy.typing as npt
import pytest

from tests.kernels.native import CPUS, Array, assert_canary, build, guarded
from whet.ir.element import F64
from whet.ir.graph import Graph
from whet.ir.leaf import constant, parameter
from whet.ir.type import Type
from whet.kernels.narrow_bf16 import NARROW_BLOCK
from whet.kernels.packing_bf16 import pack_conv_pairs, pack_pairs
from whet.kernels.tiling import Tile
from whet.kernels.tiling_bf16 import gemm_scratch, laid_rows, laid_stride
from whet.ops.convolution import conv
from whet.ops.evaluate import evaluate

Bf16 = npt.NDArray[ml_dtypes.bfloat16]
INCLUDES = '#include "gemm_bf16.h"\n#include "conv_bf16.h"\n'
INCLUDES += '#include "narrow_bf16.h"\n'
HEAD = "void case{0}(int begin, int end, const bf16 *x, const bf16 *w, const float *bias, void *y, "
TILES = [(6, 4), (7, 2), (4, 3), (14, 2), (2, 1), (28, 1), (1, 8)]


def rounded(rng: np.random.Generator, *shape: int) -> Bf16:
    return rng.standard_normal(shape, np.float32).astype(ml_dtypes.bfloat16)


def bits(x: Bf16) -> Array:
    """The numbers as floats two by two, which is what the emulated library takes."""
    flat = np.zeros(x.size + x.size % 2, x.dtype)
    flat[: x.size] = x.ravel()
    return flat.view(np.float32)


def results(flat: Array, out: int, count: int) -> npt.NDArray[np.float64]:
    """What a kernel stored in a buffer of floats."""
    kind = ml_dtypes.bfloat16 if out == 2 else np.float32
    return flat.view(kind)[:count].astype(np.float64)


def assert_close(
    got: npt.NDArray[np.float64], want: npt.NDArray[np.float64],
    size: npt.NDArray[np.float64], k: int, out: int,
) -> None:  # fmt: skip
    """size: the sums of magnitudes."""
    room = (k + 4) * 2.0**-23 * size + (2.0**-8 * np.abs(want) if out == 2 else 0.0)
    assert (np.abs(got - want) <= room).all(), np.max(np.abs(got - want) - room)


@dataclass(frozen=True)
class Product:
    """a[m, k] with rows `gap` further apart times b[k, n]."""

    m: int
    n: int
    k: int
    gap: int
    tile: tuple[int, int]
    blocks: int
    out: int
    dot: int

    @property
    def rows(self) -> int:
        return self.tile[0] * self.blocks

    @property
    def text(self) -> str:
        sizes = (self.dot, self.out, self.m, self.n, self.k, self.m, 0, self.k + self.gap)
        rest = (laid_stride(self.k), self.n, *self.tile, self.rows)
        return ", ".join(map(str, (*sizes, *rest)))


def products() -> list[Product]:
    rng = np.random.default_rng(1)

    def some() -> Product:
        m, n, k = (int(2 ** rng.uniform(0, 6.5)) for _ in range(3))
        tile = TILES[rng.integers(len(TILES))]
        numbers = (int(rng.choice([0, 3])), tile, int(rng.integers(1, 4)))
        return Product(m, n, k, *numbers, int(rng.choice([2, 4])), int(rng.integers(2)))

    named = [Product(1, 100, 33, 0, (1, 8), 1, 4, dot) for dot in (0, 1)]
    named += [Product(9, 20, 777, 0, (4, 3), 3, 2, 0)]  # a panel in parts
    # A narrower panel at the end, of each width, whose whole ones are laid in parts.
    named += [
        Product(6, lanes * (4 + last) - 3, 640, 0, (3, 4), 2, 4, 0)
        for lanes in (4, 8, 16) for last in (1, 2, 3)
    ]  # fmt: skip
    return named + [some() for _ in range(14)]


@pytest.mark.parametrize("cpu", CPUS)
def test_gemm(cpu: str) -> None:
    cases = products()
    texts = [
        f"{HEAD.format(i)}void *laid) {{ gemm_bf16({p.text}, begin, end, x, w, bias, y,"
        " laid, 0, relu6); }\n"
        for i, p in enumerate(cases)
    ]
    library = build([INCLUDES + texts[0], *texts[1:]], cpu)
    rng = np.random.default_rng(2)
    for index, p in enumerate(cases):
        x, w = rounded(rng, p.m, p.k + p.gap), rounded(rng, p.k, p.n)
        bias = rng.standard_normal(p.n, np.float32)
        packed = bits(pack_pairs(w, library.lanes, p.tile[1]))
        flat, whole = guarded(-(-p.m * p.n * p.out // 4))
        tile = Tile(*p.tile, p.rows)
        laid, around = guarded(gemm_scratch(p.m, p.k, tile, library.lanes) // 4)
        units = -(-p.m // p.rows) * -(-p.n // (p.tile[1] * library.lanes))
        for begin, end in ((0, units // 3), (units // 3, units)):
            library.run(index, begin, end, bits(x), packed, bias, flat, laid)
        left, right = (v.astype(np.float64) for v in (x[:, : p.k], w))
        want = np.clip(left @ right + bias, 0, 6)
        size = np.abs(left) @ np.abs(right) + np.abs(bias)
        got = results(flat, p.out, p.m * p.n).reshape(p.m, p.n)
        assert_close(got, want, size, p.k, p.out)
        assert_canary(whole)
        assert_canary(around)


@dataclass(frozen=True)
class Window:
    """A convolution; c and n are those of a group, pads are top, left, bottom, right."""

    b: int
    h: int
    w: int
    c: int
    n: int
    g: int
    k: tuple[int, int]
    s: tuple[int, int]
    d: tuple[int, int]
    p: tuple[int, int, int, int]
    gap: int = 0

    @property
    def out(self) -> tuple[int, int]:
        """Height and width of the result."""
        top, left, bottom, right = self.p
        high = self.h + top + bottom - (self.k[0] - 1) * self.d[0] - 1
        wide = self.w + left + right - (self.k[1] - 1) * self.d[1] - 1
        return high // self.s[0] + 1, wide // self.s[1] + 1

    def laid(self, rows: int, pixel: int) -> int:
        """Elements of scratch for blocks of `rows` output rows."""
        high = (rows - 1) * self.s[0] + (self.k[0] - 1) * self.d[0] + 1
        wide = (self.out[1] - 1) * self.s[1] + (self.k[1] - 1) * self.d[1] + 1
        return -(-high * wide * pixel // 16) * 16

    @property
    def text(self) -> str:
        return ", ".join(map(str, (*self.k, *self.s, *self.d, *self.p[:2])))


def window(rng: np.random.Generator) -> Window:
    """One whose result is not empty."""
    while True:
        c, n = (int(2 ** rng.uniform(0, 5.3)) for _ in range(2))
        g = int(rng.choice([1, 1, 1, 2, 3]))
        h, w = (int(v) for v in rng.integers(1, 20, 2))
        k, s, d = (
            (int(rng.choice(o)), int(rng.choice(o)))
            for o in ([1, 2, 3, 5, 7], [1, 1, 2, 3], [1, 1, 1, 2])
        )
        top, left, bottom, right = (int(v) for v in rng.integers(0, 4, 4))
        made = Window(
            int(rng.integers(1, 3)), h, w, c, n, g, k, s, d, (top, left, bottom, right),
            int(rng.choice([0, 3])),
        )  # fmt: skip
        if min(made.out) > 0:
            return made


def meaning(
    s: Window, x: npt.NDArray[np.float64], w: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    """The sums in float64; w is [O, KH, KW, C]."""
    top, left, bottom, right = s.p
    given = parameter("x", Type(x.shape, F64))
    y = conv(
        given, constant(w), stride=s.s, dilation=s.d, low=(top, left), high=(bottom, right),
        groups=s.g,
    )  # fmt: skip
    return np.asarray(evaluate(Graph((given,), (y,), ("y",)), {"x": x})["y"])


@dataclass(frozen=True)
class Case:
    """A convolution, the text of its call before begin and end, and what the call needs."""

    window: Window
    text: str
    laid: int
    out: int
    vectors: int = 0
    merged: bool = False
    blocks: int = 0
    pixels: int = 0


def convolutions() -> list[Case]:
    rng = np.random.default_rng(4)
    named = [
        Window(1, 32, 32, 3, 32, 1, (3, 3), (2, 2), (1, 1), (0, 0, 1, 1)),
        Window(1, 7, 7, 300, 40, 1, (3, 3), (1, 1), (1, 1), (1, 1, 1, 1)),
        Window(1, 3, 40, 4, 17, 1, (3, 3), (1, 1), (6, 6), (6, 6, 6, 6)),
        Window(2, 1, 9, 21, 17, 1, (1, 3), (1, 1), (1, 1), (0, 1, 0, 1)),
    ]
    # As the products: a narrower panel at the end.
    ends = [
        Window(1, 6, 6, 40, lanes * (4 + last) - 3, 1, (5, 5), (1, 1), (1, 1), (2, 2, 2, 2))
        for lanes in (4, 8, 16) for last in (1, 3)
    ]  # fmt: skip
    found = []
    for s in named + ends + [window(rng) for _ in range(12)]:
        mr, nv = (3, 4) if s in ends else TILES[rng.integers(len(TILES))]
        oh, ow = s.out
        high, wide = (1, min(mr, ow)) if mr < 2 * ow else (min(oh, mr // ow), ow)
        rows, pixel = int(rng.integers(1, 6)), s.c + int(rng.choice([0, 16]))
        out, dot = int(rng.choice([2, 4])), 0 if s in ends else int(rng.integers(2))
        sizes = (dot, out, s.b, s.h, s.w, s.c, s.g * s.c + s.gap, pixel, oh, ow)
        tile = f"{high}, {wide}, {nv}, {rows}"
        text = f"{', '.join(map(str, sizes))}, {s.n}, {s.g * s.n + s.gap}, {s.g}, {s.text}, {tile}"
        merged = pixel == s.c and s.d[1] == 1
        blocks = s.b * -(-oh // rows) * s.g
        found.append(Case(s, text, s.laid(rows, pixel), out, nv, merged, blocks, rows * ow))
    return found


@pytest.mark.parametrize("cpu", CPUS)
def test_conv(cpu: str) -> None:
    """Each case in two parts."""
    cases = convolutions()
    texts = [
        f"{HEAD.format(i)}void *laid) {{ conv_bf16({c.text}, begin, end, x, w, bias, y,"
        " laid, 0, relu6); }\n"
        for i, c in enumerate(cases)
    ]
    library = build([INCLUDES + texts[0], *texts[1:]], cpu)
    rng = np.random.default_rng(6)
    for index, case in enumerate(cases):
        s, channels = case.window, case.window.g * case.window.n
        x = rounded(rng, s.b, s.h, s.w, s.g * s.c + s.gap)
        w = rounded(rng, channels, *s.k, s.c)
        bias = rng.standard_normal(channels, np.float32)
        packed = bits(pack_conv_pairs(w, s.g, case.merged, library.lanes, case.vectors))
        units = case.blocks * -(-s.n // (case.vectors * library.lanes))
        wide, count = channels + s.gap, s.b * s.out[0] * s.out[1]
        flat, whole = guarded(-(-count * wide * case.out // 4))
        columns, width = (
            s.g * -(-s.n // library.lanes) * library.lanes,
            case.vectors * library.lanes,
        )
        panel = (laid_rows(2 * packed.size // columns, width) + case.pixels) * width
        laid, around = guarded(case.laid + panel)
        for begin, end in ((0, units // 3), (units // 3, units)):
            library.run(index, begin, end, bits(x), packed, bias, flat, laid)
        left, right = x[..., : s.g * s.c].astype(np.float64), w.astype(np.float64)
        want = np.clip(meaning(s, left, right) + bias, 0, 6)
        size = meaning(s, np.abs(left), np.abs(right)) + np.abs(bias)
        got = results(flat, case.out, count * wide).reshape(*want.shape[:3], wide)
        assert_close(got[..., :channels], want, size, s.k[0] * s.k[1] * s.c, case.out)
        assert_canary(whole)
        assert_canary(around)


F32 = [
    "gemm_f32({out}, 9, 21, 13, 13, 0, 24, 4, 2, 8, begin, end, x, w, bias, y, 0, 0, 0, 0, relu6);",
    "conv_f32({out}, 1, 9, 7, 5, 5, 5, 4, 21, 24, 1, 3, 3, 2, 2, 1, 1, 1, 1, 4, 1, 2, begin, end,"
    " x, w, bias, y, 0, 0, 0, 0, relu6);",
    "depthwise_f32({out}, 9, 7, 21, 21, 5, 4, 24, 1, 3, 3, 2, 2, 1, 1, 1, 1, 3, begin, end, x, w,"
    " bias, y, 0, relu6);",
]


@pytest.mark.parametrize("cpu", CPUS)
def test_f32_kernels_round_what_they_store(cpu: str) -> None:
    """21 channels of rows of 24: the numbers stored as floats, rounded, and nothing between."""
    head = "void case{0}(int begin, int end, float *x, float *w, float *bias, void *y)"
    texts = [
        f"{head.format(2 * i + (out == 2))} {{ {text.format(out=out)} }}\n"
        for i, text in enumerate(F32) for out in (4, 2)
    ]  # fmt: skip
    library = build(texts, cpu)
    rng = np.random.default_rng(9)
    x, w, bias = (rng.standard_normal(size, np.float32) for size in (2000, 2000, 21))
    for index, (rows, vectors) in enumerate(((9, 2), (20, 1), (20, 1))):
        panels = -(-21 // (vectors * library.lanes))
        units = (2, 3, 5)[index] * panels
        plain, _ = guarded(rows * 24)
        narrow, around = guarded(rows * 12)
        library.run(2 * index, 0, units, x, w, bias, plain)
        library.run(2 * index + 1, 0, units, x, w, bias, narrow)
        want, got = plain.reshape(rows, 24)[:, :21], narrow.view(ml_dtypes.bfloat16)
        np.testing.assert_array_equal(
            got.reshape(rows, 24)[:, :21].astype(np.float32),
            want.astype(ml_dtypes.bfloat16).astype(np.float32),
        )
        assert_canary(around)


STORE = [
    "void case0(int begin, int end, const float *x, bf16 *y)"
    " { vstore_bf16_n(y, vload_n(x, end), end); }\n",
    "void case1(int begin, int end, const bf16 *x, float *y)"
    " { vstore_n(y, vload_bf16_n(x, end), end); }\n",
]


@pytest.mark.parametrize("cpu", CPUS)
def test_narrow_run(cpu: str) -> None:
    """In two parts; the last one ends within a block."""
    n = 2 * NARROW_BLOCK + 77
    text = f"narrow_run_bf16({n}, begin, end, x, y);"
    library = build(
        [f"{INCLUDES}void case0(int begin, int end, float *x, bf16 *y) {{ {text} }}"], cpu
    )
    x = np.random.default_rng(8).standard_normal(n, np.float32)
    flat, around = guarded(-(-n // 2))
    for begin, end in ((0, 1), (1, 3)):
        library.run(0, begin, end, x, flat)
    np.testing.assert_array_equal(results(flat, 2, n), x.astype(ml_dtypes.bfloat16).astype(float))
    assert_canary(around)


@pytest.mark.parametrize("cpu", CPUS)
def test_rounding(cpu: str) -> None:
    """To nearest even, infinities and NaN kept, nothing beyond the lanes."""
    whole = [1.0, -2.5, 1 + 2**-8, 1 + 3 * 2**-8, 3e38, -3.4e38, np.inf, -np.inf, np.nan, 0.0, -0.0]
    numbers = np.array([*whole, 1 + 2**-8 + 2**-20, 2.0**-126, 7.7, -1e-30, 65280.0], np.float32)
    library = build([INCLUDES + STORE[0], STORE[1]], cpu)
    with np.errstate(all="ignore"):
        want = numbers.astype(ml_dtypes.bfloat16)
    for n in range(1, library.lanes + 1):
        for begin in range(16 - n + 1):
            x = numbers[begin : begin + n].copy()
            flat, around = guarded(-(-n // 2))
            library.run(0, 0, n, x, flat)
            got = flat.view(ml_dtypes.bfloat16)[:n]
            np.testing.assert_array_equal(
                got.astype(np.float32), want[begin : begin + n].astype(np.float32)
            )
            assert_canary(around)
            back, around = guarded(n)
            library.run(1, 0, n, bits(got), back)
            np.testing.assert_array_equal(back, got.astype(np.float32))
            assert_canary(around)
