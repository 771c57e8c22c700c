"""A zero point is a code of its tensor: kernels count on it."""

from __future__ import annotations

import numpy as np
import pytest

from whet.errors import ModelError
from whet.importers.tflite.schema import Quantization, Tensor
from whet.importers.tflite.translate import element_of
from whet.ir.element import I8, Quant


def quantised(dtype: type[np.generic], zero: int) -> Tensor:
    return Tensor("w", (2,), np.dtype(dtype), None, Quantization((0.5,), (zero,), 0), False)


@pytest.mark.parametrize(
    ("dtype", "zero"),
    [(np.int8, 128), (np.int8, -129), (np.uint8, -1), (np.uint8, 1 << 30), (np.int16, 1 << 15)],
)
def test_a_zero_point_that_is_no_code(dtype: type[np.generic], zero: int) -> None:
    with pytest.raises(ModelError, match=rf"a zero point out of range: w: {zero} for"):
        element_of(quantised(dtype, zero))


def test_unsigned_codes_are_moved_with_their_zero_point() -> None:
    assert element_of(quantised(np.uint8, 255)) == Quant(I8, (0.5,), (127,), None, "double")
