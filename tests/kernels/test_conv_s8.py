"""conv_s8 against NumPy int64, every bit: kernels, strides, dilations, padding, groups, tails."""

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
    Packed,
    Requantization,
    conv_is_dense,
    conv_scratch,
    pack_conv_s8,
    started,
)


@dataclass(frozen=True, slots=True)
class Case:
    """Arguments of conv_s8 in its order, then what only the test needs."""

    b: int
    h: int
    w: int
    c: int
    ldx: int
    oh: int
    ow: int
    n: int
    ldy: int
    g: int
    kernel: tuple[int, int]
    stride: tuple[int, int]
    dilation: tuple[int, int]
    pad: tuple[int, int]
    mr: int
    nv: int
    rb: int
    zero: int
    wz: int
    rounding: str

    def function(self, name: str, ready: Requantization, again: int) -> str:
        literals = (self.b, self.h, self.w, self.c, self.ldx, self.oh, self.ow, self.n, self.ldy,
                    self.g, *self.kernel, *self.stride, *self.dilation, *self.pad, self.mr, self.nv,
                    self.rb, self.zero, again, ready.out, -128, 127)  # fmt: skip
        return (
            f"void {name}(ARGS) {{ conv_s8({', '.join(map(str, literals))}, begin, end, x, w, bias,"
            f" y, scratch, extra, {ready.epilogue}); }}\n"
        )

    def scratch(self, pairs: bool) -> int:
        return conv_scratch(
            (self.h, self.w), (self.oh, self.ow), self.g * self.c, self.kernel, self.stride,
            self.dilation, self.pad, self.rb, pairs,
        )  # fmt: skip


def cases() -> list[Case]:
    rng = np.random.default_rng(3)
    shapes = [  # c, g, n, kernel, stride, dilation, pad
        (3, 1, 33, (3, 3), (2, 2), (1, 1), (0, 0)),
        (3, 1, 16, (7, 7), (2, 2), (1, 1), (3, 3)),
        (1, 1, 8, (10, 4), (2, 2), (1, 1), (4, 1)),
        (4, 1, 5, (3, 3), (1, 1), (1, 1), (1, 1)),
        (16, 1, 48, (3, 3), (1, 1), (1, 1), (1, 1)),
        (10, 1, 20, (3, 3), (1, 1), (2, 3), (2, 3)),
        (6, 4, 9, (3, 3), (1, 2), (1, 1), (1, 1)),
        (2, 3, 17, (1, 5), (1, 1), (1, 2), (0, 4)),
        (31, 1, 64, (1, 1), (2, 2), (1, 1), (0, 0)),
        (1, 1, 1, (1, 1), (1, 1), (1, 1), (0, 0)),
        (5, 1, 40, (5, 1), (3, 1), (1, 1), (2, 0)),
        (7, 2, 3, (2, 2), (1, 1), (1, 1), (0, 1)),
        (16, 1, 20, (3, 3), (1, 100), (1, 1), (1, 16)),
    ]
    out = []
    for i, (c, g, n, kernel, stride, dilation, pad) in enumerate(shapes):
        h, w = (int(v) for v in rng.integers(kernel, 16))
        reach = [(k - 1) * d + 1 for k, d in zip(kernel, dilation, strict=True)]
        h, w = max(h, reach[0]), max(w, reach[1])
        oh, ow = (
            (size + 2 * p + i % 2 - r) // s + 1
            for size, p, r, s in zip((h, w), pad, reach, stride, strict=True)
        )
        mr, nv = [(7, 3), (6, 4), (4, 2), (14, 1)][i % 4]
        slack = int(rng.integers(0, 2)) * 3
        wz = 77 if i % 6 == 5 else 0
        rounding = "double" if i % 2 else "single"
        rb, zero = int(rng.integers(1, oh + 1)), int(rng.integers(-128, 128))
        sizes = (1 + i % 2, h, w, c, g * c + slack, oh, ow, n, g * n + slack, g)
        out.append(Case(*sizes, kernel, stride, dilation, pad, mr, nv, rb, zero, wz, rounding))
    return out


@dataclass(frozen=True, slots=True)
class Data:
    x: npt.NDArray[np.int8]
    w: Ints
    bias: Ints
    epilogue: Requantization
    want: Ints


def data(rng: np.random.Generator, c: Case, fused: bool) -> Data:
    pixels, gap = c.b * c.h * c.w, c.ldx - c.g * c.c
    ends = at_page_end(rng.integers(-128, 128, pixels * c.ldx - gap).astype(np.int8))
    x = np.lib.stride_tricks.as_strided(ends, (pixels, c.g * c.c), (c.ldx, 1))
    image = x.astype(np.int64).reshape(c.b, c.h, c.w, -1)
    w = rng.integers(-128, 128, (c.g * c.n, c.c, *c.kernel))
    bias = rng.integers(-50000, 50000, c.g * c.n)
    columns = w.reshape(c.g * c.n, -1).T
    epilogue, m, t, y_zero = random_epilogue(
        rng, columns, bias, c.zero, c.wz, c.rounding, 0, (-128, 127), fused
    )
    acc = conv_reference(
        image, w, bias, c.zero, c.wz, c.g, c.stride, c.dilation, c.pad, (c.oh, c.ow)
    )
    want = np.clip(requantize_reference(acc, m, t, y_zero, c.rounding), -128, 127)
    return Data(ends, w, bias, epilogue, want)


def pack(c: Case, d: Data, lanes: int, shift: int, pairs: bool) -> Packed:
    dense = conv_is_dense(c.c, c.g, c.ldx, c.dilation[1], c.scratch(pairs) > 0)
    return pack_conv_s8(
        d.w, d.bias, c.zero, groups=c.g, dense=dense, lanes=lanes, vectors=c.nv, shift=shift,
        pairs=pairs, weight_zero=c.wz,
    )  # fmt: skip


@pytest.mark.parametrize("path", PATHS)
def test_conv_matches_numpy(path: tuple[str, bool]) -> None:
    rng = np.random.default_rng(4)
    table = [(c, data(rng, c, fused)) for fused in forms(path) for c in part_of(cases(), path)]
    lib = library("".join(c.function(f"case{i}", d.epilogue, pack(c, d, 4, 0, False).again)
                          for i, (c, d) in enumerate(table)), path)  # fmt: skip
    for i, (c, d) in enumerate(table):
        packed = pack(c, d, lib.lanes, lib.shift, lib.pairs)
        assert packed.again == pack(c, d, 4, 0, False).again
        assert (packed.again > 0) == (c.wz != 0)
        bias = started(packed.bias, d.epilogue)
        units = c.b * -(-c.oh // c.rb) * c.g * -(-c.n // (c.nv * lib.lanes))
        scratch, scratch_whole = guarded(c.scratch(lib.pairs))
        pixels = c.b * c.oh * c.ow
        for split in sorted({0, units // 2, units}):
            y, whole = guarded(pixels * c.ldy - (c.ldy - c.g * c.n))
            for begin, end in ((0, split), (split, units)):
                operands = (d.x, packed.weights, bias, y, scratch)
                lib.call(i, begin, end, *operands, *d.epilogue.arrays)
            got = np.lib.stride_tricks.as_strided(y, (pixels, c.g * c.n), (c.ldy, 1))
            np.testing.assert_array_equal(got, d.want.reshape(got.shape), err_msg=str(c))
            assert_canary(whole)
            assert_canary(scratch_whole)
