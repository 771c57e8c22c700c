"""bilinear.h: codes as the integer op's, bit for bit, and floats as the op's formula."""

from __future__ import annotations

import numpy as np
import pytest

from tests.kernels.native import CPUS, build
from whet.emit.headers import header_number
from whet.errors import ShapeError
from whet.ir.element import F32
from whet.ir.leaf import parameter
from whet.ir.type import Type
from whet.kernels.bilinear import fits
from whet.kernels.kernel import load_all, lower
from whet.ops.bilinear import bilinear, positions
from whet.ops.integer.quantization import Rounding
from whet.ops.integer.resize import bilinear_positions, resize_bilinear
from whet.targets.host import host

# Batch, height, width, channels, height and width of the result; kinds of elements, and rounding.
CASES: list[tuple[tuple[int, ...], list[str]]] = [
    ((2, 5, 7, 3, 9, 4), ["i8 DOUBLE", "u8 SINGLE", "f32 SINGLE"]),
    ((1, 3, 2, 21, 16, 13), ["i8 DOUBLE", "i8 SINGLE", "u8 DOUBLE"]),
    ((1, 9, 9, 1, 4, 30), ["u8 SINGLE", "f32 SINGLE"]),
    ((1, 1, 1, 37, 5, 6), ["i8 DOUBLE"]),
    ((1, 2, 3, 2100, 5, 4), ["i8 SINGLE", "f32 SINGLE"]),
    ((1, 6, 5, 8, 6, 5), ["i8 DOUBLE"]),
    ((1, 2, 300, 4, 3, 700), ["i8 DOUBLE", "u8 SINGLE"]),
]
OPTIONS = [(False, False), (True, False), (False, True)]
STORES = {"i8": np.int8, "u8": np.uint8, "f32": np.float32}


def _function(i: int, shape: tuple[int, ...], kind: str, rounding: str) -> str:
    _, *image = shape
    fraction = "float" if kind == "f32" else "int"
    tables = ", ".join(f"(const {t} *)t[{n}]" for n, t in enumerate(["int", "int", fraction] * 2))
    return (
        '#include "bilinear.h"\n' * (i == 0)
        + f"void case{i}(int begin, int end, const {kind} *x, const void *const *t, {kind} *y) {{ "
        + f"bilinear_{kind}({', '.join(map(str, image))}, x, {tables}, WHET_{rounding}, y, begin, "
        + "end); }\n"
    )


def _padded(x: np.ndarray) -> np.ndarray:
    """The bytes as the harness passes them: whole floats."""
    return np.frombuffer(x.tobytes() + bytes(-x.nbytes % 4), np.float32).copy()


@pytest.mark.parametrize("cpu", CPUS)
def test_images_are_the_ops(cpu: str) -> None:
    random = np.random.default_rng(3)
    cases = [(shape, kind[:-7], kind[-6:]) for shape, kinds in CASES for kind in kinds]
    library = build([_function(i, *case) for i, case in enumerate(cases)], cpu)
    for i, (shape, kind, rounding) in enumerate(cases):
        batch, h, w, c, out_h, out_w = shape
        bits = random.integers(0, 256, (batch, h, w, c), np.uint8)
        x = random.standard_normal(bits.shape, np.float32) if kind == "f32" else bits
        x = x if kind == "f32" else x.view(STORES[kind])
        for align, half in OPTIONS:
            find = positions if kind == "f32" else bilinear_positions
            tables = [*find(h, out_h, align, half), *find(w, out_w, align, half)]
            expected = _expected(x, (out_h, out_w), tables, rounding, align, half)
            narrow = [t if t.dtype == np.float32 else t.astype(np.int32) for t in tables]
            made = _padded(np.zeros(expected.size + 8, expected.dtype))
            rows = batch * out_h
            for begin, end in ((0, rows // 3), (rows // 3, rows)):
                library.run(i, begin, end, _padded(x), [*map(_padded, narrow)], made)
            found = made.view(expected.dtype)
            if kind == "f32":
                np.testing.assert_allclose(found[: expected.size], expected.ravel(), 1e-5, 1e-5)
            else:
                np.testing.assert_array_equal(found[: expected.size], expected.ravel())
            assert (found[expected.size :] == 0).all()


def _expected(
    x: np.ndarray, size: tuple[int, int], tables: list[np.ndarray], rounding: str, align: bool,
    half: bool,
) -> np.ndarray:  # fmt: skip
    if x.dtype != np.float32:
        ties: Rounding = "single" if rounding == "SINGLE" else "double"
        return resize_bilinear(x, size, ties, align_corners=align, half_pixel_centers=half)
    y0, y1, fy, x0, x1, fx = tables
    wide, down, right = x.astype(np.float64), fy[:, None, None], fx[:, None]
    top = wide[:, y0][:, :, x0] * (1 - right) + wide[:, y0][:, :, x1] * right
    bottom = wide[:, y1][:, :, x0] * (1 - right) + wide[:, y1][:, :, x1] * right
    return np.asarray(top * (1 - down) + bottom * down, np.float32)


def test_32_bits_hold_the_sums_of_all_but_steps_that_rounding_makes_much_longer() -> None:
    assert header_number("bilinear.h", "BILINEAR_RUN") < 2100
    for size, out in [(1, 1), (1, 9), (33, 513), (4000, 3), (257, 256)]:
        for options in OPTIONS:
            fraction = bilinear_positions(size, out, *options)[2]
            assert fits(fraction, fraction)
    fraction = bilinear_positions(2, 4000, False, False)[2]
    assert not fits(fraction, fraction)


def test_outputs_beyond_the_last_source_are_its() -> None:
    x = np.arange(2, dtype=np.int16).reshape(1, 1, 2, 1) * 100
    y = resize_bilinear(x, (1, 4000), "single")
    assert y[0, 0, [0, 1024, 4000 - 1], 0].tolist() == [0, 100, 100]


def test_the_kernel_never_sees_an_image_without_elements() -> None:
    load_all()
    node = bilinear(parameter("x", Type((1, 3, 5, 0), F32)), size=(6, 7)).node
    assert lower(node, host()).statements == ()
    for h, w in ((0, 5), (3, 0)):
        with pytest.raises(ShapeError, match="bilinear resize"):
            bilinear(parameter("x", Type((1, h, w, 2), F32)), size=(6, 7))
