"""attention_f32 against NumPy in float64: odd sizes, masks of every shape, any split of units."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from tests.kernels.native import CPUS, build, guarded
from whet.kernels.strides import broadcast_strides
from whet.kernels.tiling import tiles_attention_f32

Doubles = npt.NDArray[np.float64]
Shape = tuple[int, ...]

CASES: list[tuple[Shape, Shape | None]] = [
    # B, T, S, H, D, E; the mask's shape
    ((1, 37, 37, 3, 64, 64), None),
    ((2, 20, 33, 2, 32, 32), (2, 1, 1, 33)),
    ((1, 5, 7, 4, 36, 36), (5, 7)),
    ((2, 3, 16, 2, 9, 5), (2, 2, 3, 16)),
    ((1, 1, 70, 2, 24, 48), (1, 2, 1, 70)),
    ((1, 29, 1, 1, 1, 1), None),
]
SCALE = 0.3


def sizes(shape: Shape, registers: int, lanes: int) -> tuple[int, int, int, int]:
    """MR, NV, units and floats of scratch."""
    b, t, s, h, d, _ = shape
    mr, nv = tiles_attention_f32(t, registers)[0]
    columns = -(-s // lanes) * lanes
    return mr, nv, b * h * -(-t // mr), d * columns + mr * (columns + lanes)


def function(index: int, shape: Shape, mask: Shape | None, registers: int) -> str:
    """One C function for one case; without a mask its pointer is null."""
    b, t, s, h, d, e = shape
    mr, nv, _, _ = sizes(shape, registers, 4)
    strides = broadcast_strides(mask, (b, h, t, s))[:3] if mask else (0, 0, 0)
    literals = ", ".join(map(str, (t, s, h, d, e, f"{SCALE}f", *strides, mr, nv)))
    return (
        f"void case{index}(int begin, int end, const float *q, const float *k, const float *v,"
        f" const float *mask, float *y, float *scratch) {{ attention_f32({literals}, begin, end,"
        f" q, k, v, {'mask' if mask else '0'}, y, scratch); }}\n"
    )


def attention(q: Doubles, k: Doubles, v: Doubles, mask: Doubles) -> Doubles:
    """The same in float64, operands [B, T, H, D]."""
    scores = np.einsum("bthd,bshd->bhts", q, k) * SCALE + mask
    e = np.exp(scores - scores.max(-1, keepdims=True))
    return np.einsum("bhts,bshe->bthe", e / e.sum(-1, keepdims=True), v)


@pytest.mark.parametrize("cpu", CPUS)
def test_attention_matches_numpy(cpu: str) -> None:
    registers = 32 if cpu in ("native", "x86_64_v4", "aarch64") else 16
    texts = [function(i, shape, mask, registers) for i, (shape, mask) in enumerate(CASES)]
    texts[0] = '#include "attention_f32.h"\n' + texts[0]
    library = build(texts, cpu)
    rng = np.random.default_rng(3)
    for index, (shape, masked) in enumerate(CASES):
        b, t, s, h, d, e = shape
        q, k = (rng.standard_normal((b, n, h, d), np.float32) for n in (t, s))
        v = rng.standard_normal((b, s, h, e), np.float32)
        mask = 5 * rng.standard_normal(masked or (1,), np.float32)
        if masked:
            mask.reshape(-1)[rng.random(mask.size) < 0.2] = -10000
            mask[..., 0] = 0
        want = attention(*(x.astype(np.float64) for x in (q, k, v)), mask if masked else 0.0)
        _, _, units, floats = sizes(shape, registers, library.lanes)
        flats = []
        for split in sorted({0, units // 3, units}):
            flat, whole = guarded(b * t * h * e)
            scratch, around = guarded(floats)
            for begin, end in ((0, split), (split, units)):
                library.run(index, begin, end, q, k, v, mask, flat, scratch)
            np.testing.assert_allclose(flat.reshape(want.shape), want, 2e-5, 2e-5)
            assert (whole[:32] == 12345).all()
            assert (whole[-32:] == 12345).all()
            assert (around[:32] == 12345).all()
            assert (around[-32:] == 12345).all()
            flats.append(flat.copy())
        assert all((flat == flats[0]).all() for flat in flats), "the split changes the result"
