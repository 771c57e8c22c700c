"""depthwise_s8 against NumPy int64, every bit: kernels, strides, dilations, tails, multipliers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pytest

from tests.kernels.native_s8 import (
    PATHS,
    Ints,
    assert_canary,
    at_page_end,
    conv_reference,
    forms,
    guarded,
    library,
    part_of,
    random_epilogue,
    requantize_reference,
)
from whet.kernels.packing_s8 import (
    PADDING,
    Requantization,
    pack_depthwise_s8,
    started,
    wide_order,
)

FEW = 8
"""Channels that are left to the narrow form."""
LOOSE = 19
"""Cases with bytes between pixels; the others are dense and long."""


@dataclass(frozen=True, slots=True)
class Case:
    """Arguments of depthwise_s8 in its order, then what only the test needs."""

    b: int
    h: int
    w: int
    c: int
    ldx: int
    oh: int
    ow: int
    ldy: int
    m: int
    kernel: tuple[int, int]
    stride: tuple[int, int]
    dilation: tuple[int, int]
    pad: tuple[int, int]
    th: int
    tw: int
    zero: int
    low: int
    high: int
    wz: int
    rounding: str

    def wide(self) -> str:
        """The argument WIDE, which depends on the vectors of the machine."""
        fits = self.m == 1 and self.dilation[1] == 1 and self.kernel[1] <= 8
        some = f"{self.c} / (4 * VL) * 4 * VL"
        return f"({self.c} % (4 * VL) < {FEW} ? {some} : {self.c})" if fits else "0"

    def wide_channels(self, lanes: int) -> int:
        """The number that `wide` is there."""
        rest = self.c % (4 * lanes)
        return 0 if self.wide() == "0" else self.c - rest * (rest < FEW)

    def function(self, name: str, ready: Requantization, passes: int, again: int) -> str:
        literals = (self.b, self.h, self.w, self.c, self.ldx, self.oh, self.ow, self.ldy, self.m,
                    *self.kernel, *self.stride, *self.dilation, *self.pad, self.th, self.tw,
                    self.wide(), passes, again, self.zero, ready.out, self.low,
                    self.high)  # fmt: skip
        return (
            f"void {name}(ARGS) {{ depthwise_s8({', '.join(map(str, literals))}, begin, end, x, w,"
            f" bias, y, extra, {ready.epilogue}); }}\n"
        )


def cases() -> list[Case]:
    rng = np.random.default_rng(5)
    shapes = [  # c, m, kernel, stride, dilation, pad, th, tw
        (32, 1, (3, 2), (1, 1), (1, 1), (1, 1), 2, 7),
        (24, 1, (3, 3), (2, 2), (1, 1), (0, 0), 1, 4),
        (17, 1, (3, 3), (2, 2), (1, 1), (1, 1), 2, 3),
        (9, 1, (3, 2), (1, 1), (1, 1), (1, 1), 4, 2),
        (16, 1, (3, 5), (2, 2), (1, 1), (1, 2), 2, 4),
        (3, 2, (3, 3), (1, 1), (1, 1), (1, 1), 2, 2),
        (1, 8, (10, 3), (2, 2), (1, 1), (4, 1), 1, 2),
        (20, 1, (3, 3), (1, 1), (2, 2), (2, 2), 1, 4),
        (6, 3, (1, 4), (1, 3), (1, 2), (0, 3), 3, 2),
        (40, 1, (9, 2), (1, 1), (1, 1), (4, 1), 1, 2),
        (1, 1, (2, 1), (1, 1), (1, 1), (0, 0), 1, 1),
        (150, 1, (3, 2), (1, 1), (1, 1), (1, 1), 2, 5),
        (64, 1, (3, 3), (2, 2), (1, 1), (1, 1), 1, 3),
        (131, 1, (3, 4), (2, 2), (1, 1), (1, 2), 2, 2),
        (70, 1, (1, 3), (1, 4), (2, 1), (0, 1), 1, 2),
        (96, 1, (3, 3), (2, 2), (1, 1), (1, 1), 1, 2),
        (16, 1, (3, 3), (1, 1), (1, 1), (1, 1), 2, 2),
        (80, 1, (1, 8), (1, 1), (1, 1), (0, 4), 1, 2),
        (32, 1, (3, 4), (1, 3), (1, 1), (1, 2), 1, 2),
        (8, 1, (3, 3), (1, 1), (1, 1), (1, 1), 2, 2),
        (8, 1, (3, 3), (2, 2), (1, 1), (0, 0), 1, 2),
        (8, 1, (2, 8), (1, 1), (1, 1), (1, 3), 2, 2),
        (32, 1, (3, 3), (2, 2), (1, 1), (1, 1), 1, 2),
        (16, 1, (3, 3), (2, 2), (1, 1), (1, 1), 2, 2),
    ]
    out = []
    for i, (c, m, kernel, stride, dilation, pad, th, tw) in enumerate(shapes):
        reach = [(k - 1) * d + 1 for k, d in zip(kernel, dilation, strict=True)]
        h, w = (max(int(rng.integers(1, 16)), r - p) for r, p in zip(reach, pad, strict=True))
        w = w if i < LOOSE else w + 40
        oh, ow = (
            (size + 2 * p + i % 2 - r) // s + 1
            for size, p, r, s in zip((h, w), pad, reach, stride, strict=True)
        )
        slack = int(rng.integers(0, 2)) * 3 if i < LOOSE else 0
        low, high = (-100, 90) if i % 3 == 0 else (-128, 127)
        out.append(Case(1 + i % 2, h, w, c, c + slack, oh, ow, c * m + slack, m, kernel, stride,
                        dilation, pad, th, tw, int(rng.integers(-128, 128)), low, high,
                        99 if i % 4 == 2 else 0, "double" if i % 2 else "single"))  # fmt: skip
    return out


@dataclass(frozen=True, slots=True)
class Data:
    x: npt.NDArray[np.int8]
    w: Ints
    bias: Ints
    passes: int
    again: int
    epilogue: Requantization
    want: Ints


def data(rng: np.random.Generator, c: Case, fused: bool) -> Data:
    pixels, gap, n = c.b * c.h * c.w, c.ldx - c.c, c.c * c.m
    ends = at_page_end(rng.integers(-128, 128, pixels * c.ldx - gap).astype(np.int8))
    x = np.lib.stride_tricks.as_strided(ends, (pixels, c.c), (c.ldx, 1))
    image = x.astype(np.int64).reshape(c.b, c.h, c.w, -1)
    w = rng.integers(max(-128, c.wz - 128), 128, (n, *c.kernel))
    w[n // 2, 0, 0] = -128
    bias = rng.integers(-5000, 5000, n)
    columns = w.reshape(n, -1).T
    epilogue, m, t, y_zero = random_epilogue(
        rng, columns, bias, c.zero, c.wz, c.rounding, 0, (c.low, c.high), fused
    )
    acc = conv_reference(
        image, w[:, None], bias, c.zero, c.wz, c.c, c.stride, c.dilation, c.pad, (c.oh, c.ow)
    )
    want = np.clip(requantize_reference(acc, m, t, y_zero, c.rounding), c.low, c.high)
    more = ((w - c.wz < -128) | (w - c.wz > 127)).any(axis=0).ravel()
    again = sum(1 << tap for tap in {min(int(tap), 30) for tap in np.flatnonzero(more)})
    return Data(ends, w, bias, 1 + int(again > 0), again, epilogue, want)


def table_of(path: tuple[str, bool]) -> list[tuple[Case, Data]]:
    """The cases of a path, each in one of its forms."""
    rng, ways = np.random.default_rng(6), forms(path)
    chosen = part_of(cases(), path)
    return [(c, data(rng, c, ways[i // 2 % len(ways)])) for i, c in enumerate(chosen)]


@pytest.mark.parametrize("path", PATHS)
def test_depthwise_matches_numpy(path: tuple[str, bool]) -> None:
    table = table_of(path)
    lib = library("".join(c.function(f"case{i}", d.epilogue, d.passes, d.again)
                          for i, (c, d) in enumerate(table)), path)  # fmt: skip
    for i, (c, d) in enumerate(table):
        n, wide = c.c * c.m, c.wide_channels(lib.lanes)
        order = wide_order(n, wide, lib.lanes)
        arrays = [np.concatenate([a[:n][order], a[n:]]) for a in d.epilogue.arrays]
        packed = pack_depthwise_s8(d.w[order], d.bias[order], c.zero, stride_h=c.stride[0],
                                   dilation_h=c.dilation[0], tile_h=c.th, lanes=lib.lanes,
                                   shift=lib.shift, pairs=lib.pairs, weight_zero=c.wz,
                                   wide=wide)  # fmt: skip
        assert (packed.passes, packed.again) == (d.passes, d.again)
        begun = started(np.zeros(n + PADDING, np.int32), d.epilogue)
        bias = packed.bias + np.concatenate([begun[:n][order], begun[n:]])
        units = c.b * -(-c.oh // c.th) * -(-n // lib.lanes)
        pixels = c.b * c.oh * c.ow
        for split in sorted({0, units // 3, units // 2, units}):
            y, whole = guarded(pixels * c.ldy - (c.ldy - c.c * c.m))
            for begin, end in ((0, split), (split, units)):
                operands = (d.x, packed.weights, bias, y, y)
                lib.call(i, begin, end, *operands, *arrays)
            got = np.lib.stride_tricks.as_strided(y, (pixels, c.c * c.m), (c.ldy, 1))
            np.testing.assert_array_equal(got, d.want.reshape(got.shape), err_msg=str(c))
            assert_canary(whole)
