"""rfft_f32.h against NumPy: signals side by side, and those that are left."""

from __future__ import annotations

import numpy as np
import pytest

from tests.kernels.native import CPUS, build
from whet.kernels.rfft import bit_reversal

# Signals, side by side, and half of their samples.
CASES = [(1, 1, 1), (5, 4, 2), (16, 16, 64), (19, 8, 128), (3, 16, 16)]


@pytest.mark.parametrize("cpu", CPUS)
def test_transforms_are_numpys(cpu: str) -> None:
    random = np.random.default_rng(7)
    functions = [
        '#include "rfft_f32.h"\n' * (i == 0) + f"void case{i}(int begin, int end, const f32 *x, "
        "const i32 *order, const f32 *twiddles, f32 *work, f32 *y) "
        f"{{ rfft_f32({rows}, {lanes}, {half}, x, order, twiddles, work, y); }}\n"
        for i, (rows, lanes, half) in enumerate(CASES)
    ]
    library = build(functions, cpu)
    for i, (rows, lanes, half) in enumerate(CASES):
        x = random.standard_normal((rows, 2 * half)).astype(np.float32)
        phase = -np.pi * np.arange(half) / half
        twiddles = np.stack([np.cos(phase), np.sin(phase)], axis=-1).astype(np.float32)
        order, work = bit_reversal(half).view(np.float32), np.zeros(2 * half * lanes, np.float32)
        y = np.zeros((rows, half + 1, 2), np.float32)
        library.run(i, 0, 0, x, order, twiddles, work, y)
        want = np.fft.rfft(x.astype(np.float64))
        found = y[..., 0] + 1j * y[..., 1]
        np.testing.assert_allclose(found, want, rtol=0, atol=2e-6 * np.abs(want).max())
