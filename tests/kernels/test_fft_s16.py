"""fft_s16.h against the integers of whet/ops/integer/fft.py: the same bits on every machine."""

from __future__ import annotations

import numpy as np
import pytest

from tests.kernels.native_s8 import PATHS, library
from whet.kernels.fft_s16 import fits, tables
from whet.ops.integer.fft import real_fft, real_fft_constants

CASES = ((480, 512), (1024, 1024), (31, 2048), (255, 256), (1, 32))
"""Samples and length: transforms of a power of four and not, padded ones, and narrow ones."""
TRANSFORM = """
void case{i}(ARGS) {{
    const fft_constants c = {{extra[0], extra[1], extra[2], extra[3]}};
    fft_s16({samples}, {length}, (const short *)(const void *)x, &c, (int *)(void *)scratch,
            (short *)y);
}}
"""


def _frames(samples: int) -> list[np.ndarray]:
    rng = np.random.default_rng(samples)
    info = np.iinfo(np.int16)
    signs = np.where(rng.integers(0, 2, samples) > 0, info.max, info.min)
    wave = 9000 * np.sin(np.arange(samples) * 0.3)
    random = rng.integers(info.min, info.max, samples, endpoint=True)
    return [np.asarray(frame, np.int16) for frame in (random, signs, wave)]


@pytest.mark.parametrize("path", PATHS)
def test_every_vocabulary(path: tuple[str, bool]) -> None:
    cases = [TRANSFORM.format(i=i, samples=n, length=length) for i, (n, length) in enumerate(CASES)]
    made = library('#include "fft_s16.h"\n' + "".join(cases), path)
    tried = 0
    for i, (samples, length) in enumerate(CASES):
        if not fits(length, made.lanes):
            continue
        held = tables(length, made.lanes)
        for x in _frames(samples):
            y, work = np.zeros(length + 2, np.int16), np.zeros(4 * length, np.int8)
            none = np.zeros(1, np.int8)
            made.call(i, 0, 0, x, none, none, y.view(np.int8), work, *held)
            want = real_fft(x, real_fft_constants(length))
            np.testing.assert_array_equal(y.reshape(-1, 2), want)
            tried += 1
    assert tried >= 9
