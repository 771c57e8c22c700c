"""Bilinear resizing of float and of quantised images."""

from __future__ import annotations

import numpy as np

from whet.emit.lowered import Argument, Call, In, Lowered, Name, Out, Weight
from whet.ir.dim import static_shape
from whet.ir.element import Quant
from whet.ir.node import Array, Node
from whet.kernels.kernel import kernel
from whet.kernels.quantized import store
from whet.ops.affine import affine
from whet.ops.bilinear import bilinear, codes_tie_up, options, positions, sizes
from whet.ops.integer.resize import ONE, bilinear_positions
from whet.targets.target import Target

HALF = ONE * ONE // 2
BYTES = {"int8": "i8", "uint8": "u8"}


def fits(fy: Array, fx: Array) -> bool:
    """Whether 32 bits hold every step of bilinear.h on codes of 8 bits with these fractions."""
    across = int(np.max(np.abs(fx) + np.abs(ONE - fx)))
    return 255 * across * (ONE + 2 * int(np.max(np.abs(fy)))) + HALF < 1 << 31


@kernel("bilinear", bilinear)
def lower(node: Node, target: Target) -> Lowered | None:
    x = node.input(0)
    batch, h, w, c = static_shape(x.shape)
    out_h, out_w = sizes(node)
    element = x.tensor.element
    tables = tuple(Weight(i) for i in range(6))
    image: tuple[Argument, ...] = (h, w, c, out_h, out_w)
    rows = (Out(), Name("begin"), Name("end"))
    if not isinstance(element, Quant):
        constants = (
            *positions(h, out_h, *options(node)), *positions(w, out_w, *options(node)),
        )  # fmt: skip
        call = Call("bilinear_f32", (*image, In(0), *tables, Name("WHET_SINGLE"), *rows))
        return Lowered((call,), ("bilinear.h",), constants, parallel=batch * out_h, grain=1)
    down = bilinear_positions(h, out_h, *options(node))
    across = bilinear_positions(w, out_w, *options(node))
    rounding = Name("WHET_SINGLE" if codes_tie_up(node) else "WHET_DOUBLE")
    fixed = tuple(t.astype(np.int32) for t in (*down, *across))
    codes = BYTES.get(affine(element).store)
    if codes is not None and fits(down[2], across[2]):
        call = Call(f"bilinear_{codes}", (*image, In(0), *tables, rounding, *rows))
        return Lowered((call,), ("bilinear.h",), fixed, parallel=batch * out_h, grain=1)
    shape: tuple[Argument, ...] = (batch, *image, store(affine(element)))
    call = Call("integer_resize_bilinear", (*shape, In(0), *tables, rounding, Out()))
    return Lowered((call,), ("integer_resize.h",), fixed)
