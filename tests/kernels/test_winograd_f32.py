"""winograd_f32 against PyTorch in float64: tails of tiles, channels, pads, batches, splits."""

from __future__ import annotations

import numpy as np
import pytest

from tests.kernels.native import CPUS, assert_canary, build, guarded
from whet.kernels.packing import pack_winograd
from whet.kernels.tiling import tile_winograd_f32, winograd_scratch
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
    mr, nv = TILES[index % len(TILES)]
    return (
        f"void f{index}(int part, int of, const float *x, const float *w, const float *bias,"
        f" float *y, float *scratch) {{ winograd_f32({b}, {m}, {h}, {w}, {c}, {c}, {oh}, {ow}, {n},"
        f" {n}, {top}, {left}, {rows}, {mr}, {nv}, x, w, bias, y, scratch, 0, relu6, part, of, 0,"
        f" 0); }}\n"
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
