"""winograd_f32 against PyTorch in float64: tails of tiles, channels, pads, batches, splits."""

from __future__ import annotations

import numpy as np
import pytest

from tests.kernels.native import CPUS, assert_canary, build, guarded
from whet.ir.element import F32
from whet.ir.leaf import constant, parameter
from whet.ir.type import Type
from whet.kernels.packing import pack_winograd
from whet.kernels.tiling import tile_winograd_f32, winograd_scratch
from whet.kernels.winograd_error import LOSS, winograd_loss
from whet.kernels.winograd_f32 import lower, space
from whet.ops.convolution import conv
from whet.targets.target import Target

torch = pytest.importorskip("torch")

# M, B, H, W, C, N, pads top left bottom right
SHAPES = [
    (2, 1, 8, 8, 16, 16, 1, 1, 1, 1),
    (4, 1, 8, 8, 16, 16, 1, 1, 1, 1),
    (2, 2, 7, 9, 5, 19, 1, 1, 1, 1),
    (4, 2, 13, 11, 37, 21, 1, 1, 1, 1),
    (4, 1, 6, 6, 3, 4, 0, 0, 0, 0),
    (4, 1, 5, 3, 17, 33, 0, 2, 2, 0),
    (2, 3, 1, 1, 8, 8, 1, 1, 1, 1),
    (4, 1, 30, 26, 32, 48, 1, 1, 1, 1),
]
WIDE = Target("wide", "x86_64", "x86_64_v4", lanes=16, registers=32)
TILES = ((8, 3), (6, 2), (1, 1), (5, 4))


def function(index: int, shape: tuple[int, ...], rows: int) -> str:
    """One C function for one shape, `rows` rows of tiles in a block."""
    m, b, h, w, c, n, top, left, bottom, right = shape
    oh, ow = h + top + bottom - 2, w + left + right - 2
    down = -(-oh // m)
    blocks = -(-down // rows)
    mr, nv = TILES[index % len(TILES)]
    return (
        f"void case{index}(int part, int of, const float *x, const float *w, const float *bias,"
        f" float *y, float *scratch) {{ winograd_f32(4, {b}, {m}, {h}, {w}, {c}, {c}, {oh}, {ow},"
        f" {n}, {n}, {top}, {left}, {blocks}, {mr}, {nv}, 0, {b * blocks}, x, w, bias, y, scratch,"
        f" 0, relu6, part, of, 0, 0); }}\n"
    )


@pytest.mark.parametrize("cpu", CPUS)
def test_winograd_matches_torch(cpu: str) -> None:
    blocks = [1 + i % 3 for i in range(len(SHAPES))]
    sources = (function(i, s, r) for i, (s, r) in enumerate(zip(SHAPES, blocks, strict=True)))
    library = build(list(sources), cpu)
    rng = np.random.default_rng(6)
    for index, (shape, rows) in enumerate(zip(SHAPES, blocks, strict=True)):
        m, b, h, width, c, n, top, left, bottom, right = shape
        x = rng.standard_normal((b, h, width, c), np.float32)
        w = rng.standard_normal((n, c, 3, 3), np.float32) / np.float32(3 * c**0.5)
        bias = rng.standard_normal(n, np.float32)
        image = torch.from_numpy(x.transpose(0, 3, 1, 2).copy()).double()
        image = torch.nn.functional.pad(image, (left, right, top, bottom))
        weights = (torch.from_numpy(v).double() for v in (w, bias))
        want = torch.nn.functional.conv2d(image, *weights).clamp(0, 6).numpy()
        oh, ow = want.shape[2:]
        packed = pack_winograd(w, m, library.lanes, TILES[index % len(TILES)][1])
        scratch, edges = guarded(winograd_scratch(m, ow, c, n, rows))
        y, whole = guarded(b * oh * ow * n)
        library.run(index, 0, 1, x, packed, bias, y, scratch)
        got = y.reshape(b, oh, ow, n).transpose(0, 3, 1, 2)
        np.testing.assert_allclose(got, want, 2e-5, 2e-5, err_msg=str(shape))
        assert_canary(whole)
        assert_canary(edges)


def test_default_block_fits_the_cache() -> None:
    tile = tile_winograd_f32(4, 56, 56, 64, 64, WIDE)
    assert 1 < tile.block < 14
    assert 4 * winograd_scratch(4, 56, 64, 64, tile.block) <= WIDE.l2
    assert tile_winograd_f32(4, 56, 56, 1024, 1024, WIDE).block == 1


def corner(channels: int) -> np.ndarray:
    """Weights [4, 3, 3, channels] of one tap in a corner, which the transforms magnify most."""
    w = np.zeros((4, 3, 3, channels), np.float32)
    w[:, 2, 2] = 1
    return w


def test_errors_stay_within_the_stated_bound() -> None:
    rng = np.random.default_rng(7)
    for m, c in ((2, 16), (4, 16), (4, 128)):
        library = build([function(0, (m, 1, 16, 16, c, 16, 1, 1, 1, 1), 1)], "native")
        plain = rng.standard_normal((16, 3, 3, c)).astype(np.float32)
        for w in (plain, np.abs(plain), np.repeat(corner(c), 4, axis=0)):
            x = rng.choice(np.float32([-1, 1, 0.999]), (1, 16, 16, c))
            image, weights = (torch.from_numpy(a.transpose(0, 3, 1, 2).copy()) for a in (x, w))
            convolve = torch.nn.functional.conv2d
            want = convolve(image.double(), weights.double(), padding=1).clamp(0, 6)
            packed = pack_winograd(w.transpose(0, 3, 1, 2), m, library.lanes, TILES[0][1])
            scratch, _ = guarded(winograd_scratch(m, 16, c, 16, 1))
            y, _ = guarded(16 * 16 * 16)
            library.run(0, 0, 1, x, packed, np.zeros(16, np.float32), y, scratch)
            error = np.abs(y.reshape(16, 16, 16) - want.numpy()[0].transpose(1, 2, 0))
            bound = winograd_loss(w, m) * 9 * c * 2.0**-24 * np.abs(w).sum(axis=(1, 2, 3)).max()
            assert error.max() <= bound


def test_winograd_is_off_where_errors_may_grow_too_far() -> None:
    usual = np.random.default_rng(8).standard_normal((16, 3, 3, 16)).astype(np.float32)
    assert winograd_loss(usual, 4) <= LOSS
    assert winograd_loss(corner(16), 4) > LOSS >= winograd_loss(corner(16), 2)
    for w in (usual, corner(16)):
        x = parameter("x", Type((1, 24, 24, 16), F32))
        plain = {"stride": (1, 1), "dilation": (1, 1), "low": (1, 1), "high": (1, 1)}
        node = conv(x, constant(w), **plain).node
        tried = {numbers[0] for numbers in space(node, WIDE)}
        assert tried == ({2, 4} if w is usual else {2})
        assert (lower(node, WIDE, (4, 6, 2, 1)) is None) == (w is not usual)
